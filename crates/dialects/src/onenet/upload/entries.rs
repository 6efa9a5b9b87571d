//! Type 8, which no document has and one of the vendor's SDKs sends (spec onenet 4.11): entries of a kind, a stream and
//! a value each.

use std::ops::ControlFlow;

use domain::{Millis, Value};

use super::Uploaded;
use super::cursor::{Cursor, Wrong};
use super::json;
use super::sink::Sink;
use crate::Leniency;
use crate::limits::ONENET_STALE_TRIES_COUNT_MAX;

/// What such a block begins with.
const BEGIN: u8 = 8;

/// Reads a block. The SDK puts what is left of an earlier packet in front of it when it has published before: that is
/// left out, and where no whole block follows it there is nothing to read.
pub(super) fn read<'a>(block: Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    if block.rest().first() == Some(&BEGIN) {
        return read_block(block, sink).map(drop);
    }
    sink.forgive(Leniency::StaleBlock);
    let begins = |it: &usize| block.rest().get(*it) == Some(&BEGIN);
    let places = (1..block.rest().len()).filter(begins).take(ONENET_STALE_TRIES_COUNT_MAX);
    for place in places {
        let mut behind = block;
        behind.take(place, "what is left of an earlier packet")?;
        let mut nowhere = |_: Uploaded<'a>| ControlFlow::Continue(());
        let tried = read_block(behind, &mut Sink::new(sink.zone, behind.rest().len(), &mut nowhere));
        if tried.is_ok_and(|it| it == Ended { count_is_zero: false, is_at_end: true }) {
            return read_block(behind, sink).map(drop);
        }
    }
    Ok(())
}

/// How a block ended.
#[derive(PartialEq, Eq)]
struct Ended {
    /// It had no entries.
    count_is_zero: bool,
    /// Nothing stood behind it.
    is_at_end: bool,
}

fn read_block<'a>(mut block: Cursor<'a>, sink: &mut Sink<'a, '_>) -> Result<Ended, Wrong> {
    block.byte("the beginning")?;
    let flag = block;
    let at_ms = match block.byte("the flag of the time")? {
        0 => None,
        1 => Some(Millis::from(block.u32("the time")?) * 1000),
        _ => return Err(flag.wrong("the flag of the time is neither 0 nor 1")),
    };
    let count = block.byte("the count of entries")?;
    for _ in 0..count {
        entry(&mut block, at_ms, sink)?;
    }
    if !block.is_empty() {
        sink.forgive(Leniency::TrailingBytes);
    }
    Ok(Ended { count_is_zero: count == 0, is_at_end: block.is_empty() })
}

fn entry<'a>(block: &mut Cursor<'a>, at_ms: Option<Millis>, sink: &mut Sink<'a, '_>) -> Result<(), Wrong> {
    let place = *block;
    let kind = block.byte("the kind of an entry")?;
    let stream = block.until_zero("the name of a stream")?.text()?;
    let value = match kind {
        1 => Value::I64(i64::from(block.u32("a whole number")?)),
        2 => {
            let float = f64::from_be_bytes(block.array("a float")?);
            if !float.is_finite() {
                sink.forgive(Leniency::FloatNotFinite);
                return Ok(());
            }
            Value::F64(float)
        }
        3 => Value::Text(block.until_zero("a text")?.text()?),
        4 => {
            let len = block.u32("the length of bytes")?;
            Value::Bytes(block.take(len as usize, "a value of bytes")?.rest())
        }
        5 => {
            let json = json::Text::of(block.until_zero("a JSON text")?)?.whole()?;
            return json::push(json, at_ms, stream, sink);
        }
        _ => return Err(place.wrong("there is no such kind of entry: 1 to 5 are known")),
    };
    sink.push(place.at(), at_ms, stream, value)
}
