//! The native administration API, which the command line uses over a socket that only the operator can open.
//!
//! JSON in and out, under `/v1`. It authorises nobody: whoever can reach it may do everything. Errors are
//! `{"error": {"code", "hint"}}`, the code being [`domain::Code::name`].

mod attributes;
mod commands;
mod device_types;
mod devices;
mod fault;
mod history;
mod keys;
mod live;
mod orgs;
mod products;
mod request;
mod shape;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post, put};
use domain::{Code, OrgId, Refusal};

use crate::Shared;
use crate::limits::API_BODY_BYTES_MAX;
use fault::Fault;

/// The routes of the native API.
pub fn router(shared: Shared) -> Router {
    let org = Router::new()
        .route("/", get(orgs::show).patch(orgs::change))
        .route("/types", get(device_types::list).post(device_types::create))
        .route(
            "/types/{type}",
            get(device_types::show).patch(device_types::change).delete(device_types::remove),
        )
        .route("/types/{type}/product", put(products::put_product))
        .route("/devices", get(devices::list).post(devices::create))
        .route("/devices/{type}/{name}", get(devices::show).patch(devices::change).delete(devices::remove))
        .route("/devices/{type}/{name}/number", put(products::put_number))
        .route("/devices/{type}/{name}/events", get(history::events))
        .route("/devices/{type}/{name}/points", get(history::points).delete(history::remove_points))
        .route("/devices/{type}/{name}/attributes", get(attributes::show))
        .route(
            "/devices/{type}/{name}/attributes/{scope}",
            patch(attributes::write).delete(attributes::remove),
        )
        .route("/devices/{type}/{name}/commands", post(commands::create))
        .route("/commands/{id}", get(commands::show).delete(commands::remove))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{key}", patch(keys::change).delete(keys::remove))
        .route("/refusals", get(live::refusals_of_org))
        .route("/tail", get(live::tail));
    Router::new()
        .route("/v1/orgs", get(orgs::list).post(orgs::create))
        .nest("/v1/orgs/{org}", org)
        .route("/v1/stats", get(live::stats))
        .route("/v1/refusals", get(live::refusals))
        .fallback(async || Fault::new(Code::NotFound, "There is no such path in this API."))
        .method_not_allowed_fallback(async || Fault::method_not_allowed())
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .with_state(shared)
}

/// The organisation that a path names, if there is one.
fn org_of(shared: &Shared, text: &str) -> Result<OrgId, Refusal> {
    OrgId::parse(text)
        .filter(|it| shared.platform.org(*it).is_some())
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("There is no organisation {text}.")))
}
