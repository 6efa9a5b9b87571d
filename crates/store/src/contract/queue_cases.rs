//! Cases of sessions' queues.

use std::sync::Arc;

use domain::limits::QUEUE_MESSAGE_COUNT_MAX;
use domain::{Message, OrgId, QoS, Queued, SessionId};

use super::samples::*;
use super::{Opener, put};
use crate::{Change, Store};

const ONE: SessionId = SessionId(1);

fn dequeue(org: OrgId, seq: u64) -> Change {
    Change::Dequeue { org, session: ONE, seq }
}

fn places(store: &dyn Store, org: OrgId) -> Vec<u64> {
    let queue = store.queue(org, ONE, 0, usize::MAX, usize::MAX).unwrap();
    queue.iter().map(|it| it.seq).collect()
}

pub(crate) fn queued_messages_get_places_in_order(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let (one, two) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    put(&*store, vec![Change::PutSession(session(a, 1)), Change::PutSession(session(a, 2))]);
    put(&*store, vec![enqueue(a, 1, "x", &one), enqueue(a, 2, "x", &two), enqueue(a, 1, "y", &one)]);
    put(&*store, vec![enqueue(a, 1, "z", &one)]);
    // The committer tells inboxes after it has published the ticket; the next group comes after that.
    put(&*store, vec![]);
    let heard = |places: &[(u64, &str)]| {
        places.iter().map(|(seq, it)| (*seq, Some((*it).to_owned()))).collect::<Vec<_>>()
    };
    assert_eq!(*one.0.lock(), heard(&[(1, "x"), (2, "y"), (3, "z")]));
    assert_eq!(*two.0.lock(), heard(&[(1, "x")]));
    let expected = Queued {
        seq: 2,
        qos: QoS::ExactlyOnce,
        retain: true,
        identifiers: [4, 70_000].into(),
        deadline_ms: 99,
        expires_ms: 98,
        message: Some(Message::shared("t/o/p", b"\x01\x02", b"y")),
    };
    assert_eq!(store.queue(a, ONE, 1, 1, 9_999).unwrap(), [expected]);
    put(&*store, vec![dequeue(a, 2), dequeue(a, 2), dequeue(a, 77)]);
    assert_eq!(places(&*store, a), [1, 3]);
    assert_eq!(store.queue_len(a, ONE).unwrap(), 2);
}

pub(crate) fn a_released_message_keeps_its_place(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let release = |seq| Change::Release { org: a, session: ONE, seq };
    put(
        &*store,
        vec![Change::PutSession(session(a, 1)), enqueue(a, 1, "x", &heard), enqueue(a, 1, "y", &heard)],
    );
    put(&*store, vec![release(1), dequeue(a, 2), release(2), release(1)]);
    let queue = store.queue(a, ONE, 0, 9, 9_999).unwrap();
    let released = Queued {
        seq: 1,
        qos: QoS::ExactlyOnce,
        retain: false,
        identifiers: Box::default(),
        deadline_ms: 0,
        expires_ms: 0,
        message: None,
    };
    assert_eq!(queue, [released]);
    assert_eq!(store.queue_len(a, ONE).unwrap(), 1);
    put(&*store, vec![dequeue(a, 1)]);
    assert_eq!(store.queue_len(a, ONE).unwrap(), 0);
}

pub(crate) fn a_queue_is_read_in_portions(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let mut list = vec![Change::PutSession(session(a, 1))];
    list.extend((0..10).map(|_| enqueue(a, 1, &"x".repeat(1_000), &heard)));
    put(&*store, list);
    let seqs = |after, count_max, bytes_max| {
        let queue = store.queue(a, ONE, after, count_max, bytes_max).unwrap();
        queue.iter().map(|it| it.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 3, 99_999), [1, 2, 3]);
    assert_eq!(seqs(3, 99, 3_500), [4, 5, 6]);
    assert_eq!(seqs(8, 99, 1), [9], "at least one");
    assert_eq!(seqs(10, 99, 99_999), []);
    assert_eq!(seqs(0, 0, 99_999), []);
    assert_eq!(seqs(u64::MAX, 1, 1), []);
}

