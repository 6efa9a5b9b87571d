//! Devices and their credentials (spec thingsboard 11.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::{self, CredentialsBody, DeviceBody, HttpRefusal, Owner, Page, Uuid};
use domain::{Class, Device, DeviceInfo, Login, OrgId, Registrar};
use platform::certificates::fingerprint_of_body;
use platform::{DEFAULT_TYPE, DeviceChange, DeviceQuery, NewDevice, NewType, Platform, Ticket};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ThingsBoard;
use super::access::{Administrator, Caller};
use super::reply::{At, Body, Params, Refused};
use crate::limits::{THINGSBOARD_IDS_COUNT_MAX, THINGSBOARD_PAGE_COUNT_MAX};
use crate::stored::stored;

/// A device as the API shows it.
pub(super) fn view(platform: &Platform, device: &Device) -> Value {
    shown(platform, device, |owner| http::device(device, owner))
}

fn info(platform: &Platform, device: &Device) -> Value {
    let active = platform.is_active(device.org, device.id);
    shown(platform, device, |owner| {
        let key = owner.customer.and_then(|it| platform.key(device.org, it));
        http::device_info(device, owner, key.as_ref().map(|it| it.comment.as_str()), active)
    })
}

fn shown(platform: &Platform, device: &Device, show: impl FnOnce(&Owner<'_>) -> Value) -> Value {
    let name = platform.name_in_org(device);
    let customer = platform.assigned(device.org, device.id);
    let gateway = platform.last_gateway(device.org, device.id);
    show(&Owner { name: &name, customer: customer.as_deref(), gateway })
}

pub(super) async fn save(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
    Body(body): Body,
) -> Result<Response, Refused> {
    let body = DeviceBody::parse(&body)?;
    let login = params.get("accessToken").map(|it| Login::AccessToken(it.to_owned()));
    save_device(&of, &caller, body, login).await
}

/// `{"device": {…}, "credentials": {…}}`, of which the latter need not name the device.
#[derive(Deserialize)]
struct Both<'a> {
    #[serde(borrow)]
    device: &'a RawValue,
    credentials: Option<Value>,
}

pub(super) async fn save_with_credentials(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    Body(body): Body,
) -> Result<Response, Refused> {
    let both: Both<'_> = serde_json::from_slice(&body)
        .map_err(|it| HttpRefusal::bad(format!("The body cannot be read: {it}.")))?;
    let device = DeviceBody::parse(both.device.get().as_bytes())?;
    let login = match both.credentials {
        Some(Value::Object(mut members)) => {
            // Whose they are is said by the device beside them.
            members.insert("deviceId".to_owned(), http::entity("DEVICE", http::NOBODY));
            Some(CredentialsBody::parse(Value::Object(members).to_string().as_bytes())?.login)
        }
        _ => None,
    };
    save_device(&of, &caller, device, login).await
}

async fn save_device(
    of: &ThingsBoard,
    caller: &Caller,
    body: DeviceBody,
    login: Option<Login>,
) -> Result<Response, Refused> {
    let platform = &of.shared.platform;
    let (device, ticket) = match body.id {
        None => create(of, caller, body, login)?,
        Some(id) => {
            let (device, mut ticket) = change(of, caller, id, body)?;
            if let Some(login) = login {
                ticket = ticket.max(platform.set_login(caller.org, device.wire_name(), login)?);
            }
            (device, ticket)
        }
    };
    stored(platform, ticket).await?;
    Ok(Json(view(platform, &device)).into_response())
}

