//! The router and the retained messages in the simplest terms: a list of filters, compared level by level.

use std::collections::{BTreeMap, BTreeSet};

use mqtt::router::{Match, Router};

/// [MQTT-4.7.1] and [MQTT-4.7.2-1], written the slow and obvious way.
pub(crate) fn is_match(filter: &str, topic: &str) -> bool {
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    if topic[0].starts_with('$') && matches!(filter[0], "+" | "#") {
        return false;
    }
    let is_open = filter.last() == Some(&"#");
    let fixed = if is_open { &filter[..filter.len() - 1] } else { &filter[..] };
    let is_long_enough = if is_open { topic.len() >= fixed.len() } else { topic.len() == fixed.len() };
    is_long_enough && fixed.iter().zip(&topic).all(|(want, level)| *want == "+" || want == level)
}

/// What matched: `(id, None)` for a plain subscription, the members of a group otherwise.
pub(crate) fn found(router: &Router<u64>, topic: &str) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    router.matching(topic, |it| match it {
        Match::One(value) => found.push(vec![*value]),
        Match::Group(group) => found.push(group.members().copied().collect()),
    });
    found.sort();
    found
}

/// What becomes of the subscriptions.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(String, Option<&'static str>, u64),
    Remove(String, Option<&'static str>, u64),
    /// Removes one of those that are there.
    RemoveOne(usize),
}

/// Filter, group and id; the value is the number of the change that made it, which is also the order of members.
pub(crate) type Model = BTreeMap<(String, Option<&'static str>, u64), (u64, u64)>;

/// Changes both, which have to find the same thing there.
pub(crate) fn apply(router: &mut Router<u64>, model: &mut Model, change: Change, value: u64) {
    let key = match change {
        Change::Insert(filter, group, id) => {
            let replaced = match group {
                None => router.insert(&filter, id, value),
                Some(group) => router.insert_shared(&filter, group, id, value),
            };
            let order = model.get(&(filter.clone(), group, id)).map_or(value, |(order, _)| *order);
            let expected = model.insert((filter, group, id), (order, value));
            assert_eq!(replaced, expected.map(|(_, value)| value));
            return;
        }
        Change::Remove(filter, group, id) => (filter, group, id),
        Change::RemoveOne(_) if model.is_empty() => return,
        Change::RemoveOne(index) => model.keys().nth(index % model.len()).expect("one of those").clone(),
    };
    let removed = match key.1 {
        None => router.remove(&key.0, key.2),
        Some(group) => router.remove_shared(&key.0, group, key.2),
    };
    assert_eq!(removed, model.remove(&key).map(|(_, value)| value));
}

/// What [`found`] has to find.
pub(crate) fn expected(model: &Model, topic: &str) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    let mut groups: BTreeMap<(&str, &str), BTreeSet<(u64, u64)>> = BTreeMap::new();
    for ((filter, group, _), member) in model.iter().filter(|((filter, _, _), _)| is_match(filter, topic)) {
        match group {
            None => found.push(vec![member.1]),
            Some(group) => {
                groups.entry((filter, group)).or_default().insert(*member);
            }
        }
    }
    found.extend(groups.values().map(|members| members.iter().map(|(_, value)| *value).collect()));
    found.sort();
    found
}
