"""The C sample of OneNET's maker, unmodified, against a server on this machine.

    sample.py SDK BINARY SCRATCH

SDK is a clone of github.com/cm-heclouds/MQTT, BINARY is Tidegate, SCRATCH a folder for what comes of it. The sample is
built with the C compiler and does what its own commands do: it connects two devices, uploads every type of data points
at every quality, subscribes and publishes, is told points one by one, and answers commands that an application gives
over HTTP. `cargo xtask onenet` calls this. Nothing here sleeps: it waits for words, and fails when they have not come.
"""

import http.client
import json
import os
import pathlib
import pty
import select
import shutil
import socket
import subprocess
import sys
import time

DEADLINE_SECONDS = 20
ORG, PRODUCT, MASTER_KEY = "abc123", 433223, "MASTERKEY0123456789abcdefgh="
SETTINGS = """[listen]
mqtt = "off"
mqtts = "off"
http = "127.0.0.1:0"
https = "off"
onenet = "127.0.0.1:0"
"""


class Server:
    """Tidegate on empty data, with a product of two devices."""

    def __init__(self, binary, folder):
        self.data = folder / "data"
        shutil.rmtree(self.data, ignore_errors=True)
        (folder / "tidegate.toml").write_text(SETTINGS)
        command = [binary, "serve", "--data", self.data, "--config", folder / "tidegate.toml"]
        with open(folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.ports = {}
        for line in self.process.stdout:
            words = line.split()
            if words[:1] in (["HTTP"], ["OneNET"]):
                self.ports[words[0]] = int(words[-1].rsplit(":", 1)[1])
            if "OneNET" in self.ports:
                break
        self.ask("POST", "/v1/orgs", {"id": ORG})
        self.of_org("POST", "/types", {"name": "meter"})
        product = {"number": PRODUCT, "master_key": MASTER_KEY}
        self.of_org("PUT", "/types/meter/product", product)
        for name, number, auth_info in [("a", 9277, '{"SYS":"F8E2ABB4278D47188CF6C1B3741D0DA1"}'), ("b", 9278, "b")]:
            self.of_org("POST", "/devices", {"type": "meter", "name": name})
            self.of_org("PUT", f"/devices/meter/{name}/number", {"number": number, "auth_info": auth_info})

    def ask(self, method, path, body=None):
        """Asks the native API, over the socket in the data folder."""
        api = http.client.HTTPConnection("localhost")
        api.sock = socket.socket(socket.AF_UNIX)
        api.sock.connect(str(self.data / "admin.sock"))
        api.request(method, path, None if body is None else json.dumps(body))
        response = api.getresponse()
        text = response.read()
        assert response.status < 300, f"{method} {path}: {response.status} {text}"
        return json.loads(text) if text else None

    def of_org(self, method, path, body=None):
        return self.ask(method, f"/v1/orgs/{ORG}{path}", body)

    def values(self, name, key):
        """All that was stored of a stream, oldest first."""
        return [it["value"] for it in self.of_org("GET", f"/devices/meter/{name}/points?key={key}&limit=1000")["points"]]

    def onenet(self, method, path, body=None):
        """Asks OneNET's own API, with the master key."""
        api = http.client.HTTPConnection("127.0.0.1", self.ports["HTTP"])
        api.request(method, path, body, {"api-key": MASTER_KEY})
        text = api.getresponse().read()
        api.close()
        return text

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE_SECONDS) == 0, "the server does not stop"


