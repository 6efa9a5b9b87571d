//! Cases of telemetry.

use std::ops::{ControlFlow, Range};

use domain::history::interval_of;
use domain::{DeviceId, Event, Millis, Order, OrgId, Points, Series, Summary, Value};

use super::samples::*;
use super::{Opener, put};
use crate::limits::{
    INTERVALS_PER_CALL_COUNT_MAX, POINT_DELAY_MS_MAX, POINT_KEY_BYTES_MAX, POINT_KEYS_PER_DEVICE_COUNT_MAX,
    POINTS_PER_CALL_COUNT_MAX,
};
use crate::{Change, Store};

pub(super) fn a() -> OrgId {
    org_id("abc123")
}

pub(super) fn series(key: &str) -> Series<'_> {
    Series { org: a(), device: DeviceId(1), key }
}

/// Points of device 1 at one time, which their sender named.
pub(super) fn at(at_ms: Millis, list: &[(&str, Value<'_>)]) -> Change {
    Change::Points { org: a(), device: DeviceId(1), at_ms, points: points(list) }
}

fn points(list: &[(&str, Value<'_>)]) -> Points {
    let mut points = Points::new();
    for (key, value) in list {
        points.push(key, *value);
    }
    points
}

/// What one call gives, as text, and what it leaves.
fn page(
    store: &dyn Store,
    key: &str,
    range: Range<Millis>,
    order: Order,
    count_max: usize,
) -> (Vec<(Millis, String)>, Option<Range<Millis>>) {
    let mut list = Vec::new();
    let rest = store.points(series(key), range, order, &mut |at_ms, value| {
        list.push((at_ms, format!("{value:?}")));
        if list.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (list, rest.unwrap())
}

fn times(store: &dyn Store, range: Range<Millis>, order: Order) -> Vec<Millis> {
    page(store, "n", range, order, usize::MAX).0.into_iter().map(|(at_ms, _)| at_ms).collect()
}

pub(crate) fn points_come_by_time_in_either_order(opener: &mut dyn Opener) {
    let store = opener.open();
    for at_ms in [30, 10, 20, 25] {
        put(&*store, vec![at(at_ms, &[("n", Value::I64(1)), ("text", Value::Text("e"))])]);
    }
    let mut silent = event(a(), 1, "e", 26);
    silent.points.clear();
    put(&*store, vec![Change::Event(silent), Change::Event(event(a(), 2, "e", 15))]);
    assert_eq!(times(&*store, 0..u64::MAX, Order::Ascending), [10, 20, 25, 30]);
    assert_eq!(times(&*store, 0..u64::MAX, Order::Descending), [30, 25, 20, 10]);
    assert_eq!(times(&*store, 10..30, Order::Ascending), [10, 20, 25], "the end is not in the range");
    assert_eq!(times(&*store, 11..31, Order::Descending), [30, 25, 20]);
    assert_eq!(times(&*store, 31..u64::MAX, Order::Descending), [] as [u64; 0]);
    assert_eq!(times(&*store, Range { start: 30, end: 10 }, Order::Ascending), [] as [u64; 0]);
    let (text, _) = page(&*store, "text", 20..21, Order::Ascending, 9);
    assert_eq!(text, [(20, format!("{:?}", Value::Text("e")))]);
    assert_eq!(page(&*store, "other", 0..99, Order::Ascending, 9), (vec![], None));
}

pub(crate) fn all_kinds_of_values_come_back(opener: &mut dyn Opener) {
    let values = [
        Value::Bool(true),
        Value::I64(i64::MIN),
        Value::F64(-0.0),
        Value::Text(""),
        Value::Text("wärm"),
        Value::Json(r#"{"a":[1]}"#),
        Value::Bytes(&[0, 255]),
        Value::Bool(false),
        Value::F64(1e300),
        Value::I64(i64::MAX),
    ];
    let expected: Vec<_> = (0..).zip(values).map(|(at_ms, it)| (at_ms, format!("{it:?}"))).collect();
    let store = opener.open();
    put(&*store, (0..).zip(values).map(|(at_ms, it)| at(at_ms, &[("v", it), ("", it)])).collect());
    for key in ["v", ""] {
        assert_eq!(page(&*store, key, 0..99, Order::Ascending, 99).0, expected);
    }
    drop(store);
    assert_eq!(page(&*opener.open(), "v", 0..99, Order::Ascending, 99).0, expected);
}

pub(crate) fn of_two_points_at_one_time_the_later_stored_is_kept(opener: &mut dyn Opener) {
    let n = |at_ms, n| at(at_ms, &[("n", Value::I64(n)), ("other", Value::I64(-n))]);
    let store = opener.open();
    put(&*store, vec![n(5, 1), n(6, 2), n(5, 3)]);
    put(&*store, vec![n(6, 4), at(7, &[("n", Value::I64(5)), ("n", Value::Text("six"))])]);
    let expected = |list: &[(Millis, Value<'_>)]| -> Vec<_> {
        list.iter().map(|(at_ms, it)| (*at_ms, format!("{it:?}"))).collect()
    };
    let mut now = expected(&[(5, Value::I64(3)), (6, Value::I64(4)), (7, Value::Text("six"))]);
    assert_eq!(page(&*store, "n", 0..99, Order::Ascending, 9).0, now);
    drop(store);
    for number in 10..13 {
        let store = opener.open();
        put(&*store, vec![n(6, number)]);
        now[1] = (6, format!("{:?}", Value::I64(number)));
        assert_eq!(page(&*store, "n", 0..99, Order::Ascending, 9).0, now);
        let newest_first: Vec<_> = now.iter().rev().cloned().collect();
        assert_eq!(page(&*store, "n", 0..99, Order::Descending, 9).0, newest_first);
    }
}

pub(crate) fn no_event_replaces_a_point_of_another(opener: &mut dyn Opener) {
    let send = |at_ms, list: &[(&str, Value<'_>)]| {
        Change::Event(Event { points: points(list), ..event(a(), 1, "e", at_ms) })
    };
    let n = |n| [("n", Value::I64(n))];
    let store = opener.open();
    put(&*store, vec![send(5, &n(0)), send(5, &n(1)), send(5, &n(2))]);
    put(&*store, vec![send(6, &n(3)), send(5, &n(4)), send(20, &n(5))]);
    let expected = |list: &[(Millis, i64)]| -> Vec<_> {
        list.iter().map(|(at_ms, it)| (*at_ms, format!("{:?}", Value::I64(*it)))).collect()
    };
    let all = expected(&[(5, 0), (6, 1), (7, 2), (8, 3), (9, 4), (20, 5)]);
    assert_eq!(page(&*store, "n", 0..99, Order::Ascending, 9).0, all);
    let last = store.last_event(a(), DeviceId(1), "e").unwrap().unwrap();
    assert_eq!(last.at_ms, 20, "an event itself keeps its time");
    let far = 20 + POINT_DELAY_MS_MAX;
    put(&*store, vec![send(far, &n(6)), send(20, &n(7))]);
    let rest = expected(&[(20, 7), (far, 6)]);
    assert_eq!(page(&*store, "n", 20..u64::MAX, Order::Ascending, 9).0, rest, "nor is it put off for ever");
}

/// The points of a series as `store` gives them, page by page.
pub(super) fn all(
    store: &dyn Store,
    key: &str,
    range: Range<Millis>,
    order: Order,
    count_max: usize,
) -> Vec<(Millis, String)> {
    let (mut all, mut rest) = (Vec::new(), Some(range));
    while let Some(range) = rest {
        let (points, left) = page(store, key, range, order, count_max);
        all.extend(points);
        rest = left;
    }
    if order == Order::Descending {
        all.reverse();
    }
    all
}

/// Enough points for many blocks, some of them out of order, some again, some late.
pub(crate) fn a_long_history_reads_as_it_was_written(opener: &mut dyn Opener) {
    const COUNT: u64 = 2_000;
    let mut store = opener.open();
    let mut model = std::collections::BTreeMap::new();
    let mut number = 0;
    for round in 0..5 {
        for group in 0..20 {
            let list = (0..COUNT / 100).map(|it| {
                number += 1;
                // Mostly in order; every seventh before its time, and every 31st a second time.
                let in_order = (round * 20 + group) * 20 + it + 100;
                let at_ms = match number {
                    n if n % 31 == 0 => in_order / 2,
                    n if n % 7 == 0 => in_order - 25,
                    _ => in_order,
                };
                model.insert(at_ms * 10, number as i64);
                let text = if number % 3 == 0 { "odd" } else { "even" };
                at(at_ms * 10, &[("n", Value::I64(number as i64)), ("text", Value::Text(text))])
            });
            put(&*store, list.collect());
        }
        if round % 2 == 1 {
            drop(store);
            store = opener.open();
        }
    }
    let expected = |range: Range<Millis>| -> Vec<_> {
        model.range(range).map(|(at_ms, it)| (*at_ms, format!("{:?}", Value::I64(*it)))).collect()
    };
    assert!(store.stats().points_late > 0, "some came late");
    for range in [0..u64::MAX, 0..5_000, 5_001..12_340, 12_340..12_341, 19_990..u64::MAX, 30_000..u64::MAX] {
        for (order, count_max) in
            [(Order::Ascending, usize::MAX), (Order::Descending, 77), (Order::Ascending, 121)]
        {
            let read = all(&*store, "n", range.clone(), order, count_max);
            assert_eq!(read, expected(range.clone()), "{range:?} {order:?} by {count_max}");
        }
        for interval_ms in [0, 10, 770, 12_345] {
            let mut sums: Intervals = Vec::new();
            for (at_ms, it) in model.range(range.clone()) {
                let interval = interval_of(&range, interval_ms, *at_ms);
                if sums.last().is_none_or(|(it, _)| *it != interval) {
                    sums.push((interval, Summary::default()));
                }
                sums.last_mut().unwrap().1.add(Value::I64(*it));
            }
            let (mut read, mut rest) = (Vec::new(), Some(range.clone()));
            while let Some(range) = rest {
                let (some, left) = aggregates(&*store, "n", range, interval_ms, 50);
                read.extend(some);
                rest = left;
            }
            assert_eq!(read, sums, "{range:?} in intervals of {interval_ms}");
        }
    }
    assert_eq!(all(&*store, "text", 0..u64::MAX, Order::Ascending, 500).len(), model.len());
    let all = all_points(&*store, a(), 1);
    assert_eq!(all.len(), 2 * model.len());
}

pub(crate) fn a_history_can_be_read_while_it_is_written(opener: &mut dyn Opener) {
    const COUNT: u64 = 3_000;
    let store = opener.open();
    let written = std::sync::atomic::AtomicU64::new(0);
    let (store, written) = (&*store, &written);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for from in (0..COUNT).step_by(25) {
                put(store, (from..from + 25).map(|it| at(it, &[("n", Value::I64(it as i64))])).collect());
                written.store(from + 25, std::sync::atomic::Ordering::Release);
            }
        });
        let mut before = 0;
        while before < COUNT {
            for order in [Order::Ascending, Order::Descending] {
                let stored = written.load(std::sync::atomic::Ordering::Acquire);
                let read = times_of(all(store, "n", 0..u64::MAX, order, usize::MAX));
                let count = read.len() as u64;
                assert_eq!(read, (0..count).collect::<Vec<_>>(), "none lost, none twice");
                assert!(count >= stored.max(before), "{count} of {stored} and {before}");
                before = count;
            }
            let (sums, _) = aggregates(store, "n", 0..u64::MAX, 0, 9);
            assert!(sums.iter().all(|(_, it)| it.count >= before && it.whole.sum == sum_below(it.count)));
        }
    });

    fn times_of(list: Vec<(Millis, String)>) -> Vec<Millis> {
        list.into_iter().map(|(at_ms, _)| at_ms).collect()
    }

    fn sum_below(end: u64) -> i128 {
        i128::from(end) * i128::from(end - 1) / 2
    }
}

pub(crate) fn further_keys_are_refused_and_counted(opener: &mut dyn Opener) {
    let store = opener.open();
    let (long, too_long) = ("k".repeat(POINT_KEY_BYTES_MAX), "k".repeat(POINT_KEY_BYTES_MAX + 1));
    put(&*store, vec![at(1, &[(&too_long, Value::I64(1)), (&long, Value::I64(2))])]);
    assert_eq!(store.point_keys(a(), DeviceId(1)).unwrap(), std::slice::from_ref(&long));
    assert_eq!(store.stats().points_refused, 1);
    let names: Vec<_> = (0..2 * POINT_KEYS_PER_DEVICE_COUNT_MAX).map(|it| format!("{it:05}")).collect();
    for some in names.chunks(200) {
        let all: Vec<_> = some.iter().map(|it| (it.as_str(), Value::Bool(true))).collect();
        put(&*store, vec![at(2, &all)]);
    }
    let refused = POINT_KEYS_PER_DEVICE_COUNT_MAX as u64 + 2;
    let check = |store: &dyn Store| {
        let keys = store.point_keys(a(), DeviceId(1)).unwrap();
        assert_eq!(keys.len(), POINT_KEYS_PER_DEVICE_COUNT_MAX);
        assert_eq!((&keys[4_998], &keys[4_999]), (&names[4_998], &long));
        assert_eq!(page(store, &names[4_998], 0..9, Order::Ascending, 9).0.len(), 1);
        assert_eq!(page(store, &names[4_999], 0..9, Order::Ascending, 9).0.len(), 0);
    };
    check(&*store);
    assert_eq!(store.stats().points_refused, refused);
    drop(store);
    let store = opener.open();
    put(&*store, vec![at(3, &[("one more", Value::I64(1)), (&long, Value::I64(3))])]);
    check(&*store);
    assert_eq!(store.stats().points_refused, 1);
    assert_eq!(page(&*store, &long, 0..9, Order::Ascending, 9).0.len(), 2, "the others go on");
}

pub(crate) fn a_range_is_read_in_pages(opener: &mut dyn Opener) {
    let store = opener.open();
    put(&*store, (0..10).map(|it| at(it * 10, &[("n", Value::I64(1))])).collect());
    for (order, count_max) in [(Order::Ascending, 3), (Order::Descending, 3), (Order::Descending, 1)] {
        let (mut rest, mut read) = (Some(0..95), Vec::new());
        while let Some(range) = rest {
            let (points, left) = page(&*store, "n", range, order, count_max);
            assert!(points.len() <= count_max);
            read.extend(points.into_iter().map(|(at_ms, _)| at_ms));
            rest = left;
        }
        if order == Order::Descending {
            read.reverse();
        }
        assert_eq!(read, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90], "{order:?} by {count_max}");
    }
    assert_eq!(page(&*store, "n", 0..31, Order::Ascending, 4).1, None, "the range ends with the last point");
    assert_eq!(page(&*store, "n", 0..u64::MAX, Order::Descending, 2).1, Some(0..80));
}

pub(crate) fn one_call_visits_a_bounded_number_of_points(opener: &mut dyn Opener) {
    let store = opener.open();
    let count = POINTS_PER_CALL_COUNT_MAX as u64 + 10;
    put(&*store, (0..count).map(|it| at(it, &[("n", Value::I64(it as i64))])).collect());
    let (first, rest) = page(&*store, "n", 0..u64::MAX, Order::Ascending, usize::MAX);
    assert_eq!((first.len(), &rest), (POINTS_PER_CALL_COUNT_MAX, &Some(count - 10..u64::MAX)));
    let (second, rest) = page(&*store, "n", rest.unwrap(), Order::Ascending, usize::MAX);
    assert_eq!((second.len(), second[9].0, rest), (10, count - 1, None));
    let (last, rest) = page(&*store, "n", 0..u64::MAX, Order::Descending, usize::MAX);
    assert_eq!((last.len(), rest), (POINTS_PER_CALL_COUNT_MAX, Some(0..10)));

    let count = INTERVALS_PER_CALL_COUNT_MAX as u64;
    let (first, rest) = aggregates(&*store, "n", 0..2 * count + 5, 2, usize::MAX);
    assert_eq!((first.len(), &rest), (count as usize, &Some(2 * count..2 * count + 5)));
    let (second, rest) = aggregates(&*store, "n", rest.unwrap(), 2, usize::MAX);
    let ranges: Vec<_> = second.into_iter().map(|(range, _)| range).collect();
    let from = 2 * count;
    assert_eq!((ranges, rest), (vec![from..from + 2, from + 2..from + 4, from + 4..from + 5], None));
}

type Intervals = Vec<(Range<Millis>, Summary)>;

fn aggregates(
    store: &dyn Store,
    key: &str,
    range: Range<Millis>,
    interval_ms: u64,
    count_max: usize,
) -> (Intervals, Option<Range<Millis>>) {
    let mut list = Vec::new();
    let rest = store.aggregates(series(key), range, interval_ms, &mut |interval, summary| {
        list.push((interval, *summary));
        if list.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (list, rest.unwrap())
}

fn summary_of(values: &[Value<'_>]) -> Summary {
    let mut summary = Summary::default();
    for value in values {
        summary.add(*value);
    }
    summary
}

pub(crate) fn points_come_to_sums_in_intervals(opener: &mut dyn Opener) {
    let store = opener.open();
    let values = [
        (5, Value::I64(7)),
        (10, Value::F64(0.5)),
        (14, Value::I64(-2)),
        (15, Value::Text("x")),
        (40, Value::Bool(true)),
        (49, Value::I64(9)),
    ];
    put(&*store, values.iter().rev().map(|(at_ms, it)| at(*at_ms, &[("n", *it)])).collect());
    let of = |range: std::ops::Range<usize>| {
        summary_of(&values[range].iter().map(|(_, it)| *it).collect::<Vec<_>>())
    };
    let all = aggregates(&*store, "n", 5..50, 10, usize::MAX);
    assert_eq!(
        all,
        (vec![(5..15, of(0..3)), (15..25, of(3..4)), (35..45, of(4..5)), (45..50, of(5..6))], None)
    );
    assert_eq!(aggregates(&*store, "n", 0..49, 0, 9), (vec![(0..49, of(0..5))], None));
    assert_eq!(aggregates(&*store, "n", 6..41, u64::MAX, 9), (vec![(6..41, of(1..5))], None));
    assert_eq!(aggregates(&*store, "n", 50..99, 10, 9), (vec![], None));
    assert_eq!(aggregates(&*store, "m", 0..99, 10, 9), (vec![], None));
    let (some, rest) = aggregates(&*store, "n", 5..50, 10, 2);
    assert_eq!((some.len(), &rest), (2, &Some(25..50)));
    let (others, rest) = aggregates(&*store, "n", rest.unwrap(), 10, 2);
    assert_eq!((others, rest), (vec![(35..45, of(4..5)), (45..50, of(5..6))], None));
    assert_eq!(all.0[0].1.sum(), Some(Value::F64(5.5)));
}

pub(crate) fn the_latest_of_each_key_is_known(opener: &mut dyn Opener) {
    let store = opener.open();
    let latest = |store: &dyn Store, keys: Option<&[&str]>| {
        let mut list = Vec::new();
        store
            .latest(a(), DeviceId(1), keys, &mut |key, at_ms, value| {
                list.push(format!("{key} {at_ms} {value:?}"));
            })
            .unwrap();
        list
    };
    assert_eq!(latest(&*store, None), [] as [&str; 0]);
    assert_eq!(store.point_keys(a(), DeviceId(1)).unwrap(), [] as [&str; 0]);
    let (one, two, word) = (Value::I64(1), Value::I64(2), Value::Text("w"));
    put(&*store, vec![at(9, &[("b", one), ("a", word)]), at(7, &[("b", two), ("ab", two)])]);
    put(&*store, vec![Change::Event(event(a(), 2, "e", 99))]);
    let all = [r#"a 9 Text("w")"#, "ab 7 I64(2)", "b 9 I64(1)"];
    assert_eq!(latest(&*store, None), all);
    assert_eq!(latest(&*store, Some(&["b", "c", "a"])), [all[2], all[0]]);
    assert_eq!(latest(&*store, Some(&[])), [] as [&str; 0]);
    assert_eq!(store.point_keys(a(), DeviceId(1)).unwrap(), ["a", "ab", "b"]);
    put(&*store, vec![at(9, &[("b", word)]), at(3, &[("a", one)])]);
    drop(store);
    let store = opener.open();
    assert_eq!(latest(&*store, None), [all[0], all[1], r#"b 9 Text("w")"#]);
}
