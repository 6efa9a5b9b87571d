//! What a device sent: its last events and its points.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use dialects::time::iso8601;
use domain::{DeviceName, Millis, Order, Series, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::ops::ControlFlow;

use super::devices::device_of;
use super::fault::Fault;
use super::org_of;
use super::request::{At, Params, time};
use super::shape::{self, EventShape, value};
use crate::Shared;
use crate::limits::{API_PAGE_COUNT, API_PAGE_COUNT_MAX};
use crate::stored::ask;

/// Which points: of one key in a span of time, oldest first, or the newest of every key when no key is named. `from`
/// counts in, `to` does not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    key: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct PointShape {
    at: String,
    at_ms: Millis,
    value: Box<RawValue>,
}

impl PointShape {
    fn of(at_ms: Millis, it: Value<'_>) -> PointShape {
        PointShape { at: iso8601(at_ms), at_ms, value: value(it) }
    }
}

#[derive(Serialize)]
struct LatestShape {
    key: String,
    #[serde(flatten)]
    point: PointShape,
}

pub(super) async fn events(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let device = device_of(&shared, org, name)?.id;
    let events = ask(&shared.platform, move |it| it.last_events(org, device)).await?;
    let events: Vec<_> = events.into_iter().map(EventShape::from).collect();
    Ok(shape::list("events", events))
}

pub(super) async fn points(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
    Params(span): Params<Span>,
) -> Result<Response, Fault> {
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let device = device_of(&shared, org, name)?.id;
    let from_ms = span.from.as_deref().map(time).transpose()?.unwrap_or(0);
    let to_ms = span.to.as_deref().map(time).transpose()?.unwrap_or(Millis::MAX);
    let count_max = span.limit.unwrap_or(API_PAGE_COUNT).clamp(1, API_PAGE_COUNT_MAX);
    let Some(key) = span.key else {
        let latest = ask(&shared.platform, move |store| {
            let mut latest = Vec::new();
            store.latest(org, device, None, &mut |key, at_ms, it| {
                latest.push(LatestShape { key: key.to_owned(), point: PointShape::of(at_ms, it) });
            })?;
            Ok(latest)
        });
        return Ok(shape::list("latest", latest.await?).into_response());
    };
    let points = ask(&shared.platform, move |store| {
        let mut points = Vec::new();
        store.points(
            Series { org, device, key: &key },
            from_ms..to_ms,
            Order::Ascending,
            &mut |at_ms, it| {
                points.push(PointShape::of(at_ms, it));
                if points.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )?;
        Ok(points)
    });
    Ok(shape::list("points", points.await?).into_response())
}
