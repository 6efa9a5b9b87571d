//! The session with a client that does anything at all: answers what was not sent, sends again what is under way,
//! breaks off, comes back. Each step is held against a model that says what a session does, in the simplest terms.
//!
//! After each step: exactly what the model says was done, in that order; no packet identifier is in use twice, and
//! neither side's receive maximum is exceeded; what is handed to the owner is what the client sent, and what is sent is
//! what the owner handed in, under its topic and in no larger a packet than the client takes; after the end nothing
//! follows. A session holds less than four times the bytes that it was sent, and 4 KiB.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use allocation_counter::measure;
use mqtt::codec::{self, PublishParts};
use mqtt::packet::{Ack, Kind, Packet, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::session::{Close, Delivery, Effect, Input, Keep, Opening, Receipt, Restored, Session, Terms};
use mqtt::{QoS, Reason, Version};

use super::decode::version_of;
use model::{Did, Model};

const PACKET_BYTES_MAXIMA: [u32; 4] = [u32::MAX, 60, 20, 5];
const TOPICS: [&str; 4] = ["a", "topic/b", "topic/c", "another/topic"];
/// Messages in the stored queue: more do not matter.
const QUEUE_COUNT_MAX: usize = 16;
const HELD_BYTES_MAX: usize = 4 * 1024;
const EFFECT_COUNT_MAX: usize = 8;
const ANSWER_MS_MAX: u32 = 6_000;

/// What a run is about, from its first four bytes.
fn opening_of(how: [u8; 4]) -> Opening {
    let [version, bounds, aliases, rest] = how;
    Opening {
        version: version_of(version),
        keep_alive_s: if rest & 1 == 0 { 10 } else { 0 },
        durable: (version & 4 != 0).then(Restored::default),
        inflight_count_max: 1 + u16::from(bounds & 3),
        receive_count_max: 1 + u16::from(bounds >> 2 & 3),
        topic_alias_count_max: u16::from(aliases & 3),
        tells_releases: rest & 32 != 0,
        answer_ms_max: if rest & 64 == 0 { 0 } else { ANSWER_MS_MAX },
        terms: Terms {
            session_expiry_s: if rest & 2 == 0 { 0 } else { 60 },
            packet_bytes_max: PACKET_BYTES_MAXIMA[usize::from(rest >> 2 & 3)],
            topic_alias_count_max: u16::from(aliases >> 2 & 3),
            asks_for_problem_information: rest & 16 == 0,
        },
    }
}

/// How the session is opened, then a step for each byte or few.
pub(super) fn run(data: &[u8]) {
    let Some((how, mut steps)) = data.split_first_chunk() else { return };
    let mut world = World::new(opening_of(*how), if how[0] & 8 == 0 { 0 } else { 65_530 });
    while let Some((step, rest)) = steps.split_first() {
        steps = rest;
        world.take(*step, &mut steps);
        world.model.check();
        world.check_questions();
    }
}

/// An answer of the client at QoS 2 that may be given a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Release,
    Receipt,
}

/// A session, its owner and what is on the owner's disk.
struct World {
    opening: Opening,
    session: Session,
    model: Model,
    now_ms: u64,
    heard_at_ms: u64,
    /// Since when the client owes which answers, where it is given a time for them.
    awaited: BTreeMap<(Answer, u16), u64>,
    /// What the owner has not answered, in the order of asking.
    waiting: Vec<Waiting>,
    disk: Restored,
    received: BTreeSet<u16>,
    queue: BTreeMap<u64, (QoS, bool)>,
    /// The last place that was stored, and the last that was handed over.
    stored_place: u64,
    handed_place: u64,
    /// What our aliases mean to the client.
    told: BTreeMap<u16, String>,
    held_bytes: i64,
    sent_bytes: usize,
}

/// A question to the owner, and what is to be kept with its answer.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Stored(Receipt, Option<Keep>),
    Granted(u16, usize),
    Removed(u16, usize),
}

impl World {
    fn new(opening: Opening, stored_place: u64) -> World {
        World {
            session: Session::open(0, &opening),
            model: Model::new(&opening),
            opening,
            now_ms: 0,
            heard_at_ms: 0,
            waiting: Vec::new(),
            awaited: BTreeMap::new(),
            disk: Restored::default(),
            received: BTreeSet::new(),
            queue: BTreeMap::new(),
            stored_place,
            handed_place: 0,
            told: BTreeMap::new(),
            held_bytes: 0,
            sent_bytes: 0,
        }
    }