fn create(
    of: &ThingsBoard,
    caller: &Caller,
    body: DeviceBody,
    login: Option<Login>,
) -> Result<(Arc<Device>, Ticket), Refused> {
    let (platform, now_ms, org) = (&of.shared.platform, of.shared.now_ms(), caller.org);
    check_name(platform, org, &body.name)?;
    let device_type = type_of(platform, org, &body)?;
    make_type(of, org, &device_type)?;
    let draft = NewDevice {
        class: body.class,
        info: DeviceInfo { description: body.label, ..DeviceInfo::default() },
        metadata: body.additional,
        ..NewDevice::named(&device_type, &body.name, Registrar::ApiKey(caller.key.key.clone()))
    };
    let (device, _, ticket) = platform.register(org, draft, now_ms)?;
    let with_login = match login {
        Some(login) => platform.set_login(org, device.wire_name(), login),
        None => platform.login(org, device.id).map(|(_, ticket)| ticket),
    };
    match with_login {
        Ok(later) => Ok((device, ticket.max(later))),
        Err(refusal) => {
            platform.drop_device(org, device.wire_name())?;
            Err(refusal.into())
        }
    }
}

fn check_name(platform: &Platform, org: OrgId, name: &str) -> Result<(), Refused> {
    match platform.device_named(org, name) {
        Some(_) => Err(HttpRefusal::bad("Device with such name already exists!").into()),
        None => Ok(()),
    }
}

/// A type that a device names is made if nobody knows it.
fn make_type(of: &ThingsBoard, org: OrgId, name: &str) -> Result<(), Refused> {
    let platform = &of.shared.platform;
    if platform.device_type(org, name).is_none() {
        platform.create_type(org, NewType::named(name, Class::Device), of.shared.now_ms())?;
    }
    Ok(())
}

fn type_of(platform: &Platform, org: OrgId, body: &DeviceBody) -> Result<String, Refused> {
    let Some(profile) = body.profile else {
        return Ok(body.device_type.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned()));
    };
    let types = platform.types(org);
    let found = types.iter().find(|it| Uuid::of_type(org, &it.name) == profile);
    let found = found.ok_or_else(|| HttpRefusal::bad("There is no such device profile."))?;
    Ok(found.name.clone())
}

fn change(
    of: &ThingsBoard,
    caller: &Caller,
    id: Uuid,
    body: DeviceBody,
) -> Result<(Arc<Device>, Ticket), Refused> {
    let platform = &of.shared.platform;
    let device = caller.device(platform, &id.to_string())?;
    let is_renamed = platform.name_in_org(&device) != body.name;
    if is_renamed {
        check_name(platform, caller.org, &body.name)?;
    }
    let names_type = body.profile.is_some() || body.device_type.is_some();
    let device_type = if names_type { Some(type_of(platform, caller.org, &body)?) } else { None };
    if let Some(device_type) = &device_type {
        make_type(of, caller.org, device_type)?;
    }
    let change = DeviceChange {
        name: is_renamed.then_some(body.name),
        device_type,
        info: DeviceInfo { description: body.label, ..DeviceInfo::default() },
        metadata: body.additional,
        class: body.class,
        ..DeviceChange::default()
    };
    Ok(platform.update_device(caller.org, device.wire_name(), change)?)
}

pub(super) async fn show(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    Ok(Json(view(platform, &*caller.device(platform, &id)?)))
}

pub(super) async fn show_info(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    Ok(Json(info(platform, &*caller.device(platform, &id)?)))
}

pub(super) async fn show_named(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let device = caller.device_named(platform, params.wanted("deviceName")?)?;
    Ok(Json(view(platform, &device)))
}

pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(id): At<String>,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let device = caller.device(platform, &id)?;
    let ticket = platform.drop_device(caller.org, device.wire_name())?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn list_by_ids(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let ids: Vec<_> = params.all("deviceIds").flat_map(|it| it.split(',')).collect();
    if ids.len() > THINGSBOARD_IDS_COUNT_MAX {
        let message = format!("A request may name {THINGSBOARD_IDS_COUNT_MAX} devices.");
        return Err(HttpRefusal::bad(message).into());
    }
    let mut found = Vec::new();
    for id in ids {
        let known = super::access::uuid(id)?.device().and_then(|it| platform.device_by_id(caller.org, it));
        found.extend(known.filter(|it| caller.sees(platform, it)).map(|it| view(platform, &it)));
    }
    Ok(Json(found))
}

