//! What a session does, in the simplest terms: maps and lists, no thought of speed.
//!
//! For each input it says what the session has to do, in order, and how many messages are then under way in either
//! direction. It keeps to the same words as the session; what the words mean comes from the standard.

use std::collections::BTreeMap;

use mqtt::packet::{Ack, Kind, Packet, Publish};
use mqtt::session::{Delivery, Keep, Opening, Receipt};
use mqtt::{QoS, Reason, Version};

/// One thing that a session does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Did {
    /// A packet that answers one with that identifier, 0 for none, for that reason.
    Send(Kind, u16, u8),
    /// A message for the client, with that identifier and perhaps as a repetition.
    Deliver(u16, bool),
    TooLarge,
    /// A message of the client is the owner's.
    Publish,
    /// The client has released one.
    Release(u16),
    /// A subscription is.
    Subscribe,
    Unsubscribe,
    Keep(Keep, Option<Receipt>),
    /// The end, with the reason of a 5.0 DISCONNECT where the client broke a rule.
    Close(Option<Reason>),
}

/// A QoS 2 message of the client between its PUBLISH and the end of its PUBREL.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Storing,
    Received,
    Completing,
}

/// A message to the client that is not done with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flight {
    /// PUBACK comes next; PUBREC; our store; PUBCOMP; our store.
    Acknowledge,
    Receive,
    Storing,
    Complete,
    Dequeue,
}

#[derive(Debug)]
pub(super) struct Model {
    version: Version,
    is_durable: bool,
    tells_releases: bool,
    window: usize,
    receive_max: usize,
    alias_max: u16,
    session_expiry_s: u32,
    /// With whether the message counts against the receive maximum.
    held: BTreeMap<u16, (Held, bool)>,
    /// Messages at QoS 1 that were taken and not answered.
    open: usize,
    /// Answers that wait for the owner.
    pub(super) owed: usize,
    /// By place, which is also the order.
    flight: BTreeMap<u64, Flight>,
    last_place: u64,
    sent_place: u64,
    pub(super) aliases: BTreeMap<u16, String>,
    pub(super) is_open: bool,
}

fn packet_id_of(place: u64) -> u16 {
    (1 + (place - 1) % 65_535) as u16
}

impl Model {
    pub(super) fn new(opening: &Opening) -> Model {
        let restored = opening.durable.clone().unwrap_or_default();
        Model {
            version: opening.version,
            is_durable: opening.durable.is_some(),
            tells_releases: opening.tells_releases,
            window: usize::from(opening.inflight_count_max),
            receive_max: usize::from(opening.receive_count_max),
            alias_max: opening.topic_alias_count_max,
            session_expiry_s: opening.terms.session_expiry_s,
            held: restored.received.iter().map(|id| (*id, (Held::Received, false))).collect(),
            open: 0,
            owed: 0,
            flight: BTreeMap::new(),
            last_place: 0,
            sent_place: restored.sent_place,
            aliases: BTreeMap::new(),
            is_open: true,
        }
    }

    /// How many messages above QoS 0 may go out.
    pub(super) fn room(&self) -> usize {
        let span = usize::try_from(self.place_max().saturating_sub(self.last_place)).unwrap_or(usize::MAX);
        if self.is_open { (self.window - self.flight.len()).min(span) } else { 0 }
    }

    /// A place beyond this one would have the identifier of the oldest message, or of one behind it.
    pub(super) fn place_max(&self) -> u64 {
        match self.flight.keys().next() {
            Some(oldest) if self.is_durable => oldest + 65_534,
            _ => u64::MAX,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.owed == 0 && self.flight.is_empty()
    }

    /// Of the messages to the client that are not done with, the oldest first.
    pub(super) fn packet_ids(&self) -> impl Iterator<Item = u16> {
        self.flight.keys().map(|place| packet_id_of(*place))
    }

    /// What has to hold whatever was done.
    pub(super) fn check(&self) {
        let mut ids: Vec<u16> = self.packet_ids().collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.flight.len(), "a packet identifier is in use twice");
        assert!(self.flight.len() <= self.window, "the client's receive maximum is exceeded");
        assert!(self.version != Version::V5 || self.open_count() <= self.receive_max, "ours is exceeded");
    }

    fn open_count(&self) -> usize {
        self.open + self.held.values().filter(|it| it.1).count()
    }

