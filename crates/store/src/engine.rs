//! A store on any disk: the committer for what is written, scans for what is read.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::thread::JoinHandle;

use domain::event::LastEvent;
use domain::{
    ApiKey, Blob, BlobId, Device, DeviceId, DeviceType, Millis, Order, Org, OrgId, Package, Queued, Received,
    Retained, Series, SessionId, SessionRecord, Subscription, Summary, Value,
};
use parking_lot::Mutex;

use crate::aspect::{self, AspectRow};
use crate::blobs::{self, Partial};
use crate::coding::Take;
use crate::committer::{Committer, Counter};
use crate::disk::Disk;
use crate::last_events::{LastEvents, OpenEvents};
use crate::limits::{Bounds, QueueBounds};
use crate::package;
use crate::plan::{Plan, Purges};
use crate::product::{self, ProductRow};
use crate::queues::{Queue, Queues};
use crate::rows::Rows;
use crate::schema::{self, Keys, Table, registry, sessions};
use crate::telemetry::history::History;
use crate::telemetry::{Open, Telemetry};
use crate::values::{self, Marks};
use crate::{Changes, DropStep, SessionState, Stats, Store, StoreFault, Ticket};

/// A running store on a disk.
pub struct Engine<D> {
    disk: Arc<D>,
    open: Arc<Mutex<Open>>,
    open_events: Arc<Mutex<OpenEvents>>,
    counter: Arc<Counter>,
    thread: Thread,
}

/// The committer's thread; ends with the store.
struct Thread {
    counter: Arc<Counter>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    /// Has everything stored that was handed in, and ends the thread.
    fn end(&self) {
        self.counter.close();
        if let Some(handle) = self.handle.lock().take() {
            // A panic of the committer has already poisoned the store.
            _ = handle.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end();
    }
}

impl<D> Engine<D> {
    /// The disk below.
    pub(crate) fn disk(&self) -> &D {
        &self.disk
    }
}

impl<D> Engine<D> {
    /// How many series are in memory.
    #[cfg(test)]
    pub(crate) fn open_series_count(&self) -> usize {
        self.open.lock().len()
    }

    /// How many last events are in memory.
    #[cfg(test)]
    pub(crate) fn open_event_count(&self) -> usize {
        self.open_events.lock().len()
    }

    fn history(&self) -> History<'_, D> {
        History { disk: &*self.disk, open: &self.open }
    }
}

/// Reads what the committer has to know and starts it.
pub(crate) fn start<D: Disk>(disk: D, bounds: Bounds) -> Result<Engine<D>, StoreFault> {
    let queues = find_queues(&disk, bounds.queue)?;
    let purges = find_purges(&disk)?;
    let opening = count_opening(&disk)?;
    let is_forgotten = |device| purges.contains(device);
    let telemetry = Telemetry::open(&disk, bounds.points, opening << OPENING_SHIFT, is_forgotten)?;
    let open = telemetry.shared();
    let last_events = LastEvents::open(&disk, bounds.events, opening << OPENING_SHIFT, is_forgotten)?;
    let open_events = last_events.shared();
    let blobs = Partial::open(&disk)?;
    let plan = Plan::new(bounds.queue, queues, purges, telemetry, last_events, blobs);
    let (disk, counter) = (Arc::new(disk), Arc::new(Counter::default()));
    let committer = Committer::new(counter.clone(), disk.clone(), plan);
    let thread = std::thread::Builder::new()
        .name("committer".to_owned())
        .spawn(move || committer.run())
        .map_err(|it| StoreFault::Read(format!("cannot start the committer: {it}")))?;
    let thread = Thread { counter: counter.clone(), handle: Mutex::new(Some(thread)) };
    Ok(Engine { disk, open, open_events, counter, thread })
}

