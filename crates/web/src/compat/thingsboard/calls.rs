//! The API's calls: routes, and what the OpenAPI document says of them.

use super::{ThingsBoard, attributes, claims, customers, device_api, devices, history, login};
use super::{packages, profiles, relations, rpc};
use crate::openapi::{Call, delete, get, post};

/// A list by page.
const PAGE: &[(&str, &str)] = &[
    ("pageSize*", "whole"),
    ("page*", "whole"),
    ("textSearch", "text"),
    ("sortProperty", "text"),
    ("sortOrder", "text"),
];

/// Keys with commas between.
const KEYS: &[(&str, &str)] = &[("keys", "text")];

/// All of them.
pub(super) fn calls() -> Vec<Call<ThingsBoard>> {
    let parts = [
        logins(),
        devices_and_profiles(),
        customers_and_relations(),
        telemetry(),
        attributes_of_devices(),
        commands(),
        device_api(),
    ];
    parts.into_iter().flatten().collect()
}

fn logins() -> Vec<Call<ThingsBoard>> {
    vec![
        post("/api/auth/login", login::login, "Log in: an API key as user, its token as password")
            .takes("Login")
            .answers("Tokens")
            .open(),
        post("/api/auth/token", login::refresh, "New tokens for an old one")
            .takes("Refresh")
            .answers("Tokens")
            .open(),
        post("/api/auth/logout", login::logout, "Log out").done_with(200),
        get("/api/auth/user", login::user, "Who one is").answers("User"),
    ]
}

fn devices_and_profiles() -> Vec<Call<ThingsBoard>> {
    const NAME: &[(&str, &str)] = &[("deviceName*", "text")];
    vec![
        post("/api/device", devices::save, "Create a device, or change one")
            .query(&[("accessToken", "text")])
            .takes("DeviceBody")
            .answers("Device"),
        post(
            "/api/device-with-credentials",
            devices::save_with_credentials,
            "The same, with its credentials",
        )
        .takes("DeviceWithCredentials")
        .answers("Device"),
        get("/api/device/{device}", devices::show, "Show a device").answers("Device"),
        delete("/api/device/{device}", devices::remove, "Remove a device with its history").done_with(200),
        get("/api/device/info/{device}", devices::show_info, "Show a device and what lists show beside it")
            .answers("DeviceInfo"),
        get("/api/device/{device}/credentials", devices::credentials, "Show a device's credentials")
            .answers("Credentials"),
        post("/api/device/credentials", devices::save_credentials, "Change a device's credentials")
            .takes("CredentialsBody")
            .answers("Credentials"),
        get("/api/devices", devices::list_by_ids, "Show devices")
            .query(&[("deviceIds*", "text")])
            .answers("[Device]"),
        get("/api/tenant/device", devices::show_named, "Show a device by its name")
            .query(NAME)
            .answers("Device"),
        get("/api/tenant/devices", devices::list, "List devices by page; with a name, show that one")
            .query(&[("deviceName", "text"), ("type", "text")])
            .query(PAGE)
            .answers("any"),
        get("/api/tenant/deviceInfos", devices::list_infos, "List devices and what is shown beside them")
            .query(PAGE)
            .answers("Page"),
        get("/api/deviceProfileInfo/default", profiles::default_info, "The default profile")
            .answers("ProfileInfo"),
        get("/api/deviceProfileInfos", profiles::list_infos, "List profiles in short")
            .query(PAGE)
            .answers("Page"),
        get("/api/deviceProfiles", profiles::list, "List profiles").query(PAGE).answers("Page"),
        post("/api/deviceProfile", profiles::save, "Create a profile, or change one")
            .takes("ProfileBody")
            .answers("Profile"),
        get("/api/deviceProfile/{profile}", profiles::show, "Show a profile").answers("Profile"),
        delete("/api/deviceProfile/{profile}", profiles::remove, "Remove a profile").done_with(200),
    ]
}

