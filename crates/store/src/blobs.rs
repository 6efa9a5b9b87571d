//! Blobs: bytes of an organisation that are too many for one row, in pieces of one size.
//!
//! The pieces of a blob come first, in as many groups as they take; a row in the registry then says that it is whole,
//! and only from there on is anything seen of it. Whoever refers to a blob stores that in the batch that makes it
//! whole, or later. Until then, and again once it is forgotten, another row marks the blob as partial: its pieces are
//! worth nothing. Those of a forgotten one are deleted with the groups that follow, a few with each; those of one that
//! was never finished go when the data are opened again, if nobody forgets it before.
//!
//! Pieces are read by range, and never through the committer.

use std::collections::{HashSet, VecDeque};
use std::ops::{ControlFlow, Range};

use domain::{Blob, BlobId, OrgId};

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::{ID_LEN, ORG_LEN, corrupt, each_org, list};
use crate::limits::{BLOB_PIECE_BYTES, BLOB_PIECES_PURGED_PER_GROUP_MAX};
use crate::rows::Rows;
use crate::schema::{self, Keys, Table, VERSION, registry};
use crate::values;

type Key = (OrgId, BlobId);

/// The committer's part: which blobs are partial.
#[derive(Default)]
pub(crate) struct Partial {
    /// Those that are being written.
    growing: HashSet<Key>,
    /// Those whose pieces are being deleted; nothing more is written to them.
    doomed: HashSet<Key>,
    /// The same, in the order in which they are deleted.
    waiting: VecDeque<Key>,
    /// How many of them were added with the present group.
    fresh_count: usize,
}

