//! A data point as it is told to those who subscribe to its stream (spec onenet 6.6): one message for each point, with
//! the value alone as the payload.

use std::borrow::Cow;

use domain::Value;

/// The topic of a stream's points; `None` where the stream's name cannot be in a topic.
pub fn topic(device: &str, stream: &str) -> Option<String> {
    let topic = format!("/{device}/{stream}");
    mqtt::topic::check_name(&topic).is_ok().then_some(topic)
}

/// The payload: a text without quotes, a number or truth value as in JSON, JSON without blanks, bytes as they are.
pub fn payload(value: Value<'_>) -> Cow<'_, [u8]> {
    match value {
        Value::Bool(it) => Cow::Borrowed(if it { b"true" } else { b"false" }),
        Value::I64(it) => Cow::Owned(it.to_string().into_bytes()),
        Value::F64(it) => Cow::Owned(format!("{it:?}").into_bytes()),
        Value::Text(it) => Cow::Borrowed(it.as_bytes()),
        Value::Json(it) => compact(it),
        Value::Bytes(it) => Cow::Borrowed(it),
    }
}

/// Takes the blanks out of a JSON text, except within its texts.
fn compact(json: &str) -> Cow<'_, [u8]> {
    let is_blank = |it: &u8| matches!(it, b' ' | b'\t' | b'\r' | b'\n');
    if !json.as_bytes().iter().any(is_blank) {
        return Cow::Borrowed(json.as_bytes());
    }
    let (mut in_text, mut is_escaped) = (false, false);
    let kept = json.bytes().filter(|it| {
        let keep = in_text || !is_blank(it);
        if *it == b'"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && *it == b'\\' && !is_escaped;
        keep
    });
    Cow::Owned(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_its_value() {
        for (value, expected) in [
            (Value::Text("95%"), "95%"),
            (Value::Text(""), ""),
            (Value::I64(11), "11"),
            (Value::I64(-3), "-3"),
            (Value::F64(22.5), "22.5"),
            (Value::F64(34.0), "34.0"),
            (Value::Bool(true), "true"),
            (Value::Bool(false), "false"),
            (Value::Json("null"), "null"),
            (Value::Json("{\"a\":[1,2]}"), "{\"a\":[1,2]}"),
            (Value::Json("{ \"a b\" :\t[ 1,\r\n2 ] }"), "{\"a b\":[1,2]}"),
            (Value::Json(r#"[ "\" \\", " " ]"#), r#"["\" \\"," "]"#),
            (Value::Bytes(b"\xde\xad"), "\u{fffd}"),
        ] {
            match value {
                Value::Bytes(it) => assert_eq!(&*payload(value), it),
                _ => assert_eq!(String::from_utf8_lossy(&payload(value)), expected, "{value:?}"),
            }
        }
    }

    /// Device 9278 uploads 11 in stream 9527: the frame of spec 6.6, byte by byte.
    #[test]
    fn the_example_of_the_document_is_told() {
        let topic = topic("9278", "9527").unwrap_or_default();
        let payload = payload(Value::I64(11));
        let mut frame = vec![0x30, (2 + topic.len() + payload.len()) as u8, 0, topic.len() as u8];
        frame.extend_from_slice(topic.as_bytes());
        frame.extend_from_slice(&payload);
        let expected = b"\x30\x0e\x00\x0a\x2f\x39\x32\x37\x38\x2f\x39\x35\x32\x37\x31\x31";
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_stream_may_have_a_name_that_no_topic_has() {
        assert_eq!(topic("1", "温度/a b").as_deref(), Some("/1/温度/a b"));
        for stream in ["a+", "#", "\0", &"x".repeat(65_536)] {
            assert_eq!(topic("1", stream), None);
        }
    }
}
