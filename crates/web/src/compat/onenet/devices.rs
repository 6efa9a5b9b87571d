//! Devices of a product: made, changed, listed, removed (spec onenet 8.3).

use axum::extract::State;
use dialects::onenet::http::{DeviceBody, DeviceFacts, Errno, HttpRefusal, Page, day, device, status};
use domain::{DeviceNumber, Method, Registrar};
use platform::{KeyHolder, NewNumbered, NumberedChange, NumberedDevice, NumberedQuery};
use serde_json::json;

use super::OneNet;
use super::access::{Caller, Master, is_online};
use super::reply::{At, Body, Params, Refused, Reply};
use super::streams;
use crate::limits::{ONENET_FILTER_IDS_COUNT_MAX, ONENET_IDS_COUNT_MAX};
use crate::stored::stored;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// Keys that are shown with a device.
const KEYS_SHOWN_COUNT_MAX: usize = 100;

/// What a device says about who made it: the product and not its key, which is a secret.
pub(super) fn registrar(holder: &KeyHolder) -> Registrar {
    Registrar::ApiKey(format!("product {}", holder.product))
}

pub(super) async fn create(
    State(of): State<OneNet>,
    Master(holder): Master,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let DeviceBody { auth_info, metadata, location } = DeviceBody::new_device(&body, now_ms)?;
    let draft = NewNumbered { auth_info, metadata, location, registrar: registrar(&holder) };
    let (made, ticket) = platform.create_numbered(holder.product, draft, now_ms).map_err(about_device)?;
    stored(platform, ticket).await?;
    Ok(Reply::with(&json!({ "device_id": made.numbered.number.to_string() })))
}

pub(super) async fn change(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let found = caller.device(&of, Method::Put, &id)?;
    let DeviceBody { auth_info, metadata, location } = DeviceBody::change(&body, of.shared.now_ms())?;
    let change = NumberedChange { auth_info, metadata, location };
    let (_, ticket) =
        platform.update_numbered(caller.0.product, found.numbered.number, change).map_err(about_device)?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

/// What is wrong with a device's password is wrong with a parameter, and not with the whole body.
fn about_device(refusal: domain::Refusal) -> Refused {
    match refusal.code {
        domain::Code::TooLarge => HttpRefusal::new(Errno::InvalidParameter, refusal.hint).into(),
        _ => refusal.into(),
    }
}

pub(super) async fn show(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
) -> Result<Reply, Refused> {
    let found = caller.device(&of, Method::Get, &id)?;
    let streams = streams::all(&of, &found, |_| true).await?;
    Ok(Reply::with(&view(&of, &caller.0, &found, Some(streams))))
}

/// A device as an answer shows it. A lesser key sees no other: they may open more than it does.
fn view(
    of: &OneNet,
    holder: &KeyHolder,
    found: &NumberedDevice,
    streams: Option<Vec<streams::Named>>,
) -> impl serde::Serialize + use<> {
    let (platform, number) = (&of.shared.platform, found.numbered.number);
    let keys = match &holder.key {
        Some(own) => vec![own.clone()],
        None => platform.product_keys(holder.product, Some(number), 0, KEYS_SHOWN_COUNT_MAX).0,
    };
    let facts = DeviceFacts {
        device: &found.device,
        numbered: &found.numbered,
        online: is_online(of, &found.device),
        keys: &keys,
        streams,
    };
    device(facts, of.zone)
}

pub(super) async fn remove(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let found = caller.device(&of, Method::Delete, &id)?;
    let ticket = platform.drop_device(found.device.org, found.device.wire_name())?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn list(
    State(of): State<OneNet>,
    Master(holder): Master,
    params: Params,
) -> Result<Reply, Refused> {
    let wanted = params.page(30, 100)?;
    let online = params.flag("online")?;
    let numbers = params.get("device_id").map(|it| numbers(it, "device_id")).transpose()?;
    if numbers.as_ref().is_some_and(|it| it.len() > ONENET_FILTER_IDS_COUNT_MAX) {
        return Err(HttpRefusal::invalid("device_id").into());
    }
    let moment = |name: &str| match params.get(name) {
        None => Ok(None),
        Some(it) => day(it, of.zone).map(Some).ok_or_else(|| HttpRefusal::invalid(name)),
    };
    let (from_ms, last_day_ms) = (moment("begin")?, moment("end")?);
    let matches = |it: &NumberedDevice| online.is_none_or(|wanted| is_online(&of, &it.device) == wanted);
    let query = NumberedQuery {
        key_words: params.get("key_words"),
        auth_info: params.get("auth_info"),
        tag: params.get("tag"),
        is_private: params.flag("private")?,
        numbers: numbers.as_deref(),
        from_ms,
        to_ms: last_day_ms.map(|it| it + DAY_MS),
        matches: online.is_some().then_some(&matches),
    };
    let (skip_count, per_page) = (wanted.skip_count(), wanted.per_page);
    let (found, total_count) =
        of.shared.platform.numbered_devices(holder.product, query, skip_count, per_page);
    let devices = found.iter().map(|it| view(&of, &holder, it, None)).collect();
    Ok(Reply::with(&Page { per_page, devices, total_count, page: wanted.page }))
}

/// Numbers of devices with commas between, in their order.
fn numbers(list: &str, name: &str) -> Result<Vec<DeviceNumber>, Refused> {
    let numbers = list.split(',').filter(|it| !it.is_empty());
    let numbers = numbers.map(|it| DeviceNumber::parse(it).ok_or_else(|| HttpRefusal::invalid(name)));
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The devices of `devIds` with which the key may do anything; the others are left out.
pub(super) fn wanted_devices(
    of: &OneNet,
    caller: &Caller,
    params: &Params,
) -> Result<Vec<NumberedDevice>, Refused> {
    let numbers = numbers(params.wanted("devIds")?, "devIds")?;
    if numbers.len() > ONENET_IDS_COUNT_MAX {
        return Err(Errno::TooManyIds.into());
    }
    let holder = &caller.0;
    let named = numbers.into_iter().filter(|it| holder.key.as_ref().is_none_or(|key| key.admits(*it)));
    Ok(named.filter_map(|it| of.shared.platform.numbered_device(holder.product, it)).collect())
}

pub(super) async fn statuses(
    State(of): State<OneNet>,
    caller: Caller,
    params: Params,
) -> Result<Reply, Refused> {
    let found = wanted_devices(&of, &caller, &params)?;
    let one = |it: &NumberedDevice| status(&it.device, it.numbered.number, is_online(&of, &it.device));
    Ok(Reply::with(&dialects::onenet::http::statuses(found.iter().map(one).collect())))
}
