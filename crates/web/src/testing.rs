//! What the tests of this crate share: a platform on a store in memory, and a way to ask a router.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use domain::{Device, DeviceName, Event, Message, OrgId, Points, Value};
use http_body_util::BodyExt;
use platform::Platform;
use serde_json::json;
use store::memory::{self, MemoryStore};
use store::{Change, Store};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::openapi::check;
use crate::{Live, Shared};

/// What the clock of the tests always shows: 2024-05-01T10:20:30.123Z.
pub(crate) const NOW_MS: u64 = 1_714_558_830_123;
/// The same as text.
pub(crate) const NOW: &str = "2024-05-01T10:20:30.123Z";

/// A platform with nothing in it.
pub(crate) struct House {
    pub(crate) shared: Shared,
    pub(crate) store: Arc<MemoryStore>,
}

/// A server on which one event arrives and one peer was refused.
struct Quiet;

impl Live for Quiet {
    fn stats(&self) -> serde_json::Value {
        json!({ "connections": 0 })
    }

    fn tail(&self, org: OrgId) -> mpsc::Receiver<String> {
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(json!({ "org": org.as_str() }).to_string()).unwrap();
        receiver
    }

    fn refusals(&self, org: Option<OrgId>) -> Vec<serde_json::Value> {
        vec![json!({ "org": org.map(|it| it.to_string()) })]
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl House {
    pub(crate) fn new() -> House {
        House::with(|it| it)
    }

    /// One whose platform has other rules.
    pub(crate) fn with(rules: impl FnOnce(Platform) -> Platform) -> House {
        House::on(Arc::new(memory::open().unwrap()), rules)
    }

    /// The same house, opened again from what is stored.
    pub(crate) fn reopened(&self) -> House {
        House::on(Arc::clone(&self.store), |it| it)
    }

    fn on(store: Arc<MemoryStore>, rules: impl FnOnce(Platform) -> Platform) -> House {
        let state = AtomicU64::new(0);
        // Random enough for names that must differ.
        let entropy = move |bytes: &mut [u8]| {
            for byte in bytes {
                let count = state.fetch_add(1, Ordering::Relaxed);
                *byte = (count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
            }
        };
        let as_store = Arc::clone(&store) as Arc<dyn Store>;
        let platform = Platform::open(as_store, Box::new(entropy), NOW_MS).unwrap();
        let platform = Arc::new(rules(platform));
        House { shared: Shared { platform, live: Arc::new(Quiet), clock: Arc::new(|| NOW_MS) }, store }
    }

    /// Stores an event of a device, with one point `t`.
    pub(crate) fn event(&self, org: OrgId, name: DeviceName<'_>, event: &str, payload: &[u8]) {
        let device: Arc<Device> = self.shared.platform.device(org, name).unwrap();
        let mut points = Points::new();
        points.push(&format!("{event}.t"), Value::F64(21.5));
        let ticket = self.store.commit(
            Change::Event(Event {
                org,
                device: device.id,
                name: event.into(),
                format: "json".into(),
                at_ms: NOW_MS,
                message: Message::shared("topic", b"", payload),
                points,
            })
            .into(),
        );
        self.store.wait(ticket).unwrap();
    }
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|it| panic!("{it}: {self:?}"))
    }
}

/// Asks a router and reads the whole answer, which has to be as the OpenAPI document says.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    check::answer(&method, &path, parts.status.as_u16(), &body);
    Answer { status: parts.status, headers: parts.headers, body }
}
