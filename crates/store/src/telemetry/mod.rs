//! Telemetry on its way to the disk: from readings to compressed blocks.
//!
//! What comes is appended to the *tail*, batch by batch as it is, and with the rest of its group it is durable there.
//! In memory its points are collected for each series. When a series has enough of them, the next group writes them as
//! a block; a row of the tail is deleted when all its points are in blocks. At opening the tail is read again.
//!
//! Blocks of a series follow each other in time. A point that is not newer than the newest block is *late*: it
//! becomes a row of its own beside the blocks, and counts more than what a block has at its time. So a point of the
//! tail is in a block, or has a row, exactly when it is not newer than the newest block, and a kill at any moment
//! neither loses nor doubles one.
//!
//! Deleting is an entry of the tail, too: at opening it takes away what stands before it; see `cuts`.
//!
//! Memory and tail are bounded: when one is full, the series whose points have waited longest are closed early.
//!
//! The committer is the only caller, but for `history`, which is how queries read. Nothing here waits for the disk
//! with the lock of the open points held.

mod block;
mod cuts;
pub(crate) mod history;
mod open;
mod series;

use std::collections::{BTreeSet, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use domain::{DeviceId, Millis, OrgId, Points, Value};
use parking_lot::Mutex;

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::limits::{POINT_DELAY_MS_MAX, POINT_KEY_BYTES_MAX, PointBounds};
use crate::rows::Rows;
use crate::schema::{self, Table, VERSION};
use crate::tail::{Tail, TailRow};
use block::{Block, put_value, take_value};
use cuts::{Cut, take_cut};
use open::List;
pub(crate) use open::Open;
use series::{Devices, Mark, take_device};

/// Whose clock the time of a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The sender's: its points replace others at that time.
    Sender,
    /// Ours: its points go where there are none yet.
    Ours,
}

/// The committer's side of telemetry.
pub(crate) struct Telemetry {
    bounds: PointBounds,
    open: Arc<Mutex<Open>>,
    devices: Devices,
    tail: Tail,
    /// The series with open points, by the number of the tail's row that has the oldest of them, and their place.
    ages: BTreeSet<(u64, u32)>,
    /// Places of series that have enough points for a block.
    full: Vec<u32>,
    /// Places of series whose points are in the group's blocks.
    closed: Vec<u32>,
    /// The group's points, with the places of their series.
    fresh: List,
    fresh_places: Vec<u32>,
    /// What the group deletes.
    cuts: Vec<Cut>,
    /// Places of series that go with the group: they have no point any more.
    emptied: Vec<u32>,
    /// Devices that are forgotten with the group.
    dropped: Vec<(OrgId, DeviceId)>,
    /// The places of a reading's series; `None` for a key that is refused.
    found: Vec<Option<u32>>,
    /// Points left out of the group.
    pub(crate) refused_count: u64,
    /// Points of the group that came after their time was in a block.
    pub(crate) late_count: u64,
}

