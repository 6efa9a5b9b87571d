//! The router and the retained messages against a model that compares filters and topics level by level.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "router/model.rs"]
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Change, Model, apply, expected, found, is_match};
use mqtt::router::{Match, Retained, Router};
use proptest::prelude::*;

#[test]
fn the_examples_of_the_standard_hold() {
    let cases = [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("#", "sport/tennis", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/a", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/a", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("ACCOUNTS", "Accounts", false),
        ("/finance", "finance", false),
        ("a/$b/+", "a/$b/c", true),
        ("a/+", "a/$b", true),
    ];
    for (filter, topic, expected) in cases {
        let mut router = Router::new();
        router.insert(filter, 1, 1);
        assert_eq!(!found(&router, topic).is_empty(), expected, "router: {filter} and {topic}");
        let mut retained = Retained::new();
        retained.set(topic, ());
        let mut count = 0;
        retained.matching(filter, |_, ()| count += 1);
        assert_eq!(count == 1, expected, "retained: {filter} and {topic}");
        assert_eq!(is_match(filter, topic), expected, "model: {filter} and {topic}");
    }
}

#[test]
fn overlapping_filters_of_one_client_are_found_once_each() {
    let mut router = Router::new();
    for (id, filter) in ["a/b", "a/+", "a/#", "#", "+/b", "a/c"].into_iter().enumerate() {
        assert_eq!(router.insert(filter, 7, id), None);
    }
    let mut values = Vec::new();
    router.matching("a/b", |it| match it {
        Match::One(value) => values.push(*value),
        Match::Group(_) => panic!("there is no group"),
    });
    values.sort();
    assert_eq!(values, [0, 1, 2, 3, 4]);
}

#[test]
fn a_share_group_is_found_once_and_a_kept_one_does_not_change() {
    let mut router = Router::new();
    router.insert_shared("job/+", "w", 1, 10);
    router.insert_shared("job/+", "w", 2, 20);
    router.insert_shared("job/+", "x", 1, 11);
    router.insert_shared("job/1", "w", 3, 30);
    assert_eq!(found(&router, "job/1"), [vec![10, 20], vec![11], vec![30]]);

    let mut kept = Vec::new();
    router.matching("job/2", |it| {
        if let Match::Group(group) = it {
            kept.push(Arc::clone(group));
        }
    });
    assert_eq!(router.remove_shared("job/+", "w", 1), Some(10));
    assert_eq!(router.remove_shared("job/+", "w", 1), None);
    assert_eq!(found(&router, "job/2"), [vec![11], vec![20]]);
    assert_eq!(kept.iter().map(|it| it.len()).sum::<usize>(), 3);
    assert_eq!(router.len(), 3);
}

#[test]
fn a_very_deep_filter_and_topic_need_no_deep_stack() {
    let depth = 30_000;
    let topic = vec!["a"; depth].join("/");
    let mut router = Router::new();
    router.insert(&vec!["+"; depth].join("/"), 1, 1);
    router.insert(&format!("{topic}/#"), 2, 2);
    for level in 1..40 {
        // Each of these leaves a turn untaken on the way down.
        router.insert(&format!("{}/+/x", vec!["a"; level].join("/")), 3, 3);
    }
    assert_eq!(found(&router, &topic), [[1], [2]]);
    let mut retained = Retained::new();
    retained.set(&topic, ());
    let mut count = 0;
    retained.matching("#", |_, ()| count += 1);
    assert_eq!(count, 1);
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "$s", ""])
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5).prop_map(|levels| levels.join("/"))
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(level, 0..5), any::<bool>()).prop_filter_map(
        "no empty filter",
        |(mut levels, open)| {
            if open {
                levels.push("#");
            }
            (!levels.is_empty() && levels != [""]).then(|| levels.join("/"))
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let group = || prop_oneof![3 => Just(None), 1 => Just(Some("g")), 1 => Just(Some("h"))];
    prop_oneof![
        5 => (filter(), group(), 0..4_u64).prop_map(|(f, g, id)| Change::Insert(f, g, id)),
        1 => (filter(), group(), 0..4_u64).prop_map(|(f, g, id)| Change::Remove(f, g, id)),
        3 => any::<usize>().prop_map(Change::RemoveOne),
    ]
}

proptest! {
    #[test]
    fn the_router_agrees_with_the_model(
        changes in prop::collection::vec(change(), 1..60),
        topics in prop::collection::vec(topic(), 1..12),
    ) {
        let mut router = Router::new();
        let mut model = Model::new();
        for (value, change) in (0..).zip(changes) {
            apply(&mut router, &mut model, change, value);
        }
        prop_assert_eq!(router.len(), model.len());
        for topic in &topics {
            prop_assert_eq!(found(&router, topic), expected(&model, topic), "topic {}", topic);
        }
        for (filter, group, id) in model.into_keys() {
            let removed = match group {
                None => router.remove(&filter, id),
                Some(group) => router.remove_shared(&filter, group, id),
            };
            prop_assert!(removed.is_some());
        }
        prop_assert!(router.is_empty());
        for topic in &topics {
            prop_assert!(found(&router, topic).is_empty());
        }
    }

    #[test]
    fn retained_messages_agree_with_the_model(
        changes in prop::collection::vec((topic(), prop::option::weighted(0.7, 0..100_u32)), 1..60),
        filters in prop::collection::vec(filter(), 1..12),
    ) {
        let mut retained = Retained::new();
        let mut model = BTreeMap::new();
        for (topic, message) in changes {
            match message {
                Some(message) => prop_assert_eq!(retained.set(&topic, message), model.insert(topic, message)),
                None => prop_assert_eq!(retained.remove(&topic), model.remove(&topic)),
            }
        }
        prop_assert_eq!(retained.len(), model.len());
        for filter in &filters {
            let mut found = BTreeMap::new();
            retained.matching(filter, |topic, message| {
                assert_eq!(found.insert(topic.to_owned(), *message), None, "{topic} was found twice");
            });
            let mut expected = model.clone();
            expected.retain(|topic, _| is_match(filter, topic));
            prop_assert_eq!(found, expected, "filter {}", filter);
        }
        for (topic, message) in model {
            prop_assert_eq!(retained.get(&topic), Some(&message));
            prop_assert_eq!(retained.remove(&topic), Some(message));
        }
        prop_assert!(retained.is_empty());
    }
}
