"""The OpenAPI document, fetched from the server and read by somebody else's validator."""

import http.client
import json
import unittest

from openapi_spec_validator import OpenAPIV30SpecValidator

HOST, PORT = "127.0.0.1", 8080


class OpenApi(unittest.TestCase):
    def test_openapi(self):
        connection = http.client.HTTPConnection(HOST, PORT)
        self.addCleanup(connection.close)
        connection.request("GET", "/openapi.json")
        response = connection.getresponse()
        self.assertEqual((response.status, response.getheader("content-type")), (200, "application/json"))
        document = json.loads(response.read())
        faults = [str(it) for it in OpenAPIV30SpecValidator(document).iter_errors()]
        self.assertEqual(faults, [])
        for path in ("/v1/orgs", "/api/v0002/device/types", "/api/plugins/telemetry/{entityType}/{entityId}/{scope}"):
            self.assertIn(path, document["paths"])
