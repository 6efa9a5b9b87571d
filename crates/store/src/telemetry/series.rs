//! The series that the committer has in memory: which keys a device has, up to where each is in blocks, and how much
//! of it is open.
//!
//! A device is read from the disk when it first sends and stays as long as there is room; only one without open points
//! is let go. A series has a place, which is where its open points are, too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;

use domain::{DeviceId, Millis, OrgId, Value};
use parking_lot::Mutex;

use super::open::{List, Open, SeriesId};
use super::value_bytes;
use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::{ID_LEN, corrupt};
use crate::limits::PointBounds;
use crate::rows::Rows;
use crate::schema::{self, Keys, Table, VERSION};

/// What an open point takes in memory besides a text, in bytes, about.
const POINT_BYTES: usize = 32;
/// What a series takes, in bytes, about; a device is counted as one.
const SERIES_BYTES: usize = 200;

/// What a further point has made of its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    First,
    Full,
    FirstAndFull,
}

/// A series.
pub(super) struct Series {
    device: (OrgId, DeviceId),
    key: Box<str>,
    number: u16,
    /// The place of the series that came after this one, the last time: so most keys are found without a search.
    next: u32,
    /// The time of the last point that is in a block.
    closed_ms: Option<Millis>,
    newest_ms: Option<Millis>,
    open_count: usize,
    open_bytes: usize,
    /// The number of the tail's row with its oldest open point.
    oldest_row: u64,
}

impl Series {
    pub(super) fn id(&self) -> SeriesId {
        (self.device.0, self.device.1, self.number)
    }

    /// The time of its newest point that is in a block or beside them.
    pub(super) fn closed_ms(&self) -> Option<Millis> {
        self.closed_ms
    }

    /// Appends the key of its row.
    pub(super) fn put_key(&self, to: &mut Vec<u8>) {
        schema::device_key(to, self.device.0, self.device.1, &self.key);
    }

    pub(super) fn newest_ms(&self) -> Option<Millis> {
        self.newest_ms
    }

    pub(super) fn set_newest_ms(&mut self, newest_ms: Option<Millis>) {
        self.newest_ms = newest_ms;
    }

    /// Whether a point at that time is not newer than the blocks.
    pub(super) fn is_late(&self, at_ms: Millis) -> bool {
        self.closed_ms.is_some_and(|it| at_ms <= it)
    }

    fn is_full(&self, bounds: &PointBounds) -> bool {
        self.open_count >= bounds.block_count || self.open_bytes >= bounds.block_bytes
    }

    /// Puts the row of the series.
    pub(super) fn put_row(&mut self, closed_ms: Option<Millis>, rows: &mut Rows) {
        self.closed_ms = closed_ms;
        rows.put(Table::Series, |to| self.put_key(to), |to| put_series(to, self.number, closed_ms));
    }

    fn size_bytes(&self) -> usize {
        SERIES_BYTES + self.key.len()
    }
}

/// A series' row: its number, and the time of the last point that is in a block.
fn put_series(to: &mut Vec<u8>, number: u16, closed_ms: Option<Millis>) {
    to.put_u8(VERSION);
    to.put(&number.to_be_bytes());
    to.put_option(closed_ms.as_ref(), |to, it| to.put_u64(*it));
}

/// Reads a series' row.
pub(super) fn take_series(value: &[u8]) -> Option<(u16, Option<Millis>)> {
    let mut from = Take::new(value);
    if from.u8()? != VERSION {
        return None;
    }
    let it = (from.u16()?, from.option(Take::u64)?);
    from.end(it)
}

/// Reads an organisation and a device, with which keys and readings begin.
pub(super) fn take_device(from: &mut Take<'_>) -> Option<(OrgId, DeviceId)> {
    let org = OrgId::parse(std::str::from_utf8(from.bytes(6)?).ok()?)?;
    Some((org, DeviceId(from.u64()?)))
}

#[derive(Default)]
struct Device {
    /// Places of its series, by key.
    places: Vec<u32>,
    /// The place of the series that was found last.
    last: Option<u32>,
    open_series_count: usize,
    /// What it and its series take in memory besides open points.
    size_bytes: usize,
    /// Whether it is among those that may be let go.
    is_listed: bool,
}

/// The devices that are in memory, and their series.
#[derive(Default)]
pub(super) struct Devices {
    map: HashMap<(OrgId, DeviceId), Device>,
    series: Vec<Series>,
    free: Vec<u32>,
    /// Devices that had no open point at some time, and may be let go if that is so still.
    idle: VecDeque<(OrgId, DeviceId)>,
    size_bytes: usize,
    /// How much of that is of devices without open points.
    idle_bytes: usize,
}

impl Devices {
    /// What all of it takes in memory, in bytes, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The part of it that cannot be had back by letting devices go.
    pub(super) fn busy_bytes(&self) -> usize {
        self.size_bytes - self.idle_bytes
    }

    /// The series at a place.
    pub(super) fn series(&mut self, place: u32) -> &mut Series {
        &mut self.series[place as usize]
    }

