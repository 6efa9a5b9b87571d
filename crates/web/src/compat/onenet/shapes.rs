//! The shapes of the API's bodies, for the OpenAPI document. Tests hold them against what is answered.
//!
//! What went wrong is answered with the same status as what went well, so that data may be missing in every answer.

use crate::openapi::{Shape, shapes};

pub(super) const SHAPES: &[Shape] = shapes! {
    "Fault": "errno" "whole", "error" "text";
    "Done": "errno" "whole", "error" "text";
    "NewDevice": "title" "text", "desc?" "text", "tags?" "[text]", "location?" "Location", "private?" "truth",
        "auth_info?" "any", "protocol?" "text", "other?" "any", "interval?" "number";
    "DeviceChange": "title?" "text", "desc?" "text", "tags?" "[text]", "location?" "Location", "private?" "truth",
        "auth_info?" "any", "protocol?" "text", "other?" "any", "interval?" "number";
    "Location": "lon" "number", "lat" "number", "ele?" "number";
    "DeviceMade": "errno" "whole", "data?" "DeviceId", "error" "text";
    "DeviceId": "device_id" "text";
    "DeviceShown": "errno" "whole", "data?" "Device", "error" "text";
    "Device": "protocol" "text", "create_time" "text", "online" "truth", "id" "text", "auth_info?" "text",
        "title" "text", "desc?" "text", "tags?" "[text]", "location?" "Location", "other?" "any",
        "interval?" "number", "private" "truth", "keys" "[KeyName]", "datastreams?" "[StreamName]";
    "KeyName": "title" "text", "key" "text";
    "StreamName": "id" "text", "create_time?" "text", "unit?" "text", "unit_symbol?" "text";
    "Devices": "errno" "whole", "data?" "DevicePage", "error" "text";
    "DevicePage": "per_page" "whole", "devices" "[Device]", "total_count" "whole", "page" "whole";
    "Statuses": "errno" "whole", "data?" "StatusList", "error" "text";
    "StatusList": "total_count" "whole", "devices" "[Status]";
    "Status": "title" "text", "online" "truth", "id" "text";
    "Registering": "sn?" "text", "mac?" "text", "title?" "text";
    "Registered": "errno" "whole", "data?" "Registration", "error" "text";
    "Registration": "device_id" "text", "key" "text";
    "NewStream": "id" "text", "tags?" "[text]", "unit?" "text", "unit_symbol?" "text";
    "StreamChange": "tags?" "[text]", "unit?" "text", "unit_symbol?" "text";
    "StreamMade": "errno" "whole", "data?" "StreamId", "error" "text";
    "StreamId": "ds_uuid" "text";
    "StreamShown": "errno" "whole", "data?" "Stream", "error" "text";
    "Streams": "errno" "whole", "data?" "[Stream]", "error" "text";
    "Stream": "update_at?" "text", "id" "text", "create_time?" "text", "current_value?" "any", "unit?" "text",
        "unit_symbol?" "text", "tags?" "[text]";
    "Points": "errno" "whole", "data?" "PointList", "error" "text";
    "PointList": "cursor?" "text", "count" "whole", "datastreams" "[PointsOfStream]";
    "PointsOfStream": "datapoints" "[Point]", "id" "text";
    "Point": "at" "text", "value" "any";
    "NewestPoints": "errno" "whole", "data?" "NewestOfDevices", "error" "text";
    "NewestOfDevices": "devices" "[NewestOfDevice]";
    "NewestOfDevice": "title" "text", "id" "text", "datastreams" "[NewestPoint]";
    "NewestPoint": "at" "text", "id" "text", "value" "any";
    "KeyBody": "title?" "text", "permissions?" "[Permission]";
    "Permission": "resources" "[Resource]", "access_methods" "[text]";
    "Resource": "dev_id" "text", "ds_id?" "text";
    "KeyMade": "errno" "whole", "data?" "NewKey", "error" "text";
    "NewKey": "key" "text";
    "Keys": "errno" "whole", "data?" "KeyPage", "error" "text";
    "KeyPage": "per_page" "whole", "total_count" "whole", "keys" "[Key]", "page" "whole";
    "Key": "title" "text", "create_time" "text", "key" "text", "permissions" "[Permission]";
    "CommandGiven": "errno" "whole", "data?" "CommandId", "error" "text";
    "CommandId": "cmd_uuid" "text";
    "CommandShown": "errno" "whole", "data?" "CommandStatus", "error" "text";
    "CommandStatus": "status" "whole", "desc" "text";
    "Commands": "errno" "whole", "data?" "CommandPage", "error" "text";
    "CommandPage": "per_page" "whole", "page" "whole", "total_count" "whole", "count" "whole", "items" "[Command]";
    "Command": "cmd_uuid" "text", "device_id" "text", "dev_id" "text", "expire_time" "text", "status" "whole",
        "send_time?" "text", "confirm_time?" "text", "confirm_body?" "text", "body" "text";
    "FileKept": "errno" "whole", "data?" "FileIndex", "error" "text";
    "FileIndex": "index" "text";
    "TopicBody": "name" "text";
    "Topics": "errno" "whole", "data?" "[text]", "error" "text";
    "DevicesOfTopic": "errno" "whole", "data?" "DeviceNumberPage", "error" "text";
    "DeviceNumberPage": "per_page" "whole", "devices" "[whole]", "total_count" "whole", "page" "whole";
};
