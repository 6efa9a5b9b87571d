//! The HTTP device API, `/api/v1/{token}/…` (spec thingsboard 11.7): for devices that speak no MQTT.
//!
//! The token is the device's access token. Requests for commands and attribute changes wait until there is one.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use dialects::Terms;
use dialects::thingsboard::http::HttpRefusal;
use dialects::thingsboard::http::device::{self, Awaited};
use dialects::thingsboard::http::telemetry::{attributes, readings};
use domain::{Claim, Device, Fault, Identity, Login, Peer, Scope};
use serde::Deserialize;

use super::ThingsBoard;
use super::reply::{At, Body, Params, Refused};
use crate::limits::{THINGSBOARD_BODY_BYTES_MAX, THINGSBOARD_POLL_MS_MAX};
use crate::stored::stored;

/// The device whose token is in the path. Nobody's token is answered 401, with nothing in it.
pub(super) struct Caller {
    device: Arc<Device>,
    peer: Peer,
}

#[derive(Deserialize)]
struct Path {
    token: String,
}

impl FromRequestParts<ThingsBoard> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, of: &ThingsBoard) -> Result<Caller, Response> {
        let path = At::<Path>::from_request_parts(parts, of).await;
        let At(Path { token }) = path.map_err(IntoResponse::into_response)?;
        let caller = Caller::find(of, &token).ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?;
        if !caller.peer.rights().is_everything() {
            let message = "The device may not do everything over MQTT, and nothing over HTTP.";
            return Err(Refused::from(HttpRefusal::denied(message)).into_response());
        }
        of.shared.platform.heard(caller.device.org, caller.device.id, of.shared.now_ms());
        Ok(caller)
    }
}

impl Caller {
    fn find(of: &ThingsBoard, token: &str) -> Option<Caller> {
        let platform = &of.shared.platform;
        let identity = Identity::Login { user: token, client_id: "" };
        let peer = platform.admit(&Claim { org: "", identity, token: b"" }, "http").ok()?;
        let device = platform.device_by_id(peer.org(), peer.device_id()?)?;
        let (login, _) = platform.login(device.org, device.id).ok()?;
        matches!(&*login, Login::AccessToken(_)).then_some(Caller { device, peer })
    }
}

pub(super) async fn telemetry(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let ticket = of.ways.measured(&device, readings(&body)?, "http");
    stored(&of.shared.platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn save_attributes(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let list = [(device.id, attributes(&body)?)];
    let ticket = platform.put_attributes(device.org, Scope::Client, &list, now_ms, None)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn find_attributes(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    params: Params,
) -> impl IntoResponse {
    let wanted = device::wanted(params.get("clientKeys"), params.get("sharedKeys"));
    let found = of.shared.platform.find_attributes(device.org, device.id, &wanted);
    json(device::found(&found))
}

pub(super) async fn next_attributes(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    params: Params,
) -> Result<Response, Refused> {
    next(&of, &device, Awaited::Attributes, &params).await
}

pub(super) async fn next_command(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    params: Params,
) -> Result<Response, Refused> {
    next(&of, &device, Awaited::Command, &params).await
}

/// Waits for what comes next, at most `timeout` milliseconds.
async fn next(
    of: &ThingsBoard,
    device: &Device,
    awaited: Awaited,
    params: &Params,
) -> Result<Response, Refused> {
    let timeout_ms = params.number("timeout")?.unwrap_or(THINGSBOARD_POLL_MS_MAX);
    let notice = of.ways.next_notice(device, awaited)?;
    if awaited == Awaited::Command {
        of.shared.platform.deliver_waiting(device.org, device.id, of.shared.now_ms());
    }
    let timeout = Duration::from_millis(timeout_ms.min(THINGSBOARD_POLL_MS_MAX));
    Ok(match tokio::time::timeout(timeout, notice).await {
        Ok(Ok(text)) => json(text).into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    })
}

pub(super) async fn answer(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    At((_, number)): At<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let number =
        number.parse().map_err(|_| HttpRefusal::bad(format!("{number} is no number of a command.")))?;
    let text = std::str::from_utf8(&body).map_err(|_| HttpRefusal::bad("The answer is not UTF-8 text."))?;
    of.shared.platform.answer_command(device.org, device.id, number, text.trim(), of.shared.now_ms());
    Ok(StatusCode::OK)
}

pub(super) async fn call(caller: Caller, Body(body): Body) -> Result<impl IntoResponse, Refused> {
    let terms = Terms { payload_bytes_max: THINGSBOARD_BODY_BYTES_MAX, inflight_count_max: u16::MAX };
    Ok(json(device::called(&caller.peer, &body, &terms)?))
}

pub(super) async fn claim(
    State(of): State<ThingsBoard>,
    Caller { device, .. }: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let (secret, duration_ms) = device::claim(&body)?;
    let now_ms = of.shared.now_ms();
    of.shared.platform.open_to_claims(device.org, device.id, &secret, duration_ms, now_ms)?;
    Ok(StatusCode::OK)
}

/// A device without a login gets one, or hears that it gets none: in both cases with the status 200 (spec 7).
pub(super) async fn provision(
    State(of): State<ThingsBoard>,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    match platform.provision(&device::newcomer(&body)?, of.shared.now_ms()) {
        Ok((login, ticket)) => {
            stored(platform, ticket).await?;
            Ok(json(device::provisioned(Ok(&login))))
        }
        Err(refusal) if refusal.code.fault() == Fault::Ours => Err(refusal.into()),
        Err(refusal) => Ok(json(device::provisioned(Err(&refusal)))),
    }
}

fn json(text: String) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], text)
}
