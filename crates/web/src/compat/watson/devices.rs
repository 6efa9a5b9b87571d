//! Devices (spec watson 5.5).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::watson::http::{CreateDevice, DeviceView, HttpRefusal, LocationView, UpdateDevice};
use domain::{Class, Code, Device, DeviceName, OrgId, Refusal, Registrar};
use platform::{DeviceChange, NewDevice, Platform};

use super::Watson;
use super::access::Caller;
use super::lists::{self, Parameters, Scope};
use super::reply::{Body, Refused};
use crate::stored::stored;

/// The type and name of the path.
pub(super) type Named = Path<(String, String)>;

pub(super) async fn list_all(
    State(watson): State<Watson>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, Refused> {
    lists::devices(&watson.shared.platform, caller.org, Scope::default(), &parameters)
}

pub(super) async fn list(
    State(watson): State<Watson>,
    caller: Caller,
    Path(device_type): Path<String>,
    parameters: Parameters,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    if platform.device_type(caller.org, &device_type).is_none() {
        return Err(Refused::new(Code::NotFound, format!("There is no device type {device_type}.")));
    }
    let scope = Scope { device_type: Some(&device_type), ..Scope::default() };
    lists::devices(platform, caller.org, scope, &parameters)
}

pub(super) async fn list_of_gateway(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
    parameters: Parameters,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    let gateway = find(platform, caller.org, &device_type, &name)?;
    if gateway.class != Class::Gateway {
        let hint = format!("{} is not a gateway.", gateway.wire_name());
        return Err(Refused::new(Code::ClassMismatch, hint));
    }
    let scope = Scope { gateway: Some(gateway.id), ..Scope::default() };
    lists::devices(platform, caller.org, scope, &parameters)
}

pub(super) async fn create(
    State(watson): State<Watson>,
    caller: Caller,
    Path(device_type): Path<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    let now_ms = watson.shared.now_ms();
    let platform = &watson.shared.platform;
    let draft = draft(platform, &caller, device_type, CreateDevice::parse(&body, now_ms)?)?;
    let (device, token, ticket) = platform.register(caller.org, draft, now_ms)?;
    stored(platform, ticket).await?;
    let gateway = gateway_of(platform, &device);
    let view = DeviceView::new(&device, gateway.as_deref().map(Device::wire_name)).with_token(&token);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

pub(super) async fn show(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    Ok(shown(platform, &*find(platform, caller.org, &device_type, &name)?))
}

pub(super) async fn change(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
    Body(body): Body,
) -> Result<Response, Refused> {
    let UpdateDevice { info, metadata } = UpdateDevice::parse(&body)?;
    let change = DeviceChange { info, metadata, ..DeviceChange::default() };
    let name = DeviceName { device_type: &device_type, name: &name };
    let platform = &watson.shared.platform;
    let (device, ticket) = platform.update_device(caller.org, name, change)?;
    stored(platform, ticket).await?;
    Ok(shown(platform, &device))
}

pub(super) async fn remove(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
) -> Result<StatusCode, Refused> {
    let name = DeviceName { device_type: &device_type, name: &name };
    let platform = &watson.shared.platform;
    let ticket = platform.drop_device(caller.org, name)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn location(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
) -> Result<Response, Refused> {
    let device = find(&watson.shared.platform, caller.org, &device_type, &name)?;
    match &device.location {
        Some(location) => Ok(Json(LocationView::new(location)).into_response()),
        None => Err(Refused::new(Code::NotFound, format!("{} has no location.", device.wire_name()))),
    }
}

pub(super) async fn change_location(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
    Body(body): Body,
) -> Result<Response, Refused> {
    let location = dialects::watson::http::location(&body, watson.shared.now_ms())?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let platform = &watson.shared.platform;
    let (_, ticket) = platform.set_location(caller.org, name, location)?;
    stored(platform, ticket).await?;
    Ok(Json(LocationView::new(&location)).into_response())
}

/// No device is managed yet, so none has management data.
pub(super) async fn management(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
) -> Result<Response, Refused> {
    let device = find(&watson.shared.platform, caller.org, &device_type, &name)?;
    Err(Refused::new(Code::NotFound, format!("{} is not a managed device.", device.wire_name())))
}

/// What the registry is asked to register, from a body that was read.
pub(super) fn draft(
    platform: &Platform,
    caller: &Caller,
    device_type: String,
    body: CreateDevice,
) -> Result<NewDevice, HttpRefusal> {
    let gateway = match &body.gateway {
        None => None,
        Some((device_type, name)) => {
            let name = DeviceName { device_type, name };
            let gateway = platform.device(caller.org, name);
            let unknown = || HttpRefusal::not_valid(format!("The gateway {name} is not registered."));
            Some(gateway.ok_or_else(unknown)?.id)
        }
    };
    Ok(NewDevice {
        device_type,
        name: body.name,
        class: None,
        token: body.token,
        info: body.info,
        metadata: body.metadata,
        location: body.location,
        gateway,
        registrar: Registrar::ApiKey(caller.key.clone()),
    })
}

pub(super) fn find(
    platform: &Platform,
    org: OrgId,
    device_type: &str,
    name: &str,
) -> Result<Arc<Device>, Refusal> {
    let name = DeviceName { device_type, name };
    let device = platform.device(org, name);
    device.ok_or_else(|| Refusal::new(Code::NotFound, format!("The device {name} is not registered.")))
}

fn shown(platform: &Platform, device: &Device) -> Response {
    let gateway = gateway_of(platform, device);
    Json(DeviceView::new(device, gateway.as_deref().map(Device::wire_name))).into_response()
}

fn gateway_of(platform: &Platform, device: &Device) -> Option<Arc<Device>> {
    platform.device_by_id(device.org, device.gateway?)
}
