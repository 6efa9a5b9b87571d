//! The tail: what was stored last, batch by batch as it came, until all of it is in blocks.
//!
//! Layout of a row's value, after the version byte, for each reading: organisation (6 bytes), device (8), time (8),
//! length (4), and the points as `domain::Points::as_bytes` gives them.

use std::collections::VecDeque;

use domain::{DeviceId, Millis, OrgId, Points};

use crate::coding::{Put, Take};
use crate::rows::Rows;
use crate::schema::{self, Table, VERSION};

/// The rows of the tail, oldest first, and the one that is being filled.
pub(crate) struct Tail {
    rows: VecDeque<(u64, u64)>,
    /// Bytes of all rows.
    pub(crate) size_bytes: u64,
    /// The number of the row that is being filled.
    pub(crate) next: u64,
    content: Vec<u8>,
}

impl Tail {
    /// A tail without rows; `next` is larger than the number of every row there ever was.
    pub(crate) fn new(next: u64) -> Tail {
        Tail { rows: VecDeque::new(), size_bytes: 0, next, content: Vec::new() }
    }

    /// Takes over a row found at opening; rows come in their order.
    pub(crate) fn restore(&mut self, number: u64, size_bytes: u64) {
        self.rows.push_back((number, size_bytes));
        self.size_bytes += size_bytes;
    }

    /// Appends a reading.
    pub(crate) fn push(&mut self, (org, device): (OrgId, DeviceId), at_ms: Millis, points: &Points) {
        self.content.put(org.as_bytes());
        self.content.put_u64(device.0);
        self.content.put_u64(at_ms);
        self.content.put_sized(points.as_bytes());
    }

    /// Bytes of the row that is being filled.
    pub(crate) fn filled_bytes(&self) -> usize {
        self.content.len()
    }

    /// Ends the row that is being filled.
    pub(crate) fn end_row(&mut self, rows: &mut Rows) {
        if self.content.is_empty() {
            return;
        }
        let key = |to: &mut Vec<u8>| schema::tail_key(to, self.next);
        let size = rows.put(Table::Tail, key, |to| {
            to.put_u8(VERSION);
            to.put(&self.content);
        });
        self.content.clear();
        self.restore(self.next, u64::from(size));
        self.next += 1;
    }

    /// Deletes the rows before this one.
    pub(crate) fn drop_before(&mut self, number: u64, rows: &mut Rows) {
        while let Some((row, size_bytes)) = self.rows.pop_front_if(|(it, _)| *it < number) {
            rows.delete(Table::Tail, |to| schema::tail_key(to, row));
            self.size_bytes -= size_bytes;
        }
    }
}

/// A reading of the tail.
pub(crate) type TailReading = ((OrgId, DeviceId), Millis, Points);

/// Reads the value of a row, reading by reading; an item that is `None` is damage.
pub(crate) fn readings(value: &[u8]) -> impl Iterator<Item = Option<TailReading>> {
    let mut from = Take::new(value);
    let version = from.u8();
    let mut is_whole = true;
    std::iter::from_fn(move || {
        if !is_whole || from.rest().is_empty() && version == Some(VERSION) {
            return None;
        }
        let reading = (version == Some(VERSION)).then(|| take_reading(&mut from)).flatten();
        is_whole = reading.is_some();
        Some(reading)
    })
}

fn take_reading(from: &mut Take<'_>) -> Option<TailReading> {
    let org = OrgId::parse(std::str::from_utf8(from.bytes(6)?).ok()?)?;
    let (device, at_ms) = (DeviceId(from.u64()?), from.u64()?);
    Some(((org, device), at_ms, Points::from_bytes(from.sized()?)?))
}