    /// Reads a device's series, unless they are in memory.
    pub(super) fn load(
        &mut self,
        id: (OrgId, DeviceId),
        disk: &impl Disk,
        open: &Mutex<Open>,
    ) -> Result<(), StoreFault> {
        if self.map.contains_key(&id) {
            return Ok(());
        }
        let mut device = Device { is_listed: true, size_bytes: SERIES_BYTES, ..Device::default() };
        let keys = Keys::prefixed(|to| schema::device_key(to, id.0, id.1, ""));
        disk.scan(Table::Series, &keys, &mut |row_key, value| {
            let damaged = || corrupt(Table::Series, row_key);
            let key =
                row_key.get(ID_LEN..).and_then(|it| std::str::from_utf8(it).ok()).ok_or_else(damaged)?;
            let (number, closed_ms) = take_series(value).ok_or_else(damaged)?;
            let place = self.place(id, key, number, closed_ms, open);
            device.places.push(place);
            device.size_bytes += self.series(place).size_bytes();
            Ok(ControlFlow::Continue(()))
        })?;
        self.size_bytes += SERIES_BYTES;
        self.idle_bytes += device.size_bytes;
        self.map.insert(id, device);
        self.idle.push_back(id);
        Ok(())
    }

    /// Reads the series of many devices: in one go, because a look at each would take longer.
    pub(super) fn load_all(
        &mut self,
        ids: &HashSet<(OrgId, DeviceId)>,
        disk: &impl Disk,
        open: &Mutex<Open>,
    ) -> Result<(), StoreFault> {
        for id in ids {
            self.map.insert(*id, Device { is_listed: true, size_bytes: SERIES_BYTES, ..Device::default() });
            self.idle.push_back(*id);
            self.size_bytes += SERIES_BYTES;
            self.idle_bytes += SERIES_BYTES;
        }
        disk.scan(Table::Series, &Keys::all(), &mut |row_key, value| {
            let damaged = || corrupt(Table::Series, row_key);
            let mut from = Take::new(row_key);
            let id = take_device(&mut from).ok_or_else(damaged)?;
            if ids.contains(&id) {
                let key = from.rest_text().ok_or_else(damaged)?;
                let (number, closed_ms) = take_series(value).ok_or_else(damaged)?;
                let place = self.place(id, key, number, closed_ms, open);
                let size_bytes = self.series(place).size_bytes();
                self.idle_bytes += size_bytes;
                if let Some(device) = self.map.get_mut(&id) {
                    device.places.push(place);
                    device.size_bytes += size_bytes;
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Gives a series a place.
    fn place(
        &mut self,
        device: (OrgId, DeviceId),
        key: &str,
        number: u16,
        closed_ms: Option<Millis>,
        open: &Mutex<Open>,
    ) -> u32 {
        let place = self.free.pop().unwrap_or(self.series.len() as u32);
        let series = Series {
            device,
            key: key.into(),
            number,
            next: place,
            closed_ms,
            newest_ms: closed_ms,
            open_count: 0,
            open_bytes: 0,
            oldest_row: 0,
        };
        self.size_bytes += series.size_bytes();
        open.lock().add(series.id(), place);
        match self.series.get_mut(place as usize) {
            Some(room) => *room = series,
            None => self.series.push(series),
        }
        place
    }

    /// The place of a series; `None` when the device has no such key. The device is loaded.
    pub(super) fn find(&mut self, id: (OrgId, DeviceId), key: &str) -> Option<u32> {
        let device = self.map.get_mut(&id)?;
        let guess = device.last.map(|it| self.series[it as usize].next);
        if let Some(place) = guess.filter(|it| *self.series[*it as usize].key == *key) {
            device.last = guess;
            return Some(place);
        }
        let found = device.places.binary_search_by(|it| (*self.series[*it as usize].key).cmp(key)).ok()?;
        let place = device.places[found];
        if let Some(last) = device.last.replace(place) {
            self.series[last as usize].next = place;
        }
        Some(place)
    }

    /// Makes a series of a key that the device does not have yet; `None` when it has as many as it may. The device is
    /// loaded.
    pub(super) fn make(
        &mut self,
        id: (OrgId, DeviceId),
        key: &str,
        keys_max: usize,
        open: &Mutex<Open>,
        rows: &mut Rows,
    ) -> Option<u32> {
        let places = &self.map.get(&id)?.places;
        if places.len() >= keys_max {
            return None;
        }
        let number = places.iter().map(|it| self.series[*it as usize].number + 1).max().unwrap_or(0);
        let place = self.place(id, key, number, None, open);
        self.series(place).put_row(None, rows);
        let size_bytes = self.series(place).size_bytes();
        let device = self.map.get_mut(&id)?;
        device.size_bytes += size_bytes;
        if device.open_series_count == 0 {
            self.idle_bytes += size_bytes;
        }
        let at = device.places.partition_point(|it| *self.series[*it as usize].key < *key);
        device.places.insert(at, place);
        if let Some(last) = device.last.replace(place) {
            self.series[last as usize].next = place;
        }
        Some(place)
    }

    /// Counts an open point, which is in this row of the tail.
    pub(super) fn push(
        &mut self,
        place: u32,
        at_ms: Millis,
        value: Value<'_>,
        row: u64,
        bounds: &PointBounds,
    ) -> Mark {
        let series = &mut self.series[place as usize];
        let was_full = series.is_full(bounds);
        series.newest_ms = series.newest_ms.max(Some(at_ms));
        series.open_count += 1;
        series.open_bytes += value_bytes(value);
        self.size_bytes += POINT_BYTES + value_bytes(value);
        let is_full = series.is_full(bounds) && !was_full;
        let is_first = series.open_count == 1;
        if is_first {
            series.oldest_row = row;
            let id = series.device;
            if let Some(device) = self.map.get_mut(&id) {
                if device.open_series_count == 0 {
                    self.idle_bytes -= device.size_bytes;
                }
                device.open_series_count += 1;
            }
        }
        match (is_first, is_full) {
            (false, false) => Mark::None,
            (true, false) => Mark::First,
            (false, true) => Mark::Full,
            (true, true) => Mark::FirstAndFull,
        }
    }

    /// Counts that none of the series' points is open any more. Gives the row of the tail with the oldest that was;
    /// `None` when none was.
    pub(super) fn close(&mut self, place: u32) -> Option<u64> {
        let series = &mut self.series[place as usize];
        if series.open_count == 0 {
            return None;
        }
        self.size_bytes -= series.open_count * POINT_BYTES + series.open_bytes;
        (series.open_count, series.open_bytes) = (0, 0);
        let (id, oldest_row) = (series.device, series.oldest_row);
        if let Some(device) = self.map.get_mut(&id) {
            device.open_series_count -= 1;
            if device.open_series_count == 0 {
                self.idle_bytes += device.size_bytes;
                if !std::mem::replace(&mut device.is_listed, true) {
                    self.idle.push_back(id);
                }
            }
        }
        Some(oldest_row)
    }

    /// Counts anew what a series has open, after some of it was deleted. Gives the row of the tail with the oldest
    /// when nothing is left.
    pub(super) fn recount(&mut self, place: u32, list: &List) -> Option<u64> {
        if list.points.is_empty() {
            let closed_ms = self.series(place).closed_ms;
            self.series(place).newest_ms = closed_ms;
            return self.close(place);
        }
        let series = &mut self.series[place as usize];
        let newest_ms = list.points.iter().map(|it| it.at_ms).max();
        series.newest_ms = series.closed_ms.max(newest_ms);
        self.size_bytes -= series.open_count * POINT_BYTES + series.open_bytes;
        series.open_count = list.points.len();
        series.open_bytes = list.points.iter().map(|it| value_bytes(list.value(it))).sum();
        self.size_bytes += series.open_count * POINT_BYTES + series.open_bytes;
        None
    }

    /// Forgets a series, which has no points.
    pub(super) fn remove_series(&mut self, place: u32, open: &Mutex<Open>) {
        let series = &self.series[place as usize];
        let (id, size_bytes) = (series.id(), series.size_bytes());
        let Some(device) = self.map.get_mut(&series.device) else { return };
        device.places.retain(|it| *it != place);
        // No guess may lead to a place that is another device's some day.
        device.last = None;
        for other in &device.places {
            self.series[*other as usize].next = *other;
        }
        device.size_bytes -= size_bytes;
        if device.open_series_count == 0 {
            self.idle_bytes -= size_bytes;
        }
        self.size_bytes -= size_bytes;
        open.lock().remove(id);
        self.free.push(place);
    }

    /// A device that has no open points.
    pub(super) fn idle(&mut self) -> Option<(OrgId, DeviceId)> {
        while let Some(id) = self.idle.pop_front() {
            if let Some(device) = self.map.get_mut(&id) {
                device.is_listed = false;
                if device.open_series_count == 0 {
                    return Some(id);
                }
            }
        }
        None
    }

    /// Lets a device go. Gives the places of its series that have open points, each with the row of the tail that has
    /// the oldest.
    pub(super) fn remove(&mut self, id: (OrgId, DeviceId), open: &Mutex<Open>) -> Vec<(u32, u64)> {
        let Some(device) = self.map.remove(&id) else { return Vec::new() };
        self.size_bytes -= SERIES_BYTES;
        if device.open_series_count == 0 {
            self.idle_bytes -= device.size_bytes;
        }
        let mut left_open = Vec::new();
        let mut open = open.lock();
        for place in device.places {
            let series = &self.series[place as usize];
            self.size_bytes -= series.size_bytes() + series.open_count * POINT_BYTES + series.open_bytes;
            if series.open_count > 0 {
                left_open.push((place, series.oldest_row));
            }
            open.remove(series.id());
            self.free.push(place);
        }
        left_open
    }
}
