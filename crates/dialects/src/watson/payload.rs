//! Payloads of events, read into points.
//!
//! A JSON object is taken apart: member `t` of event `status` becomes the point `status.t`, members of nested objects
//! are joined with dots, arrays and `null` are kept as the text they came as. Everything else becomes one point named
//! after the event. Called for every event, so it builds no tree and copies nothing but into the points; a payload that
//! cannot be taken apart is kept whole, never dropped.

use std::borrow::Cow;
use std::fmt;

use domain::limits::{JSON_DEPTH_MAX, POINTS_PER_MESSAGE_COUNT_MAX};
use domain::{Points, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::POINT_KEY_BYTES_MAX;

/// Reads the points of an event into `points`, which is emptied first.
pub(super) fn points(event: &str, format: &str, payload: &[u8], points: &mut Points) {
    points.clear();
    match (format, std::str::from_utf8(payload)) {
        ("json", Ok(text)) => {
            if Members::read(event, text, points).is_ok() {
                return;
            }
            // Not JSON, not an object, or more than is taken apart: whatever was read so far gives way to the whole.
            points.clear();
            match serde_json::from_str::<&RawValue>(text) {
                Ok(whole) => push_value(event, whole.get(), points),
                Err(_) => points.push(event, Value::Bytes(payload)),
            }
        }
        ("text" | "txt" | "xml" | "csv", Ok(text)) => points.push(event, Value::Text(text)),
        _ => points.push(event, Value::Bytes(payload)),
    }
}

/// Pushes a JSON value as one point. `text` is valid JSON without space around it.
pub(crate) fn push_value(key: &str, text: &str, points: &mut Points) {
    let value = match text.as_bytes().first() {
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'"') => return push_text(key, text, points),
        Some(b'-' | b'0'..=b'9') => number(text),
        _ => Value::Json(text),
    };
    points.push(key, value);
}

/// A string without escapes is what stands between its quotes. One that is no Unicode text (a lone surrogate) stays
/// JSON.
fn push_text(key: &str, text: &str, points: &mut Points) {
    let inner = text.get(1..text.len() - 1).unwrap_or_default();
    let unescaped = if inner.contains('\\') {
        serde_json::from_str(text).map(Cow::Owned).ok()
    } else {
        Some(inner.into())
    };
    match unescaped {
        Some(inner) => points.push(key, Value::Text(&inner)),
        None => points.push(key, Value::Json(text)),
    }
}

/// A whole number that fits is one, any other is a float; one beyond the floats stays JSON.
fn number(text: &str) -> Value<'_> {
    if let Ok(whole) = text.parse() {
        return Value::I64(whole);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Value::F64(float),
        _ => Value::Json(text),
    }
}

/// Reads the members of one JSON object, nested ones included.
struct Members<'p> {
    /// The key of the object; each member's key is appended and cut off again.
    key: &'p mut String,
    points: &'p mut Points,
    /// How many objects enclose the members, this one included.
    depth: usize,
}

