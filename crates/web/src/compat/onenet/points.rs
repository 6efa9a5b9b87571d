//! Data points: asked for, brought, deleted (spec onenet 8.7).

use std::collections::BTreeMap;

use axum::extract::State;
use dialects::onenet::http::points::{PointsQuery, Readings, current, names, range_to_delete, readings};
use dialects::onenet::http::{Errno, HttpRefusal, newest_of_device};
use domain::Method;
use platform::{Deletion, NewestPoint, NumberedDevice};

use super::OneNet;
use super::access::Caller;
use super::devices::wanted_devices;
use super::history;
use super::reply::{At, Body, Params, Refused, Reply};
use crate::limits::ONENET_ANSWER_BYTES_MAX;
use crate::stored::{ask, delete, stored};

pub(super) async fn query(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    let query = PointsQuery::parse(|it| params.get(it), of.shared.now_ms(), of.zone)?;
    let streams = permitted(&of, &caller, Method::Get, &found, query.streams).await?;
    let zone = of.zone;
    let history = history::History { org: found.device.org, device: found.device.id, streams, zone };
    let (wanted, cursor) = (query.wanted, query.cursor);
    if cursor.as_ref().is_some_and(|it| !history.streams.contains(&it.stream)) {
        return Err(HttpRefusal::invalid("cursor").into());
    }
    let read = ask(&of.shared.platform, move |store| history.read(store, &wanted, cursor.as_ref()));
    Ok(Reply::with_json(&read.await?))
}

/// The streams that are named, with each of which the key may do this; without names, all with which it may.
async fn permitted(
    of: &OneNet,
    caller: &Caller,
    method: Method,
    found: &NumberedDevice,
    named: Option<Vec<String>>,
) -> Result<Vec<String>, Refused> {
    if let Some(streams) = named {
        for stream in &streams {
            caller.may(method, found, Some(stream))?;
        }
        return Ok(streams);
    }
    let (org, device) = (found.device.org, found.device.id);
    let mut streams = ask(&of.shared.platform, move |store| store.point_keys(org, device)).await?;
    streams.retain(|it| caller.may(method, found, Some(it)).is_ok());
    Ok(streams)
}

/// What an upload holds is kept as a whole or refused as a whole.
pub(super) async fn upload(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    let readings: Readings = readings(params.get("type"), &body, of.zone)?;
    for (_, points) in &readings {
        for (stream, _) in points.iter() {
            caller.may(Method::Post, &found, Some(stream))?;
        }
    }
    let platform = &of.shared.platform;
    let ticket = of.ways.measured(&found.device, readings, "http");
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn remove(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    let range = range_to_delete(|it| params.get(it), of.shared.now_ms(), of.zone)?;
    let named = params.get("datastream_id").map(names);
    let streams = permitted(&of, &caller, Method::Delete, &found, named).await?;
    let (org, device) = (found.device.org, found.device.id);
    let deletion = Deletion::new(org, device, streams, range, NewestPoint::Deleted);
    delete(&of.shared.platform, deletion).await?;
    Ok(Reply::done())
}

pub(super) async fn newest_of_devices(
    State(of): State<OneNet>,
    caller: Caller,
    params: Params,
) -> Result<Reply, Refused> {
    let found = wanted_devices(&of, &caller, &params)?;
    let zone = of.zone;
    let read = ask(&of.shared.platform, move |store| {
        let (mut devices, mut bytes) = (Vec::new(), 0);
        for it in &found {
            let (org, device, mut streams) = (it.device.org, it.device.id, Vec::new());
            store.latest(org, device, None, &mut |stream, at_ms, value| {
                if bytes > ONENET_ANSWER_BYTES_MAX || caller.may(Method::Get, it, Some(stream)).is_err() {
                    return;
                }
                if let Some(current) = current(at_ms, value) {
                    bytes += stream.len() + current.value.get().len();
                    streams.push((stream.to_owned(), current));
                }
            })?;
            devices.push(newest_of_device(&it.device, it.numbered.number, streams, zone));
            if bytes > ONENET_ANSWER_BYTES_MAX {
                return Ok(None);
            }
        }
        Ok(Some(devices))
    });
    let devices = read.await?.ok_or_else(|| HttpRefusal::new(Errno::SystemLimit, "name fewer devices"))?;
    Ok(Reply::with(&BTreeMap::from([("devices", devices)])))
}
