//! Subscriptions and retained messages that come and go, against a list that is compared level by level; and texts that
//! may or may not be topics, against rules written the long way.

use std::collections::BTreeMap;

use mqtt::limits::{TOPIC_BYTES_MAX, TOPIC_LEVEL_COUNT_MAX};
use mqtt::router::{Retained, Router};
use mqtt::topic;

#[path = "../../tests/router/model.rs"]
mod model;

use model::{Change, Model, apply, expected, found, is_match};

/// Few levels, so that they meet.
const LEVELS: [&str; 8] = ["a", "b", "c", "$s", "", "+", "#", "a"];
const GROUPS: [Option<&str>; 4] = [None, None, Some("g"), Some("h")];

/// Steps: a byte that says what, one that says how many levels, a level for each half of a byte.
pub(super) fn run(data: &[u8]) {
    check_texts(data);
    let (mut router, mut model) = (Router::new(), Model::new());
    let (mut retained, mut kept) = (Retained::new(), BTreeMap::new());
    let mut rest = data;
    for number in 0.. {
        let Some((&[step, shape], more)) = rest.split_first_chunk() else { break };
        let level_count = 1 + usize::from(shape & 3);
        let (levels, more) = more.split_at(level_count.min(more.len()));
        rest = more;
        let text = levels.iter().map(|it| LEVELS[usize::from(it & 7)]).collect::<Vec<_>>().join("/");
        let (group, id) = (GROUPS[usize::from(shape >> 2 & 3)], u64::from(shape >> 4 & 3));
        let (is_filter, is_name) = (topic::check_filter(&text).is_ok(), topic::check_name(&text).is_ok());
        match step % 8 {
            0..3 if is_filter => apply(&mut router, &mut model, Change::Insert(text, group, id), number),
            3 if is_filter => apply(&mut router, &mut model, Change::Remove(text, group, id), number),
            4 => apply(&mut router, &mut model, Change::RemoveOne(usize::from(shape)), number),
            5 if is_name => assert_eq!(retained.set(&text, number), kept.insert(text, number)),
            6 if is_name => assert_eq!(retained.remove(&text), kept.remove(&text)),
            _ if is_name => assert_eq!(found(&router, &text), expected(&model, &text), "{text}"),
            _ if is_filter => check_retained(&retained, &kept, &text),
            _ => {}
        }
        assert_eq!(router.len(), model.len());
        assert_eq!(retained.len(), kept.len());
    }
}

fn check_retained(retained: &Retained<u64>, kept: &BTreeMap<String, u64>, filter: &str) {
    let mut found = BTreeMap::new();
    retained.matching(filter, |topic, message| {
        assert!(found.insert(topic.to_owned(), *message).is_none(), "{topic} was found twice");
    });
    let mut expected = kept.clone();
    expected.retain(|topic, _| is_match(filter, topic));
    assert_eq!(found, expected, "{filter}");
}

/// The bytes as two texts, where they are any.
fn check_texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (left, right) = text.split_once('\n').unwrap_or((text, "a/b"));
    check_text(left);
    check_text(right);
    if topic::check_filter(left).is_ok() && topic::check_name(right).is_ok() {
        assert_eq!(topic::matches(left, right), is_match(left, right), "{left} and {right}");
    }
}

/// Section 4.7, rule by rule; a shared subscription by section 4.8.2 of 5.0.
fn check_text(text: &str) {
    let levels: Vec<&str> = text.split('/').collect();
    let is_text = !text.is_empty()
        && !text.contains('\0')
        && text.len() <= TOPIC_BYTES_MAX
        && levels.len() <= TOPIC_LEVEL_COUNT_MAX;
    assert_eq!(topic::check_name(text).is_ok(), is_text && !text.contains(['+', '#']), "{text:?} as a name");
    let is_level = |(at, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => at + 1 == levels.len(),
        level => !level.contains(['+', '#']),
    };
    let is_filter = is_text && levels.iter().enumerate().all(is_level);
    assert_eq!(topic::check_filter(text).is_ok(), is_filter, "{text:?} as a filter");
    match (topic::share(text), &levels[..]) {
        (Ok(Some(share)), ["$share", group, filter @ ..]) => {
            assert_eq!((share.group, share.filter), (*group, &*filter.join("/")));
            assert!(!group.is_empty() && !group.contains(['+', '#']) && !share.filter.is_empty());
        }
        (Ok(None), ["$share", _, ..]) => panic!("{text:?} is not seen to be shared"),
        (Ok(None), _) => {}
        (Err(_), ["$share", group, filter @ ..]) => {
            let is_whole = !group.is_empty() && !group.contains(['+', '#']) && !filter.join("/").is_empty();
            assert!(!is_whole, "{text:?} is shared");
        }
        (shared, _) => panic!("{text:?}: {shared:?}"),
    }
}

/// Texts, and steps.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "a/+/#",
        "#\na/b",
        "$share/g/a/+",
        "$share//a",
        "+/b\n$s/b",
        "a//b\na//b",
        "sport/#\nsport",
        "a+/#b",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|it| it.as_bytes().to_vec()).collect();
    seeds.push(vec![0, 1, 0, 5, 7, 1, 0, 1, 3, 1, 0, 5, 7, 1, 0, 1]);
    seeds.push(vec![0, 0x19, 0, 6, 0, 0x29, 0, 6, 7, 1, 0, 1, 4, 0, 0, 7, 1, 0, 1]);
    seeds.push(vec![5, 2, 0, 1, 2, 5, 1, 3, 1, 7, 1, 0, 6, 7, 0, 6, 6, 1, 3, 1]);
    seeds
}
