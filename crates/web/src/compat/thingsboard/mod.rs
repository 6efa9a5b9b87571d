//! ThingsBoard's REST API, as far as devices, gateways and scripts need it (spec thingsboard 6, 8, 11).
//!
//! A user is an API key, and its password the key's token. One that may do everything administers the organisation;
//! one whose rights are restricted is a customer, who sees the devices that it claimed or that were assigned to it.
//! What is asked is about the organisation of that key and no other. Parts that are not served answer 404.

mod access;
mod attributes;
mod calls;
mod claims;
mod customers;
mod device_api;
mod devices;
mod history;
mod intervals;
mod login;
mod packages;
mod pieces;
mod profiles;
mod relations;
mod reply;
mod rpc;
mod series;
mod shapes;
pub mod socket;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;
pub mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::map_response_with_state;
use dialects::thingsboard::http::device::Awaited;
use dialects::thingsboard::http::telemetry::Readings;
use domain::{Device, Refusal};
use platform::Ticket;
use tokio::sync::oneshot;

use crate::Shared;
use crate::limits::THINGSBOARD_BODY_BYTES_MAX;
use crate::openapi::{self, Face, Security};
use reply::Refused;
use tokens::Tokens;
use watch::{Noticed, Watcher};

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

    /// Shows those who watch a device something about it.
    fn show(&self, noticed: Noticed);

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

/// What the document says of it.
pub(crate) fn face() -> Face {
    let about = "ThingsBoard's REST API and HTTP device API. Its WebSocket is at /api/ws and /api/ws/plugins/telemetry.";
    Face::new("thingsboard", about, Security::Token, shapes::SHAPES, calls::calls())
}

/// The routes of the API.
pub fn router(thingsboard: ThingsBoard) -> Router {
    openapi::mount(calls::calls())
        .fallback(async || Refused::not_served())
        .method_not_allowed_fallback(async || Refused::plain(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(THINGSBOARD_BODY_BYTES_MAX))
        .layer(map_response_with_state(thingsboard.clone(), reply::with_time))
        .with_state(thingsboard)
}
