//! Commands to devices: given, asked after, listed (spec onenet 7.2, 7.4, 7.5).

use axum::extract::State;
use dialects::command::as_bytes;
use dialects::onenet::command::{command_of, uuid};
use dialects::onenet::http::commands::{HistoryQuery, Sending, item, shown};
use dialects::onenet::http::{Errno, HttpRefusal};
use domain::{Code, Command, CommandBody, CommandState, Method};
use platform::{NewCommand, Waiting};
use serde::Serialize;
use serde_json::json;

use super::OneNet;
use super::access::Caller;
use super::reply::{At, Body, Params, Raw, Refused, Reply};
use crate::limits::{COMMAND_MS_DEFAULT, ONENET_ANSWER_BYTES_MAX, ONENET_COMMAND_BYTES_MAX};
use crate::stored::stored;

pub(super) async fn give(
    State(of): State<OneNet>,
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let id = params.wanted("device_id")?;
    let found = caller.device(&of, Method::Post, id)?;
    let sending = Sending::parse(params.get("qos"), params.get("timeout"))?;
    match body.len() {
        0 => return Err(Errno::DataRequired.into()),
        it if it >= ONENET_COMMAND_BYTES_MAX => return Err(Errno::TooLarge.into()),
        _ => {}
    }
    let body = CommandBody::raw(&body);
    let draft = match sending {
        Sending::Now => {
            NewCommand { waiting: Waiting::Never, ..NewCommand::once(body, now_ms + COMMAND_MS_DEFAULT) }
        }
        Sending::Once { within_ms } => NewCommand::once(body, now_ms + within_ms),
        Sending::UntilAnswered { within_ms } => NewCommand::until_answered(body, now_ms + within_ms),
    };
    let given = platform.command(found.device.org, found.device.id, draft, now_ms);
    let (command, ticket) = given.map_err(|refusal| match refusal.code {
        Code::DeviceAbsent => HttpRefusal::new(Errno::NotOnline, id).into(),
        _ => Refused::from(refusal),
    })?;
    stored(platform, ticket).await?;
    Ok(Reply::with(&json!({ "cmd_uuid": uuid(command) })))
}

/// A command to a device of the product, with which the key may do this.
fn find(of: &OneNet, caller: &Caller, id: &str) -> Result<Command, Refused> {
    let platform = &of.shared.platform;
    let found = command_of(id).and_then(|it| platform.stored_command(caller.0.org, it));
    let found = found.ok_or_else(|| HttpRefusal::not_found(format!("command {id}")))?;
    let number = platform.numbered(found.device).map(|it| it.number.to_string());
    caller.device(of, Method::Get, &number.unwrap_or_default())?;
    Ok(found)
}

pub(super) async fn show(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
) -> Result<Reply, Refused> {
    Ok(Reply::with(&shown(find(&of, &caller, &id)?.state)))
}

/// What the device answered, as it came.
pub(super) async fn answer(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
) -> Result<Raw, Refused> {
    let found = find(&of, &caller, &id)?;
    let answer = found.answer.filter(|_| found.state == CommandState::Successful);
    Ok(Raw(answer.ok_or(Errno::NotFound)?))
}

pub(super) async fn list(
    State(of): State<OneNet>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<Reply, Refused> {
    #[derive(Serialize)]
    struct Page<T> {
        per_page: usize,
        page: usize,
        total_count: usize,
        count: usize,
        items: Vec<T>,
    }
    let found = caller.device(&of, Method::Get, &id)?;
    let query = HistoryQuery::parse(|it| params.get(it), of.zone)?;
    let wanted = params.page(30, 100)?;
    let mut commands = of.shared.platform.stored_commands(found.device.org, found.device.id);
    commands.retain(|it| query.picks(it));
    let total_count = commands.len();
    let page = commands.iter().skip(wanted.skip_count()).take(wanted.per_page);
    let page: Vec<&Command> = page.collect();
    // Two characters for each byte.
    let bytes_of = |it: &&Command| 2 * (as_bytes(&it.body).len() + it.answer.as_ref().map_or(0, Vec::len));
    if page.iter().map(bytes_of).sum::<usize>() > ONENET_ANSWER_BYTES_MAX {
        return Err(HttpRefusal::new(Errno::SystemLimit, "ask for fewer commands: per_page").into());
    }
    let items: Vec<_> = page.iter().map(|it| item(it, found.numbered.number, of.zone)).collect();
    let (per_page, page, count) = (wanted.per_page, wanted.page, items.len());
    Ok(Reply::with(&Page { per_page, page, total_count, count, items }))
}
