//! OneNET's HTTP API, `http://api.heclouds.com` (spec onenet 6.2–6.4, 7, 8), at the paths where it was.
//!
//! Whoever asks shows a key of a product, which says what the request is about: the master key opens everything in the
//! product, a further one what its permissions name. The key is looked at before anything else; without a good one, no
//! body is read and nothing is told. Every answer has the status 200, and its length before it.

mod access;
mod calls;
mod commands;
mod devices;
mod files;
mod history;
mod keys;
mod paths;
mod points;
mod register;
mod reply;
mod shapes;
mod streams;
#[cfg(test)]
pub(crate) mod tests;
mod topics;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use dialects::onenet::http::points::Readings;
use dialects::onenet::time::Zone;
use domain::{Device, DeviceId, OrgId};
use platform::Ticket;

use crate::Shared;
use crate::limits::ONENET_BODY_BYTES_MAX;
use crate::openapi::{Face, Security, mount};
pub(super) use paths::{is_ours, tidied};

/// What the API needs; cheap to clone.
#[derive(Clone)]
pub struct OneNet {
    /// What every face needs.
    pub shared: Shared,
    /// The ways from and to devices.
    pub ways: Arc<dyn Ways>,
    /// The zone of times that name none, and of those that are shown.
    pub zone: Zone,
    /// Where devices are to connect, once that is known.
    pub access_node: Arc<OnceLock<SocketAddr>>,
}

/// The ways from and to devices, which only the running server has.
pub trait Ways: Send + Sync {
    /// Keeps what a device has measured, and lets those hear of it who listen. `from` is who brought it. The ticket is
    /// that of all of it.
    fn measured(&self, device: &Device, readings: Readings, from: &str) -> Ticket;

    /// Gives a message to those devices of a type that are subscribed to its topic and connected, at QoS 0; it is kept
    /// for nobody.
    fn push(&self, org: OrgId, device_type: &str, topic: &str, payload: &[u8]);

    /// The topics that a device is subscribed to, in order.
    fn topics_of(&self, device: &Device) -> Vec<String>;

    /// The devices of a type that are subscribed to a topic, in order.
    fn subscribed(&self, org: OrgId, device_type: &str, topic: &str) -> Vec<DeviceId>;

    /// Topics that devices of a type are subscribed to, each once, in order; at most so many.
    fn topics_in_use(&self, org: OrgId, device_type: &str, count_max: usize) -> Vec<String>;
}

/// What the document says of it.
pub(crate) fn face() -> Face {
    let about = "OneNET's API, as its devices and applications use it. Every answer has the status 200; what went wrong \
        stands in `errno` and `error`.";
    Face::new("onenet", about, Security::Header, shapes::SHAPES, calls::calls())
}

/// The routes of the API.
pub fn router(onenet: OneNet) -> Router {
    mount(calls::calls())
        .fallback(reply::not_served)
        .method_not_allowed_fallback(reply::not_served)
        .layer(DefaultBodyLimit::max(ONENET_BODY_BYTES_MAX))
        .layer(map_response(reply::open_to_pages))
        .with_state(onenet)
}
