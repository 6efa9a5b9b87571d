//! The last event of each device and name, which most events replace before long.
//!
//! The last ones of a group go to a tail of their own, with the group, and are durable there. In memory each replaces
//! the one before it. An event becomes a row of its table only when its row of the tail is due to go and no later one
//! has replaced it: a device that sends all the time costs a row now and then, one that falls silent costs one.
//! At opening the tail is read again. Memory and tail are bounded; what has waited longest is written first.
//!
//! The committer is the only caller, but for [`OpenEvents`], which queries ask before they read the disk.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::event::LastEvent;
use domain::{DeviceId, Event, Message, Millis, OrgId};
use parking_lot::Mutex;

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::limits::EventBounds;
use crate::rows::Rows;
use crate::schema::{self, Table, VERSION, tail};
use crate::tail::{Tail, TailRow};
use crate::values;

/// An event that is in the tail and in no row of its own yet.
struct OpenEvent {
    name: Arc<str>,
    format: Arc<str>,
    at_ms: Millis,
    message: Arc<Message>,
    /// The row of the tail that has it.
    row: u64,
}

/// What an event takes in memory besides its texts and its message, in bytes, about.
const EVENT_BYTES: usize = 150;

impl OpenEvent {
    fn size_bytes(&self) -> usize {
        EVENT_BYTES + self.name.len() + self.format.len() + self.message.cost_bytes()
    }

    fn last(&self) -> LastEvent {
        LastEvent {
            name: self.name.to_string(),
            format: self.format.to_string(),
            at_ms: self.at_ms,
            payload: self.message.payload().to_vec(),
        }
    }
}

/// The events that are in no row of their own, as queries see them: by device, then by name.
#[derive(Default)]
pub(crate) struct OpenEvents(HashMap<(OrgId, DeviceId), Vec<OpenEvent>>);

impl OpenEvents {
    /// All of a device, by name.
    pub(crate) fn all(&self, device: (OrgId, DeviceId)) -> Vec<LastEvent> {
        self.0.get(&device).map(|it| it.iter().map(OpenEvent::last).collect()).unwrap_or_default()
    }

