"""That nothing of `tb-mqtt-client` is left out: every public call of its classes stands in a test of this folder."""

import inspect
import pathlib
import re
import unittest

from tb_device_mqtt import TBDeviceMqttClient
from tb_gateway_mqtt import TBGatewayMqttClient


class AllCalls(unittest.TestCase):
    def test_every_public_call_is_tested(self):
        own = pathlib.Path(__file__)
        tests = "".join(it.read_text() for it in own.parent.glob("*.py") if it != own)
        for sdk in (TBDeviceMqttClient, TBGatewayMqttClient):
            public = [name for name, _ in inspect.getmembers(sdk, callable) if not name.startswith("_")]
            self.assertGreater(len(public), 20)
            missing = [name for name in public if not re.search(rf"\.{name}\b", tests)]
            self.assertEqual(missing, [], sdk.__name__)


if __name__ == "__main__":
    unittest.main()
