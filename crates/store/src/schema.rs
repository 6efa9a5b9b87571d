//! Where everything lies: tables, keys byte by byte, and where to find the values' layouts.
//!
//! A change here is a change of [`FORMAT`]. Rows are sorted by key. Numbers are big-endian. `org` is the organisation
//! id, six ASCII bytes, and stands first in every key that belongs to one; `device`, `session` and `blob` are their
//! 8-byte ids. A text ends a key, so it needs no terminator. Each value starts with a version byte; the layouts of the
//! values are in `values.rs` and `telemetry`, next to the code that writes and reads them.
//!
//! | table | key | value |
//! |---|---|---|
//! | settings | name | the content |
//! | registry | org, `01` | organisation |
//! | | org, `02`, name | device type |
//! | | org, `03`, device | device |
//! | | org, `04`, key | API key |
//! | | org, `05`, device | nothing: the device is forgotten, its history is being deleted |
//! | | org, `06`, blob | how many bytes the blob has: it is whole |
//! | | org, `07`, blob | nothing: the blob is not whole, or not any more |
//! | | org, `08`, key | further key of a product |
//! | | org, `09`, product (4), topic | topic of a product: when it was made |
//! | sessions | org, session, `01` | record |
//! | | org, session, `02` | marks: the place up to which was sent, the last given, the first that may be taken |
//! | | org, session, `03`, filter | subscription |
//! | | org, session, `04`, packet id (2) | received, not yet released: nothing, or the message if it goes on only then |
//! | queue | org, session, place (8) | message, or what is left of it after PUBREC |
//! | retained | org, length of space (1), space, topic | message |
//! | last | org, device, event name | last event |
//! | series | org, device, key of points | number, and the time of the last point that is in a block |
//! | blocks | org, device, number of the series (2), time of the first point (8) | block |
//! | late | org, device, number of the series (2), time (8) | value: one that came after its time was in a block |
//! | tail | `01`, row (8) | readings as they came, some of them not in blocks yet; or what was deleted since the rows before |
//! | | `02`, row (8) | events as they came, some of them the last of their names and not among `last` yet |
//! | aspects | org, device, `01` | the login by which the device is found |
//! | | org, device, `02` | the gateway that the device is behind, or was the last time |
//! | | org, device, `03`, scope (1), name | attribute: time and value |
//! | | org, device, `04`, command (8) | command |
//! | | org, device, `05` | the API key that the device is assigned to |
//! | | org, device, `06` | the number of the device, and its password |
//! | blobs | org, blob, number of the piece (4) | the bytes of a piece |
//!
//! Scopes are 0 (client), 1 (shared) and 2 (server). The layouts of aspects are in `aspect.rs`,
//! `command.rs` and `product.rs`.
//!
//! Settings whose name starts with `store.` are the store's own: `store.openings` counts how often the data were
//! opened. It is the upper part (24 bits) of the number of each row of a tail; the lower part (40 bits) counts those
//! rows since. So a number is never used again.
//!
//! What telemetry is made of is told in `telemetry`; blocks have their layout at the top of
//! `telemetry/block.rs`. Rows of the tails are entries, one after the other, laid out in `put_reading` there, in
//! `put_cut` in `telemetry/cuts.rs` (version 2) and in `put_event` in `last_events.rs`.

use std::ops::{Bound, Range};

use domain::{BlobId, DeviceId, Millis, Order, OrgId, SessionId};

use crate::coding::{Put, Take};

/// The number of this layout.
pub const FORMAT: u32 = 2;
/// The first byte of every value, but for those whose layout has changed since; `values.rs` names them.
pub(crate) const VERSION: u8 = 1;
/// The setting that counts openings.
pub(crate) const OPENINGS: &str = "store.openings";

/// A table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    /// Settings of the installation.
    Settings,
    /// Organisations, device types, devices, API keys, and which blobs there are.
    Registry,
    /// Sessions, without their queues.
    Sessions,
    /// Queued messages.
    Queue,
    /// Retained messages.
    Retained,
    /// Last events.
    Last,
    /// Which series there are.
    Series,
    /// Points, in blocks.
    Blocks,
    /// Points that came after their time was in a block.
    Late,
    /// Points that are not in blocks yet, and last events that have no row yet.
    Tail,
    /// What is so about devices: logins, doors, attributes, commands, whose they are.
    Aspects,
    /// Pieces of blobs.
    Blobs,
}

