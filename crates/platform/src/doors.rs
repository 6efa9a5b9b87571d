//! Doors: through which connection a device is reached, directly or behind a gateway (spec thingsboard 2.4, 3.1, 3.10).
//!
//! Only dialects in which a gateway speaks for devices by name have doors. The latest touch wins: whoever connects as a
//! device, or sends anything for it, is its door from then on. Which gateway a device is behind is stored, so that a
//! gateway that comes back, or a server that was started again, need not be told anew (spec 13.4).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Class, Code, Device, DeviceId, Millis, OrgId, Peer, Refusal, Registrar};
use parking_lot::Mutex;
use store::{Aspect, Change, Ticket};

use crate::devices::NewDevice;
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

/// When a device was last there. 0 = not since the server was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Whether a connection is its door now.
    pub is_connected: bool,
    /// When it last got a door.
    pub connected_ms: Millis,
    /// When it last lost one.
    pub disconnected_ms: Millis,
    /// When it was last heard.
    pub active_ms: Millis,
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
    of: HashMap<DeviceId, Arc<Door>>,
    /// Devices behind each gateway, those included whose gateway has lost its connection.
    behind: HashMap<DeviceId, BTreeSet<DeviceId>>,
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
}

impl Doors {
    /// Brings a stored door back.
    pub(crate) fn restore(&mut self, device: DeviceId, gateway: DeviceId, attached: bool) {
        let door = self.door(device);
        *door.state.lock() = State { gateway: Some(gateway), attached, ..State::default() };
        if attached {
            self.behind.entry(gateway).or_default().insert(device);
        }
    }

    fn door(&mut self, device: DeviceId) -> Arc<Door> {
        self.of.entry(device).or_default().clone()
    }

