//! Uploads of data points: what is published to `$dp` (spec onenet 4).
//!
//! The first byte says one of eight types; how each goes on is a file of its own: `json` (types 1 to 4), `fields` (5
//! and 6), `floats` (7) and `entries` (8). Called for every upload, so it builds no tree and copies nothing but into
//! the points. An upload is good as a whole or refused as a whole, and it never reads a clock: what names no time was
//! measured when it was received.

use std::borrow::Cow;
use std::ops::ControlFlow;

use domain::{Millis, Points, Refusal};

use super::time::{self, Zone};
use cursor::{Cursor, Wrong};
use sink::Sink;

use crate::{Leniencies, Leniency};

mod cursor;
mod entries;
mod fields;
mod floats;
mod json;
mod sink;

/// A part of an upload, in the order of the upload.
#[derive(Clone, Debug, PartialEq)]
pub enum Uploaded<'a> {
    /// Points of one time that stand one behind the other. A stream may have several of them.
    Points {
        /// When; `None`: when the upload was received.
        at_ms: Option<Millis>,
        /// The streams and their values. Never empty.
        points: Points,
    },
    /// The one thing that an upload of type 2 holds.
    Binary(Binary<'a>),
}

/// Bytes that are not a value, but are kept beside the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary<'a> {
    /// The stream.
    pub stream: Cow<'a, str>,
    /// When; `None`: when the upload was received.
    pub at_ms: Option<Millis>,
    /// What the device says about them: any JSON text.
    pub description: Option<&'a str>,
    /// At most [`ONENET_BINARY_BYTES_MAX`](crate::limits::ONENET_BINARY_BYTES_MAX).
    pub bytes: &'a [u8],
}

/// Reads an upload, and gives what it holds to `each` part by part, until that breaks. Hot. Times that name no zone are
/// on the clocks of `zone`. The answer says which rules were broken that are forgiven.
///
/// # Errors
///
/// The upload cannot be read, or is beyond a bound: whatever was given until then is void, the connection is to be
/// closed, and nothing acknowledged (spec 4.1). The hint says what is wrong and at which byte of the payload.
pub fn read<'a>(
    payload: &'a [u8],
    zone: Zone,
    each: &mut dyn FnMut(Uploaded<'a>) -> ControlFlow<()>,
) -> Result<Leniencies, Refusal> {
    let mut sink = Sink::new(zone, payload.len(), each);
    match read_type(Cursor::new(payload), &mut sink) {
        Ok(()) => Ok(sink.finish()),
        Err(wrong) => Err(wrong.refusal(payload.first().map(|it| it & TYPE_BITS))),
    }
}

/// Reads the text of an upload of type 1, 3, 4 or 5 where it comes alone: without type and length (spec 8.7).
///
/// # Errors
///
/// As [`read`].
pub fn read_text<'a>(
    kind: u8,
    text: &'a [u8],
    zone: Zone,
    each: &mut dyn FnMut(Uploaded<'a>) -> ControlFlow<()>,
) -> Result<Leniencies, Refusal> {
    let (mut sink, cursor) = (Sink::new(zone, text.len(), each), Cursor::new(text));
    let outcome = match kind {
        1 => json::Text::of(cursor).and_then(|it| json::streams(it, &mut sink)),
        3 => json::Text::of(cursor).and_then(|it| json::values(it, &mut sink)),
        4 => json::Text::of(cursor).and_then(|it| json::values_at(it, &mut sink)),
        5 => fields::read(cursor, None, &mut sink),
        _ => Err(cursor.wrong("there is no such type of a text alone")),
    };
    match outcome {
        Ok(()) => Ok(sink.finish()),
        Err(wrong) => Err(wrong.refusal(Some(kind))),
    }
}

/// Bits of the first byte that say the type.
const TYPE_BITS: u8 = 0x3F;
/// Bit of the first byte that says that a date of six bytes follows, in types 6 and 7.
const DATED: u8 = 0x80;

fn read_type<'a>(mut cursor: Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    let whole = cursor;
    let first = cursor.byte("the type")?;
    let kind = first & TYPE_BITS;
    let flags = first & !TYPE_BITS & if matches!(kind, 6 | 7) { !DATED } else { !0 };
    if flags != 0 {
        sink.forgive(Leniency::Flags);
    }
    match kind {
        1 => json::streams(sized_text(&mut cursor, sink)?, sink),
        2 => json::binary(cursor, sink),
        3 => json::values(sized_text(&mut cursor, sink)?, sink),
        4 => json::values_at(sized_text(&mut cursor, sink)?, sink),
        5 => match sized(&mut cursor, sink) {
            Ok(string) => fields::read(string, None, sink),
            Err(wrong) => dated_floats(whole, sink).map_err(|_| wrong),
        },
        6 => {
            let at_ms = flagged_date(first, &mut cursor, sink)?;
            fields::read(sized(&mut cursor, sink)?, at_ms, sink)
        }
        7 => {
            let at_ms = flagged_date(first, &mut cursor, sink)?;
            floats::read(cursor, at_ms, sink)
        }
        8 => entries::read(sized(&mut cursor, sink)?, sink),
        _ => Err(whole.wrong("there is no such type: 1 to 8 are known")),
    }
}

/// The literal reading of the document's damaged pages: type 5 with what belongs to type 7 (spec 4.10). It cannot be
/// taken for the other: the bytes of a date from 2016 on are a length that is more than what such an upload has.
fn dated_floats<'a>(whole: Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    let mut cursor = whole;
    cursor.byte("the type")?;
    let at_ms = date(&mut cursor, sink)?;
    floats::read(cursor, at_ms, sink)?;
    sink.forgive(Leniency::BinaryType5);
    Ok(())
}

fn flagged_date<'a>(
    first: u8,
    cursor: &mut Cursor<'a>,
    sink: &mut Sink<'a, '_>,
) -> Result<Option<Millis>, Wrong> {
    if first & DATED == 0 { Ok(None) } else { date(cursor, sink) }
}

/// Six bytes of date; all of them zero mean now.
fn date<'a>(cursor: &mut Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<Option<Millis>, Wrong> {
    let start = *cursor;
    let bytes = cursor.array::<6>("the date of six bytes")?;
    if bytes == [0; 6] {
        sink.forgive(Leniency::DateZero);
        return Ok(None);
    }
    let at_ms = time::date(bytes, sink.zone).ok_or_else(|| start.wrong("there is no such date and time"))?;
    Ok(Some(at_ms))
}

/// What has its length in two bytes before it. What stands behind it is ignored.
fn sized<'a>(cursor: &mut Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<Cursor<'a>, Wrong> {
    let len = cursor.u16("the length of two bytes")?;
    let inner = cursor.take(usize::from(len), "what the length announces")?;
    if !cursor.is_empty() {
        sink.forgive(Leniency::TrailingBytes);
    }
    Ok(inner)
}

fn sized_text<'a>(cursor: &mut Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<json::Text<'a>, Wrong> {
    json::Text::of(sized(cursor, sink)?)
}

#[cfg(test)]
mod tests;
