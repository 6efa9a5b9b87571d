//! The HTTP device API, `/api/v1/{token}/…` (spec thingsboard 11.7): for devices that speak no MQTT.
//!
//! The token is the device's access token. Requests for commands and attribute changes wait until there is one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use dialects::Terms;
use dialects::thingsboard::http::HttpRefusal;
use dialects::thingsboard::http::device::{self, Awaited};
use dialects::thingsboard::http::telemetry::{attributes, readings};
use domain::rate::Traffic;
use domain::{Claim, Device, Fault, Identity, Login, Peer, Scope};
use platform::Sent;
use serde::Deserialize;

use super::ThingsBoard;
use super::reply::{At, Body, Params, Refused};
use crate::RemoteAddress;
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

/// What a request without points counts for.
const MESSAGE: Traffic = Traffic { messages: 1, readings: 0, points: 0 };

impl Caller {
    /// The device.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Counts a request that brings no points.
    pub(super) fn count_message(&self, of: &ThingsBoard) -> Result<(), Refused> {
        self.count(of, MESSAGE)
    }

    /// Counts a request, where traffic is bounded: more than is allowed is answered 429.
    fn count(&self, of: &ThingsBoard, own: Traffic) -> Result<(), Refused> {
        let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
        let metered = platform.metered(self.device.org, self.device.id, now_ms);
        let Some(metered) = metered else { return Ok(()) };
        Ok(platform.count_sent(&metered, Sent { own, ..Sent::default() }, now_ms)?)
    }

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
    caller: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let readings = readings(&body)?;
    let points = readings.iter().map(|(_, points)| points.len() as u64).sum();
    caller.count(&of, Traffic { messages: 0, readings: 1, points })?;
    let ticket = of.ways.measured(&caller.device, readings, "http");
    stored(&of.shared.platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn save_attributes(
    State(of): State<ThingsBoard>,
    caller: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let list = [(caller.device.id, attributes(&body)?)];
    caller.count(&of, MESSAGE)?;
    let ticket = platform.put_attributes(caller.device.org, Scope::Client, &list, now_ms, None)?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn find_attributes(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    caller.count(&of, MESSAGE)?;
    let wanted = device::wanted(params.get("clientKeys"), params.get("sharedKeys"));
    let found = of.shared.platform.find_attributes(caller.device.org, caller.device.id, &wanted);
    Ok(json(device::found(&found)))
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
    caller: Caller,
    At((_, number)): At<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let number =
        number.parse().map_err(|_| HttpRefusal::bad(format!("{number} is no number of a command.")))?;
    let text = std::str::from_utf8(&body).map_err(|_| HttpRefusal::bad("The answer is not UTF-8 text."))?;
    caller.count(&of, MESSAGE)?;
    of.shared.platform.answer_command(
        caller.device.org,
        caller.device.id,
        number,
        text.trim(),
        of.shared.now_ms(),
    );
    Ok(StatusCode::OK)
}

pub(super) async fn call(
    State(of): State<ThingsBoard>,
    caller: Caller,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    caller.count(&of, MESSAGE)?;
    let rules = of.shared.platform.rate_rules();
    let terms = Terms {
        payload_bytes_max: THINGSBOARD_BODY_BYTES_MAX,
        inflight_count_max: u16::MAX,
        own_rates: rules.own(caller.peer.is_gateway()),
        behind_rates: &rules.behind_gateway,
    };
    Ok(json(device::called(&caller.peer, &body, &terms)?))
}

pub(super) async fn claim(
    State(of): State<ThingsBoard>,
    caller: Caller,
    Body(body): Body,
) -> Result<StatusCode, Refused> {
    let (secret, duration_ms) = device::claim(&body)?;
    caller.count(&of, MESSAGE)?;
    let now_ms = of.shared.now_ms();
    of.shared.platform.open_to_claims(caller.device.org, caller.device.id, &secret, duration_ms, now_ms)?;
    Ok(StatusCode::OK)
}

/// A device without a login gets one, or hears that it gets none: in both cases with the status 200 (spec 7).
pub(super) async fn provision(
    State(of): State<ThingsBoard>,
    from: Option<Extension<RemoteAddress>>,
    Body(body): Body,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(RemoteAddress(it))| it);
    match platform.provision(&device::newcomer(&body)?, from, of.shared.now_ms()) {
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
