//! A command, whoever gave it, as each platform's devices expect one.
//!
//! A method with parameters and bare bytes are the same thing in other words: what a device is told does not depend on
//! which platform's application asked. Every dialect says it in one of the three forms here.

use std::borrow::Cow;

use domain::CommandBody;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What bytes without a name are called where commands have names.
const UNNAMED: &str = "command";

/// A command with a name, a format and a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// What to do.
    pub name: Cow<'a, str>,
    /// What the payload is: `json`, `text`, `bin`, or what whoever gave it said.
    pub format: Cow<'a, str>,
    /// With what.
    pub payload: &'a [u8],
}

/// As a method and its parameters, a JSON text. Bytes that are a JSON object with a method are that call; others are
/// the parameters of the method that their name is, as JSON or as a text.
pub fn as_call(body: &CommandBody) -> (Cow<'_, str>, Cow<'_, str>) {
    #[derive(Deserialize)]
    struct Call<'a> {
        method: String,
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }
    match body {
        CommandBody::Call { method, params } => (Cow::Borrowed(method), Cow::Borrowed(params)),
        CommandBody::Raw { name: Some(name), bytes, .. } => (Cow::Borrowed(name), as_json(bytes)),
        CommandBody::Raw { name: None, bytes, .. } => match serde_json::from_slice::<Call<'_>>(bytes) {
            Ok(Call { method, params }) => {
                let params = params.map_or(Cow::Borrowed("null"), |it| Cow::Borrowed(it.get()));
                (Cow::Owned(method), params)
            }
            Err(_) => (Cow::Borrowed(UNNAMED), as_json(bytes)),
        },
    }
}

/// As bytes: as they were given, or `{"method":…,"params":…}`.
pub fn as_bytes(body: &CommandBody) -> Cow<'_, [u8]> {
    match body {
        CommandBody::Raw { bytes, .. } => Cow::Borrowed(bytes),
        CommandBody::Call { method, params } => {
            let method = serde_json::Value::from(method.as_str());
            Cow::Owned(format!(r#"{{"method":{method},"params":{params}}}"#).into_bytes())
        }
    }
}

/// As a command with a name: the method with its parameters, or bytes, whose format is told by what they are unless
/// they came with one.
pub fn as_named(body: &CommandBody) -> Named<'_> {
    match body {
        CommandBody::Call { method, params } => {
            Named { name: Cow::Borrowed(method), format: Cow::Borrowed("json"), payload: params.as_bytes() }
        }
        CommandBody::Raw { name, format, bytes } => Named {
            name: Cow::Borrowed(name.as_deref().unwrap_or(UNNAMED)),
            format: Cow::Borrowed(format.as_deref().unwrap_or_else(|| format_of(bytes))),
            payload: bytes,
        },
    }
}

fn format_of(bytes: &[u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Err(_) => "bin",
        Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => "json",
        Ok(_) => "text",
    }
}

/// Bytes as JSON: as they are, or as a text.
fn as_json(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_str::<&RawValue>(&text) {
        // Without the blanks around it.
        Ok(json) => Cow::Owned(json.get().to_owned()),
        Err(_) => Cow::Owned(serde_json::Value::from(&*text).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: Option<&str>, format: Option<&str>, bytes: &[u8]) -> CommandBody {
        let [name, format] = [name, format].map(|it| it.map(str::to_owned));
        CommandBody::Raw { name, format, bytes: bytes.to_vec() }
    }

    #[test]
    fn every_command_can_be_said_in_every_form() {
        for (body, call, bytes, named) in [
            (
                CommandBody::call("set\"Speed", r#"{"rpm": 9}"#),
                ("set\"Speed", r#"{"rpm": 9}"#),
                &br#"{"method":"set\"Speed","params":{"rpm": 9}}"#[..],
                ("set\"Speed", "json", &br#"{"rpm": 9}"#[..]),
            ),
            (
                raw(None, None, b"LED ON"),
                ("command", r#""LED ON""#),
                b"LED ON",
                ("command", "text", b"LED ON"),
            ),
            (
                raw(None, None, b" {\"a\":1} "),
                ("command", r#"{"a":1}"#),
                b" {\"a\":1} ",
                ("command", "json", b" {\"a\":1} "),
            ),
            (
                raw(None, None, br#"{"id":1,"method":"on","params":[1, 2]}"#),
                ("on", "[1, 2]"),
                br#"{"id":1,"method":"on","params":[1, 2]}"#,
                ("command", "json", br#"{"id":1,"method":"on","params":[1, 2]}"#),
            ),
            (
                raw(None, None, br#"{"method":"on"}"#),
                ("on", "null"),
                br#"{"method":"on"}"#,
                ("command", "json", br#"{"method":"on"}"#),
            ),
            (
                raw(None, None, b"\xFF\x00"),
                ("command", "\"\u{FFFD}\\u0000\""),
                b"\xFF\x00",
                ("command", "bin", b"\xFF\x00"),
            ),
            (
                raw(Some("reboot"), Some("xml"), b"<in s='5'/>"),
                ("reboot", r#""<in s='5'/>""#),
                b"<in s='5'/>",
                ("reboot", "xml", b"<in s='5'/>"),
            ),
            (
                raw(Some("reboot"), Some("json"), br#"{"method":"x"}"#),
                ("reboot", r#"{"method":"x"}"#),
                br#"{"method":"x"}"#,
                ("reboot", "json", br#"{"method":"x"}"#),
            ),
        ] {
            let (method, params) = as_call(&body);
            assert_eq!((&*method, &*params), call, "{body:?}");
            assert_eq!(&*as_bytes(&body), bytes, "{body:?}");
            let Named { name, format, payload } = as_named(&body);
            assert_eq!((&*name, &*format, payload), named, "{body:?}");
        }
    }
}
