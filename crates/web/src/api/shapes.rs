//! The shapes of the native API's bodies, for the OpenAPI document. Tests hold them against what is answered.

use crate::openapi::{Shape, shapes};

pub(super) const SHAPES: &[Shape] = shapes! {
    "Fault": "error" "Error";
    "Error": "code" "text", "hint" "text";
    "Orgs": "orgs" "[Org]";
    "Org": "id" "text", "name" "text", "created" "text", "enabled" "truth", "device_count_max" "whole",
        "device_per_gateway_count_max" "whole";
    "NewOrg": "id?" "text", "name?" "text";
    "OrgChange": "name?" "text", "enabled?" "truth", "device_count_max?" "whole",
        "device_per_gateway_count_max?" "whole";
    "Types": "types" "[Type]";
    "Type": "name" "text", "class" "text", "description" "text?", "info" "Info", "metadata" "any?",
        "provisioning?" "Provisioning",
        "product?" "Product", "created" "text", "updated" "text";
    "NewType": "name" "text", "class?" "text", "description?" "text", "info?" "Info", "metadata?" "any";
    "TypeChange": "description?" "text", "info?" "Info", "metadata?" "any", "provisioning?" "ProvisioningChange";
    "Provisioning": "devices" "text", "key" "text", "secret" "text";
    "ProvisioningChange": "devices" "text", "key?" "text", "secret?" "text";
    "Product": "number" "whole", "master_key" "text", "register_code" "text";
    "NewProduct": "number?" "whole", "master_key?" "text", "register_code?" "text";
    "NewNumber": "number?" "whole", "auth_info?" "text";
    "Info": "serial_number?" "text?", "manufacturer?" "text?", "model?" "text?", "device_class?" "text?",
        "description?" "text?", "firmware_version?" "text?", "hardware_version?" "text?",
        "descriptive_location?" "text?";
    "Devices": "devices" "[Device]", "next" "text?";
    "Name": "type" "text", "name" "text";
    "Device": "type" "text", "name" "text", "id" "text", "class" "text", "number?" "whole",
        "auth_info?" "text", "enabled" "truth", "info" "Info",
        "metadata" "any?", "location" "Location?", "registered" "text", "registrar" "Registrar", "gateway" "Name?",
        "rights" "Rights", "token?" "text";
    "Location": "latitude" "number", "longitude" "number", "elevation" "number?", "accuracy" "number?",
        "measured" "text", "updated" "text";
    "NewLocation": "latitude" "number", "longitude" "number", "elevation?" "number", "accuracy?" "number",
        "measured?" "text";
    "Registrar": "kind" "text", "id" "text?";
    "Rights": "publish" "[text]", "subscribe" "[text]";
    "RightsChange": "publish?" "[text]", "subscribe?" "[text]";
    "NewDevice": "type" "text", "name" "text", "class?" "text", "token?" "text", "access_token?" "text", "certificate?" "text",
        "info?" "Info", "metadata?" "any", "location?" "NewLocation", "gateway?" "Name";
    "DeviceChange": "enabled?" "truth", "class?" "text", "token?" "text", "info?" "Info", "metadata?" "any",
        "location?" "NewLocation", "rights?" "RightsChange";
    "Events": "events" "[Event]";
    "Event": "name" "text", "format" "text", "at" "text", "payload" "Payload";
    "Payload": "json?" "any?", "text?" "text", "base64?" "text";
    "Points": "points?" "[Point]", "latest?" "[Latest]";
    "Point": "at" "text", "at_ms" "whole", "value" "any?";
    "Latest": "key" "text", "at" "text", "at_ms" "whole", "value" "any?";
    "Attribute": "value" "any?", "at" "text";
    "NewCommand": "method?" "text", "params?" "any", "payload?" "text", "reply?" "truth", "timeout_ms?" "whole", "stored?" "truth";
    "Outcome": "outcome" "text", "answer" "any?";
    "CommandId": "id" "text";
    "Command": "id" "text", "method" "text", "state" "text", "answer" "any?";
    "Keys": "keys" "[Key]";
    "Key": "key" "text", "comment" "text", "created" "text", "rights" "Rights", "token?" "text";
    "NewKey": "key?" "text", "token?" "text", "comment?" "text", "rights?" "RightsChange";
    "KeyChange": "comment?" "text", "rights?" "RightsChange";
    "Packages": "packages" "[Package]";
    "Package": "id" "text", "kind" "text", "title" "text", "version" "text", "tag" "text", "size_bytes" "whole",
        "sha256" "text", "types" "[text]", "created" "text";
    "PackageTarget": "type" "text", "name?" "text";
    "Refusals": "refusals" "[object]";
};
