//! HTTP faces of the platform: the native API, and the vendors' own.
//!
//! A face turns requests into calls of [`platform::Platform`], waits until what they changed is stored, and only then
//! answers. It opens no socket and reads no clock: the binary serves the routers and hands in what they need.

pub mod api;
pub mod compat;
pub mod limits;
mod openapi;
mod stored;
#[cfg(test)]
mod testing;
mod upload;

use std::sync::Arc;

use domain::{Millis, OrgId};
use platform::Platform;
use tokio::sync::mpsc;

/// What every face needs; cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// The registry and its store.
    pub platform: Arc<Platform>,
    /// What only the running server knows.
    pub live: Arc<dyn Live>,
    /// Tells the time, in milliseconds since the Unix epoch.
    pub clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

impl Shared {
    pub(crate) fn now_ms(&self) -> Millis {
        (self.clock)()
    }
}

/// The address that a request came from, which the binary puts among its extensions.
#[derive(Clone, Copy, Debug)]
pub struct RemoteAddress(pub std::net::IpAddr);

/// What only the running server knows: connections, messages on their way, and who was refused.
pub trait Live: Send + Sync {
    /// Counters of the server, as a JSON object.
    fn stats(&self) -> serde_json::Value;

    /// Events of an organisation as they arrive, each a JSON text without line breaks, until the receiver is dropped.
    /// The channel is bounded; when it is full, events are left out of it.
    fn tail(&self, org: OrgId) -> mpsc::Receiver<String>;

    /// The latest refusals, newest first, of one organisation or of all.
    fn refusals(&self, org: Option<OrgId>) -> Vec<serde_json::Value>;
}
