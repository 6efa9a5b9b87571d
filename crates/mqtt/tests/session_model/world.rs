//! The session with everything around it: an owner whose store is slow and may forget, a network that may break at any
//! moment, and a client that keeps to the standard.
//!
//! Events say what happens next; after each of them, and at the end when everything has come to rest, the promises of
//! the session are held against what was done. Where the events come from is not known here: the property test draws
//! them at random, the fuzz target reads them from bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mqtt::codec::{decode, decode_from_client, encode, encode_publish};
use mqtt::packet::{Ack, Packet, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::session::{Delivery, Effect, Input, Keep, Opening, Receipt, Restored, Session, Terms};
use mqtt::{QoS, Reason, Version};

const WINDOW: u16 = 4;
const RECEIVE_MAXIMUM: u16 = 5;
/// Of the client and of the server; both have more topics than that.
const ALIAS_COUNT_MAX: u16 = 3;
const TOPIC_COUNT: u32 = 5;
const PACKET_BYTES_MAX: u32 = 60;

/// A message in the stored queue of the session.
#[derive(Clone, Copy, Debug)]
struct Queued {
    number: u32,
    qos: QoS,
    released: bool,
}

/// What is on disk.
#[derive(Clone, Debug, Default)]
struct Disk {
    queue: BTreeMap<u64, Queued>,
    /// With the message, where it is taken at its release only.
    received: BTreeMap<u16, Option<u32>>,
    sent_place: u64,
    /// The messages that were taken from the client, in order.
    taken: Vec<(u32, QoS)>,
}

/// What waits to be written, all of it or nothing, and what to report then.
#[derive(Debug, Default)]
struct Batch {
    taken: Option<(u32, QoS)>,
    /// What waits for its release.
    unreleased: Option<u32>,
    keeps: Vec<Keep>,
    receipt: Option<Receipt>,
}

/// A message on its way from the client.
#[derive(Clone, Copy, Debug)]
struct Sending {
    packet_id: u16,
    number: u32,
    qos: QoS,
    released: bool,
}

/// A client that keeps to the standard, with a session of its own.
#[derive(Debug, Default)]
struct Client {
    sending: Vec<Sending>,
    received: BTreeSet<u16>,
    /// What its application saw, in order.
    seen: Vec<(u32, QoS)>,
    /// What its application published, in order.
    published: Vec<(u32, QoS)>,
    /// The topics of its aliases on this connection, and of the server's.
    told: BTreeMap<u16, String>,
    heard: BTreeMap<u16, String>,
}

struct World {
    version: Version,
    is_durable: bool,
    /// The disk has lost something on the way.
    has_forgotten: bool,
    /// Messages at QoS 2 are taken at their release.
    tells_releases: bool,
    /// Those that wait for it.
    unreleased: BTreeMap<u16, u32>,
    session: Session,
    disk: Disk,
    batches: VecDeque<Batch>,
    /// The last place that was handed to the session on this connection.
    handed: u64,
    last_place: u64,
    next_number: u32,
    /// Identifiers of messages to the client that nobody has finished, on this connection.
    outstanding: BTreeSet<u16>,
    queued: Vec<(u32, QoS)>,
    client: Client,
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<Vec<u8>>,
}

/// The owner refuses some messages, the same ones each time.
fn is_refused(number: u32) -> bool {
    number % 7 == 3
}

/// Some messages to the client are larger than it takes.
fn is_too_large(number: u32) -> bool {
    number % 6 == 4
}

fn topic_of(number: u32) -> String {
    format!("topic/{}", number % TOPIC_COUNT)
}

/// The number that says which message it is, with something behind it where it is to be large.
fn payload_of(number: u32) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(if is_too_large(number) { PACKET_BYTES_MAX as usize } else { 4 }, 0);
    payload
}

