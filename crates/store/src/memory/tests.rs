#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::{Platter, open, start};
use crate::contract::{Opener, suite};
use crate::limits::QueueBounds;
use crate::{Change, Changes, Store, StoreFault, Ticket, Waiter};

#[derive(Default)]
struct Reopened(Arc<Platter>);

impl Opener for Reopened {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(start(self.0.clone(), QueueBounds::default()).unwrap())
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
