//! Data streams of a device (spec onenet 8.6).
//!
//! A stream is there when it has a point, or when somebody has made it by name. What is said of it (unit, tags, when it
//! was made) is an attribute of the device, in the scope that devices do not see; its points are what they are for
//! everybody.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::extract::State;
use dialects::onenet::http::points::{current, names};
use dialects::onenet::http::{Current, Errno, HttpRefusal, StreamBody, StreamFacts, stream as view};
use domain::attribute::Keys;
use domain::{Device, Method, Millis, Order, Points, Scope, Series, Value};
use platform::{Deletion, NewestPoint, NumberedDevice, Platform, Store, StoreFault};
use serde_json::json;

use super::OneNet;
use super::access::Caller;
use super::reply::{At, Body, Params, Refused, Reply};
use crate::stored::{ask, delete, stored};

/// What stands before a stream's name in the key of the attribute.
const FACTS_OF: &str = "onenet/datastreams/";

/// A stream with what is said of it.
pub(super) type Named = (String, StreamFacts);

fn key_of(stream: &str) -> String {
    format!("{FACTS_OF}{stream}")
}

fn facts_in(value: Value<'_>) -> StreamFacts {
    match value {
        Value::Json(it) | Value::Text(it) => StreamFacts::kept(it),
        _ => StreamFacts::default(),
    }
}

/// What is said of each of a device's streams that something is said of.
fn told(platform: &Platform, device: &Device) -> BTreeMap<String, StreamFacts> {
    let attributes = platform.attributes(device.org, device.id, Scope::Server, &Keys::All);
    let told = attributes.iter().filter_map(|it| {
        let name = it.key.strip_prefix(FACTS_OF)?;
        Some((name.to_owned(), facts_in(it.value())))
    });
    told.collect()
}

/// What is said of one.
fn told_of(platform: &Platform, device: &Device, stream: &str) -> Option<StreamFacts> {
    let keys = Keys::Named(vec![key_of(stream)]);
    let found = platform.attributes(device.org, device.id, Scope::Server, &keys);
    found.first().map(|it| facts_in(it.value()))
}

fn tell(
    of: &OneNet,
    device: &Device,
    stream: &str,
    facts: &StreamFacts,
) -> Result<platform::Ticket, Refused> {
    let mut points = Points::new();
    points.push(&key_of(stream), Value::Json(&facts.to_keep()));
    let list = [(device.id, points)];
    let now_ms = of.shared.now_ms();
    Ok(of.shared.platform.put_attributes(device.org, Scope::Server, &list, now_ms, None)?)
}

/// All streams of a device that are wanted, by name, with when each came to be: when somebody made it, or at its first
/// point.
pub(super) async fn all(
    of: &OneNet,
    of_device: &NumberedDevice,
    is_wanted: impl Fn(&str) -> bool + Send + 'static,
) -> Result<Vec<Named>, Refused> {
    let platform = &of.shared.platform;
    let mut streams = told(platform, &of_device.device);
    let (org, device) = (of_device.device.org, of_device.device.id);
    let named = ask(platform, move |store| {
        for key in store.point_keys(org, device)? {
            streams.entry(key).or_default();
        }
        streams.retain(|name, _| is_wanted(name));
        for (key, facts) in &mut streams {
            if facts.created_ms.is_none() {
                facts.created_ms = first_ms(store, Series { org, device, key })?;
            }
        }
        Ok(streams.into_iter().collect())
    });
    Ok(named.await?)
}

