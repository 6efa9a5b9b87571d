"""The plant that the tests run: device types, registered gateways and devices, and clients for each of them."""

import wiotp.sdk.application
import wiotp.sdk.device
import wiotp.sdk.gateway

import harness
from harness import API_KEY, API_TOKEN, CA_FILE, DEVICE_TYPE, DOMAIN, GATEWAY_TYPE, ORG, QUIET


def options(port, **mqtt):
    """SDK options for a port: 8883 and 443 mean TLS, and the server's own CA is the one to trust."""
    if port in (8883, 443):
        mqtt["caFile"] = CA_FILE
    return {"domain": DOMAIN, "logLevel": "INFO", "mqtt": {"port": port, **mqtt}}


def application(port, app_id, **mqtt):
    config = {
        "identity": {"appId": app_id},
        "auth": {"key": API_KEY, "token": API_TOKEN},
        "options": {**options(port, **mqtt), "http": {"verify": CA_FILE}},
    }
    return wiotp.sdk.application.ApplicationClient(config, logHandlers=QUIET)


def device(port, device_id, token, logs=QUIET, **mqtt):
    identity = {"orgId": ORG, "typeId": DEVICE_TYPE, "deviceId": device_id}
    config = {"identity": identity, "auth": {"token": token}, "options": options(port, **mqtt)}
    return wiotp.sdk.device.DeviceClient(config, logHandlers=logs)


def gateway(port, gateway_id, token, logs=QUIET, **mqtt):
    identity = {"orgId": ORG, "typeId": GATEWAY_TYPE, "deviceId": gateway_id}
    config = {"identity": identity, "auth": {"token": token}, "options": options(port, **mqtt)}
    return wiotp.sdk.gateway.GatewayClient(config, logHandlers=logs)


def registry():
    """The registry API of an application that never connects over MQTT."""
    return application(8883, "registrar").registry


def ensure_types():
    types = registry().devicetypes
    for type_id, class_id in ((GATEWAY_TYPE, "Gateway"), (DEVICE_TYPE, "Device")):
        if type_id not in types:
            types.create({"id": type_id, "classId": class_id})


def register(type_id, device_id):
    """Registers through the REST API, as an operator would, and returns the generated token."""
    answer = registry().devices.create({"typeId": type_id, "deviceId": device_id})
    assert answer.success, f"{type_id}/{device_id} was not registered: {dict(answer)}"
    return answer.authToken


def listening(app, **filters):
    """Subscribes a connected application to device events and returns the inbox that they come to."""
    inbox = harness.Inbox("device events")
    app.deviceEventCallback = inbox.put
    harness.subscribed(app, app.subscribeToDeviceEvents(**filters))
    return inbox
