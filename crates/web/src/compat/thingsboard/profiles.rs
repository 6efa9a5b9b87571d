//! Device profiles: the device types (spec thingsboard 11.4). All have the default settings, but for how
//! their devices get their logins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialects::thingsboard::http::{self, HttpRefusal, Page, ProfileBody, ProfileProvisioning, Uuid};
use domain::{Class, DeviceType, Refusal};
use platform::{DEFAULT_TYPE, NewProvisioning, NewType, Ticket, TypeChange};
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

fn find(of: &ThingsBoard, caller: &Caller, id: Uuid) -> Result<Arc<DeviceType>, Refused> {
    let mut types = of.shared.platform.types(caller.org).into_iter();
    let found = types.find(|it| Uuid::of_type(caller.org, &it.name) == id);
    Ok(found.ok_or_else(HttpRefusal::not_found)?)
}

pub(super) async fn show(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(http::profile(&*find(&of, &caller, uuid(&id)?)?)))
}

/// Creates a profile, or changes what can be changed of one: its description, and how its devices get their logins.
pub(super) async fn save(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let body = ProfileBody::parse(&body)?;
    let (saved, ticket) = match body.id {
        None => create(&of, &caller, &body)?,
        Some(id) => change(&of, &caller, id, &body)?,
    };
    stored(&of.shared.platform, ticket).await?;
    Ok(Json(http::profile(&saved)))
}

/// A type as it is now, and when that is stored.
type Saved = (Arc<DeviceType>, Ticket);

fn create(of: &ThingsBoard, caller: &Caller, body: &ProfileBody) -> Result<Saved, Refused> {
    let platform = &of.shared.platform;
    let draft =
        NewType { description: body.description.clone(), ..NewType::named(&body.name, Class::Device) };
    let made = platform.create_type(caller.org, draft, of.shared.now_ms())?;
    let made = provide(of, made, body).inspect_err(|_| {
        // Nobody can have used it: it is as if it had never been.
        platform.drop_type(caller.org, &body.name).ok();
    })?;
    Ok(made)
}

fn change(of: &ThingsBoard, caller: &Caller, id: Uuid, body: &ProfileBody) -> Result<Saved, Refused> {
    let known = find(of, caller, id)?;
    if known.name != body.name {
        return Err(HttpRefusal::bad("Device profiles cannot be renamed here.").into());
    }
    let saved = provide(of, (known, Ticket::NONE), body)?;
    if body.description.is_none() || body.description == saved.0.description {
        return Ok(saved);
    }
    let change = TypeChange { description: body.description.clone(), ..TypeChange::default() };
    Ok(of.shared.platform.update_type(caller.org, &body.name, change, of.shared.now_ms())?)
}

/// Lets the devices of a type get their logins as the body says.
fn provide(of: &ThingsBoard, saved: Saved, body: &ProfileBody) -> Result<Saved, Refusal> {
    let known = &saved.0;
    let Some(ProfileProvisioning { rule, key, secret }) = body.provisioning.clone() else { return Ok(saved) };
    if rule.is_none() && known.provisioning.is_none() {
        return Ok(saved);
    }
    let draft = rule.map(|rule| NewProvisioning { rule, key, secret });
    of.shared.platform.set_provisioning(known.org, &known.name, draft, of.shared.now_ms())
}

pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(id): At<String>,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let name = &find(&of, &caller, uuid(&id)?)?.name;
    let ticket = platform.drop_type(caller.org, name)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}
