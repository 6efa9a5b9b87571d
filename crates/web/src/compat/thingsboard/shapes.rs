//! The shapes of the API's bodies, for the OpenAPI document. Tests hold them against what is answered.

use crate::openapi::{Shape, shapes};

pub(super) const SHAPES: &[Shape] = shapes! {
    "Fault": "status" "whole", "message" "text", "errorCode" "whole", "timestamp" "whole";
    "Login": "username" "text", "password" "text";
    "Refresh": "refreshToken" "text";
    "Tokens": "token" "text", "refreshToken" "text", "scope" "text?";
    "Id": "entityType" "text", "id" "text";
    "User": "id" "Id", "createdTime" "whole", "tenantId" "Id", "customerId" "Id", "email" "text", "name" "text",
        "authority" "text", "firstName" "text?", "lastName" "text?", "phone" "text?", "version" "whole",
        "additionalInfo" "object";
    "Page": "data" "[object]", "totalPages" "whole", "totalElements" "whole", "hasNext" "truth";
    "DeviceBody": "id?" "Id", "name" "text", "type?" "text", "deviceProfileId?" "Id", "label?" "text",
        "additionalInfo?" "object";
    "CredentialsBody": "deviceId?" "Id", "credentialsType?" "text", "credentialsId?" "text",
        "credentialsValue?" "text";
    "DeviceWithCredentials": "device" "DeviceBody", "credentials" "CredentialsBody";
    "Device": "id" "Id", "createdTime" "whole", "tenantId" "Id", "customerId" "Id", "ownerId" "Id", "name" "text",
        "type" "text", "label" "text?", "deviceProfileId" "Id", "deviceData" "object", "firmwareId" "Id?",
        "softwareId" "Id?", "externalId" "Id?", "version" "whole", "additionalInfo" "object";
    "DeviceInfo": "id" "Id", "createdTime" "whole", "tenantId" "Id", "customerId" "Id", "ownerId" "Id",
        "name" "text", "type" "text", "label" "text?", "deviceProfileId" "Id", "deviceData" "object",
        "firmwareId" "Id?", "softwareId" "Id?", "externalId" "Id?", "version" "whole", "additionalInfo" "object",
        "customerTitle" "text?", "customerIsPublic" "truth", "deviceProfileName" "text", "active" "truth";
    "Credentials": "id" "object", "createdTime" "whole", "deviceId" "Id", "credentialsType" "text",
        "credentialsId" "text", "credentialsValue" "text?", "version" "whole";
    "ProfileBody": "id?" "Id", "name" "text", "description?" "text", "provisionType?" "text",
        "provisionDeviceKey?" "text", "profileData?" "object";
    "Profile": "id" "Id", "createdTime" "whole", "tenantId" "Id", "name" "text", "description" "text?",
        "image" "text?", "default" "truth", "type" "text", "transportType" "text", "provisionType" "text",
        "defaultRuleChainId" "Id?", "defaultDashboardId" "Id?", "defaultQueueName" "text?",
        "provisionDeviceKey" "text?", "firmwareId" "Id?", "softwareId" "Id?", "defaultEdgeRuleChainId" "Id?",
        "externalId" "Id?", "version" "whole", "profileData" "object";
    "ProfileInfo": "id" "Id", "tenantId" "Id", "name" "text", "image" "text?", "defaultDashboardId" "Id?",
        "type" "text", "transportType" "text";
    "Relation": "from" "Id", "to" "Id", "type" "text", "typeGroup" "text", "version" "whole",
        "additionalInfo" "object?";
    "Customer": "id" "Id", "createdTime" "whole", "tenantId" "Id", "title" "text", "name" "text",
        "country" "text?", "state" "text?", "city" "text?", "address" "text?", "address2" "text?", "zip" "text?",
        "phone" "text?", "email" "text?", "externalId" "Id?", "version" "whole", "additionalInfo" "object";
    "Claim": "secretKey?" "text", "durationMs?" "whole";
    "Claimed": "device" "Device", "response" "text";
    "Attribute": "lastUpdateTs" "whole", "key" "text", "value" "any?";
    "Point": "ts" "whole", "value" "any?";
    "Command": "method" "text", "params?" "any", "timeout?" "whole", "expirationTime?" "whole",
        "persistent?" "truth", "additionalInfo?" "any";
    "Rpc": "id" "Id", "createdTime" "whole", "tenantId" "Id", "deviceId" "Id", "expirationTime" "whole",
        "request" "object", "response" "any?", "status" "text", "additionalInfo" "any?";
    "DeviceAttributes": "client?" "object", "shared?" "object";
    "DeviceCommand": "id" "whole", "method" "text", "params" "any?";
};
