//! `/v1/orgs/{org}/devices`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialects::thingsboard::certificate;
use domain::{Class, Code, Device, DeviceName, Login, OrgId, Refusal, Registrar};
use platform::{DeviceChange, DeviceQuery, NewDevice, NewType};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::org_of;
use super::request::{At, Body, ClassName, LocationBody, Params};
use super::shape::{DeviceShape, DevicesShape, InfoShape, NameShape, RightsChange};
use crate::Shared;
use crate::limits::{API_PAGE_COUNT, API_PAGE_COUNT_MAX};
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    #[serde(rename = "type")]
    device_type: String,
    name: String,
    class: Option<ClassName>,
    token: Option<String>,
    /// The token with which it comes as a ThingsBoard device. Its type is made then if it is missing, as there.
    access_token: Option<String>,
    /// The certificate that a ThingsBoard device shows, in PEM form.
    certificate: Option<String>,
    /// Or with client id, user name and password.
    basic: Option<Basic>,
    #[serde(default)]
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
    location: Option<LocationBody>,
    gateway: Option<NameShape>,
}

/// What a ThingsBoard device logs in with: client id, user name, or both; a password beside a user name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Basic {
    client_id: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

impl Draft {
    /// The login as which it comes as a ThingsBoard device.
    fn login(&mut self) -> Result<Option<Login>, Refusal> {
        match (self.access_token.take(), self.basic.take(), self.certificate.take()) {
            (None, None, None) => Ok(None),
            (Some(token), None, None) => Ok(Some(Login::AccessToken(token))),
            (None, Some(Basic { client_id, user, password }), None) => {
                Ok(Some(Login::Basic { client_id, user, password }))
            }
            (None, None, Some(text)) => Ok(Some(certificate::login(&text))),
            _ => {
                let hint = "A device has one login: access_token, basic or certificate.";
                Err(Refusal::new(Code::Malformed, hint))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Another name; the id and whatever is kept of the device stay.
    name: Option<String>,
    #[serde(rename = "type")]
    device_type: Option<String>,
    enabled: Option<bool>,
    class: Option<ClassName>,
    token: Option<String>,
    #[serde(default)]
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
    location: Option<LocationBody>,
    rights: Option<RightsChange>,
}

/// Which devices to list. `gateway_type` and `gateway` together name the gateway they were registered through.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(rename = "type")]
    device_type: Option<String>,
    name: Option<String>,
    gateway_type: Option<String>,
    gateway: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    At(org): At<String>,
    Params(page): Params<Page>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    let gateway = match (&page.gateway_type, &page.gateway) {
        (Some(device_type), Some(name)) => {
            Some(device_of(&shared, org, DeviceName { device_type, name })?.id)
        }
        (None, None) => None,
        _ => return Err(Fault::new(Code::Malformed, "Name both gateway_type and gateway.")),
    };
    let after = page.after.as_deref().map(cursor).transpose()?;
    let query = DeviceQuery {
        device_type: page.device_type.as_deref(),
        name: page.name.as_deref(),
        gateway,
        matches: None,
        after: after.as_ref().map(|(device_type, name)| DeviceName { device_type, name }),
    };
    let count_max = page.limit.unwrap_or(API_PAGE_COUNT).clamp(1, API_PAGE_COUNT_MAX);
    // One more than asked for tells whether there is a next page.
    let mut found = shared.platform.devices(org, query, count_max + 1);
    let more = found.len() > count_max;
    found.truncate(count_max);
    let next = found.last().filter(|_| more).map(|it| cursor_behind(it));
    let devices = found.iter().map(|it| shape(&shared, it)).collect();
    Ok(Json(DevicesShape { devices, next }))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    At(org): At<String>,
    Body(mut body): Body<Draft>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    let now_ms = shared.now_ms();
    let login = body.login()?;
    let gateway = match &body.gateway {
        Some(name) => Some(device_of(&shared, org, name.name())?.id),
        None => None,
    };
    let draft = NewDevice {
        device_type: body.device_type,
        name: body.name,
        class: body.class.map(Class::from),
        token: body.token,
        info: body.info.into(),
        metadata: body.metadata.map(|it| it.get().to_owned()),
        location: body.location.map(|it| it.read(now_ms)).transpose()?,
        gateway,
        registrar: Registrar::Operator,
    };
    let platform = &shared.platform;
    if login.is_some() && platform.device_type(org, &draft.device_type).is_none() {
        platform.create_type(org, NewType::named(&draft.device_type, Class::Device), now_ms)?;
    }
    let (device, token, mut ticket) = platform.register(org, draft, now_ms)?;
    if let Some(login) = login {
        match platform.set_login(org, device.wire_name(), login) {
            Ok(later) => ticket = ticket.max(later),
            Err(refusal) => {
                platform.drop_device(org, device.wire_name())?;
                return Err(refusal.into());
            }
        }
    }
    stored(platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(shape(&shared, &device).with_token(token))))
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let name = DeviceName { device_type: &device_type, name: &name };
    let device = device_of(&shared, org_of(&shared, &org)?, name)?;
    Ok(Json(shape(&shared, &device)))
}

pub(super) async fn change(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let location = body.location.map(|it| it.read(shared.now_ms())).transpose()?;
    let rights = match body.rights {
        Some(it) => Some(it.over(&device_of(&shared, org, name)?.rights)?),
        None => None,
    };
    let change = DeviceChange {
        name: body.name,
        device_type: body.device_type,
        info: body.info.into(),
        metadata: body.metadata.map(|it| it.get().to_owned()),
        enabled: body.enabled,
        class: body.class.map(Class::from),
        token: body.token,
        rights,
    };
    let (mut device, mut ticket) = shared.platform.update_device(org, name, change)?;
    if let Some(location) = location {
        (device, ticket) = shared.platform.set_location(org, device.wire_name(), location)?;
    }
    stored(&shared.platform, ticket).await?;
    Ok(Json(shape(&shared, &device)))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
) -> Result<StatusCode, Fault> {
    let name = DeviceName { device_type: &device_type, name: &name };
    let ticket = shared.platform.drop_device(org_of(&shared, &org)?, name)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The device that a request names.
pub(super) fn device_of(shared: &Shared, org: OrgId, name: DeviceName<'_>) -> Result<Arc<Device>, Refusal> {
    let device = shared.platform.device(org, name);
    device.ok_or_else(|| Refusal::new(Code::NotFound, format!("The device {name} is not registered.")))
}

pub(super) fn shape(shared: &Shared, device: &Device) -> DeviceShape {
    let gateway = device.gateway.and_then(|it| shared.platform.device_by_id(device.org, it));
    let numbered = shared.platform.numbered(device.id);
    DeviceShape::new(device, gateway.as_deref(), numbered.as_deref())
}

fn cursor_behind(device: &Device) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\0{}", device.device_type, device.name))
}

fn cursor(text: &str) -> Result<(String, String), Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let text = bytes.and_then(|it| String::from_utf8(it).ok());
    let name = text.as_deref().and_then(|it| it.split_once('\0'));
    let name = name.map(|(device_type, name)| (device_type.to_owned(), name.to_owned()));
    name.ok_or_else(|| Refusal::new(Code::Malformed, "`after` is not what an earlier page gave as `next`."))
}