impl Table {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Table; 12] = [
        Table::Settings,
        Table::Registry,
        Table::Sessions,
        Table::Queue,
        Table::Retained,
        Table::Last,
        Table::Series,
        Table::Blocks,
        Table::Late,
        Table::Tail,
        Table::Aspects,
        Table::Blobs,
    ];

    /// Its name, in files and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Settings => "settings",
            Table::Registry => "registry",
            Table::Sessions => "sessions",
            Table::Queue => "queue",
            Table::Retained => "retained",
            Table::Last => "last",
            Table::Series => "series",
            Table::Blocks => "blocks",
            Table::Late => "late",
            Table::Tail => "tail",
            Table::Aspects => "aspects",
            Table::Blobs => "blobs",
        }
    }

    /// Its place in [`Table::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Kinds of rows in the registry.
pub(crate) mod registry {
    pub(crate) const ORG: u8 = 1;
    pub(crate) const TYPE: u8 = 2;
    pub(crate) const DEVICE: u8 = 3;
    pub(crate) const KEY: u8 = 4;
    pub(crate) const PURGE: u8 = 5;
    pub(crate) const BLOB: u8 = 6;
    pub(crate) const PARTIAL_BLOB: u8 = 7;
    pub(crate) const PRODUCT_KEY: u8 = 8;
    pub(crate) const PRODUCT_TOPIC: u8 = 9;
    pub(crate) const PACKAGE: u8 = 10;
}

/// Kinds of rows about a device.
pub(crate) mod aspects {
    pub(crate) const LOGIN: u8 = 1;
    pub(crate) const DOOR: u8 = 2;
    pub(crate) const ATTRIBUTE: u8 = 3;
    pub(crate) const COMMAND: u8 = 4;
    pub(crate) const ASSIGNED: u8 = 5;
    pub(crate) const NUMBERED: u8 = 6;
}

/// Kinds of rows of a session.
pub(crate) mod sessions {
    pub(crate) const RECORD: u8 = 1;
    pub(crate) const MARKS: u8 = 2;
    pub(crate) const SUBSCRIPTION: u8 = 3;
    pub(crate) const RECEIVED: u8 = 4;
}

/// Appends the start of a registry key.
pub(crate) fn registry_key(to: &mut Vec<u8>, org: OrgId, kind: u8, name: &[u8]) {
    to.put(org.as_bytes());
    to.put_u8(kind);
    to.put(name);
}

/// Appends what all keys of a session start with.
pub(crate) fn session_prefix(to: &mut Vec<u8>, org: OrgId, session: SessionId) {
    to.put(org.as_bytes());
    to.put_u64(session.0);
}

/// Appends a key of the sessions table.
pub(crate) fn session_key(to: &mut Vec<u8>, org: OrgId, session: SessionId, kind: u8, name: &[u8]) {
    session_prefix(to, org, session);
    to.put_u8(kind);
    to.put(name);
}

/// Appends the key of a queued message.
pub(crate) fn queue_key(to: &mut Vec<u8>, org: OrgId, session: SessionId, seq: u64) {
    session_prefix(to, org, session);
    to.put_u64(seq);
}

/// Appends the key of a retained message; with an empty topic, what all keys of the topic space start with.
pub(crate) fn retained_key(to: &mut Vec<u8>, org: OrgId, space: &str, topic: &str) {
    to.put(org.as_bytes());
    to.put_u8(space.len() as u8);
    to.put(space.as_bytes());
    to.put(topic.as_bytes());
}

/// Appends the key of a last event, or of a series; with an empty name, what all keys of the device start with.
pub(crate) fn device_key(to: &mut Vec<u8>, org: OrgId, device: DeviceId, name: &str) {
    to.put(org.as_bytes());
    to.put_u64(device.0);
    to.put(name.as_bytes());
}

/// Appends the key of a block or of a late point of a series.
pub(crate) fn point_key(to: &mut Vec<u8>, (org, device, number): (OrgId, DeviceId, u16), at_ms: u64) {
    series_prefix(to, (org, device, number));
    to.put_u64(at_ms);
}