impl Members<'_> {
    /// Fails when `text` is no JSON object, or one that is not taken apart.
    fn read(event: &str, text: &str, points: &mut Points) -> Result<(), serde_json::Error> {
        let mut key = String::with_capacity(event.len() + 64);
        key.push_str(event);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Members { key: &mut key, points, depth: 1 }.deserialize(&mut deserializer)?;
        deserializer.end()
    }

    fn read_member(&mut self, text: &str) -> Result<(), serde_json::Error> {
        if text.starts_with('{') {
            let nested = Members { key: self.key, points: self.points, depth: self.depth + 1 };
            return nested.deserialize(&mut serde_json::Deserializer::from_str(text));
        }
        self.push(text)
    }

    fn push(&mut self, text: &str) -> Result<(), serde_json::Error> {
        if self.points.len() >= POINTS_PER_MESSAGE_COUNT_MAX || self.key.len() > POINT_KEY_BYTES_MAX {
            return Err(Error::custom("more points, or a longer key, than is taken apart"));
        }
        push_value(self.key, text, self.points);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > JSON_DEPTH_MAX {
            return Err(D::Error::custom("nested deeper than is taken apart"));
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let object_len = self.key.len();
        let mut is_empty = true;
        while map.next_key_seed(MemberKey(self.key))?.is_some() {
            is_empty = false;
            let value: &RawValue = map.next_value()?;
            self.read_member(value.get()).map_err(A::Error::custom)?;
            self.key.truncate(object_len);
        }
        if is_empty {
            self.push("{}").map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Appends a member's name to the key of its object.
struct MemberKey<'p>(&'p mut String);

impl<'de> DeserializeSeed<'de> for MemberKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberKey<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.push('.');
        self.0.push_str(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, payload: &[u8]) -> Points {
        let mut list = Points::new();
        list.push("left over", Value::Bool(true));
        points("e", format, payload, &mut list);
        list
    }

    fn nested(depth: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
    }

    fn members(count: usize) -> String {
        format!("{{{}}}", vec!["\"a\":1"; count].join(","))
    }

    #[test]
    fn an_object_is_taken_apart() {
        let payload = r#" { "t": 21.5, "n": -3, "on": true, "off": false, "who": "w\u00e4rm", "plain": "ä",
            "list": [1, {"x": 2}], "none": null, "deep": {"er": {"x.y": 1e2}, "": {}}, "n": 4 } "#;
        let points = read("json", payload.as_bytes());
        let expected = [
            ("e.t", Value::F64(21.5)),
            ("e.n", Value::I64(-3)),
            ("e.on", Value::Bool(true)),
            ("e.off", Value::Bool(false)),
            ("e.who", Value::Text("wärm")),
            ("e.plain", Value::Text("ä")),
            ("e.list", Value::Json(r#"[1, {"x": 2}]"#)),
            ("e.none", Value::Json("null")),
            ("e.deep.er.x.y", Value::F64(100.0)),
            ("e.deep.", Value::Json("{}")),
            ("e.n", Value::I64(4)),
        ];
        assert_eq!(points.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_object_is_one_point() {
        for (format, payload, expected) in [
            ("json", "21.5", Value::F64(21.5)),
            ("json", " 7 ", Value::I64(7)),
            ("json", "\"x\\ny\"", Value::Text("x\ny")),
            ("json", "true", Value::Bool(true)),
            ("json", "null", Value::Json("null")),
            ("json", "[1, 2]", Value::Json("[1, 2]")),
            ("json", "{}", Value::Json("{}")),
            ("json", "9223372036854775807", Value::I64(i64::MAX)),
            ("json", "9223372036854775808", Value::F64(9_223_372_036_854_775_808.0)),
            ("json", "1e999", Value::Json("1e999")),
            ("json", "\"\\ud800\"", Value::Json("\"\\ud800\"")),
            ("json", "{\"\\ud800\":1}", Value::Json("{\"\\ud800\":1}")),
            ("json", "{\"a\":1", Value::Bytes(b"{\"a\":1")),
            ("json", "{\"a\":1} x", Value::Bytes(b"{\"a\":1} x")),
            ("json", "", Value::Bytes(b"")),
            ("text", "{\"a\":1}", Value::Text("{\"a\":1}")),
            ("xml", "<a/>", Value::Text("<a/>")),
            ("bin", "abc", Value::Bytes(b"abc")),
        ] {
            let points = read(format, payload.as_bytes());
            assert_eq!(points.iter().collect::<Vec<_>>(), [("e", expected)], "{payload}");
        }
        let not_text = read("text", &[0xff]);
        assert_eq!(not_text.iter().collect::<Vec<_>>(), [("e", Value::Bytes(&[0xff]))]);
        let not_utf8 = read("json", b"{\"a\":\"\xff\"}");
        assert_eq!(not_utf8.iter().collect::<Vec<_>>(), [("e", Value::Bytes(b"{\"a\":\"\xff\"}"))]);
    }

    #[test]
    fn depth_count_and_key_length_are_bounded() {
        let long_key = |len: usize| format!("{{\"{}\":{{}}}}", "k".repeat(len - 2));
        let bounds = [
            (nested as fn(usize) -> String, JSON_DEPTH_MAX),
            (members, POINTS_PER_MESSAGE_COUNT_MAX),
            (long_key, POINT_KEY_BYTES_MAX),
        ];
        for (payload, max) in bounds {
            let within = read("json", payload(max).as_bytes());
            assert!(within.iter().all(|(key, _)| key.starts_with("e.")), "{max} is taken apart");
            let beyond = payload(max + 1);
            let whole = read("json", beyond.as_bytes());
            assert_eq!(
                whole.iter().collect::<Vec<_>>(),
                [("e", Value::Json(&beyond))],
                "{max} + 1 is kept whole"
            );
        }
    }

    #[test]
    fn every_beginning_of_a_payload_is_kept() {
        let payload = r#"{"a":"\u00e4\n","b":[{}],"c":{"d":1.5e-3,"e":null}}"#;
        for end in 0..payload.len() {
            let Some(part) = payload.get(..end) else { continue };
            let points = read("json", part.as_bytes());
            assert_eq!(points.iter().collect::<Vec<_>>(), [("e", Value::Bytes(part.as_bytes()))]);
        }
    }

    #[test]
    fn very_deep_nesting_does_not_exhaust_the_stack() {
        let deep = nested(40_000);
        assert_eq!(read("json", deep.as_bytes()).len(), 1);
        let arrays = format!("{{\"a\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
        assert_eq!(read("json", arrays.as_bytes()).len(), 1);
    }
}