impl World {
    fn new(version: Version, is_durable: bool, tells_releases: bool, first_place: u64) -> World {
        let mut world = World {
            version,
            is_durable,
            has_forgotten: false,
            tells_releases,
            unreleased: BTreeMap::new(),
            session: Session::open(0, &opening(version, None)),
            disk: Disk::default(),
            batches: VecDeque::new(),
            handed: 0,
            last_place: first_place,
            next_number: 0,
            outstanding: BTreeSet::new(),
            queued: Vec::new(),
            client: Client::default(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
        };
        world.connect();
        world
    }

    /// A connection has begun: the session from what is on disk, and the client sends again what was not answered.
    fn connect(&mut self) {
        let restored = Restored {
            received: self.disk.received.keys().copied().collect(),
            sent_place: self.disk.sent_place,
        };
        let stored = self.disk.received.iter();
        self.unreleased = stored.filter_map(|(id, number)| Some((*id, (*number)?))).collect();
        let opening = opening(self.version, self.is_durable.then_some(restored));
        self.session = Session::open(0, &Opening { tells_releases: self.tells_releases, ..opening });
        self.handed = 0;
        self.outstanding.clear();
        for sending in self.client.sending.clone() {
            self.client_sends(sending, true);
        }
    }

    fn disconnect(&mut self, does_disk_forget: bool) {
        self.has_forgotten |= does_disk_forget;
        self.to_server.clear();
        self.to_client.clear();
        self.client.told.clear();
        self.client.heard.clear();
        while let Some(batch) = self.batches.pop_front() {
            if !does_disk_forget {
                self.write(batch);
            }
        }
    }

    fn client_publishes(&mut self, qos: QoS) {
        let open = self.client.sending.len();
        if open >= usize::from(RECEIVE_MAXIMUM) {
            return;
        }
        let is_free = |id: &u16| self.client.sending.iter().all(|it| it.packet_id != *id);
        let packet_id = (1..).find(is_free).unwrap();
        let number = self.number();
        let sending = Sending { packet_id, number, qos, released: false };
        self.client.published.push((number, qos));
        self.client.sending.push(sending);
        self.client_sends(sending, false);
    }

    fn client_sends(&mut self, sending: Sending, dup: bool) {
        let Sending { packet_id, number, qos, released } = sending;
        let (topic, payload) = (topic_of(number), number.to_be_bytes());
        let (mut named, mut headers) = (topic.as_str(), Vec::new());
        if self.version == Version::V5 && !released {
            // An alias stands for one topic after another.
            let alias = 1 + number as u16 % ALIAS_COUNT_MAX;
            PropertyWriter::new(&mut headers).push(PropertyId::TopicAlias, Value::Two(alias));
            if self.client.told.insert(alias, topic.clone()).is_some_and(|it| it == topic) {
                named = "";
            }
        }
        let properties = Properties::stored(&headers);
        let publish =
            Publish { dup, qos, retain: false, topic: named, packet_id, properties, payload: &payload };
        let packet =
            if released { Packet::PubRel(Ack::success(packet_id)) } else { Packet::Publish(publish) };
        self.to_server.push_back(self.encoded(&packet));
    }

    fn encoded(&self, packet: &Packet<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(packet, self.version, &mut bytes);
        bytes
    }

    fn number(&mut self) -> u32 {
        self.next_number += 1;
        self.next_number
    }

    /// A message for the client is stored, with some places left out.
    fn queue(&mut self, qos: QoS, gap: u64) {
        let number = self.number();
        self.last_place += gap;
        self.disk.queue.insert(self.last_place, Queued { number, qos, released: false });
        self.queued.push((number, qos));
    }

    /// Hands the next stored message to the session if there is room for it.
    fn hand_over(&mut self) {
        let next = self.disk.queue.range(self.handed + 1..).next().map(|(place, queued)| (*place, *queued));
        let Some((place, queued)) = next else { return };
        if self.session.room() == 0 || place > self.session.place_max() {
            return;
        }
        self.handed = place;
        if !self.is_durable {
            self.disk.queue.remove(&place);
        }
        let (topic, payload) = (topic_of(queued.number), payload_of(queued.number));
        let mut headers = Vec::new();
        PropertyWriter::new(&mut headers).push(PropertyId::MessageExpiryInterval, Value::Four(u32::MAX));
        self.step(Input::Deliver(Delivery {
            topic: &topic,
            headers: &headers,
            payload: &payload,
            qos: queued.qos,
            retain: false,
            identifiers: &[queued.number, 7],
            expires_in_s: Some(queued.number),
            place: self.is_durable.then_some(place),
            again: false,
            released: queued.released,
        }));
    }

    fn server_reads(&mut self) {
        let Some(bytes) = self.to_server.pop_front() else { return };
        let packet = decode_from_client(&bytes, self.version).unwrap();
        match &packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => drop(self.outstanding.remove(&ack.packet_id)),
            _ => {}
        }
        self.step(Input::Packet(packet));
    }

