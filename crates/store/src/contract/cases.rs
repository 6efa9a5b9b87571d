//! Cases of everything but queues.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use domain::{DeviceId, Received, Retained, SessionId};

use super::samples::*;
use super::{Opener, put};
use crate::{Change, Changes, SessionState, Store, Ticket, Waiter, limits};

struct Tell(SyncSender<Ticket>);

impl Waiter for Tell {
    fn stored(&self, ticket: Ticket) {
        self.0.send(ticket).unwrap();
    }
}

pub(crate) fn tickets_grow_and_waiters_are_told_in_order(opener: &mut dyn Opener) {
    let store = opener.open();
    assert!(store.stored() >= Ticket::NONE);
    store.wait(Ticket::NONE).unwrap();
    let (told, tickets) = sync_channel(200);
    let waiter: Arc<dyn Waiter> = Arc::new(Tell(told));
    let handed: Vec<_> = (0..100)
        .map(|n| {
            let change = Change::PutSetting { name: "n", value: vec![n] };
            store.commit(Changes { list: vec![change], waiter: Some(waiter.clone()) })
        })
        .collect();
    assert!(handed.is_sorted_by(|a, b| a < b));
    let heard: Vec<_> = tickets.iter().take(100).collect();
    assert_eq!(heard, handed);
    assert!(store.stored() >= handed[99]);
    assert_eq!(store.setting("n").unwrap(), Some(vec![99]));
    let empty = store.commit(Changes::new());
    store.wait(empty).unwrap();
    let stats = store.stats();
    assert_eq!((stats.changes, stats.waiting_bytes, stats.dropped), (100, 0, 0));
    assert!((1..=101).contains(&stats.commits), "{stats:?}");
}

pub(crate) fn registry_words_come_back_and_go(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    put(
        &*store,
        vec![
            Change::PutOrg(org(a)),
            Change::PutType(Arc::new(device_type(a, "pump"))),
            Change::PutType(Arc::new(device_type(a, "gw"))),
            Change::PutKey(key(a, "a-abc123-2")),
            Change::PutKey(key(a, "a-abc123-1")),
            Change::PutSetting { name: "secret", value: b"s".to_vec() },
        ],
    );
    assert_eq!(store.orgs().unwrap(), [org(a)]);
    assert_eq!(store.types(a).unwrap(), [device_type(a, "gw"), device_type(a, "pump")]);
    assert_eq!(store.keys(a).unwrap(), [key(a, "a-abc123-1"), key(a, "a-abc123-2")]);
    assert_eq!(store.setting("secret").unwrap(), Some(b"s".to_vec()));
    assert_eq!(store.setting("secre").unwrap(), None);

    let mut closed = org(a);
    closed.enabled = false;
    put(
        &*store,
        vec![
            Change::PutOrg(closed.clone()),
            Change::DropType { org: a, name: "gw".to_owned() },
            Change::DropKey { org: a, key: "a-abc123-1".to_owned() },
            Change::DropKey { org: a, key: "never made".to_owned() },
        ],
    );
    assert_eq!(store.orgs().unwrap(), [closed]);
    assert_eq!(store.types(a).unwrap(), [device_type(a, "pump")]);
    assert_eq!(store.keys(a).unwrap(), [key(a, "a-abc123-2")]);
}

