//! The devices whose door this connection is, in a dialect that has doors: itself, and those that a gateway names.
//!
//! The platform decides who is whose door; what is kept here is for finding a device by the name in a payload without
//! asking again. It is good as long as nothing was removed (the registry's generation) and nobody else has become the
//! door, which the door itself tells.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use domain::{Class, Device, DeviceId, Millis, Refusal, Whose};
use mqtt::packet::Packet;
use platform::{Attached, ConnectionId, Door, Metered, Platform, Receipt};
use store::Ticket;

use super::Connection;
use super::batch::Batch;
use super::packages::Fetching;
use crate::hub::subscriber::Waiting;
use crate::limits;

/// A device whose door this connection is.
pub(super) struct Resident {
    pub(super) device: Arc<Device>,
    door: Arc<Door>,
    /// The registry's generation when it was found.
    generation: u64,
}

/// The devices of a connection.
pub(super) struct Household {
    pub(super) connection: ConnectionId,
    own: Rc<Resident>,
    children: HashMap<Box<str>, Rc<Resident>>,
    /// Commands that the client has been sent and not acknowledged, by packet id.
    sent: HashMap<u16, Box<Receipt>>,
    /// The receipt of what is being handed to the session.
    in_hand: Option<Box<Receipt>>,
    /// Where traffic is counted, if any is bounded.
    pub(super) metered: Option<Metered>,
    /// How packages are fetched, if any ever was.
    pub(super) fetching: Option<Box<Fetching>>,
    /// What events of these devices are called: name and format.
    pub(super) event: (Arc<str>, Arc<str>),
}

/// What became of a device that a payload names.
pub(super) enum Found {
    /// With whether the platform was asked: whatever is acknowledged has to wait for it.
    Resident(Rc<Resident>, Asked),
    /// Every registration slot is taken: ask again at this ticket.
    Wait(Ticket),
    Refused(Refusal),
}

/// Whether the platform was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Yes,
    No,
}

impl Household {
    /// The household of a device or gateway that has just connected, and the devices in it.
    fn enter(
        platform: &Platform,
        peer: &domain::Peer,
        connection: ConnectionId,
        generation: u64,
        now_ms: Millis,
    ) -> Option<(Household, Vec<DeviceId>)> {
        let device = platform.device_by_id(peer.org(), peer.device_id()?)?;
        let entered = platform.enter(peer, connection, now_ms);
        let metered = platform.metered(peer.org(), device.id, now_ms);
        let own = Rc::new(Resident { device, door: entered.door, generation });
        let event = (dialects::thingsboard::TELEMETRY.into(), "json".into());
        let household = Household {
            connection,
            own,
            children: HashMap::new(),
            sent: HashMap::new(),
            in_hand: None,
            metered,
            fetching: None,
            event,
        };
        Some((household, entered.devices))
    }

    /// The device itself may have been renamed.
    fn look_again(&mut self, platform: &Platform, generation: u64) {
        if self.own.generation == generation {
            return;
        }
        if let Some(device) = platform.device_by_id(self.own.device.org, self.own.device.id) {
            self.own = Rc::new(Resident { device, door: self.own.door.clone(), generation });
        }
    }

    /// Whether it is the connection's own device, and not one behind it.
    pub(super) fn is_own(&self, of: &Rc<Resident>) -> bool {
        self.own.device.id == of.device.id
    }
}

impl Connection {
    /// Becomes the door of the client's device and, for a gateway, of those that were behind it.
    pub(super) fn move_in(&mut self) {
        let is_door = self.peer.device_id().and_then(|it| self.dialect.door_key(it)).is_some();
        if !is_door || self.closing.is_some() {
            return;
        }
        let hub = self.worker.hub.clone();
        let connection = ConnectionId(hub.next_serial());
        let entered =
            Household::enter(&hub.platform, &self.peer, connection, self.registry.get(), self.wall_ms());
        let Some((household, devices)) = entered else { return };
        if self.dialect.keeps_record() {
            household.own.door.keep_record();
        }
        self.household = Some(Box::new(household));
        for device in devices {
            hub.platform.deliver_waiting(self.peer.org(), device, self.wall_ms());
        }
    }

