//! What a client publishes: its meaning, its way, and what is kept of it.

use std::rc::Rc;
use std::sync::Arc;

use dialects::{Dialect, ExactlyOnce, Request as Asked, Retention, Uplink, What};
use domain::{Closing, Code, Event, Millis, OrgId, Peer, Points, QoS, Refusal, Rejection};
use mqtt::packet::Publish;
use mqtt::reason::Reason;
use mqtt::session::Receipt;
use platform::Verdict;
use store::{Change, Changes, Ticket};

use super::Connection;
use super::batch::{Answer, Batch, Refused, Why};
use super::parked::{HeldPublish, Request};
use super::topics::{Kind, Way};
use crate::hub::delivery::{Outbound, Round, deadline_ms, expires_ms};
use crate::hub::tail::Line;
use crate::words::{domain_qos, wire_qos};

/// What publishing to a topic comes to.
pub(super) enum Outcome {
    Go(Rc<Way>),
    /// Every registration slot is taken: ask again at this ticket. With the device, as `type/name`.
    Wait(Ticket, String),
    /// Acknowledge and forget: the device's registration failed a moment ago.
    Discard,
    Refused(Refusal),
}

/// A message to publish, wherever it came from.
pub(super) struct Inbound<'a> {
    pub(super) topic: &'a str,
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) qos: QoS,
    /// The sender's retain flag.
    pub(super) retain: bool,
    pub(super) source: Source,
    /// 0 at QoS 0, and for a will.
    pub(super) packet_id: u16,
    /// When it expires by its publisher's word; 0 = never.
    pub(super) expires_ms: Millis,
}

/// Where a message to publish comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The client sent it.
    Client,
    /// The client left it for when it is gone.
    Will,
}

impl Connection {
    pub(super) fn on_publish(&mut self, publish: &Publish<'_>, batch: &mut Batch) {
        self.tally.read_count += 1;
        batch.counts.received += 1;
        let (aliased, headers) = (self.session.aliased_topic(publish), publish.properties.travelling());
        let inbound = Inbound {
            topic: aliased.as_deref().unwrap_or(publish.topic),
            headers: &headers,
            payload: publish.payload,
            qos: domain_qos(publish.qos),
            retain: publish.retain,
            source: Source::Client,
            packet_id: publish.packet_id,
            expires_ms: expires_ms(self.wall_ms(), publish.properties.message_expiry_s()),
        };
        if let Some(request) = self.publish(&inbound, batch) {
            self.worker.hub.counters.parked.add(1);
            self.parked.push(request);
            if inbound.packet_id != 0 {
                batch.answers.push(Answer::Parked { packet_id: inbound.packet_id });
            }
        }
    }

    /// Bytes of a payload, at most.
    pub(super) fn payload_bytes_max(&self) -> usize {
        let set = self.worker.hub.limits.payload_bytes_max;
        self.dialect.payload_bytes_max().map_or(set, |it| it.max(set))
    }

    /// Publishes a message, or gives it back as a request to be parked.
    pub(super) fn publish(&mut self, inbound: &Inbound<'_>, batch: &mut Batch) -> Option<Request> {
        let payload_bytes_max = self.payload_bytes_max();
        if inbound.payload.len() > payload_bytes_max {
            let hint = format!(
                "the payload has {} bytes and at most {payload_bytes_max} are taken: send less, or raise \
                 limits.payload_bytes_max",
                inbound.payload.len()
            );
            self.record("publish", Some(inbound.topic), &Refusal::new(Code::TooLarge, hint));
            self.close(Closing::TooLarge, Reason::PACKET_TOO_LARGE);
            return None;
        }
        match self.outcome(inbound.topic) {
            Outcome::Go(way) if way.kind == Kind::Asked => return self.ask(inbound, batch),
            Outcome::Go(way) => self.accept(&way, inbound, batch),
            Outcome::Wait(until, device) => return Some(self.park(until, device, inbound)),
            Outcome::Discard => acknowledge(inbound, batch),
            Outcome::Refused(refusal) => self.refuse_publish(inbound, &refusal, batch),
        }
        None
    }

