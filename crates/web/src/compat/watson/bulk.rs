//! Many devices in one request (spec watson 5.6). The Python SDK registers and removes even a single device so.

use axum::Json;
use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use dialects::watson::http::{BulkAdd, BulkResult, HttpRefusal, bulk_remove};
use domain::{Code, DeviceName, Millis};

use super::access::Caller;
use super::devices::draft;
use super::reply::{Body, Refused};
use super::{BulkRemoveStatus, Watson};
use crate::stored::stored;
use platform::Ticket;

/// Parts of the `User-Agent` of SDKs that take 201 for a removal and nothing else.
const CREATED_AGENTS: [&str; 4] = ["axios", "node", "okhttp", "apache-httpclient"];

/// Registers what can be registered: 201 when that was all, 202 when some failed.
pub(super) async fn add(
    State(watson): State<Watson>,
    caller: Caller,
    Body(body): Body,
) -> Result<Response, Refused> {
    let now_ms = watson.shared.now_ms();
    let mut last = Ticket::NONE;
    let done: Vec<_> = BulkAdd::parse(&body, now_ms)?
        .into_iter()
        .map(|BulkAdd { device_type, name, device }| {
            let body = device.and_then(|it| draft(&watson.shared.platform, &caller, device_type.clone(), it));
            let token =
                body.and_then(|draft| register(&watson, &caller, draft, now_ms)).map(|(token, ticket)| {
                    last = last.max(ticket);
                    token
                });
            (device_type, name, token)
        })
        .collect();
    stored(&watson.shared.platform, last).await?;
    let results: Vec<_> = done
        .iter()
        .map(|(device_type, name, token)| match token {
            Ok(token) => BulkResult::created(device_type, name, token),
            Err(refusal) => BulkResult::failed(device_type, name, refusal),
        })
        .collect();
    let all = done.iter().all(|it| it.2.is_ok());
    let status = if all { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    Ok((status, Json(results)).into_response())
}

/// Removes devices. One that does not exist is removed already.
pub(super) async fn remove(
    State(watson): State<Watson>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    let names = bulk_remove(&body)?;
    let mut last = Ticket::NONE;
    let mut outcomes: Vec<Result<(), HttpRefusal>> = Vec::with_capacity(names.len());
    for (device_type, name) in &names {
        outcomes.push(match platform.drop_device(caller.org, DeviceName { device_type, name }) {
            Ok(ticket) => {
                last = last.max(ticket);
                Ok(())
            }
            Err(refusal) if refusal.code == Code::NotFound => Ok(()),
            Err(refusal) => Err(HttpRefusal::from(&refusal)),
        });
    }
    stored(platform, last).await?;
    let results: Vec<_> = std::iter::zip(&names, &outcomes)
        .map(|((device_type, name), outcome)| match outcome {
            Ok(()) => BulkResult::removed(device_type, name),
            Err(refusal) => BulkResult::failed(device_type, name, refusal),
        })
        .collect();
    Ok((removed_status(watson.bulk_remove_status, &headers), Json(results)).into_response())
}

fn register(
    watson: &Watson,
    caller: &Caller,
    draft: platform::NewDevice,
    now_ms: Millis,
) -> Result<(String, Ticket), HttpRefusal> {
    match watson.shared.platform.register(caller.org, draft, now_ms) {
        Ok((_, token, ticket)) => Ok((token, ticket)),
        Err(refusal) => Err(HttpRefusal::from(&refusal)),
    }
}

fn removed_status(rule: BulkRemoveStatus, headers: &HeaderMap) -> StatusCode {
    match rule {
        BulkRemoveStatus::Accepted => StatusCode::ACCEPTED,
        BulkRemoveStatus::Created => StatusCode::CREATED,
        BulkRemoveStatus::ByUserAgent => {
            let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
            let agent = agent.to_ascii_lowercase();
            let wants_created = CREATED_AGENTS.iter().any(|it| agent.contains(it));
            if wants_created { StatusCode::CREATED } else { StatusCode::ACCEPTED }
        }
    }
}
