//! Attributes of devices (spec thingsboard 11.5). What is written into the shared scope is told to the device.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::HttpRefusal;
use dialects::thingsboard::http::telemetry::{self, print_attribute};
use domain::attribute::Keys;
use domain::{Device, Millis, Scope, Value};

use super::ThingsBoard;
use super::access::Caller;
use super::history::entity;
use super::reply::{At, Body, Params, Refused};
use crate::stored::stored;

fn scope_of(name: &str) -> Result<Scope, Refused> {
    let known = telemetry::scope(name);
    Ok(known.ok_or_else(|| HttpRefusal::bad(format!("There is no scope {name}.")))?)
}

/// Scopes that applications may write: a device's own attributes are for the device.
fn writable(name: &str) -> Result<Scope, Refused> {
    match scope_of(name)? {
        Scope::Client => {
            Err(HttpRefusal::bad("Attributes of the CLIENT_SCOPE are the device's to write.").into())
        }
        scope => Ok(scope),
    }
}

/// Shows the attributes of some scopes that are asked for.
fn each(
    of: &ThingsBoard,
    device: &Device,
    scopes: &[Scope],
    keys: &Keys,
    show: &mut dyn FnMut(&str, Millis, Value<'_>),
) {
    for scope in scopes {
        for it in of.shared.platform.attributes(device.org, device.id, *scope, keys) {
            show(&it.key, it.at_ms, it.value());
        }
    }
}

fn list_keys(of: &ThingsBoard, device: &Device, scopes: &[Scope]) -> Json<Vec<String>> {
    let mut found = Vec::new();
    each(of, device, scopes, &Keys::All, &mut |key, _, _| found.push(key.to_owned()));
    Json(found)
}

pub(super) async fn keys(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    Ok(list_keys(&of, &*entity(&of, &caller, (&kind, &id))?, &Scope::ALL))
}

pub(super) async fn keys_of_scope(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, scope)): At<(String, String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let scope = scope_of(&scope)?;
    Ok(list_keys(&of, &*entity(&of, &caller, (&kind, &id))?, &[scope]))
}

fn list_values(of: &ThingsBoard, device: &Device, scopes: &[Scope], params: &Params) -> Response {
    let keys = params.keys().map_or(Keys::All, Keys::Named);
    let mut to = String::from("[");
    each(of, device, scopes, &keys, &mut |key, at_ms, value| {
        if to.len() > 1 {
            to.push(',');
        }
        print_attribute(&mut to, key, at_ms, value);
    });
    to.push(']');
    ([(CONTENT_TYPE, "application/json")], to).into_response()
}

pub(super) async fn values(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    Ok(list_values(&of, &*entity(&of, &caller, (&kind, &id))?, &Scope::ALL, &params))
}

pub(super) async fn values_of_scope(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, scope)): At<(String, String, String)>,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let scope = scope_of(&scope)?;
    Ok(list_values(&of, &*entity(&of, &caller, (&kind, &id))?, &[scope], &params))
}

pub(super) async fn save(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((id, scope)): At<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let device = caller.device(&of.shared.platform, &id)?;
    write(&of, &device, &scope, &body).await
}

pub(super) async fn save_of_entity(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, scope)): At<(String, String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let device = entity(&of, &caller, (&kind, &id))?;
    write(&of, &device, &scope, &body).await
}

async fn write(
    of: &ThingsBoard,
    device: &Arc<Device>,
    scope: &str,
    body: &[u8],
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let (scope, list) = (writable(scope)?, [(device.id, telemetry::attributes(body)?)]);
    let ticket = platform.put_attributes(device.org, scope, &list, of.shared.now_ms(), None)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((id, scope)): At<(String, String)>,
    params: Params,
) -> Result<StatusCode, Refused> {
    let device = caller.device(&of.shared.platform, &id)?;
    forget(&of, &device, &scope, &params).await
}

pub(super) async fn remove_of_entity(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, scope)): At<(String, String, String)>,
    params: Params,
) -> Result<StatusCode, Refused> {
    let device = entity(&of, &caller, (&kind, &id))?;
    forget(&of, &device, &scope, &params).await
}

async fn forget(
    of: &ThingsBoard,
    device: &Arc<Device>,
    scope: &str,
    params: &Params,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let keys = params.keys().ok_or_else(|| HttpRefusal::bad("Name the keys to remove."))?;
    let ticket = platform.drop_attributes(device.org, device.id, scope_of(scope)?, keys)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}
