"""`thingsboard-gateway` 3.8.5 with its socket connector: what its machines say and are told, and what restarts cost."""

import unittest

from relay import Relay
from workshop import DEADLINE_SECONDS, GATEWAY, MACHINE, METER, Gateway, Machine, Server, empty_folder, eventually


class TheGateway(unittest.TestCase):
    def setUp(self):
        folder = empty_folder(self.id().rsplit("_", 1)[-1])
        self.server = Server(folder)
        self.addCleanup(lambda: self.server.kill())
        self.relay, self.machine = Relay(), Machine()
        self.relay.target = self.server.address
        self.addCleanup(self.relay.close)
        self.addCleanup(self.machine.close)
        self.gateway = Gateway(folder, self.relay.port, self.machine.connector())
        self.addCleanup(lambda: self.gateway.kill())

    def hears(self):
        return self.machine.heard.get(timeout=DEADLINE_SECONDS)

    def stored(self):
        return set(self.server.values(METER, "n"))

    def acknowledged(self):
        return {int(value) for device, _, value in self.relay.acknowledged if device == METER}

    def machine_is_reached(self, word):
        """Both ways down: an update of a shared attribute, and a command with its answer."""
        self.server.share(MACHINE, target=word)
        self.assertEqual(self.hears(), word)
        self.assertEqual(self.server.command(MACHINE, "turn", {"to": word}), {"result": "ok"})
        self.assertEqual(self.hears(), f"{{'to': '{word}'}}")

    def test_work(self):
        self.machine.says(42)
        eventually(lambda: self.server.values(MACHINE, "temperature"), lambda it: it == [42])
        self.assertEqual(self.server.device(MACHINE)["gateway"]["name"], GATEWAY)
        known = {"connectorType": "socket", "connectorName": "Socket", "last": 42}
        eventually(lambda: self.server.attributes(MACHINE, "client"), lambda it: it == known)
        self.machine_is_reached("left")

        # The gateway is a device as well: it tells of itself, and can be asked.
        eventually(lambda: self.server.attributes(GATEWAY, "client").get("Version"), lambda it: it == "3.8.5")
        self.assertEqual(self.server.command(GATEWAY, "gateway_ping"), {"code": 200, "resp": "pong"})

    def test_restarts(self):
        self.machine.says(1)
        self.machine.measures(range(15))
        eventually(self.acknowledged, lambda it: len(it) >= 5)

        # The server is killed while readings come in, and more come in while it is away.
        self.server.kill()
        self.relay.shut()
        self.machine.measures(range(15, 20))
        self.server.start()
        # The gateway cannot have sent anything again yet.
        self.assertLessEqual(self.acknowledged(), self.stored())
        self.relay.target = self.server.address
        eventually(self.stored, lambda it: it == set(range(20)))
        self.machine_is_reached("right")

        # The gateway is killed while readings come in. What it had not sent is in its own storage, or was not taken.
        self.machine.measures(range(20, 30))
        eventually(self.acknowledged, lambda it: len(it) >= 25)
        self.gateway.kill()
        self.assertLessEqual(self.acknowledged(), self.stored())
        self.gateway.start()
        self.machine.measures(range(30, 35))
        eventually(self.stored, lambda it: it >= set(range(30, 35)))
        self.assertLessEqual(self.acknowledged(), self.stored())
        # The gateway forgets machines of before its restart that are not the first to speak again.
        self.machine.says(2)
        eventually(lambda: self.server.values(MACHINE, "temperature"), lambda it: it == [1, 2])
        self.machine_is_reached("up")


if __name__ == "__main__":
    unittest.main()
