//! Reading telemetry: the points of a series in order, what they come to, and the newest of each key.
//!
//! Called by the engine for queries, never by the committer.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use domain::history::interval_of;
use domain::{DeviceId, Millis, Order, OrgId, Points, Series, Summary, Value};

use crate::StoreFault;
use crate::coding::Take;
use crate::disk::Disk;
use crate::engine::{ID_LEN, corrupt};
use crate::limits::{INTERVALS_PER_CALL_COUNT_MAX, POINTS_PER_CALL_COUNT_MAX};
use crate::schema::{self, Keys, Table};
use crate::values;

/// Gets points one after another, until it breaks.
pub(crate) type EachPoint<'a> = &'a mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>;

/// Visits points of a series, as many as one call may. Gives what is left of the range.
pub(crate) fn points(
    disk: &impl Disk,
    series: Series<'_>,
    range: Range<Millis>,
    order: Order,
    each: EachPoint<'_>,
) -> Result<Option<Range<Millis>>, StoreFault> {
    let mut room = POINTS_PER_CALL_COUNT_MAX;
    let mut rest = None;
    visit(disk, series, range.clone(), order, &mut |at_ms, value| {
        room -= 1;
        let flow = each(at_ms, value);
        if flow.is_break() || room == 0 {
            rest = Some(match order {
                Order::Ascending => at_ms.saturating_add(1)..range.end,
                Order::Descending => range.start..at_ms,
            });
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(rest.filter(|it| !it.is_empty()))
}

/// Visits what the points of each interval come to. Gives what is left of the range.
pub(crate) fn aggregates(
    disk: &impl Disk,
    series: Series<'_>,
    range: Range<Millis>,
    interval_ms: u64,
    each: &mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
) -> Result<Option<Range<Millis>>, StoreFault> {
    let mut room = INTERVALS_PER_CALL_COUNT_MAX;
    let mut open: Option<(Range<Millis>, Summary)> = None;
    let mut rest = None;
    visit(disk, series, range.clone(), Order::Ascending, &mut |at_ms, value| {
        if let Some((interval, summary)) = open.take_if(|(it, _)| !it.contains(&at_ms)) {
            room -= 1;
            if each(interval.clone(), &summary).is_break() || room == 0 {
                rest = Some(interval.end..range.end);
                return ControlFlow::Break(());
            }
        }
        let fresh = || (interval_of(&range, interval_ms, at_ms), Summary::default());
        open.get_or_insert_with(fresh).1.add(value);
        ControlFlow::Continue(())
    })?;
    if let Some((interval, summary)) = open {
        rest = each(interval.clone(), &summary).is_break().then_some(interval.end..range.end);
    }
    Ok(rest.filter(|it| !it.is_empty()))
}

/// Visits the newest point of each of these keys of a device, or of all.
pub(crate) fn latest(
    disk: &impl Disk,
    org: OrgId,
    device: DeviceId,
    wanted: Option<&[&str]>,
    each: &mut dyn FnMut(&str, Millis, Value<'_>),
) -> Result<(), StoreFault> {
    let all = match wanted {
        None => keys(disk, org, device)?,
        Some(_) => Vec::new(),
    };
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    for key in wanted.unwrap_or(&all) {
        let series = Series { org, device, key };
        visit(disk, series, 0..Millis::MAX, Order::Descending, &mut |at_ms, value| {
            each(key, at_ms, value);
            ControlFlow::Break(())
        })?;
    }
    Ok(())
}

/// All keys of a device's points.
pub(crate) fn keys(disk: &impl Disk, org: OrgId, device: DeviceId) -> Result<Vec<String>, StoreFault> {
    let mut keys = BTreeSet::new();
    readings(disk, org, device, 0..Millis::MAX, Order::Ascending, &mut |_, points| {
        for (key, _) in points.iter() {
            if !keys.contains(key) {
                keys.insert(key.to_owned());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(keys.into_iter().collect())
}

/// Visits all points of a range.
fn visit(
    disk: &impl Disk,
    series: Series<'_>,
    range: Range<Millis>,
    order: Order,
    each: EachPoint<'_>,
) -> Result<(), StoreFault> {
    // The newest of a millisecond's points is the last that was stored: the last to come when reading upwards, and the
    // first when reading downwards.
    let mut held: Option<(Millis, Points)> = None;
    let mut flow = ControlFlow::Continue(());
    readings(disk, series.org, series.device, range, order, &mut |at_ms, points| {
        let Some((_, value)) = points.iter().filter(|(key, _)| *key == series.key).last() else {
            return ControlFlow::Continue(());
        };
        let is_same = held.as_ref().is_some_and(|(it, _)| *it == at_ms);
        if !is_same && let Some((at_ms, points)) = held.take() {
            flow = give(at_ms, &points, each);
        }
        if !is_same || order == Order::Ascending {
            let mut one = Points::new();
            one.push(series.key, value);
            held = Some((at_ms, one));
        }
        flow
    })?;
    if let (Some((at_ms, points)), ControlFlow::Continue(())) = (held, flow) {
        _ = give(at_ms, &points, each);
    }
    Ok(())
}

fn give(at_ms: Millis, points: &Points, each: EachPoint<'_>) -> ControlFlow<()> {
    points.iter().next().map_or(ControlFlow::Continue(()), |(_, value)| each(at_ms, value))
}

fn readings(
    disk: &impl Disk,
    org: OrgId,
    device: DeviceId,
    range: Range<Millis>,
    order: Order,
    each: &mut dyn FnMut(Millis, &Points) -> ControlFlow<()>,
) -> Result<(), StoreFault> {
    let keys = Keys::prefixed(|to| schema::device_key(to, org, device, ""))
        .starting_at(|to| schema::reading_key(to, org, device, range.start, 0))
        .ending_before(|to| schema::reading_key(to, org, device, range.end, 0))
        .read(order);
    if keys.is_empty() {
        return Ok(());
    }
    disk.scan(Table::Readings, &keys, &mut |key, value| {
        let damaged = || corrupt(Table::Readings, key);
        let at_ms = Take::new(key.get(ID_LEN..).unwrap_or_default()).u64().ok_or_else(damaged)?;
        Ok(each(at_ms, &values::take_points(value).ok_or_else(damaged)?))
    })
}
