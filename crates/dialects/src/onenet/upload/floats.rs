//! Type 7: groups of floats for streams that have numbers for names (spec onenet 4.9).

use std::fmt::Write;

use domain::{Millis, Value};

use super::cursor::{Cursor, Wrong};
use super::sink::Sink;
use crate::Leniency;
use crate::limits::ONENET_FLOATS_COUNT_MAX;

/// Reads groups up to the end: the first stream's number and the count of floats, both high byte first; then one float
/// for each of the streams that follow each other, low byte first.
pub(super) fn read<'a>(
    mut cursor: Cursor<'a>,
    at_ms: Option<Millis>,
    sink: &mut Sink<'a, '_>,
) -> Result<(), Wrong> {
    if cursor.is_empty() {
        return Err(cursor.wrong("there is no group of floats"));
    }
    let (mut total, mut name) = (0, String::with_capacity(5));
    while !cursor.is_empty() {
        let group = cursor;
        let first = cursor.u16("the number of a stream")?;
        let count = cursor.u16("the count of floats")?;
        total += usize::from(count);
        if count == 0 {
            return Err(group.wrong("a group has no floats"));
        }
        if total > ONENET_FLOATS_COUNT_MAX {
            return Err(group.wrong(format!("there are more than {ONENET_FLOATS_COUNT_MAX} floats")));
        }
        if first.checked_add(count - 1).is_none() {
            return Err(group.wrong("a group has streams beyond 65535"));
        }
        if first == 0 {
            sink.forgive(Leniency::StreamZero);
        }
        let floats = cursor.take(4 * usize::from(count), "the floats of a group")?;
        let (floats, _) = floats.rest().as_chunks::<4>();
        for (stream, float) in (u32::from(first)..).zip(floats) {
            let float = f32::from_le_bytes(*float);
            if !float.is_finite() {
                sink.forgive(Leniency::FloatNotFinite);
                continue;
            }
            name.clear();
            // Writing to a string cannot fail.
            write!(name, "{stream}").ok();
            sink.push(group.at(), at_ms, &name, Value::F64(f64::from(float)))?;
        }
    }
    Ok(())
}
