//! What only the running server knows: counters, refusals, and events as they arrive.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::Org;
use hyper::body::Frame;
use platform::DeviceQuery;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::fault::Fault;
use super::org_of;
use super::request::At;
use crate::Shared;

/// The server's own counters, and how many devices each organisation has.
pub(super) async fn stats(State(shared): State<Shared>) -> impl IntoResponse {
    let platform = &shared.platform;
    let devices = |org: &Org| (org.id.to_string(), platform.count(org.id, DeviceQuery::default()).into());
    let devices: Map<String, Value> = platform.orgs().iter().map(devices).collect();
    let mut stats = shared.live.stats();
    if let Value::Object(members) = &mut stats {
        members.insert("devices".to_owned(), devices.into());
    }
    Json(stats)
}

pub(super) async fn refusals(State(shared): State<Shared>) -> impl IntoResponse {
    Json(json!({ "refusals": shared.live.refusals(None) }))
}

pub(super) async fn refusals_of_org(
    State(shared): State<Shared>,
    At(org): At<String>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    Ok(Json(json!({ "refusals": shared.live.refusals(Some(org)) })))
}

pub(super) async fn tail(State(shared): State<Shared>, At(org): At<String>) -> Result<Response, Fault> {
    let lines = Lines(shared.live.tail(org_of(&shared, &org)?));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::new(lines)).into_response())
}

/// A body of lines that ends when nobody sends any more.
struct Lines(mpsc::Receiver<String>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| {
            line.map(|mut line| {
                line.push('\n');
                Ok(Frame::data(Bytes::from(line)))
            })
        })
    }
}
