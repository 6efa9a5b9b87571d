"""`tb-mqtt-client` 1.13 as a device: every call that it has, over 3.1.1 and 5.0."""

import os
import queue
import subprocess
import tempfile
import time
import unittest

from tb_device_mqtt import TBDeviceMqttClient, TBFirmwareState

import house
from house import AUTHORITY, DEADLINE_SECONDS, HOST, PORT, TLS_PORT, attributes, connected, eventually, newest, sent, share


class Device:
    """The tests, for one version of MQTT."""

    version = ""

    def setUp(self):
        self.name = f"device {self.version} {self.id().rsplit('_', 1)[-1]}"
        self.token = self.name.replace(" ", "-")
        house.register(self.name, self.token)
        self.client = self.connect(PORT)

    def connect(self, port, **options):
        client = connected(TBDeviceMqttClient(HOST, port, self.token), self.version, **options)
        self.addCleanup(client.stop)
        self.addCleanup(client.disconnect)
        return client

    def test_telemetry(self):
        sent(self.client.send_telemetry({"a": 1, "b": "42", "c": True, "d": {"e": [1]}}))
        sent(self.client.send_telemetry({"ts": 1451649600512, "values": {"f": 2.5}}))
        sent(self.client.send_telemetry([{"ts": 1451649600512, "values": {"g": 1}}, {"ts": 2, "values": {"g": 0}}]))
        expected = {"a": 1, "b": 42, "c": True, "d": {"e": [1]}, "f": 2.5, "g": 1}
        for key, value in expected.items():
            self.assertEqual(newest(self.name, key), value, key)
        # Acknowledged is stored: more than its window holds, each one there.
        infos = [self.client.send_telemetry({"ts": at, "values": {"n": at}}) for at in range(1, 301)]
        for info in infos:
            sent(info)
        points = house.ask("GET", house.device_path(self.name) + "/points?key=n&limit=1000")["points"]
        self.assertEqual([it["value"] for it in points], list(range(1, 301)))

    def test_attributes(self):
        sent(self.client.send_attributes({"firmware": "1.0", "serial": "007", "ports": [1, 2]}))
        expected = {"firmware": 1.0, "serial": 7, "ports": [1, 2]}
        self.assertEqual(attributes(self.name, "client"), expected)
        share(self.name, interval=5, mode="eco")
        answers = queue.Queue()
        self.client.request_attributes(["firmware", "nope"], ["interval"], lambda it, fault: answers.put((it, fault)))
        answer = ({"client": {"firmware": 1.0}, "shared": {"interval": 5}}, None)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), answer)

    def test_updates(self):
        one, all_of_them = queue.Queue(), queue.Queue()
        number = self.client.subscribe_to_attribute("interval", lambda it, _: one.put(it))
        self.client.subscribe_to_all_attributes(lambda it, _: all_of_them.put(it))
        share(self.name, interval=5)
        self.assertEqual(one.get(timeout=DEADLINE_SECONDS), {"interval": 5})
        self.assertEqual(all_of_them.get(timeout=DEADLINE_SECONDS), {"interval": 5})
        share(self.name, mode="eco")
        self.assertEqual(all_of_them.get(timeout=DEADLINE_SECONDS), {"mode": "eco"})
        self.client.unsubscribe_from_attribute(number)
        house.ask("DELETE", house.device_path(self.name) + "/attributes/shared?keys=interval")
        self.assertEqual(all_of_them.get(timeout=DEADLINE_SECONDS), {"deleted": ["interval"]})
        self.assertTrue(one.empty())

    def test_commands(self):
        def handle(number, call):
            # One that wants no answer gets none: given after the end of the test, it would wait for a connection for ever.
            if call["method"] == "setGpio":
                self.client.send_rpc_reply(number, {"did": call["method"], "with": call["params"]})

        self.client.set_server_side_rpc_request_handler(handle)
        outcome = house.command(self.name, "setGpio", {"pin": 7}).get(timeout=DEADLINE_SECONDS)
        self.assertEqual(outcome["answer"], {"did": "setGpio", "with": {"pin": 7}})
        outcome = house.command(self.name, "reboot", reply=False).get(timeout=DEADLINE_SECONDS)
        self.assertEqual(outcome["outcome"], "taken")

    def test_calls(self):
        answers = queue.Queue()
        self.client.send_rpc_call("getSessionLimits", {}, lambda _, answer, fault: answers.put((answer, fault)))
        answer, fault = answers.get(timeout=DEADLINE_SECONDS)
        self.assertEqual((answer["maxPayloadSize"], answer["maxInflightMessages"], fault), (65536, 100, None))
        self.client.send_rpc_call("getTime", {}, lambda _, answer, fault: answers.put((answer, fault)))
        self.assertIn("error", answers.get(timeout=DEADLINE_SECONDS)[0])

    def test_claiming(self):
        sent(self.client.claim("the secret", 60000))

    def test_limits(self):
        answers = queue.Queue()
        self.client.request_service_configuration(lambda _, answer, __: answers.put(answer))
        limits = answers.get(timeout=DEADLINE_SECONDS)
        self.client.on_service_configuration(None, limits)
        self.assertTrue(self.client.rate_limits_received)
        # Windows of any size, theirs or ours, lose nothing.
        self.client.max_inflight_messages_set(3)
        self.client.max_queued_messages_set(100)
        self.client.reconnect_delay_set(1, 2)
        for info in [self.client.send_telemetry({"ts": at, "values": {"n": at}}) for at in range(1, 51)]:
            sent(info)
        points = house.ask("GET", house.device_path(self.name) + "/points?key=n&limit=1000")["points"]
        self.assertEqual([it["value"] for it in points], list(range(1, 51)))

    def test_forgotten(self):
        """What the client has put out of its mind does not reach it any more; the next subscription does."""
        before, after = queue.Queue(), queue.Queue()
        self.client.subscribe_to_all_attributes(lambda it, _: before.put(it))
        share(self.name, a=1)
        self.assertEqual(before.get(timeout=DEADLINE_SECONDS), {"a": 1})
        self.client.clean_device_sub_dict()
        self.client.subscribe_to_all_attributes(lambda it, _: after.put(it))
        share(self.name, a=2)
        self.assertEqual(after.get(timeout=DEADLINE_SECONDS), {"a": 2})
        self.assertTrue(before.empty())

    def test_patience(self):
        """A question that is given more time is answered within it."""
        answers = queue.Queue()
        self.client.request_attributes(shared_keys=["a"], callback=lambda it, fault: answers.put((it, fault)))
        self.client.add_attrs_request_timeout(1, int(time.time()) + DEADLINE_SECONDS)
        self.assertEqual(answers.get(timeout=DEADLINE_SECONDS), ({}, None))

    def test_firmware(self):
        """Nothing is there to be fetched: the device says what it has, asks, and stays as it is."""
        received = queue.Queue()
        self.client.set_on_firmware_received_callback(lambda *it: received.put(it))
        self.client.get_firmware_update()
        eventually(lambda: newest(self.name, "current_fw_title"), "Initial")
        self.client.update_firmware_info("pump", "v2", TBFirmwareState.UPDATED)
        eventually(lambda: newest(self.name, "current_fw_version"), "v2")
        self.assertEqual((newest(self.name, "fw_state"), received.empty()), ("UPDATED", True))

    def test_firmware_update(self):
        """The device fetches what it is told to have, and finds its checksum right."""
        firmware = bytes(at * 7 % 251 for at in range(1_200_000))
        package = house.add_package("pump", f"v-{self.name}", firmware)
        received = queue.Queue()
        self.client.set_on_firmware_received_callback(lambda _, data, version: received.put((data, version)))
        self.client.get_firmware_update()
        eventually(lambda: newest(self.name, "current_fw_title"), "Initial")
        house.assign_package(package, self.name)
        data, version = received.get(timeout=3 * DEADLINE_SECONDS)
        self.assertEqual((data == firmware, version), (True, f"v-{self.name}"))
        self.assertEqual(newest(self.name, "fw_state"), "VERIFIED")

    def test_encrypted(self):
        client = self.connect(TLS_PORT, tls=True, ca_certs=AUTHORITY)
        sent(client.send_telemetry({"secret": 7}))
        self.assertEqual(newest(self.name, "secret"), 7)

    def test_certificate(self):
        """A device with a certificate of its own making, and without a token."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        cert, key = (os.path.join(folder.name, it) for it in ("cert.pem", "key.pem"))
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=any", "-days", "2"]
        subprocess.run([*made, "-out", cert, "-keyout", key], capture_output=True, timeout=DEADLINE_SECONDS, check=True)
        name = self.name + " certified"
        with open(cert) as text:
            house.ask("POST", "/devices", {"type": "default", "name": name, "certificate": text.read()})
        self.token = None
        client = self.connect(TLS_PORT, tls=True, ca_certs=AUTHORITY, cert_file=cert, key_file=key)
        sent(client.send_telemetry({"certified": 1}))
        self.assertEqual(newest(name, "certified"), 1)


class Device311(Device, unittest.TestCase):
    version = "311"


class Device5(Device, unittest.TestCase):
    version = "5"

    def test_wrong_token(self):
        refused = queue.Queue()
        client = TBDeviceMqttClient(HOST, PORT, "nobody's token")
        client._client.on_connect = lambda _, __, ___, code, *____: refused.put(code)
        self.addCleanup(client.stop)
        self.addCleanup(client.disconnect)
        client.connect()
        self.assertEqual(refused.get(timeout=DEADLINE_SECONDS).value, 0x86)


if __name__ == "__main__":
    unittest.main()
