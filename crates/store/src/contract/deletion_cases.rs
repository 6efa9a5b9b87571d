//! Cases of deleting points.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::{DeviceId, Event, Millis, Order, Value};

use super::point_cases::{a, all, at, series};
use super::samples::event;
use super::{Opener, put};
use crate::limits::{BLOCK_POINT_COUNT, DROP_ROWS_PER_STEP_MAX};
use crate::{Change, DropStep, Store};

fn drop_points(key: &str, range: Range<Millis>) -> Change {
    Change::DropPoints { org: a(), device: DeviceId(1), key: key.to_owned(), range }
}

fn n(at_ms: Millis, number: i64) -> Change {
    at(at_ms, &[("n", Value::I64(number))])
}

fn times(store: &dyn Store, key: &str) -> Vec<Millis> {
    let ascending = all(store, key, 0..u64::MAX, Order::Ascending, usize::MAX);
    assert_eq!(ascending, all(store, key, 0..u64::MAX, Order::Descending, 7));
    ascending.into_iter().map(|(at_ms, _)| at_ms).collect()
}

/// Blocks, late points and open points in one series; ranges that end within each of them.
pub(crate) fn points_of_a_range_are_deleted(opener: &mut dyn Opener) {
    let count = 10 * BLOCK_POINT_COUNT as u64;
    let mut store = opener.open();
    let mut model = BTreeMap::new();
    for from in (0..count).step_by(40) {
        let list = (from..from + 40).map(|it| at(it * 10, &[("n", Value::I64(1)), ("m", Value::I64(2))]));
        put(&*store, list.collect());
        model.extend((from..from + 40).map(|it| (it * 10, 1)));
    }
    for at_ms in [5, 95, 2_005, 7_777] {
        put(&*store, vec![n(at_ms, 3)]);
        model.insert(at_ms, 3);
    }
    assert!(store.stats().points_late >= 4, "these came late");
    let end = count * 10;
    let ranges = [
        (20..40, "within a block"),
        (3_000..6_333, "over several blocks"),
        (95..96, "one late point"),
        (end - 30..end, "the newest, which are open"),
        (0..11, "the oldest"),
        (Range { start: 500, end: 400 }, "no range at all"),
        (end - 6_000..end + 1, "blocks and what is open"),
    ];
    for (range, what) in ranges {
        put(&*store, vec![drop_points("n", range.clone()), drop_points("other", range.clone())]);
        model.retain(|at_ms, _| !range.contains(at_ms));
        let expected: Vec<_> = model.keys().copied().collect();
        assert_eq!(times(&*store, "n"), expected, "{what}");
        drop(store);
        store = opener.open();
        assert_eq!(times(&*store, "n"), expected, "{what}, after opening again");
    }
    assert_eq!(times(&*store, "m").len() as u64, count, "other series keep theirs");
    let (mut sum, mut newest) = (0, 0);
    store
        .aggregates(series("n"), 0..u64::MAX, 0, &mut |_, it| {
            sum = it.count;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    store.latest(a(), DeviceId(1), Some(&["n"]), &mut |_, at_ms, _| newest = at_ms).unwrap();
    assert_eq!((sum, Some(&newest)), (model.len() as u64, model.keys().last()));
    put(&*store, vec![n(end - 100, 4), n(50, 5)]);
    model.extend([(end - 100, 4), (50, 5)]);
    assert_eq!(
        times(&*store, "n"),
        model.keys().copied().collect::<Vec<_>>(),
        "new points come in their place"
    );
}

pub(crate) fn a_key_without_points_is_forgotten(opener: &mut dyn Opener) {
    let keys = |store: &dyn Store| store.point_keys(a(), DeviceId(1)).unwrap();
    let mut store = opener.open();
    for round in 1..4 {
        let list = (0..300).map(|it| at(it, &[("n", Value::I64(round)), ("other", Value::Bool(true))]));
        put(&*store, list.collect());
        assert_eq!(keys(&*store), ["n", "other"]);
        put(&*store, vec![drop_points("n", 0..300)]);
        assert_eq!(keys(&*store), ["other"], "round {round}");
        drop(store);
        store = opener.open();
        assert_eq!((keys(&*store), times(&*store, "n")), (vec!["other".to_owned()], vec![]));
    }
    put(&*store, vec![n(7, 7)]);
    drop(store);
    store = opener.open();
    assert_eq!(times(&*store, "n"), [7], "a new series has nothing of the old one");
    assert_eq!(times(&*store, "other").len(), 300);
    put(&*store, vec![drop_points("other", 0..u64::MAX), drop_points("n", 0..u64::MAX)]);
    assert_eq!(keys(&*store), [] as [&str; 0]);
    put(&*store, vec![Change::DropDevice { org: a(), device: DeviceId(1) }, drop_points("n", 0..9)]);
    assert_eq!(keys(&*store), [] as [&str; 0]);
}

pub(crate) fn a_deletion_and_what_comes_with_it_keep_their_order(opener: &mut dyn Opener) {
    let mut store = opener.open();
    put(&*store, (0..500).map(|it| n(it, 1)).collect());
    put(&*store, vec![n(500, 1), n(3, 2)]);
    let measured = Event { ..event(a(), 1, "e", 450) };
    put(
        &*store,
        vec![n(4, 3), n(501, 3), drop_points("n", 2..u64::MAX), n(5, 4), n(480, 4), Change::Event(measured)],
    );
    for _ in 0..2 {
        // The event's is put after the newest that is left.
        assert_eq!(times(&*store, "n"), [0, 1, 5, 480, 481]);
        let points = all(&*store, "n", 0..u64::MAX, Order::Ascending, 9);
        assert_eq!(points[3].1, format!("{:?}", Value::I64(4)));
        drop(store);
        store = opener.open();
    }
    put(&*store, vec![drop_points("n", 1..2), drop_points("n", 4..482), n(1, 9)]);
    assert_eq!(times(&*store, "n"), [0, 1]);
}

pub(crate) fn a_long_history_is_deleted_in_steps(opener: &mut dyn Opener) {
    let store = opener.open();
    // Each becomes a row of its own: it is late.
    let count = 2 * DROP_ROWS_PER_STEP_MAX as u64 + 10;
    put(&*store, (0..2 * BLOCK_POINT_COUNT as u64).map(|it| n(count + it, 1)).collect());
    put(&*store, vec![n(2 * count, 1)]);
    put(&*store, (0..count).map(|it| n(it, 1)).collect());
    let (mut rest, mut steps) = (Some(0..u64::MAX), Vec::new());
    while let Some(range) = rest {
        let step = store.drop_step(series("n"), range).unwrap();
        put(&*store, vec![drop_points("n", step.range)]);
        assert!(step.rows_count <= 2 * DROP_ROWS_PER_STEP_MAX);
        steps.push(step.rows_count);
        rest = step.rest;
    }
    assert!((3..5).contains(&steps.len()), "{steps:?}");
    assert_eq!(times(&*store, "n"), [] as [u64; 0]);
    let nothing = DropStep { range: 5..9, rest: None, rows_count: 0 };
    assert_eq!(store.drop_step(series("other"), 5..9).unwrap(), nothing);
}