pub(crate) fn organisations_do_not_see_each_other(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b, c) = (org_id("aaaaaa"), org_id("aaaaab"), org_id("zzzzzz"));
    let heard = Arc::new(Heard::default());
    for it in [c, a, b] {
        put(
            &*store,
            vec![
                Change::PutOrg(org(it)),
                Change::PutType(Arc::new(device_type(it, "pump"))),
                Change::PutDevice(Arc::new(device(it, 1))),
                Change::PutKey(key(it, "k")),
                Change::PutSession(session(it, 1)),
                Change::Event(event(it, 1, "e", 5)),
                enqueue(it, 1, it.as_str(), &heard),
                Change::Retain { org: it, space: SPACE, retained: retained("t", b"x") },
            ],
        );
    }
    assert_eq!(store.orgs().unwrap(), [org(a), org(b), org(c)]);
    for it in [a, b, c] {
        assert_eq!(store.types(it).unwrap(), [device_type(it, "pump")]);
        assert_eq!(store.devices(it, None, 9).unwrap(), [device(it, 1)]);
        assert_eq!(store.keys(it).unwrap(), [key(it, "k")]);
        assert_eq!(store.sessions(it).unwrap(), [(session(it, 1), vec![])]);
        assert_eq!(store.last_events(it, DeviceId(1)).unwrap().len(), 1);
        assert_eq!(all_points(&*store, it, 1).len(), 2);
        assert_eq!(store.queue_len(it, SessionId(1)).unwrap(), 1);
        assert_eq!(store.retained(it, SPACE).unwrap().len(), 1);
    }
}

pub(crate) fn devices_come_in_pages(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let devices: Vec<_> = (1..=7).map(|id| device(a, id)).collect();
    put(&*store, devices.iter().rev().map(|it| Change::PutDevice(Arc::new(it.clone()))).collect());
    assert_eq!(store.devices(a, None, 3).unwrap(), devices[..3]);
    assert_eq!(store.devices(a, Some(DeviceId(3)), 3).unwrap(), devices[3..6]);
    assert_eq!(store.devices(a, Some(DeviceId(6)), 3).unwrap(), devices[6..]);
    assert_eq!(store.devices(a, Some(DeviceId(u64::MAX)), 3).unwrap(), []);
    assert_eq!(store.devices(a, None, 0).unwrap(), []);
}

pub(crate) fn a_forgotten_device_has_no_past(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    for id in [1, 2] {
        put(
            &*store,
            vec![
                Change::PutDevice(Arc::new(device(a, id))),
                Change::Event(event(a, id, "e", 5)),
                Change::Event(event(a, id, "f", 6)),
            ],
        );
    }
    put(
        &*store,
        vec![
            Change::Event(event(a, 1, "g", 7)),
            Change::DropDevice { org: a, device: DeviceId(1) },
            Change::Event(event(a, 1, "h", 8)),
        ],
    );
    let check = |store: &dyn Store| {
        assert_eq!(store.devices(a, None, 9).unwrap(), [device(a, 2)]);
        assert_eq!(store.last_events(a, DeviceId(1)).unwrap(), []);
        assert_eq!(store.last_event(a, DeviceId(1), "e").unwrap(), None);
        assert_eq!(all_points(store, a, 1), [] as [&str; 0]);
        assert_eq!(store.last_events(a, DeviceId(2)).unwrap().len(), 2);
        assert_eq!(all_points(store, a, 2).len(), 4);
    };
    check(&*store);
    store.close().unwrap();
    drop(store);
    check(&*opener.open());
}

pub(crate) fn a_long_history_is_forgotten_too(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let many = limits::PURGE_ROWS_PER_GROUP_MAX as u64 * 2 + 10;
    put(&*store, (0..many).map(|at| Change::Event(event(a, 1, "e", at))).collect());
    put(
        &*store,
        vec![Change::Event(event(a, 2, "e", 1)), Change::DropDevice { org: a, device: DeviceId(1) }],
    );
    // However far the deletion has come, nothing is seen of it.
    for _ in 0..10 {
        assert_eq!(all_points(&*store, a, 1), [] as [&str; 0]);
        put(&*store, vec![]);
    }
    drop(store);
    let store = opener.open();
    assert_eq!(all_points(&*store, a, 1), [] as [&str; 0]);
    assert_eq!(all_points(&*store, a, 2).len(), 2);
}

