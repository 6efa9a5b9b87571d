"""`wiotp-sdk` 1.0.1 doing what it must not: what it is told, and what goes on working."""

import threading
import unittest

import wiotp.sdk.device

import harness
import plant
from harness import DEVICE_TYPE, GATEWAY_TYPE, ORG, Inbox, acknowledged, connected

NOTIFICATION_KEYS = {"Request", "Time", "Topic", "Type", "Id", "Client", "RC", "Message"}


class Notifications(unittest.TestCase):
    """A gateway that makes a mistake keeps its connection and gets a notification."""

    @classmethod
    def setUpClass(cls):
        plant.ensure_types()

    def setUp(self):
        self.gateway_id = "notified-" + self.id().rsplit(".", 1)[-1][5:].replace("_", "-")[:24]
        token = plant.register(GATEWAY_TYPE, self.gateway_id)
        self.gateway = connected(plant.gateway(1883, self.gateway_id, token))
        self.addCleanup(self.gateway.disconnect)
        self.notes = Inbox("notifications")
        self.gateway.notificationCallback = self.notes.put
        harness.subscribed(self.gateway, self.gateway.subscribeToNotifications())

    def publish(self, type_id, device_id, event_id="status"):
        """Publishes at QoS 1; a refused message is acknowledged all the same."""
        acknowledged(
            lambda done: self.gateway.publishDeviceEvent(
                type_id, device_id, event_id, "json", {"a": 1}, qos=1, onPublish=done
            )
        )
        return f"iot-2/type/{type_id}/id/{device_id}/evt/{event_id}/fmt/json"

    def notified(self, topic, code, request="publish"):
        """The notification about a topic, after a look at everything in it that is the same for all of them."""
        note = self.notes.wait(lambda it: it.data["Topic"] == topic)
        self.assertEqual((note.typeId, note.deviceId), (GATEWAY_TYPE, self.gateway_id))
        self.assertEqual(note.data["Request"], request)
        self.assertEqual(note.data["Client"], f"g:{ORG}:{GATEWAY_TYPE}:{self.gateway_id}")
        self.assertEqual(note.data["RC"], code)
        self.assertRegex(note.data["Time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$")
        self.assertTrue(note.data["Message"])
        return note.data

    def still_works(self):
        acknowledged(lambda done: self.gateway.publishEvent("alive", "json", {}, qos=1, onPublish=done))
        self.assertTrue(self.gateway.isConnected())

    def test_topic_outside_the_rules(self):
        topic = self.publish(DEVICE_TYPE, "child", event_id="status/extra")
        data = self.notified(topic, "276")
        self.assertEqual((data["Type"], data["Id"]), (DEVICE_TYPE, "child"))
        self.still_works()

    def test_unknown_device_type(self):
        data = self.notified(self.publish("nosuchtype", "child"), "177")
        self.assertEqual(set(data), NOTIFICATION_KEYS)
        self.assertEqual((data["Type"], data["Id"]), ("nosuchtype", "child"))
        self.still_works()

    def test_device_id_that_is_not_valid(self):
        data = self.notified(self.publish(DEVICE_TYPE, "x" * 37), "276")
        self.assertEqual((data["Type"], data["Id"]), (DEVICE_TYPE, "x" * 37))
        self.still_works()

    def test_one_notification_for_a_device_that_cannot_be_registered(self):
        topics = {self.publish("nosuchtype", "stubborn") for _ in range(5)}
        self.assertEqual(len(topics), 1)
        # A second mistake marks the end: what was to come for the first one has come before it.
        marker = self.publish(DEVICE_TYPE, "y" * 37)
        self.notified(marker, "276")
        about_it = [it for it in self.notes.all() if it.data["Id"] == "stubborn"]
        self.assertEqual(len(about_it), 1, "the device is left alone for a while after its registration failed")

    def test_filter_outside_the_rules(self):
        granted = harness.subscribed(
            self.gateway, self.gateway.subscribeToDeviceCommands(DEVICE_TYPE, "child", commandId="a/b")
        )
        self.assertEqual(tuple(granted), (0x80,))
        topic = f"iot-2/type/{DEVICE_TYPE}/id/child/cmd/a/b/fmt/json"
        self.notified(topic, "276", request="subscribe")
        self.still_works()


class WrongTokens(unittest.TestCase):
    """A wrong token is refused with the code that the SDK calls "Not authorized"."""

    @classmethod
    def setUpClass(cls):
        plant.ensure_types()
        plant.register(DEVICE_TYPE, "refused-device")
        plant.register(GATEWAY_TYPE, "refused-gateway")

    def refused(self, make_client):
        logs = harness.LogInbox()
        client = make_client([logs])
        # The SDK raises the refusal in paho's thread and waits a minute in its own, so it connects in a third one.
        hook, threading.excepthook = threading.excepthook, lambda _: None
        try:
            threading.Thread(target=client.connect, daemon=True).start()
            logs.lines.wait(lambda line: "Not authorized" in line)
        finally:
            threading.excepthook = hook
        self.assertFalse(client.isConnected())

    def test_device(self):
        self.refused(lambda logs: plant.device(1883, "refused-device", "wrong", logs=logs))

    def test_device_over_tls(self):
        self.refused(lambda logs: plant.device(8883, "refused-device", "wrong", logs=logs))

    def test_gateway(self):
        self.refused(lambda logs: plant.gateway(1883, "refused-gateway", "wrong", logs=logs))

    def test_device_that_nobody_knows(self):
        self.refused(lambda logs: plant.device(1883, "nobody", "wrong", logs=logs))

    def test_gateway_that_says_it_is_a_device(self):
        token = plant.register(GATEWAY_TYPE, "refused-class")

        def pretender(logs):
            identity = {"orgId": ORG, "typeId": GATEWAY_TYPE, "deviceId": "refused-class"}
            config = {"identity": identity, "auth": {"token": token}, "options": plant.options(1883)}
            return wiotp.sdk.device.DeviceClient(config, logHandlers=logs)

        self.refused(pretender)


if __name__ == "__main__":
    unittest.main()
