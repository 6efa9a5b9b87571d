//! Commands to devices, one-way, two-way and kept (spec thingsboard 8).
//!
//! A request waits in memory until the device has the command or has answered, and until the deadline at most: the
//! platform tells. The older paths differ in the statuses of what was not done.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use dialects::command::as_call;
use dialects::thingsboard::http::rpc::{self, CommandBody};
use dialects::thingsboard::http::{HttpRefusal, Page, Uuid};
use domain::{Command, DeviceId, Keeping, Reply};
use platform::{NewCommand, Outcome};
use serde_json::json;
use tokio::sync::oneshot;

use super::ThingsBoard;
use super::access::{Caller, uuid};
use super::devices::Wanted;
use super::reply::{At, Body, Params, Refused};
use crate::limits::THINGSBOARD_COMMAND_WAIT_MS_MAX;
use crate::stored::stored;

/// Which paths a command came by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paths {
    /// `/api/rpc/…`
    New,
    /// `/api/plugins/rpc/…`
    Old,
}

impl Paths {
    fn late(self, was_taken: bool) -> StatusCode {
        match (self, was_taken) {
            (Paths::New, _) => StatusCode::GATEWAY_TIMEOUT,
            (Paths::Old, true) => StatusCode::REQUEST_TIMEOUT,
            (Paths::Old, false) => StatusCode::CONFLICT,
        }
    }
}

pub(super) async fn one_way(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    command(&of, &caller, &id, &body, Reply::None, Paths::New).await
}

pub(super) async fn two_way(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    command(&of, &caller, &id, &body, Reply::Wanted, Paths::New).await
}

pub(super) async fn old_one_way(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    command(&of, &caller, &id, &body, Reply::None, Paths::Old).await
}

pub(super) async fn old_two_way(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    Body(body): Body,
) -> Result<Response, Refused> {
    command(&of, &caller, &id, &body, Reply::Wanted, Paths::Old).await
}

async fn command(
    of: &ThingsBoard,
    caller: &Caller,
    id: &str,
    body: &[u8],
    reply: Reply,
    paths: Paths,
) -> Result<Response, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let device = match caller.device(platform, id) {
        Err(Refused(refusal)) if refusal.status == 404 => return Ok(no_device()),
        found => found?.id,
    };
    let CommandBody { method, params, mut deadline_ms, persistent, retries_count_max, additional } =
        CommandBody::parse(body, now_ms)?;
    if !persistent {
        deadline_ms = deadline_ms.min(now_ms + THINGSBOARD_COMMAND_WAIT_MS_MAX);
    }
    let (done, outcome) = oneshot::channel();
    let draft = NewCommand {
        keeping: if persistent { Keeping::Stored } else { Keeping::Passing },
        retries_count_max,
        additional,
        // Whoever asked may be gone.
        done: Some(Box::new(|it| _ = done.send(it).ok())),
        ..NewCommand::passing(domain::CommandBody::Call { method, params }, reply, deadline_ms)
    };
    let (command, ticket) = platform.command(caller.org, device, draft, now_ms)?;
    if persistent {
        stored(platform, ticket).await?;
        return Ok(Json(json!({ "rpcId": Uuid::of_command(command) })).into_response());
    }
    Ok(match outcome.await {
        Ok(Outcome::Taken) => StatusCode::OK.into_response(),
        Ok(Outcome::Answered(answer)) => answered(answer),
        Ok(Outcome::Late { was_taken }) => paths.late(was_taken).into_response(),
        Ok(Outcome::Removed) | Err(_) => no_device(),
    })
}

/// The device's own JSON.
fn answered(answer: String) -> Response {
    if serde_json::from_str::<serde::de::IgnoredAny>(&answer).is_err() {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}

fn no_device() -> Response {
    (StatusCode::NOT_FOUND, "Device with requested id wasn't found!").into_response()
}

/// A stored command to a device that the caller may see.
fn find(of: &ThingsBoard, caller: &Caller, id: &str) -> Result<Command, Refused> {
    let platform = &of.shared.platform;
    let id = uuid(id)?.command().ok_or_else(HttpRefusal::not_found)?;
    let found = platform.stored_command(caller.org, id).ok_or_else(HttpRefusal::not_found)?;
    caller.device(platform, &Uuid::of_device(found.device).to_string())?;
    Ok(found)
}

pub(super) async fn show(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(rpc::command(&find(&of, &caller, &id)?)))
}

pub(super) async fn remove(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<StatusCode, Refused> {
    let platform = &of.shared.platform;
    let ticket = platform.drop_command(caller.org, find(&of, &caller, &id)?.id, of.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn list(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let device = caller.device(&of.shared.platform, &id)?.id;
    page(&of, &caller, device, &params).map(Json)
}

fn page(of: &ThingsBoard, caller: &Caller, device: DeviceId, params: &Params) -> Result<Page, Refused> {
    let wanted = Wanted::of(params)?;
    let (state, text) = (params.get("rpcStatus"), params.get("textSearch"));
    let mut list = of.shared.platform.stored_commands(caller.org, device);
    list.retain(|it| {
        state.is_none_or(|state| rpc::state(it.state) == state)
            && text.is_none_or(|text| as_call(&it.body).0.contains(text))
    });
    if params.get("sortOrder") == Some("DESC") {
        list.reverse();
    }
    let total = list.len();
    Ok(wanted.cut(list, total, |it| rpc::command(&it)))
}