fn first_ms(store: &dyn Store, series: Series<'_>) -> Result<Option<Millis>, StoreFault> {
    let mut found = None;
    store.points(series, 0..Millis::MAX, Order::Ascending, &mut |at_ms, _| {
        found = Some(at_ms);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// A stream with its newest point.
struct Shown {
    name: String,
    facts: StreamFacts,
    current: Option<Current>,
}

impl Shown {
    fn view(self, of: &OneNet) -> impl serde::Serialize + use<> {
        view(&self.name, self.facts, self.current, of.zone)
    }
}

async fn with_points(
    of: &OneNet,
    of_device: &NumberedDevice,
    streams: Vec<Named>,
) -> Result<Vec<Shown>, Refused> {
    let (org, device) = (of_device.device.org, of_device.device.id);
    let shown = ask(&of.shared.platform, move |store| {
        let names: Vec<&str> = streams.iter().map(|(name, _)| name.as_str()).collect();
        let mut newest = BTreeMap::new();
        store.latest(org, device, Some(&names), &mut |key, at_ms, value| {
            newest.insert(key.to_owned(), current(at_ms, value));
        })?;
        let shown = streams.into_iter().map(|(name, facts)| {
            let current = newest.remove(&name).flatten();
            Shown { name, facts, current }
        });
        Ok(shown.collect())
    });
    Ok(shown.await?)
}

/// A stream of a device, or that there is none.
async fn one(of: &OneNet, device: &NumberedDevice, stream: &str) -> Result<Shown, Refused> {
    let wanted = stream.to_owned();
    let (org, id) = (device.device.org, device.device.id);
    let told = told_of(&of.shared.platform, &device.device, stream);
    let mut shown = with_points(of, device, vec![(wanted.clone(), told.clone().unwrap_or_default())]).await?;
    let shown = shown.pop().filter(|it| told.is_some() || it.current.is_some());
    let mut shown = shown.ok_or_else(|| HttpRefusal::not_found(format!("datastream {stream}")))?;
    if shown.facts.created_ms.is_none() {
        let first = move |store: &dyn Store| first_ms(store, Series { org, device: id, key: &wanted });
        shown.facts.created_ms = ask(&of.shared.platform, first).await?;
    }
    Ok(shown)
}

pub(super) async fn create(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    let (stream, mut facts) = StreamBody::named(&body)?;
    caller.may(Method::Post, &found, Some(&stream))?;
    if one(&of, &found, &stream).await.is_ok() {
        return Err(HttpRefusal::new(Errno::StreamExists, stream).into());
    }
    facts.created_ms = Some(of.shared.now_ms());
    let ticket = tell(&of, &found.device, &stream, &facts)?;
    stored(&of.shared.platform, ticket).await?;
    Ok(Reply::with(&json!({ "ds_uuid": uuid(&of, &found.device, &stream) })))
}

/// An id of a stream that is always the same and tells nothing.
fn uuid(of: &OneNet, device: &Device, stream: &str) -> String {
    let secret = of.shared.platform.secret_for(&format!("OneNET's stream {} {stream}", device.id.0));
    let bits = u128::from_be_bytes(std::array::from_fn(|it| secret.get(it).copied().unwrap_or_default()));
    // Version 5, as the original's are, and the variant of RFC 9562.
    let bits = bits & !(0xF << 76) | 5 << 76;
    let bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|it| hex.get(it).unwrap_or_default());
    parts.join("-")
}

pub(super) async fn change(
    State(of): State<OneNet>,
    caller: Caller,
    At((id, stream)): At<(String, String)>,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    caller.may(Method::Put, &found, Some(&stream))?;
    let StreamBody { facts: change, .. } = StreamBody::parse(&body)?;
    let facts = one(&of, &found, &stream).await?.facts.changed(change);
    let ticket = tell(&of, &found.device, &stream, &facts)?;
    stored(&of.shared.platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn show(
    State(of): State<OneNet>,
    caller: Caller,
    At((id, stream)): At<(String, String)>,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    caller.may(Method::Get, &found, Some(&stream))?;
    Ok(Reply::with(&one(&of, &found, &stream).await?.view(&of)))
}

/// All streams that the key may see, or those that are named: what there is not of them is left out.
pub(super) async fn list(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    let wanted = params.get("datastream_ids").map(names);
    for stream in wanted.iter().flatten() {
        caller.may(Method::Get, &found, Some(stream))?;
    }
    let device = found.clone();
    let is_wanted = move |stream: &str| match &wanted {
        Some(list) => list.iter().any(|it| it == stream),
        None => caller.may(Method::Get, &device, Some(stream)).is_ok(),
    };
    let streams = all(&of, &found, is_wanted).await?;
    let shown = with_points(&of, &found, streams).await?;
    Ok(Reply::with(&shown.into_iter().map(|it| it.view(&of)).collect::<Vec<_>>()))
}

/// A stream goes with its points.
pub(super) async fn remove(
    State(of): State<OneNet>,
    caller: Caller,
    At((id, stream)): At<(String, String)>,
) -> Result<Reply, Refused> {
    let found = caller.named(&of, &id)?;
    caller.may(Method::Delete, &found, Some(&stream))?;
    one(&of, &found, &stream).await?;
    let (platform, org, device) = (&of.shared.platform, found.device.org, found.device.id);
    let ticket = platform.drop_attributes(org, device, Scope::Server, vec![key_of(&stream)])?;
    stored(platform, ticket).await?;
    let whole = Deletion::new(org, device, vec![stream], 0..Millis::MAX, NewestPoint::Deleted);
    delete(platform, whole).await?;
    Ok(Reply::done())
}
