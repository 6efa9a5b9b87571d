//! ThingsBoard's REST API, as far as devices, gateways and scripts need it (spec thingsboard 6, 8, 11).
//!
//! A user is an API key, and its password the key's token. One that may do everything administers the organisation;
//! one whose rights are restricted is a customer, who sees the devices that it claimed or that were assigned to it.
//! What is asked is about the organisation of that key and no other. Parts that are not served answer 404.

mod access;
mod attributes;
mod claims;
mod customers;
mod device_api;
mod devices;
mod history;
mod login;
mod pieces;
mod profiles;
mod relations;
mod reply;
mod rpc;
mod series;
pub mod socket;
#[cfg(test)]
mod tests;
mod tokens;
pub mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::map_response_with_state;
use axum::routing::{delete, get, post};
use dialects::thingsboard::http::device::Awaited;
use dialects::thingsboard::http::telemetry::Readings;
use domain::{Device, Refusal};
use platform::Ticket;
use tokio::sync::oneshot;

use crate::Shared;
use crate::limits::THINGSBOARD_BODY_BYTES_MAX;
use reply::Refused;
use tokens::Tokens;
use watch::Watcher;

/// What the API needs; cheap to clone.
#[derive(Clone)]
pub struct ThingsBoard {
    shared: Shared,
    ways: Arc<dyn Ways>,
    tokens: Arc<Tokens>,
}

/// The ways from and to devices, which only the running server has.
pub trait Ways: Send + Sync {
    /// Keeps what a device has measured, and lets those hear of it who listen. `from` is who brought it. The ticket is
    /// that of all of it.
    fn measured(&self, device: &Device, readings: Readings, from: &str) -> Ticket;

    /// From now on the watcher is shown what comes from a device, and its attributes as they are written. A watcher
    /// that watches the device already goes on; one that is dropped stops.
    ///
    /// Refuses with [`domain::Code::TooMany`].
    fn watch(&self, device: &Device, watcher: &Arc<Watcher>) -> Result<(), Refusal>;

    /// The next notice of a kind to a device, as the text that it gets. The receiver may be dropped at any time.
    ///
    /// Refuses with [`domain::Code::TooMany`].
    fn next_notice(&self, device: &Device, awaited: Awaited) -> Result<oneshot::Receiver<String>, Refusal>;
}

impl ThingsBoard {
    /// The API over a platform. Its tokens are signed with a secret of the installation: they outlive a restart.
    pub fn new(shared: Shared, ways: Arc<dyn Ways>) -> ThingsBoard {
        let tokens = Arc::new(Tokens::new(&shared.platform.secret_for("tokens of ThingsBoard's API")));
        ThingsBoard { shared, ways, tokens }
    }
}

