//! Telemetry as it is asked for and brought (spec thingsboard 11.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::HttpRefusal;
use dialects::thingsboard::http::telemetry::{Print, readings};
use domain::{Device, DeviceId, Millis, Order, OrgId, Points};
use platform::{Deletion, NewestPoint, Platform, Store};

use super::ThingsBoard;
use super::access::Caller;
use super::intervals::Intervals;
use super::pieces::answer;
use super::reply::{At, Body, Params, Refused};
use super::series::{Aggregate, History, Newest, Of, Wanted};
use super::watch::Noticed;
use crate::limits::THINGSBOARD_POINTS_COUNT;
use crate::stored::{ask, delete, stored};

/// The device that a path names by kind and id.
pub(super) fn entity(
    of: &ThingsBoard,
    caller: &Caller,
    (kind, id): (&str, &str),
) -> Result<Arc<Device>, Refused> {
    if !kind.eq_ignore_ascii_case("DEVICE") {
        let message = format!("Only devices have telemetry and attributes here, not {kind}.");
        return Err(HttpRefusal::bad(message).into());
    }
    caller.device(&of.shared.platform, id)
}

pub(super) async fn keys(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let (org, device) = (caller.org, entity(&of, &caller, (&kind, &id))?.id);
    Ok(Json(ask(&of.shared.platform, move |store| store.point_keys(org, device)).await?))
}

/// A range of points where `startTs` and `endTs` are there, the newest ones otherwise.
pub(super) async fn values(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
    params: Params,
) -> Result<Response, Refused> {
    let device = entity(&of, &caller, (&kind, &id))?.id;
    let print = match params.get("useStrictDataTypes") {
        Some(it) if it.eq_ignore_ascii_case("true") => Print::Typed,
        _ => Print::Text,
    };
    let whose = Of { org: caller.org, device, print };
    match (params.number("startTs")?, params.number("endTs")?) {
        (Some(start), Some(end)) if start > end => Err(HttpRefusal::bad("startTs is after endTs.").into()),
        (Some(start), Some(end)) => {
            let keys = params.keys().unwrap_or_default();
            answer(&of, History::new(whose, keys, start..end, wanted(&params)?)).await
        }
        _ => newest(&of, whose, params.keys()).await,
    }
}

/// The same under the path of scripts that want a range in any case.
pub(super) async fn range(
    state: State<ThingsBoard>,
    caller: Caller,
    at: At<(String, String)>,
    params: Params,
) -> Result<Response, Refused> {
    for name in ["startTs", "endTs"] {
        params.wanted(name)?;
    }
    values(state, caller, at, params).await
}

/// What of a range is asked for.
fn wanted(params: &Params) -> Result<Wanted, Refused> {
    let order = match params.get("orderBy") {
        Some("ASC") => Order::Ascending,
        None | Some("DESC") => Order::Descending,
        Some(other) => return Err(HttpRefusal::bad(format!("There is no order {other}.")).into()),
    };
    let count_max = params.number("limit")?.unwrap_or(THINGSBOARD_POINTS_COUNT);
    let interval_ms = params.number("interval")?.unwrap_or(0);
    let intervals = Intervals::parse(params.get("intervalType"), params.get("timeZone"), interval_ms)?;
    Ok(match Aggregate::parse(params.get("agg"))? {
        None if count_max == 0 => return Err(HttpRefusal::bad("A limit is from 1.").into()),
        None => Wanted::Points { order, count_max },
        Some(of) => Wanted::Aggregates { of, intervals },
    })
}

async fn newest(of: &ThingsBoard, whose: Of, keys: Option<Vec<String>>) -> Result<Response, Refused> {
    let (org, device) = (whose.org, whose.device);
    let (keys, missing_at_ms) = match keys {
        Some(keys) => (keys, Some(of.shared.now_ms())),
        None => (ask(&of.shared.platform, move |store| store.point_keys(org, device)).await?, None),
    };
    answer(of, Newest::new(whose, keys, missing_at_ms)).await
}

