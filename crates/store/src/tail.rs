//! Tails: what was stored last, batch by batch as it came, until it is where it belongs.
//!
//! There is one of points and one of events. A row of a tail is written once, with the group it belongs to, and deleted
//! when nothing in it is needed any more; which that is, the owner knows.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::corrupt;
use crate::rows::Rows;
use crate::schema::{self, Keys, Table, VERSION};

/// A row of a tail, as it is read.
pub(crate) struct TailRow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) number: u64,
    /// The version of its content.
    pub(crate) version: u8,
    pub(crate) content: &'a [u8],
    pub(crate) size_bytes: u64,
}

impl TailRow<'_> {
    /// What to say of a row that cannot be read.
    pub(crate) fn damaged(&self) -> StoreFault {
        corrupt(Table::Tail, self.key)
    }
}

/// Gets each row.
pub(crate) type EachRow<'a> = &'a mut dyn FnMut(TailRow<'_>) -> Result<ControlFlow<()>, StoreFault>;

/// The rows of a tail, oldest first, and the one that is being filled.
pub(crate) struct Tail {
    kind: u8,
    rows: VecDeque<(u64, u64)>,
    /// Bytes of all rows.
    pub(crate) size_bytes: u64,
    /// The number of the row that is being filled.
    pub(crate) next: u64,
    content: Vec<u8>,
    /// The version of the content.
    version: u8,
}

impl Tail {
    /// A tail without rows; `next` is larger than the number of every row there ever was.
    pub(crate) fn new(kind: u8, next: u64) -> Tail {
        Tail { kind, rows: VecDeque::new(), size_bytes: 0, next, content: Vec::new(), version: VERSION }
    }

    /// Reads the rows that are on the disk, oldest first.
    pub(crate) fn read(disk: &impl Disk, kind: u8, each: EachRow<'_>) -> Result<(), StoreFault> {
        disk.scan(Table::Tail, &Keys::prefixed(|to| to.put_u8(kind)), &mut |key, value| {
            let mut from = Take::new(value);
            let number = Take::new(key.get(1..).unwrap_or_default()).u64();
            match (number, from.u8()) {
                (Some(number), Some(version)) => {
                    let (content, size_bytes) = (from.rest(), value.len() as u64);
                    each(TailRow { key, number, version, content, size_bytes })
                }
                _ => Err(corrupt(Table::Tail, key)),
            }
        })
    }

    /// Takes over a row found at opening; rows come in their order.
    pub(crate) fn restore(&mut self, number: u64, size_bytes: u64) {
        self.rows.push_back((number, size_bytes));
        self.size_bytes += size_bytes;
    }

    /// The number of the oldest row there is, or of the next.
    pub(crate) fn oldest(&self) -> u64 {
        self.rows.front().map_or(self.next, |(number, _)| *number)
    }

    /// From now on a row of this version is filled.
    pub(crate) fn turn_to(&mut self, version: u8, rows: &mut Rows) {
        if self.version != version {
            self.end_row(rows);
            self.version = version;
        }
    }

    /// Appends what `put` appends to the row that is being filled.
    pub(crate) fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.content);
    }

    /// Bytes of the row that is being filled.
    pub(crate) fn filled_bytes(&self) -> usize {
        self.content.len()
    }

    /// Ends the row that is being filled, if it has so many bytes.
    pub(crate) fn end_full_row(&mut self, bytes: usize, rows: &mut Rows) {
        if self.content.len() >= bytes {
            self.end_row(rows);
        }
    }

    /// Ends the row that is being filled.
    pub(crate) fn end_row(&mut self, rows: &mut Rows) {
        if self.content.is_empty() {
            return;
        }
        let key = |to: &mut Vec<u8>| schema::tail_key(to, self.kind, self.next);
        let size_bytes = rows.put(Table::Tail, key, |to| {
            to.put_u8(self.version);
            to.put(&self.content);
        });
        self.content.clear();
        self.restore(self.next, u64::from(size_bytes));
        self.next += 1;
    }

    /// Deletes the rows before this one.
    pub(crate) fn drop_before(&mut self, number: u64, rows: &mut Rows) {
        while let Some((row, size_bytes)) = self.rows.pop_front_if(|(it, _)| *it < number) {
            rows.delete(Table::Tail, |to| schema::tail_key(to, self.kind, row));
            self.size_bytes -= size_bytes;
        }
    }
}