    /// Forgets a device, as a child and as a gateway.
    pub(crate) fn remove(&mut self, device: DeviceId) {
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
        let known = cell.state.read().named(name).cloned();
        let device = match known {
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
        let was_direct = !door.state.lock().attached;
        let before = door.take(connection, now_ms);
        if let Some(aspect) = doors.set_gateway(id, Some(own)) {
            self.store.commit(Change::Aspect { org, device: id, aspect }.into());
        }
        drop(doors);
        let is_new = before != connection;
        if is_new && was_direct && before.0 != 0 {
            self.told(|it| it.displaced(org, id));
        }
        Attached::Yes { device, door, is_new }
    }

    /// The gateway is the door of this device no longer; nothing happens when it is not.
    pub fn detach(&self, gateway: &Peer, connection: ConnectionId, name: &str, now_ms: Millis) -> Ticket {
        let Some(cell) = self.cell(gateway.org()) else { return Ticket::NONE };
        let Some(device) = cell.state.read().named(name).map(|it| it.id) else { return Ticket::NONE };
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
        let door = doors.door(own);
        door.take(connection, now_ms);
        if let Some(aspect) = doors.set_gateway(own, None) {
            self.store.commit(Change::Aspect { org: peer.org(), device: own, aspect }.into());
        }
        let children = doors.behind.get(&own).into_iter().flatten().copied();
        let lost: Vec<_> = children.filter(|it| doors.of.get(it).is_some_and(|it| !it.is_held())).collect();
        for device in &lost {
            doors.door(*device).take(connection, now_ms);
        }
        Entered { door, devices: lost.into_iter().chain([own]).collect() }
    }

    /// A connection has ended: it is nobody's door any more.
    pub fn leave(&self, peer: &Peer, connection: ConnectionId, now_ms: Millis) {
        let (Some(cell), Some(own)) = (self.cell(peer.org()), peer.device_id()) else { return };
        let doors = cell.doors.lock();
        for device in doors.behind.get(&own).into_iter().flatten().chain([&own]) {
            if let Some(door) = doors.of.get(device) {
                door.give_up(connection, now_ms);
            }
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

    /// A device was heard otherwise than through a door.
    pub fn heard(&self, org: OrgId, device: DeviceId, now_ms: Millis) {
        if let Some(cell) = self.cell(org) {
            cell.doors.lock().door(device).active_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// When a device that has, or had, a door was last there.
    pub fn activity(&self, org: OrgId, device: DeviceId) -> Activity {
        let door = self.cell(org).and_then(|cell| cell.doors.lock().of.get(&device).cloned());
        let Some(door) = door else { return Activity::default() };
        let State { connected_ms, disconnected_ms, .. } = *door.state.lock();
        Activity {
            is_connected: door.is_held(),
            connected_ms,
            disconnected_ms,
            active_ms: door.active_ms.load(Ordering::Relaxed),
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

fn not_created(name: &str) -> Refusal {
    Refusal::new(Code::CreateFailed, format!("The device {name} could not be registered."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{DeviceName, Notice};

    use super::*;
    use crate::courier::{Courier, Told};
    use crate::testing::House;
    use crate::{DeviceChange, OrgChange};

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);
    const THREE: ConnectionId = ConnectionId(3);

    /// Writes down whose own connections have to end.
    #[derive(Default)]
    struct Displaced(Mutex<Vec<DeviceId>>);

    /// Writes down which gateways lost which devices.
    #[derive(Default)]
    struct Gone(Mutex<Vec<(DeviceId, String)>>);

    impl Courier for Gone {
        fn tell(&self, _: &Arc<Device>, _: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
            Told::Absent
        }

        fn displaced(&self, _: OrgId, _: DeviceId) {}

        fn removed(&self, _: OrgId, gateway: DeviceId, name: &str) {
            self.0.lock().push((gateway, name.to_owned()));
        }
    }

    impl Courier for Displaced {
        fn tell(&self, _: &Arc<Device>, _: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
            Told::Absent
        }

        fn displaced(&self, _: OrgId, device: DeviceId) {
            self.0.lock().push(device);
        }

        fn removed(&self, _: OrgId, _: DeviceId, _: &str) {}
    }

    fn attach(house: &House, gateway: &Peer, connection: ConnectionId, name: &str) -> DeviceId {
        match house.platform.attach(gateway, connection, name, None, 5) {
            Attached::Yes { device, door, .. } => {
                assert!(door.hears(connection, 6));
                device.id
            }
            other => panic!("{other:?}"),
        }
    }

    fn refused(house: &House, gateway: &Peer, name: &str, device_type: Option<&str>) -> Code {
        match house.platform.attach(gateway, ONE, name, device_type, 5) {
            Attached::Refused(refusal) => refusal.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_device_is_made_with_its_type_or_found_by_its_name() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let made = attach(&house, &gateway, ONE, "Device A/#1");
        let device = house.platform.device_by_id(house.org, made).unwrap();
        assert_eq!((device.device_type.as_str(), device.class), (DEFAULT_TYPE, Class::Device));
        assert_eq!(device.gateway, gateway.device_id());
        assert_eq!(attach(&house, &gateway, ONE, "Device A/#1"), made);
        let known = house.id("sensor", "s1");
        assert_eq!(attach(&house, &gateway, ONE, "s1"), known, "whatever its type");
        let Attached::Yes { device, .. } = house.platform.attach(&gateway, ONE, "t1", Some("thermostat"), 5)
        else {
            panic!("not attached");
        };
        assert_eq!(device.device_type, "thermostat");
    }

    #[test]
    fn who_may_not_is_told_why_and_nothing_is_left_behind() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let device = house.peer("sensor", "s1", Class::Device);
        assert_eq!(refused(&house, &device, "x", None), Code::NotAllowed);
        assert_eq!(refused(&house, &gateway, "", None), Code::NameInvalid);
        assert_eq!(refused(&house, &gateway, &"x".repeat(10_000), None), Code::NameInvalid);
        assert_eq!(refused(&house, &gateway, "x", Some("")), Code::TypeInvalid);
        let name = DeviceName { device_type: "sensor", name: "s1" };
        let off = DeviceChange { enabled: Some(false), ..DeviceChange::default() };
        house.platform.update_device(house.org, name, off).unwrap();
        assert_eq!(refused(&house, &gateway, "s1", None), Code::DeviceDisabled);
        let full = OrgChange { device_count_max: Some(2), ..OrgChange::default() };
        house.platform.update_org(house.org, full).unwrap();
        assert_eq!(refused(&house, &gateway, "x", Some("new")), Code::OrgFull);
        assert_eq!(house.platform.device_type(house.org, "new"), None);
    }

    #[test]
    fn the_latest_touch_wins() {
        let house = House::new();
        let displaced = Arc::new(Displaced::default());
        house.platform.set_courier(displaced.clone());
        let (first, second) = (house.gateway("g1"), house.gateway("g2"));
        let door = |device| house.platform.door(house.org, device);
        let a = attach(&house, &first, ONE, "a");
        assert_eq!(door(a), first.device_id());
        attach(&house, &second, TWO, "a");
        assert_eq!(door(a), second.device_id());
        house.platform.leave(&first, ONE, 9);
        assert_eq!(door(a), second.device_id(), "it is not the first one's to leave");
        assert_eq!(*displaced.0.lock(), [], "gateways are not told");
        let own = house.peer("sensor", "s1", Class::Device);
        let id = own.device_id().unwrap();
        house.platform.enter(&own, THREE, 9);
        assert_eq!(door(id), Some(id));
        attach(&house, &first, ONE, "s1");
        assert_eq!((door(id), displaced.0.lock().clone()), (first.device_id(), vec![id]));
        house.platform.enter(&own, THREE, 9);
        assert_eq!(door(id), Some(id), "it came back itself");
        assert_eq!(displaced.0.lock().len(), 1);
        house.platform.leave(&own, THREE, 10);
        assert_eq!(door(id), None);
        assert!(
            !house.platform.enter(&first, ONE, 11).devices.contains(&id),
            "it was taken from the gateway"
        );
    }

    #[test]
    fn a_gateway_that_comes_back_has_its_devices_even_after_a_restart() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let [kept, sent_away] = ["kept", "sent away"].map(|it| attach(&house, &gateway, ONE, it));
        house.platform.detach(&gateway, ONE, "sent away", 6);
        house.platform.leave(&gateway, ONE, 7);
        assert_eq!(house.platform.door(house.org, kept), None);
        assert_eq!(house.platform.activity(house.org, kept).disconnected_ms, 7);
        let entered = house.platform.enter(&gateway, TWO, 8).devices;
        assert_eq!(entered, [kept, gateway.device_id().unwrap()]);
        assert_eq!(house.platform.door(house.org, kept), gateway.device_id());
        assert_eq!(house.platform.door(house.org, sent_away), None);
        house.flush();
        let again = house.reopened();
        assert_eq!(again.platform.door(again.org, kept), None);
        assert_eq!(again.platform.last_gateway(again.org, sent_away), gateway.device_id());
        assert_eq!(again.platform.enter(&gateway, THREE, 9).devices, [kept, gateway.device_id().unwrap()]);
    }

    #[test]
    fn a_gateway_that_is_removed_leaves_no_doors_behind() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let device = attach(&house, &gateway, ONE, "a");
        let own = DeviceName { device_type: "gateway", name: "g1" };
        house.platform.drop_device(house.org, own).unwrap();
        assert_eq!(house.platform.door(house.org, device), None);
        let other = house.gateway("g2");
        attach(&house, &other, TWO, "a");
        house.platform.leave(&gateway, ONE, 9);
        assert_eq!(house.platform.door(house.org, device), other.device_id());
    }

    #[test]
    fn the_last_gateway_of_a_removed_device_is_told_and_nobody_else() {
        let house = House::new();
        let gone = Arc::new(Gone::default());
        house.platform.set_courier(gone.clone());
        let (first, second) = (house.gateway("g1"), house.gateway("g2"));
        attach(&house, &first, ONE, "a");
        attach(&house, &second, TWO, "a");
        attach(&house, &first, ONE, "b");
        house.device("sensor", "alone");
        house.platform.leave(&first, ONE, 9);
        for (device_type, name) in [(DEFAULT_TYPE, "a"), (DEFAULT_TYPE, "b"), ("sensor", "alone")] {
            house.platform.drop_device(house.org, DeviceName { device_type, name }).unwrap();
        }
        let [first, second] = [first, second].map(|it| it.device_id().unwrap());
        assert_eq!(*gone.0.lock(), [(second, "a".to_owned()), (first, "b".to_owned())]);
    }

    #[test]
    fn of_twenty_gateways_that_name_a_new_device_at_once_one_makes_it() {
        let house = House::new();
        let gateways: Vec<_> = (0..20).map(|it| house.gateway(&format!("g{it}"))).collect();
        let attach = |(at, gateway): (usize, &Peer)| {
            let connection = ConnectionId(at as u64 + 1);
            match house.platform.attach(gateway, connection, "x", None, 5) {
                Attached::Yes { device, .. } => device.id,
                other => panic!("{other:?}"),
            }
        };
        let ids = std::thread::scope(|scope| {
            let threads: Vec<_> =
                gateways.iter().enumerate().map(|it| scope.spawn(move || attach(it))).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(ids.iter().all(|it| *it == ids[0]), "{ids:?}");
    }
}