pub(crate) fn a_full_queue_drops_its_oldest(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let mut list = vec![Change::PutSession(session(a, 1))];
    list.extend((0..QUEUE_MESSAGE_COUNT_MAX).map(|_| enqueue(a, 1, "x", &heard)));
    put(&*store, list);
    put(&*store, (0..3).map(|_| enqueue(a, 1, "y", &heard)).collect());
    put(&*store, vec![]);
    assert_eq!(store.queue_len(a, ONE).unwrap() as u64, QUEUE_MESSAGE_COUNT_MAX);
    assert_eq!(store.queue(a, ONE, 0, 1, 1).unwrap()[0].seq, 4);
    assert_eq!(heard.drops(), [1, 2, 3]);
    assert_eq!(heard.places().len() as u64, QUEUE_MESSAGE_COUNT_MAX + 3);
    assert_eq!(store.stats().dropped, 3);

    drop(store);
    let store = opener.open();
    put(&*store, vec![enqueue(a, 1, "z", &heard)]);
    assert_eq!(store.queue_len(a, ONE).unwrap() as u64, QUEUE_MESSAGE_COUNT_MAX, "counted at opening");
    assert_eq!(store.queue(a, ONE, 0, 1, 1).unwrap()[0].seq, 5);
}

pub(crate) fn of_what_was_never_sent_the_newest_stay(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let bounded = |count_max: u32| {
        let mut change = enqueue(a, 1, "x", &heard);
        if let Change::Enqueue { qos, unsent_count_max, .. } = &mut change {
            (*qos, *unsent_count_max) = (QoS::AtMostOnce, count_max);
        }
        change
    };
    put(&*store, vec![Change::PutSession(session(a, 1))]);
    put(&*store, (0..5).map(|_| bounded(0)).collect());
    put(&*store, vec![Change::Sent { org: a, session: ONE, seq: 2 }]);
    put(&*store, vec![bounded(0), bounded(3), bounded(3)]);
    assert_eq!(places(&*store, a), [1, 2, 6, 7, 8], "what was sent stays beside them");
    assert_eq!(store.queue(a, ONE, 7, 1, 9_999).unwrap()[0].qos, QoS::AtMostOnce);
    put(&*store, vec![]);
    assert_eq!((heard.drops(), store.stats().dropped), (vec![3, 4, 5], 3));
    drop(store);
    let store = opener.open();
    put(&*store, vec![bounded(1)]);
    assert_eq!(places(&*store, a), [1, 2, 9], "what was sent is known after opening again");
    put(&*store, vec![dequeue(a, 9), bounded(1), dequeue(a, 10)]);
    drop(store);
    let store = opener.open();
    put(&*store, vec![bounded(1)]);
    assert_eq!(places(&*store, a), [1, 2, 11]);
}

pub(crate) fn places_are_never_given_twice(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let heard = Arc::new(Heard::default());
    put(&*opener.open(), vec![Change::PutSession(session(a, 1))]);
    let next = |opener: &mut dyn Opener, gone: &[u64]| {
        let store = opener.open();
        put(&*store, gone.iter().map(|seq| dequeue(a, *seq)).collect());
        drop(store);
        let store = opener.open();
        put(&*store, vec![enqueue(a, 1, "x", &heard)]);
        places(&*store, a)
    };
    assert_eq!(next(opener, &[]), [1]);
    assert_eq!(next(opener, &[1]), [2], "the queue was empty");
    assert_eq!(next(opener, &[]), [2, 3]);
    assert_eq!(next(opener, &[3]), [2, 4], "the newest was gone");
    assert_eq!(next(opener, &[2]), [4, 5]);
    assert_eq!(next(opener, &[5, 4]), [6]);
    let store = opener.open();
    put(&*store, vec![enqueue(a, 1, "x", &heard), dequeue(a, 7), dequeue(a, 6)]);
    drop(store);
    assert_eq!(next(opener, &[]), [8], "came and went in one group");
}

pub(crate) fn sent_marks_only_grow(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let heard = Arc::new(Heard::default());
    let store = opener.open();
    let sent = |seq| Change::Sent { org: a, session: ONE, seq };
    put(
        &*store,
        vec![Change::PutSession(session(a, 1)), enqueue(a, 1, "x", &heard), enqueue(a, 1, "x", &heard)],
    );
    assert_eq!(store.session_state(a, ONE).unwrap().sent_seq, 0);
    put(&*store, vec![sent(2)]);
    put(&*store, vec![sent(1)]);
    assert_eq!(store.session_state(a, ONE).unwrap().sent_seq, 2);
    drop(store);
    let store = opener.open();
    assert_eq!(store.session_state(a, ONE).unwrap().sent_seq, 2);
    put(&*store, vec![dequeue(a, 1), dequeue(a, 2), enqueue(a, 1, "x", &heard)]);
    assert_eq!((store.session_state(a, ONE).unwrap().sent_seq, places(&*store, a)), (2, vec![3]));
}
