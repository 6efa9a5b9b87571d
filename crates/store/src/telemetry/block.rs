//! Blocks: consecutive points of one series, compressed, with what they come to in front.
//!
//! Layout, after the version byte; numbers are variable-length (seven bits a byte, the lowest first; signed ones folded
//! so that small ones are short) where no width is named:
//!
//! 1. the kind of the values (one byte), the count of points, the last time minus the first (which is in the key);
//! 2. how many points are whole numbers; if any, the least, the greatest and the sum (upper half signed, lower half in
//!    8 bytes); then the same of the other numbers, each in 8 bytes;
//! 3. the times, as differences of differences;
//! 4. the values, in the way of their kind:
//!    * whole: the differences of one to the next, from 0;
//!    * float: one byte, then, if that is a count of decimals that makes all of them whole, these as above; else
//!      (`FF`) each one's bits XOR those of the one before it: 0 where they are equal, or 1 + 8 × leading zero
//!      bytes + trailing zero bytes, and the bytes between;
//!    * bool: a bit each, the lowest of a byte first;
//!    * any: a tag each, as in `domain::Points`, then the number, or the length and the bytes; tag 7 repeats the
//!      value before it.
//!
//! In lists of differences a 0 is followed by how many further zeros there are. A damaged block reads as `None`.

use domain::{Millis, Summary, Value};

use crate::coding::{Put, Take};
use crate::limits::BLOCK_POINT_COUNT;
use crate::schema::VERSION;

const WHOLE: u8 = 0;
const FLOAT: u8 = 1;
const BOOL: u8 = 2;
const ANY: u8 = 3;

/// Decimals that are tried for floats.
const DECIMALS_MAX: u8 = 9;
const XOR: u8 = 0xFF;
const SAME: u8 = 7;

/// A point as it is read.
pub(crate) type Point<'a> = (Millis, Value<'a>);

