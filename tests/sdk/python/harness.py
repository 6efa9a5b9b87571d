"""What all tests of the Python SDKs share: where the server is, and how to wait for what it sends.

Nothing here sleeps. A test waits for the thing itself, an acknowledgement or a message, and fails when it has not come
after `DEADLINE_SECONDS`.
"""

import logging
import os
import threading
import time

ORG = os.environ["TIDEGATE_ORG"]
DOMAIN = os.environ["TIDEGATE_DOMAIN"]
API_KEY = os.environ["TIDEGATE_API_KEY"]
API_TOKEN = os.environ["TIDEGATE_API_TOKEN"]
CA_FILE = os.environ["TIDEGATE_CA"]

DEADLINE_SECONDS = 10

GATEWAY_TYPE = "mygateway"
DEVICE_TYPE = "mydevice"

# With a handler of our own the SDKs neither print nor write a log file.
QUIET = [logging.NullHandler()]


class Inbox:
    """Everything a callback was given, in order. `put` is the callback."""

    def __init__(self, name):
        self._name = name
        self._arrived = threading.Condition()
        self._items = []

    def put(self, *item):
        with self._arrived:
            self._items.append(item[0] if len(item) == 1 else item)
            self._arrived.notify_all()

    def all(self):
        with self._arrived:
            return list(self._items)

    def wait(self, wanted=lambda item: True, count=1):
        """The first `count` items that are wanted (the item itself when it is one)."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._arrived:
            while True:
                found = [item for item in self._items if wanted(item)][:count]
                if len(found) == count:
                    return found[0] if count == 1 else found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"{self._name}: {len(found)} of {count} after {DEADLINE_SECONDS} s; "
                        f"all that came: {[describe(item) for item in self._items]}"
                    )
                self._arrived.wait(left)


def describe(item):
    return getattr(item, "__dict__", item)


class LogInbox(logging.Handler):
    """The SDK's log lines, for what it tells nobody but its log."""

    def __init__(self):
        super().__init__()
        self.lines = Inbox("log")

    def emit(self, record):
        self.lines.put(record.getMessage())


def connected(client):
    """Connects and returns the client. Its `subscribe…` calls can then be given to `subscribed`."""
    acknowledged = Inbox("SUBACK")
    client.subscriptionCallback = lambda mid, granted: acknowledged.put((mid, granted))
    client.suback = acknowledged
    client.connect()
    return client


def subscribed(client, mid):
    """Waits for the SUBACK of a `subscribe…` call and returns what was granted."""
    assert mid, "the SDK could not send its SUBSCRIBE"
    return client.suback.wait(lambda it: it[0] == mid)[1]


def acknowledged(publish):
    """Calls `publish(callback)` and waits until the SDK calls back, which at QoS 1 and 2 is the acknowledgement."""
    done = threading.Event()
    assert publish(done.set), "the SDK could not send its PUBLISH"
    assert done.wait(DEADLINE_SECONDS), "no acknowledgement"
