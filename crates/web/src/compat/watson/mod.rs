//! IBM Watson IoT Platform's registration service, `/api/v0002` (spec watson 5.1–5.6 and 5.9).
//!
//! Its official SDKs register device types, gateways and devices here. Whoever asks shows an API key; what it asks is
//! about the organisation of that key and no other. Parts of the service that are not served yet answer 404.

mod access;
mod bulk;
mod device_types;
mod devices;
mod events;
mod lists;
mod organisation;
mod reply;
mod shapes;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;

use crate::Shared;
use crate::limits::{WATSON_BODY_BYTES_MAX, WATSON_BULK_BYTES_MAX};
use crate::openapi::{Call, Face, Security, delete, get, post, put};
use reply::Refused;

/// What the service needs; cheap to clone.
#[derive(Clone)]
pub struct Watson {
    /// What every face needs.
    pub shared: Shared,
    /// How a bulk removal that was done is answered.
    pub bulk_remove_status: BulkRemoveStatus,
}

/// How a bulk removal that was done is answered: the official SDKs disagree about it (spec watson D10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BulkRemoveStatus {
    /// 202, which the Python SDK wants.
    #[default]
    Accepted,
    /// 201, which the Node and Java SDKs want.
    Created,
    /// 201 to those whose `User-Agent` looks like the Node or Java SDK, 202 to everyone else.
    ByUserAgent,
}

/// What the document says of it.
pub(crate) fn face() -> Face {
    let about = "IBM Watson IoT Platform's registration service, as its SDKs and applications use it.";
    Face::new("watson", about, Security::Basic, shapes::SHAPES, calls())
}

/// The routes of the service.
pub fn router(watson: Watson) -> Router {
    calls()
        .into_iter()
        // SDKs write some of the paths with a `/` at the end.
        .fold(Router::new(), Call::mount_with_and_without_slash)
        .fallback(async || Refused::not_served())
        .method_not_allowed_fallback(async || Refused::plain(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(WATSON_BODY_BYTES_MAX))
        .with_state(watson)
}

fn calls() -> Vec<Call<Watson>> {
    const TYPES: &str = "/api/v0002/device/types";
    const TYPE: &str = "/api/v0002/device/types/{type}";
    const DEVICES: &str = "/api/v0002/device/types/{type}/devices";
    const DEVICE: &str = "/api/v0002/device/types/{type}/devices/{device}";
    const CHILDREN: &str = "/api/v0002/device/types/{type}/devices/{device}/devices";
    const LOCATION: &str = "/api/v0002/device/types/{type}/devices/{device}/location";
    const MANAGEMENT: &str = "/api/v0002/device/types/{type}/devices/{device}/mgmt";
    const EVENTS: &str = "/api/v0002/device/types/{type}/devices/{device}/events";
    const EVENT: &str = "/api/v0002/device/types/{type}/devices/{device}/events/{event}";
    const PAGE: &[(&str, &str)] = &[("_limit", "whole"), ("_bookmark", "text"), ("_sort", "text")];
    let bulk = DefaultBodyLimit::max(WATSON_BULK_BYTES_MAX);
    vec![
        get("/api/v0002", organisation::show, "Show the organisation").answers("Organisation"),
        get("/api/v0002/service-status", organisation::service_status, "Whether the service is well")
            .answers("{object}")
            .open(),
        get(TYPES, device_types::list, "List device types, by page").query(PAGE).answers("TypePage"),
        post(TYPES, device_types::create, "Create a device type").takes("NewType").answers_with(201, "Type"),
        get(TYPE, device_types::show, "Show a device type").answers("Type"),
        put(TYPE, device_types::change, "Change a device type").takes("TypeChange").answers("Type"),
        delete(TYPE, device_types::remove, "Remove a device type").done_with(204),
        get(DEVICES, devices::list, "List devices of a type, by page").query(PAGE).answers("DevicePage"),
        post(DEVICES, devices::create, "Register a device").takes("NewDevice").answers_with(201, "Device"),
        get(DEVICE, devices::show, "Show a device").answers("Device"),
        put(DEVICE, devices::change, "Change a device").takes("DeviceChange").answers("Device"),
        delete(DEVICE, devices::remove, "Remove a device").done_with(204),
        get(CHILDREN, devices::list_of_gateway, "List devices that were registered through a gateway")
            .query(PAGE)
            .answers("DevicePage"),
        get(LOCATION, devices::location, "Where a device is").answers("Location"),
        put(LOCATION, devices::change_location, "Say where a device is")
            .takes("NewLocation")
            .answers("Location"),
        get(MANAGEMENT, devices::management, "Whether a device is managed").answers("object"),
        get(EVENTS, events::list, "The last event of each name").answers("[Event]"),
        get(EVENT, events::show, "The last event of a name").answers("Event"),
        get("/api/v0002/bulk/devices", devices::list_all, "List devices, by page")
            .query(PAGE)
            .answers("DevicePage"),
        post("/api/v0002/bulk/devices/add", bulk::add, "Register many devices; 202 when some failed")
            .takes("[BulkDevice]")
            .answers_with(201, "[BulkResult]")
            .answers_with(202, "[BulkResult]")
            .with(|it| it.layer(bulk)),
        post("/api/v0002/bulk/devices/remove", bulk::remove, "Remove many devices")
            .takes("[BulkName]")
            .answers_with(201, "[BulkResult]")
            .answers_with(202, "[BulkResult]")
            .with(|it| it.layer(bulk)),
    ]
}