    pub(super) fn on_packet(&mut self, packet: &Packet<'_>) -> Vec<Did> {
        match packet {
            Packet::Publish(publish) => self.on_publish(publish),
            Packet::PubAck(ack) => self.on_end(ack.packet_id, Flight::Acknowledge),
            Packet::PubComp(ack) => self.on_end(ack.packet_id, Flight::Complete),
            Packet::PubRec(ack) => self.on_received(ack),
            Packet::PubRel(ack) => self.on_release(ack.packet_id),
            Packet::Subscribe(_) => vec![Did::Subscribe],
            Packet::Unsubscribe(_) => vec![Did::Unsubscribe],
            Packet::PingReq => vec![Did::Send(Kind::PingResp, 0, 0)],
            Packet::Disconnect(it) => {
                let asks = it.properties.session_expiry_s().unwrap_or(0);
                if asks != 0 && self.session_expiry_s == 0 {
                    return self.close(Some(Reason::PROTOCOL_ERROR));
                }
                self.close(None)
            }
            _ => self.close(Some(Reason::PROTOCOL_ERROR)),
        }
    }

    /// The last things that a session does.
    pub(super) fn close(&mut self, reason: Option<Reason>) -> Vec<Did> {
        self.is_open = false;
        let told = reason.filter(|_| self.version == Version::V5);
        let mut did: Vec<Did> =
            told.map(|reason| Did::Send(Kind::Disconnect, 0, reason.0)).into_iter().collect();
        did.push(Did::Close(reason));
        did
    }

    fn on_publish(&mut self, publish: &Publish<'_>) -> Vec<Did> {
        let packet_id = publish.packet_id;
        if let Some(alias) = publish.properties.topic_alias() {
            if alias > self.alias_max {
                return self.close(Some(Reason::TOPIC_ALIAS_INVALID));
            }
            if !publish.topic.is_empty() {
                self.aliases.insert(alias, publish.topic.to_owned());
            } else if !self.aliases.contains_key(&alias) {
                return self.close(Some(Reason::PROTOCOL_ERROR));
            }
        }
        let known = self.held.get(&packet_id).copied().filter(|_| publish.qos == QoS::ExactlyOnce);
        let is_counted = publish.qos == QoS::AtMostOnce || known.is_some_and(|it| it.1);
        if !is_counted && self.version == Version::V5 && self.open_count() == self.receive_max {
            return self.close(Some(Reason::RECEIVE_MAXIMUM_EXCEEDED));
        }
        match (publish.qos, known) {
            (QoS::AtMostOnce, _) => vec![Did::Publish],
            (QoS::AtLeastOnce, _) => {
                self.open += 1;
                self.owed += 1;
                vec![Did::Publish]
            }
            (QoS::ExactlyOnce, Some((Held::Storing, _))) => vec![],
            (QoS::ExactlyOnce, Some((Held::Received, _))) => {
                self.held.insert(packet_id, (Held::Received, true));
                vec![Did::Send(Kind::PubRec, packet_id, 0)]
            }
            (QoS::ExactlyOnce, Some((Held::Completing, _)) | None) => {
                self.held.insert(packet_id, (Held::Storing, true));
                self.owed += 1;
                let mut did = vec![Did::Publish];
                self.keep(Keep::Receive { packet_id }, None, &mut did);
                did
            }
        }
    }

    fn keep(&self, what: Keep, receipt: Option<Receipt>, did: &mut Vec<Did>) {
        if self.is_durable {
            did.push(Did::Keep(what, receipt));
        }
    }

    /// The owner's answer to a message.
    pub(super) fn on_answer(&mut self, packet_id: u16, qos: QoS, reason: Reason) -> Vec<Did> {
        let mut did = Vec::new();
        let code = if self.version == Version::V5 { reason.0 } else { 0 };
        self.owed -= 1;
        if qos == QoS::AtLeastOnce {
            self.open -= 1;
            return vec![Did::Send(Kind::PubAck, packet_id, code)];
        }
        if reason.is_error() {
            self.held.remove(&packet_id);
            self.keep(Keep::ReceiveDone { packet_id }, None, &mut did);
        } else if let Some((held @ Held::Storing, _)) = self.held.get_mut(&packet_id) {
            *held = Held::Received;
        }
        did.push(Did::Send(Kind::PubRec, packet_id, code));
        did
    }

    fn on_release(&mut self, packet_id: u16) -> Vec<Did> {
        let unknown = if self.version == Version::V5 { Reason::PACKET_IDENTIFIER_NOT_FOUND.0 } else { 0 };
        match self.held.get_mut(&packet_id) {
            None => vec![Did::Send(Kind::PubComp, packet_id, unknown)],
            Some((Held::Completing, _)) => vec![],
            Some((held, _)) => {
                *held = Held::Completing;
                self.owed += 1;
                if self.tells_releases {
                    let mut did = vec![Did::Release(packet_id)];
                    self.keep(Keep::ReceiveDone { packet_id }, None, &mut did);
                    return did;
                }
                if !self.is_durable {
                    return self.on_completed(packet_id);
                }
                vec![Did::Keep(Keep::ReceiveDone { packet_id }, Some(Receipt::Complete { packet_id }))]
            }
        }
    }

