//! The shapes of the service's bodies, for the OpenAPI document. Tests hold them against what is answered.

use crate::openapi::{Shape, shapes};

pub(super) const SHAPES: &[Shape] = shapes! {
    "Fault": "message" "text", "exception" "Exception", "violations?" "[Violation]";
    "Exception": "id" "text", "properties" "[text]";
    "Violation": "message" "text", "exception" "Exception";
    "Organisation": "id" "text", "name" "text", "enabled" "truth", "type" "text", "created" "text",
        "updated" "text", "config" "object";
    "TypePage": "bookmark?" "text", "meta" "object", "results" "[Type]";
    "Type": "id" "text", "description" "text?", "classId" "text", "deviceInfo" "Info", "metadata" "any?",
        "createdDateTime" "text", "updatedDateTime" "text", "refs" "object";
    "NewType": "id" "text", "classId?" "text", "description?" "text?", "deviceInfo?" "Info", "metadata?" "object?";
    "TypeChange": "description?" "text?", "deviceInfo?" "Info", "metadata?" "object?";
    "Info": "serialNumber?" "text?", "manufacturer?" "text?", "model?" "text?", "deviceClass?" "text?",
        "description?" "text?", "fwVersion?" "text?", "hwVersion?" "text?", "descriptiveLocation?" "text?";
    "DevicePage": "bookmark?" "text", "meta" "object", "results" "[Device]";
    "Device": "clientId" "text", "id" "text", "typeId" "text", "deviceId" "text", "classId" "text",
        "deviceInfo" "Info", "metadata" "any?", "registration" "object", "status" "object",
        "gatewayTypeId?" "text", "gatewayId?" "text", "refs" "object", "authToken?" "text";
    "NewDevice": "deviceId" "text", "authToken?" "text", "deviceInfo?" "Info", "location?" "NewLocation",
        "metadata?" "object", "gatewayTypeId?" "text", "gatewayId?" "text";
    "BulkDevice": "typeId" "text", "deviceId" "text", "authToken?" "text", "deviceInfo?" "Info",
        "location?" "NewLocation", "metadata?" "object", "gatewayTypeId?" "text", "gatewayId?" "text";
    "BulkName": "typeId" "text", "deviceId" "text";
    "BulkResult": "typeId" "text", "deviceId" "text", "success" "truth", "authToken?" "text", "message?" "text",
        "exception?" "Exception";
    "DeviceChange": "deviceInfo?" "Info", "metadata?" "object";
    "Location": "latitude" "number", "longitude" "number", "elevation?" "number", "accuracy?" "number",
        "measuredDateTime" "text", "updatedDateTime" "text";
    "NewLocation": "latitude" "number", "longitude" "number", "elevation?" "number", "accuracy?" "number",
        "measuredDateTime?" "text";
    "Event": "typeId" "text", "deviceId" "text", "eventId" "text", "format" "text", "payload" "text",
        "timestamp" "text";
};