/// Reads the rows of a range into a list, at most `count_max` of them. `decode` gives `None` for a damaged row.
pub(crate) fn list<T>(
    disk: &impl Disk,
    table: Table,
    keys: &Keys,
    count_max: usize,
    mut decode: impl FnMut(&mut Take<'_>, &[u8]) -> Option<T>,
) -> Result<Vec<T>, StoreFault> {
    let mut list = Vec::new();
    if keys.is_empty() || count_max == 0 {
        return Ok(list);
    }
    disk.scan(table, keys, &mut |key, value| {
        let mut name = Take::new(key);
        list.push(decode(&mut name, value).ok_or_else(|| corrupt(table, key))?);
        Ok(if list.len() < count_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(list)
}

/// Whether the device is forgotten and its rows are only waiting to be deleted.
fn is_purged(disk: &impl Disk, org: OrgId, device: DeviceId) -> Result<bool, StoreFault> {
    let mut key = Vec::with_capacity(16);
    schema::registry_key(&mut key, org, registry::PURGE, &device.0.to_be_bytes());
    Ok(disk.get(Table::Registry, &key)?.is_some())
}
/// The number of a row of the tail is the count of openings, then 40 bits that count the rows since.
const OPENING_SHIFT: u32 = 40;

/// Bytes of the keys before the part that tells rows of an organisation, a device or a session apart.
pub(crate) const ORG_LEN: usize = 6;
pub(crate) const ID_LEN: usize = 14;

pub(crate) fn corrupt(table: Table, key: &[u8]) -> StoreFault {
    StoreFault::Corrupt(format!("{} {}", table.name(), key.escape_ascii()))
}

fn take_org(from: &mut Take<'_>) -> Option<OrgId> {
    OrgId::parse(std::str::from_utf8(from.bytes(ORG_LEN)?).ok()?)
}

fn take_session_key(from: &mut Take<'_>) -> Option<(OrgId, SessionId)> {
    Some((take_org(from)?, SessionId(from.u64()?)))
}

/// Rebuilds the places of all queues.
fn find_queues(disk: &impl Disk, bounds: QueueBounds) -> Result<Queues, StoreFault> {
    let mut map = HashMap::<_, Queue>::new();
    disk.scan(Table::Sessions, &Keys::all(), &mut |key, value| {
        let damaged = || corrupt(Table::Sessions, key);
        let mut from = Take::new(key);
        let session = take_session_key(&mut from).ok_or_else(damaged)?;
        match from.u8().ok_or_else(damaged)? {
            sessions::RECORD => _ = map.entry(session).or_default(),
            sessions::MARKS => {
                let marks = values::take_marks(value).ok_or_else(damaged)?;
                map.entry(session).or_default().restore_marks(marks);
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    disk.scan(Table::Queue, &Keys::all(), &mut |key, value| {
        let damaged = || corrupt(Table::Queue, key);
        let mut from = Take::new(key);
        let session = take_session_key(&mut from).ok_or_else(damaged)?;
        let seq = from.u64().ok_or_else(damaged)?;
        let queue = map.get_mut(&session).ok_or_else(damaged)?;
        if !queue.restore(seq, value.len() as u32, bounds) {
            return Err(damaged());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Queues::restored(map))
}

/// Finds the devices whose rows are not all deleted yet.
fn find_purges(disk: &impl Disk) -> Result<Purges, StoreFault> {
    let mut purges = Purges::default();
    each_org(disk, &mut |org| {
        let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::PURGE, &[]));
        disk.scan(Table::Registry, &keys, &mut |key, _| {
            let mut from = Take::new(&key[ORG_LEN + 1..]);
            let id = from.u64().ok_or_else(|| corrupt(Table::Registry, key))?;
            purges.add(org, DeviceId(id));
            Ok(ControlFlow::Continue(()))
        })
    })?;
    Ok(purges)
}

/// Calls `each` with every organisation that has rows in the registry, stepping from one to the next.
pub(crate) fn each_org(
    disk: &impl Disk,
    each: &mut dyn FnMut(OrgId) -> Result<(), StoreFault>,
) -> Result<(), StoreFault> {
    let mut keys = Keys::all();
    loop {
        let mut found = None;
        disk.scan(Table::Registry, &keys, &mut |key, _| {
            let org = take_org(&mut Take::new(key)).ok_or_else(|| corrupt(Table::Registry, key))?;
            found = Some(org);
            Ok(ControlFlow::Break(()))
        })?;
        let Some(org) = found else { return Ok(()) };
        each(org)?;
        keys = keys.starting_at(|to| schema::registry_key(to, org, u8::MAX, &[]));
    }
}

/// Counts this opening, durably.
fn count_opening(disk: &impl Disk) -> Result<u64, StoreFault> {
    let damaged = || corrupt(Table::Settings, schema::OPENINGS.as_bytes());
    let earlier = match disk.get(Table::Settings, schema::OPENINGS.as_bytes())? {
        None => 0,
        Some(value) => {
            let content = values::take_setting(&value).ok_or_else(damaged)?;
            Take::new(&content).u64().ok_or_else(damaged)?
        }
    };
    let opening = earlier + 1;
    let mut rows = Rows::default();
    rows.put(
        Table::Settings,
        |to| to.extend(schema::OPENINGS.bytes()),
        |to| values::put_setting(to, &opening.to_be_bytes()),
    );
    disk.apply(&rows).map_err(StoreFault::Poisoned)?;
    Ok(opening)
}

impl<D: Disk> Store for Engine<D> {
    fn commit(&self, changes: Changes) -> Ticket {
        self.counter.hand_in(changes)
    }

    fn stored(&self) -> Ticket {
        self.counter.stored()
    }

    fn wait(&self, ticket: Ticket) -> Result<(), StoreFault> {
        self.counter.wait(ticket)
    }

    fn health(&self) -> Result<(), StoreFault> {
        self.counter.health()
    }

    fn stats(&self) -> Stats {
        self.counter.stats()
    }

    fn close(&self) -> Result<(), StoreFault> {
        self.thread.end();
        self.disk.close().map_err(StoreFault::Poisoned)?;
        self.health()
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let Some(value) = self.disk.get(Table::Settings, name.as_bytes())? else { return Ok(None) };
        values::take_setting(&value).map(Some).ok_or_else(|| corrupt(Table::Settings, name.as_bytes()))
    }

    fn orgs(&self) -> Result<Vec<Org>, StoreFault> {
        let mut orgs = Vec::new();
        each_org(&*self.disk, &mut |org| {
            let mut key = Vec::new();
            schema::registry_key(&mut key, org, registry::ORG, &[]);
            if let Some(value) = self.disk.get(Table::Registry, &key)? {
                orgs.push(values::take_org(org, &value).ok_or_else(|| corrupt(Table::Registry, &key))?);
            }
            Ok(())
        })?;
        Ok(orgs)
    }

    fn types(&self, org: OrgId) -> Result<Vec<DeviceType>, StoreFault> {
        let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::TYPE, &[]));
        list(&*self.disk, Table::Registry, &keys, usize::MAX, |key, value| {
            key.bytes(ORG_LEN + 1)?;
            values::take_type(org, key.rest_text()?, value)
        })
    }

    fn devices(
        &self,
        org: OrgId,
        after: Option<DeviceId>,
        count_max: usize,
    ) -> Result<Vec<Device>, StoreFault> {
        let mut keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::DEVICE, &[]));
        if let Some(after) = after {
            let Some(first) = after.0.checked_add(1) else { return Ok(Vec::new()) };
            keys = keys.starting_at(|to| {
                schema::registry_key(to, org, registry::DEVICE, &first.to_be_bytes());
            });
        }
        list(&*self.disk, Table::Registry, &keys, count_max, |key, value| {
            key.bytes(ORG_LEN + 1)?;
            values::take_device(org, DeviceId(key.u64()?), value)
        })
    }

    fn keys(&self, org: OrgId) -> Result<Vec<ApiKey>, StoreFault> {
        let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::KEY, &[]));
        list(&*self.disk, Table::Registry, &keys, usize::MAX, |key, value| {
            key.bytes(ORG_LEN + 1)?;
            values::take_key(org, key.rest_text()?, value)
        })
    }

    fn product_parts(&self, org: OrgId, each: &mut dyn FnMut(ProductRow<'_>)) -> Result<(), StoreFault> {
        product::parts(&*self.disk, org, each)
    }

    fn aspects(&self, org: OrgId, each: &mut dyn FnMut(DeviceId, AspectRow<'_>)) -> Result<(), StoreFault> {
        aspect::aspects(&*self.disk, org, each)
    }

    fn blobs(&self, org: OrgId) -> Result<Vec<Blob>, StoreFault> {
        blobs::blobs(&*self.disk, org)
    }

    fn packages(&self, org: OrgId) -> Result<Vec<Package>, StoreFault> {
        package::packages(&*self.disk, org)
    }

    fn read_blob(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        blobs::read(&*self.disk, org, blob, range, each)
    }

    fn sessions(&self, org: OrgId) -> Result<Vec<(SessionRecord, Vec<Subscription>)>, StoreFault> {
        let mut list = Vec::<(SessionRecord, Vec<Subscription>)>::new();
        let keys = Keys::prefixed(|to| to.extend(org.as_bytes()));
        self.disk.scan(Table::Sessions, &keys, &mut |key, value| {
            let mut from = Take::new(key);
            let taken = (|| {
                let (_, session) = take_session_key(&mut from)?;
                match from.u8()? {
                    sessions::RECORD => {
                        list.push((values::take_session(org, session, value)?, Vec::new()));
                    }
                    sessions::SUBSCRIPTION => {
                        let (_, subscriptions) = list.last_mut().filter(|(it, _)| it.id == session)?;
                        subscriptions.push(values::take_subscription(from.rest_text()?, value)?);
                    }
                    _ => {}
                }
                Some(())
            })();
            taken.ok_or_else(|| corrupt(Table::Sessions, key))?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(list)
    }

    fn session_state(&self, org: OrgId, session: SessionId) -> Result<SessionState, StoreFault> {
        let sent_seq = marks(&*self.disk, org, session)?.sent_seq;
        let keys = Keys::prefixed(|to| schema::session_key(to, org, session, sessions::RECEIVED, &[]));
        let received = list(&*self.disk, Table::Sessions, &keys, usize::MAX, |key, value| {
            key.bytes(ID_LEN + 1)?;
            Some(Received { packet_id: key.u16()?, message: values::take_received(value)? })
        })?;
        Ok(SessionState { sent_seq, received })
    }

    fn queue(
        &self,
        org: OrgId,
        session: SessionId,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Queued>, StoreFault> {
        let Some(keys) = queue_keys(&*self.disk, org, session, after)? else { return Ok(Vec::new()) };
        let (mut list, mut bytes) = (Vec::new(), 0);
        self.disk.scan(Table::Queue, &keys, &mut |key, value| {
            bytes += value.len();
            if list.len() == count_max || (bytes > bytes_max && !list.is_empty()) {
                return Ok(ControlFlow::Break(()));
            }
            let mut seq = Take::new(key.get(ID_LEN..).unwrap_or_default());
            let queued = seq.u64().and_then(|seq| values::take_queued(seq, value));
            list.push(queued.ok_or_else(|| corrupt(Table::Queue, key))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(list)
    }

    fn queue_len(&self, org: OrgId, session: SessionId) -> Result<usize, StoreFault> {
        let Some(keys) = queue_keys(&*self.disk, org, session, 0)? else { return Ok(0) };
        let mut count = 0;
        self.disk.scan(Table::Queue, &keys, &mut |_, _| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    fn retained(&self, org: OrgId, space: &str) -> Result<Vec<Retained>, StoreFault> {
        let keys = Keys::prefixed(|to| schema::retained_key(to, org, space, ""));
        list(&*self.disk, Table::Retained, &keys, usize::MAX, |key, value| {
            key.bytes(ORG_LEN + 1 + space.len())?;
            values::take_retained(key.rest_text()?, value)
        })
    }

    fn last_events(&self, org: OrgId, device: DeviceId) -> Result<Vec<LastEvent>, StoreFault> {
        if is_purged(&*self.disk, org, device)? {
            return Ok(Vec::new());
        }
        // The later ones are in memory; looked at first, so that one which is written meanwhile is not missed.
        let mut events = self.open_events.lock().all((org, device));
        let keys = Keys::prefixed(|to| schema::device_key(to, org, device, ""));
        let written = list(&*self.disk, Table::Last, &keys, usize::MAX, |key, value| {
            key.bytes(ID_LEN)?;
            values::take_last_event(key.rest_text()?, value)
        })?;
        for event in written {
            if let Err(at) = events.binary_search_by(|it| it.name.cmp(&event.name)) {
                events.insert(at, event);
            }
        }
        Ok(events)
    }

    fn last_event(&self, org: OrgId, device: DeviceId, name: &str) -> Result<Option<LastEvent>, StoreFault> {
        let mut key = Vec::with_capacity(64);
        schema::device_key(&mut key, org, device, name);
        if is_purged(&*self.disk, org, device)? {
            return Ok(None);
        }
        let open = self.open_events.lock().get((org, device), name);
        if open.is_some() {
            return Ok(open);
        }
        let Some(value) = self.disk.get(Table::Last, &key)? else { return Ok(None) };
        values::take_last_event(name, &value).map(Some).ok_or_else(|| corrupt(Table::Last, &key))
    }

    fn points(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        order: Order,
        each: &mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault> {
        if range.is_empty() || is_purged(&*self.disk, series.org, series.device)? {
            return Ok(None);
        }
        self.history().points(series, range, order, each)
    }

    fn aggregates(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        interval_ms: u64,
        each: &mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault> {
        if range.is_empty() || is_purged(&*self.disk, series.org, series.device)? {
            return Ok(None);
        }
        self.history().aggregates(series, range, interval_ms, each)
    }

    fn latest(
        &self,
        org: OrgId,
        device: DeviceId,
        keys: Option<&[&str]>,
        each: &mut dyn FnMut(&str, Millis, Value<'_>),
    ) -> Result<(), StoreFault> {
        match is_purged(&*self.disk, org, device)? {
            true => Ok(()),
            false => self.history().latest(org, device, keys, each),
        }
    }

    fn drop_step(&self, series: Series<'_>, range: Range<Millis>) -> Result<DropStep, StoreFault> {
        self.history().drop_step(series, range)
    }

    fn point_keys(&self, org: OrgId, device: DeviceId) -> Result<Vec<String>, StoreFault> {
        match is_purged(&*self.disk, org, device)? {
            true => Ok(Vec::new()),
            false => self.history().keys(org, device),
        }
    }
}

/// The marks of a session; those of a new session when none are stored.
fn marks(disk: &impl Disk, org: OrgId, session: SessionId) -> Result<Marks, StoreFault> {
    let mut key = Vec::with_capacity(16);
    schema::session_key(&mut key, org, session, sessions::MARKS, &[]);
    match disk.get(Table::Sessions, &key)? {
        None => Ok(Marks::default()),
        Some(value) => values::take_marks(&value).ok_or_else(|| corrupt(Table::Sessions, &key)),
    }
}

/// Where the messages of a queue after a place may lie.
fn queue_keys(
    disk: &impl Disk,
    org: OrgId,
    session: SessionId,
    after: u64,
) -> Result<Option<Keys>, StoreFault> {
    let Some(next) = after.checked_add(1) else { return Ok(None) };
    let first = next.max(marks(disk, org, session)?.first_seq);
    let keys = Keys::prefixed(|to| schema::session_prefix(to, org, session));
    Ok(Some(keys.starting_at(|to| schema::queue_key(to, org, session, first))))
}
