"""`tb-mqtt-client` 1.13 as a device without a login: it asks for one and connects with it."""

import unittest

from tb_device_mqtt import TBDeviceMqttClient

import house
from house import HOST, PORT, connected, newest, sent

KEY, SECRET = "sdk-key", "sdk-secret"


def provision(**asked):
    return TBDeviceMqttClient.provision(HOST, asked.pop("key", KEY), asked.pop("secret", SECRET), PORT, **asked)


class Provision(unittest.TestCase):
    def setUp(self):
        house.allow_provisioning("provisioned", "new", KEY, SECRET)

    def measure(self, name, credentials):
        client = connected(TBDeviceMqttClient(HOST, PORT, **credentials), "5")
        self.addCleanup(client.stop)
        self.addCleanup(client.disconnect)
        sent(client.send_telemetry({"a": 1}))
        self.assertEqual(newest(name, "a", "provisioned"), 1)

    def test_a_token_of_the_servers_choice(self):
        found = provision(device_name="provisioned 1")
        self.assertEqual((found["status"], found["credentialsType"]), ("SUCCESS", "ACCESS_TOKEN"))
        self.measure("provisioned 1", {"username": found["credentialsValue"]})

    def test_a_token_of_its_own(self):
        self.assertEqual(provision(device_name="provisioned 2", access_token="own-token")["credentialsValue"], "own-token")
        self.measure("provisioned 2", {"username": "own-token"})

    def test_basic(self):
        found = provision(device_name="provisioned 3", client_id="c3", username="u3", password="p3")
        self.assertEqual(found["credentialsType"], "MQTT_BASIC")
        self.assertEqual(found["credentialsValue"], {"clientId": "c3", "userName": "u3", "password": "p3"})
        self.measure("provisioned 3", {"username": "u3", "password": "p3", "client_id": "c3"})

    def test_refused(self):
        self.assertIsNone(provision(device_name="provisioned 4", secret="wrong"))
        self.assertIsNone(provision(device_name="provisioned 4", hash="certificate"))
        self.assertIsNotNone(provision(device_name="provisioned 4"))
        self.assertIsNone(provision(device_name="provisioned 4"))


if __name__ == "__main__":
    unittest.main()
