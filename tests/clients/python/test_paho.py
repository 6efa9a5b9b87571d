"""`paho-mqtt` 2.2.0 as a client of plain MQTT: 3.1.1 and 5.0, over TCP, TLS, WebSocket and WebSocket over TLS."""

import unittest

import paho.mqtt.client as mqtt

from peer import API_KEY, DEVICE, DOORS, LIMITED_KEY, Peer, Post, Refused

UNSPECIFIED_ERROR = 0x80


class Messaging:
    """The tests; the classes made below say which version and what way into the server."""

    door = None
    version = None

    def setUp(self):
        # Client ids and topics of this test only: all run on one server.
        self.own = self.id().split(".", 1)[1].replace(".", "-")

    def peer(self, name, login=None, **options):
        """A client that is dropped when the test ends."""
        peer = Peer(self.door, self.version, f"{name}-{self.own}", login, **options)
        self.addCleanup(peer.close)
        return peer

    def connected(self, name, login, **options):
        peer = self.peer(name, login, **options)
        self.assertFalse(peer.connect(), "a session that nobody has left")
        return peer

    def post(self, topic, payload, qos, **more):
        return Post(f"{self.own}/{topic}", payload, qos, **more)

    def test_messages_arrive_as_they_were_sent(self):
        reader = self.connected("reader", API_KEY)
        self.assertEqual(reader.subscribe(f"{self.own}/every/#", 2), 2)
        self.assertEqual(reader.subscribe(f"{self.own}/low/#", 0), 0)
        writer = self.connected("writer", DEVICE)
        posts = [
            self.post("every/0", b"zero", 0),
            self.post("every/1", b"one", 1),
            self.post("every/2", b"two", 2),
            self.post("every/empty", b"", 1),
            self.post("every/large", b"x" * 100_000, 2),
        ]
        for post in posts:
            writer.publish(post)
        self.assertEqual(reader.messages(len(posts)), posts)
        reader.unsubscribe(f"{self.own}/every/#")
        writer.publish(self.post("every/more", b"", 1))
        writer.publish(self.post("low/end", b"end", 2))
        self.assertEqual(reader.messages(1), [self.post("low/end", b"end", 0)])

    def test_retained_messages_are_kept_until_they_are_removed(self):
        writer = self.connected("writer", DEVICE)
        kept = self.post("kept", b"kept", 1, retain=True)
        gone = self.post("gone", b"gone", 1, retain=True)
        for post in (kept, gone, gone.but(payload=b"")):
            writer.publish(post)
        reader = self.connected("reader", API_KEY)
        self.assertEqual(reader.subscribe(f"{self.own}/#", 1), 1)
        live = self.post("live", b"live", 0)
        writer.publish(live)
        self.assertEqual(reader.messages(2), [kept, live])

    def test_a_will_is_published_for_the_lost_and_for_nobody_else(self):
        reader = self.connected("reader", API_KEY)
        self.assertEqual(reader.subscribe(f"{self.own}/#", 1), 1)
        will = self.post("gone", b"gone", 1, retain=True)
        mortal = self.connected("mortal", DEVICE, will=will)
        # Who comes again with the same client id comes after everything that the farewell has caused.
        mortal.leave()
        mortal.reconnect()
        end = self.post("end", b"end", 1)
        mortal.publish(end)
        self.assertEqual(reader.messages(1), [end])
        mortal.close()
        self.assertEqual(reader.messages(1), [will.but(retain=False)])
        late = self.connected("late", API_KEY)
        self.assertEqual(late.subscribe(will.topic, 1), 1)
        self.assertEqual(late.messages(1), [will])

    def test_a_session_is_there_again_with_what_came_meanwhile(self):
        writer = self.connected("writer", API_KEY)
        reader = self.connected("reader", DEVICE, durable=True)
        self.assertEqual(reader.subscribe(f"{self.own}/#", 2), 2)

        reader.leave()
        writer.publish(self.post("not-kept", b"", 0))
        meanwhile = [self.post("1", b"one", 1), self.post("2", b"two", 2)]
        for post in meanwhile:
            writer.publish(post)
        self.assertTrue(reader.reconnect())
        self.assertEqual(reader.messages(2), meanwhile)

        reader.close()
        meanwhile = [self.post("3", b"three", 2), self.post("4", b"four", 1)]
        for post in meanwhile:
            writer.publish(post)
        self.assertTrue(reader.reconnect())
        self.assertEqual(reader.messages(2), meanwhile)

        # What was acknowledged is not sent again, to another client of the same identity and id either.
        reader.leave()
        end = self.post("end", b"end", 1)
        writer.publish(end)
        again = self.peer("reader", DEVICE, durable=True)
        self.assertTrue(again.connect())
        self.assertEqual(again.messages(1), [end])

    def test_a_login_that_is_refused_says_why(self):
        # Paho gives the codes 4 and 5 of 3.1.1 the names that they have in 5.0.
        for login, code in (
            ((API_KEY[0], "wrong"), "Bad user name or password"),
            (("a-abc123-nobody", API_KEY[1]), "Bad user name or password"),
            ((DEVICE[0], "wrong"), "Bad user name or password"),
            (None, "Not authorized"),
        ):
            with self.subTest(login=login), self.assertRaises(Refused) as refused:
                self.peer("refused", login).connect()
            self.assertEqual(refused.exception.args, (code,))

    def test_a_filter_without_the_right_is_refused_and_the_others_hold(self):
        limited = self.connected("limited", LIMITED_KEY)
        self.assertEqual(limited.subscribe(f"open/{self.own}", 1), 1)
        self.assertEqual(limited.subscribe(f"closed/{self.own}", 1), UNSPECIFIED_ERROR)
        writer = self.connected("writer", API_KEY)
        writer.publish(Post(f"closed/{self.own}", b"closed", 1))
        writer.publish(Post(f"open/{self.own}", b"open", 1))
        self.assertEqual(limited.messages(1), [Post(f"open/{self.own}", b"open", 1)])


for _door in DOORS:
    for _name, _version in (("Version311", mqtt.MQTTv311), ("Version5", mqtt.MQTTv5)):
        _class = f"{_name}Over{_door.name}"
        globals()[_class] = type(_class, (Messaging, unittest.TestCase), {"door": _door, "version": _version})
