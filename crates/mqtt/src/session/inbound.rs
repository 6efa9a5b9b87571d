//! Messages from the client: what it published and what we still owe it for that.
//!
//! At QoS 1 an acknowledgement is owed once the message is stored. At QoS 2 the packet id is held from the first
//! PUBLISH to the PUBREL, so that a repeated PUBLISH is answered but not taken twice (method A of section 4.3.3). It
//! never looks at what a message says, and never acknowledges what was not reported stored.

use std::sync::Arc;

use super::alias::Heard;
use super::{Effect, Keep, Opening, Receipt};
use crate::codec::Violation;
use crate::packet::{Ack, Packet, Publish};
use crate::{QoS, Reason, Version};

const RECEIVE_MAXIMUM: Violation = Violation::new(
    Reason::RECEIVE_MAXIMUM_EXCEEDED,
    "5.0 § 3.3.4",
    "a client has more messages under way than the receive maximum allows",
);

/// What was received and not yet finished.
#[derive(Debug)]
pub(super) struct Inbound {
    /// Sorted by packet id. An id takes part once, so there are at most 65,535.
    held: Vec<Held>,
    /// Answers that wait for a report of the owner.
    owed_count: u32,
    /// Messages above QoS 0 that this connection began and nobody has finished.
    open_count: u32,
    open_count_max: u32,
    aliases: Heard,
    is_durable: bool,
    tells_releases: bool,
    version: Version,
}

/// A packet id of a QoS 2 message between its first PUBLISH and the end of its PUBREL.
#[derive(Clone, Copy, Debug)]
struct Held {
    packet_id: u16,
    phase: Phase,
    /// It was (also) published on this connection and so counts as open; a restored one does not.
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The message is with the owner; PUBREC is owed.
    Storing,
    /// PUBREC went out; PUBREL is next.
    Received,
    /// PUBREL came and is being stored; PUBCOMP is owed.
    Completing,
}

impl Inbound {
    pub(super) fn new(opening: &Opening) -> Self {
        let held = |packet_id: &u16| Held { packet_id: *packet_id, phase: Phase::Received, is_open: false };
        let received = opening.durable.as_ref().map(|it| &*it.received).unwrap_or_default();
        let mut held: Vec<Held> = received.iter().map(held).collect();
        held.sort_unstable_by_key(|it| it.packet_id);
        held.dedup_by_key(|it| it.packet_id);
        // Before 5.0 there is no receive maximum that a client could exceed.
        let is_v5 = opening.version == Version::V5;
        let open_count_max = if is_v5 { u32::from(opening.receive_count_max) } else { u32::MAX };
        Inbound {
            held,
            owed_count: 0,
            open_count: 0,
            open_count_max,
            aliases: Heard::new(opening.topic_alias_count_max),
            is_durable: opening.durable.is_some(),
            tells_releases: opening.tells_releases,
            version: opening.version,
        }
    }

    /// Messages and releases that wait for a report of the owner.
    pub(super) fn owed_count(&self) -> usize {
        self.owed_count as usize
    }

