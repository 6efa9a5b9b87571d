"""`ibmiotf` 0.4.0, the older SDK, as a gateway: here the callbacks for commands work, which they do not in 1.0.1."""

import sys
import types
import unittest

# `ibmiotf` imports a name from a module of the standard library that Python 3.10 removed, and never uses it.
sys.modules.setdefault("symbol", types.SimpleNamespace(parameters=None))

import ibmiotf.gateway

import harness
import plant
from harness import DEVICE_TYPE, DOMAIN, GATEWAY_TYPE, ORG, QUIET, Inbox, acknowledged, connected


class OldGateway(unittest.TestCase):
    """Over TCP: this SDK trusts only the certificate authority that is packed into it."""

    @classmethod
    def setUpClass(cls):
        plant.ensure_types()
        cls.app = connected(plant.application(1883, "old-gateway-app"))
        cls.addClassCleanup(cls.app.disconnect)

    def setUp(self):
        self.gateway_id = "old-" + self.id().rsplit(".", 1)[-1][5:].replace("_", "-")[:28]
        options = {
            "org": ORG,
            "type": GATEWAY_TYPE,
            "id": self.gateway_id,
            "auth-method": "token",
            "auth-token": plant.register(GATEWAY_TYPE, self.gateway_id),
            "domain": DOMAIN,
            "port": 1883,
        }
        self.gateway = connected(ibmiotf.gateway.Client(options, logHandlers=QUIET))
        self.addCleanup(self.gateway.disconnect)
        self.commands = Inbox("commands")
        self.gateway.deviceCommandCallback = self.commands.put

    def subscribe(self, type_id, device_id, **rest):
        mid = self.gateway.subscribeToDeviceCommands(type_id, device_id, **rest)
        self.assertEqual(tuple(harness.subscribed(self.gateway, mid)), (1,))

    def command(self, type_id, device_id, number, qos=1):
        acknowledged(
            lambda done: self.app.publishCommand(
                type_id, device_id, "set", "json", {"n": number}, qos=qos, onPublish=done
            )
        )

    def test_commands_for_itself(self):
        own = Inbox("own commands")
        self.gateway.commandCallback = own.put
        mid = self.gateway.subscribeToGatewayCommands()
        self.assertEqual(tuple(harness.subscribed(self.gateway, mid)), (1,))
        self.command(GATEWAY_TYPE, self.gateway_id, 1)
        command = own.wait()
        self.assertEqual((command.type, command.id), (GATEWAY_TYPE, self.gateway_id))
        self.assertEqual((command.command, command.format, command.data), ("set", "json", {"n": 1}))

    def test_commands_for_a_child_that_the_subscription_registers(self):
        self.subscribe(DEVICE_TYPE, "old-child-literal")
        record = plant.registry().devices[f"d:{ORG}:{DEVICE_TYPE}:old-child-literal"]
        self.assertEqual(record["gatewayId"], self.gateway_id)
        for number in range(10):
            self.command(DEVICE_TYPE, "old-child-literal", number)
        received = self.commands.wait(count=10)
        self.assertEqual([it.data["n"] for it in received], list(range(10)))

    def test_commands_for_all_children_of_a_type(self):
        self.subscribe(DEVICE_TYPE, "+")
        for child in ("old-plus-1", "old-plus-2"):
            plant.register(DEVICE_TYPE, child)
            self.command(DEVICE_TYPE, child, 7)
            command = self.commands.wait(lambda it: it.id == child)
            self.assertEqual((command.type, command.data), (DEVICE_TYPE, {"n": 7}))

    def test_commands_for_everything(self):
        self.subscribe("+", "+", command="+", format="+")
        plant.register(DEVICE_TYPE, "old-all")
        self.command(DEVICE_TYPE, "old-all", 1, qos=0)
        self.command(GATEWAY_TYPE, self.gateway_id, 2, qos=2)
        self.commands.wait(lambda it: it.id == "old-all" and it.data == {"n": 1})
        self.commands.wait(lambda it: it.id == self.gateway_id and it.data == {"n": 2})

    def test_only_the_command_that_was_asked_for(self):
        self.subscribe(DEVICE_TYPE, "+", command="wanted")
        plant.register(DEVICE_TYPE, "old-filter")
        for name in ("unwanted", "wanted"):
            acknowledged(
                lambda done: self.app.publishCommand(
                    DEVICE_TYPE, "old-filter", name, "json", {}, qos=1, onPublish=done
                )
            )
        self.commands.wait(lambda it: it.command == "wanted")
        self.assertEqual({it.command for it in self.commands.all()}, {"wanted"})

    def test_events_for_itself_and_for_a_child(self):
        app = connected(plant.application(1883, "old-gateway-events"))
        self.addCleanup(app.disconnect)
        events = plant.listening(app)
        acknowledged(
            lambda done: self.gateway.publishGatewayEvent("up", "json", {"s": 1}, qos=1, on_publish=done)
        )
        acknowledged(
            lambda done: self.gateway.publishDeviceEvent(
                DEVICE_TYPE, "old-child-events", "reading", "json", {"t": 21.5}, qos=2, on_publish=done
            )
        )
        own = events.wait(lambda it: it.deviceId == self.gateway_id)
        self.assertEqual((own.typeId, own.eventId, own.data), (GATEWAY_TYPE, "up", {"s": 1}))
        child = events.wait(lambda it: it.deviceId == "old-child-events")
        self.assertEqual((child.typeId, child.eventId, child.data), (DEVICE_TYPE, "reading", {"t": 21.5}))

    def test_notifications(self):
        notes = Inbox("notifications")
        self.gateway.notificationCallback = notes.put
        harness.subscribed(self.gateway, self.gateway.subscribeToGatewayNotifications())
        acknowledged(
            lambda done: self.gateway.publishDeviceEvent(
                "nosuchtype", "old-child", "reading", "json", {}, qos=1, on_publish=done
            )
        )
        note = notes.wait()
        self.assertEqual((note.type, note.id), (GATEWAY_TYPE, self.gateway_id))
        self.assertEqual((note.data["Type"], note.data["RC"]), ("nosuchtype", "177"))


if __name__ == "__main__":
    unittest.main()
