//! Telemetry and attributes as the API reads and prints them (spec thingsboard 5.3, 11.5). Payloads are read as over
//! MQTT: leniently, and with the same types.

use std::fmt::Write;
use std::ops::ControlFlow;

use domain::{Intent, Millis, Points, Scope, Value};

use super::super::request;
use super::super::topic::{Own, Subject};
use super::super::value::{print, quote};
use super::HttpRefusal;

/// What was measured, each with its time; `None`: now.
pub type Readings = Vec<(Option<Millis>, Points)>;

/// How values are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// All of them as texts, as the API does unless it is asked for strict types.
    Text,
    /// As JSON has them.
    Typed,
}

/// Telemetry of one device, in any of its forms (spec 4.2).
pub fn readings(body: &[u8]) -> Result<Readings, HttpRefusal> {
    let mut readings = Readings::new();
    let mut each = |intent: Intent<'_>| {
        if let Intent::Telemetry { at_ms, points, .. } = intent {
            readings.push((at_ms, points));
        }
        ControlFlow::Continue(())
    };
    request::read(Subject::Own(Own::Telemetry), body, &mut each).map_err(|it| HttpRefusal::from(&it))?;
    readings.retain(|(_, points)| !points.is_empty());
    Ok(readings)
}

/// Attributes of one device: an object.
pub fn attributes(body: &[u8]) -> Result<Points, HttpRefusal> {
    let mut found = Points::new();
    let mut each = |intent: Intent<'_>| {
        if let Intent::Attributes { points, .. } = intent {
            found = points;
        }
        ControlFlow::Continue(())
    };
    request::read(Subject::Own(Own::Attributes), body, &mut each).map_err(|it| HttpRefusal::from(&it))?;
    Ok(found)
}

/// The scope of a name such as `SHARED_SCOPE`.
pub fn scope(name: &str) -> Option<Scope> {
    match name {
        "CLIENT_SCOPE" => Some(Scope::Client),
        "SHARED_SCOPE" => Some(Scope::Shared),
        "SERVER_SCOPE" => Some(Scope::Server),
        _ => None,
    }
}

/// Appends a text in quotes.
pub fn print_text(to: &mut String, text: &str) {
    quote(to, text);
}

/// Appends `{"ts":…,"value":…}`.
pub fn print_point(to: &mut String, at_ms: Millis, value: Value<'_>, how: Print) {
    // Writing to a string cannot fail.
    write!(to, "{{\"ts\":{at_ms},\"value\":").ok();
    print_value(to, value, how);
    to.push('}');
}

/// Appends a value.
pub fn print_value(to: &mut String, value: Value<'_>, how: Print) {
    match (how, value) {
        (Print::Typed, _) | (Print::Text, Value::Text(_) | Value::Bytes(_)) => print(to, value),
        (Print::Text, Value::Json(it)) => quote(to, it),
        (Print::Text, Value::F64(it)) => _ = write!(to, "\"{}\"", float(it)),
        (Print::Text, Value::Bool(_) | Value::I64(_)) => {
            to.push('"');
            print(to, value);
            to.push('"');
        }
    }
}

/// Appends `{"lastUpdateTs":…,"key":…,"value":…}`.
pub fn print_attribute(to: &mut String, key: &str, at_ms: Millis, value: Value<'_>) {
    write!(to, "{{\"lastUpdateTs\":{at_ms},\"key\":").ok();
    quote(to, key);
    to.push_str(",\"value\":");
    print(to, value);
    to.push('}');
}

/// A float as that platform's language prints it: with a point, and with an exponent from 10⁷ and below 10⁻³.
fn float(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_unless_types_are_asked_for() {
        for (value, text, typed) in [
            (Value::Bool(true), r#""true""#, "true"),
            (Value::I64(-73), r#""-73""#, "-73"),
            (Value::F64(42.0), r#""42.0""#, "42.0"),
            (Value::F64(0.0), r#""0.0""#, "0.0"),
            (Value::F64(1e10), r#""1.0E10""#, "10000000000.0"),
            (Value::F64(-1.25e-7), r#""-1.25E-7""#, "-1.25e-7"),
            (Value::F64(9_999_999.5), r#""9999999.5""#, "9999999.5"),
            (Value::F64(f64::INFINITY), r#""Infinity""#, r#""inf""#),
            (Value::Text("a\"b"), r#""a\"b""#, r#""a\"b""#),
            (Value::Json(r#"{"a":1}"#), r#""{\"a\":1}""#, r#"{"a":1}"#),
        ] {
            for (how, expected) in [(Print::Text, text), (Print::Typed, typed)] {
                let mut to = String::new();
                print_value(&mut to, value, how);
                assert_eq!(to, expected, "{value:?} {how:?}");
            }
        }
    }

    #[test]
    fn telemetry_and_attributes_are_read_as_over_mqtt() {
        let times = |body: &str| {
            let read = readings(body.as_bytes());
            read.map(|it| it.iter().map(|it| it.0).collect::<Vec<_>>()).map_err(|it| it.status)
        };
        assert_eq!(times("{temperature:25}"), Ok(vec![None]));
        assert_eq!(times(r#"[{"ts":5,"values":{"a":1}},{"b":2},{}]"#), Ok(vec![Some(5), None]));
        assert_eq!(times("5"), Err(400));
        assert_eq!(times("{"), Err(400));
        let read = attributes(br#"{"a":"42","b":null}"#).expect("attributes");
        assert_eq!(read.iter().collect::<Vec<_>>(), [("a", Value::I64(42))]);
        assert_eq!(attributes(b"[]").map_err(|it| it.error_code), Err(31));
    }
}