impl Partial {
    /// Finds what was never finished, or not deleted to the end.
    pub(crate) fn open(disk: &impl Disk) -> Result<Partial, StoreFault> {
        let mut partial = Partial::default();
        each_org(disk, &mut |org| {
            let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::PARTIAL_BLOB, &[]));
            for id in list(disk, Table::Registry, &keys, usize::MAX, |key, _| {
                key.bytes(ORG_LEN + 1)?;
                key.u64()
            })? {
                partial.doom((org, BlobId(id)));
            }
            Ok(())
        })?;
        partial.fresh_count = 0;
        Ok(partial)
    }

    fn doom(&mut self, key: Key) {
        self.growing.remove(&key);
        if self.doomed.insert(key) {
            self.waiting.push_back(key);
            self.fresh_count += 1;
        }
    }

    /// Whether there are pieces to delete.
    pub(crate) fn is_purging(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps a piece, unless the blob is forgotten.
    pub(crate) fn piece(&mut self, key: Key, index: u32, bytes: &[u8], rows: &mut Rows) {
        if self.doomed.contains(&key) {
            return;
        }
        if self.growing.insert(key) {
            rows.put(Table::Registry, |to| partial_key(to, key), values::put_nothing);
        }
        rows.put(
            Table::Blobs,
            |to| schema::piece_key(to, key, index),
            |to| {
                to.put_u8(VERSION);
                to.put(bytes);
            },
        );
    }

    /// The blob is whole.
    pub(crate) fn whole(&mut self, org: OrgId, blob: Blob, rows: &mut Rows) {
        let key = (org, blob.id);
        if self.doomed.contains(&key) {
            return;
        }
        if self.growing.remove(&key) {
            rows.delete(Table::Registry, |to| partial_key(to, key));
        }
        rows.put(
            Table::Registry,
            |to| whole_key(to, key),
            |to| {
                to.put_u8(VERSION);
                to.put_u64(blob.size_bytes);
            },
        );
    }

    /// Forgets a blob, whole or not.
    pub(crate) fn drop_blob(&mut self, key: Key, rows: &mut Rows) {
        rows.delete(Table::Registry, |to| whole_key(to, key));
        rows.put(Table::Registry, |to| partial_key(to, key), values::put_nothing);
        self.doom(key);
    }

    /// Deletes some pieces of blobs that were forgotten. Not of those forgotten in this very group: some of their
    /// pieces may be among the group's rows.
    pub(crate) fn purge(&mut self, rows: &mut Rows, disk: &impl Disk) -> Result<(), StoreFault> {
        let mut room = BLOB_PIECES_PURGED_PER_GROUP_MAX;
        while self.waiting.len() > self.fresh_count {
            let Some(&key) = self.waiting.front() else { break };
            let keys = Keys::prefixed(|to| schema::blob_prefix(to, key));
            disk.scan(Table::Blobs, &keys, &mut |key, _| {
                rows.delete_key(Table::Blobs, key);
                room -= 1;
                Ok(if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            if room == 0 {
                break;
            }
            rows.delete(Table::Registry, |to| partial_key(to, key));
            self.waiting.pop_front();
            self.doomed.remove(&key);
        }
        self.fresh_count = 0;
        Ok(())
    }
}

fn whole_key(to: &mut Vec<u8>, (org, blob): Key) {
    schema::registry_key(to, org, registry::BLOB, &blob.0.to_be_bytes());
}

fn partial_key(to: &mut Vec<u8>, (org, blob): Key) {
    schema::registry_key(to, org, registry::PARTIAL_BLOB, &blob.0.to_be_bytes());
}

fn take_whole(id: BlobId, value: &[u8]) -> Option<Blob> {
    let mut from = Take::new(value);
    let blob = (from.u8()? == VERSION).then_some(Blob { id, size_bytes: from.u64()? });
    from.end(blob)?
}

/// All blobs of an organisation that are whole, by id.
pub(crate) fn blobs(disk: &impl Disk, org: OrgId) -> Result<Vec<Blob>, StoreFault> {
    let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::BLOB, &[]));
    list(disk, Table::Registry, &keys, usize::MAX, |key, value| {
        key.bytes(ORG_LEN + 1)?;
        take_whole(BlobId(key.u64()?), value)
    })
}

/// One blob, if it is whole.
fn find(disk: &impl Disk, org: OrgId, id: BlobId) -> Result<Option<Blob>, StoreFault> {
    let mut key = Vec::with_capacity(ID_LEN + 1);
    whole_key(&mut key, (org, id));
    let Some(value) = disk.get(Table::Registry, &key)? else { return Ok(None) };
    take_whole(id, &value).map(Some).ok_or_else(|| corrupt(Table::Registry, &key))
}

/// Reads a range of a blob's bytes, piece by piece.
pub(crate) fn read(
    disk: &impl Disk,
    org: OrgId,
    id: BlobId,
    range: Range<u64>,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), StoreFault> {
    let Some(blob) = find(disk, org, id)? else { return Ok(()) };
    let (start, end) = (range.start, range.end.min(blob.size_bytes));
    if start >= end {
        return Ok(());
    }
    let piece_bytes = BLOB_PIECE_BYTES as u64;
    let index = |at: u64| u32::try_from(at / piece_bytes).unwrap_or(u32::MAX);
    let keys = Keys::prefixed(|to| schema::blob_prefix(to, (org, id)))
        .starting_at(|to| schema::piece_key(to, (org, id), index(start)));
    let mut at = u64::from(index(start)) * piece_bytes;
    let outcome = disk.scan(Table::Blobs, &keys, &mut |key, value| {
        let damaged = || corrupt(Table::Blobs, key);
        let mut number = Take::new(key.get(ID_LEN..).unwrap_or_default());
        let (Some(number), Some((&VERSION, bytes))) = (number.u32(), value.split_first()) else {
            return Err(damaged());
        };
        // All but the last have the same size: a hole would shift what comes behind it.
        let size_bytes = piece_bytes.min(blob.size_bytes - at);
        if number != index(at) || bytes.len() as u64 != size_bytes {
            return Err(damaged());
        }
        let skipped = start.saturating_sub(at) as usize;
        let taken = (end - at).min(size_bytes) as usize;
        at += size_bytes;
        let flow = each(&bytes[skipped..taken]);
        Ok(if at >= end { ControlFlow::Break(()) } else { flow })
    });
    match outcome {
        // It has been forgotten meanwhile, and its pieces are being deleted.
        Err(StoreFault::Corrupt(_)) if find(disk, org, id)?.is_none() => Ok(()),
        outcome => outcome,
    }
}
