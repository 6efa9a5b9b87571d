#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::sync::Arc;

use domain::{Blob, BlobId, DeviceId, Message, SessionId};

use super::{MemoryStore, Platter, open, start};
use crate::contract::{Opener, samples, suite};
use crate::disk::Disk;
use crate::limits::{BLOB_PIECE_BYTES, Bounds, EventBounds, GROUP_BYTES_MAX, PointBounds};
use crate::rows::Rows;
use crate::schema::{Keys, Table};
use crate::{Change, Changes, Store, StoreFault, Ticket, Waiter};

#[derive(Default)]
struct Reopened(Arc<Platter>);

impl Opener for Reopened {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(start(self.0.clone(), Bounds::default()).unwrap())
    }
}

suite!(Reopened::default());

fn put(value: u8) -> Change {
    Change::PutSetting { name: "s", value: vec![value] }
}

#[test]
fn what_waits_while_held_is_one_group() {
    let store = open().unwrap();
    let hold = store.hold();
    let first = store.commit(put(0).into());
    let last = (1..=50).map(|n| store.commit(put(n).into())).last().unwrap();
    assert!(store.stored() < first);
    assert_eq!(store.setting("s").unwrap(), None);
    assert!(store.stats().waiting_bytes > 0);
    drop(hold);
    store.wait(last).unwrap();
    assert_eq!(store.setting("s").unwrap(), Some(vec![50]));
    assert!(store.stats().commits <= 2, "{:?}", store.stats());
}

#[test]
fn after_a_failed_sync_nothing_is_stored() {
    let store = open().unwrap();
    store.wait(store.commit(put(1).into())).unwrap();
    assert!(store.health().is_ok());
    store.fail_next_sync();
    let lost = store.commit(put(2).into());
    assert!(matches!(store.wait(lost), Err(StoreFault::Poisoned(_))));
    assert!(store.health().is_err());
    let later = store.commit(put(3).into());
    assert!(store.wait(later).is_err() && store.stored() < lost);
    assert!(store.close().is_err());
    assert_eq!(store.setting("s").unwrap(), Some(vec![1]));
    assert_eq!(store.restart().unwrap().setting("s").unwrap(), Some(vec![1]));
}

#[test]
fn a_restart_loses_what_was_not_stored() {
    let store = open().unwrap();
    store.wait(store.commit(put(1).into())).unwrap();
    let hold = store.hold();
    store.commit(put(2).into());
    let store = store.restart().unwrap();
    assert_eq!(store.setting("s").unwrap(), Some(vec![1]));
    drop(hold);
    store.wait(store.commit(put(3).into())).unwrap();
    assert_eq!(store.setting("s").unwrap(), Some(vec![3]));
}

struct Panics;

impl Waiter for Panics {
    fn stored(&self, _: Ticket) {
        panic!("a waiter must not");
    }
}

#[test]
fn nobody_waits_forever_for_a_lost_committer() {
    let store = open().unwrap();
    let first = store.commit(Changes { list: vec![put(1)], waiter: Some(Arc::new(Panics)) });
    store.wait(first).unwrap();
    let second = store.commit(put(2).into());
    assert!(matches!(store.wait(second), Err(StoreFault::Poisoned(_))));
    assert!(store.health().is_err());
}

#[test]
fn a_damaged_row_is_told_and_not_guessed() {
    let org = samples::org_id("abc123");
    let platter = Arc::<Platter>::default();
    let store = start(platter.clone(), Bounds::default()).unwrap();
    let damage = |table, key: fn(&mut Vec<u8>)| {
        let mut rows = Rows::default();
        rows.put(table, key, |to| to.extend(b"\x01\xFF"));
        platter.apply(&rows);
    };
    damage(Table::Registry, |to| to.extend(b"abc123\x03\0\0\0\0\0\0\0\x07"));
    let fault = store.devices(org, None, 9).unwrap_err();
    assert!(matches!(&fault, StoreFault::Corrupt(row) if row.starts_with("registry abc123")), "{fault}");
    damage(Table::Queue, |to| to.extend(b"abc123\0\0\0\0\0\0\0\x01short"));
    assert!(matches!(store.queue(org, SessionId(1), 0, 9, 9), Err(StoreFault::Corrupt(_))));
    drop(store);
    assert!(matches!(start(platter, Bounds::default()), Err(StoreFault::Corrupt(_))));
}

#[test]
fn a_large_backlog_is_stored_in_several_groups() {
    const EVENT_BYTES: usize = 1024 * 1024;
    let org = samples::org_id("abc123");
    let store = open().unwrap();
    let hold = store.hold();
    let count = 3 * GROUP_BYTES_MAX / EVENT_BYTES;
    let payload = "x".repeat(EVENT_BYTES);
    let mut last = Ticket::NONE;
    for device in 0..count as u64 {
        let mut event = samples::event(org, device, "e", 1);
        event.message = Message::shared("t", b"", payload.as_bytes());
        last = store.commit(Change::Event(event).into());
    }
    drop(hold);
    store.wait(last).unwrap();
    assert!((3..count as u64).contains(&store.stats().commits), "{:?}", store.stats());
}