    fn on_completed(&mut self, packet_id: u16) -> Vec<Did> {
        self.owed -= 1;
        if matches!(self.held.get(&packet_id), Some((Held::Completing, _))) {
            self.held.remove(&packet_id);
        }
        vec![Did::Send(Kind::PubComp, packet_id, 0)]
    }

    pub(super) fn on_stored(&mut self, receipt: Receipt) -> Vec<Did> {
        match receipt {
            Receipt::Publish { packet_id, qos } => self.on_answer(packet_id, qos, Reason::SUCCESS),
            Receipt::Complete { packet_id } => self.on_completed(packet_id),
            Receipt::Release { packet_id } => {
                let Some((place, Flight::Storing)) = self.find(packet_id) else { return vec![] };
                self.flight.insert(place, Flight::Complete);
                vec![Did::Send(Kind::PubRel, packet_id, 0)]
            }
            Receipt::Dequeue { packet_id } => {
                if let Some((place, Flight::Dequeue)) = self.find(packet_id) {
                    self.flight.remove(&place);
                }
                vec![]
            }
        }
    }

    fn find(&self, packet_id: u16) -> Option<(u64, Flight)> {
        self.flight
            .iter()
            .find(|(place, _)| packet_id_of(**place) == packet_id)
            .map(|(place, phase)| (*place, *phase))
    }

    fn on_received(&mut self, ack: &Ack<'_>) -> Vec<Did> {
        let packet_id = ack.packet_id;
        let unknown = if self.version == Version::V5 { Reason::PACKET_IDENTIFIER_NOT_FOUND.0 } else { 0 };
        match self.find(packet_id) {
            Some((_, Flight::Receive)) if ack.reason.is_error() => self.on_end(packet_id, Flight::Receive),
            Some((place, Flight::Receive)) if self.is_durable => {
                self.flight.insert(place, Flight::Storing);
                vec![Did::Keep(Keep::Release { place }, Some(Receipt::Release { packet_id }))]
            }
            Some((place, Flight::Receive)) => {
                self.flight.insert(place, Flight::Complete);
                vec![Did::Send(Kind::PubRel, packet_id, 0)]
            }
            Some((_, Flight::Storing)) => vec![],
            Some((_, Flight::Complete)) => vec![Did::Send(Kind::PubRel, packet_id, 0)],
            _ if ack.reason.is_error() => vec![],
            _ => vec![Did::Send(Kind::PubRel, packet_id, unknown)],
        }
    }

    /// An answer of the client that ends a message in that phase.
    fn on_end(&mut self, packet_id: u16, phase: Flight) -> Vec<Did> {
        let Some((place, found)) = self.find(packet_id) else { return vec![] };
        if found != phase {
            return vec![];
        }
        let mut did = Vec::new();
        if self.is_durable && phase != Flight::Acknowledge {
            self.flight.insert(place, Flight::Dequeue);
            self.keep(Keep::Dequeue { place }, Some(Receipt::Dequeue { packet_id }), &mut did);
        } else {
            self.flight.remove(&place);
            self.keep(Keep::Dequeue { place }, None, &mut did);
        }
        did
    }

    /// A message for the client; whether it is too large is checked elsewhere.
    pub(super) fn on_deliver(&mut self, delivery: &Delivery<'_>, is_too_large: bool) -> Vec<Did> {
        if delivery.qos == QoS::AtMostOnce {
            let deliver = if is_too_large { Did::TooLarge } else { Did::Deliver(0, false) };
            let Some(place) = delivery.place else { return vec![deliver] };
            if place <= self.last_place || place > self.place_max() {
                return vec![];
            }
            self.last_place = place;
            return vec![Did::Keep(Keep::Dequeue { place }, None), deliver];
        }
        let place = match delivery.place {
            Some(place) if place <= self.last_place || place > self.place_max() => return vec![],
            Some(place) => place,
            None => {
                let is_free = |place: &u64| self.find(packet_id_of(*place)).is_none();
                (self.last_place + 1..).find(is_free).unwrap_or_default()
            }
        };
        self.last_place = place;
        let packet_id = packet_id_of(place);
        let mut did = Vec::new();
        if is_too_large && !delivery.released {
            self.keep(Keep::Dequeue { place }, None, &mut did);
            did.push(Did::TooLarge);
            return did;
        }
        let is_repeated = delivery.again || place <= self.sent_place;
        if place > self.sent_place && self.is_durable {
            self.sent_place = place;
            did.push(Did::Keep(Keep::Sent { place }, None));
        }
        let (phase, deliver) = match delivery.qos {
            _ if delivery.released => (Flight::Complete, Did::Send(Kind::PubRel, packet_id, 0)),
            QoS::ExactlyOnce => (Flight::Receive, Did::Deliver(packet_id, is_repeated)),
            _ => (Flight::Acknowledge, Did::Deliver(packet_id, is_repeated)),
        };
        self.flight.insert(place, phase);
        did.push(deliver);
        did
    }
}
