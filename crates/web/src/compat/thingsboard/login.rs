//! Logging in and out, and who one is (spec thingsboard 11.1).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialects::thingsboard::http::{self, HttpRefusal};
use serde::Deserialize;

use super::ThingsBoard;
use super::access::Caller;
use super::reply::{Body, Refused};
use super::tokens::Use;

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refresh {
    refresh_token: String,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, HttpRefusal> {
    serde_json::from_slice(body).map_err(|it| HttpRefusal::bad(format!("The body cannot be read: {it}.")))
}

pub(super) async fn login(
    State(of): State<ThingsBoard>,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let Login { username, password } = read(&body)?;
    let caller = Caller::logged_in(&of.shared.platform, &username, &password)?;
    Ok(Json(of.tokens.pair(&caller.key, caller.authority, of.shared.now_ms())))
}

pub(super) async fn refresh(
    State(of): State<ThingsBoard>,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let Refresh { refresh_token } = read(&body)?;
    let caller = Caller::with_token(&of, &refresh_token, Use::Refresh)?;
    Ok(Json(of.tokens.pair(&caller.key, caller.authority, of.shared.now_ms())))
}

/// Nothing is kept of a login, so there is nothing to forget: the token is good until its time is over.
pub(super) async fn logout(_: Caller) -> StatusCode {
    StatusCode::OK
}

pub(super) async fn user(caller: Caller) -> impl IntoResponse {
    Json(http::user(&caller.key, caller.authority))
}
