//! Commands as the API takes and shows them (spec thingsboard 8).

use domain::{Command, CommandState, Millis, Reply};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::bodies::read;
use super::{HttpRefusal, Uuid, entity};
use crate::command::as_call;
use crate::limits::{THINGSBOARD_COMMAND_MS, THINGSBOARD_COMMAND_MS_MIN};

/// The body of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandBody {
    /// What to do.
    pub method: String,
    /// With what: a JSON text; `null` when the body names nothing.
    pub params: String,
    /// When it stops being worth delivering or answering.
    pub deadline_ms: Millis,
    /// Whether it is kept, and answered at once.
    pub persistent: bool,
    /// How often it is sent again that is not acknowledged; `None`: as often as the server allows.
    pub retries_count_max: Option<u8>,
    /// What whoever asks wants to find again beside it: a JSON text.
    pub additional: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    timeout: Option<Millis>,
    expiration_time: Option<Millis>,
    persistent: Option<bool>,
    retries: Option<i64>,
    #[serde(borrow)]
    additional_info: Option<&'a RawValue>,
}

impl CommandBody {
    /// Reads the body. A text whose content is such a body is read, too: clients wrap it so.
    pub fn parse(body: &[u8], now_ms: Millis) -> Result<CommandBody, HttpRefusal> {
        if let Ok(text) = serde_json::from_slice::<String>(body) {
            return CommandBody::parse_object(text.as_bytes(), now_ms);
        }
        CommandBody::parse_object(body, now_ms)
    }

    fn parse_object(body: &[u8], now_ms: Millis) -> Result<CommandBody, HttpRefusal> {
        let members: Members<'_> = read(body)?;
        let method = members.method.filter(|it| !it.is_empty());
        let method = method.ok_or_else(|| HttpRefusal::bad("The command names no method."))?;
        let timeout_ms = members.timeout.unwrap_or(THINGSBOARD_COMMAND_MS).max(THINGSBOARD_COMMAND_MS_MIN);
        Ok(CommandBody {
            method,
            params: members.params.map_or_else(|| "null".to_owned(), |it| compact(it.get())),
            deadline_ms: members.expiration_time.unwrap_or_else(|| now_ms.saturating_add(timeout_ms)),
            persistent: members.persistent.unwrap_or(false),
            retries_count_max: members.retries.map(|it| u8::try_from(it.max(0)).unwrap_or(u8::MAX)),
            additional: members.additional_info.map(|it| it.get().to_owned()),
        })
    }
}

/// The same JSON without blanks, where that can be said.
fn compact(json: &str) -> String {
    let mut reader = super::super::json::Reader::new(json);
    let token = reader.token().and_then(|it| super::super::value::compact(&mut reader, it));
    token.unwrap_or_else(|_| json.to_owned())
}

/// A command as a device fetches it: `{"id", "method", "params"}`.
pub fn fetched(number: u32, method: &str, params: &str) -> String {
    let mut to = format!("{{\"id\":{number},\"method\":");
    super::telemetry::print_text(&mut to, method);
    to.push_str(",\"params\":");
    to.push_str(params);
    to.push('}');
    to
}

/// What has become of a stored command, in the API's word.
pub fn state(of: CommandState) -> &'static str {
    match of {
        CommandState::Queued => "QUEUED",
        CommandState::Sent => "SENT",
        CommandState::Delivered => "DELIVERED",
        CommandState::Successful => "SUCCESSFUL",
        CommandState::TimedOut => "TIMEOUT",
        CommandState::Expired => "EXPIRED",
        CommandState::Failed | CommandState::AnswerTooLarge => "FAILED",
    }
}

/// A stored command.
pub fn command(shown: &Command) -> Value {
    let id = Uuid::of_command(shown.id);
    let tenant = entity("TENANT", Uuid::of_org(shown.org));
    let device = entity("DEVICE", Uuid::of_device(shown.device));
    let (method, params) = as_call(&shown.body);
    let answer = shown.answer.as_deref().map(String::from_utf8_lossy);
    json!({
        "id": entity("RPC", id),
        "createdTime": shown.created_ms,
        "tenantId": tenant,
        "deviceId": device,
        "expirationTime": shown.deadline_ms,
        "request": {
            "id": id,
            "tenantId": tenant,
            "deviceId": device,
            "oneway": shown.reply == Reply::None,
            "expirationTime": shown.deadline_ms,
            "body": { "method": method, "params": params },
            "persisted": true,
            "retries": shown.retries_count_max,
        },
        "response": answer.as_deref().map(json_or_text),
        "status": state(shown.state),
        "additionalInfo": shown.additional.as_deref().map(json_or_text),
    })
}

/// A text as the JSON that it is, otherwise as a text.
fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_little_more_than_a_method() {
        let parse = |body: &str| CommandBody::parse(body.as_bytes(), 1_000);
        let plain = CommandBody {
            method: "m".to_owned(),
            params: "null".to_owned(),
            deadline_ms: 11_000,
            persistent: false,
            retries_count_max: None,
            additional: None,
        };
        assert_eq!(parse(r#"{"method":"m","requestUUID":"x"}"#), Ok(plain.clone()));
        assert_eq!(parse(r#""{\"method\":\"m\"}""#), Ok(plain.clone()), "in a text");
        let short = CommandBody { deadline_ms: 6_000, ..plain.clone() };
        assert_eq!(parse(r#"{"method":"m","timeout":1}"#), Ok(short), "5 s at least");
        for (retries, count_max) in [("0", 0), ("3", 3), ("-1", 0), ("1000", 255)] {
            let body = format!(r#"{{"method":"m","retries":{retries}}}"#);
            assert_eq!(parse(&body).map(|it| it.retries_count_max), Ok(Some(count_max)));
        }
        let full = CommandBody {
            params: r#"{"a":[1,"x y"]}"#.to_owned(),
            deadline_ms: 7,
            persistent: true,
            additional: Some("{}".to_owned()),
            ..plain
        };
        let body = r#"{"method":"m","params":{ "a": [1, "x y"] },"timeout":9000,"expirationTime":7,
            "persistent":true,"additionalInfo":{}}"#;
        assert_eq!(parse(body), Ok(full));
        for wrong in ["", "{}", r#"{"method":""}"#, r#"{"method":5}"#, "[]", "reboot"] {
            assert_eq!(parse(wrong).map_err(|it| it.status), Err(400), "{wrong}");
        }
    }

    #[test]
    fn a_device_fetches_number_method_and_parameters() {
        assert_eq!(fetched(0, "a\"b", "[1]"), r#"{"id":0,"method":"a\"b","params":[1]}"#);
    }
}