/// Appends a block of points, which come in the order of their times, one for each; at least one, and less than twice
/// [`BLOCK_POINT_COUNT`].
pub(crate) fn put_block(to: &mut Vec<u8>, points: &[Point<'_>]) {
    let (Some((first_ms, first)), Some((last_ms, _))) = (points.first(), points.last()) else { return };
    let mut summary = Summary::default();
    for (_, value) in points {
        summary.add(*value);
    }
    let kind = match first {
        Value::I64(_) if summary.whole.count == summary.count => WHOLE,
        Value::F64(_) if summary.float.count == summary.count => FLOAT,
        Value::Bool(_) if points.iter().all(|(_, it)| matches!(it, Value::Bool(_))) => BOOL,
        _ => ANY,
    };
    to.put_u8(VERSION);
    to.put_u8(kind);
    to.put_varint(summary.count);
    to.put_varint(last_ms - first_ms);
    put_numbers(to, &summary);
    put_times(to, points);
    match kind {
        WHOLE => put_whole(to, points.iter().map(|(_, it)| whole(*it))),
        FLOAT => put_floats(to, points),
        BOOL => put_bools(to, points),
        _ => put_any(to, points),
    }
}

fn put_numbers(to: &mut Vec<u8>, summary: &Summary) {
    let (whole, float) = (&summary.whole, &summary.float);
    to.put_varint(whole.count);
    if whole.count > 0 {
        to.put_signed(whole.min);
        to.put_signed(whole.max);
        to.put_signed((whole.sum >> 64) as i64);
        to.put_u64(whole.sum as u64);
    }
    to.put_varint(float.count);
    if float.count > 0 {
        to.put_f64(float.min);
        to.put_f64(float.max);
        to.put_f64(float.sum);
    }
}

fn put_times(to: &mut Vec<u8>, points: &[Point<'_>]) {
    let mut deltas = Deltas::default();
    let (mut before_ms, mut step_ms) = (points.first().map_or(0, |(it, _)| *it), 0);
    for (at_ms, _) in points.iter().skip(1) {
        let next = at_ms.wrapping_sub(before_ms);
        deltas.put(to, next.wrapping_sub(step_ms) as i64);
        (before_ms, step_ms) = (*at_ms, next);
    }
    deltas.end(to);
}

fn put_whole(to: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let (mut deltas, mut before) = (Deltas::default(), 0_i64);
    for number in numbers {
        deltas.put(to, number.wrapping_sub(before));
        before = number;
    }
    deltas.end(to);
}

fn put_floats(to: &mut Vec<u8>, points: &[Point<'_>]) {
    if let Some(decimals) = decimals(points) {
        to.put_u8(decimals);
        let scale = scale(decimals);
        return put_whole(to, points.iter().map(|(_, it)| scaled(float(*it), scale)));
    }
    to.put_u8(XOR);
    let mut before = 0_u64;
    for (_, value) in points {
        let bits = float(*value).to_bits();
        let changed = bits ^ before;
        before = bits;
        if changed == 0 {
            to.put_u8(0);
            continue;
        }
        let (leading, trailing) = (changed.leading_zeros() / 8, changed.trailing_zeros() / 8);
        to.put_u8((1 + 8 * leading + trailing) as u8);
        to.put(&changed.to_be_bytes()[leading as usize..8 - trailing as usize]);
    }
}

/// The least count of decimals with which all points can be written, if there is one.
fn decimals(points: &[Point<'_>]) -> Option<u8> {
    let mut decimals = 0;
    for (_, value) in points {
        while !is_whole_at(float(*value), decimals) {
            decimals += 1;
            if decimals > DECIMALS_MAX {
                return None;
            }
        }
    }
    points.iter().all(|(_, it)| is_whole_at(float(*it), decimals)).then_some(decimals)
}

fn is_whole_at(number: f64, decimals: u8) -> bool {
    let scale = scale(decimals);
    (scaled(number, scale) as f64 / scale).to_bits() == number.to_bits()
}

fn scale(decimals: u8) -> f64 {
    const POWERS: [f64; DECIMALS_MAX as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    POWERS[usize::from(decimals.min(DECIMALS_MAX))]
}

fn scaled(number: f64, scale: f64) -> i64 {
    (number * scale + 0.5_f64.copysign(number)) as i64
}

fn put_bools(to: &mut Vec<u8>, points: &[Point<'_>]) {
    for eight in points.chunks(8) {
        let bits = (0..).zip(eight).map(|(bit, (_, it))| u8::from(*it == Value::Bool(true)) << bit);
        to.put_u8(bits.fold(0, |all, it| all | it));
    }
}

fn put_any(to: &mut Vec<u8>, points: &[Point<'_>]) {
    let mut before = None;
    for (_, value) in points {
        match before {
            Some(it) if same(it, *value) => to.put_u8(SAME),
            _ => put_value(to, *value),
        }
        before = Some(*value);
    }
}

fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

/// Appends one value with its tag.
pub(crate) fn put_value(to: &mut Vec<u8>, value: Value<'_>) {
    let mut put_bytes = |tag, bytes: &[u8]| {
        to.put_u8(tag);
        to.put_varint(bytes.len() as u64);
        to.put(bytes);
    };
    match value {
        Value::Text(it) => put_bytes(4, it.as_bytes()),
        Value::Json(it) => put_bytes(5, it.as_bytes()),
        Value::Bytes(it) => put_bytes(6, it),
        Value::Bool(it) => to.put_u8(u8::from(it)),
        Value::I64(it) => {
            to.put_u8(2);
            to.put_signed(it);
        }
        Value::F64(it) => {
            to.put_u8(3);
            to.put_f64(it);
        }
    }
}

/// Reads what [`put_value`] wrote.
pub(crate) fn take_value<'a>(from: &mut Take<'a>) -> Option<Value<'a>> {
    let tag = from.u8()?;
    take_tagged(tag, from)
}

fn take_tagged<'a>(tag: u8, from: &mut Take<'a>) -> Option<Value<'a>> {
    Some(match tag {
        0 => Value::Bool(false),
        1 => Value::Bool(true),
        2 => Value::I64(from.signed()?),
        3 => Value::F64(from.f64()?),
        4..=6 => {
            let len = usize::try_from(from.varint()?).ok()?;
            let bytes = from.bytes(len)?;
            match tag {
                4 => Value::Text(std::str::from_utf8(bytes).ok()?),
                5 => Value::Json(std::str::from_utf8(bytes).ok()?),
                _ => Value::Bytes(bytes),
            }
        }
        _ => return None,
    })
}

fn whole(value: Value<'_>) -> i64 {
    if let Value::I64(it) = value { it } else { 0 }
}

fn float(value: Value<'_>) -> f64 {
    if let Value::F64(it) = value { it } else { 0.0 }
}

/// Differences, with zeros counted.
#[derive(Default)]
struct Deltas {
    zeros: u64,
}

impl Deltas {
    fn put(&mut self, to: &mut Vec<u8>, delta: i64) {
        if delta == 0 {
            self.zeros += 1;
        } else {
            self.end(to);
            to.put_signed(delta);
        }
    }

    fn end(&mut self, to: &mut Vec<u8>) {
        if self.zeros > 0 {
            to.put_u8(0);
            to.put_varint(self.zeros - 1);
            self.zeros = 0;
        }
    }

    fn take(&mut self, from: &mut Take<'_>) -> Option<i64> {
        if self.zeros > 0 {
            self.zeros -= 1;
            return Some(0);
        }
        let delta = from.signed()?;
        if delta == 0 {
            self.zeros = from.varint()?;
        }
        Some(delta)
    }
}

/// A block, of which only the front was read.
pub(crate) struct Block<'a> {
    /// The time of its first point.
    pub(crate) first_ms: Millis,
    /// The time of its last point.
    pub(crate) last_ms: Millis,
    /// What its points come to.
    pub(crate) summary: Summary,
    kind: u8,
    body: Take<'a>,
}

impl<'a> Block<'a> {
    /// Reads the front of a block whose first point is at `first_ms`.
    pub(crate) fn open(first_ms: Millis, value: &'a [u8]) -> Option<Block<'a>> {
        let mut from = Take::new(value);
        if from.u8()? != VERSION {
            return None;
        }
        let kind = from.u8()?;
        let count = from.varint()?;
        if count == 0 || count >= 2 * BLOCK_POINT_COUNT as u64 {
            return None;
        }
        let last_ms = first_ms.checked_add(from.varint()?)?;
        let mut summary = Summary { count, ..Summary::default() };
        take_numbers(&mut from, &mut summary)?;
        Some(Block { first_ms, last_ms, summary, kind, body: from })
    }

    /// Reads all points into the empty `list`.
    pub(crate) fn read(mut self, list: &mut Vec<Point<'a>>) -> Option<()> {
        let count = self.summary.count as usize;
        let placeholder = Value::Bool(false);
        let (mut deltas, mut at_ms, mut step_ms) = (Deltas::default(), self.first_ms, 0_u64);
        list.push((at_ms, placeholder));
        for _ in 1..count {
            step_ms = step_ms.wrapping_add(deltas.take(&mut self.body)? as u64);
            at_ms = at_ms.checked_add(step_ms).filter(|it| *it > at_ms)?;
            list.push((at_ms, placeholder));
        }
        if at_ms != self.last_ms || deltas.zeros > 0 {
            return None;
        }
        match self.kind {
            WHOLE => take_whole(&mut self.body, list, Value::I64)?,
            FLOAT => take_floats(&mut self.body, list)?,
            BOOL => take_bools(&mut self.body, list)?,
            ANY => take_any(&mut self.body, list)?,
            _ => return None,
        }
        self.body.end(())
    }
}

fn take_numbers(from: &mut Take<'_>, summary: &mut Summary) -> Option<()> {
    let (whole, float) = (&mut summary.whole, &mut summary.float);
    whole.count = from.varint()?;
    if whole.count > 0 {
        whole.min = from.signed()?;
        whole.max = from.signed()?;
        whole.sum = i128::from(from.signed()?) << 64;
        whole.sum |= i128::from(from.u64()?);
    }
    float.count = from.varint()?;
    if float.count > 0 {
        float.min = from.f64()?;
        float.max = from.f64()?;
        float.sum = from.f64()?;
    }
    Some(())
}

fn take_whole<'a>(
    from: &mut Take<'a>,
    list: &mut [Point<'a>],
    value: impl Fn(i64) -> Value<'a>,
) -> Option<()> {
    let (mut deltas, mut number) = (Deltas::default(), 0_i64);
    for (_, to) in list {
        number = number.wrapping_add(deltas.take(from)?);
        *to = value(number);
    }
    (deltas.zeros == 0).then_some(())
}

fn take_floats<'a>(from: &mut Take<'a>, list: &mut [Point<'a>]) -> Option<()> {
    let decimals = from.u8()?;
    if decimals <= DECIMALS_MAX {
        let scale = scale(decimals);
        return take_whole(from, list, |it| Value::F64(it as f64 / scale));
    }
    if decimals != XOR {
        return None;
    }
    let mut bits = 0_u64;
    for (_, to) in list {
        let control = usize::from(from.u8()?);
        if let Some(control) = control.checked_sub(1) {
            let (leading, trailing) = (control / 8, control % 8);
            let mut changed = [0; 8];
            let between = changed.get_mut(leading..8 - trailing)?;
            between.copy_from_slice(from.bytes(between.len())?);
            bits ^= u64::from_be_bytes(changed);
        }
        *to = Value::F64(f64::from_bits(bits));
    }
    Some(())
}

fn take_bools<'a>(from: &mut Take<'a>, list: &mut [Point<'a>]) -> Option<()> {
    for eight in list.chunks_mut(8) {
        let bits = from.u8()?;
        for (bit, (_, to)) in (0..).zip(eight) {
            *to = Value::Bool(bits >> bit & 1 == 1);
        }
    }
    Some(())
}

fn take_any<'a>(from: &mut Take<'a>, list: &mut [Point<'a>]) -> Option<()> {
    let mut before = None;
    for (_, to) in list {
        let value = match from.u8()? {
            SAME => before?,
            tag => take_tagged(tag, from)?,
        };
        before = Some(value);
        *to = value;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn made(points: &[Point<'_>]) -> Vec<u8> {
        let mut value = Vec::new();
        put_block(&mut value, points);
        value
    }

    /// Writes and reads points, and compares bit by bit; gives the bytes it takes.
    fn there_and_back(points: &[Point<'_>]) -> usize {
        let value = made(points);
        let block = Block::open(points[0].0, &value).unwrap();
        let mut summary = Summary::default();
        points.iter().for_each(|(_, it)| summary.add(*it));
        assert_eq!(format!("{:?}", block.summary), format!("{summary:?}"));
        assert_eq!((block.first_ms, block.last_ms), (points[0].0, points[points.len() - 1].0));
        let mut list = Vec::new();
        block.read(&mut list).unwrap();
        assert_eq!(list.len(), points.len());
        for (read, written) in list.iter().zip(points) {
            assert!(read.0 == written.0 && same(read.1, written.1), "{read:?} was {written:?}");
        }
        value.len()
    }

    fn each_second<'a>(count: u64, value: impl Fn(u64) -> Value<'a>) -> Vec<Point<'a>> {
        (0..count).map(|it| (1_700_000_000_000 + it * 1_000, value(it))).collect()
    }

    #[test]
    fn every_kind_comes_back_and_is_small() {
        let cases: [(usize, &dyn Fn(u64) -> Value<'static>); 9] = [
            (30, &|_| Value::I64(1_013)),
            (160, &|it| Value::I64((it * it % 100) as i64 - 50)),
            (165, &|it| Value::F64((2_000 + it * 7 % 130) as f64 / 100.0)),
            (910, &|it| Value::F64((it as f64).sqrt())),
            (27, &|it| Value::Bool(it % 3 == 0)),
            (140, &|_| Value::Text("running")),
            (740, &|it| if it % 2 == 0 { Value::I64(it as i64) } else { Value::F64(0.5) }),
            (680, &|it| if it % 2 == 0 { Value::Json("[1,2]") } else { Value::Bytes(&[0, 255]) }),
            (170, &|it| Value::I64(if it % 2 == 0 { i64::MIN } else { i64::MAX })),
        ];
        for (number, (bytes_max, value)) in cases.into_iter().enumerate() {
            let bytes = there_and_back(&each_second(120, value));
            assert!(bytes <= bytes_max, "case {number} takes {bytes} bytes");
        }
    }

    #[test]
    fn what_is_special_comes_back() {
        let floats =
            [0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE, 1e300, -21.57, f64::from_bits(1), 0.1, 0.1];
        there_and_back(&each_second(9, |it| Value::F64(floats[it as usize])));
        there_and_back(&each_second(3, |it| Value::F64([0.0, 1e17, -3.5][it as usize])));
        for time in [0, 5, u64::MAX] {
            there_and_back(&[(time, Value::Text(""))]);
        }
        there_and_back(&[(0, Value::Bool(true)), (1, Value::Bool(false)), (u64::MAX, Value::Bool(true))]);
        let uneven = [3, 4, 9, 10, 11, 12, 500, u64::MAX - 1];
        there_and_back(&uneven.map(|it| (it, Value::I64(it as i64))));
        there_and_back(&each_second(2 * BLOCK_POINT_COUNT as u64 - 1, |it| Value::F64(it as f64)));
        let nan = made(&[(1, Value::F64(f64::NAN))]);
        let mut list = Vec::new();
        Block::open(1, &nan).unwrap().read(&mut list).unwrap();
        assert!(matches!(list[..], [(1, Value::F64(it))] if it.is_nan()));
    }

    #[test]
    fn a_damaged_block_is_none_and_never_a_panic() {
        let whole = each_second(20, |it| Value::I64(it as i64 * 99));
        let odd = each_second(20, |it| Value::F64((it as f64).sqrt()));
        let any = each_second(20, |it| if it % 4 == 0 { Value::I64(1) } else { Value::Text("x") });
        let bools = each_second(20, |it| Value::Bool(it % 2 == 0));
        for points in [whole, odd, any, bools] {
            let value = made(&points);
            let read = |bytes: &[u8]| {
                Block::open(points[0].0, bytes).and_then(|it| it.read(&mut Vec::new())).is_some()
            };
            assert!(read(&value));
            for len in 0..value.len() {
                assert!(!read(&value[..len]), "cut to {len}");
            }
            assert!(!read(&[value.as_slice(), &[0]].concat()));
            for at in 0..value.len() {
                for bit in 0..8 {
                    let mut damaged = value.clone();
                    damaged[at] ^= 1 << bit;
                    let readable = read(&damaged);
                    assert!(!(at == 0 && readable), "another version");
                }
            }
        }
    }
}
