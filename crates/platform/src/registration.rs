//! Who may speak for whom, and the registration of devices by the gateway that speaks for them (spec watson 2.7).
//!
//! A registration is decided in memory and visible at once; its commit is handed over before, so an event of the new
//! device always has a later ticket than the device. At most 128 registrations of an organisation (by default) are not
//! stored yet at a time; further ones wait for their turn.

use std::sync::Arc;

use domain::{Class, Code, Device, DeviceId, DeviceName, Millis, Peer, Refusal, Registrar};
use store::Ticket;

use crate::devices::{NewDevice, check_name};
use crate::registry::{OrgState, Platform};

/// Whether a peer may speak for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may: the device is registered.
    Known(DeviceId),
    /// It may: the device has just been registered for it.
    Registered(DeviceId),
    /// The device is not registered, and this peer or request registers none. An application's message goes through
    /// all the same (spec watson 3.2); nobody keeps it.
    Unknown,
    /// All registration slots are taken: ask again, with the same arguments, when this ticket is stored.
    Wait(Ticket),
    /// It may not; a gateway is notified.
    Refused(Refusal),
    /// Its registration failed a moment ago: drop silently, acknowledge.
    Discard,
}

/// Counters of the registrations by gateways in one organisation; all but `pending` grow from 0 at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegistrationStats {
    /// Registrations that are not stored yet.
    pub pending: u64,
    /// The most that were ever pending.
    pub pending_max_seen: u64,
    /// How often a request was told to wait.
    pub waited: u64,
    /// Registrations done.
    pub registered: u64,
    /// Registrations refused.
    pub failed: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pending_max_seen: u64,
    waited: u64,
    registered: u64,
    failed: u64,
}

impl Platform {
    /// Decides whether `peer` may speak for the device `name`, now. With `registers`, a gateway registers a device that
    /// nobody registered; without, that is [`Verdict::Unknown`].
    pub fn speak_for(&self, peer: &Peer, name: DeviceName<'_>, registers: bool, now_ms: Millis) -> Verdict {
        let Some(cell) = self.cell(peer.org()) else {
            let hint = format!("There is no organisation {}.", peer.org());
            return Verdict::Refused(Refusal::new(Code::OrgUnknown, hint));
        };
        let (gateway, client_id) = {
            let state = cell.state.read();
            match (state.verdict(peer, name), peer) {
                (Verdict::Unknown, Peer::Device { id, client_id, .. }) if registers => {
                    if state.back_off.holds(name, now_ms) {
                        return Verdict::Discard;
                    }
                    (*id, client_id)
                }
                (verdict, _) => return verdict,
            }
        };
        let mut state = cell.state.write();
        // Somebody else may have registered it, and anything may have happened to the gateway, since the first look.
        match state.verdict(peer, name) {
            Verdict::Unknown => self.auto_register(&mut state, gateway, client_id, name, now_ms),
            verdict => verdict,
        }
    }

    fn auto_register(
        &self,
        state: &mut OrgState,
        gateway: DeviceId,
        client_id: &str,
        name: DeviceName<'_>,
        now_ms: Millis,
    ) -> Verdict {
        if let Err(refusal) = state.check_auto(gateway, name) {
            state.counters.failed += 1;
            if self.registration_back_off_ms > 0 {
                let until_ms = now_ms + self.registration_back_off_ms;
                state.back_off.note(name, refusal.code, now_ms, until_ms);
            }
            return Verdict::Refused(refusal);
        }
        let registrar = Registrar::Gateway(client_id.to_owned());
        let draft =
            NewDevice { gateway: Some(gateway), ..NewDevice::named(name.device_type, name.name, registrar) };
        match self.take_turn(state, gateway, draft, now_ms) {
            Ok(device) => Verdict::Registered(device.id),
            Err(verdict) => verdict,
        }
    }

    /// Registers a device under a name that is free in the organisation, for a gateway that speaks for it; its type is
    /// made if nobody knows it. `Err` with [`Verdict::Wait`] or [`Verdict::Refused`].
    pub(crate) fn register_in_turn(
        &self,
        state: &mut OrgState,
        gateway: DeviceId,
        draft: NewDevice,
        now_ms: Millis,
    ) -> Result<Arc<Device>, Verdict> {
        let checked = check_name(Code::NameInvalid, "device", &draft.name)
            .and_then(|()| check_name(Code::TypeInvalid, "device type", &draft.device_type))
            .and_then(|()| state.check_room())
            .and_then(|()| state.check_gateway_room(gateway));
        if let Err(refusal) = checked {
            state.counters.failed += 1;
            return Err(Verdict::Refused(refusal));
        }
        self.take_turn(state, gateway, draft, now_ms)
    }