impl Telemetry {
    /// Reads the tail. `next_row` is larger than the number of every row of the tail there ever was; devices of which
    /// `is_forgotten` is true are left out.
    pub(crate) fn open(
        disk: &impl Disk,
        bounds: PointBounds,
        next_row: u64,
        is_forgotten: impl Fn((OrgId, DeviceId)) -> bool,
    ) -> Result<Telemetry, StoreFault> {
        let mut telemetry = Telemetry {
            bounds,
            open: Arc::default(),
            devices: Devices::default(),
            tail: Tail::new(schema::tail::POINTS, next_row),
            ages: BTreeSet::new(),
            full: Vec::new(),
            closed: Vec::new(),
            fresh: List::default(),
            fresh_places: Vec::new(),
            cuts: Vec::new(),
            emptied: Vec::new(),
            dropped: Vec::new(),
            found: Vec::new(),
            refused_count: 0,
            late_count: 0,
        };
        telemetry.load_devices(disk, bounds.load_each_max)?;
        Tail::read(disk, schema::tail::POINTS, &mut |row| {
            telemetry.tail.restore(row.number, row.size_bytes);
            each_entry(&row, &mut |entry| {
                match entry {
                    Entry::Reading(device, at_ms, points) if !is_forgotten(device) => {
                        let points = Points::from_bytes(points).ok_or_else(|| row.damaged())?;
                        telemetry.restore(disk, row.number, device, at_ms, &points)?;
                    }
                    Entry::Cut(device, key, range) => telemetry.restore_cut(device, key, &range),
                    Entry::Reading(..) => {}
                }
                Ok(())
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(telemetry)
    }

    /// Reads the devices of the tail, if there are so many that a look at each would take too long.
    fn load_devices(&mut self, disk: &impl Disk, each_max: usize) -> Result<(), StoreFault> {
        let mut devices = HashSet::new();
        Tail::read(disk, schema::tail::POINTS, &mut |row| {
            each_entry(&row, &mut |entry| {
                if let Entry::Reading(device, ..) = entry {
                    devices.insert(device);
                }
                Ok(())
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        if devices.len() > each_max {
            self.devices.load_all(&devices, disk, &self.open)?;
        }
        Ok(())
    }

    /// Rows of the tail.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The open points, for queries.
    pub(crate) fn shared(&self) -> Arc<Mutex<Open>> {
        self.open.clone()
    }

    /// Takes over a reading of the tail. A key that its device does not have was refused.
    fn restore(
        &mut self,
        disk: &impl Disk,
        row: u64,
        device: (OrgId, DeviceId),
        at_ms: Millis,
        points: &Points,
    ) -> Result<(), StoreFault> {
        self.devices.load(device, disk, &self.open)?;
        for (key, value) in points.iter() {
            let Some(place) = self.devices.find(device, key) else { continue };
            if self.devices.series(place).is_late(at_ms) {
                continue;
            }
            let mark = self.devices.push(place, at_ms, value, row, &self.bounds);
            self.mark(mark, row, place);
            self.open.lock().list(place).push(at_ms, value);
        }
        Ok(())
    }

    fn mark(&mut self, mark: Mark, row: u64, place: u32) {
        match mark {
            Mark::First => _ = self.ages.insert((row, place)),
            Mark::Full => self.full.push(place),
            Mark::FirstAndFull => {
                self.ages.insert((row, place));
                self.full.push(place);
            }
            Mark::None => {}
        }
    }

    /// Begins a group: closes what is due. Called before the first reading of the group is added.
    pub(crate) fn begin(&mut self, rows: &mut Rows) {
        for place in std::mem::take(&mut self.full) {
            self.close(place, rows);
        }
        while self.tail.size_bytes > self.bounds.tail_bytes_max
            || self.devices.busy_bytes() > self.bounds.open_bytes_max
        {
            let Some(&(_, place)) = self.ages.first() else { break };
            self.close(place, rows);
        }
        let oldest = self.ages.first().map_or(self.tail.next, |(row, _)| *row);
        self.tail.drop_before(oldest, rows);
    }

    /// Writes the open points of a series as blocks. They stay visible as open points until the group is stored.
    fn close(&mut self, place: u32, rows: &mut Rows) {
        let Some(oldest_row) = self.devices.close(place) else { return };
        self.ages.remove(&(oldest_row, place));
        let last_ms = self.put_blocks(place, &[], rows);
        if last_ms.is_some() {
            self.devices.series(place).put_row(last_ms, rows);
        }
        self.closed.push(place);
    }

    /// Puts the open points of a series as blocks, but for those in these ranges; gives the time of the last.
    fn put_blocks(&mut self, place: u32, without: &[Range<Millis>], rows: &mut Rows) -> Option<Millis> {
        let id = self.devices.series(place).id();
        let mut open = self.open.lock();
        let list = open.list(place);
        let mut points = list.points.clone();
        points.retain(|it| !without.iter().any(|cut| cut.contains(&it.at_ms)));
        List::sort(&mut points);
        let points: Vec<_> = points.iter().map(|it| (it.at_ms, list.value(it))).collect();
        let count_max = points.len().div_ceil((points.len() / self.bounds.block_count).max(1));
        let mut rest = points.as_slice();
        while let Some((first_ms, _)) = rest.first() {
            let mut bytes = 0;
            let count = rest.iter().take(count_max).take_while(|(_, value)| {
                let fits = bytes < self.bounds.block_bytes;
                bytes += value_bytes(*value);
                fits
            });
            let (block, later) = rest.split_at(count.count());
            let key = |to: &mut Vec<u8>| schema::point_key(to, id, *first_ms);
            rows.put(Table::Blocks, key, |to| block::put_block(to, block));
            rest = later;
        }
        points.last().map(|(at_ms, _)| *at_ms)
    }

    /// Adds a reading to the group. Not one of a device that is forgotten.
    pub(crate) fn add(
        &mut self,
        device: (OrgId, DeviceId),
        at_ms: Millis,
        clock: Clock,
        points: &Points,
        rows: &mut Rows,
        disk: &impl Disk,
    ) -> Result<(), StoreFault> {
        self.devices.load(device, disk, &self.open)?;
        self.found.clear();
        for (key, _) in points.iter() {
            let place = self.devices.find(device, key).or_else(|| {
                let fits = key.len() <= POINT_KEY_BYTES_MAX;
                fits.then(|| self.devices.make(device, key, self.bounds.keys_max, &self.open, rows)).flatten()
            });
            self.found.push(place);
        }
        let at_ms = match clock {
            Clock::Sender => at_ms,
            Clock::Ours => self.free_ms(at_ms),
        };
        self.tail.turn_to(VERSION, rows);
        let (row, mut is_open) = (self.tail.next, false);
        for (number, (_, value)) in points.iter().enumerate() {
            let Some(place) = self.found[number] else {
                self.refused_count += 1;
                continue;
            };
            let series = self.devices.series(place);
            if series.is_late(at_ms) {
                let key = |to: &mut Vec<u8>| schema::point_key(to, series.id(), at_ms);
                rows.put(Table::Late, key, |to| put_late(to, value));
                series.set_newest_ms(series.newest_ms().max(Some(at_ms)));
                self.late_count += 1;
                continue;
            }
            let mark = self.devices.push(place, at_ms, value, row, &self.bounds);
            self.mark(mark, row, place);
            self.fresh.push(at_ms, value);
            self.fresh_places.push(place);
            is_open = true;
        }
        if is_open {
            self.tail.push(|to| put_reading(to, device, at_ms, points));
            self.tail.end_full_row(self.bounds.tail_row_bytes, rows);
        }
        Ok(())
    }

    /// The first time, from `at_ms` on, that is after the newest point of every series found; series that are far
    /// ahead do not count.
    fn free_ms(&mut self, at_ms: Millis) -> Millis {
        let mut free_ms = at_ms;
        for place in self.found.iter().flatten() {
            if let Some(newest_ms) = self.devices.series(*place).newest_ms()
                && newest_ms >= at_ms
                && newest_ms - at_ms < POINT_DELAY_MS_MAX
            {
                free_ms = free_ms.max(newest_ms + 1);
            }
        }
        free_ms
    }

    /// Bytes of the group that are not in its rows yet.
    pub(crate) fn size_bytes(&self) -> usize {
        self.tail.filled_bytes()
    }

    /// Completes the group's rows.
    pub(crate) fn finish(&mut self, rows: &mut Rows, disk: &impl Disk) -> Result<(), StoreFault> {
        self.settle_cuts(rows, disk)?;
        self.tail.end_row(rows);
        Ok(())
    }

    /// Forgets a device, once the group is stored. Nothing is added to it any more.
    pub(crate) fn drop_device(&mut self, device: (OrgId, DeviceId)) {
        self.dropped.push(device);
    }

    /// The group is stored: shows its points to queries.
    pub(crate) fn publish(&mut self) {
        let mut open = self.open.lock();
        for place in self.closed.drain(..) {
            open.list(place).clear();
        }
        let mut cuts = self.cuts.iter().peekable();
        for (number, (place, point)) in self.fresh_places.drain(..).zip(&self.fresh.points).enumerate() {
            while let Some(cut) = cuts.next_if(|it| it.fresh_count <= number) {
                open.list(cut.place).cut(&cut.range);
            }
            open.list(place).push(point.at_ms, self.fresh.value(point));
        }
        cuts.for_each(|it| open.list(it.place).cut(&it.range));
        drop(open);
        self.fresh.clear();
        self.end_cuts();
        for device in std::mem::take(&mut self.dropped) {
            self.forget(device);
        }
        while self.devices.size_bytes() > self.bounds.open_bytes_max {
            let Some(device) = self.devices.idle() else { break };
            self.forget(device);
        }
        (self.refused_count, self.late_count) = (0, 0);
    }

    /// Takes a device out of memory, with what it has open.
    fn forget(&mut self, device: (OrgId, DeviceId)) {
        for (place, oldest_row) in self.devices.remove(device, &self.open) {
            self.ages.remove(&(oldest_row, place));
            self.full.retain(|it| *it != place);
        }
    }
}

/// What a value takes in a block or in memory besides its number, in bytes.
fn value_bytes(value: Value<'_>) -> usize {
    match value {
        Value::Text(it) | Value::Json(it) => it.len(),
        Value::Bytes(it) => it.len(),
        _ => 0,
    }
}

/// What a row of the tail is made of.
enum Entry<'a> {
    /// A reading, its points as bytes.
    Reading((OrgId, DeviceId), Millis, &'a [u8]),
    /// What was deleted of the readings before it.
    Cut((OrgId, DeviceId), &'a str, Range<Millis>),
}

/// Shows the entries of a row of the tail.
fn each_entry(
    row: &TailRow<'_>,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), StoreFault>,
) -> Result<(), StoreFault> {
    let mut from = Take::new(row.content);
    while !from.rest().is_empty() {
        let entry = match row.version {
            VERSION => take_reading(&mut from),
            cuts::VERSION => take_cut(&mut from),
            _ => None,
        };
        each(entry.ok_or_else(|| row.damaged())?)?;
    }
    Ok(())
}

/// Appends a reading to a row of the tail: organisation (6 bytes), device (8), time (8), length (4), and the points as
/// `domain::Points::as_bytes` gives them.
fn put_reading(to: &mut Vec<u8>, (org, device): (OrgId, DeviceId), at_ms: Millis, points: &Points) {
    to.put(org.as_bytes());
    to.put_u64(device.0);
    to.put_u64(at_ms);
    to.put_sized(points.as_bytes());
}

fn take_reading<'a>(from: &mut Take<'a>) -> Option<Entry<'a>> {
    Some(Entry::Reading(take_device(from)?, from.u64()?, from.sized()?))
}

/// A late point: its value.
fn put_late(to: &mut Vec<u8>, value: Value<'_>) {
    to.put_u8(VERSION);
    put_value(to, value);
}

fn take_late(value: &[u8]) -> Option<Value<'_>> {
    let mut from = Take::new(value);
    if from.u8()? != VERSION {
        return None;
    }
    let it = take_value(&mut from)?;
    from.end(it)
}