    fn step(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        self.session.step(0, input, &mut effects);
        let mut refused = None;
        for effect in effects {
            match effect {
                Effect::Send(packet) => {
                    self.check_acknowledgement(&packet);
                    if let Packet::PubRel(ack) = &packet
                        && ack.reason == Reason::SUCCESS
                    {
                        self.outstanding.insert(ack.packet_id);
                    }
                    self.to_client.push_back(self.encoded(&packet));
                }
                Effect::Deliver(parts) => {
                    let is_answered = parts.qos != QoS::AtMostOnce;
                    assert!(
                        !is_answered || self.outstanding.insert(parts.packet_id),
                        "{} is in use",
                        parts.packet_id
                    );
                    assert!(self.outstanding.len() <= usize::from(WINDOW), "the window is exceeded");
                    let mut bytes = Vec::new();
                    encode_publish(&mut bytes, self.version, &parts);
                    self.to_client.push_back(bytes);
                }
                Effect::TooLarge { bytes } => {
                    assert!(self.version == Version::V5 && bytes > PACKET_BYTES_MAX as usize);
                }
                Effect::Publish(publish) => {
                    let (packet_id, qos) = (publish.packet_id, publish.qos);
                    let number = number_of(&publish);
                    let topic = self.session.aliased_topic(&publish);
                    assert_eq!(
                        topic.as_deref().unwrap_or(publish.topic),
                        topic_of(number),
                        "from the client"
                    );
                    if is_refused(number) {
                        refused = Some((packet_id, qos));
                        continue;
                    }
                    let waits = self.tells_releases && qos == QoS::ExactlyOnce;
                    if waits {
                        self.unreleased.insert(packet_id, number);
                    }
                    self.batches.push_back(Batch {
                        taken: Some((number, qos)).filter(|_| !waits),
                        unreleased: Some(number).filter(|_| waits),
                        receipt: Some(Receipt::Publish { packet_id, qos }),
                        keeps: Vec::new(),
                    });
                }
                Effect::Release { packet_id } => {
                    assert!(self.tells_releases);
                    let number = self.unreleased.remove(&packet_id);
                    self.batches.push_back(Batch {
                        taken: number.map(|it| (it, QoS::ExactlyOnce)),
                        receipt: Some(Receipt::Complete { packet_id }),
                        ..Batch::default()
                    });
                }
                Effect::Keep { what: what @ Keep::ReceiveDone { packet_id }, receipt: None }
                    if self.tells_releases
                        && self.batches.back().and_then(|it| it.receipt)
                            == Some(Receipt::Complete { packet_id }) =>
                {
                    self.batches.back_mut().unwrap().keeps.push(what);
                }
                Effect::Keep { what: what @ Keep::Receive { .. }, receipt: None } => {
                    if refused.is_none() {
                        self.batches.back_mut().unwrap().keeps.push(what);
                    }
                }
                Effect::Keep { what, receipt } => {
                    assert!(self.is_durable, "{what:?} of a session that is not kept");
                    self.batches.push_back(Batch { keeps: vec![what], receipt, ..Batch::default() });
                }
                other => panic!("{other:?} for a client that keeps to the standard"),
            }
        }
        if let Some((packet_id, qos)) = refused {
            let (reason, properties) = (Reason::NOT_AUTHORIZED, Properties::EMPTY);
            self.step(Input::Refused { packet_id, qos, reason, properties });
        }
    }

    /// Nothing is acknowledged that is not on disk, unless it was refused.
    fn check_acknowledgement(&self, packet: &Packet<'_>) {
        let (Packet::PubAck(ack) | Packet::PubRec(ack)) = packet else { return };
        let found = self.client.sending.iter().find(|it| it.packet_id == ack.packet_id);
        let number = found.expect("an acknowledgement of something that was sent").number;
        let waits = match self.is_durable {
            true => self.disk.received.values().any(|it| *it == Some(number)),
            false => self.unreleased.values().any(|it| *it == number),
        };
        let is_on_disk = waits || self.disk.taken.iter().any(|it| it.0 == number);
        assert!(is_on_disk || is_refused(number), "{number} is acknowledged, but not on disk");
    }