/// The routes of the API.
pub fn router(thingsboard: ThingsBoard) -> Router {
    Router::new()
        .merge(login_routes())
        .merge(device_routes())
        .merge(customer_routes())
        .merge(telemetry_routes())
        .merge(command_routes())
        .merge(device_api_routes())
        .fallback(async || Refused::not_served())
        .method_not_allowed_fallback(async || Refused::plain(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(THINGSBOARD_BODY_BYTES_MAX))
        .layer(map_response_with_state(thingsboard.clone(), reply::with_time))
        .with_state(thingsboard)
}

fn login_routes() -> Router<ThingsBoard> {
    Router::new()
        .route("/api/auth/login", post(login::login))
        .route("/api/auth/token", post(login::refresh))
        .route("/api/auth/logout", post(login::logout))
        .route("/api/auth/user", get(login::user))
}

fn device_routes() -> Router<ThingsBoard> {
    Router::new()
        .route("/api/device", post(devices::save))
        .route("/api/device-with-credentials", post(devices::save_with_credentials))
        .route("/api/device/{device}", get(devices::show).delete(devices::remove))
        .route("/api/device/info/{device}", get(devices::show_info))
        .route("/api/device/{device}/credentials", get(devices::credentials))
        .route("/api/device/credentials", post(devices::save_credentials))
        .route("/api/devices", get(devices::list_by_ids))
        .route("/api/tenant/device", get(devices::show_named))
        .route("/api/tenant/devices", get(devices::list))
        .route("/api/tenant/deviceInfos", get(devices::list_infos))
        .route("/api/deviceProfileInfo/default", get(profiles::default_info))
        .route("/api/deviceProfileInfos", get(profiles::list_infos))
        .route("/api/deviceProfiles", get(profiles::list))
        .route("/api/deviceProfile", post(profiles::save))
        .route("/api/deviceProfile/{profile}", get(profiles::show).delete(profiles::remove))
        .route("/api/relations", get(relations::list))
        .route("/api/relations/from/{type}/{id}", get(relations::list_from))
        .route("/api/relations/from/{type}/{id}/{relation}", get(relations::list_from_of_type))
        .route("/api/relations/to/{type}/{id}", get(relations::list_to))
        .route("/api/relations/to/{type}/{id}/{relation}", get(relations::list_to_of_type))
}

fn customer_routes() -> Router<ThingsBoard> {
    Router::new()
        .route("/api/customers", get(customers::list))
        .route("/api/customer/{customer}", get(customers::show))
        .route("/api/customer/{customer}/devices", get(customers::devices))
        .route("/api/customer/{customer}/device/{device}", post(customers::assign))
        .route("/api/customer/device/{device}", delete(customers::unassign))
        .route("/api/customer/device/{device}/claim", post(claims::claim).delete(claims::unclaim))
}

fn telemetry_routes() -> Router<ThingsBoard> {
    let routes = [
        ("/{a}/{b}", post(attributes::save).delete(attributes::remove)),
        ("/{a}/{b}/{c}", post(attributes::save_of_entity).delete(attributes::remove_of_entity)),
        ("/{a}/{b}/attributes/{d}", post(attributes::save_of_entity)),
        ("/{a}/{b}/keys/attributes", get(attributes::keys)),
        ("/{a}/{b}/keys/attributes/{e}", get(attributes::keys_of_scope)),
        ("/{a}/{b}/values/attributes", get(attributes::values)),
        ("/{a}/{b}/values/attributes/{e}", get(attributes::values_of_scope)),
        ("/{a}/{b}/keys/timeseries", get(history::keys)),
        ("/{a}/{b}/values/timeseries", get(history::values)),
        ("/{a}/{b}/values/timeseries/history", get(history::range)),
        ("/{a}/{b}/timeseries/delete", delete(history::remove)),
        ("/{a}/{b}/timeseries/{d}", post(history::save)),
        ("/{a}/{b}/timeseries/{d}/{e}", post(history::save_for_a_time)),
    ];
    routes.into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(&format!("/api/plugins/telemetry{path}"), methods)
    })
}

fn command_routes() -> Router<ThingsBoard> {
    Router::new()
        .route("/api/rpc/oneway/{device}", post(rpc::one_way))
        .route("/api/rpc/twoway/{device}", post(rpc::two_way))
        .route("/api/plugins/rpc/oneway/{device}", post(rpc::old_one_way))
        .route("/api/plugins/rpc/twoway/{device}", post(rpc::old_two_way))
        .route("/api/rpc/persistent/{rpc}", get(rpc::show).delete(rpc::remove))
        .route("/api/rpc/persistent/device/{device}", get(rpc::list))
}

fn device_api_routes() -> Router<ThingsBoard> {
    Router::new()
        .route("/api/v1/provision", post(device_api::provision))
        .route("/api/v1/{token}/telemetry", post(device_api::telemetry))
        .route(
            "/api/v1/{token}/attributes",
            get(device_api::find_attributes).post(device_api::save_attributes),
        )
        .route("/api/v1/{token}/attributes/updates", get(device_api::next_attributes))
        .route("/api/v1/{token}/rpc", get(device_api::next_command).post(device_api::call))
        .route("/api/v1/{token}/rpc/{number}", post(device_api::answer))
        .route("/api/v1/{token}/claim", post(device_api::claim))
}
