//! `/v1/orgs`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::{Code, OrgId, Refusal};
use platform::OrgChange;
use serde::Deserialize;

use super::fault::Fault;
use super::org_of;
use super::request::{At, Body};
use super::shape::{self, OrgShape};
use crate::Shared;
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrg {
    id: Option<String>,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    name: Option<String>,
    enabled: Option<bool>,
    device_count_max: Option<u64>,
    device_per_gateway_count_max: Option<u64>,
}

pub(super) async fn list(State(shared): State<Shared>) -> impl IntoResponse {
    let orgs: Vec<_> = shared.platform.orgs().iter().map(OrgShape::from).collect();
    shape::list("orgs", orgs)
}

pub(super) async fn create(
    State(shared): State<Shared>,
    Body(body): Body<NewOrg>,
) -> Result<impl IntoResponse, Fault> {
    let read = |it: &str| {
        OrgId::parse(it).ok_or_else(|| {
            let hint = format!("{it} is no id of an organisation: those have six characters of a-z and 0-9.");
            Refusal::new(Code::Malformed, hint)
        })
    };
    let id = body.id.as_deref().map(read).transpose()?;
    let (org, ticket) = shared.platform.create_org(id, &body.name, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(OrgShape::from(&org))))
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At(org): At<String>,
) -> Result<impl IntoResponse, Fault> {
    let id = org_of(&shared, &org)?;
    let org =
        shared.platform.org(id).ok_or_else(|| Fault::new(Code::NotFound, "It has just been removed."))?;
    Ok(Json(OrgShape::from(&org)))
}

pub(super) async fn change(
    State(shared): State<Shared>,
    At(org): At<String>,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Fault> {
    let change = OrgChange {
        name: body.name,
        enabled: body.enabled,
        device_count_max: body.device_count_max,
        device_per_gateway_count_max: body.device_per_gateway_count_max,
    };
    let (org, ticket) = shared.platform.update_org(org_of(&shared, &org)?, change)?;
    stored(&shared.platform, ticket).await?;
    Ok(Json(OrgShape::from(&org)))
}