class Sample:
    """The sample as one device, at a terminal of its own."""

    def __init__(self, program, port, device, auth_info=None):
        self.terminal, theirs = pty.openpty()
        command = [program, "-i", "127.0.0.1", "-p", str(port), "-j", str(PRODUCT), "-d", device]
        command += ["-a", auth_info] if auth_info else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.text = ""
        self.hears("Print the usage of the commands.")

    def hears(self, words):
        """Waits until it has printed these words, and forgets what it printed before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while words not in self.text:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.terminal], [], [], left)[0], f"no {words!r}: {self.text[-2000:]}"
            self.text += os.read(self.terminal, 65536).decode(errors="replace")
        self.text = self.text.split(words, 1)[1]

    def says(self, line, *heard):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        for words in heard:
            self.hears(words)

    def stop(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


def build(sdk, scratch):
    """The sample and its library in one program."""
    source = next(it for it in [sdk / "mqtt_sdk", sdk] if (it / "src/mqtt.c").is_file())
    program = scratch / "sample"
    files = [source / "sample/c/sample.c", *sorted((source / "src").glob("*.c"))]
    # As its own build: `inline` in it has the meaning that it had before C99.
    subprocess.run(["cc", "-w", "-fgnu89-inline", "-I", source, "-o", program, *files, "-lm"], check=True)
    return program


def uploads(sample):
    """Every type at every quality."""
    answers = {0: ["send over"], 1: ["Recv the publish ack"], 2: ["Recv the publish rec", "Recv the publish comp"]}
    for quality, heard in answers.items():
        for kind in range(1, 8):
            sample.says(f"publish -q{quality} -t{kind}", *heard)
    # What is sent without an acknowledgement has come when the server has answered something behind it.
    sample.says("ping", "Recv the ping response")


def check_uploads(server):
    # Types 1 and 3 to 6 have a stream of this name: numbers, but for the separator strings of types 5 and 6.
    temperatures = server.values("b", "temperature")
    assert {36.5, 22.5, "22.5"} <= set(temperatures), temperatures
    assert set(server.values("b", "pm2.5")) == {"89"}
    assert set(server.values("b", "0")) == {34.0}, "type 7, which the sample begins at stream 0"
    # One of each quality; at the same second they are the same point.
    stats = server.ask("GET", "/v1/stats")
    assert stats["forgiven"]["stream_zero"] == 3, stats["forgiven"]


def topics(one, other):
    one.says("subscribe news two/three /9278/1", "return code count is 3", "code0=01", "code1=01", "code2=01")
    other.says("push_dp news hello 5", "Recv the publish ack")
    one.hears("topic: news")
    # Type 7 has the streams 0 and 1: the second is one that it is subscribed to.
    other.says("publish -q1 -t7", "Recv the publish ack")
    one.hears("topic: /9278/1")
    one.says("unsubscribe news", "Recv the unsubscribe ack")


def commands(server, sample):
    """The sample has an answer ready when it is told something, and sends it with whatever it does next."""
    asked = json.loads(server.onenet("POST", "/cmds?device_id=9277", b"LED ON"))
    assert asked["errno"] == 0, asked
    command = asked["data"]["cmd_uuid"]
    sample.hears(command)
    sample.hears("send the cmd resp")
    sample.says("help", "Recv the publish ack")
    status = json.loads(server.onenet("GET", f"/cmds/{command}"))
    assert status["data"]["status"] == 4, status
    assert server.onenet("GET", f"/cmds/{command}/resp") == b"hello MQTT\0"


def main(sdk, binary, scratch):
    scratch.mkdir(parents=True, exist_ok=True)
    program = build(sdk, scratch)
    server = Server(binary, scratch)
    samples = []
    try:
        port = server.ports["OneNET"]
        samples = [Sample(program, port, "9277"), Sample(program, port, "9278", "b")]
        for sample in samples:
            sample.says("connect", "code(0)")
        uploads(samples[1])
        check_uploads(server)
        topics(*samples)
        commands(server, samples[0])
        samples[0].says("disconnect")
        assert server.of_org("GET", "/refusals")["refusals"] == [], "something was refused"
    finally:
        for sample in samples:
            sample.stop()
        server.stop()
    print("the sample has uploaded, published, been told, and answered")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(*(pathlib.Path(it).resolve() for it in sys.argv[1:4]))
