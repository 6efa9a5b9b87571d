"""`tb-rest-client` 4.4 as a script: it logs in with an API key, registers, reads and writes, commands and claims."""

import json
import os
import queue
import unittest
import urllib.request

from tb_device_mqtt import TBDeviceMqttClient
from tb_rest_client.models import Device, DeviceProfile, EntityId
from tb_rest_client.rest import ApiException
from tb_rest_client.rest_client import RestClient

from house import DEADLINE_SECONDS, HOST, PORT, connected, eventually, sent

URL = f"http://{HOST}:8080"
KEY, TOKEN = os.environ["TIDEGATE_API_KEY"], os.environ["TIDEGATE_API_TOKEN"]
# A key with restricted rights is a customer.
CUSTOMER, CUSTOMER_TOKEN = os.environ["TIDEGATE_LIMITED_KEY"], os.environ["TIDEGATE_LIMITED_TOKEN"]


def logged_in(key=KEY, token=TOKEN):
    client = RestClient(base_url=URL)
    client.login(key, token)
    return client


class Rest(unittest.TestCase):
    def setUp(self):
        self.name = "script " + self.id().rsplit("_", 1)[-1]
        self.token = self.name.replace(" ", "-")
        self.rest = logged_in()
        profile = self.rest.get_default_device_profile_info()
        draft = Device(name=self.name, label="from a script", device_profile_id=profile.id)
        self.device = self.rest.save_device(draft, access_token=self.token)

    def connect(self):
        client = connected(TBDeviceMqttClient(HOST, PORT, self.token), "5")
        self.addCleanup(client.stop)
        self.addCleanup(client.disconnect)
        return client

    def refused(self, status, call, *arguments, **named):
        with self.assertRaises(ApiException) as refused:
            call(*arguments, **named)
        self.assertEqual(refused.exception.status, status, refused.exception.body)
        return refused.exception

    def test_login(self):
        user = self.rest.get_user()
        self.assertEqual((user.email, user.authority), (KEY, "TENANT_ADMIN"))
        before = self.rest.get_token()
        self.rest.refresh()
        self.assertNotEqual(self.rest.get_token(), None)
        self.assertTrue(self.rest.token_info["exp"] > 0 and before)
        self.assertEqual(self.rest.get_user().email, KEY)
        with_key = RestClient(base_url=URL)
        with_key.api_key_login(f"{KEY}:{TOKEN}")
        self.assertEqual(with_key.get_user().email, KEY)
        self.refused(401, logged_in(KEY, "guess").get_user)

    def test_device(self):
        self.assertEqual((self.device.name, self.device.label), (self.name, "from a script"))
        self.assertEqual(self.rest.get_device_by_id(self.device.id).name, self.name)
        self.assertEqual(self.rest.get_tenant_device(self.name).id.id, self.device.id.id)
        page = self.rest.get_tenant_devices(page_size=10, page=0, text_search=self.name)
        self.assertEqual([it.name for it in page.data], [self.name])
        self.refused(400, self.rest.save_device, Device(name=self.name, type="default"))
        self.rest.delete_device(self.device.id)
        self.refused(404, self.rest.get_device_by_id, self.device.id)

    def test_provisioning(self):
        secret = {"type": "ALLOW_CREATE_NEW_DEVICES", "provisionDeviceSecret": "rest-secret"}
        draft = DeviceProfile(name="self made", type="DEFAULT", transport_type="DEFAULT")
        draft.provision_type, draft.provision_device_key = "ALLOW_CREATE_NEW_DEVICES", "rest-key"
        draft.profile_data = {"provisionConfiguration": secret}
        made = self.rest.save_device_profile(draft)
        self.addCleanup(self.rest.delete_device_profile, made.id)
        shown = self.rest.get_device_profile_by_id(made.id)
        self.assertEqual((shown.provision_type, shown.provision_device_key), (draft.provision_type, "rest-key"))
        asked = {"provisionDeviceKey": "rest-key", "provisionDeviceSecret": "rest-secret", "deviceName": "self made 1"}
        request = urllib.request.Request(URL + "/api/v1/provision", json.dumps(asked).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            answer = json.load(response)
        self.assertEqual((answer["status"], answer["credentialsType"]), ("SUCCESS", "ACCESS_TOKEN"))
        device = self.rest.get_tenant_device("self made 1")
        self.addCleanup(self.rest.delete_device, device.id)
        self.assertEqual(device.type, "self made")
        self.token = answer["credentialsValue"]
        sent(self.connect().send_telemetry({"a": 1}))

    def test_rename(self):
        device = self.connect()
        sent(device.send_telemetry({"a": 1}))
        self.device.name, self.device.type, self.device.device_profile_id = f"{self.name}, again", "renamed", None
        renamed = self.rest.save_device(self.device)
        self.assertEqual((renamed.id.id, renamed.type), (self.device.id.id, "renamed"))
        self.assertEqual(self.rest.get_tenant_device(self.device.name).id.id, self.device.id.id)
        self.refused(404, self.rest.get_tenant_device, self.name)
        sent(device.send_telemetry({"b": 2}))
        self.assertEqual(self.rest.get_timeseries_keys_v1(self.device.id), ["a", "b"])

    def test_credentials(self):
        credentials = self.rest.get_device_credentials_by_device_id(self.device.id)
        self.assertEqual((credentials.credentials_type, credentials.credentials_id), ("ACCESS_TOKEN", self.token))
        credentials.credentials_id = self.token + "-new"
        self.rest.update_device_credentials(credentials)
        self.token = credentials.credentials_id
        sent(self.connect().send_telemetry({"a": 1}))

    def test_attributes(self):
        device = self.connect()
        updates = queue.Queue()
        device.subscribe_to_all_attributes(lambda it, _: updates.put(it))
        self.rest.save_device_attributes(self.device.id, "SHARED_SCOPE", {"interval": 5, "mode": "eco"})
        self.assertEqual(updates.get(timeout=DEADLINE_SECONDS), {"interval": 5, "mode": "eco"})
        self.rest.save_entity_attributes_v1(self.device.id, "SERVER_SCOPE", {"room": "hall"})
        sent(device.send_attributes({"firmware": 2.0}))
        found = self.rest.get_attributes(self.device.id, keys="interval,room,firmware")
        seen = {it["key"]: it["value"] for it in map(as_dict, found)}
        self.assertEqual(seen, {"interval": 5, "room": "hall", "firmware": 2.0})
        shared = self.rest.get_attributes_by_scope(self.device.id, "SHARED_SCOPE", keys="mode")
        self.assertEqual([as_dict(it)["value"] for it in shared], ["eco"])
        self.rest.delete_device_attributes(self.device.id, "SHARED_SCOPE", keys="mode")
        self.assertEqual(updates.get(timeout=DEADLINE_SECONDS), {"deleted": ["mode"]})
        self.assertEqual(self.rest.get_attribute_keys_by_scope(self.device.id, "SHARED_SCOPE"), ["interval"])
        self.refused(400, self.rest.save_device_attributes, self.device.id, "CLIENT_SCOPE", {"a": 1})

    def test_telemetry(self):
        device = self.connect()
        sent(device.send_telemetry([{"ts": at * 1000, "values": {"t": at}} for at in range(10)]))
        self.rest.save_entity_telemetry(self.device.id, "ANY", {"ts": 10_000, "values": {"t": 10, "on": True}})
        self.assertEqual(self.rest.get_timeseries_keys_v1(self.device.id), ["on", "t"])
        latest = self.rest.get_latest_timeseries(self.device.id, keys="t,on", use_strict_data_types=True)
        self.assertEqual({key: as_dict(it[0])["value"] for key, it in latest.items()}, {"t": 10, "on": True})

        def values(**named):
            found = self.rest.get_timeseries(self.device.id, 2_000, 8_000, keys="t", **named)
            return [(as_dict(it)["ts"], as_dict(it)["value"]) for it in found["t"]]

        self.assertEqual(values(order_by="ASC", limit=2), [(2_000, "2"), (3_000, "3")])
        self.assertEqual(values(limit=1), [(7_000, "7")])
        sums = values(agg="SUM", interval=3_000, use_strict_data_types=True)
        self.assertEqual(sums, [(3_500, 9), (6_500, 18)])
        self.rest.delete_entity_timeseries(self.device.id, "t", start_ts=3_000, end_ts=7_000)
        self.assertEqual(values(order_by="ASC"), [(2_000, "2"), (7_000, "7")])
        self.rest.delete_entity_timeseries(self.device.id, "t,on", delete_all_data_for_keys=True)
        self.assertEqual(self.rest.get_timeseries_keys_v1(self.device.id), [])

    def test_commands(self):
        device = self.connect()
        call = {"method": "setGpio", "params": {"pin": 7}, "timeout": 5_000}

        def handle(number, asked):
            device.send_rpc_reply(number, {"did": asked["method"], "with": asked["params"]})

        device.set_server_side_rpc_request_handler(handle)
        expected = {"did": "setGpio", "with": {"pin": 7}}
        self.assertEqual(self.rest.handle_two_way_device_rpc_request(self.device.id, call), expected)
        self.assertEqual(self.rest.handle_two_way_device_rpc_request_v1(self.device.id, call), expected)
        self.assertIsNone(self.rest.handle_one_way_device_rpc_request(self.device.id, call))
        kept = self.rest.handle_two_way_device_rpc_request_v1(self.device.id, {**call, "persistent": True})
        rpc = EntityId(entity_type="RPC", id=kept["rpcId"])
        eventually(lambda: as_dict(self.rest.get_persisted_rpc(rpc))["status"], "SUCCESSFUL")

    def test_claim(self):
        sent(self.connect().claim("the secret", 60_000))
        customer = logged_in(CUSTOMER, CUSTOMER_TOKEN)
        self.refused(403, customer.get_device_by_id, self.device.id)
        self.assertEqual(customer.get_user().authority, "CUSTOMER_USER")
        granted = customer.claim_device_by_name(self.name, body={"secretKey": "the secret"})
        self.assertEqual(granted["response"], "SUCCESS")
        self.assertEqual(customer.get_device_by_id(self.device.id).name, self.name)
        refused = self.refused(400, customer.claim_device_by_name, self.name, body={"secretKey": "the secret"})
        self.assertEqual(refused.body.decode() if isinstance(refused.body, bytes) else refused.body, '"CLAIMED"')
        customer.re_claim_device(self.name)
        self.refused(403, customer.get_device_by_id, self.device.id)


def as_dict(it):
    """What the client has made of an object: one of its models, or the object."""
    return it if isinstance(it, dict) else {key: getattr(it, name) for name, key in it.attribute_map.items()}


if __name__ == "__main__":
    unittest.main()
