//! Device types (spec watson 5.4).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::watson::http::{CreateType, DeviceTypeView, UpdateType};
use domain::Code;
use platform::{NewType, TypeChange};

use super::Watson;
use super::access::Caller;
use super::lists::{self, Parameters};
use super::reply::{Body, Refused};
use crate::stored::stored;

pub(super) async fn list(
    State(watson): State<Watson>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, Refused> {
    lists::device_types(watson.shared.platform.types(caller.org), &parameters)
}

pub(super) async fn create(
    State(watson): State<Watson>,
    caller: Caller,
    Body(body): Body,
) -> Result<Response, Refused> {
    let CreateType { name, class, description, info, metadata } = CreateType::parse(&body)?;
    let draft = NewType { name, class, description, info, metadata };
    let platform = &watson.shared.platform;
    let (device_type, ticket) = platform.create_type(caller.org, draft, watson.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(DeviceTypeView::new(&device_type))).into_response())
}

pub(super) async fn show(
    State(watson): State<Watson>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Refused> {
    match watson.shared.platform.device_type(caller.org, &name) {
        Some(device_type) => Ok(Json(DeviceTypeView::new(&device_type)).into_response()),
        None => Err(Refused::new(Code::NotFound, format!("There is no device type {name}."))),
    }
}

pub(super) async fn change(
    State(watson): State<Watson>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    let UpdateType { description, info, metadata } = UpdateType::parse(&body)?;
    let change = TypeChange { description, info, metadata };
    let platform = &watson.shared.platform;
    let (device_type, ticket) = platform.update_type(caller.org, &name, change, watson.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(Json(DeviceTypeView::new(&device_type)).into_response())
}

pub(super) async fn remove(
    State(watson): State<Watson>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    let platform = &watson.shared.platform;
    let ticket = platform.drop_type(caller.org, &name)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