    /// Registers a device that has been checked, when it is the gateway's turn.
    fn take_turn(
        &self,
        state: &mut OrgState,
        gateway: DeviceId,
        draft: NewDevice,
        now_ms: Millis,
    ) -> Result<Arc<Device>, Verdict> {
        if let Err(fault) = self.store.health() {
            // Our own failure: not the device's, so nothing is held against it.
            state.counters.failed += 1;
            return Err(Verdict::Refused(Refusal::new(Code::CreateFailed, fault.to_string())));
        }
        let pending_count_max = self.registrations_pending_count_max;
        if let Err(ticket) = state.slots.ask(gateway, pending_count_max, self.store.stored(), now_ms) {
            state.counters.waited += 1;
            return Err(Verdict::Wait(ticket));
        }
        // Nobody sees this token: whoever wants the device to connect by itself gives it a new one.
        let token = self.credentials.token();
        let made = self
            .make_type_of(state, &draft.device_type, now_ms)
            .and_then(|()| self.create(state, draft, &token, now_ms));
        match made {
            Ok((device, ticket)) => {
                state.slots.take(gateway, ticket);
                let pending = state.slots.pending(self.store.stored()) as u64;
                state.counters.pending_max_seen = state.counters.pending_max_seen.max(pending);
                state.counters.registered += 1;
                Ok(device)
            }
            Err(refusal) => {
                state.counters.failed += 1;
                Err(Verdict::Refused(refusal))
            }
        }
    }

    /// Counters of the registrations by gateways in an organisation.
    pub fn stats(&self, org: domain::OrgId) -> RegistrationStats {
        let Some(cell) = self.cell(org) else { return RegistrationStats::default() };
        let stored = self.store.stored();
        let state = cell.state.read();
        let Counters { pending_max_seen, waited, registered, failed } = state.counters;
        let pending = state.slots.pending(stored) as u64;
        RegistrationStats { pending, pending_max_seen, waited, registered, failed }
    }
}

impl OrgState {
    /// The verdict without registering anything.
    fn verdict(&self, peer: &Peer, name: DeviceName<'_>) -> Verdict {
        if !self.org.enabled {
            let hint = format!("The organisation {} is disabled.", self.org.id);
            return Verdict::Refused(Refusal::new(Code::OrgUnknown, hint));
        }
        if let Peer::Device { id, class, .. } = peer {
            let Some(own) = self.by_id.get(id) else {
                let hint = format!("{} has been removed.", peer.client_id());
                return Verdict::Refused(Refusal::new(Code::DeviceUnknown, hint));
            };
            if !own.enabled {
                return disabled(own);
            }
            if own.wire_name() == name {
                return Verdict::Known(own.id);
            }
            if *class == Class::Device {
                let hint = format!("The device {} may speak for itself only.", own.wire_name());
                return Verdict::Refused(Refusal::new(Code::NotAllowed, hint));
            }
        }
        match self.device(name) {
            Some(device) if device.enabled => Verdict::Known(device.id),
            Some(device) => disabled(device),
            None => Verdict::Unknown,
        }
    }

    /// Whether a gateway may register a device of this name.
    fn check_auto(&self, gateway: DeviceId, name: DeviceName<'_>) -> Result<(), Refusal> {
        self.check_new(name)?;
        if self.type_of_new(name.device_type)?.class == Class::Gateway {
            let hint = format!(
                "Devices of type {} are gateways; a gateway is registered by an application or an administrator.",
                name.device_type
            );
            return Err(Refusal::new(Code::NotAllowed, hint));
        }
        self.check_gateway_room(gateway)
    }

    /// Whether a gateway may register another device.
    fn check_gateway_room(&self, gateway: DeviceId) -> Result<(), Refusal> {
        let count_max = self.org.device_per_gateway_count_max;
        let count = self.children.get(&gateway).map_or(0, |it| it.len()) as u64;
        if count_max != 0 && count >= count_max {
            let hint = format!(
                "The gateway has registered {count} devices, as many as it may. Remove some or raise the limit."
            );
            return Err(Refusal::new(Code::GatewayFull, hint));
        }
        Ok(())
    }
}

