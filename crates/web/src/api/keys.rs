//! `/v1/orgs/{org}/keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::Code;
use platform::{KeyChange, NewKey};
use serde::Deserialize;

use super::fault::Fault;
use super::org_of;
use super::request::{At, Body};
use super::shape::{self, KeyShape, RightsChange, RightsShape};
use crate::Shared;
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    key: Option<String>,
    token: Option<String>,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    rights: RightsShape,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    comment: Option<String>,
    rights: Option<RightsChange>,
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
    let rights = body.rights.read()?;
    let draft = NewKey { key: body.key, token: body.token, comment: body.comment, rights };
    let org = org_of(&shared, &org)?;
    let (key, token, ticket) = shared.platform.create_key(org, draft, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(KeyShape::from(&key).with_token(token))))
}

pub(super) async fn change(
    State(shared): State<Shared>,
    At((org, key)): At<(String, String)>,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Fault> {
    let org = org_of(&shared, &org)?;
    let known = shared.platform.key(org, &key);
    let known = known.ok_or_else(|| Fault::new(Code::NotFound, format!("There is no API key {key}.")))?;
    let rights = body.rights.map(|it| it.over(&known.rights)).transpose()?;
    let change = KeyChange { comment: body.comment, rights };
    let (key, ticket) = shared.platform.update_key(org, &key, change)?;
    stored(&shared.platform, ticket).await?;
    Ok(Json(KeyShape::from(&key)))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, key)): At<(String, String)>,
) -> Result<StatusCode, Fault> {
    let ticket = shared.platform.drop_key(org_of(&shared, &org)?, &key)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
