//! Who may speak for whom, and the registration of devices by the gateway that speaks for them (spec watson 2.7).
//!
//! A registration is decided in memory and visible at once; its commit is handed over before, so an event of the new
//! device always has a later ticket than the device. At most 128 registrations of an organisation are not stored yet
//! at a time; further ones wait for their turn.

use std::sync::Arc;

use domain::{Class, Code, Device, DeviceId, DeviceInfo, DeviceName, Millis, Peer, Refusal, Registrar};
use store::Ticket;

use crate::devices::NewDevice;
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
        if let Err(ticket) = state.slots.ask(gateway, self.store.stored(), now_ms) {
            state.counters.waited += 1;
            return Verdict::Wait(ticket);
        }
        match self.create_for_gateway(state, gateway, client_id, name, now_ms) {
            Ok((device, ticket)) => {
                state.slots.take(ticket);
                let pending = state.slots.pending(self.store.stored()) as u64;
                state.counters.pending_max_seen = state.counters.pending_max_seen.max(pending);
                state.counters.registered += 1;
                Verdict::Registered(device.id)
            }
            Err(refusal) => {
                state.counters.failed += 1;
                Verdict::Refused(refusal)
            }
        }
    }

    fn create_for_gateway(
        &self,
        state: &mut OrgState,
        gateway: DeviceId,
        client_id: &str,
        name: DeviceName<'_>,
        now_ms: Millis,
    ) -> Result<(Arc<Device>, Ticket), Refusal> {
        if let Err(fault) = self.store.health() {
            return Err(Refusal::new(Code::CreateFailed, fault.to_string()));
        }
        let draft = NewDevice {
            device_type: name.device_type.to_owned(),
            name: name.name.to_owned(),
            token: None,
            info: DeviceInfo::default(),
            metadata: None,
            location: None,
            gateway: Some(gateway),
            registrar: Registrar::Gateway(client_id.to_owned()),
        };
        // Nobody sees this token: whoever wants the device to connect by itself gives it a new one.
        self.create(state, draft, &self.credentials.token(), now_ms)
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