    /// One of a device.
    pub(crate) fn get(&self, device: (OrgId, DeviceId), name: &str) -> Option<LastEvent> {
        self.find(device, name).map(OpenEvent::last)
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn find(&self, device: (OrgId, DeviceId), name: &str) -> Option<&OpenEvent> {
        let list = self.0.get(&device)?;
        list.get(list.binary_search_by(|it| (*it.name).cmp(name)).ok()?)
    }

    /// Puts an event in the place of an earlier one; gives that.
    fn replace(&mut self, device: (OrgId, DeviceId), event: OpenEvent) -> Option<OpenEvent> {
        let list = self.0.entry(device).or_default();
        match list.binary_search_by(|it| it.name.cmp(&event.name)) {
            Ok(at) => Some(std::mem::replace(&mut list[at], event)),
            Err(at) => {
                list.insert(at, event);
                None
            }
        }
    }

    fn remove(&mut self, device: (OrgId, DeviceId), name: &str) -> Option<OpenEvent> {
        let list = self.0.get_mut(&device)?;
        let event = list.remove(list.binary_search_by(|it| (*it.name).cmp(name)).ok()?);
        if list.is_empty() {
            self.0.remove(&device);
        }
        Some(event)
    }
}

/// Names an event: the row of the tail that has it, its device and its name.
type Place = (u64, (OrgId, DeviceId), Arc<str>);

/// The committer's side.
pub(crate) struct LastEvents {
    bounds: EventBounds,
    open: Arc<Mutex<OpenEvents>>,
    tail: Tail,
    /// In the order of their rows of the tail; many were replaced since.
    waiting: VecDeque<Place>,
    group: Group,
    /// The group's events, and where they are in the tail.
    fresh: Vec<(u64, Event)>,
    /// Events that get a row of their own with the group.
    written: Vec<Place>,
    /// Devices that are forgotten with the group.
    dropped: Vec<(OrgId, DeviceId)>,
    size_bytes: usize,
}

impl LastEvents {
    /// Reads the tail. `next_row` is larger than the number of every row of the tail there ever was; devices of which
    /// `is_forgotten` is true are left out.
    pub(crate) fn open(
        disk: &impl Disk,
        bounds: EventBounds,
        next_row: u64,
        is_forgotten: impl Fn((OrgId, DeviceId)) -> bool,
    ) -> Result<LastEvents, StoreFault> {
        let mut all = LastEvents {
            bounds,
            open: Arc::default(),
            tail: Tail::new(tail::EVENTS, next_row),
            waiting: VecDeque::new(),
            group: Group::default(),
            fresh: Vec::new(),
            written: Vec::new(),
            dropped: Vec::new(),
            size_bytes: 0,
        };
        Tail::read(disk, tail::EVENTS, &mut |row| {
            all.tail.restore(row.number, row.size_bytes);
            let mut from = Take::new(row.content);
            while !from.rest().is_empty() {
                let (device, event) = take_event(&row, &mut from).ok_or_else(|| row.damaged())?;
                if !is_forgotten(device) {
                    all.keep(device, event);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// The events in memory, for queries.
    pub(crate) fn shared(&self) -> Arc<Mutex<OpenEvents>> {
        self.open.clone()
    }

    /// Rows of the tail.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Begins a group: gives rows to the events that have waited too long.
    pub(crate) fn begin(&mut self, rows: &mut Rows) {
        let open = self.open.lock();
        let mut freed_bytes = 0;
        while let Some(place) = self.waiting.front() {
            let (row, device, name) = place;
            if let Some(event) = open.find(*device, name).filter(|it| it.row == *row) {
                self.tail.drop_before(*row, rows);
                if self.tail.size_bytes <= self.bounds.tail_bytes_max
                    && self.size_bytes - freed_bytes <= self.bounds.bytes_max
                {
                    return;
                }
                freed_bytes += event.size_bytes();
                rows.put(
                    Table::Last,
                    |to| schema::device_key(to, device.0, device.1, name),
                    |to| values::put_last_event(to, event.at_ms, &event.format, event.message.payload()),
                );
                self.written.push(place.clone());
            }
            self.waiting.pop_front();
        }
        self.tail.drop_before(self.tail.next, rows);
    }

    /// Adds an event to the group.
    pub(crate) fn add(&mut self, event: Event) {
        self.group.replace(event);
    }

    /// Forgets a device, once the group is stored. Nothing is added to it any more.
    pub(crate) fn drop_device(&mut self, device: (OrgId, DeviceId)) {
        self.dropped.push(device);
    }

    /// Bytes of the group that are not in its rows yet.
    pub(crate) fn size_bytes(&self) -> usize {
        self.group.size_bytes
    }

    /// Completes the group's rows.
    pub(crate) fn finish(&mut self, rows: &mut Rows) {
        for event in self.group.drain() {
            let row = self.tail.next;
            self.tail.push(|to| put_event(to, &event));
            self.tail.end_full_row(self.bounds.tail_row_bytes, rows);
            self.fresh.push((row, event));
        }
        self.tail.end_row(rows);
    }

    /// The group is stored: shows its events to queries.
    pub(crate) fn publish(&mut self) {
        for (_, device, name) in self.written.drain(..) {
            let gone = self.open.lock().remove(device, &name);
            self.size_bytes -= gone.map_or(0, |it| it.size_bytes());
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        for (row, event) in fresh.drain(..) {
            let Event { org, device, name, format, at_ms, message, .. } = event;
            self.keep((org, device), OpenEvent { name, format, at_ms, message, row });
        }
        self.fresh = fresh;
        for device in self.dropped.drain(..) {
            let gone = self.open.lock().0.remove(&device).unwrap_or_default();
            self.size_bytes -= gone.iter().map(OpenEvent::size_bytes).sum::<usize>();
        }
    }

    fn keep(&mut self, device: (OrgId, DeviceId), event: OpenEvent) {
        self.waiting.push_back((event.row, device, event.name.clone()));
        self.size_bytes += event.size_bytes();
        let earlier = self.open.lock().replace(device, event);
        self.size_bytes -= earlier.map_or(0, |it| it.size_bytes());
    }
}

/// Appends an event to a row of the tail: organisation (6 bytes), device (8), time (8), then name, format and payload,
/// each with its length (4) before it.
fn put_event(to: &mut Vec<u8>, event: &Event) {
    to.put(event.org.as_bytes());
    to.put_u64(event.device.0);
    to.put_u64(event.at_ms);
    to.put_sized(event.name.as_bytes());
    to.put_sized(event.format.as_bytes());
    to.put_sized(event.message.payload());
}

fn take_event(row: &TailRow<'_>, from: &mut Take<'_>) -> Option<((OrgId, DeviceId), OpenEvent)> {
    if row.version != VERSION {
        return None;
    }
    let org = OrgId::parse(std::str::from_utf8(from.bytes(6)?).ok()?)?;
    let (device, at_ms) = (DeviceId(from.u64()?), from.u64()?);
    let (name, format) = (from.text()?.into(), from.text()?.into());
    let message = Message::shared("", b"", from.sized()?);
    Some(((org, device), OpenEvent { name, format, at_ms, message, row: row.number }))
}

/// The last event of each device and name in a group.
#[derive(Default)]
struct Group {
    /// Hash of device and name → the newest entry of `entries` with that hash.
    index: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    entries: Vec<(Event, u32)>,
    hashing: RandomState,
    size_bytes: usize,
}

const NONE: u32 = u32::MAX;

impl Group {
    /// Puts the event in the place of an earlier one of its device and name.
    fn replace(&mut self, event: Event) {
        let hash = self.hashing.hash_one((event.org, event.device, &*event.name));
        let head = self.index.entry(hash).or_insert(NONE);
        let mut at = *head;
        while let Some((earlier, next)) = self.entries.get_mut(at as usize) {
            if (earlier.org, earlier.device) == (event.org, event.device) && earlier.name == event.name {
                *earlier = event;
                return;
            }
            at = *next;
        }
        self.size_bytes += event.name.len() + event.message.payload().len();
        let entry = self.entries.len() as u32;
        self.entries.push((event, std::mem::replace(head, entry)));
    }

    fn drain(&mut self) -> impl Iterator<Item = Event> {
        self.index.clear();
        self.size_bytes = 0;
        self.entries.drain(..).map(|(event, _)| event)
    }
}

/// The hasher of keys that are hashes.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
