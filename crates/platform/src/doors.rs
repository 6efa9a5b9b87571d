//! Doors: through which connection a device is reached, directly or behind a gateway (spec thingsboard 2.4, 3.1, 3.10).
//!
//! Only dialects in which a gateway speaks for devices by name have doors. The latest touch wins: whoever connects as a
//! device, or sends anything for it, is its door from then on. Which gateway a device is behind is stored, so that a
//! gateway that comes back, or a server that was started again, need not be told anew (spec 13.4).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Class, Code, Device, DeviceId, Millis, OrgId, Peer, Refusal, Registrar, Value};
use parking_lot::{Mutex, MutexGuard};
use store::{Aspect, Change, Ticket};

use crate::activity::Record;
use crate::devices::NewDevice;
use crate::limits::FORMER_NAMES_COUNT_MAX;
use crate::registration::Verdict;
use crate::registry::{OrgCell, Platform};

/// A connection's number: no other connection of this process has it. 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// The type of devices whose gateway names none (spec thingsboard 3.1).
pub const DEFAULT_TYPE: &str = "default";

/// A device's door. Connections keep it, and see in it without any lock whether they are still the door.
#[derive(Debug, Default)]
pub struct Door {
    holder: AtomicU64,
    active_ms: AtomicU64,
    state: Mutex<State>,
    /// What is stored of when the device was there; `None` where no record is kept of it.
    record: Mutex<Option<Record>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The gateway it is behind, or was the last time.
    gateway: Option<DeviceId>,
    /// Whether it is behind that gateway, which may have lost its connection.
    attached: bool,
    connected_ms: Millis,
    disconnected_ms: Millis,
}

/// A device of which a record is kept.
pub(crate) struct Seen {
    pub(crate) device: DeviceId,
    pub(crate) door: Arc<Door>,
    /// The gateway that it is behind, and that one's door.
    pub(crate) gateway: Option<(DeviceId, Arc<Door>)>,
}

/// Some of an organisation's devices, in the order of their ids.
pub(crate) struct SeenBatch {
    pub(crate) seen: Vec<Seen>,
    /// The last that was looked at, whether or not a record is kept of it.
    pub(crate) last: Option<DeviceId>,
}

/// What a device's or gateway's own connection has, once it is the door.
#[derive(Clone, Debug, Default)]
pub struct Entered {
    /// Its own door.
    pub door: Arc<Door>,
    /// The devices whose door it is now, itself included: what waits for them can be delivered.
    pub devices: Vec<DeviceId>,
}

/// Whether a gateway is now the door of a device.
#[derive(Clone, Debug)]
pub enum Attached {
    /// It is.
    Yes {
        /// The device.
        device: Arc<Device>,
        /// Its door.
        door: Arc<Door>,
        /// The door was somebody else's, or nobody's, until now: what waits for the device can be delivered.
        is_new: bool,
    },
    /// All registration slots are taken: ask again, with the same arguments, when this ticket is stored.
    Wait(Ticket),
    /// It may not be.
    Refused(Refusal),
}

/// The doors of an organisation.
#[derive(Default)]
pub(crate) struct Doors {
    of: BTreeMap<DeviceId, Arc<Door>>,
    /// Devices behind each gateway, those included whose gateway has lost its connection.
    behind: HashMap<DeviceId, BTreeSet<DeviceId>>,
    /// What each gateway that is connected called devices that were renamed since it connected.
    former_names: HashMap<DeviceId, HashMap<Box<str>, DeviceId>>,
}

impl Door {
    /// Whether this connection is the door; if so, the device was heard now.
    pub fn hears(&self, connection: ConnectionId, now_ms: Millis) -> bool {
        let is_holder = self.holder.load(Ordering::Acquire) == connection.0;
        if is_holder {
            self.active_ms.store(now_ms, Ordering::Relaxed);
        }
        is_holder
    }

    /// A connection takes the door; gives the one that had it.
    fn take(&self, connection: ConnectionId, now_ms: Millis) -> ConnectionId {
        self.active_ms.store(now_ms, Ordering::Relaxed);
        let before = self.holder.swap(connection.0, Ordering::AcqRel);
        if before != connection.0 {
            self.state.lock().connected_ms = now_ms;
        }
        ConnectionId(before)
    }

