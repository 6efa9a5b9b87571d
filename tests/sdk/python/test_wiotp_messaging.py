"""`wiotp-sdk` 1.0.1 as gateway, device and application: events up, commands down, over TCP and over TLS."""

import unittest

import wiotp.sdk.device
from wiotp.sdk.exceptions import ApiException

import harness
import plant
from harness import CA_FILE, DEVICE_TYPE, GATEWAY_TYPE, ORG, QUIET, Inbox, acknowledged, connected


class Messaging:
    """The tests; the two classes below say over what."""

    port = None
    name = None

    @classmethod
    def setUpClass(cls):
        plant.ensure_types()

    def start(self, client):
        """Connects a client that is disconnected again when the test ends."""
        connected(client)
        self.addCleanup(client.disconnect)
        return client

    def new_gateway(self, suffix, **mqtt):
        gateway_id = f"{self.name}-{suffix}"
        token = plant.register(GATEWAY_TYPE, gateway_id)
        return gateway_id, self.start(plant.gateway(self.port, gateway_id, token, **mqtt))

    def new_device(self, suffix, **mqtt):
        device_id = f"{self.name}-{suffix}"
        token = plant.register(DEVICE_TYPE, device_id)
        return device_id, self.start(plant.device(self.port, device_id, token, **mqtt))

    def new_application(self, suffix, **mqtt):
        return self.start(plant.application(self.port, f"{self.name}-{suffix}", **mqtt))

    def test_gateway_publishes_for_itself(self):
        app = self.new_application("app-own")
        events = plant.listening(app, typeId=GATEWAY_TYPE)
        gateway_id, gateway = self.new_gateway("gw-own")
        for qos in (0, 1, 2):
            acknowledged(
                lambda done: gateway.publishEvent("status", "json", {"qos": qos}, qos=qos, onPublish=done)
            )
        received = events.wait(lambda it: it.deviceId == gateway_id, count=3)
        self.assertEqual(sorted(it.data["qos"] for it in received), [0, 1, 2])
        for event in received:
            self.assertEqual((event.typeId, event.eventId, event.format), (GATEWAY_TYPE, "status", "json"))

    def test_gateway_speaks_for_children_that_nobody_registered(self):
        app = self.new_application("app-children")
        events = plant.listening(app, typeId=DEVICE_TYPE, qos=1)
        gateway_id, gateway = self.new_gateway("gw-children")
        children = [f"{self.name}-child-{number}" for number in range(3)]
        for number in range(20):
            for child in children:
                payload = {"n": number}
                gateway.publishDeviceEvent(DEVICE_TYPE, child, "reading", "json", payload, qos=1)
        for child in children:
            received = events.wait(lambda it: it.deviceId == child, count=20)
            self.assertEqual([it.data["n"] for it in received], list(range(20)), f"order of {child}")
            self.assertEqual({(it.typeId, it.eventId) for it in received}, {(DEVICE_TYPE, "reading")})
        for child in children:
            record = app.registry.devices[f"d:{ORG}:{DEVICE_TYPE}:{child}"]
            self.assertEqual((record["gatewayTypeId"], record["gatewayId"]), (GATEWAY_TYPE, gateway_id))
            self.assertEqual(record["registration"]["auth"]["type"], "gateway")

    def test_device_events_reach_the_application(self):
        app = self.new_application("app-device")
        events = plant.listening(app, typeId=DEVICE_TYPE, eventId="reading", qos=2)
        device_id, device = self.new_device("dev-events")
        for qos in (0, 1, 2):
            acknowledged(
                lambda done: device.publishEvent("reading", "json", {"qos": qos}, qos=qos, onPublish=done)
            )
        received = events.wait(lambda it: it.deviceId == device_id, count=3)
        self.assertEqual(sorted(it.data["qos"] for it in received), [0, 1, 2])

    def test_text_arrives_as_it_was_sent(self):
        app = self.new_application("app-text")
        events = plant.listening(app, typeId=DEVICE_TYPE, msgFormat="utf8")
        device_id, device = self.new_device("dev-text")
        text = "Kessel 3: 81 °C, 水位 42 %"
        acknowledged(lambda done: device.publishEvent("note", "utf8", text, qos=1, onPublish=done))
        event = events.wait(lambda it: it.deviceId == device_id)
        self.assertEqual((event.eventId, event.format, event.data), ("note", "utf8", text))

    def test_commands_reach_the_device(self):
        device_id, device = self.new_device("dev-commands")
        commands = Inbox("commands")
        device.commandCallback = commands.put
        # The SDK subscribes by itself when it connects; the event says that the server has answered.
        self.assertTrue(device.subscriptionsAcknowledged.wait(harness.DEADLINE_SECONDS))
        app = self.new_application("app-commands")
        for qos in (0, 1, 2):
            acknowledged(
                lambda done: app.publishCommand(
                    DEVICE_TYPE, device_id, "valve", "json", {"open": qos}, qos=qos, onPublish=done
                )
            )
        received = commands.wait(count=3)
        self.assertEqual(sorted(it.data["open"] for it in received), [0, 1, 2])
        self.assertEqual({(it.commandId, it.format) for it in received}, {("valve", "json")})

    def test_commands_wait_for_a_device_with_a_durable_session(self):
        device_id = f"{self.name}-dev-durable"
        token = plant.register(DEVICE_TYPE, device_id)
        # The SDK's `cleanStart` means the opposite of its name: true asks for a durable session.
        first = connected(plant.device(self.port, device_id, token, cleanStart=True))
        self.assertTrue(first.subscriptionsAcknowledged.wait(harness.DEADLINE_SECONDS))
        first.disconnect()

        app = self.new_application("app-durable")
        for number in range(5):
            acknowledged(
                lambda done: app.publishCommand(
                    DEVICE_TYPE, device_id, "set", "json", {"n": number}, qos=1, onPublish=done
                )
            )

        second = plant.device(self.port, device_id, token, cleanStart=True)
        commands = Inbox("commands")
        second.commandCallback = commands.put
        self.start(second)
        self.assertEqual([it.data["n"] for it in commands.wait(count=5)], list(range(5)))

    def test_device_status_tells_who_comes_and_goes(self):
        app = self.new_application("app-status")
        status = Inbox("device status")
        app.deviceStatusCallback = status.put
        device_id = f"{self.name}-dev-status"
        token = plant.register(DEVICE_TYPE, device_id)
        harness.subscribed(app, app.subscribeToDeviceStatus(typeId=DEVICE_TYPE, deviceId=device_id))

        device = connected(plant.device(self.port, device_id, token))
        came = status.wait(lambda it: it.action == "Connect")
        self.assertEqual((came.typeId, came.deviceId), (DEVICE_TYPE, device_id))
        self.assertEqual((came.clientId, came.port), (f"d:{ORG}:{DEVICE_TYPE}:{device_id}", self.port))
        device.disconnect()
        went = status.wait(lambda it: it.action == "Disconnect")
        self.assertGreaterEqual(went.time, came.time)

        late = self.new_application("app-status-late")
        known = Inbox("device status")
        late.deviceStatusCallback = known.put
        harness.subscribed(late, late.subscribeToDeviceStatus(typeId=DEVICE_TYPE, deviceId=device_id))
        present = known.wait()
        self.assertEqual(present.action, "Disconnect")
        self.assertTrue(present.retained, "a new subscriber learns the present state at once")

    def test_instances_of_a_scalable_application_share_the_events(self):
        app_id = f"{self.name}-scalable"
        instances = [self.start(plant.application(self.port, app_id, instanceId=name)) for name in ("one", "two")]
        shared = Inbox("events of both instances")
        for instance in instances:
            instance.deviceEventCallback = shared.put
            mid = instance.subscribeToDeviceEvents(typeId=DEVICE_TYPE, eventId="shared", qos=1)
            harness.subscribed(instance, mid)
        device_id, device = self.new_device("dev-shared")
        for number in range(20):
            acknowledged(
                lambda done: device.publishEvent("shared", "json", {"n": number}, qos=1, onPublish=done)
            )
        # A last event that only the end of the stream brings; it goes to one of the two as well.
        acknowledged(lambda done: device.publishEvent("shared", "json", {"n": "end"}, qos=1, onPublish=done))
        shared.wait(count=21)
        numbers = [it.data["n"] for it in shared.all() if it.deviceId == device_id]
        self.assertCountEqual(numbers, [*range(20), "end"])

    def test_largest_payload_passes_and_a_larger_one_closes(self):
        app = self.new_application("app-large")
        events = plant.listening(app, typeId=GATEWAY_TYPE, eventId="large")
        gateway_id = f"{self.name}-gw-large"
        logs = harness.LogInbox()
        token = plant.register(GATEWAY_TYPE, gateway_id)
        gateway = self.start(plant.gateway(self.port, gateway_id, token, logs=[logs]))
        acknowledged(
            lambda done: gateway.publishEvent("large", "utf8", "x" * 131_072, qos=1, onPublish=done)
        )
        self.assertEqual(len(events.wait(lambda it: it.deviceId == gateway_id).data), 131_072)
        gateway.publishEvent("large", "utf8", "x" * 131_073, qos=0)
        logs.lines.wait(lambda line: "Unexpected disconnect" in line)
        self.assertEqual(len([it for it in events.all() if it.deviceId == gateway_id]), 1)