fn disabled(device: &Device) -> Verdict {
    let hint = format!("The device {} is disabled.", device.wire_name());
    Verdict::Refused(Refusal::new(Code::DeviceDisabled, hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::limits::{REGISTRATION_BACK_OFF_MS, REGISTRATIONS_PENDING_COUNT_MAX};

    use domain::DeviceInfo;
    use store::Store;

    use super::*;
    use crate::testing::House;
    use crate::{DeviceChange, DeviceQuery, NewType, OrgChange, TypeChange};

    fn sensor(name: &str) -> DeviceName<'_> {
        DeviceName { device_type: "sensor", name }
    }

    fn refused(verdict: Verdict) -> Code {
        match verdict {
            Verdict::Refused(refusal) => refusal.code,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_gateway_registers_whom_it_speaks_for() {
        let house = House::new();
        let template = DeviceInfo { model: Some("m1".to_owned()), ..DeviceInfo::default() };
        let change =
            TypeChange { info: template.clone(), metadata: Some("{}".to_owned()), description: None };
        house.platform.update_type(house.org, "sensor", change, 2).unwrap();
        let gateway = house.gateway("g1");
        let Verdict::Registered(id) = house.platform.speak_for(&gateway, sensor("s1"), true, 3) else {
            panic!("not registered");
        };
        assert_eq!(house.platform.speak_for(&gateway, sensor("s1"), true, 4), Verdict::Known(id));
        let device = house.platform.device(house.org, sensor("s1")).unwrap();
        assert_eq!((&device.info, device.metadata.as_deref()), (&template, Some("{}")));
        assert_eq!(device.registrar, Registrar::Gateway(gateway.client_id().to_owned()));
        let own = house.platform.device_by_id(house.org, device.gateway.unwrap()).unwrap();
        assert_eq!(own.name, "g1");
        assert_eq!(house.platform.children(house.org, own.id), [device]);
        let other = house.gateway("g2");
        assert_eq!(house.platform.speak_for(&other, sensor("s1"), true, 5), Verdict::Known(id));
    }

    #[test]
    fn only_a_request_of_a_gateway_that_may_register_does() {
        let house = House::new();
        let gateway = house.gateway("g1");
        assert_eq!(house.platform.speak_for(&gateway, sensor("s1"), false, 1), Verdict::Unknown);
        let application = house.application();
        assert_eq!(house.platform.speak_for(&application, sensor("s1"), true, 1), Verdict::Unknown);
        let device = house.peer("sensor", "s2", Class::Device);
        assert_eq!(refused(house.platform.speak_for(&device, sensor("s1"), true, 1)), Code::NotAllowed);
        let own = house.platform.device(house.org, sensor("s2")).unwrap().id;
        assert_eq!(house.platform.speak_for(&device, sensor("s2"), true, 1), Verdict::Known(own));
        assert_eq!(house.platform.speak_for(&application, sensor("s2"), false, 1), Verdict::Known(own));
        assert_eq!(house.platform.device(house.org, sensor("s1")), None);
    }

    #[test]
    fn the_disabled_and_the_removed_do_not_speak_and_are_not_spoken_for() {
        let house = House::new();
        let gateway = house.gateway("g1");
        house.device("sensor", "s1");
        let off = || DeviceChange { enabled: Some(false), ..DeviceChange::default() };
        house.platform.update_device(house.org, sensor("s1"), off()).unwrap();
        let speak = |name| house.platform.speak_for(&gateway, sensor(name), true, 1);
        assert_eq!(refused(speak("s1")), Code::DeviceDisabled);
        let own = DeviceName { device_type: "gateway", name: "g1" };
        house.platform.update_device(house.org, own, off()).unwrap();
        assert_eq!(refused(speak("s2")), Code::DeviceDisabled);
        house.platform.drop_device(house.org, own).unwrap();
        assert_eq!(refused(speak("s2")), Code::DeviceUnknown);
        let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
        house.platform.update_org(house.org, change).unwrap();
        assert_eq!(refused(speak("s2")), Code::OrgUnknown);
    }

    #[test]
    fn a_failure_is_told_once_and_then_held_back() {
        let house = House::new();
        let (first, second) = (house.gateway("g1"), house.gateway("g2"));
        let name = DeviceName { device_type: "later", name: "d" };
        let speak = |peer: &Peer, now_ms| house.platform.speak_for(peer, name, true, now_ms);
        assert_eq!(refused(speak(&first, 0)), Code::TypeUnknown);
        assert_eq!(speak(&first, 1), Verdict::Discard);
        assert_eq!(speak(&second, REGISTRATION_BACK_OFF_MS - 1), Verdict::Discard, "for every gateway");
        assert_eq!(refused(speak(&first, REGISTRATION_BACK_OFF_MS)), Code::TypeUnknown);
        let draft = NewType {
            name: "later".to_owned(),
            class: Class::Device,
            description: None,
            info: DeviceInfo::default(),
            metadata: None,
        };
        house.platform.create_type(house.org, draft, 1).unwrap();
        assert!(matches!(speak(&first, REGISTRATION_BACK_OFF_MS + 1), Verdict::Registered(_)));
        let stats = house.platform.stats(house.org);
        assert_eq!((stats.failed, stats.registered), (2, 1));
    }

    #[test]
    fn limits_and_classes_are_kept_and_a_raised_limit_is_noticed() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let speak =
            |device_type, name| house.platform.speak_for(&gateway, DeviceName { device_type, name }, true, 1);
        assert_eq!(refused(speak("gateway", "g9")), Code::NotAllowed);
        let long = "x".repeat(256);
        assert_eq!(refused(speak("sensor", &long)), Code::NameInvalid);
        let limits = |per_org, per_gateway| {
            let change = OrgChange {
                device_count_max: Some(per_org),
                device_per_gateway_count_max: Some(per_gateway),
                ..OrgChange::default()
            };
            house.platform.update_org(house.org, change).unwrap();
        };
        limits(0, 1);
        assert!(matches!(speak("sensor", "s1"), Verdict::Registered(_)));
        assert_eq!(refused(speak("sensor", "s2")), Code::GatewayFull);
        assert_eq!(speak("sensor", "s2"), Verdict::Discard);
        limits(2, 0);
        assert_eq!(refused(speak("sensor", "s2")), Code::OrgFull);
        assert_eq!(speak("sensor", "s2"), Verdict::Discard);
        limits(3, 0);
        assert!(matches!(speak("sensor", "s2"), Verdict::Registered(_)));
    }

    #[test]
    fn removing_a_device_lets_it_try_again() {
        let house = House::new();
        let gateway = house.gateway("g1");
        let name = DeviceName { device_type: "missing", name: "d" };
        assert_eq!(refused(house.platform.speak_for(&gateway, name, true, 0)), Code::TypeUnknown);
        assert_eq!(house.platform.speak_for(&gateway, name, true, 1), Verdict::Discard);
        assert_eq!(house.platform.drop_device(house.org, name).unwrap_err().code, Code::NotFound);
        assert_eq!(refused(house.platform.speak_for(&gateway, name, true, 2)), Code::TypeUnknown);
    }

    #[test]
    fn a_hundred_and_twenty_eight_are_pending_and_the_rest_wait_for_their_turn() {
        let house = House::new();
        let (a, b) = (house.gateway("a"), house.gateway("b"));
        let names: Vec<String> = (0..200).map(|it| format!("s{it}")).collect();
        let hold = house.store.hold();
        let mut waiting = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match house.platform.speak_for(&a, sensor(name), true, 1) {
                Verdict::Registered(_) => assert!(at < REGISTRATIONS_PENDING_COUNT_MAX, "{at}"),
                Verdict::Wait(ticket) => waiting.push((name, ticket)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(waiting.len(), 200 - REGISTRATIONS_PENDING_COUNT_MAX);
        assert!(matches!(house.platform.speak_for(&b, sensor("b1"), true, 1), Verdict::Wait(_)));
        let stats = house.platform.stats(house.org);
        assert_eq!((stats.pending, stats.pending_max_seen, stats.waited), (128, 128, 73));
        drop(hold);
        for (name, ticket) in waiting {
            house.platform.store().wait(ticket).unwrap();
            assert!(matches!(house.speak_until_told(&a, sensor(name)), Verdict::Registered(_)));
        }
        assert!(matches!(house.speak_until_told(&b, sensor("b1")), Verdict::Registered(_)));
        assert_eq!(house.platform.count(house.org, DeviceQuery::default()), 2 + 201);
        house.flush();
        let stats = house.platform.stats(house.org);
        assert_eq!((stats.pending, stats.pending_max_seen, stats.registered), (0, 128, 201));
    }

    #[test]
    fn a_failing_store_is_our_own_fault() {
        let house = House::new();
        let gateway = house.gateway("g1");
        house.flush();
        house.store.fail_next_sync();
        let change = store::Change::PutSetting { name: "any", value: Vec::new() };
        let ticket = house.store.commit(change.into());
        house.platform.store().wait(ticket).unwrap_err();
        for _ in 0..2 {
            let verdict = house.platform.speak_for(&gateway, sensor("s1"), true, 1);
            assert_eq!(refused(verdict), Code::CreateFailed, "never acknowledged, so tried again");
        }
        assert_eq!(house.platform.device(house.org, sensor("s1")), None);
    }

    #[test]
    fn of_many_who_speak_for_a_new_device_at_once_one_registers_it() {
        let house = House::new();
        let gateways: Vec<_> = (0..4).map(|it| house.gateway(&format!("g{it}"))).collect();
        let speak = |peer| {
            let verdicts = (0..300).map(|it| house.speak_until_told(peer, sensor(&format!("s{it}"))));
            verdicts.filter(|it| matches!(it, Verdict::Registered(_))).count()
        };
        let registered = std::thread::scope(|scope| {
            let threads: Vec<_> = gateways.iter().map(|peer| scope.spawn(|| speak(peer))).collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum::<usize>()
        });
        assert_eq!(registered, 300);
        assert_eq!(house.platform.count(house.org, DeviceQuery::default()), 4 + 300);
        assert!(house.platform.stats(house.org).pending_max_seen <= REGISTRATIONS_PENDING_COUNT_MAX as u64);
    }
}
