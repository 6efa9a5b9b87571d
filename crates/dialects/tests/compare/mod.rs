//! Compares what a transcript says with what the model sent.

use serde_json::Value;
use sim::transcript::{Payload, Publish};

use crate::model::Sent;

/// Whether a written PUBLISH is the one that was sent; the packet id may be any.
pub(crate) fn message(written: &Publish, sent: &Sent) -> Result<(), String> {
    let header =
        (written.qos, written.packet_id.is_some(), written.dup, written.retain, written.topic.as_str());
    let found = (sent.qos, sent.packet_id.is_some(), sent.dup, sent.retain, sent.topic.as_str());
    if header != found {
        return Err(format!("the message is {found:?}, not {header:?}"));
    }
    payload(&written.payload, &sent.payload)
}

/// Whether a payload is as written.
pub(crate) fn payload(written: &Payload, found: &[u8]) -> Result<(), String> {
    let holds = match written {
        Payload::Bytes(bytes) => bytes == found,
        Payload::Subset(text) => {
            let wanted = serde_json::from_str(text).map_err(|it| format!("{text}: {it}"))?;
            serde_json::from_slice(found).is_ok_and(|found| holds_all(&wanted, &found))
        }
    };
    let shown = String::from_utf8_lossy(found.get(..200).unwrap_or(found));
    if holds { Ok(()) } else { Err(format!("the payload is {shown}")) }
}

/// Whether `found` has every member of `wanted`, and none that is `null` there.
fn holds_all(wanted: &Value, found: &Value) -> bool {
    let (Value::Object(wanted), Value::Object(found)) = (wanted, found) else { return false };
    wanted.iter().all(|(name, value)| match value {
        Value::Null => !found.contains_key(name),
        value => found.get(name) == Some(value),
    })
}
