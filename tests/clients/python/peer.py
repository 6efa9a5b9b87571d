"""A `paho-mqtt` client as the tests see it: connect, subscribe, publish, and wait for what comes.

The client's network is driven from here, by the calls that Paho has for event loops of others (`loop_read` and
`loop_write`), so that no thread of its own has to be waited for. Nothing sleeps: a wait ends with the thing itself, and
fails when it has not come after `DEADLINE_SECONDS`.
"""

import os
import select
import time
from dataclasses import dataclass, replace

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST = f"{os.environ['TIDEGATE_ORG']}.messaging.{os.environ['TIDEGATE_DOMAIN']}"
CA_FILE = os.environ["TIDEGATE_CA"]

DEADLINE_SECONDS = 10

API_KEY = (os.environ["TIDEGATE_API_KEY"], os.environ["TIDEGATE_API_TOKEN"])
DEVICE = (os.environ["TIDEGATE_DEVICE"], os.environ["TIDEGATE_DEVICE_TOKEN"])
# May subscribe to `open/#` and to nothing else.
LIMITED_KEY = (os.environ["TIDEGATE_LIMITED_KEY"], os.environ["TIDEGATE_LIMITED_TOKEN"])


@dataclass(frozen=True)
class Door:
    """A way into the server."""

    name: str
    port: int
    transport: str = "tcp"
    tls: bool = False


DOORS = (
    Door("Tcp", 1883),
    Door("Tls", 8883, tls=True),
    Door("WebSocket", 8080, transport="websockets"),
    Door("SecureWebSocket", 443, transport="websockets", tls=True),
)


@dataclass(frozen=True, order=True)
class Post:
    """A message as it was sent or received."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False

    def but(self, **changes):
        return replace(self, **changes)


class Refused(Exception):
    """The server has refused the connection; `args[0]` is Paho's name of the code."""


class Peer:
    """A client. The constructor neither connects nor fails."""

    def __init__(self, door, version, client_id, login=None, *, durable=False, will=None):
        self._durable, self._door, self._version = durable, door, version
        self._received, self._granted, self._published = [], {}, {}
        self._connack = None
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            transport=door.transport,
            clean_session=None if version == mqtt.MQTTv5 else not durable,
            reconnect_on_failure=False,
        )
        if door.tls:
            self.client.tls_set(ca_certs=CA_FILE)
        if door.transport == "websockets":
            self.client.ws_set_options(path="/mqtt")
        if login:
            self.client.username_pw_set(*login)
        if will:
            self.client.will_set(will.topic, will.payload, will.qos, will.retain)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_unsubscribe = lambda client, data, mid, codes, properties: self._granted.update({mid: codes})
        self.client.on_publish = lambda client, data, mid, code, properties: self._published.update({mid: code})
        self.client.on_message = self._on_message

    def _on_connect(self, client, data, flags, code, properties):
        self._connack = (flags.session_present, code)

    def _on_subscribe(self, client, data, mid, codes, properties):
        self._granted[mid] = [code.value for code in codes]

    def _on_message(self, client, data, message):
        self._received.append(Post(message.topic, message.payload, message.qos, message.retain))

    def connect(self):
        """Connects for the first time; returns whether the session was present."""
        options = {}
        if self._version == mqtt.MQTTv5:
            options["clean_start"] = not self._durable
            if self._durable:
                options["properties"] = Properties(PacketTypes.CONNECT)
                options["properties"].SessionExpiryInterval = 3600
        self.client.connect(HOST, self._door.port, **options)
        return self._connected()

    def reconnect(self):
        """Connects again; returns whether the session was present."""
        self._connack = None
        self.client.reconnect()
        return self._connected()

    def _connected(self):
        self._wait("CONNACK", lambda: self._connack)
        session_present, code = self._connack
        if code.is_failure:
            self.close()
            raise Refused(code.getName())
        return session_present

    def subscribe(self, topic_filter, qos):
        """Subscribes; returns the code that the server has answered with."""
        result, mid = self.client.subscribe(topic_filter, qos)
        assert result == mqtt.MQTT_ERR_SUCCESS, mqtt.error_string(result)
        self._wait("SUBACK", lambda: mid in self._granted)
        (code,) = self._granted.pop(mid)
        return code

    def unsubscribe(self, topic_filter):
        result, mid = self.client.unsubscribe(topic_filter)
        assert result == mqtt.MQTT_ERR_SUCCESS, mqtt.error_string(result)
        self._wait("UNSUBACK", lambda: mid in self._granted)

    def publish(self, post):
        """Publishes, and waits until it is sent (QoS 0) or acknowledged to the end (QoS 1 and 2)."""
        info = self.client.publish(post.topic, post.payload, post.qos, post.retain)
        assert info.rc == mqtt.MQTT_ERR_SUCCESS, mqtt.error_string(info.rc)
        self._wait("acknowledgement", lambda: info.mid in self._published)
        code = self._published.pop(info.mid)
        assert not code.is_failure, code

    def messages(self, count):
        """The next messages, sorted: Paho tells of one at QoS 2 when its exchange is complete, so others overtake it."""
        self._wait(f"{count} messages", lambda: len(self._received) >= count)
        first, self._received = self._received[:count], self._received[count:]
        return sorted(first)

    def leave(self):
        """Disconnects in peace."""
        self.client.disconnect()
        while self.client.socket():
            self._turn("the end", time.monotonic() + DEADLINE_SECONDS)

    def close(self):
        """Drops the connection without a word."""
        if self.client.socket():
            self.client.socket().close()

    def _wait(self, what, holds):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert self.client.socket(), f"the connection has ended before {what}"
            self._turn(what, deadline)

    def _turn(self, what, deadline):
        """Waits until the socket is ready for something, and lets the client do it."""
        socket = self.client.socket()
        left = deadline - time.monotonic()
        assert left > 0, f"{what}: nothing in {DEADLINE_SECONDS} s; received: {self._received}"
        # Bytes that TLS or the WebSocket has read ahead do not make the socket ready.
        ahead = hasattr(socket, "pending") and socket.pending() > 0
        writing = [socket] if self.client.want_write() else []
        readable, writable, _ = select.select([socket], writing, [], 0 if ahead else left)
        if readable or ahead:
            self.client.loop_read()
        if writable and self.client.socket():
            self.client.loop_write()
