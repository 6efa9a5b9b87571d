#!/usr/bin/env python3
"""Writes the devices of a ThingsBoard server with their credentials and attributes, a JSON object on each line.

    THINGSBOARD_PASSWORD=… thingsboard-export.py https://thingsboard.example.com tenant@example.com > devices.jsonl

It only reads, through the REST API, as a tenant administrator. Nothing but Python 3.8 is needed. The lines contain the
devices' secrets: keep the file as you keep those.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

PAGE = 100
SCOPES = ("SHARED_SCOPE", "SERVER_SCOPE")
# What the server keeps about connections by itself.
OF_THE_SERVER = {"active", "lastConnectTime", "lastDisconnectTime", "lastActivityTime", "inactivityAlarmTime"}


class Server:
    def __init__(self, url, user, password):
        self.url, self.user, self.password = url.rstrip("/"), user, password
        self.token = None
        self.log_in()

    def log_in(self):
        self.token = None
        self.token = self.ask("/api/auth/login", {"username": self.user, "password": self.password})["token"]

    def ask(self, path, body=None, again=True):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            # A token lasts for some hours, an export may take longer.
            if refusal.code == 401 and self.token and again:
                self.log_in()
                return self.ask(path, body, again=False)
            sys.exit(f"{path}: {refusal.code} {refusal.read().decode(errors='replace')}")

    def devices(self):
        page, more = 0, True
        while more:
            query = urllib.parse.urlencode({"pageSize": PAGE, "page": page, "sortProperty": "createdTime", "sortOrder": "ASC"})
            found = self.ask(f"/api/tenant/devices?{query}")
            yield from found["data"]
            page, more = page + 1, found["hasNext"]

    def attributes(self, device, scope):
        found = self.ask(f"/api/plugins/telemetry/DEVICE/{device}/values/attributes/{scope}")
        return {it["key"]: it["value"] for it in found if it["key"] not in OF_THE_SERVER}


def main():
    if len(sys.argv) != 3 or "THINGSBOARD_PASSWORD" not in os.environ:
        sys.exit(__doc__)
    server = Server(sys.argv[1], sys.argv[2], os.environ["THINGSBOARD_PASSWORD"])
    count = 0
    for device in server.devices():
        number = device["id"]["id"]
        line = {
            "device": device,
            "credentials": server.ask(f"/api/device/{number}/credentials"),
            "attributes": {scope: server.attributes(number, scope) for scope in SCOPES},
        }
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        count += 1
        if count % PAGE == 0:
            print(f"{count} devices", file=sys.stderr)
    print(f"{count} devices", file=sys.stderr)


main()
