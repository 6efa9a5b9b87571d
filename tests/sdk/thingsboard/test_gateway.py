"""`tb-mqtt-client` 1.13 as a gateway: every call that it has, over 3.1.1 and 5.0."""

import queue
import unittest

from tb_gateway_mqtt import TBGatewayMqttClient

import house
from house import DEADLINE_SECONDS, HOST, PORT, attributes, connected, eventually, newest, sent, share


class Gateway:
    """The tests, for one version of MQTT."""

    version = ""

    def setUp(self):
        self.test = self.id().rsplit("_", 1)[-1]
        self.name = f"gateway {self.version} {self.test}"
        self.token = self.name.replace(" ", "-")
        house.register(self.name, self.token, is_gateway=True)
        self.client = self.connect()
        self.child = f"Device {self.version}/{self.test} #1"

    def connect(self):
        client = connected(TBGatewayMqttClient(HOST, PORT, self.token, quality_of_service=1), self.version)
        self.addCleanup(client.stop)
        self.addCleanup(client.disconnect)
        return client

    def test_telemetry(self):
        sent(self.client.gw_connect_device(self.child, "thermometer"))
        self.assertEqual(house.ask("GET", house.device_path(self.child, "thermometer"))["gateway"]["name"], self.name)
        sent(self.client.gw_send_telemetry(self.child, {"t": 21.5, "on": True}))
        sent(self.client.gw_send_telemetry(self.child, [{"ts": 5, "values": {"old": 1}}, {"ts": 6, "values": {"old": 2}}]))
        for key, value in {"t": 21.5, "on": True, "old": 2}.items():
            self.assertEqual(newest(self.child, key, "thermometer"), value, key)
        # Without connect, and for itself.
        sent(self.client.gw_send_telemetry(self.child + " too", {"n": 1}))
        sent(self.client.send_telemetry({"own": 1}))
        self.assertEqual((newest(self.child + " too", "n"), newest(self.name, "own")), (1, 1))

    def test_attributes(self):
        sent(self.client.gw_send_attributes(self.child, {"a": 1, "b": "x"}))
        self.assertEqual(attributes(self.child, "client"), {"a": 1, "b": "x"})
        share(self.child, s=2.0)
        answers = queue.Queue()

        def answered(answer, fault):
            answers.put((answer.get("value", answer.get("values")), fault))

        self.client.gw_request_client_attributes(self.child, ["a"], answered)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), (1, None))
        self.client.gw_request_client_attributes(self.child, ["a", "b", "c"], answered)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), ({"a": 1, "b": "x"}, None))
        self.client.gw_request_shared_attributes(self.child, ["s"], answered)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), (2.0, None))
        self.client.gw_request_shared_attributes(self.child, ["nothing"], answered)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), (None, None))

    def test_updates(self):
        sent(self.client.gw_connect_device(self.child))
        updates = queue.Queue()
        self.client.gw_subscribe_to_attribute(self.child, "s", updates.put)
        self.client.gw_subscribe_to_all_device_attributes(self.child, updates.put)
        share(self.child, s=1)
        expected = {"device": self.child, "data": {"s": 1}}
        self.assertEqual([updates.get(timeout=DEADLINE_SECONDS) for _ in range(2)], [expected, expected])
        sent(self.client.gw_disconnect_device(self.child))
        share(self.child, s=2)
        sent(self.client.gw_connect_device(self.child))
        share(self.child, s=3)
        self.assertEqual(updates.get(timeout=DEADLINE_SECONDS), {"device": self.child, "data": {"s": 3}})

    def test_unsubscribed(self):
        sent(self.client.gw_connect_device(self.child))
        before, after = queue.Queue(), queue.Queue()
        self.client.gw_subscribe_to_all_device_attributes(self.child, before.put)
        share(self.child, s=1)
        self.assertEqual(before.get(timeout=DEADLINE_SECONDS)["data"], {"s": 1})
        self.client.gw_unsubscribe("*")
        self.client.gw_subscribe_to_all_attributes(after.put)
        share(self.child, s=2)
        self.assertEqual(after.get(timeout=DEADLINE_SECONDS), {"device": self.child, "data": {"s": 2}})
        self.assertTrue(before.empty())

    def test_itself(self):
        """A gateway is a device: everything that devices can do, on the same connection."""
        eventually(self.client.get_subscriptions_in_progress, False)
        sent(self.client.send_attributes({"model": "x"}))
        self.assertEqual(attributes(self.name, "client"), {"model": "x"})
        updates, answers = queue.Queue(), queue.Queue()
        self.client.subscribe_to_all_attributes(lambda it, _: updates.put(it))
        share(self.name, interval=5)
        self.assertEqual(updates.get(timeout=DEADLINE_SECONDS), {"interval": 5})
        self.client.request_attributes(["model"], ["interval"], lambda it, _: answers.put(it))
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), {"client": {"model": "x"}, "shared": {"interval": 5}})
        self.client.set_server_side_rpc_request_handler(
            lambda number, call: self.client.send_rpc_reply(number, {"did": call["method"]})
        )
        outcome = house.command(self.name, "gateway_ping").get(timeout=DEADLINE_SECONDS)
        self.assertEqual(outcome["answer"], {"did": "gateway_ping"})
        self.client.send_rpc_call("getSessionLimits", {}, lambda _, answer, __: answers.put(answer))
        self.assertIn("gatewayRateLimits", answers.get(timeout=DEADLINE_SECONDS))
        sent(self.client.claim("its secret", 60000))

    def test_commands(self):
        def handle(gateway, call):
            data = call["data"]
            gateway.gw_send_rpc_reply(call["device"], data["id"], {"did": data["method"], "with": data["params"]})

        self.client.gw_set_server_side_rpc_request_handler(handle)
        sent(self.client.gw_connect_device(self.child))
        for number in range(3):
            outcome = house.command(self.child, "echo", {"n": number}).get(timeout=DEADLINE_SECONDS)
            self.assertEqual(outcome["answer"], {"did": "echo", "with": {"n": number}})

    def test_reconnect(self):
        sent(self.client.gw_connect_device(self.child))
        self.client.stop()
        self.client.disconnect()
        again = self.connect()
        calls = queue.Queue()
        again.gw_set_server_side_rpc_request_handler(lambda _, call: calls.put(call["device"]))
        house.command(self.child, "m", reply=False)
        self.assertEqual(calls.get(timeout=DEADLINE_SECONDS), self.child)

    def test_claiming(self):
        sent(self.client.gw_claim(self.child, "the secret", 60000))
        self.assertEqual(house.ask("GET", house.device_path(self.child))["name"], self.child)


class Gateway311(Gateway, unittest.TestCase):
    version = "311"


class Gateway5(Gateway, unittest.TestCase):
    version = "5"


if __name__ == "__main__":
    unittest.main()