/// Appends what the keys of a series' blocks and late points start with.
pub(crate) fn series_prefix(to: &mut Vec<u8>, (org, device, number): (OrgId, DeviceId, u16)) {
    to.put(org.as_bytes());
    to.put_u64(device.0);
    to.put(&number.to_be_bytes());
}

/// The rows of a series with a time in `range`, in a table whose keys are [`point_key`]s.
pub(crate) fn series_keys(id: (OrgId, DeviceId, u16), range: &Range<Millis>) -> Keys {
    Keys::prefixed(|to| series_prefix(to, id))
        .starting_at(|to| point_key(to, id, range.start))
        .ending_before(|to| point_key(to, id, range.end))
}

/// The time in a [`point_key`].
pub(crate) fn time_of(key: &[u8]) -> Option<Millis> {
    let mut from = Take::new(key.get(POINT_KEY_LEN - 8..)?);
    let at_ms = from.u64()?;
    from.end(at_ms)
}

/// Bytes of a [`point_key`].
const POINT_KEY_LEN: usize = 24;

/// Appends what the keys of a blob's pieces start with.
pub(crate) fn blob_prefix(to: &mut Vec<u8>, (org, blob): (OrgId, BlobId)) {
    to.put(org.as_bytes());
    to.put_u64(blob.0);
}

/// Appends the key of a piece.
pub(crate) fn piece_key(to: &mut Vec<u8>, blob: (OrgId, BlobId), index: u32) {
    blob_prefix(to, blob);
    to.put_u32(index);
}

/// Kinds of tails.
pub(crate) mod tail {
    pub(crate) const POINTS: u8 = 1;
    pub(crate) const EVENTS: u8 = 2;
}

/// Appends the key of a row of a tail.
pub(crate) fn tail_key(to: &mut Vec<u8>, kind: u8, row: u64) {
    to.put_u8(kind);
    to.put_u64(row);
}

/// A range of keys, and the order in which it is read.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// The first key that may be meant.
    pub(crate) from: Vec<u8>,
    /// The first key after it that is not meant; `None` = to the end of the table.
    pub(crate) to: Option<Vec<u8>>,
    /// In which order the rows are read.
    pub(crate) order: Order,
}

impl Keys {
    /// All keys that start with what `prefix` appends.
    pub(crate) fn prefixed(prefix: impl FnOnce(&mut Vec<u8>)) -> Keys {
        let mut from = Vec::with_capacity(32);
        prefix(&mut from);
        let to = successor(&from);
        Keys { from, to, order: Order::Ascending }
    }

    /// All keys of a table.
    pub(crate) fn all() -> Keys {
        Keys { from: Vec::new(), to: None, order: Order::Ascending }
    }

    /// The same range without what lies before `from`.
    pub(crate) fn starting_at(mut self, from: impl FnOnce(&mut Vec<u8>)) -> Keys {
        self.from.clear();
        from(&mut self.from);
        self
    }

    /// The same range without what lies at or after `to`.
    pub(crate) fn ending_before(mut self, to: impl FnOnce(&mut Vec<u8>)) -> Keys {
        let mut end = Vec::with_capacity(self.from.len());
        to(&mut end);
        self.to = Some(end);
        self
    }

    /// The same range, read in this order.
    pub(crate) fn read(mut self, order: Order) -> Keys {
        self.order = order;
        self
    }

    /// Whether no key can be in the range.
    pub(crate) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    /// Whether a key is in the range.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        key >= self.from.as_slice() && self.to.as_deref().is_none_or(|to| key < to)
    }

    /// As bounds for a sorted map.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let to = self.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(&self.from), to)
    }
}

/// The first key after all keys that start with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|it| *it != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_of_a_prefix_lies_after_all_its_keys() {
        assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(&[1, 0xFF]), Some(vec![2]));
        assert_eq!(successor(&[0xFF]), None);
        assert_eq!(successor(&[]), None);
    }

    #[test]
    fn the_table_of_a_number_is_at_that_place() {
        for (index, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table.index(), index);
        }
    }
}
