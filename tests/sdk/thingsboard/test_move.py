"""The move from a ThingsBoard server: the script that exports devices over REST, and the import of what it wrote.

The server that is read here is Tidegate itself, through the same API; another Tidegate takes the devices over.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from tb_rest_client.models import Device
from tb_rest_client.rest_client import RestClient

import house
from house import HOST

SCRIPT = pathlib.Path(__file__).parents[3] / "docs/migrate/thingsboard-export.py"
KEY, TOKEN = os.environ["TIDEGATE_API_KEY"], os.environ["TIDEGATE_API_TOKEN"]
# Every device of the other tests is exported with these.
SECONDS_MAX = 60


class Move(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(os.environ["TIDEGATE_SCRATCH"]) / "move"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def tidegate(self, *words):
        command = [os.environ["TIDEGATE_BINARY"], "--data", self.folder / "data", "--json", *words]
        told = subprocess.run(command, capture_output=True, cwd=self.folder, timeout=SECONDS_MAX, check=True)
        return json.loads(told.stdout)

    def test_devices_and_attributes(self):
        house.register("moved gateway", "moved-gateway-token", is_gateway=True)
        rest = RestClient(base_url=f"http://{HOST}:8080")
        rest.login(KEY, TOKEN)
        device = rest.save_device(Device(name="moved pump", type="moved", label="in the hall"), access_token="moved-token")
        rest.save_device_attributes(device.id, "SHARED_SCOPE", {"rate": 5})
        rest.save_entity_attributes_v1(device.id, "SERVER_SCOPE", {"room": "hall"})

        command = [sys.executable, SCRIPT, f"http://{HOST}:8080", KEY]
        environment = {**os.environ, "THINGSBOARD_PASSWORD": TOKEN}
        told = subprocess.run(command, capture_output=True, env=environment, timeout=SECONDS_MAX, check=True)
        lines = {line["device"]["name"]: told for told in told.stdout.splitlines() for line in [json.loads(told)]}
        self.assertEqual(json.loads(lines["moved pump"])["credentials"]["credentialsId"], "moved-token")

        file = self.folder / "devices.jsonl"
        file.write_bytes(lines["moved pump"] + b"\n" + lines["moved gateway"] + b"\n")
        self.tidegate("org", "add", "new001")
        self.assertEqual(self.tidegate("import", "thingsboard", file), {"created": 2, "present": 0, "failed": []})
        self.assertEqual(self.tidegate("import", "thingsboard", file), {"created": 0, "present": 2, "failed": []})
        shown = {it["name"]: it for it in self.tidegate("device", "list")["devices"]}
        self.assertEqual(shown["moved gateway"]["class"], "gateway")
        self.assertEqual(shown["moved pump"]["info"]["description"], "in the hall")
        attributes = self.tidegate("device", "attributes", "moved/moved pump")
        self.assertEqual((attributes["shared"]["rate"]["value"], attributes["server"]["room"]["value"]), (5, "hall"))


if __name__ == "__main__":
    unittest.main()
