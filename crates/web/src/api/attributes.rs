//! `/v1/orgs/{org}/devices/{type}/{name}/attributes`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialects::time::iso8601;
use domain::attribute::Keys;
use domain::{Code, DeviceId, DeviceName, OrgId, Points, Refusal, Scope, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::devices::device_of;
use super::fault::Fault;
use super::org_of;
use super::request::{At, Body, Params};
use super::shape::value;
use crate::Shared;
use crate::stored::stored;

/// Which attributes to remove: their keys, with commas between.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    keys: String,
}

#[derive(Serialize)]
struct AttributeShape {
    value: Box<RawValue>,
    at: String,
}

fn device(
    shared: &Shared,
    (org, device_type, name): &(String, String, String),
) -> Result<(OrgId, DeviceId), Refusal> {
    let org = org_of(shared, org)?;
    Ok((org, device_of(shared, org, DeviceName { device_type, name })?.id))
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At(path): At<(String, String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let (org, device) = device(&shared, &path)?;
    let scopes: BTreeMap<_, BTreeMap<String, AttributeShape>> = Scope::ALL
        .into_iter()
        .map(|scope| {
            let found = shared.platform.attributes(org, device, scope, &Keys::All);
            let shapes = found.into_iter().map(|it| {
                let shape = AttributeShape { value: value(it.value()), at: iso8601(it.at_ms) };
                (it.key, shape)
            });
            (scope.name(), shapes.collect())
        })
        .collect();
    Ok(Json(scopes))
}

pub(super) async fn write(
    State(shared): State<Shared>,
    At((org, device_type, name, scope)): At<(String, String, String, String)>,
    Body(body): Body<BTreeMap<String, Box<RawValue>>>,
) -> Result<StatusCode, Fault> {
    let (org, device) = device(&shared, &(org, device_type, name))?;
    let list = [(device, points(&body)?)];
    let ticket = shared.platform.put_attributes(org, writable(&scope)?, &list, shared.now_ms(), None)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, device_type, name, scope)): At<(String, String, String, String)>,
    Params(removal): Params<Removal>,
) -> Result<StatusCode, Fault> {
    let (org, device) = device(&shared, &(org, device_type, name))?;
    let keys = removal.keys.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let ticket = shared.platform.drop_attributes(org, device, scope_of(&scope)?, keys)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn scope_of(name: &str) -> Result<Scope, Refusal> {
    let known = Scope::ALL.into_iter().find(|it| it.name() == name);
    known.ok_or_else(|| Refusal::new(Code::NotFound, "A scope is client, shared or server."))
}

/// A device's own attributes are for the device to write.
fn writable(name: &str) -> Result<Scope, Refusal> {
    match scope_of(name)? {
        Scope::Client => Err(Refusal::new(Code::NotAllowed, "Client attributes are written by the device.")),
        scope => Ok(scope),
    }
}

/// Values as they were written: 42.0 stays a float, arrays and objects stay JSON.
fn points(body: &BTreeMap<String, Box<RawValue>>) -> Result<Points, Refusal> {
    let malformed = |hint: &str| Refusal::new(Code::Malformed, hint);
    let mut points = Points::new();
    for (key, raw) in body {
        if key.is_empty() {
            return Err(malformed("A key is empty."));
        }
        let text = raw.get();
        let parsed: serde_json::Value =
            serde_json::from_str(text).map_err(|it| malformed(&it.to_string()))?;
        points.push(
            key,
            match &parsed {
                serde_json::Value::Null => return Err(malformed("null is no value: remove the attribute.")),
                serde_json::Value::Bool(it) => Value::Bool(*it),
                serde_json::Value::Number(it) => match (it.as_i64(), it.as_f64()) {
                    (Some(whole), _) => Value::I64(whole),
                    (None, Some(float)) => Value::F64(float),
                    (None, None) => Value::Json(text),
                },
                serde_json::Value::String(it) => Value::Text(it),
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Json(text),
            },
        );
    }
    Ok(points)
}
