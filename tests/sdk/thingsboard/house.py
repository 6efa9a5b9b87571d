"""What the tests of the ThingsBoard SDK share: the server's administrator, clients that log in, and how to wait.

Nothing here sleeps. A test waits for the thing itself and fails when it has not come after `DEADLINE_SECONDS`.
"""

import faulthandler
import http.client
import json
import logging
import os
import queue
import socket
import threading
import time
import urllib.parse

from paho.mqtt.client import MQTTv5, MQTTv311

ORG = os.environ["TIDEGATE_ORG"]
ADMIN_SOCKET = os.environ["TIDEGATE_ADMIN_SOCKET"]
HOST = "127.0.0.1"
PORT = 1883
TLS_PORT = 8883
AUTHORITY = os.environ["TIDEGATE_CA"]

DEADLINE_SECONDS = 10

# Where a test hangs is told before the runner ends it.
faulthandler.dump_traceback_later(110)

# The SDK complains of what it does not find among the properties of CONNACK, and asks for it then.
logging.disable(logging.CRITICAL)

# The SDK asks for 5.0; its own MQTT client is told otherwise for the other half of the tests.
VERSIONS = {"311": MQTTv311, "5": MQTTv5}


class Admin(http.client.HTTPConnection):
    """The native API, over the socket in the data folder."""

    def __init__(self):
        super().__init__("localhost")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(ADMIN_SOCKET)


def ask(method, path, body=None):
    """Asks the administrator's API about the organisation; fails unless it answers well. Bytes are sent as they are."""
    admin = Admin()
    admin.request(method, f"/v1/orgs/{ORG}{path}", body if body is None or isinstance(body, bytes) else json.dumps(body))
    response = admin.getresponse()
    text = response.read()
    admin.close()
    assert response.status < 300, f"{method} {path}: {response.status} {text}"
    return json.loads(text) if text else None


def device_path(name, device_type="default"):
    return f"/devices/{urllib.parse.quote(device_type, safe='')}/{urllib.parse.quote(name, safe='')}"


def register(name, token, is_gateway=False):
    draft = {"type": "default", "name": name, "access_token": token}
    ask("POST", "/devices", {**draft, "class": "gateway"} if is_gateway else draft)


def allow_provisioning(device_type, devices, key, secret):
    if device_type not in [it["name"] for it in ask("GET", "/types")["types"]]:
        ask("POST", "/types", {"name": device_type})
    ask("PATCH", f"/types/{device_type}", {"provisioning": {"devices": devices, "key": key, "secret": secret}})


def attributes(name, scope, device_type="default"):
    found = ask("GET", device_path(name, device_type) + "/attributes")[scope]
    return {key: it["value"] for key, it in found.items()}


def share(name, **values):
    ask("PATCH", device_path(name) + "/attributes/shared", values)


def add_package(title, version, content):
    query = urllib.parse.urlencode({"title": title, "version": version})
    return ask("POST", f"/packages?{query}", content)["id"]


def assign_package(package, name, device_type="default"):
    ask("POST", f"/packages/{package}/assignments", {"type": device_type, "name": name})


def command(name, method, params=None, reply=True):
    """Gives a command in a thread of its own; `.get(timeout=…)` is its outcome."""
    outcome = queue.Queue()
    draft = {"method": method, "params": params, "reply": reply, "timeout_ms": DEADLINE_SECONDS * 1000}
    path = device_path(name) + "/commands"
    threading.Thread(target=lambda: outcome.put(ask("POST", path, draft)), daemon=True).start()
    return outcome


def newest(name, key, device_type="default"):
    points = ask("GET", f"{device_path(name, device_type)}/points?key={urllib.parse.quote(key)}")["points"]
    return points[-1]["value"] if points else None


def eventually(look, wanted):
    """Looks until it sees what is wanted."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        seen = look()
        if seen == wanted:
            return
        assert time.monotonic() < deadline, f"should be {wanted!r}, is {seen!r}"


def sent(info):
    """Waits for the acknowledgement of what the SDK has published."""
    assert info.get() == 0, f"the SDK says {info.rc()}"


def speaking(client, version):
    """The same client, with another version of MQTT."""
    client._client._protocol = VERSIONS[version]
    client._client._clean_session = version == "311"
    return client


def connected(client, version, **options):
    """Connects an SDK's client, and waits until it has heard its limits: before that it sends no data."""
    speaking(client, version).connect(**options)
    eventually(client.is_connected, True)
    eventually(lambda: client.rate_limits_received, True)
    return client
