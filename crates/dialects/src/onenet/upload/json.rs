//! Types 1 to 4: JSON texts (spec onenet 4.3 to 4.6).
//!
//! A text is walked member by member, and each value is a part of the text that is walked again where more of it is
//! wanted: four levels are known, none deeper is ever entered. Everything is JSON as in RFC 8259. Of members with the
//! same name that are wanted once, the last counts; members that nobody asked for are passed over.

use std::borrow::Cow;
use std::fmt;

use domain::Millis;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Binary;
use super::cursor::{Cursor, Wrong};
use super::sink::{Sink, check_stream};
use crate::Leniency;
use crate::limits::{ONENET_BINARY_BYTES_MAX, ONENET_DEPTH_MAX};
use crate::watson::payload::push_value;

/// Type 1: `{"datastreams":[{"id":"…","datapoints":[{"at":"…","value":…}]}]}`
pub(super) fn streams<'a>(text: Text<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    let [streams] = text.wanted(["datastreams"])?;
    let streams = streams.ok_or_else(|| text.wrong("`datastreams` is missing"))?;
    streams.elements(|stream| {
        let [id, points] = stream.wanted(["id", "datapoints"])?;
        let id = id.ok_or_else(|| stream.wrong("`id` is missing"))?;
        let name = id.string().ok_or_else(|| id.wrong("`id` is not a text"))?;
        check_stream(id.at, &name)?;
        let points = points.ok_or_else(|| stream.wrong("`datapoints` is missing"))?;
        points.elements(|point| {
            let [at, value] = point.wanted(["at", "value"])?;
            let value = value.ok_or_else(|| point.wrong("`value` is missing"))?;
            let at_ms = time_of(at, sink);
            push(value, at_ms, &name, sink)
        })
    })
}

/// Type 2: `{"ds_id":"…","at":"…","desc":…}`, then the bytes with their length in four bytes.
pub(super) fn binary<'a>(mut cursor: Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    let len = cursor.u16("the length of two bytes")?;
    let text = Text::of(cursor.take(usize::from(len), "the description")?)?;
    let [id, at, description] = text.wanted(["ds_id", "at", "desc"])?;
    let id = id.ok_or_else(|| text.wrong("`ds_id` is missing"))?;
    let stream = id.string().ok_or_else(|| id.wrong("`ds_id` is not a text"))?;
    check_stream(id.at, &stream)?;
    if let Some(description) = description {
        check_depth(description)?;
    }
    let at_ms = time_of(at, sink);
    let len = cursor.u32("the length of four bytes")? as usize;
    if len > ONENET_BINARY_BYTES_MAX {
        let what = format!("{len} bytes are more than the {ONENET_BINARY_BYTES_MAX} that may be sent");
        return Err(Wrong { code: domain::Code::TooLarge, at: cursor.at(), what: what.into() });
    }
    let bytes = cursor.take(len, "what the length announces")?.rest();
    if !cursor.is_empty() {
        return Err(cursor.wrong("something follows the bytes that the length announces"));
    }
    sink.give_binary(Binary { stream, at_ms, description: description.map(|it| it.text), bytes });
    Ok(())
}

/// Type 3: `{"stream":value}`
pub(super) fn values<'a>(text: Text<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    text.members(|stream, value| push(value, None, &stream, sink))
}

/// Type 4: `{"stream":{"time":value}}`
pub(super) fn values_at<'a>(text: Text<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    text.members(|stream, values| {
        check_stream(values.at, &stream)?;
        values.members(|at, value| {
            let at_ms = sink.time_named(&at);
            push(value, at_ms, &stream, sink)
        })
    })
}

/// Appends a value of any shape.
pub(super) fn push<'a>(
    value: Text<'a>,
    at_ms: Option<Millis>,
    stream: &str,
    sink: &mut Sink<'a, '_>,
) -> Result<(), Wrong> {
    check_depth(value)?;
    push_value(stream, value.text, sink.points_for(value.at, at_ms, stream)?);
    Ok(())
}

/// What a member `at` says: `null` is as good as none.
fn time_of<'a>(at: Option<Text<'a>>, sink: &mut Sink<'a, '_>) -> Option<Millis> {
    let at = at.filter(|it| it.text != "null")?;
    match at.string() {
        Some(text) => sink.time_named(&text),
        None => {
            sink.forgive(Leniency::TimeUnreadable);
            None
        }
    }
}

