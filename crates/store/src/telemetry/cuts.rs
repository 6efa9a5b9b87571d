//! Deleting points of a series in a range.
//!
//! Late points go at once, in the group's order. Blocks go when the group is complete: they hold nothing of the group,
//! so its order does not matter to them. Those that reach out of the range are written again without it. For the open
//! points a *cut* is appended to the tail: at opening it takes away what the tail has before it. A series whose newest
//! block is deleted goes back to the newest point that is left, and one that has none left is forgotten.
//!
//! Called by the committer, within the group that the deletion belongs to; nothing is read or written beyond the range
//! but the blocks at its ends. How long a range may be is for the caller to know.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use domain::{DeviceId, Millis, Order, OrgId};

use super::block::{Block, put_block};
use super::open::SeriesId;
use super::series::take_device;
use super::{Entry, Telemetry};
use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::corrupt;
use crate::rows::Rows;
use crate::schema::{self, Table, series_keys, time_of};

/// The version of the tail's rows that hold cuts.
pub(super) const VERSION: u8 = 2;

/// What a group deletes of a series.
pub(super) struct Cut {
    pub(super) place: u32,
    pub(super) range: Range<Millis>,
    /// How many of the group's points were there by then.
    pub(super) fresh_count: usize,
}

/// The newest points that are left of a series.
struct Left {
    /// In a block, or late.
    stored_ms: Option<Millis>,
    open_ms: Option<Millis>,
}

/// All times.
const ALWAYS: Range<Millis> = 0..Millis::MAX;

impl Telemetry {
    /// Deletes the points of a series that are there by now, those of the group among them. Not of a device that is
    /// forgotten.
    pub(crate) fn cut(
        &mut self,
        device: (OrgId, DeviceId),
        key: &str,
        range: Range<Millis>,
        rows: &mut Rows,
        disk: &impl Disk,
    ) -> Result<(), StoreFault> {
        self.devices.load(device, disk, &self.open)?;
        let Some(place) = self.devices.find(device, key).filter(|_| !range.is_empty()) else {
            return Ok(());
        };
        let late = series_keys(self.devices.series(place).id(), &range);
        rows.take_back(Table::Late, &late);
        disk.scan(Table::Late, &late, &mut |key, _| {
            rows.delete_key(Table::Late, key);
            Ok(ControlFlow::Continue(()))
        })?;
        self.tail.turn_to(VERSION, rows);
        self.tail.push(|to| put_cut(to, device, key, &range));
        self.tail.end_full_row(self.bounds.tail_row_bytes, rows);
        let took_newest = self.devices.series(place).newest_ms().is_some_and(|it| range.contains(&it));
        self.cuts.push(Cut { place, range, fresh_count: self.fresh.points.len() });
        if took_newest {
            let left = self.left(place, rows, disk)?;
            self.devices.series(place).set_newest_ms(left.stored_ms.max(left.open_ms));
        }
        Ok(())
    }

    /// Does to the blocks what the group's cuts ask for, and to the rows of their series.
    pub(super) fn settle_cuts(&mut self, rows: &mut Rows, disk: &impl Disk) -> Result<(), StoreFault> {
        let places: BTreeSet<u32> = self.cuts.iter().map(|it| it.place).collect();
        for place in places {
            let cuts = self.cuts_of(place);
            let id = self.devices.series(place).id();
            if self.closed.contains(&place) {
                // Its blocks are in the group themselves.
                rows.take_back(Table::Blocks, &series_keys(id, &ALWAYS));
                self.put_blocks(place, &cuts, rows);
            }
            for range in &cuts {
                cut_blocks(id, range, &cuts, rows, disk)?;
            }
            let left = self.left(place, rows, disk)?;
            let series = self.devices.series(place);
            if left.stored_ms.max(left.open_ms).is_none() {
                rows.delete(Table::Series, |to| series.put_key(to));
                self.emptied.push(place);
            } else if left.stored_ms != series.closed_ms() {
                series.put_row(left.stored_ms, rows);
            }
        }
        Ok(())
    }

    fn cuts_of(&self, place: u32) -> Vec<Range<Millis>> {
        self.cuts.iter().filter(|it| it.place == place).map(|it| it.range.clone()).collect()
    }

    /// What the group's cuts leave of a series, as things stand.
    fn left(&mut self, place: u32, rows: &Rows, disk: &impl Disk) -> Result<Left, StoreFault> {
        let cuts = self.cuts_of(place);
        let series = self.devices.series(place);
        let (id, closed_ms) = (series.id(), series.closed_ms());
        let fresh = self.fresh_places.iter().zip(&self.fresh.points).enumerate();
        let fresh = fresh.filter(|(number, (its_place, point))| {
            let is_cut =
                |it: &Cut| it.place == place && it.fresh_count > *number && it.range.contains(&point.at_ms);
            **its_place == place && !self.cuts.iter().any(is_cut)
        });
        let mut left = Left { stored_ms: None, open_ms: fresh.map(|(_, (_, point))| point.at_ms).max() };
        let mut open = self.open.lock();
        let points = open.list(place).points.iter().map(|it| it.at_ms).filter(|it| !is_cut(&cuts, *it));
        match self.closed.contains(&place) {
            true => left.stored_ms = points.max(),
            false => left.open_ms = left.open_ms.max(points.max()),
        }
        let late_ms = rows.puts(Table::Late, &series_keys(id, &ALWAYS)).filter_map(time_of).max();
        left.stored_ms = left.stored_ms.max(late_ms);
        if let Some(closed_ms) = closed_ms {
            left.stored_ms = left.stored_ms.max(newest_left(id, closed_ms, &cuts, disk)?);
        }
        Ok(left)
    }

