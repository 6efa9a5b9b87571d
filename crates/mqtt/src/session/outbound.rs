//! Messages to the client: the window of what was sent and not yet finished.
//!
//! A durable session's messages have a place in its stored queue, and the packet id follows from the place, so that a
//! message keeps its id over any crash without the id being stored. A session that is not durable counts places of its
//! own. Slots stand in the order of their places, which is the order of sending [MQTT-4.6.0-6]; acknowledgements nearly
//! always come in that order too, so looking from the front finds them at once. It never keeps a message: what has to
//! be sent again comes from the stored queue again.

use std::collections::VecDeque;

use super::alias::Told;
use super::{Delivery, Effect, Keep, Opening, Receipt};
use crate::codec::publish_bytes;
use crate::packet::{Ack, Packet, PublishParts};
use crate::{QoS, Reason, Version};

/// How many packet ids there are: 1 to 65,535 (section 2.3.1).
const PACKET_ID_COUNT: u64 = 65_535;

/// What a topic alias costs; a topic as short as that needs none.
const ALIAS_BYTES: usize = 3;

/// What was sent and not yet finished.
#[derive(Debug)]
pub(super) struct Outbound {
    window: VecDeque<Slot>,
    /// The place of the last message sent on this connection, 0 before the first.
    last_place: u64,
    /// The last place that was ever sent, over all connections of a durable session.
    sent_place: u64,
    window_count_max: u16,
    /// What the client's maximum packet size leaves to us.
    packet_bytes_max: u32,
    aliases: Told,
    is_durable: bool,
    version: Version,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    place: u64,
    packet_id: u16,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// QoS 1 was sent; PUBACK is next.
    Acknowledge,
    /// QoS 2 was sent; PUBREC is next.
    Receive,
    /// PUBREC came and is being stored; we owe PUBREL.
    Storing,
    /// PUBREL was sent; PUBCOMP is next.
    Complete,
    /// The flow is over, and it is being stored that the message left the queue.
    Dequeue,
}

impl Outbound {
    pub(super) fn new(opening: &Opening) -> Self {
        Outbound {
            window: VecDeque::new(),
            last_place: 0,
            sent_place: opening.durable.as_ref().map_or(0, |it| it.sent_place),
            window_count_max: opening.inflight_count_max,
            packet_bytes_max: opening.terms.packet_bytes_max,
            aliases: Told::new(opening.terms.topic_alias_count_max),
            is_durable: opening.durable.is_some(),
            version: opening.version,
        }
    }

    /// How many more messages above QoS 0 may be sent now.
    pub(super) fn room(&self) -> usize {
        let free = usize::from(self.window_count_max).saturating_sub(self.window.len());
        let span = self.place_max().saturating_sub(self.last_place);
        usize::try_from(span).map_or(free, |span| free.min(span))
    }

    /// The highest place that may be sent now. From the oldest unfinished one on each packet id is used once.
    pub(super) fn place_max(&self) -> u64 {
        match self.window.front() {
            Some(oldest) if self.is_durable => oldest.place.saturating_add(PACKET_ID_COUNT - 1),
            _ => u64::MAX,
        }
    }

    /// Whether nothing is unfinished.
    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Gives back the memory of a busier time.
    pub(super) fn rest(&mut self) {
        if self.window.is_empty() {
            self.window = VecDeque::new();
        }
    }