/// Bounds that a few devices reach.
fn small() -> Bounds {
    let points = PointBounds {
        tail_bytes_max: 4_000,
        tail_row_bytes: 500,
        open_bytes_max: 20_000,
        ..PointBounds::default()
    };
    let events = EventBounds { bytes_max: 20_000, tail_bytes_max: 3_000, tail_row_bytes: 500 };
    Bounds { points, events, ..Bounds::default() }
}

/// Bytes of both tails.
fn tail_bytes(store: &MemoryStore) -> usize {
    let mut bytes = 0;
    let mut each = |_: &[u8], value: &[u8]| {
        bytes += value.len();
        Ok(ControlFlow::Continue(()))
    };
    store.disk().scan(Table::Tail, &Keys::all(), &mut each).unwrap();
    bytes
}

#[test]
fn a_series_that_waits_does_not_hold_the_tail() {
    let org = samples::org_id("abc123");
    let platter = Arc::<Platter>::default();
    let store = start(platter.clone(), small()).unwrap();
    put_all(&store, vec![Change::Event(samples::event(org, 7, "e", 1))]);
    let mut largest = 0;
    for at_ms in 1..3_000 {
        put_all(&store, vec![Change::Event(samples::event(org, 1, "e", at_ms))]);
        largest = largest.max(tail_bytes(&store));
    }
    assert!((6_000..7_300).contains(&largest), "{largest}");
    drop(store);
    let store = start(platter, small()).unwrap();
    assert_eq!(samples::all_points(&store, org, 7).len(), 2);
    assert_eq!(store.last_events(org, DeviceId(7)).unwrap()[0].at_ms, 1);
    assert_eq!(store.last_events(org, DeviceId(1)).unwrap()[0].at_ms, 2_999);
    assert_eq!(samples::all_points(&store, org, 1).len(), 2 * 2_999);
}

#[test]
fn devices_leave_memory_when_it_is_full_and_come_back() {
    let org = samples::org_id("abc123");
    let store = start(Arc::default(), small()).unwrap();
    for round in 1..=3 {
        for device in 0..200 {
            put_all(&store, vec![Change::Event(samples::event(org, device, "e", round))]);
            let series = store.open_series_count();
            assert!(series < 20_000 / 200, "{series}");
        }
    }
    let events = store.open_event_count();
    assert!((10..20_000 / 150).contains(&events), "{events}");
    assert!(store.open_series_count() > 10, "it is not emptied either");
    for device in 0..200 {
        assert_eq!(samples::all_points(&store, org, device).len(), 6, "{device}");
        assert_eq!(store.last_events(org, DeviceId(device)).unwrap()[0].at_ms, 3);
    }
}

fn put_all(store: &MemoryStore, list: Vec<Change>) {
    store.wait(store.commit(Changes { list, waiter: None })).unwrap();
}

/// How many rows a table has.
fn row_count(store: &MemoryStore, table: Table) -> usize {
    let mut count = 0;
    let mut each = |_: &[u8], _: &[u8]| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    };
    store.disk().scan(table, &Keys::all(), &mut each).unwrap();
    count
}

#[test]
fn forgotten_and_unfinished_blobs_leave_nothing_on_the_disk() {
    let org = samples::org_id("abc123");
    let platter = Arc::<Platter>::default();
    let store = start(platter.clone(), Bounds::default()).unwrap();
    let piece = |blob, index| {
        let bytes = vec![1; if index < 150 { BLOB_PIECE_BYTES } else { 1 }].into();
        Change::PutPiece { org, blob: BlobId(blob), index, bytes }
    };
    let size_bytes = 150 * BLOB_PIECE_BYTES as u64 + 1;
    put_all(&store, (0..=150).map(|it| piece(1, it)).collect());
    put_all(&store, vec![Change::PutBlob { org, blob: Blob { id: BlobId(1), size_bytes } }]);
    put_all(&store, vec![piece(2, 0)]);
    assert_eq!(row_count(&store, Table::Blobs), 152);
    put_all(&store, vec![Change::DropBlob { org, blob: BlobId(1) }]);
    while row_count(&store, Table::Blobs) > 1 {
        put_all(&store, vec![]);
    }
    drop(store);
    let store = start(platter, Bounds::default()).unwrap();
    while row_count(&store, Table::Blobs) + row_count(&store, Table::Registry) > 0 {
        put_all(&store, vec![]);
    }
}
