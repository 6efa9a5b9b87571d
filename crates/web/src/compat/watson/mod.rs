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
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};

use crate::Shared;
use crate::limits::{WATSON_BODY_BYTES_MAX, WATSON_BULK_BYTES_MAX};
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

/// The routes of the service.
pub fn router(watson: Watson) -> Router {
    let bulk = DefaultBodyLimit::max(WATSON_BULK_BYTES_MAX);
    let routes = [
        ("", get(organisation::show)),
        ("/service-status", get(organisation::service_status)),
        ("/device/types", get(device_types::list).post(device_types::create)),
        (
            "/device/types/{type}",
            get(device_types::show).put(device_types::change).delete(device_types::remove),
        ),
        ("/device/types/{type}/devices", get(devices::list).post(devices::create)),
        (
            "/device/types/{type}/devices/{device}",
            get(devices::show).put(devices::change).delete(devices::remove),
        ),
        ("/device/types/{type}/devices/{device}/devices", get(devices::list_of_gateway)),
        (
            "/device/types/{type}/devices/{device}/location",
            get(devices::location).put(devices::change_location),
        ),
        ("/device/types/{type}/devices/{device}/mgmt", get(devices::management)),
        ("/device/types/{type}/devices/{device}/events", get(events::list)),
        ("/device/types/{type}/devices/{device}/events/{event}", get(events::show)),
        ("/bulk/devices", get(devices::list_all)),
        ("/bulk/devices/add", post(bulk::add).layer(bulk)),
        ("/bulk/devices/remove", post(bulk::remove).layer(bulk)),
    ];
    routes
        .into_iter()
        .fold(Router::new(), with_and_without_slash)
        .fallback(async || Refused::not_served())
        .method_not_allowed_fallback(async || Refused::plain(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(WATSON_BODY_BYTES_MAX))
        .with_state(watson)
}

/// SDKs write some of the paths with a `/` at the end.
fn with_and_without_slash(
    router: Router<Watson>,
    (path, methods): (&str, MethodRouter<Watson>),
) -> Router<Watson> {
    let path = format!("/api/v0002{path}");
    let with_slash = format!("{path}/");
    router.route(&path, methods.clone()).route(&with_slash, methods)
}
