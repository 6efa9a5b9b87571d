//! Points that are stored in the tail and not in a block yet, as queries see them.
//!
//! The committer changes them, under one lock and only once a group is on the disk; queries copy what they need.

use std::collections::HashMap;
use std::ops::Range;

use domain::{DeviceId, Millis, OrgId, Value};

/// A series, by the number that it has within its device.
pub(crate) type SeriesId = (OrgId, DeviceId, u16);

/// A value without a lifetime. The bytes of texts are elsewhere: `bits` is where they start and, in the lower half,
/// how many they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) at_ms: Millis,
    bits: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    I64,
    F64,
    Text,
    Json,
    Bytes,
}

/// Points in the order in which they came, and the bytes of their texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) points: Vec<Point>,
    bytes: Vec<u8>,
}

/// Points of an emptied list that are kept room for.
const SPARE_COUNT: usize = 16;

impl List {
    /// Appends a point.
    pub(crate) fn push(&mut self, at_ms: Millis, value: Value<'_>) {
        let (kind, bits) = match value {
            Value::Bool(it) => (Kind::Bool, u64::from(it)),
            Value::I64(it) => (Kind::I64, it as u64),
            Value::F64(it) => (Kind::F64, it.to_bits()),
            Value::Text(it) => (Kind::Text, self.keep(it.as_bytes())),
            Value::Json(it) => (Kind::Json, self.keep(it.as_bytes())),
            Value::Bytes(it) => (Kind::Bytes, self.keep(it)),
        };
        self.points.push(Point { at_ms, bits, kind });
    }

    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        start << 32 | bytes.len() as u64
    }

    /// The value of a point of this list.
    pub(crate) fn value(&self, point: &Point) -> Value<'_> {
        let bytes = || {
            let start = (point.bits >> 32) as usize;
            self.bytes.get(start..start + point.bits as u32 as usize).unwrap_or_default()
        };
        let text = || std::str::from_utf8(bytes()).unwrap_or_default();
        match point.kind {
            Kind::Bool => Value::Bool(point.bits != 0),
            Kind::I64 => Value::I64(point.bits as i64),
            Kind::F64 => Value::F64(f64::from_bits(point.bits)),
            Kind::Text => Value::Text(text()),
            Kind::Json => Value::Json(text()),
            Kind::Bytes => Value::Bytes(bytes()),
        }
    }

    /// Forgets all points.
    pub(crate) fn clear(&mut self) {
        self.points.clear();
        self.points.shrink_to(SPARE_COUNT);
        self.bytes = Vec::new();
    }

    /// Forgets the points of a range.
    pub(crate) fn cut(&mut self, range: &Range<Millis>) {
        if self.points.iter().any(|it| range.contains(&it.at_ms)) {
            let mut rest = List::default();
            for point in self.points.iter().filter(|it| !range.contains(&it.at_ms)) {
                rest.push(point.at_ms, self.value(point));
            }
            *self = rest;
        }
    }

    /// Sorts points of this list by their times and leaves the last of each time.
    pub(crate) fn sort(points: &mut Vec<Point>) {
        if !points.is_sorted_by(|a, b| a.at_ms < b.at_ms) {
            points.sort_by_key(|it| it.at_ms);
            points.reverse();
            points.dedup_by_key(|it| it.at_ms);
            points.reverse();
        }
    }

    /// A copy of the points of a range, in the order of their times, one for each.
    fn copy(&self, range: &Range<Millis>) -> List {
        let mut points: Vec<_> = self.points.iter().filter(|it| range.contains(&it.at_ms)).copied().collect();
        List::sort(&mut points);
        let mut copy = List::default();
        for point in &points {
            copy.push(point.at_ms, self.value(point));
        }
        copy
    }
}

/// The open points of all series that the committer has in memory.
#[derive(Default)]
pub(crate) struct Open {
    places: HashMap<SeriesId, u32>,
    lists: Vec<List>,
}

impl Open {
    /// Gives a series its place.
    pub(crate) fn add(&mut self, id: SeriesId, place: u32) {
        self.places.insert(id, place);
        if self.lists.len() <= place as usize {
            self.lists.resize_with(place as usize + 1, List::default);
        }
    }

    /// Forgets a series and its points.
    pub(crate) fn remove(&mut self, id: SeriesId) {
        if let Some(place) = self.places.remove(&id) {
            self.lists[place as usize] = List::default();
        }
    }

    /// How many series have a place.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The points at a place.
    pub(crate) fn list(&mut self, place: u32) -> &mut List {
        &mut self.lists[place as usize]
    }

    /// A copy of a series' points in a range, in the order of their times.
    pub(crate) fn points(&self, id: SeriesId, range: &Range<Millis>) -> List {
        self.places.get(&id).map(|place| self.lists[*place as usize].copy(range)).unwrap_or_default()
    }
}