    /// A connection leaves; true when the door was its.
    fn give_up(&self, connection: ConnectionId, now_ms: Millis) -> bool {
        let was_its =
            self.holder.compare_exchange(connection.0, 0, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if was_its {
            self.state.lock().disconnected_ms = now_ms;
        }
        was_its
    }

    fn is_held(&self) -> bool {
        self.holder.load(Ordering::Acquire) != 0
    }

    /// From now on it is on record, among the device's attributes, when it was there.
    pub fn keep_record(&self) {
        self.record.lock().get_or_insert_default();
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock()
    }

    /// When the device was there, by what the door knows.
    pub(crate) fn times(&self) -> Record {
        let State { connected_ms, disconnected_ms, .. } = *self.state.lock();
        let active_ms = self.active_ms.load(Ordering::Relaxed);
        Record { active_ms, connected_ms, disconnected_ms, is_active: None }
    }

    /// Whoever is behind a gateway now was heard when the gateway was.
    pub(crate) fn is_as_active_as(&self, gateway: &Door) {
        let holder = self.holder.load(Ordering::Acquire);
        if holder != 0 && holder == gateway.holder.load(Ordering::Acquire) {
            self.active_ms.fetch_max(gateway.active_ms.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl Doors {
    /// Brings a stored door back.
    pub(crate) fn restore(&mut self, device: DeviceId, gateway: DeviceId, attached: bool) {
        let door = self.door(device);
        let mut state = door.state.lock();
        (state.gateway, state.attached) = (Some(gateway), attached);
        if attached {
            self.behind.entry(gateway).or_default().insert(device);
        }
    }

    /// Brings back what is stored of when a device was there.
    pub(crate) fn restore_record(&mut self, device: DeviceId, key: &str, value: &Value<'_>) {
        let door = self.door(device);
        let mut record = door.record.lock();
        let record = record.get_or_insert_default();
        record.restore(key, value);
        let mut state = door.state.lock();
        (state.connected_ms, state.disconnected_ms) = (record.connected_ms, record.disconnected_ms);
        door.active_ms.store(record.active_ms, Ordering::Relaxed);
    }

    /// The devices after this one, looking at so many, of which a record is kept.
    pub(crate) fn seen_after(&self, after: Option<DeviceId>, count_max: usize) -> SeenBatch {
        let mut batch = SeenBatch { seen: Vec::new(), last: None };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (device, door) in self.of.range((from, Bound::Unbounded)).take(count_max) {
            batch.last = Some(*device);
            if door.record.lock().is_some() {
                let state = *door.state.lock();
                let gateway = state.gateway.filter(|_| state.attached && door.is_held());
                let gateway = gateway.and_then(|it| Some((it, self.of.get(&it)?.clone())));
                batch.seen.push(Seen { device: *device, door: door.clone(), gateway });
            }
        }
        batch
    }

    fn door(&mut self, device: DeviceId) -> Arc<Door> {
        self.of.entry(device).or_default().clone()
    }

    /// Notes what the gateway that is the door of a device calls it: that is still this device after it was renamed,
    /// for as long as the gateway's connection lasts (spec thingsboard 3.10).
    ///
    /// Refuses with [`Code::TooMany`].
    pub(crate) fn note_former_name(&mut self, device: DeviceId, name: &str) -> Result<(), Refusal> {
        let Some(door) = self.of.get(&device).filter(|it| it.is_held()) else { return Ok(()) };
        let state = *door.state.lock();
        let Some(gateway) = state.gateway.filter(|_| state.attached) else { return Ok(()) };
        let names = self.former_names.entry(gateway).or_default();
        if names.len() >= FORMER_NAMES_COUNT_MAX && !names.contains_key(name) {
            let hint = format!(
                "{FORMER_NAMES_COUNT_MAX} devices were renamed since their gateway connected; it has to connect again \
                 before more can be."
            );
            return Err(Refusal::new(Code::TooMany, hint));
        }
        names.insert(name.into(), device);
        Ok(())
    }

    fn formerly(&self, gateway: DeviceId, name: &str) -> Option<DeviceId> {
        self.former_names.get(&gateway)?.get(name).copied()
    }

    /// Forgets a device, as a child and as a gateway.
    pub(crate) fn remove(&mut self, device: DeviceId) {
        self.former_names.remove(&device);
        if let Some(door) = self.of.remove(&device) {
            door.holder.store(0, Ordering::Release);
            if let Some(gateway) = door.state.lock().gateway {
                self.leave_gateway(device, gateway);
            }
        }
        // Who was behind it has no door any more, and is not given back to a gateway that is gone.
        for child in self.behind.remove(&device).into_iter().flatten() {
            if let Some(door) = self.of.get(&child) {
                door.holder.store(0, Ordering::Release);
                door.state.lock().attached = false;
            }
        }
    }

    fn leave_gateway(&mut self, device: DeviceId, gateway: DeviceId) {
        if let Some(children) = self.behind.get_mut(&gateway) {
            children.remove(&device);
            if children.is_empty() {
                self.behind.remove(&gateway);
            }
        }
    }

    /// Notes whom a device is behind; true when that is news to the store.
    fn set_gateway(&mut self, device: DeviceId, gateway: Option<DeviceId>) -> Option<Aspect> {
        let door = self.door(device);
        let mut state = door.state.lock();
        let before = *state;
        (state.gateway, state.attached) = (gateway.or(state.gateway), gateway.is_some());
        let after = *state;
        drop(state);
        if let Some(before) = before.gateway.filter(|it| before.attached && Some(*it) != gateway) {
            self.leave_gateway(device, before);
        }
        if let Some(gateway) = gateway {
            self.behind.entry(gateway).or_default().insert(device);
        }
        let is_news = (before.gateway, before.attached) != (after.gateway, after.attached);
        let gateway = after.gateway.filter(|_| is_news)?;
        Some(Aspect::Door { gateway, attached: after.attached })
    }
}

impl Platform {
    /// A gateway speaks for the device of this name: it is the device's door from now on. A device that nobody knows is
    /// registered, and its type made if nobody knows that either; `device_type` `None` is [`DEFAULT_TYPE`]. Whoever was
    /// the door until now is so no longer: another gateway is not told, a connection of the device itself is closed.
    ///
    /// Refuses with [`Code::NotAllowed`] (the peer is no gateway), [`Code::DeviceDisabled`], [`Code::OrgFull`],
    /// [`Code::GatewayFull`], [`Code::NameInvalid`], [`Code::TypeInvalid`] or [`Code::CreateFailed`].
    pub fn attach(
        &self,
        gateway: &Peer,
        connection: ConnectionId,
        name: &str,
        device_type: Option<&str>,
        now_ms: Millis,
    ) -> Attached {
        let (cell, own) = match (self.cell(gateway.org()), gateway) {
            (Some(cell), Peer::Device { id, class: Class::Gateway, .. }) => (cell, *id),
            _ => {
                let hint = format!("{} is not a gateway: it may speak for itself only.", gateway.client_id());
                return Attached::Refused(Refusal::new(Code::NotAllowed, hint));
            }
        };
        let device = match cell.named_by(own, name) {
            Some(device) => device,
            None => {
                let device_type = device_type.unwrap_or(DEFAULT_TYPE);
                match self.register_named(&cell, gateway, own, name, device_type, now_ms) {
                    Ok(device) => device,
                    Err(Verdict::Wait(ticket)) => return Attached::Wait(ticket),
                    Err(Verdict::Refused(refusal)) => return Attached::Refused(refusal),
                    Err(_) => return Attached::Refused(not_created(name)),
                }
            }
        };
        if !device.enabled {
            let hint = format!("The device {name} is disabled.");
            return Attached::Refused(Refusal::new(Code::DeviceDisabled, hint));
        }
        self.pass_door(&cell, connection, own, device, now_ms)
    }

    fn pass_door(
        &self,
        cell: &OrgCell,
        connection: ConnectionId,
        own: DeviceId,
        device: Arc<Device>,
        now_ms: Millis,
    ) -> Attached {
        let (org, id) = (device.org, device.id);
        let mut doors = cell.doors.lock();
        let door = doors.door(id);
        if id == own {
            // A gateway that speaks of itself by name is its own door already.
            door.hears(connection, now_ms);
            return Attached::Yes { device, door, is_new: false };
        }
        door.keep_record();
        let was_direct = !door.state.lock().attached;
        let before = door.take(connection, now_ms);
        if let Some(aspect) = doors.set_gateway(id, Some(own)) {
            self.store.commit(Change::Aspect { org, device: id, aspect }.into());
        }
        drop(doors);
        let is_new = before != connection;
        if is_new {
            self.remind(cell, id);
        }
        if is_new && was_direct && before.0 != 0 {
            self.told(|it| it.displaced(org, id));
        }
        Attached::Yes { device, door, is_new }
    }

    /// The gateway is the door of this device no longer; nothing happens when it is not.
    pub fn detach(&self, gateway: &Peer, connection: ConnectionId, name: &str, now_ms: Millis) -> Ticket {
        let Some(cell) = self.cell(gateway.org()) else { return Ticket::NONE };
        let named = gateway.device_id().and_then(|own| cell.named_by(own, name));
        let Some(device) = named.map(|it| it.id) else { return Ticket::NONE };
        let mut doors = cell.doors.lock();
        if gateway.device_id() == Some(device) || !doors.door(device).give_up(connection, now_ms) {
            return Ticket::NONE;
        }
        let org = gateway.org();
        match doors.set_gateway(device, None) {
            Some(aspect) => self.store.commit(Change::Aspect { org, device, aspect }.into()),
            None => Ticket::NONE,
        }
    }

    /// A device or gateway has connected itself: the connection is its door, and that of the devices that were behind
    /// it when its last connection ended, unless another door has been found for them.
    pub fn enter(&self, peer: &Peer, connection: ConnectionId, now_ms: Millis) -> Entered {
        let (Some(cell), Some(own)) = (self.cell(peer.org()), peer.device_id()) else {
            return Entered::default();
        };
        let mut doors = cell.doors.lock();
        // A new connection has to know the names.
        doors.former_names.remove(&own);
        let door = doors.door(own);
        door.take(connection, now_ms);
        if let Some(aspect) = doors.set_gateway(own, None) {
            self.store.commit(Change::Aspect { org: peer.org(), device: own, aspect }.into());
        }
        let children = doors.behind.get(&own).into_iter().flatten().copied();
        let lost: Vec<_> = children.filter(|it| doors.of.get(it).is_some_and(|it| !it.is_held())).collect();
        for device in &lost {
            let door = doors.door(*device);
            door.keep_record();
            door.take(connection, now_ms);
        }
        drop(doors);
        let devices: Vec<_> = lost.into_iter().chain([own]).collect();
        devices.iter().for_each(|it| self.remind(&cell, *it));
        Entered { door, devices }
    }

    /// A connection has ended: it is nobody's door any more.
    pub fn leave(&self, peer: &Peer, connection: ConnectionId, now_ms: Millis) {
        let (Some(cell), Some(own)) = (self.cell(peer.org()), peer.device_id()) else { return };
        let mut doors = cell.doors.lock();
        for device in doors.behind.get(&own).into_iter().flatten() {
            if let Some(door) = doors.of.get(device) {
                door.give_up(connection, now_ms);
            }
        }
        if doors.of.get(&own).is_some_and(|it| it.give_up(connection, now_ms)) {
            doors.former_names.remove(&own);
        }
    }

    /// Whose connection is the door of a device now: its own, or its gateway's; `None` when there is none.
    pub fn door(&self, org: OrgId, device: DeviceId) -> Option<DeviceId> {
        let cell = self.cell(org)?;
        let door = cell.doors.lock().of.get(&device).cloned().filter(|it| it.is_held())?;
        let state = *door.state.lock();
        Some(state.gateway.filter(|_| state.attached).unwrap_or(device))
    }

    /// The gateway that a device is behind, or was the last time.
    pub fn last_gateway(&self, org: OrgId, device: DeviceId) -> Option<DeviceId> {
        let door = self.cell(org)?.doors.lock().of.get(&device).cloned()?;
        let state = *door.state.lock();
        state.gateway
    }

    /// A device whose dialect keeps a record was heard otherwise than through a door.
    pub fn heard(&self, org: OrgId, device: DeviceId, now_ms: Millis) {
        if let Some(cell) = self.cell(org) {
            let door = cell.doors.lock().door(device);
            door.keep_record();
            door.active_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Registers a device under a name of the organisation, for a gateway that speaks for it.
    fn register_named(
        &self,
        cell: &OrgCell,
        gateway: &Peer,
        own: DeviceId,
        name: &str,
        device_type: &str,
        now_ms: Millis,
    ) -> Result<Arc<Device>, Verdict> {
        let mut state = cell.state.write();
        // Somebody else may have registered it since the first look.
        if let Some(device) = state.named(name) {
            return Ok(device.clone());
        }
        let draft = NewDevice {
            class: Some(Class::Device),
            gateway: Some(own),
            ..NewDevice::named(device_type, name, Registrar::Gateway(gateway.client_id().to_owned()))
        };
        self.register_in_turn(&mut state, own, draft, now_ms)
    }
}

impl OrgCell {
    /// The device that a gateway means by this name: who is called so, or was when the gateway connected.
    fn named_by(&self, gateway: DeviceId, name: &str) -> Option<Arc<Device>> {
        if let Some(device) = self.state.read().named(name) {
            return Some(device.clone());
        }
        let formerly = self.doors.lock().formerly(gateway, name)?;
        self.state.read().by_id.get(&formerly).cloned()
    }
}

fn not_created(name: &str) -> Refusal {
    Refusal::new(Code::CreateFailed, format!("The device {name} could not be registered."))
}

#[cfg(test)]
mod tests;