    /// Gives back the memory of a busier time.
    pub(super) fn rest(&mut self) {
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// The topic that a PUBLISH names by its alias.
    pub(super) fn aliased_topic(&self, publish: &Publish<'_>) -> Option<Arc<str>> {
        self.aliases.topic(publish)
    }

    /// PUBLISH.
    pub(super) fn on_publish<'a>(
        &mut self,
        publish: Publish<'a>,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<(), Violation> {
        if !publish.properties.is_empty() {
            self.aliases.take(&publish)?;
        }
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => {
                self.open()?;
                self.owed_count += 1;
            }
            QoS::ExactlyOnce => return self.on_publish_exactly_once(publish, effects),
        }
        effects.push(Effect::Publish(publish));
        Ok(())
    }

    fn on_publish_exactly_once<'a>(
        &mut self,
        publish: Publish<'a>,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<(), Violation> {
        let packet_id = publish.packet_id;
        let found = self.find(packet_id);
        let known = found.ok().and_then(|at| self.held.get(at)).copied();
        if !known.is_some_and(|it| it.is_open) {
            self.open()?;
        }
        let phase = match known.map(|it| it.phase) {
            // The answer to the first one is the answer to this one.
            Some(Phase::Storing) => return Ok(()),
            Some(Phase::Received) => {
                effects.push(Effect::Send(Packet::PubRec(Ack::success(packet_id))));
                Phase::Received
            }
            // After its PUBREL an id stands for a new message, although the client should have waited for PUBCOMP.
            Some(Phase::Completing) | None => {
                self.owed_count += 1;
                effects.push(Effect::Publish(publish));
                self.keep(Keep::Receive { packet_id }, None, effects);
                Phase::Storing
            }
        };
        let held = Held { packet_id, phase, is_open: true };
        match found {
            Ok(at) => self.held[at] = held,
            Err(at) => self.held.insert(at, held),
        }
        Ok(())
    }

    /// The message is on disk (or wherever its quality asks it to be).
    pub(super) fn on_stored(&mut self, packet_id: u16, qos: QoS, effects: &mut Vec<Effect<'_>>) {
        self.answer(Ack::success(packet_id), qos, effects);
    }

    /// The message was refused. At QoS 2 an error ends the flow in 5.0 [MQTT-4.3.3-9 of 5.0]; an older client sends
    /// PUBREL after the plain PUBREC and finds the id unknown, which is answered as it expects.
    pub(super) fn on_refused<'a>(&mut self, refusal: Ack<'a>, qos: QoS, effects: &mut Vec<Effect<'a>>) {
        let packet_id = refusal.packet_id;
        if qos == QoS::ExactlyOnce && refusal.reason.is_error() {
            self.forget(packet_id);
            self.keep(Keep::ReceiveDone { packet_id }, None, effects);
        }
        let is_v5 = self.version == Version::V5;
        self.answer(if is_v5 { refusal } else { Ack::success(packet_id) }, qos, effects);
    }

    fn answer<'a>(&mut self, ack: Ack<'a>, qos: QoS, effects: &mut Vec<Effect<'a>>) {
        let packet = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => {
                self.open_count = self.open_count.saturating_sub(1);
                Packet::PubAck(ack)
            }
            QoS::ExactlyOnce => {
                if let Some(held) = self.held_mut(ack.packet_id).filter(|it| it.phase == Phase::Storing) {
                    held.phase = Phase::Received;
                }
                Packet::PubRec(ack)
            }
        };
        self.owed_count = self.owed_count.saturating_sub(1);
        effects.push(Effect::Send(packet));
    }

    /// PUBREL. A durable session answers once it is stored that the id is free: were PUBCOMP to go first and the power
    /// to fail, the client would use the id again and we would take its next message for a repetition.
    pub(super) fn on_release(&mut self, release: &Ack<'_>, effects: &mut Vec<Effect<'_>>) {
        let packet_id = release.packet_id;
        match self.held_mut(packet_id) {
            None => {
                let reason = match self.version {
                    Version::V5 => Reason::PACKET_IDENTIFIER_NOT_FOUND,
                    Version::V31 | Version::V311 => Reason::SUCCESS,
                };
                effects.push(Effect::Send(Packet::PubComp(Ack::with(packet_id, reason))));
            }
            Some(held) if held.phase == Phase::Completing => {}
            Some(held) => {
                held.phase = Phase::Completing;
                self.owed_count += 1;
                if self.tells_releases {
                    effects.push(Effect::Release { packet_id });
                    self.keep(Keep::ReceiveDone { packet_id }, None, effects);
                } else if self.is_durable {
                    let receipt = Receipt::Complete { packet_id };
                    self.keep(Keep::ReceiveDone { packet_id }, Some(receipt), effects);
                } else {
                    self.on_completed(packet_id, effects);
                }
            }
        }
    }

    /// It is stored that the id is free.
    pub(super) fn on_completed(&mut self, packet_id: u16, effects: &mut Vec<Effect<'_>>) {
        self.owed_count = self.owed_count.saturating_sub(1);
        if self.held_mut(packet_id).is_some_and(|it| it.phase == Phase::Completing) {
            self.forget(packet_id);
        }
        effects.push(Effect::Send(Packet::PubComp(Ack::success(packet_id))));
    }

    /// Counts a message against the receive maximum that we announced (5.0 section 3.3.4).
    fn open(&mut self) -> Result<(), Violation> {
        if self.open_count >= self.open_count_max {
            return Err(RECEIVE_MAXIMUM);
        }
        self.open_count += 1;
        Ok(())
    }

    fn forget(&mut self, packet_id: u16) {
        if let Ok(at) = self.find(packet_id) {
            let held = self.held.remove(at);
            self.open_count = self.open_count.saturating_sub(u32::from(held.is_open));
        }
    }

    fn keep(&self, what: Keep, receipt: Option<Receipt>, effects: &mut Vec<Effect<'_>>) {
        if self.is_durable {
            effects.push(Effect::Keep { what, receipt });
        }
    }

    fn find(&self, packet_id: u16) -> Result<usize, usize> {
        self.held.binary_search_by_key(&packet_id, |it| it.packet_id)
    }

    fn held_mut(&mut self, packet_id: u16) -> Option<&mut Held> {
        let at = self.find(packet_id).ok()?;
        self.held.get_mut(at)
    }
}