    /// One step: the low half of the byte says what, the high half how.
    fn take(&mut self, step: u8, more: &mut &[u8]) {
        let how = step >> 4;
        match step & 0x0F {
            0..4 => self.client_publishes(step & 3, how, more),
            4..8 => {
                let kind = [Kind::PubAck, Kind::PubRec, Kind::PubRel, Kind::PubComp][usize::from(step & 3)];
                self.client_answers(kind, how, more);
            }
            8 => self.client_says_anything(more),
            9 => self.owner_answers(usize::from(how)),
            10 => self.owner_refuses(usize::from(how)),
            11 => self.owner_stores(how),
            12 | 13 => self.owner_hands_over(how),
            14 => self.time_passes(how),
            _ => self.client_comes_back(how),
        }
    }

    fn client_publishes(&mut self, qos: u8, how: u8, more: &mut &[u8]) {
        let number = next(more);
        let Some(qos) = QoS::from_bits(qos) else { return self.client_disconnects(how) };
        let mut headers = Vec::new();
        let alias = u16::from(number >> 4 & 3);
        let is_v5 = self.opening.version == Version::V5;
        if is_v5 && alias != 0 {
            PropertyWriter::new(&mut headers).push(PropertyId::TopicAlias, Value::Two(alias));
        }
        let is_named = !is_v5 || alias == 0 || number & 0x80 == 0;
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { 1 + u16::from(how & 7) };
        let packet = Packet::Publish(Publish {
            dup: packet_id != 0 && how & 8 != 0,
            qos,
            retain: false,
            topic: if is_named { TOPICS[usize::from(number & 3)] } else { "" },
            packet_id,
            properties: Properties::stored(&headers),
            payload: &[number],
        });
        self.client_sends(&packet);
    }

    fn client_disconnects(&mut self, how: u8) {
        let mut headers = Vec::new();
        if self.opening.version == Version::V5 && how & 1 != 0 {
            PropertyWriter::new(&mut headers)
                .push(PropertyId::SessionExpiryInterval, Value::Four(u32::from(how)));
        }
        let properties = Properties::stored(&headers);
        // Rarely, or no run would be long.
        if how > 12 {
            self.client_sends(&Packet::Disconnect(mqtt::packet::Disconnect {
                reason: Reason::SUCCESS,
                properties,
            }));
        } else {
            self.client_sends(&Packet::PingReq);
        }
    }

    fn client_answers(&mut self, kind: Kind, how: u8, more: &mut &[u8]) {
        // Identifiers of its own begin at 1; of ours, it mostly answers those that are under way.
        let under_way =
            if kind == Kind::PubRel { None } else { self.model.packet_ids().nth(usize::from(how & 7)) };
        let packet_id = under_way.unwrap_or(1 + u16::from(how & 7));
        let is_refusal = self.opening.version == Version::V5 && kind == Kind::PubRec && next(more) & 3 == 3;
        let ack = Ack::with(packet_id, if is_refusal { Reason::QUOTA_EXCEEDED } else { Reason::SUCCESS });
        self.client_sends(&match kind {
            Kind::PubAck => Packet::PubAck(ack),
            Kind::PubRec => Packet::PubRec(ack),
            Kind::PubRel => Packet::PubRel(ack),
            _ => Packet::PubComp(ack),
        });
    }

    fn client_sends(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        codec::encode(packet, self.opening.version, &mut bytes);
        self.server_reads(&bytes);
    }

    /// The next bytes as a packet, if they are one.
    fn client_says_anything(&mut self, more: &mut &[u8]) {
        let len = usize::from(next(more)).min(more.len());
        let (bytes, rest) = more.split_at(len);
        *more = rest;
        self.server_reads(bytes);
    }

    fn server_reads(&mut self, bytes: &[u8]) {
        let Ok(packet) = codec::decode_from_client(bytes, self.opening.version) else { return };
        if self.model.is_open {
            self.heard_at_ms = self.now_ms;
            self.sent_bytes += bytes.len();
        }
        self.step(Input::Packet(packet), |model| model.on_packet(&packet));
    }

