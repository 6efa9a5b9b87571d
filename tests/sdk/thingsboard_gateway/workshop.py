"""What the tests of the gateway need around them: a server of their own, the gateway, and a machine behind it.

The server is killed and started again, so it is not the one that other suites share. Nothing here sleeps: a test waits
for the thing itself and fails when it has not come after `DEADLINE_SECONDS`.
"""

import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import thingsboard_gateway

BINARY = os.environ["TIDEGATE_BINARY"]
SCRATCH = pathlib.Path(os.environ["TIDEGATE_SCRATCH"]) / "gateway"
ORG = "abc123"
TOKEN = "the-gateways-token"
GATEWAY, MACHINE, METER = "Gateway", "Machine A", "Meter"

# The gateway needs some seconds to start and to connect again, and takes five readings a second from its connector.
DEADLINE_SECONDS = 30

SETTINGS = '[listen]\nmqtt = "127.0.0.1:0"\nmqtts = "off"\nhttp = "off"\nhttps = "off"\nonenet = "off"\n'


def eventually(look, wanted):
    """Looks until `wanted` is true of what it sees, and returns that."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"after {DEADLINE_SECONDS} s it is {seen!r}"
    return seen


class Server:
    """Tidegate on empty data."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tidegate.toml").write_text(SETTINGS)
        self.start()
        self.ask("POST", "/v1/orgs", {"id": ORG}, of_org=False)
        draft = {"type": "default", "name": GATEWAY, "class": "gateway", "access_token": TOKEN}
        self.ask("POST", "/devices", draft)

    def start(self):
        command = [BINARY, "serve", "--data", self.folder / "data", "--config", self.folder / "tidegate.toml"]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if line.strip().startswith("MQTT "):
                host, port = line.split()[-1].rsplit(":", 1)
                self.address = host, int(port)
                return
        raise AssertionError("the server does not start")

    def kill(self):
        """As when the power fails."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method, path, body=None, of_org=True):
        """Asks the native API, over the socket in the data folder."""
        api = http.client.HTTPConnection("localhost")
        api.sock = socket.socket(socket.AF_UNIX)
        api.sock.connect(str(self.folder / "data/admin.sock"))
        prefix = f"/v1/orgs/{ORG}" if of_org else ""
        api.request(method, prefix + path, None if body is None else json.dumps(body))
        response = api.getresponse()
        text = response.read()
        api.close()
        if response.status == 404:
            return None
        assert response.status < 300, f"{method} {path}: {response.status} {text}"
        return json.loads(text) if text else None

    def device(self, name, part=""):
        return self.ask("GET", f"/devices/default/{urllib.parse.quote(name)}{part}")

    def attributes(self, name, scope):
        found = self.device(name, "/attributes") or {scope: {}}
        return {key: it["value"] for key, it in found[scope].items()}

    def values(self, name, key):
        """All that was stored of a key, oldest first."""
        found = self.device(name, f"/points?key={key}&limit=1000") or {"points": []}
        return [it["value"] for it in found["points"]]

    def share(self, name, **values):
        self.ask("PATCH", f"/devices/default/{urllib.parse.quote(name)}/attributes/shared", values)

    def command(self, name, method, params=None):
        """Gives a command and waits for its answer."""
        draft = {"method": method, "params": params, "reply": True, "timeout_ms": DEADLINE_SECONDS * 1000}
        return self.ask("POST", f"/devices/default/{urllib.parse.quote(name)}/commands", draft)["answer"]


class Machine:
    """What hangs on the gateway's socket connector: a machine that is told things, and a meter that only measures."""

    def __init__(self):
        # The gateway answers to the port that it heard the machine from.
        self.listener = socket.create_server(("127.0.0.1", 0), reuse_port=True)
        self.port = self.listener.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.gateway = "127.0.0.1", free.getsockname()[1]
        self.heard = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self):
        self.listener.close()

    def _listen(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                self.heard.put(connection.recv(1024).decode())

    def report(self, text, source):
        """Says something to the gateway, once that is there to listen."""

        def try_once():
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            connection.bind(source)
            try:
                connection.connect(self.gateway)
                return connection
            except OSError:
                connection.close()
                return None

        with eventually(try_once, lambda it: it is not None) as connection:
            connection.sendall(str(text).encode())

    def says(self, text):
        self.report(text, ("127.0.0.1", self.port))

    def measures(self, numbers):
        for number in numbers:
            self.report(number, ("127.0.0.2", 0))

    def connector(self):
        """The settings of the gateway's connector."""

        def device(name, source, **rest):
            nothing = {it: [] for it in ("attributes", "attributeRequests", "attributeUpdates", "serverSideRpc")}
            device = {"deviceName": name, "deviceType": "default", "encoding": "utf-8", "addressFilter": f"{source}:*"}
            return {**nothing, **device, "address": f"127.0.0.1:{self.port}", **rest}

        whole = {"byteFrom": 0, "byteTo": -1}
        machine = device(
            MACHINE,
            "127.0.0.1",
            telemetry=[{"key": "temperature", **whole}],
            attributes=[{"key": "last", **whole}],
            attributeUpdates=[{"encoding": "utf-8", "attributeOnThingsBoard": "target"}],
            serverSideRpc=[
                {"methodRPC": "turn", "methodProcessing": "write", "withResponse": True, "encoding": "utf-8"}
            ],
        )
        meter = device(METER, "127.0.0.2", telemetry=[{"key": "n", **whole}])
        host, port = self.gateway
        listen = {"type": "TCP", "address": host, "port": port, "bufferSize": 1024}
        return {"name": "Socket", "logLevel": "INFO", "socket": listen, "devices": [machine, meter]}


class Gateway:
    """The official gateway, as it is started by whoever has installed it."""

    def __init__(self, folder, port, connector):
        self.folder = folder / "gateway"
        settings = self.folder / "conf"
        settings.mkdir(parents=True)
        (self.folder / "logs").mkdir()
        for name, text in ("tb_gateway.json", self.settings(port)), ("socket.json", connector):
            (settings / name).write_text(json.dumps(text))
        shutil.copy(pathlib.Path(thingsboard_gateway.__file__).parent / "config/logs.json", settings)
        self.start()

    def settings(self, port):
        """The packaged settings as far as they are not about limits; the storage is the one that outlives a restart."""
        return {
            "thingsboard": {
                "host": "127.0.0.1",
                "port": port,
                "remoteShell": False,
                "remoteConfiguration": True,
                "statistics": {"enable": True, "statsSendPeriodInSeconds": 60},
                "maxPayloadSizeBytes": 8196,
                "minPackSendDelayMS": 50,
                "minPackSizeToSend": 500,
                "checkConnectorsConfigurationInSeconds": 60,
                "handleDeviceRenaming": True,
                "security": {"type": "accessToken", "accessToken": TOKEN},
                "qos": 1,
                "reportStrategy": {"type": "ON_RECEIVED"},
            },
            "storage": {"type": "sqlite", "data_file_path": f"{self.folder}/data/"},
            "grpc": {"enabled": False},
            "connectors": [{"type": "socket", "name": "Socket", "configuration": "socket.json"}],
        }

    def start(self):
        program = pathlib.Path(sys.executable).parent / "thingsboard-gateway"
        environment = {**os.environ, "TB_GW_CONFIG_DIR": f"{self.folder}/conf/"}
        with open(self.folder / "output.log", "ab") as log:
            self.process = subprocess.Popen(
                [program], cwd=self.folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def stop(self):
        """As its service manager stops it."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(DEADLINE_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()


def empty_folder(name):
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
