//! Claiming: a customer has the device whose secret it knows (spec thingsboard 6.2).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::{Authority, HttpRefusal};
use platform::ClaimOutcome;
use serde::Deserialize;
use serde_json::json;

use super::ThingsBoard;
use super::access::Caller;
use super::devices::view;
use super::reply::{At, Body, Refused};
use crate::stored::stored;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    secret_key: Option<String>,
}

pub(super) async fn claim(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(name): At<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    let platform = &of.shared.platform;
    if caller.authority != Authority::Customer {
        return Err(
            HttpRefusal::denied("Devices are claimed by customers: keys with restricted rights.").into()
        );
    }
    let request: Option<Request> = match body.trim_ascii() {
        b"" => None,
        body => serde_json::from_slice(body)
            .map_err(|it| HttpRefusal::bad(format!("The body cannot be read: {it}.")))?,
    };
    let secret = request.unwrap_or_default().secret_key.unwrap_or_default();
    let device = platform.device_named(caller.org, &name).ok_or_else(HttpRefusal::not_found)?;
    let now_ms = of.shared.now_ms();
    let (outcome, ticket) = platform.claim(caller.org, device.id, &caller.key.key, &secret, now_ms)?;
    stored(platform, ticket).await?;
    Ok(match outcome {
        ClaimOutcome::Granted => {
            Json(json!({ "device": view(platform, &device), "response": "SUCCESS" })).into_response()
        }
        ClaimOutcome::Taken => (StatusCode::BAD_REQUEST, Json("CLAIMED")).into_response(),
        ClaimOutcome::Failed | ClaimOutcome::NoWindow => {
            (StatusCode::BAD_REQUEST, Json("FAILURE")).into_response()
        }
    })
}

/// Gives a device back: by whoever has it, or an administrator.
pub(super) async fn unclaim(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(name): At<String>,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let device = caller.device_named(platform, &name)?;
    let ticket = platform.unclaim(caller.org, device.id, of.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}