fn customers_and_relations() -> Vec<Call<ThingsBoard>> {
    const FROM: &str = "/api/relations/from/{type}/{id}";
    const FROM_OF_TYPE: &str = "/api/relations/from/{type}/{id}/{relation}";
    const TO: &str = "/api/relations/to/{type}/{id}";
    const TO_OF_TYPE: &str = "/api/relations/to/{type}/{id}/{relation}";
    const CLAIM: &str = "/api/customer/device/{device}/claim";
    const ENDS: &[(&str, &str)] = &[
        ("fromId", "text"),
        ("fromType", "text"),
        ("toId", "text"),
        ("toType", "text"),
        ("relationType", "text"),
    ];
    vec![
        get("/api/relations", relations::list, "Which gateways made which devices")
            .query(ENDS)
            .answers("[Relation]"),
        get(FROM, relations::list_from, "The devices that a gateway made").answers("[Relation]"),
        get(FROM_OF_TYPE, relations::list_from_of_type, "The same of one type").answers("[Relation]"),
        get(TO, relations::list_to, "The gateway that made a device").answers("[Relation]"),
        get(TO_OF_TYPE, relations::list_to_of_type, "The same of one type").answers("[Relation]"),
        get("/api/customers", customers::list, "List customers").query(PAGE).answers("Page"),
        get("/api/customer/{customer}", customers::show, "Show a customer").answers("Customer"),
        get("/api/customer/{customer}/devices", customers::devices, "List a customer's devices")
            .query(PAGE)
            .answers("Page"),
        post("/api/customer/{customer}/device/{device}", customers::assign, "Assign a device to a customer")
            .answers("Device"),
        delete("/api/customer/device/{device}", customers::unassign, "Take a device from its customer")
            .answers("Device"),
        post(CLAIM, claims::claim, "Claim a device, by its name").takes("Claim").answers("Claimed"),
        delete(CLAIM, claims::unclaim, "Give a claimed device up").done_with(200),
    ]
}

fn telemetry() -> Vec<Call<ThingsBoard>> {
    const ENTITY: &[&str] = &["entityType", "entityId", "scope", "ttl"];
    const RANGE: &[(&str, &str)] = &[
        ("startTs", "whole"),
        ("endTs", "whole"),
        ("key", "text"),
        ("interval", "whole"),
        ("intervalType", "text"),
        ("timeZone", "text"),
        ("limit", "whole"),
        ("agg", "text"),
        ("orderBy", "text"),
        ("useStrictDataTypes", "truth"),
    ];
    const DELETION: &[(&str, &str)] = &[
        ("key", "text"),
        ("deleteAllDataForKeys", "truth"),
        ("startTs", "whole"),
        ("endTs", "whole"),
        ("deleteLatest", "truth"),
        ("rewriteLatestIfDeleted", "truth"),
    ];
    const OF_ENTITY: &str = "/api/plugins/telemetry/{a}/{b}/{c}";
    const ATTRIBUTES: &str = "/api/plugins/telemetry/{a}/{b}/attributes/{d}";
    const ATTRIBUTE_KEYS: &str = "/api/plugins/telemetry/{a}/{b}/keys/attributes";
    const KEYS_OF_SCOPE: &str = "/api/plugins/telemetry/{a}/{b}/keys/attributes/{e}";
    const ATTRIBUTE_VALUES: &str = "/api/plugins/telemetry/{a}/{b}/values/attributes";
    const VALUES_OF_SCOPE: &str = "/api/plugins/telemetry/{a}/{b}/values/attributes/{e}";
    const SERIES_KEYS: &str = "/api/plugins/telemetry/{a}/{b}/keys/timeseries";
    const SERIES: &str = "/api/plugins/telemetry/{a}/{b}/values/timeseries";
    const HISTORY: &str = "/api/plugins/telemetry/{a}/{b}/values/timeseries/history";
    const SERIES_DELETE: &str = "/api/plugins/telemetry/{a}/{b}/timeseries/delete";
    const SERIES_SAVE: &str = "/api/plugins/telemetry/{a}/{b}/timeseries/{d}";
    const SERIES_SAVE_TTL: &str = "/api/plugins/telemetry/{a}/{b}/timeseries/{d}/{e}";
    let calls = vec![
        post(OF_ENTITY, attributes::save_of_entity, "Write attributes: keys and values")
            .takes("object")
            .done_with(200),
        delete(OF_ENTITY, attributes::remove_of_entity, "Remove attributes").query(KEYS).done_with(200),
        post(ATTRIBUTES, attributes::save_of_entity, "Write attributes: keys and values")
            .takes("object")
            .done_with(200),
        get(ATTRIBUTE_KEYS, attributes::keys, "Keys of attributes").answers("[text]"),
        get(KEYS_OF_SCOPE, attributes::keys_of_scope, "Keys of attributes of a scope").answers("[text]"),
        get(ATTRIBUTE_VALUES, attributes::values, "Attributes").query(KEYS).answers("[Attribute]"),
        get(VALUES_OF_SCOPE, attributes::values_of_scope, "Attributes of a scope")
            .query(KEYS)
            .answers("[Attribute]"),
        get(SERIES_KEYS, history::keys, "Keys of time series").answers("[text]"),
        get(SERIES, history::values, "The newest points, or those of a range with startTs and endTs")
            .query(KEYS)
            .query(RANGE)
            .answers("{[Point]}"),
        get(HISTORY, history::range, "The points of a range").query(KEYS).query(RANGE).answers("{[Point]}"),
        delete(SERIES_DELETE, history::remove, "Delete points of keys: all, or those of a range")
            .query(KEYS)
            .query(DELETION)
            .done_with(200),
        post(SERIES_SAVE, history::save, "Bring telemetry of a device").takes("any").done_with(200),
        post(SERIES_SAVE_TTL, history::save_for_a_time, "The same; the time to live is not kept")
            .takes("any")
            .done_with(200),
    ];
    calls.into_iter().map(|it| it.named(ENTITY)).collect()
}

