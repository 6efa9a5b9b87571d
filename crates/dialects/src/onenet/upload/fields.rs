//! Types 5 and 6: a string of fields, with separators that the device chooses (spec onenet 4.7, 4.8).

use std::fmt::Write;

use domain::{Millis, Value};

use super::cursor::{Cursor, Wrong};
use super::sink::Sink;
use crate::Leniency;

/// Reads the fields of a string. What names no time has `default_ms`; values are texts, never numbers.
pub(super) fn read<'a>(
    mut string: Cursor<'a>,
    default_ms: Option<Millis>,
    sink: &mut Sink<'a, '_>,
) -> Result<(), Wrong> {
    let start = string;
    let [within, between] = string.array("the two separators")?;
    if within == between {
        return Err(start.wrong("the two separators are the same"));
    }
    let mut at = string.at();
    let mut number = String::new();
    for (position, field) in string.rest().split(|it| *it == between).enumerate() {
        let place = at;
        at += field.len() + 1;
        if field.is_empty() {
            continue;
        }
        let mut parts = field.split(|it| *it == within);
        let (id, time, value) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(value), None, ..) => {
                number.clear();
                // Writing to a string cannot fail.
                write!(number, "{position}").ok();
                (number.as_bytes(), &[][..], value)
            }
            (Some(id), Some(value), None, _) => (id, &[][..], value),
            (Some(id), Some(time), Some(value), None) => (id, time, value),
            _ => return Err(Wrong::malformed(place, "a field has more than three parts")),
        };
        if id.is_empty() || value.is_empty() {
            sink.forgive(Leniency::FieldSkipped);
            continue;
        }
        let text = std::str::from_utf8;
        let (Ok(id), Ok(time), Ok(value)) = (text(id), text(time), text(value)) else {
            return Err(Wrong::malformed(place, "a field is not UTF-8 text"));
        };
        let at_ms = sink.time_named(time).or(default_ms);
        sink.push(place, at_ms, id, Value::Text(value))?;
    }
    Ok(())
}
