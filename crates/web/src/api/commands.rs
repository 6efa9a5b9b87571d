//! `/v1/orgs/{org}/devices/{type}/{name}/commands`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dialects::command::as_call;
use domain::{
    Code, Command, CommandBody, CommandId, CommandState, DeviceName, Keeping, Millis, Refusal, Reply,
};
use platform::{NewCommand, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::devices::device_of;
use super::fault::Fault;
use super::org_of;
use super::request::{At, Body};
use crate::Shared;
use crate::limits::COMMAND_MS_DEFAULT;
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// A method with its parameters, or else a text for the device alone to understand.
    method: Option<String>,
    params: Option<Box<RawValue>>,
    payload: Option<String>,
    /// Whether to wait for the device's answer.
    #[serde(default = "yes")]
    reply: bool,
    timeout_ms: Option<Millis>,
    /// Keep the command, and answer at once with its id.
    #[serde(default)]
    stored: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize)]
struct OutcomeShape {
    /// `taken`, `answered` or `late`.
    outcome: &'static str,
    answer: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct CommandShape {
    id: String,
    method: String,
    state: &'static str,
    answer: Option<Box<RawValue>>,
}

pub(super) async fn create(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
    Body(body): Body<Draft>,
) -> Result<Response, Fault> {
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let device = device_of(&shared, org, name)?.id;
    let now_ms = shared.now_ms();
    let (done, outcome) = oneshot::channel();
    let what = match (&body.method, &body.payload) {
        (Some(method), None) => {
            CommandBody::call(method, body.params.as_deref().map_or("null", RawValue::get))
        }
        (None, Some(payload)) if body.params.is_none() => CommandBody::raw(payload.as_bytes()),
        _ => {
            let hint = "Name a method, with its parameters if it has any, or a payload.";
            return Err(Fault::new(Code::Malformed, hint));
        }
    };
    let reply = if body.reply { Reply::Wanted } else { Reply::None };
    let deadline_ms = now_ms.saturating_add(body.timeout_ms.unwrap_or(COMMAND_MS_DEFAULT));
    let draft = NewCommand {
        keeping: if body.stored { Keeping::Stored } else { Keeping::Passing },
        // Whoever asked may be gone.
        done: Some(Box::new(|it| _ = done.send(it).ok())),
        ..NewCommand::passing(what, reply, deadline_ms)
    };
    let (id, ticket) = shared.platform.command(org, device, draft, now_ms)?;
    if body.stored {
        stored(&shared.platform, ticket).await?;
        let id = serde_json::json!({ "id": id.0.to_string() });
        return Ok((StatusCode::ACCEPTED, Json(id)).into_response());
    }
    let shape = match outcome.await {
        Ok(Outcome::Taken) => OutcomeShape { outcome: "taken", answer: None },
        Ok(Outcome::Answered(it)) => OutcomeShape { outcome: "answered", answer: Some(json(&it)) },
        Ok(Outcome::Late { .. }) => OutcomeShape { outcome: "late", answer: None },
        Ok(Outcome::Removed) | Err(_) => {
            return Err(Fault::new(Code::NotFound, "The device was removed meanwhile."));
        }
    };
    Ok(Json(shape).into_response())
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At((org, id)): At<(String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let (org, id) = (org_of(&shared, &org)?, command_id(&id)?);
    let command = shared.platform.stored_command(org, id).ok_or_else(no_command)?;
    Ok(Json(CommandShape::from(command)))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, id)): At<(String, String)>,
) -> Result<StatusCode, Fault> {
    let (org, id) = (org_of(&shared, &org)?, command_id(&id)?);
    let ticket = shared.platform.drop_command(org, id, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn command_id(text: &str) -> Result<CommandId, Refusal> {
    text.parse().map(CommandId).map_err(|_| no_command())
}

fn no_command() -> Refusal {
    Refusal::new(Code::NotFound, "There is no such command: only stored ones are kept.")
}

/// A device's answer, which need not be JSON.
fn json(answer: &str) -> Box<RawValue> {
    let text = || serde_json::value::to_raw_value(answer).unwrap_or_default();
    serde_json::from_str::<Box<RawValue>>(answer).unwrap_or_else(|_| text())
}

impl From<Command> for CommandShape {
    fn from(command: Command) -> CommandShape {
        CommandShape {
            id: command.id.0.to_string(),
            method: as_call(&command.body).0.into_owned(),
            state: match command.state {
                CommandState::Queued => "queued",
                CommandState::Sent => "sent",
                CommandState::Delivered => "delivered",
                CommandState::Successful => "successful",
                CommandState::TimedOut => "timed_out",
                CommandState::Expired => "expired",
                CommandState::Failed => "failed",
                CommandState::AnswerTooLarge => "answer_too_large",
            },
            answer: command.answer.as_deref().map(String::from_utf8_lossy).as_deref().map(json),
        }
    }
}