    fn owner_answers(&mut self, which: usize) {
        if self.waiting.is_empty() {
            return;
        }
        match self.waiting.remove(which % self.waiting.len()) {
            Waiting::Stored(receipt, keep) => {
                keep.into_iter().for_each(|keep| self.write(keep));
                self.step(Input::Stored(receipt), |model| model.on_stored(receipt));
            }
            Waiting::Granted(packet_id, count) => {
                let codes = vec![0; count];
                let (properties, is_taken) = (Properties::EMPTY, self.is_taken(count));
                self.step(Input::Granted { packet_id, codes: &codes, properties }, |model| {
                    if is_taken {
                        vec![Did::Send(Kind::SubAck, packet_id, 0)]
                    } else {
                        model.close(Some(Reason::PACKET_TOO_LARGE))
                    }
                });
            }
            Waiting::Removed(packet_id, count) => {
                let codes = vec![0; count];
                let (properties, is_taken) = (Properties::EMPTY, self.is_taken(count));
                self.step(Input::Removed { packet_id, codes: &codes, properties }, |model| {
                    if is_taken {
                        vec![Did::Send(Kind::UnsubAck, packet_id, 0)]
                    } else {
                        model.close(Some(Reason::PACKET_TOO_LARGE))
                    }
                });
            }
        }
    }

    /// Whether the client takes an answer with so many codes: identifier, no properties, codes, behind a header.
    fn is_taken(&self, count: usize) -> bool {
        let remaining = 2 + 1 + count;
        let header = if remaining < 0x80 { 2 } else { 3 };
        self.opening.version != Version::V5
            || header + remaining <= self.opening.terms.packet_bytes_max as usize
    }

    fn owner_refuses(&mut self, which: usize) {
        let is_publish = |it: &Waiting| matches!(it, Waiting::Stored(Receipt::Publish { .. }, _));
        let publishes: Vec<usize> =
            (0..self.waiting.len()).filter(|at| is_publish(&self.waiting[*at])).collect();
        let Some(at) = publishes.get(which / 2 % publishes.len().max(1)) else { return };
        let Waiting::Stored(Receipt::Publish { packet_id, qos }, _) = self.waiting.remove(*at) else {
            return;
        };
        let reason = if which & 1 == 0 { Reason::NOT_AUTHORIZED } else { Reason::NO_MATCHING_SUBSCRIBERS };
        let mut headers = Vec::new();
        PropertyWriter::new(&mut headers).push(PropertyId::ReasonString, Value::Text("because"));
        let properties = Properties::stored(&headers);
        self.step(Input::Refused { packet_id, qos, reason, properties }, |model| {
            model.on_answer(packet_id, qos, reason)
        });
    }

