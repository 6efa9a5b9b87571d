//! Device profiles: the device types (spec thingsboard 11.4). All have the default settings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialects::thingsboard::http::{self, HttpRefusal, Page, Uuid};
use domain::{Class, DeviceType};
use platform::{DEFAULT_TYPE, NewType};
use serde::Deserialize;
use serde_json::Value;

use super::ThingsBoard;
use super::access::{Administrator, Caller, uuid};
use super::devices::Wanted;
use super::reply::{At, Body, Params, Refused};
use crate::stored::stored;

/// The profile of devices that name none: it is made when it is first asked for.
pub(super) async fn default_info(
    State(of): State<ThingsBoard>,
    caller: Caller,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    if let Some(known) = platform.device_type(caller.org, DEFAULT_TYPE) {
        return Ok(Json(http::profile_info(&known)));
    }
    let draft = NewType::named(DEFAULT_TYPE, Class::Device);
    let (made, ticket) = platform.create_type(caller.org, draft, of.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(Json(http::profile_info(&made)))
}

pub(super) async fn list_infos(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    page(&of, &caller, &params, http::profile_info).map(Json)
}

pub(super) async fn list(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    page(&of, &caller, &params, http::profile).map(Json)
}

fn page(
    of: &ThingsBoard,
    caller: &Caller,
    params: &Params,
    show: fn(&DeviceType) -> Value,
) -> Result<Page, Refused> {
    let wanted = Wanted::of(params)?;
    let text = params.get("textSearch").map(str::to_lowercase);
    let mut types = of.shared.platform.types(caller.org);
    types.retain(|it| text.as_ref().is_none_or(|text| it.name.to_lowercase().contains(text)));
    let total = types.len();
    Ok(wanted.cut(types, total, |it| show(&it)))
}

fn find(of: &ThingsBoard, caller: &Caller, id: &str) -> Result<Arc<DeviceType>, Refused> {
    let id = uuid(id)?;
    let mut types = of.shared.platform.types(caller.org).into_iter();
    let found = types.find(|it| Uuid::of_type(caller.org, &it.name) == id);
    Ok(found.ok_or_else(HttpRefusal::not_found)?)
}

pub(super) async fn show(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(http::profile(&*find(&of, &caller, &id)?)))
}

#[derive(Deserialize)]
struct Draft {
    id: Option<Value>,
    name: String,
    description: Option<String>,
}

pub(super) async fn create(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let draft: Draft = serde_json::from_slice(&body)
        .map_err(|it| HttpRefusal::bad(format!("The body cannot be read: {it}.")))?;
    if draft.id.is_some_and(|it| !it.is_null()) {
        return Err(HttpRefusal::bad("Device profiles cannot be changed here.").into());
    }
    let platform = &of.shared.platform;
    let draft = NewType { description: draft.description, ..NewType::named(&draft.name, Class::Device) };
    let (made, ticket) = platform.create_type(caller.org, draft, of.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(Json(http::profile(&made)))
}

pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(id): At<String>,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let name = &find(&of, &caller, &id)?.name;
    let ticket = platform.drop_type(caller.org, name)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}