    /// Something has come from the client. A gateway is active then, whatever it is; other devices when they say
    /// something of themselves (spec thingsboard 9).
    pub(super) fn note_activity(&self) {
        if let Some(household) = self.household.as_ref().filter(|it| it.own.device.class == Class::Gateway) {
            household.own.door.hears(household.connection, self.wall_ms());
        }
    }

    /// The device that a payload speaks of; for a gateway's child, this connection is its door from here on.
    pub(super) fn resident(&mut self, whose: Whose<'_>, device_type: Option<&str>) -> Option<Found> {
        let now_ms = self.wall_ms();
        let generation = self.registry.get();
        let household = self.household.as_deref_mut()?;
        let name = match whose {
            Whose::Own => {
                household.look_again(&self.worker.hub.platform, generation);
                household.own.door.hears(household.connection, now_ms);
                return Some(Found::Resident(household.own.clone(), Asked::No));
            }
            Whose::Child(name) => name,
        };
        if let Some(known) = household.children.get(name)
            && known.generation == generation
            && known.door.hears(household.connection, now_ms)
        {
            return Some(Found::Resident(known.clone(), Asked::No));
        }
        let platform = self.worker.hub.platform.clone();
        let connection = household.connection;
        Some(match platform.attach(&self.peer, connection, name, device_type, now_ms) {
            Attached::Wait(ticket) => Found::Wait(ticket),
            Attached::Refused(refusal) => Found::Refused(refusal),
            Attached::Yes { device, door, is_new } => {
                let id = device.id;
                let resident = Rc::new(Resident { device, door, generation });
                if household.children.len() >= limits::CHILDREN_CACHE_COUNT_MAX {
                    household.children.clear();
                }
                household.children.insert(name.into(), resident.clone());
                if is_new {
                    platform.deliver_waiting(self.peer.org(), id, now_ms);
                }
                Found::Resident(resident, Asked::Yes)
            }
        })
    }

    /// What waits for this connection's own device can be delivered, now that it has subscribed to something.
    pub(super) fn deliver_waiting(&self) {
        if let Some(household) = &self.household {
            let own = household.own.device.id;
            self.worker.hub.platform.deliver_waiting(self.peer.org(), own, self.wall_ms());
        }
    }

    /// Hands a message to the session; its receipt is kept until the client acknowledges it.
    pub(super) fn deliver_with_receipt(
        &mut self,
        waiting: &Waiting,
        receipt: Option<Box<Receipt>>,
        batch: &mut Batch,
    ) {
        let has_receipt = receipt.is_some();
        if let (true, Some(household)) = (has_receipt, &mut self.household) {
            household.in_hand = receipt;
        }
        self.deliver(waiting, batch);
        if let (true, Some(household)) = (has_receipt, &mut self.household) {
            // It was left out: the command waits again.
            household.in_hand = None;
        }
    }

    /// A message goes out under this packet id.
    pub(super) fn note_sent(&mut self, packet_id: u16) {
        if let Some(household) = &mut self.household
            && let Some(receipt) = household.in_hand.take()
        {
            household.sent.insert(packet_id, receipt);
        }
    }

    /// A packet came: the client may have something now.
    pub(super) fn note_received(&mut self, packet: &Packet<'_>) {
        let Some(household) = self.household.as_deref_mut().filter(|it| !it.sent.is_empty()) else { return };
        if let Packet::PubAck(ack) | Packet::PubRec(ack) = packet
            && let Some(receipt) = household.sent.remove(&ack.packet_id)
        {
            let device = receipt.device();
            receipt.delivered();
            self.worker.hub.platform.deliver_next(self.peer.org(), device, self.wall_ms());
        }
    }

    /// This connection is nobody's door any more.
    pub(super) fn leave_doors(&mut self) {
        if let Some(household) = &mut self.household {
            // What is not acknowledged by now waits for the next connection.
            household.sent.clear();
            let now_ms = self.worker.hub.clock.wall_ms();
            self.worker.hub.platform.leave(&self.peer, household.connection, now_ms);
        }
    }
}
