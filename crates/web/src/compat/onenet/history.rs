//! Points of a device, read from the store into one bounded answer.
//!
//! An answer's length stands before it, so it is made as a whole. What keeps it small is not only the number of points
//! that is asked for, but also a bound in bytes: where that is reached, the answer ends with a cursor like any that has
//! more behind it.

use std::collections::{BinaryHeap, VecDeque};
use std::ops::{ControlFlow, Range};

use dialects::onenet::http::points::{Cursor, Wanted, print_answer, print_point};
use dialects::onenet::time::Zone;
use domain::{DeviceId, Millis, Order, OrgId, Series, Value};
use platform::{Store, StoreFault};

use crate::limits::ONENET_ANSWER_BYTES_MAX;

/// Whose points.
pub(super) struct History {
    pub(super) org: OrgId,
    pub(super) device: DeviceId,
    /// In the order in which they are shown.
    pub(super) streams: Vec<String>,
    pub(super) zone: Zone,
}

/// A printed point of a stream, with its place among all that are asked for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// The time, or what is left of all time where the newest come first: the lesser comes first in any case.
    place: u64,
    stream: usize,
    text: String,
}

impl History {
    /// The data of the answer. The cursor's stream, if there is one, is among the streams.
    pub(super) fn read(
        &self,
        store: &dyn Store,
        wanted: &Wanted,
        cursor: Option<&Cursor>,
    ) -> Result<String, StoreFault> {
        let at = cursor.and_then(|it| Some((it, self.streams.iter().position(|name| *name == it.stream)?)));
        match wanted {
            Wanted::Newest { limit, order } => self.newest(store, *limit, *order, at),
            Wanted::Range { range, order, limit } => self.range(store, range.clone(), *order, *limit, at),
        }
    }

    /// Visits the points of a stream in a range until `each` breaks.
    fn visit(
        &self,
        store: &dyn Store,
        stream: &str,
        range: Range<Millis>,
        order: Order,
        each: &mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        let series = Series { org: self.org, device: self.device, key: stream };
        let (mut rest, mut is_over) = (Some(range), false);
        while let Some(range) = rest.filter(|it| !it.is_empty() && !is_over) {
            rest = store.points(series, range, order, &mut |at_ms, value| {
                let flow = each(at_ms, value);
                is_over = flow.is_break();
                flow
            })?;
        }
        Ok(())
    }

    fn print(&self, at_ms: Millis, value: Value<'_>) -> String {
        let mut text = String::new();
        print_point(&mut text, at_ms, value, self.zone);
        text
    }

    /// The newest of each stream, one stream after the other.
    fn newest(
        &self,
        store: &dyn Store,
        limit: usize,
        order: Order,
        at: Option<(&Cursor, usize)>,
    ) -> Result<String, StoreFault> {
        let (mut bytes, mut shown, mut next) = (0, Vec::new(), None);
        for (place, stream) in self.streams.iter().enumerate().skip(at.map_or(0, |(_, place)| place)) {
            let begun = at.filter(|(_, begun)| *begun == place).map(|(cursor, _)| cursor);
            let (end_ms, given) = begun.map_or((Millis::MAX, 0), |it| (it.at_ms, it.count));
            let (mut points, mut last_ms) = (VecDeque::new(), end_ms);
            let mut is_full = false;
            if given < limit {
                self.visit(store, stream, 0..end_ms, Order::Descending, &mut |at_ms, value| {
                    let text = self.print(at_ms, value);
                    if bytes > 0 && bytes + text.len() > ONENET_ANSWER_BYTES_MAX {
                        is_full = true;
                        return ControlFlow::Break(());
                    }
                    bytes += text.len();
                    last_ms = at_ms;
                    points.push_back(text);
                    if given + points.len() == limit {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
            }
            let count = given + points.len();
            if order == Order::Ascending {
                points.make_contiguous().reverse();
            }
            if !points.is_empty() {
                shown.push((stream.as_str(), points));
            }
            if is_full {
                next = Some(Cursor { at_ms: last_ms, count, stream: stream.clone() });
                break;
            }
        }
        let streams: Vec<(&str, Vec<&str>)> =
            shown.iter().map(|(name, points)| (*name, points.iter().map(String::as_str).collect())).collect();
        Ok(print_answer(&streams, next.as_ref()))
    }

    /// The first `limit` of a range, of all streams together by time: a heap keeps those that come first of what was
    /// read until then, and each stream is read as far as it may have one of them.
    fn range(
        &self,
        store: &dyn Store,
        range: Range<Millis>,
        order: Order,
        limit: usize,
        at: Option<(&Cursor, usize)>,
    ) -> Result<String, StoreFault> {
        let (mut heap, mut bytes, mut is_cut) = (BinaryHeap::<Found>::new(), 0, false);
        for (stream, name) in self.streams.iter().enumerate() {
            let left = left_of(range.clone(), order, stream, at);
            self.visit(store, name, left, order, &mut |at_ms, value| {
                let place = place_of(at_ms, order);
                let is_full = is_cut || heap.len() >= limit;
                if is_full && heap.peek().is_some_and(|it| (it.place, it.stream) < (place, stream)) {
                    is_cut = true;
                    return ControlFlow::Break(());
                }
                let text = self.print(at_ms, value);
                bytes += text.len();
                heap.push(Found { place, stream, text });
                while heap.len() > limit || (bytes > ONENET_ANSWER_BYTES_MAX && heap.len() > 1) {
                    bytes -= heap.pop().map_or(0, |it| it.text.len());
                    is_cut = true;
                }
                ControlFlow::Continue(())
            })?;
        }
        let found = heap.into_sorted_vec();
        let last = found.last().filter(|_| is_cut).and_then(|it| {
            let at_ms = place_of(it.place, order);
            Some(Cursor { at_ms, count: 0, stream: self.streams.get(it.stream)?.clone() })
        });
        let mut streams: Vec<(&str, Vec<&str>)> =
            self.streams.iter().map(|it| (it.as_str(), Vec::new())).collect();
        for it in &found {
            if let Some((_, points)) = streams.get_mut(it.stream) {
                points.push(&it.text);
            }
        }
        streams.retain(|(_, points)| !points.is_empty());
        Ok(print_answer(&streams, last.as_ref()))
    }
}

/// A time as a number that grows in the order; and back.
fn place_of(at_ms: Millis, order: Order) -> u64 {
    match order {
        Order::Ascending => at_ms,
        Order::Descending => Millis::MAX - at_ms,
    }
}

/// What of a range is left of a stream behind the cursor. Of points of one millisecond, those of the streams before the
/// cursor's were given with it.
fn left_of(range: Range<Millis>, order: Order, stream: usize, at: Option<(&Cursor, usize)>) -> Range<Millis> {
    let Some((cursor, place)) = at else { return range };
    let was_given = stream <= place;
    match order {
        Order::Ascending => range.start.max(cursor.at_ms.saturating_add(u64::from(was_given)))..range.end,
        Order::Descending => range.start..range.end.min(cursor.at_ms.saturating_add(u64::from(!was_given))),
    }
}