    /// A message for the client.
    pub(super) fn deliver<'a>(&mut self, delivery: &Delivery<'a>, effects: &mut Vec<Effect<'a>>) {
        if delivery.qos == QoS::AtMostOnce {
            return self.deliver_at_most_once(delivery, effects);
        }
        let Some(place) = self.next_place(delivery.place) else { return };
        let packet_id = packet_id_of(place);
        let is_new = place > self.sent_place;
        let (phase, effect) = match delivery.qos {
            _ if delivery.released => {
                (Phase::Complete, Effect::Send(Packet::PubRel(Ack::success(packet_id))))
            }
            qos => {
                let parts = parts_of(delivery, packet_id, delivery.again || !is_new);
                let is_twice = qos == QoS::ExactlyOnce;
                (if is_twice { Phase::Receive } else { Phase::Acknowledge }, self.fitting(parts))
            }
        };
        self.last_place = place;
        if let Effect::TooLarge { .. } = effect {
            if self.is_durable {
                effects.push(Effect::Keep { what: Keep::Dequeue { place }, receipt: None });
            }
            effects.push(effect);
            return;
        }
        self.window.push_back(Slot { place, packet_id, phase });
        if is_new && self.is_durable {
            self.sent_place = place;
            effects.push(Effect::Keep { what: Keep::Sent { place }, receipt: None });
        }
        effects.push(effect);
    }

    /// A message that nobody answers: one from the stored queue has left it when it is sent.
    fn deliver_at_most_once<'a>(&mut self, delivery: &Delivery<'a>, effects: &mut Vec<Effect<'a>>) {
        if self.is_durable && delivery.place.is_some() {
            let Some(place) = self.next_place(delivery.place) else { return };
            self.last_place = place;
            effects.push(Effect::Keep { what: Keep::Dequeue { place }, receipt: None });
        }
        effects.push(self.fitting(parts_of(delivery, 0, false)));
    }

    /// The delivery of a message, with a topic alias where there is one to be had; or, where the client takes no packet
    /// as large, that it was left out [MQTT-3.1.2-25 of 5.0].
    fn fitting<'a>(&mut self, mut parts: PublishParts<'a>) -> Effect<'a> {
        if self.version != Version::V5 {
            return Effect::Deliver(parts);
        }
        let [topic, _] = parts.topic;
        if let Some(alias) = self.aliases.known(topic) {
            parts = PublishParts { alias, topic: ["", ""], ..parts };
        }
        let bytes = publish_bytes(Version::V5, &parts);
        if bytes > self.packet_bytes_max as usize {
            return Effect::TooLarge { bytes };
        }
        if let Some(alias) = self.aliases.free().filter(|_| parts.alias == 0 && topic.len() > ALIAS_BYTES) {
            let named = PublishParts { alias, ..parts };
            if publish_bytes(Version::V5, &named) <= self.packet_bytes_max as usize {
                self.aliases.tell(topic);
                parts = named;
            }
        }
        Effect::Deliver(parts)
    }

    /// The place of the next message, or nothing if it must not be sent: a place that was sent on this connection
    /// already, or one whose packet id is still in use.
    fn next_place(&self, stored: Option<u64>) -> Option<u64> {
        if self.is_durable {
            return stored.filter(|place| *place > self.last_place && *place <= self.place_max());
        }
        let oldest = self.window.front().map_or(u64::MAX, |slot| slot.place);
        (self.last_place + 1..).take(self.window.len() + 1).find(|place| {
            // Only a client that leaves an old message unanswered makes us look at the others.
            place.saturating_sub(oldest) < PACKET_ID_COUNT || self.find(packet_id_of(*place)).is_none()
        })
    }

    /// PUBACK. One that we do not wait for is ignored: it may answer an earlier connection.
    pub(super) fn on_acknowledged(&mut self, acknowledgement: &Ack<'_>, effects: &mut Vec<Effect<'_>>) {
        self.finish(acknowledgement.packet_id, Phase::Acknowledge, effects);
    }

    /// PUBREC. PUBREL goes out once it is stored that the message arrived, so that it is not sent again after a crash.
    pub(super) fn on_received(&mut self, received: &Ack<'_>, effects: &mut Vec<Effect<'_>>) {
        let packet_id = received.packet_id;
        let slot = self.find(packet_id).and_then(|at| self.window.get_mut(at));
        match slot {
            Some(slot) if slot.phase == Phase::Receive => {
                if received.reason.is_error() {
                    self.finish(packet_id, Phase::Receive, effects); // the client wants no more of it
                    return;
                }
                slot.phase = Phase::Storing;
                if self.is_durable {
                    let what = Keep::Release { place: slot.place };
                    effects.push(Effect::Keep { what, receipt: Some(Receipt::Release { packet_id }) });
                } else {
                    self.on_release_stored(packet_id, effects);
                }
            }
            Some(slot) if slot.phase == Phase::Storing => {}
            Some(slot) if slot.phase == Phase::Complete => {
                effects.push(Effect::Send(Packet::PubRel(Ack::success(packet_id))));
            }
            // Unknown to us: let the client finish.
            Some(_) | None if received.reason.is_error() => {}
            Some(_) | None => {
                let reason = match self.version {
                    Version::V5 => Reason::PACKET_IDENTIFIER_NOT_FOUND,
                    Version::V31 | Version::V311 => Reason::SUCCESS,
                };
                effects.push(Effect::Send(Packet::PubRel(Ack::with(packet_id, reason))));
            }
        }
    }

    /// It is stored that PUBREC came.
    pub(super) fn on_release_stored(&mut self, packet_id: u16, effects: &mut Vec<Effect<'_>>) {
        let slot = self.find(packet_id).and_then(|at| self.window.get_mut(at));
        if let Some(slot) = slot.filter(|slot| slot.phase == Phase::Storing) {
            slot.phase = Phase::Complete;
            effects.push(Effect::Send(Packet::PubRel(Ack::success(packet_id))));
        }
    }

    /// PUBCOMP. One that we do not wait for is ignored.
    pub(super) fn on_completed(&mut self, completed: &Ack<'_>, effects: &mut Vec<Effect<'_>>) {
        self.finish(completed.packet_id, Phase::Complete, effects);
    }

    /// Ends the flow of a message if it is in that phase.
    ///
    /// At QoS 2 a durable session uses the packet id again only once it is stored that the message left the queue. Were
    /// it still there after a crash, its PUBREL would make the client forget what else it has received under that id.
    fn finish(&mut self, packet_id: u16, phase: Phase, effects: &mut Vec<Effect<'_>>) {
        let Some(at) = self.find(packet_id) else { return };
        let Some(slot) = self.window.get_mut(at).filter(|slot| slot.phase == phase) else { return };
        let place = slot.place;
        let is_freed_later = self.is_durable && phase != Phase::Acknowledge;
        if is_freed_later {
            slot.phase = Phase::Dequeue;
        } else {
            self.window.remove(at);
        }
        if self.is_durable {
            let receipt = is_freed_later.then_some(Receipt::Dequeue { packet_id });
            effects.push(Effect::Keep { what: Keep::Dequeue { place }, receipt });
        }
    }

    /// It is stored that the message left the queue.
    pub(super) fn on_dequeued(&mut self, packet_id: u16) {
        if let Some(at) = self.find(packet_id)
            && self.window.get(at).is_some_and(|slot| slot.phase == Phase::Dequeue)
        {
            self.window.remove(at);
        }
    }

    fn find(&self, packet_id: u16) -> Option<usize> {
        self.window.iter().position(|slot| slot.packet_id == packet_id)
    }
}

fn parts_of<'a>(delivery: &Delivery<'a>, packet_id: u16, dup: bool) -> PublishParts<'a> {
    PublishParts {
        dup,
        qos: delivery.qos,
        retain: delivery.retain,
        topic: [delivery.topic, ""],
        packet_id,
        alias: 0,
        identifiers: delivery.identifiers,
        expires_in_s: delivery.expires_in_s,
        headers: delivery.headers,
        payload: delivery.payload,
    }
}

/// The packet id of a place in a stored queue; places start at 1.
fn packet_id_of(place: u64) -> u16 {
    let id = 1 + place.wrapping_sub(1) % PACKET_ID_COUNT;
    // The remainder is below 65,535, so nothing is cut off.
    id as u16
}