/// With a name: that device. Otherwise a page.
pub(super) async fn list(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
) -> Result<Response, Refused> {
    let platform = &of.shared.platform;
    if let Some(name) = params.get("deviceName") {
        let device = caller.device_named(platform, name)?;
        return Ok(Json(view(platform, &device)).into_response());
    }
    Ok(Json(page(platform, caller.org, None, &params, view)?).into_response())
}

pub(super) async fn list_infos(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(page(&of.shared.platform, caller.org, None, &params, info)?))
}

/// Which page a query asks for.
pub(super) struct Wanted {
    pub(super) page: usize,
    pub(super) size: usize,
}

impl Wanted {
    pub(super) fn of(params: &Params) -> Result<Wanted, Refused> {
        let number = |name| -> Result<usize, Refused> {
            let value = params.number(name)?;
            let missing = || HttpRefusal::bad(format!("Required request parameter '{name}' is not present"));
            Ok(value.and_then(|it| usize::try_from(it).ok()).ok_or_else(missing)?)
        };
        let (page, size) = (number("page")?, number("pageSize")?);
        if size == 0 || size > THINGSBOARD_PAGE_COUNT_MAX {
            let message = format!("A pageSize is from 1 to {THINGSBOARD_PAGE_COUNT_MAX}.");
            return Err(HttpRefusal::bad(message).into());
        }
        Ok(Wanted { page, size })
    }

    /// Cuts the page out of the whole list.
    pub(super) fn cut<T>(
        &self,
        list: impl IntoIterator<Item = T>,
        total: usize,
        view: impl Fn(T) -> Value,
    ) -> Page {
        let rows = list.into_iter().skip(self.page.saturating_mul(self.size)).take(self.size);
        Page::new(rows.map(view).collect(), total, self.page, self.size)
    }
}

/// A page of devices, those of one customer or all.
pub(super) fn page(
    platform: &Platform,
    org: OrgId,
    customer: Option<&str>,
    params: &Params,
    show: fn(&Platform, &Device) -> Value,
) -> Result<Page, Refused> {
    let wanted = Wanted::of(params)?;
    let text = params.get("textSearch").map(str::to_lowercase);
    let matches = |device: &Device| {
        text.as_ref().is_none_or(|it| device.name.to_lowercase().contains(it))
            && customer.is_none_or(|key| platform.assigned(org, device.id).is_some_and(|it| *it == *key))
    };
    let is_filtered = text.is_some() || customer.is_some();
    let query = DeviceQuery {
        device_type: params.get("type"),
        matches: is_filtered.then_some(&matches),
        ..DeviceQuery::default()
    };
    let total = platform.count(org, query);
    let sort = params.get("sortProperty");
    let count_max = match sort {
        // Sorting needs all of them.
        Some(_) => total,
        None => wanted.page.saturating_add(1).saturating_mul(wanted.size).min(total),
    };
    let mut devices = platform.devices(org, query, count_max);
    match sort {
        Some("createdTime") => devices.sort_by_key(|it| (it.registered_ms, it.id)),
        Some("name") => devices.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("type") => devices.sort_by(|a, b| a.device_type.cmp(&b.device_type)),
        _ => {}
    }
    if sort.is_some() && params.get("sortOrder") == Some("DESC") {
        devices.reverse();
    }
    Ok(wanted.cut(devices, total, |it| show(platform, &it)))
}

pub(super) async fn credentials(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let device = caller.device(platform, &id)?;
    let (login, ticket) = platform.login(caller.org, device.id)?;
    stored(platform, ticket).await?;
    Ok(Json(http::credentials(&device, &login, fingerprint_of_body)))
}

pub(super) async fn save_credentials(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let CredentialsBody { device, login } = CredentialsBody::parse(&body)?;
    let device = caller.device(platform, &device.to_string())?;
    let ticket = platform.set_login(caller.org, device.wire_name(), login.clone())?;
    stored(platform, ticket).await?;
    Ok(Json(http::credentials(&device, &login, fingerprint_of_body)))
}