fn attributes_of_devices() -> Vec<Call<ThingsBoard>> {
    const OF_DEVICE: &str = "/api/plugins/telemetry/{a}/{b}";
    let calls = vec![
        post(OF_DEVICE, attributes::save, "Write attributes: keys and values").takes("object").done_with(200),
        delete(OF_DEVICE, attributes::remove, "Remove attributes").query(KEYS).done_with(200),
    ];
    calls.into_iter().map(|it| it.named(&["deviceId", "scope"])).collect()
}

fn commands() -> Vec<Call<ThingsBoard>> {
    const STORED: &str = "/api/rpc/persistent/{rpc}";
    const OF_DEVICE: &str = "/api/rpc/persistent/device/{device}";
    let to_devices = [
        post("/api/rpc/oneway/{device}", rpc::one_way, "Give a device a command without an answer"),
        post("/api/rpc/twoway/{device}", rpc::two_way, "Give a device a command and wait for its answer"),
        post("/api/plugins/rpc/oneway/{device}", rpc::old_one_way, "As oneway, under its old path"),
        post("/api/plugins/rpc/twoway/{device}", rpc::old_two_way, "As twoway, under its old path"),
    ];
    let mut calls: Vec<_> = to_devices.into_iter().map(|it| it.takes("Command").answers("any")).collect();
    calls.extend([
        get(STORED, rpc::show, "Show a persistent command").answers("Rpc"),
        delete(STORED, rpc::remove, "Remove a persistent command").done_with(200),
        get(OF_DEVICE, rpc::list, "List a device's persistent commands")
            .query(&[("rpcStatus", "text")])
            .query(PAGE)
            .answers("Page"),
    ]);
    calls
}

fn device_api() -> Vec<Call<ThingsBoard>> {
    const ATTRIBUTES: &str = "/api/v1/{token}/attributes";
    const UPDATES: &str = "/api/v1/{token}/attributes/updates";
    const RPC: &str = "/api/v1/{token}/rpc";
    const PACKAGE: &[(&str, &str)] =
        &[("title*", "text"), ("version*", "text"), ("size", "whole"), ("chunk", "whole")];
    const TIMEOUT: &[(&str, &str)] = &[("timeout", "whole")];
    let calls = vec![
        post("/api/v1/provision", device_api::provision, "A device's request for a login")
            .takes("object")
            .answers("object"),
        post("/api/v1/{token}/telemetry", device_api::telemetry, "A device's telemetry")
            .takes("any")
            .done_with(200),
        get(ATTRIBUTES, device_api::find_attributes, "A device's attributes")
            .query(&[("clientKeys", "text"), ("sharedKeys", "text")])
            .answers("DeviceAttributes"),
        post(ATTRIBUTES, device_api::save_attributes, "A device's client attributes")
            .takes("object")
            .done_with(200),
        get(UPDATES, device_api::next_attributes, "Wait for a change of shared attributes")
            .query(TIMEOUT)
            .answers("object"),
        get(
            "/api/v1/{token}/firmware",
            packages::firmware,
            "The firmware that a device is to have, or a part",
        )
        .query(PACKAGE)
        .answers("bytes"),
        get(
            "/api/v1/{token}/software",
            packages::software,
            "The software that a device is to have, or a part",
        )
        .query(PACKAGE)
        .answers("bytes"),
        get(RPC, device_api::next_command, "Wait for a command").query(TIMEOUT).answers("DeviceCommand"),
        post(RPC, device_api::call, "A device's own call").takes("Command").answers("any"),
        post("/api/v1/{token}/rpc/{number}", device_api::answer, "A device's answer to a command")
            .takes("any")
            .done_with(200),
        post("/api/v1/{token}/claim", device_api::claim, "Open a device to claims")
            .takes("Claim")
            .done_with(200),
    ];
    calls.into_iter().map(Call::open).collect()
}