    /// The group is stored, and its cuts are made in the open points: counts these anew and forgets empty series.
    pub(super) fn end_cuts(&mut self) {
        for cut in std::mem::take(&mut self.cuts) {
            self.recount(cut.place);
        }
        for place in std::mem::take(&mut self.emptied) {
            self.full.retain(|it| *it != place);
            self.devices.remove_series(place, &self.open);
        }
    }

    /// Makes a cut that the tail has after the readings restored so far.
    pub(super) fn restore_cut(&mut self, device: (OrgId, DeviceId), key: &str, range: &Range<Millis>) {
        if let Some(place) = self.devices.find(device, key) {
            self.open.lock().list(place).cut(range);
            self.recount(place);
        }
    }

    fn recount(&mut self, place: u32) {
        let gone = self.devices.recount(place, self.open.lock().list(place));
        if let Some(oldest_row) = gone {
            self.ages.remove(&(oldest_row, place));
        }
    }
}

fn is_cut(cuts: &[Range<Millis>], at_ms: Millis) -> bool {
    cuts.iter().any(|it| it.contains(&at_ms))
}

/// Deletes the blocks of a range. One that reaches out of it is written again without what `cuts` take: so it comes
/// to the same when two ranges meet in a block.
fn cut_blocks(
    id: SeriesId,
    range: &Range<Millis>,
    cuts: &[Range<Millis>],
    rows: &mut Rows,
    disk: &impl Disk,
) -> Result<(), StoreFault> {
    let mut from_ms = range.start;
    let before = series_keys(id, &(0..range.start)).read(Order::Descending);
    if range.start > 0 {
        disk.scan(Table::Blocks, &before, &mut |key, _| {
            from_ms = time_of(key).ok_or_else(|| corrupt(Table::Blocks, key))?;
            Ok(ControlFlow::Break(()))
        })?;
    }
    disk.scan(Table::Blocks, &series_keys(id, &(from_ms..range.end)), &mut |key, value| {
        let damaged = || corrupt(Table::Blocks, key);
        let first_ms = time_of(key).ok_or_else(damaged)?;
        let block = Block::open(first_ms, value).ok_or_else(damaged)?;
        let (is_begun, is_ended) = (range.contains(&first_ms), range.contains(&block.last_ms));
        if is_begun && is_ended {
            rows.delete_key(Table::Blocks, key);
        } else if block.last_ms >= range.start {
            let mut points = Vec::new();
            block.read(&mut points).ok_or_else(damaged)?;
            points.retain(|(at_ms, _)| !is_cut(cuts, *at_ms));
            rows.delete_key(Table::Blocks, key);
            if let Some((first_ms, _)) = points.first() {
                let key = |to: &mut Vec<u8>| schema::point_key(to, id, *first_ms);
                rows.put(Table::Blocks, key, |to| put_block(to, &points));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The time of the newest point on the disk, up to this time, that the cuts leave.
fn newest_left(
    id: SeriesId,
    mut at_ms: Millis,
    cuts: &[Range<Millis>],
    disk: &impl Disk,
) -> Result<Option<Millis>, StoreFault> {
    loop {
        while let Some(cut) = cuts.iter().find(|it| it.contains(&at_ms)) {
            let Some(before_ms) = cut.start.checked_sub(1) else { return Ok(None) };
            at_ms = before_ms;
        }
        match newest_on_disk(id, at_ms, disk)? {
            Some(found_ms) if is_cut(cuts, found_ms) => at_ms = found_ms,
            found => return Ok(found),
        }
    }
}

/// The time of the newest point on the disk up to this time.
fn newest_on_disk(id: SeriesId, at_ms: Millis, disk: &impl Disk) -> Result<Option<Millis>, StoreFault> {
    let mut newest = None;
    let keys = series_keys(id, &(0..at_ms.saturating_add(1))).read(Order::Descending);
    disk.scan(Table::Blocks, &keys, &mut |key, value| {
        let damaged = || corrupt(Table::Blocks, key);
        let block = Block::open(time_of(key).ok_or_else(damaged)?, value).ok_or_else(damaged)?;
        let mut points = Vec::new();
        block.read(&mut points).ok_or_else(damaged)?;
        newest = points.iter().rev().map(|(it, _)| *it).find(|it| *it <= at_ms);
        Ok(ControlFlow::Break(()))
    })?;
    disk.scan(Table::Late, &keys, &mut |key, _| {
        newest = newest.max(Some(time_of(key).ok_or_else(|| corrupt(Table::Late, key))?));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(newest)
}

/// Appends a cut to a row of the tail: organisation (6 bytes), device (8), the range's start (8) and end (8), length
/// (4) and bytes of the key.
fn put_cut(to: &mut Vec<u8>, (org, device): (OrgId, DeviceId), key: &str, range: &Range<Millis>) {
    to.put(org.as_bytes());
    to.put_u64(device.0);
    to.put_u64(range.start);
    to.put_u64(range.end);
    to.put_sized(key.as_bytes());
}

/// Reads a cut.
pub(super) fn take_cut<'a>(from: &mut Take<'a>) -> Option<Entry<'a>> {
    let device = take_device(from)?;
    let range = from.u64()?..from.u64()?;
    Some(Entry::Cut(device, from.text()?, range))
}
