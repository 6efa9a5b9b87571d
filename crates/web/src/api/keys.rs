//! `/v1/orgs/{org}/keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use platform::NewKey;
use serde::Deserialize;

use super::fault::Fault;
use super::org_of;
use super::request::{At, Body};
use super::shape::{self, KeyShape};
use crate::Shared;
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    key: Option<String>,
    token: Option<String>,
    #[serde(default)]
    comment: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    At(org): At<String>,
) -> Result<impl IntoResponse, Fault> {
    let keys = shared.platform.keys(org_of(&shared, &org)?);
    let keys: Vec<_> = keys.iter().map(KeyShape::from).collect();
    Ok(shape::list("keys", keys))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    At(org): At<String>,
    Body(body): Body<Draft>,
) -> Result<impl IntoResponse, Fault> {
    let draft = NewKey { key: body.key, token: body.token, comment: body.comment };
    let org = org_of(&shared, &org)?;
    let (key, token, ticket) = shared.platform.create_key(org, draft, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(KeyShape::from(&key).with_token(token))))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, key)): At<(String, String)>,
) -> Result<StatusCode, Fault> {
    let ticket = shared.platform.drop_key(org_of(&shared, &org)?, &key)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
