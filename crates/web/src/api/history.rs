//! What a device sent: its last events and its points.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::time::iso8601;
use domain::{DeviceName, Millis, Order, Refusal, Series, Value};
use platform::{Deletion, NewestPoint};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::ops::{ControlFlow, Range};

use super::devices::device_of;
use super::fault::Fault;
use super::org_of;
use super::request::{At, Params, time};
use super::shape::{self, EventShape, value};
use crate::Shared;
use crate::limits::{API_PAGE_COUNT, API_PAGE_COUNT_MAX};
use crate::stored::{ask, delete};

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

/// Which points to delete: of one key, all or those in a span of time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    key: String,
    from: Option<String>,
    to: Option<String>,
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
    let range = range(span.from.as_deref(), span.to.as_deref())?;
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
        store.points(Series { org, device, key: &key }, range, Order::Ascending, &mut |at_ms, it| {
            points.push(PointShape::of(at_ms, it));
            if points.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(points)
    });
    Ok(shape::list("points", points.await?).into_response())
}

pub(super) async fn remove_points(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
    Params(removal): Params<Removal>,
) -> Result<StatusCode, Fault> {
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let device = device_of(&shared, org, name)?.id;
    let range = range(removal.from.as_deref(), removal.to.as_deref())?;
    let deletion = Deletion::new(org, device, vec![removal.key], range, NewestPoint::Deleted);
    delete(&shared.platform, deletion).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn range(from: Option<&str>, to: Option<&str>) -> Result<Range<Millis>, Refusal> {
    Ok(from.map(time).transpose()?.unwrap_or(0)..to.map(time).transpose()?.unwrap_or(Millis::MAX))
}
