"""A relay between the gateway and the server, which notes the readings whose PUBACK has passed.

The gateway knows one address; the server behind it may be another one after each restart, or nobody.
"""

import json
import socket
import threading

PUBLISH, PUBACK = 3, 4
TELEMETRY = "v1/gateway/telemetry"
BYTES = 65536


class Relay:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        # (device, key, value) of what was acknowledged.
        self.acknowledged = set()
        self.pumps = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def shut(self):
        """Lets nobody through any more, and returns when nothing is under way."""
        self.target = None
        for pump in self.pumps:
            pump.join()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except (OSError, TypeError):
                client.close()
                continue
            # What was published on this connection and is not acknowledged, by packet id.
            pending = {}
            for source, sink in (client, server), (server, client):
                pump = threading.Thread(target=self._pump, args=(source, sink, pending), daemon=True)
                self.pumps.append(pump)
                pump.start()

    def _pump(self, source, sink, pending):
        seen = bytearray()
        try:
            while data := source.recv(BYTES):
                seen += data
                for first, body in packets(seen):
                    self._look(first, body, pending)
                sink.sendall(data)
        except OSError:
            pass
        # Each pump closes what it reads from; the shutdown ends the other one.
        try:
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        source.close()

    def _look(self, first, body, pending):
        if first >> 4 == PUBLISH and first & 6:
            topic, rest = body[2 : 2 + number(body)].decode(), body[2 + number(body) :]
            properties, skipped = length(rest, 2)
            payload = rest[skipped + properties :]
            pending[number(rest)] = set(readings(payload)) if topic == TELEMETRY else set()
        elif first >> 4 == PUBACK and (len(body) == 2 or body[2] < 0x80):
            # A new set each time: somebody may be looking at the old one.
            self.acknowledged = self.acknowledged | pending.pop(number(body), set())


def readings(payload):
    for device, entries in json.loads(payload).items():
        for entry in entries:
            for key, value in entry["values"].items():
                yield device, key, value


def number(data):
    return data[0] << 8 | data[1]


def length(data, at):
    """A variable byte integer, and where it ends; `None` if it is not complete."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at
    return None


def packets(buffer):
    """Takes the whole MQTT packets out of a buffer."""
    while (found := length(buffer, 1)) and len(buffer) >= sum(found):
        size, start = found
        first, body = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        yield first, body