pub(crate) fn the_last_event_of_each_name_is_kept(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let list = [("b", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5)];
    put(&*store, list.iter().map(|(name, at)| Change::Event(event(a, 1, name, *at))).collect());
    let last = |name: &str, at_ms: u64| domain::event::LastEvent {
        name: name.to_owned(),
        format: "json".to_owned(),
        at_ms,
        payload: format!(r#"{{"n":{at_ms}}}"#).into_bytes(),
    };
    assert_eq!(store.last_events(a, DeviceId(1)).unwrap(), [last("a", 4), last("b", 5)]);
    put(&*store, vec![Change::Event(event(a, 1, "b", 2))]);
    assert_eq!(store.last_event(a, DeviceId(1), "b").unwrap(), Some(last("b", 2)), "the last to come in");
    assert_eq!(store.last_event(a, DeviceId(1), "c").unwrap(), None);
    assert_eq!(store.last_event(a, DeviceId(2), "b").unwrap(), None);
}

pub(crate) fn sessions_come_back_with_their_subscriptions(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let subscribe = |id, it| Change::Subscribe { org: a, session: SessionId(id), subscription: it };
    put(
        &*store,
        vec![
            Change::PutSession(session(a, 2)),
            Change::PutSession(session(a, 1)),
            subscribe(1, subscription("b/#")),
            subscribe(1, subscription("a/+")),
            subscribe(2, subscription("a/+")),
        ],
    );
    let both = vec![subscription("a/+"), subscription("b/#")];
    assert_eq!(
        store.sessions(a).unwrap(),
        [(session(a, 1), both), (session(a, 2), vec![subscription("a/+")])]
    );
    let mut other = subscription("a/+");
    other.route = None;
    other.share = Some("g".to_owned());
    put(
        &*store,
        vec![
            subscribe(2, other.clone()),
            Change::Unsubscribe { org: a, session: SessionId(1), filter: "b/#".to_owned() },
            Change::Unsubscribe { org: a, session: SessionId(1), filter: "b".to_owned() },
            Change::PutSession(session(a, 1)),
        ],
    );
    assert_eq!(
        store.sessions(a).unwrap(),
        [(session(a, 1), vec![subscription("a/+")]), (session(a, 2), vec![other])]
    );

    let receive = |packet_id, message| Change::Receive { org: a, session: SessionId(1), packet_id, message };
    let message = Some(Box::new(unreleased("t", b"waits")));
    let done = Change::ReceiveDone { org: a, session: SessionId(1), packet_id: 300 };
    put(
        &*store,
        vec![
            receive(65_535, message.clone()),
            receive(300, message),
            receive(1, None),
            receive(1, None),
            done,
        ],
    );
    let state = store.session_state(a, SessionId(1)).unwrap();
    let received = vec![
        Received { packet_id: 1, message: None },
        Received { packet_id: 65_535, message: Some(unreleased("t", b"waits")) },
    ];
    assert_eq!(state, SessionState { sent_seq: 0, received });
    assert_eq!(store.session_state(a, SessionId(2)).unwrap(), SessionState::default());
}

pub(crate) fn a_forgotten_session_leaves_nothing(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let everything = |id| {
        vec![
            Change::PutSession(session(a, id)),
            Change::Subscribe { org: a, session: SessionId(id), subscription: subscription("a") },
            Change::Receive { org: a, session: SessionId(id), packet_id: 5, message: None },
            enqueue(a, id, "x", &heard),
            enqueue(a, id, "y", &heard),
            Change::Sent { org: a, session: SessionId(id), seq: 1 },
        ]
    };
    put(&*store, everything(1));
    put(&*store, everything(2));
    let mut in_one = everything(3);
    in_one.push(Change::DropSession { org: a, session: SessionId(3) });
    in_one.push(Change::DropSession { org: a, session: SessionId(1) });
    put(&*store, in_one);
    let check = |store: &dyn Store| {
        assert_eq!(store.sessions(a).unwrap(), [(session(a, 2), vec![subscription("a")])]);
        for (id, queued, state) in [
            (1, 0, SessionState::default()),
            (2, 2, SessionState { sent_seq: 1, received: vec![Received { packet_id: 5, message: None }] }),
            (3, 0, SessionState::default()),
        ] {
            assert_eq!(store.queue_len(a, SessionId(id)).unwrap(), queued);
            assert_eq!(store.session_state(a, SessionId(id)).unwrap(), state);
        }
    };
    check(&*store);
    drop(store);
    check(&*opener.open());
}

pub(crate) fn changes_for_no_session_are_ignored(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    let session_id = SessionId(1);
    put(
        &*store,
        vec![
            Change::PutSession(session(a, 1)),
            Change::DropSession { org: a, session: session_id },
            enqueue(a, 1, "x", &heard),
            Change::Subscribe { org: a, session: session_id, subscription: subscription("a") },
            Change::Receive { org: a, session: session_id, packet_id: 5, message: None },
            Change::Sent { org: a, session: session_id, seq: 1 },
            Change::Release { org: a, session: session_id, seq: 1 },
            Change::Dequeue { org: a, session: session_id, seq: 1 },
        ],
    );
    assert_eq!(heard.0.lock().len(), 0);
    assert_eq!(store.sessions(a).unwrap(), []);
    assert_eq!(store.session_state(a, session_id).unwrap(), SessionState::default());
    assert_eq!(store.queue_len(a, session_id).unwrap(), 0);
    drop(store);
    assert_eq!(opener.open().sessions(a).unwrap(), []);
}

pub(crate) fn retained_messages_come_back_by_topic(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let retain = |space, topic, payload| Change::Retain { org: a, space, retained: retained(topic, payload) };
    put(&*store, vec![retain(SPACE, "b", b"1"), retain(SPACE, "a", b"2"), retain("wats", "onb", b"3")]);
    assert_eq!(store.retained(a, SPACE).unwrap(), [retained("a", b"2"), retained("b", b"1")]);
    assert_eq!(store.retained(a, "wats").unwrap(), [retained("onb", b"3")]);
    put(
        &*store,
        vec![
            retain(SPACE, "b", b"4"),
            Change::Unretain { org: a, space: SPACE, topic: "a".to_owned() },
            Change::Unretain { org: a, space: SPACE, topic: "c".to_owned() },
        ],
    );
    assert_eq!(store.retained(a, SPACE).unwrap(), [retained("b", b"4")]);
    let will = Retained { will_of: Some("session".into()), ..retained("b", b"5") };
    put(&*store, vec![Change::Retain { org: a, space: SPACE, retained: will.clone() }]);
    assert_eq!(store.retained(a, SPACE).unwrap(), [will]);
}

pub(crate) fn what_does_not_fit_a_key_is_counted(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let retain = |count| {
        let retained = retained(&"t".repeat(count), b"x");
        Change::Retain { org: a, space: SPACE, retained }
    };
    put(&*store, vec![retain(limits::KEY_TEXT_BYTES_MAX), retain(limits::KEY_TEXT_BYTES_MAX + 1)]);
    let kept = store.retained(a, SPACE).unwrap();
    assert_eq!(
        kept.iter().map(|it| it.message.topic().len()).collect::<Vec<_>>(),
        [limits::KEY_TEXT_BYTES_MAX]
    );
    assert_eq!(store.stats().oversized, 1);
}

pub(crate) fn changes_are_stored_in_order_and_as_one(opener: &mut dyn Opener) {
    let store = opener.open();
    std::thread::scope(|scope| {
        let writers: Vec<_> = ["x", "y"]
            .into_iter()
            .map(|who| {
                let store = &*store;
                scope.spawn(move || {
                    let mut last = Ticket::NONE;
                    for n in 0..500_u32 {
                        let value = [who.as_bytes(), &n.to_be_bytes()].concat();
                        let both = ["left", "right"];
                        let list = both.map(|name| Change::PutSetting { name, value: value.clone() }).into();
                        last = store.commit(Changes { list, waiter: None });
                    }
                    last
                })
            })
            .collect();
        let last = writers.into_iter().map(|it| it.join().unwrap()).max();
        store.wait(last.unwrap()).unwrap();
    });
    let left = store.setting("left").unwrap().unwrap();
    assert_eq!(store.setting("right").unwrap().as_ref(), Some(&left), "of one batch");
    assert_eq!(left[1..], 499_u32.to_be_bytes(), "the last of one of the two");
    let stats = store.stats();
    assert_eq!((stats.changes, stats.waiting_bytes), (2_000, 0));
    assert!(stats.commits <= 1_000);
}

pub(crate) fn everything_is_there_after_opening_again(opener: &mut dyn Opener) {
    let a = org_id("abc123");
    let store = opener.open();
    let heard = Arc::new(Heard::default());
    put(
        &*store,
        vec![
            Change::PutSetting { name: "s", value: vec![] },
            Change::PutOrg(org(a)),
            Change::PutType(Arc::new(device_type(a, "pump"))),
            Change::PutDevice(Arc::new(device(a, 1))),
            Change::PutKey(key(a, "k")),
            Change::PutSession(session(a, 1)),
            Change::Subscribe { org: a, session: SessionId(1), subscription: subscription("a") },
            Change::Receive { org: a, session: SessionId(1), packet_id: 5, message: None },
            enqueue(a, 1, "x", &heard),
            enqueue(a, 1, "y", &heard),
            Change::Sent { org: a, session: SessionId(1), seq: 2 },
            Change::Release { org: a, session: SessionId(1), seq: 1 },
            Change::Retain { org: a, space: SPACE, retained: retained("t", b"p") },
            Change::Event(event(a, 1, "e", 5)),
        ],
    );
    drop(store);
    let store = opener.open();
    assert_eq!(store.setting("s").unwrap(), Some(vec![]));
    assert_eq!(store.orgs().unwrap(), [org(a)]);
    assert_eq!(store.types(a).unwrap(), [device_type(a, "pump")]);
    assert_eq!(store.devices(a, None, 9).unwrap(), [device(a, 1)]);
    assert_eq!(store.keys(a).unwrap(), [key(a, "k")]);
    assert_eq!(store.sessions(a).unwrap(), [(session(a, 1), vec![subscription("a")])]);
    let state = store.session_state(a, SessionId(1)).unwrap();
    assert_eq!(state, SessionState { sent_seq: 2, received: vec![Received { packet_id: 5, message: None }] });
    let queue = store.queue(a, SessionId(1), 0, 9, 9_999).unwrap();
    assert_eq!(
        queue.iter().map(|it| (it.seq, it.message.is_some())).collect::<Vec<_>>(),
        [(1, false), (2, true)]
    );
    assert_eq!(store.retained(a, SPACE).unwrap(), [retained("t", b"p")]);
    assert_eq!(store.last_events(a, DeviceId(1)).unwrap().len(), 1);
    assert_eq!(all_points(&*store, a, 1), ["n 5 I64(5)", r#"text 5 Text("e")"#]);
}

pub(crate) fn a_closed_store_stores_nothing_more(opener: &mut dyn Opener) {
    let store = opener.open();
    let before = store.commit(Change::PutSetting { name: "s", value: vec![1] }.into());
    store.close().unwrap();
    assert!(store.stored() >= before, "what was handed in is stored");
    let after = store.commit(Change::PutSetting { name: "s", value: vec![2] }.into());
    assert!(store.wait(after).is_err());
    assert!(store.stored() < after);
    assert_eq!(store.stats().waiting_bytes, 0);
    store.close().unwrap();
    drop(store);
    assert_eq!(opener.open().setting("s").unwrap(), Some(vec![1]));
}