    /// The way of a topic: remembered, or found through dialect, registry and router.
    pub(super) fn outcome(&mut self, topic: &str) -> Outcome {
        let registry_generation = self.registry.get();
        let generation = self.seat.space.generation();
        if let Some(way) = self.topics.get(topic, generation, registry_generation) {
            return Outcome::Go(way);
        }
        let uplink = match uplink(self.dialect, &self.peer, topic) {
            Ok(uplink) => uplink,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let Some(device_name) = uplink.device else {
            let way = self.way(&uplink, None, generation, registry_generation);
            return Outcome::Go(self.topics.put(topic, way));
        };
        let device_text = device_name.to_string();
        if !self.parked.is_empty() && self.parked.holds(&device_text) {
            return Outcome::Wait(self.parked.until, device_text);
        }
        let verdict =
            self.worker.hub.platform.speak_for(&self.peer, device_name, uplink.registers, self.wall_ms());
        let device = match verdict {
            Verdict::Known(device) | Verdict::Registered(device) => Some(device),
            Verdict::Unknown => None,
            Verdict::Wait(ticket) => return Outcome::Wait(ticket, device_text),
            Verdict::Discard => return Outcome::Discard,
            Verdict::Refused(refusal) => return Outcome::Refused(refusal),
        };
        let way = self.way(&uplink, device, generation, registry_generation);
        // What nobody knows now may be known in a moment: only certainties are remembered.
        if way.device.is_none() {
            return Outcome::Go(Rc::new(way));
        }
        Outcome::Go(self.topics.put(topic, way))
    }

    fn way(
        &self,
        uplink: &Uplink<'_>,
        device: Option<domain::DeviceId>,
        generation: u64,
        registry_generation: u64,
    ) -> Way {
        let targets = self.seat.space.targets(&uplink.topic);
        Way { generation, registry_generation, targets, ..way_of(uplink, device) }
    }

    fn accept(&mut self, way: &Way, inbound: &Inbound<'_>, batch: &mut Batch) {
        if way.kind == Kind::Manage {
            let hint = format!("device management ({}) is not served by this version", way.name);
            self.record("publish", Some(inbound.topic), &Refusal::new(Code::NotServed, hint));
            return acknowledge(inbound, batch);
        }
        let retains = inbound.retain && way.retention == Retention::AsAsked;
        if inbound.qos == QoS::ExactlyOnce && self.goes_on_when_released(way, inbound) {
            self.hold(way, inbound, retains, batch);
        } else {
            self.carry_on(way, inbound, retains, batch);
        }
        if self.worker.hub.tails.anybody() {
            self.show(way, inbound);
        }
    }

    /// Whether a message at QoS 2 waits for its release.
    fn goes_on_when_released(&self, way: &Way, inbound: &Inbound<'_>) -> bool {
        let custom = self.seat.space.customs.exactly_once;
        custom == ExactlyOnce::WhenReleased && way.kind == Kind::Message && inbound.source == Source::Client
    }

    /// Keeps the message and gives it to its receivers.
    fn carry_on(&mut self, way: &Way, inbound: &Inbound<'_>, retains: bool, batch: &mut Batch) {
        let hub = &self.worker.hub;
        let mut outbound = Outbound {
            org: self.peer.org(),
            topic: &way.topic,
            headers: inbound.headers,
            payload: inbound.payload,
            qos: inbound.qos,
            retain: retains,
            deadline_ms: deadline_ms(self.wall_ms(), hub.limits.queue_retention_s, inbound.expires_ms),
            expires_ms: inbound.expires_ms,
            absent: match inbound.source {
                Source::Client => self.seat.space.customs.messages,
                Source::Will => self.seat.space.customs.wills,
            },
            message: None,
            from: Some(self.seat.subscriber()),
        };
        if retains {
            match hub.retain_published(
                &self.seat.space,
                &mut outbound,
                inbound.source,
                self.seat.subscriber(),
            ) {
                Ok(ticket) => batch.until = ticket.max(batch.until),
                Err(refusal) => return self.refuse_publish(inbound, &refusal, batch),
            }
        }
        if let (Kind::Event, Some(device)) = (way.kind, way.device) {
            let mut points = Points::new();
            self.dialect.points(&way.name, &way.format, inbound.payload, &mut points);
            hub.watches.show(device, None, self.wall_ms(), &points);
            batch.changes.push(Change::Event(Event {
                org: self.peer.org(),
                device,
                name: way.name.clone(),
                format: way.format.clone(),
                at_ms: self.wall_ms(),
                message: outbound.shared(),
                points,
            }));
        }
        let mut round =
            Round { changes: &mut batch.changes, wake: &mut batch.wake, counts: &mut batch.counts };
        outbound.deliver(&way.targets, &mut round);
        if let (Kind::Command, Some(device)) = (way.kind, way.device) {
            hub.command_at_door(self.peer.org(), device, (&way.name, &way.format), inbound.payload);
        }
        acknowledge(inbound, batch);
    }

    /// Shows the message to whoever looks on.
    fn show(&self, way: &Way, inbound: &Inbound<'_>) {
        let Ok(uplink) = self.dialect.uplink(&self.peer, inbound.topic) else { return };
        let line = Line {
            at_ms: self.wall_ms(),
            dialect: self.dialect.name(),
            kind: match way.kind {
                Kind::Command => "command",
                Kind::Message => "message",
                Kind::Event | Kind::Manage | Kind::Asked => "event",
            },
            device_type: uplink.device.map_or("", |it| it.device_type),
            device: uplink.device.map_or("", |it| it.name),
            name: if way.kind == Kind::Message { &way.topic } else { &way.name },
            format: &way.format,
            payload: String::from_utf8_lossy(inbound.payload),
            from: self.peer.client_id(),
            missed: 0,
        };
        self.worker.hub.tails.show(self.peer.org(), line);
    }

    pub(super) fn refuse_publish(&mut self, inbound: &Inbound<'_>, refusal: &Refusal, batch: &mut Batch) {
        let qos = wire_qos(inbound.qos);
        let answer = self.dialect.answer(&self.peer, self.version, Asked::Publish, qos, refusal);
        self.record("publish", Some(inbound.topic), refusal);
        if answer.notify {
            self.notify(Asked::Publish, inbound.topic, refusal);
        }
        let (packet_id, reason, mut why) = (inbound.packet_id, Reason(answer.reason), Why::default());
        let acknowledges = packet_id != 0 && (answer.close.is_none() || answer.acknowledged);
        if acknowledges {
            why.tell(self.version, reason, refusal);
            batch.answers.push(Answer::Refused(Box::new(Refused { packet_id, qos, reason, why })));
        }
        match answer.close {
            Some(closing) if acknowledges => {
                // Behind the acknowledgement, and those before it.
                batch.answers.push(Answer::Goodbye { closing, reason });
                self.is_leaving = true;
            }
            Some(closing) => self.close(closing, reason),
            None => {}
        }
    }

    /// Tells a gateway that something it asked for was refused.
    pub(super) fn notify(&self, request: Asked, topic: &str, refusal: &Refusal) {
        let rejection =
            Rejection { request, at_ms: self.wall_ms(), topic, refusal, client_id: self.peer.client_id() };
        if let Some(announcement) = self.dialect.rejection(&self.peer, &rejection) {
            self.worker.hub.announce(&self.seat.space, &announcement);
        }
    }

    /// Writes a refusal down.
    pub(super) fn record(&self, request: &'static str, topic: Option<&str>, refusal: &Refusal) {
        let org = self.peer.org();
        self.worker.hub.refusals.record(
            self.wall_ms(),
            (org != OrgId::NOWHERE).then_some(org.as_str()),
            self.peer.client_id(),
            request,
            topic,
            refusal,
        );
    }

    /// Ends the connection, telling a 5.0 client why.
    pub(super) fn close(&mut self, closing: Closing, reason: Reason) {
        if self.closing.is_none() {
            if self.version == mqtt::Version::V5 {
                self.send_disconnect(reason);
            }
            self.closing = Some(closing);
        }
    }

    pub(super) fn park(&mut self, until: Ticket, device: String, inbound: &Inbound<'_>) -> Request {
        self.wake_at(until);
        Request::Publish(Box::new(HeldPublish {
            device,
            topic: inbound.topic.to_owned(),
            headers: inbound.headers.to_vec(),
            payload: inbound.payload.to_vec(),
            qos: inbound.qos,
            retain: inbound.retain,
            packet_id: inbound.packet_id,
            expires_ms: inbound.expires_ms,
            keep_receive: false,
        }))
    }

    /// Has the connection woken when everything handed to the store so far is on disk.
    pub(super) fn wake_at(&mut self, until: Ticket) {
        if self.parked.is_empty() || self.parked.until < until {
            self.parked.until = until;
            let waiter: Arc<dyn store::Waiter> = self.seat.subscriber().clone();
            self.worker.hub.store.commit(Changes { list: Vec::new(), waiter: Some(waiter) });
        }
    }

    /// Tries again what waited for a registration slot, in order, until the first that has to wait on.
    pub(super) fn retry_parked(&mut self, batch: &mut Batch) {
        let mut waiting = std::mem::take(&mut self.parked);
        while let Some(request) = waiting.pop() {
            if let Some(request) = self.retry(request, batch) {
                waiting.push_front(request);
                break;
            }
        }
        waiting.until = self.parked.until.max(waiting.until);
        self.parked = waiting;
    }

    fn retry(&mut self, request: Request, batch: &mut Batch) -> Option<Request> {
        match request {
            Request::Publish(held) => {
                if self.publish(&held.inbound(), batch).is_some() {
                    return Some(Request::Publish(held));
                }
                let taken = held.keep_receive && !self.is_undecided(held.packet_id, batch);
                if let (true, Some(session)) = (taken, self.seat.session()) {
                    batch.changes.push(self.receive_change(session, held.packet_id));
                }
                None
            }
            Request::Filters { packet, decided } => self.retry_filters(packet, decided, batch),
        }
    }
}

/// The message is dealt with once everything of this round is stored.
pub(super) fn acknowledge(inbound: &Inbound<'_>, batch: &mut Batch) {
    if inbound.packet_id != 0 {
        let receipt = Receipt::Publish { packet_id: inbound.packet_id, qos: wire_qos(inbound.qos) };
        batch.answers.push(Answer::Receipt(receipt));
    }
}

/// What publishing to a topic means, if dialect and rights allow it.
pub(crate) fn uplink<'a>(
    dialect: &dyn Dialect,
    peer: &'a Peer,
    topic: &'a str,
) -> Result<Uplink<'a>, Refusal> {
    let uplink = dialect.uplink(peer, topic)?;
    dialects::rights::may_publish(peer, &uplink.topic)?;
    Ok(uplink)
}

fn way_of(uplink: &Uplink<'_>, device: Option<domain::DeviceId>) -> Way {
    let (kind, name, format) = match uplink.what {
        What::Event { name, format } => (Kind::Event, name, format),
        What::Command { name, format } => (Kind::Command, name, format),
        What::Message => (Kind::Message, "", ""),
        What::Asked => (Kind::Asked, "", ""),
        What::Manage { operation } => (Kind::Manage, operation, ""),
    };
    Way {
        generation: 0,
        registry_generation: 0,
        kind,
        retention: uplink.retention,
        device,
        name: name.into(),
        format: format.into(),
        topic: uplink.topic.as_ref().into(),
        targets: Arc::new([]),
    }
}