    fn write(&mut self, batch: Batch) {
        self.disk.taken.extend(batch.taken);
        for keep in batch.keeps {
            match keep {
                Keep::Sent { place } => self.disk.sent_place = place,
                Keep::Release { place } => self.disk.queue.get_mut(&place).unwrap().released = true,
                Keep::Dequeue { place } => assert!(self.disk.queue.remove(&place).is_some()),
                Keep::Receive { packet_id } => drop(self.disk.received.insert(packet_id, batch.unreleased)),
                Keep::ReceiveDone { packet_id } => drop(self.disk.received.remove(&packet_id)),
            }
        }
    }

    fn commit(&mut self) {
        let Some(batch) = self.batches.pop_front() else { return };
        let receipt = batch.receipt;
        self.write(batch);
        if let Some(receipt) = receipt {
            self.step(Input::Stored(receipt));
        }
    }

    fn client_reads(&mut self) {
        let Some(bytes) = self.to_client.pop_front() else { return };
        assert!(self.version != Version::V5 || bytes.len() <= PACKET_BYTES_MAX as usize, "too large");
        match decode(&bytes, self.version).unwrap() {
            Packet::Publish(publish) => self.client_gets(&publish),
            Packet::PubRel(ack) => {
                self.client.received.remove(&ack.packet_id);
                self.to_server.push_back(self.encoded(&Packet::PubComp(Ack::success(ack.packet_id))));
            }
            Packet::PubAck(ack) => self.client_finishes(ack.packet_id, QoS::AtLeastOnce),
            Packet::PubRec(ack) if ack.reason.is_error() => {
                self.client_finishes(ack.packet_id, QoS::ExactlyOnce);
            }
            Packet::PubRec(ack) => {
                let found = self.client.sending.iter_mut().find(|it| it.packet_id == ack.packet_id);
                let sending = found.expect("a PUBREC for something");
                sending.released = true;
                let sending = *sending;
                self.client_sends(sending, true);
            }
            Packet::PubComp(ack) => self.client_finishes(ack.packet_id, QoS::ExactlyOnce),
            other => panic!("{other:?} to a client that keeps to the standard"),
        }
    }

    fn client_gets(&mut self, publish: &Publish<'_>) {
        self.client_checks(publish);
        let ack = Ack::success(publish.packet_id);
        if publish.qos == QoS::AtMostOnce {
            self.client.seen.push((number_of(publish), publish.qos));
            return;
        }
        let packet = match publish.qos {
            QoS::ExactlyOnce => Packet::PubRec(ack),
            _ => Packet::PubAck(ack),
        };
        if publish.qos != QoS::ExactlyOnce || self.client.received.insert(publish.packet_id) {
            self.client.seen.push((number_of(publish), publish.qos));
        }
        self.to_server.push_back(self.encoded(&packet));
    }

    /// The topic of a message is its own, and so is what it was delivered with.
    fn client_checks(&mut self, publish: &Publish<'_>) {
        let (number, properties) = (number_of(publish), &publish.properties);
        let topic = match properties.topic_alias() {
            None => publish.topic,
            Some(alias) => {
                assert!(alias <= ALIAS_COUNT_MAX, "alias {alias}");
                if !publish.topic.is_empty() {
                    self.client.heard.insert(alias, publish.topic.to_owned());
                }
                self.client.heard.get(&alias).expect("an alias that stands for something")
            }
        };
        assert_eq!(topic, topic_of(number), "to the client");
        if self.version == Version::V5 {
            assert_eq!(properties.subscription_identifiers().collect::<Vec<_>>(), [number, 7]);
            assert_eq!(properties.message_expiry_s(), Some(number));
        }
    }

    fn client_finishes(&mut self, packet_id: u16, qos: QoS) {
        let found = self.client.sending.iter().position(|it| it.packet_id == packet_id && it.qos == qos);
        self.client.sending.remove(found.expect("an answer to something that was sent"));
    }

    /// Lets everything come to rest.
    fn settle(&mut self) {
        let is_busy = |it: &World| {
            !(it.to_server.is_empty() && it.to_client.is_empty() && it.batches.is_empty())
                || it.disk.queue.range(it.handed + 1..).next().is_some()
        };
        for round in 0.. {
            if !is_busy(self) {
                return;
            }
            assert!(round < 100_000, "it never comes to rest");
            self.hand_over();
            self.server_reads();
            self.commit();
            self.client_reads();
        }
    }