/// Telemetry that a script brings for a device. The scope in the path means nothing.
pub(super) async fn save(
    state: State<ThingsBoard>,
    caller: Caller,
    At((kind, id, _)): At<(String, String, String)>,
    body: Body,
) -> Result<StatusCode, Refused> {
    bring(state, caller, (&kind, &id), body).await
}

/// Deletes points of the named keys: all of them, or those with a time in a range. The newest of each key is what a
/// newest value is here, so it is the newest of what is left that comes next, whatever `rewriteLatestIfDeleted` says;
/// where `deleteLatest=false`, it stays.
pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
    params: Params,
) -> Result<StatusCode, Refused> {
    let device = entity(&of, &caller, (&kind, &id))?.id;
    let keys = params.keys().ok_or_else(|| HttpRefusal::bad("No keys are named."))?;
    let range =
        match (params.flag("deleteAllDataForKeys")?, params.number("startTs")?, params.number("endTs")?) {
            (Some(true), ..) => 0..Millis::MAX,
            (_, Some(start), Some(end)) => start..end,
            _ => {
                let message = "Without deleteAllDataForKeys=true, startTs and endTs are required.";
                return Err(HttpRefusal::bad(message).into());
            }
        };
    params.flag("rewriteLatestIfDeleted")?;
    let newest = match params.flag("deleteLatest")? {
        Some(false) => NewestPoint::Kept,
        _ => NewestPoint::Deleted,
    };
    let platform = &of.shared.platform;
    let before = newest_of(platform, caller.org, device, &keys).await?;
    delete(platform, Deletion::new(caller.org, device, keys.clone(), range, newest)).await?;
    let after = newest_of(platform, caller.org, device, &keys).await?;
    show_newest(&of, device, before, after);
    Ok(StatusCode::OK)
}

/// The newest point of each key: its time, and a list of it alone.
type NewestOf = BTreeMap<String, (Millis, Points)>;

async fn newest_of(
    platform: &Platform,
    org: OrgId,
    device: DeviceId,
    keys: &[String],
) -> Result<NewestOf, Refused> {
    let keys = keys.to_vec();
    let read = move |store: &dyn Store| {
        let names: Vec<_> = keys.iter().map(String::as_str).collect();
        let mut found = NewestOf::new();
        store.latest(org, device, Some(&names), &mut |key, at_ms, value| {
            let mut points = Points::new();
            points.push(key, value);
            found.insert(key.to_owned(), (at_ms, points));
        })?;
        Ok(found)
    };
    Ok(ask(platform, read).await?)
}

/// Shows those who watch a device what is its newest point now, of the keys whose newest was deleted, and which have
/// none any more.
fn show_newest(of: &ThingsBoard, device: DeviceId, before: NewestOf, mut after: NewestOf) {
    let mut gone = Vec::new();
    for (key, (before_ms, _)) in before {
        match after.remove(&key) {
            None => gone.push(key),
            Some((at_ms, points)) if at_ms < before_ms => {
                of.ways.show(Noticed { device, scope: None, at_ms, points });
            }
            Some(_) => {}
        }
    }
    if !gone.is_empty() {
        of.ways.show(Noticed::gone(device, None, &gone));
    }
}

/// The same with a time to live, which is not kept: points stay.
pub(super) async fn save_for_a_time(
    state: State<ThingsBoard>,
    caller: Caller,
    At((kind, id, _, ttl)): At<(String, String, String, String)>,
    body: Body,
) -> Result<StatusCode, Refused> {
    if ttl.parse::<u64>().is_err() {
        return Err(HttpRefusal::bad(format!("{ttl} is no time to live.")).into());
    }
    bring(state, caller, (&kind, &id), body).await
}

async fn bring(
    State(of): State<ThingsBoard>,
    caller: Caller,
    at: (&str, &str),
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let device = entity(&of, &caller, at)?;
    let ticket = of.ways.measured(&device, readings(&body)?, &caller.key.key);
    stored(&of.shared.platform, ticket).await?;
    Ok(StatusCode::OK)
}