/// Whoever reads a value later may not be able to go as deep as it is nested.
fn check_depth(value: Text<'_>) -> Result<(), Wrong> {
    if !value.text.starts_with(['{', '[']) {
        return Ok(());
    }
    let (mut depth, mut in_text, mut is_escaped) = (0, false, false);
    for byte in value.text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        if depth > ONENET_DEPTH_MAX {
            return Err(value.wrong(format!("a value is nested deeper than {ONENET_DEPTH_MAX}")));
        }
    }
    Ok(())
}

/// A part of the payload that is text, with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    pub(super) fn of(cursor: Cursor<'a>) -> Result<Text<'a>, Wrong> {
        Ok(Text { text: cursor.text()?, at: cursor.at() })
    }

    /// The text as one JSON value, without the blanks around it.
    pub(super) fn whole(self) -> Result<Text<'a>, Wrong> {
        match serde_json::from_str::<&RawValue>(self.text) {
            Ok(value) => Ok(self.part(value)),
            Err(error) => Err(self.not_json(&error)),
        }
    }

    fn wrong(self, what: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong::malformed(self.at, what)
    }

    /// A value that stands in this text.
    fn part(self, value: &'a RawValue) -> Text<'a> {
        let text = value.get();
        Text { text, at: self.at + (text.as_ptr().addr() - self.text.as_ptr().addr()) }
    }

    /// What a string says; `None` of anything else, and of what is no text (half a surrogate pair).
    fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        match inner.contains('\\') {
            true => serde_json::from_str(self.text).map(Cow::Owned).ok(),
            false => Some(Cow::Borrowed(inner)),
        }
    }

    /// The members of these names of an object.
    fn wanted<const N: usize>(self, names: [&str; N]) -> Result<[Option<Text<'a>>; N], Wrong> {
        let mut found = [None; N];
        self.members(|name, value| {
            for (slot, wanted) in found.iter_mut().zip(names) {
                if name == wanted {
                    *slot = Some(value);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Gives the members of an object to `each`.
    fn members(self, mut each: impl FnMut(Cow<'a, str>, Text<'a>) -> Result<(), Wrong>) -> Result<(), Wrong> {
        self.begins_with('{', "an object is expected here")?;
        let mut wrong = None;
        let mut json = serde_json::Deserializer::from_str(self.text);
        let visitor = Members(|name, value| keep(each(name, self.part(value)), &mut wrong));
        let outcome = json.deserialize_map(visitor).and_then(|()| json.end());
        self.outcome(outcome, wrong)
    }

    /// Gives the elements of a list to `each`.
    fn elements(self, mut each: impl FnMut(Text<'a>) -> Result<(), Wrong>) -> Result<(), Wrong> {
        self.begins_with('[', "a list is expected here")?;
        let mut wrong = None;
        let mut json = serde_json::Deserializer::from_str(self.text);
        let visitor = Elements(|value| keep(each(self.part(value)), &mut wrong));
        let outcome = json.deserialize_seq(visitor).and_then(|()| json.end());
        self.outcome(outcome, wrong)
    }

    /// What JSON's reader would say of another shape has the peer's text in it, which may be long.
    fn begins_with(self, bracket: char, expected: &'static str) -> Result<(), Wrong> {
        let begins = self.text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(bracket);
        if begins { Ok(()) } else { Err(self.wrong(expected)) }
    }

    fn outcome(self, outcome: serde_json::Result<()>, wrong: Option<Wrong>) -> Result<(), Wrong> {
        outcome.map_err(|error| wrong.unwrap_or_else(|| self.not_json(&error)))
    }

    fn not_json(self, error: &serde_json::Error) -> Wrong {
        let line_start: usize =
            self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = self.at + line_start + error.column().saturating_sub(1);
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        Wrong::malformed(at, what.to_owned())
    }
}

/// Why a walk was ended from within.
struct Ended;

/// Keeps what is wrong where it can be found again: an error of JSON's reader can hold nothing but a text.
fn keep(outcome: Result<(), Wrong>, wrong: &mut Option<Wrong>) -> Result<(), Ended> {
    outcome.map_err(|it| {
        *wrong = Some(it);
        Ended
    })
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue) -> Result<(), Ended>> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            (self.0)(name, map.next_value()?).map_err(|Ended| A::Error::custom(""))?;
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> Result<(), Ended>> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            (self.0)(value).map_err(|Ended| A::Error::custom(""))?;
        }
        Ok(())
    }
}

/// A member's name, copied only where it has escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}