    fn check(&self) {
        assert!(self.session.is_idle(), "at rest, but not idle");
        assert_eq!(self.session.room(), usize::from(WINDOW));
        assert!(self.client.sending.is_empty() && self.client.received.is_empty());
        assert!(self.disk.queue.is_empty() && self.disk.received.is_empty());
        let taken: Vec<_> = self.client.published.iter().filter(|it| !is_refused(it.0)).copied().collect();
        check_arrivals("from the client", &taken, &self.disk.taken);
        let is_taken = |number| self.version != Version::V5 || !is_too_large(number);
        let queued: Vec<_> = self.queued.iter().filter(|it| is_taken(it.0)).copied().collect();
        check_arrivals("to the client", &queued, &self.client.seen);
        self.check_unanswered(&queued);
    }
}

impl World {
    /// At QoS 0 a message arrives at most once, in order; again only where the store forgot that it was sent.
    fn check_unanswered(&self, queued: &[(u32, QoS)]) {
        let is_unanswered = |it: &&(u32, QoS)| it.1 == QoS::AtMostOnce;
        let sent: Vec<u32> = queued.iter().filter(is_unanswered).map(|it| it.0).collect();
        let arrived: Vec<u32> = self.client.seen.iter().filter(is_unanswered).map(|it| it.0).collect();
        assert!(arrived.iter().all(|it| sent.contains(it)), "{arrived:?} of {sent:?}");
        let is_in_order = arrived.is_sorted_by(|one, next| one < next);
        assert!(is_in_order || self.has_forgotten, "{arrived:?} of {sent:?}");
    }
}

fn opening(version: Version, durable: Option<Restored>) -> Opening {
    Opening {
        durable,
        inflight_count_max: WINDOW,
        receive_count_max: RECEIVE_MAXIMUM,
        topic_alias_count_max: ALIAS_COUNT_MAX,
        terms: Terms {
            packet_bytes_max: PACKET_BYTES_MAX,
            topic_alias_count_max: ALIAS_COUNT_MAX,
            ..Terms::default()
        },
        ..Opening::new(version)
    }
}

fn number_of(publish: &Publish<'_>) -> u32 {
    u32::from_be_bytes(*publish.payload.first_chunk().unwrap())
}

/// QoS 1 at least once and QoS 2 exactly once, each in the order of sending, counted by first arrivals.
fn check_arrivals(direction: &str, sent: &[(u32, QoS)], arrived: &[(u32, QoS)]) {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let of = |list: &[(u32, QoS)]| -> Vec<u32> {
            list.iter().filter(|it| it.1 == qos).map(|it| it.0).collect()
        };
        let mut arrivals = of(arrived);
        if qos == QoS::AtLeastOnce {
            let mut seen = BTreeSet::new();
            arrivals.retain(|number| seen.insert(*number));
        }
        assert_eq!(of(sent), arrivals, "{qos:?} {direction}");
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    ClientPublishes(QoS),
    /// A message for the client is stored, so many places behind the last one.
    Queue(QoS, u64),
    /// The owner hands the session the next stored message.
    HandOver,
    ServerReads,
    ClientReads,
    /// The store writes the oldest batch.
    Commit,
    /// The connection breaks; with `true` the server dies as well and forgets what it had not written.
    Break(bool),
}

/// Lets the events happen to a new session, then everything come to rest.
pub(crate) fn run(
    version: Version,
    is_durable: bool,
    tells_releases: bool,
    first_place: u64,
    events: impl IntoIterator<Item = Event>,
) {
    let mut world = World::new(version, is_durable, tells_releases, first_place);
    for event in events {
        match event {
            Event::ClientPublishes(qos) => world.client_publishes(qos),
            Event::Queue(qos, gap) => world.queue(qos, gap),
            Event::HandOver => world.hand_over(),
            Event::ServerReads => world.server_reads(),
            Event::ClientReads => world.client_reads(),
            Event::Commit => world.commit(),
            // What is not kept dies with its connection, so there is nothing to promise.
            Event::Break(_) if !is_durable => {}
            Event::Break(does_disk_forget) => {
                world.disconnect(does_disk_forget);
                world.connect();
            }
        }
    }
    world.settle();
    world.check();
}