    /// A message for the client, with some places left out.
    fn owner_stores(&mut self, how: u8) {
        if self.queue.len() >= QUEUE_COUNT_MAX {
            return;
        }
        let gap = match how >> 1 {
            7 => 65_534,
            6 => 3,
            _ => 1,
        };
        self.stored_place += gap;
        let qos = match how {
            4 => QoS::AtMostOnce,
            _ if how & 1 == 0 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        self.queue.insert(self.stored_place, (qos, false));
    }

    /// The next message of the queue, or at QoS 0 one that never was in it.
    fn owner_hands_over(&mut self, how: u8) {
        let is_durable = self.opening.durable.is_some();
        let topic = TOPICS[usize::from(how & 3)];
        let next =
            self.queue.range(self.handed_place + 1..).next().map(|(place, message)| (*place, *message));
        let delivery = match next {
            Some((place, (qos, released))) if self.session.room() > 0 && how < 12 => {
                if place <= self.session.place_max() {
                    self.handed_place = place;
                    if !is_durable {
                        self.queue.remove(&place);
                    }
                }
                let place = is_durable.then_some(place);
                Delivery { topic, payload: &[how], qos, released, place, ..Delivery::default() }
            }
            _ => Delivery { topic, payload: &[how; 40], retain: true, ..Delivery::default() },
        };
        self.step(Input::Deliver(delivery), |_| Vec::new());
    }

    fn time_passes(&mut self, how: u8) {
        self.now_ms += u64::from(how) * 1_500;
        let silence_ms = self.now_ms - self.heard_at_ms;
        let is_late = self.opening.keep_alive_s != 0 && silence_ms >= 15_000;
        let is_overdue = self.answer_due_ms().is_some_and(|it| self.now_ms >= it);
        self.step(Input::Tick, |model| {
            let reason = match (is_late, is_overdue) {
                (true, _) => Reason::KEEP_ALIVE_TIMEOUT,
                (false, true) => Reason::IMPLEMENTATION_SPECIFIC,
                (false, false) => return Vec::new(),
            };
            let mut did = model.close(Some(reason));
            did.pop();
            did.push(Did::Close(None));
            did
        });
    }

    /// A new connection. What was not stored is stored after all, or lost.
    fn client_comes_back(&mut self, how: u8) {
        if how < 8 {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if let (Waiting::Stored(_, Some(keep)), true) = (waiting, how & 1 == 0) {
                self.write(keep);
            }
        }
        if self.opening.durable.is_some() {
            self.disk.received = self.received.iter().copied().collect();
            self.opening.durable = Some(self.disk.clone());
        }
        self.session = Session::open(self.now_ms, &self.opening);
        self.model = Model::new(&self.opening);
        (self.heard_at_ms, self.handed_place) = (self.now_ms, 0);
        self.told.clear();
        self.awaited.clear();
        // What it starts with is not what the client sent.
        (self.held_bytes, self.sent_bytes) = (0, 4 * self.received.len());
    }

    fn write(&mut self, keep: Keep) {
        match keep {
            Keep::Sent { place } => self.disk.sent_place = place,
            Keep::Release { place } => {
                // The client may have told us otherwise of it since.
                if let Some(message) = self.queue.get_mut(&place) {
                    message.1 = true;
                }
            }
            Keep::Dequeue { place } => assert!(self.queue.remove(&place).is_some(), "{place} leaves twice"),
            Keep::Receive { packet_id } => drop(self.received.insert(packet_id)),
            Keep::ReceiveDone { packet_id } => drop(self.received.remove(&packet_id)),
        }
    }

    /// Feeds the session, and holds what it does against what the model says.
    fn step(&mut self, input: Input<'_>, expect: impl FnOnce(&mut Model) -> Vec<Did>) {
        let was_open = self.model.is_open;
        match &input {
            Input::Packet(Packet::PubRel(ack)) => _ = self.awaited.remove(&(Answer::Release, ack.packet_id)),
            Input::Packet(Packet::PubRec(ack)) => _ = self.awaited.remove(&(Answer::Receipt, ack.packet_id)),
            _ => {}
        }
        let mut effects = Vec::with_capacity(EFFECT_COUNT_MAX);
        let allocated = measure(|| self.session.step(self.now_ms, input, &mut effects));
        self.held_bytes += allocated.bytes_current;
        let expected = match &input {
            _ if !was_open => Vec::new(),
            Input::Deliver(delivery) => {
                let is_too_large = effects.iter().any(|it| matches!(it, Effect::TooLarge { .. }));
                self.model.on_deliver(delivery, is_too_large)
            }
            _ => expect(&mut self.model),
        };
        let did: Vec<Did> = effects.iter().map(|effect| self.carry_out(effect, &input)).collect();
        assert_eq!(did, expected, "after {input:?}");
        let bound = 4 * self.sent_bytes + HELD_BYTES_MAX;
        assert!(self.held_bytes <= bound as i64, "{} bytes held of {}", self.held_bytes, self.sent_bytes);
    }

    fn carry_out(&mut self, effect: &Effect<'_>, input: &Input<'_>) -> Did {
        match effect {
            Effect::Send(packet) => self.carry_out_send(packet),
            Effect::Deliver(parts) => {
                if parts.qos == QoS::ExactlyOnce {
                    self.awaited.insert((Answer::Receipt, parts.packet_id), self.now_ms);
                }
                self.check_delivery(parts, input);
                Did::Deliver(parts.packet_id, parts.dup)
            }
            Effect::TooLarge { bytes } => {
                assert!(*bytes > self.opening.terms.packet_bytes_max as usize, "not too large");
                Did::TooLarge
            }
            Effect::Publish(publish) => {
                assert_eq!(Input::Packet(Packet::Publish(*publish)), *input);
                self.check_topic(publish);
                if publish.qos != QoS::AtMostOnce {
                    let receipt = Receipt::Publish { packet_id: publish.packet_id, qos: publish.qos };
                    self.waiting.push(Waiting::Stored(receipt, None));
                }
                Did::Publish
            }
            Effect::Release { packet_id } => {
                self.waiting.push(Waiting::Stored(Receipt::Complete { packet_id: *packet_id }, None));
                Did::Release(*packet_id)
            }
            Effect::Subscribe(it) => {
                assert_eq!(Input::Packet(Packet::Subscribe(*it)), *input);
                self.waiting.push(Waiting::Granted(it.packet_id, it.filters.len()));
                Did::Subscribe
            }
            Effect::Unsubscribe(it) => {
                assert_eq!(Input::Packet(Packet::Unsubscribe(*it)), *input);
                self.waiting.push(Waiting::Removed(it.packet_id, it.filters.len()));
                Did::Unsubscribe
            }
            Effect::Keep { what, receipt } => {
                match (what, receipt, self.waiting.last_mut()) {
                    (Keep::Receive { .. }, None, Some(Waiting::Stored(_, keep))) => *keep = Some(*what),
                    (
                        Keep::ReceiveDone { packet_id },
                        None,
                        Some(Waiting::Stored(Receipt::Complete { packet_id: of }, keep @ None)),
                    ) if packet_id == of => *keep = Some(*what),
                    (_, Some(receipt), _) => self.waiting.push(Waiting::Stored(*receipt, Some(*what))),
                    _ => self.write(*what),
                }
                Did::Keep(*what, *receipt)
            }
            Effect::Close(Close::Protocol(violation)) => Did::Close(Some(violation.reason)),
            Effect::Close(Close::Goodbye { .. } | Close::KeepAliveExpired | Close::AnswerOverdue(_)) => {
                Did::Close(None)
            }
        }
    }

    fn carry_out_send(&mut self, packet: &Packet<'_>) -> Did {
        let mut bytes = Vec::new();
        codec::encode(packet, self.opening.version, &mut bytes);
        let mut heard = *packet;
        if let (Packet::UnsubAck(it), true) = (&mut heard, self.opening.version != Version::V5) {
            it.codes = &[]; // They came with 5.0.
        }
        assert_eq!(codec::decode(&bytes, self.opening.version), Ok(heard), "what is sent can be read");
        let bytes_max =
            if self.opening.version == Version::V5 { self.opening.terms.packet_bytes_max } else { u32::MAX };
        assert!(bytes.len() <= bytes_max as usize, "{packet:?} is larger than the client takes");
        match packet {
            Packet::PubRec(ack) if !ack.reason.is_error() => {
                self.awaited.entry((Answer::Release, ack.packet_id)).or_insert(self.now_ms);
            }
            Packet::PubComp(ack) => _ = self.awaited.remove(&(Answer::Release, ack.packet_id)),
            _ => {}
        }
        match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                let is_wanted = self.opening.terms.asks_for_problem_information;
                assert!(ack.properties.is_empty() || is_wanted, "explained to one who wants no explanation");
                Did::Send(packet.kind(), ack.packet_id, ack.reason.0)
            }
            Packet::SubAck(it) => Did::Send(Kind::SubAck, it.packet_id, 0),
            Packet::UnsubAck(it) => Did::Send(Kind::UnsubAck, it.packet_id, 0),
            Packet::Disconnect(it) => Did::Send(Kind::Disconnect, 0, it.reason.0),
            other => Did::Send(other.kind(), 0, 0),
        }
    }

    /// The topic of a message from the client is the one that it meant.
    fn check_topic(&self, publish: &Publish<'_>) {
        let meant = match publish.properties.topic_alias() {
            Some(alias) => &self.model.aliases[&alias],
            None => publish.topic,
        };
        let topic = self.session.aliased_topic(publish);
        assert_eq!(topic.as_deref().unwrap_or(publish.topic), meant);
    }

    /// A message to the client is the one that was handed in, as the client understands it.
    fn check_delivery(&mut self, parts: &PublishParts<'_>, input: &Input<'_>) {
        let Input::Deliver(delivery) = input else { panic!("nothing was handed in") };
        let version = self.opening.version;
        let mut bytes = Vec::new();
        codec::encode_publish(&mut bytes, version, parts);
        let bytes_max = if version == Version::V5 { self.opening.terms.packet_bytes_max } else { u32::MAX };
        assert!(bytes.len() <= bytes_max as usize, "larger than the client takes");
        let Ok(Packet::Publish(publish)) = codec::decode(&bytes, version) else {
            panic!("it cannot be read")
        };
        let topic = match publish.properties.topic_alias() {
            None => publish.topic,
            Some(alias) => {
                assert!(alias <= self.opening.terms.topic_alias_count_max, "alias {alias}");
                if !publish.topic.is_empty() {
                    self.told.insert(alias, publish.topic.to_owned());
                }
                self.told.get(&alias).map_or("", String::as_str)
            }
        };
        assert_eq!((topic, publish.payload), (delivery.topic, delivery.payload));
        assert_eq!((publish.qos, publish.retain), (delivery.qos, delivery.retain));
    }

    /// The session's own account of itself is the model's.
    fn check_questions(&self) {
        assert_eq!(self.session.room(), self.model.room(), "room");
        assert_eq!(self.session.place_max(), self.model.place_max(), "the highest place");
        assert_eq!(self.session.unacknowledged(), self.model.owed, "owed");
        assert_eq!(self.session.is_idle(), self.model.is_idle(), "idle");
        let silence_ms = (self.opening.keep_alive_s != 0).then_some(self.heard_at_ms + 15_000);
        let due_ms = silence_ms.into_iter().chain(self.answer_due_ms()).min();
        assert_eq!(self.session.deadline_ms(), due_ms.filter(|_| self.model.is_open), "deadline");
    }

    /// When the client has left out an answer for too long.
    fn answer_due_ms(&self) -> Option<u64> {
        let since_ms = self.awaited.values().min().filter(|_| self.opening.answer_ms_max > 0);
        since_ms.map(|it| it + u64::from(ANSWER_MS_MAX))
    }
}