class MessagingOverTcp(Messaging, unittest.TestCase):
    port = 1883
    name = "tcp"


class MessagingOverTls(Messaging, unittest.TestCase):
    port = 8883
    name = "tls"

    def test_firmware_with_the_old_host_name_compiled_in(self):
        device_id = "tls-dev-old-name"
        token = plant.register(DEVICE_TYPE, device_id)
        config = {
            "identity": {"orgId": ORG, "typeId": DEVICE_TYPE, "deviceId": device_id},
            "auth": {"token": token},
            "options": {"mqtt": {"caFile": CA_FILE}},
        }
        device = self.start(wiotp.sdk.device.DeviceClient(config, logHandlers=QUIET))
        acknowledged(lambda done: device.publishEvent("hello", "json", {}, qos=1, onPublish=done))


class Registry(unittest.TestCase):
    """Registering through the REST API, as the SDK does it: every device goes through the bulk calls."""

    @classmethod
    def setUpClass(cls):
        plant.ensure_types()
        cls.registry = plant.registry()

    def test_types_are_made_changed_and_removed(self):
        types = self.registry.devicetypes
        made = types.create({"id": "boiler", "classId": "Device", "deviceInfo": {"manufacturer": "Acme"}})
        self.assertEqual((made.id, made.classId, made.deviceInfo.manufacturer), ("boiler", "Device", "Acme"))
        with self.assertRaises(ApiException) as refused:
            types.create({"id": "boiler"})
        self.assertEqual(refused.exception.response.status_code, 409)
        self.assertEqual(types.update("boiler", description="hot").description, "hot")
        self.assertIn("boiler", [it.id for it in types])
        types.delete("boiler")
        self.assertNotIn("boiler", types)
        with self.assertRaises(KeyError):
            types["boiler"]

    def test_devices_are_made_changed_and_removed(self):
        devices = self.registry.devices
        uids = [{"typeId": DEVICE_TYPE, "deviceId": f"listed-{number}"} for number in range(60)]
        made = devices.create([{**uid, "metadata": {"room": 7}} for uid in uids])
        self.assertTrue(all(it.success for it in made))
        self.assertEqual(len({it.authToken for it in made}), 60, "each device has a token of its own")

        key = f"d:{ORG}:{DEVICE_TYPE}:listed-0"
        self.assertIn(key, devices)
        changed = devices.update(uids[0], deviceInfo={"model": "M1"})
        self.assertEqual((changed.deviceInfo.model, changed.metadata), ("M1", {"room": 7}))
        self.assertEqual(devices[key].clientId, key)

        # More than a page: the SDK follows the bookmarks.
        listed = [it.deviceId for it in devices if it.deviceId.startswith("listed-")]
        self.assertCountEqual(listed, [uid["deviceId"] for uid in uids])

        self.assertTrue(all(it["success"] for it in devices.delete(uids)))
        self.assertNotIn(key, devices)
        with self.assertRaises(KeyError):
            devices[key]

    def test_a_token_of_the_operators_choice_is_kept(self):
        answer = self.registry.devices.create(
            {"typeId": DEVICE_TYPE, "deviceId": "registry-chosen", "authToken": "Chosen-token-1"}
        )
        self.assertEqual((answer.success, answer.authToken), (True, "Chosen-token-1"))
        device = connected(plant.device(1883, "registry-chosen", "Chosen-token-1"))
        device.disconnect()

    def test_a_device_of_an_unknown_type_is_refused(self):
        answer = self.registry.devices.create({"typeId": "nosuchtype", "deviceId": "registry-lost"})
        self.assertFalse(answer.success)


if __name__ == "__main__":
    unittest.main()