fn next(more: &mut &[u8]) -> u8 {
    match more.split_first() {
        Some((byte, rest)) => {
            *more = rest;
            *byte
        }
        None => 0,
    }
}

/// A run of each kind, for the mutations to start from.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let packet = |bytes: &[u8]| {
        let mut run = vec![6, 0x0F, 0x0F, 2, 8, bytes.len() as u8];
        run.extend(bytes);
        run.push(9);
        run
    };
    vec![
        vec![6, 0x0F, 0x0F, 2, 0x01, 0, 9, 0x02, 0, 9, 6, 9],
        vec![5, 0x0F, 0, 0, 0x02, 0, 0x02, 0, 9, 0xF2, 6, 10, 9],
        vec![6, 0x0F, 0x0F, 2, 0x1B, 0x0B, 12, 12, 5, 0, 9, 7, 9, 0x8F, 12],
        vec![2, 0x0F, 0x0F, 8, 0x1B, 12, 5, 3, 7, 0x0B, 12, 4, 0xEE],
        packet(&[0x82, 7, 0, 1, 0, 0, 1, b'a', 1]),
        packet(&[0xA2, 6, 0, 1, 0, 0, 1, b'a']),
        // Releases are told.
        vec![6, 0x0F, 0x0F, 34, 0x02, 0, 9, 6, 9, 0x02, 0, 9, 6, 9],
        vec![2, 0x0F, 0x0F, 34, 0x02, 0, 9, 6, 9, 0x02, 0, 9, 6, 9],
        // Answers are given a time: a release, then a receipt that does not come in it.
        vec![2, 0x0F, 0x0F, 99, 0x02, 0, 9, 0x35, 7, 6, 9],
        vec![1, 0x0F, 0x0F, 99, 0x1B, 12, 0xEE, 13],
        // Before 5.0.
        vec![1, 0x0F, 0, 0, 8, 7, 0xA2, 5, 0, 1, 0, 1, b'a', 9],
        vec![1, 0x0F, 0, 0, 8, 8, 0x82, 6, 0, 1, 0, 1, b'a', 1, 9],
    ]
}
