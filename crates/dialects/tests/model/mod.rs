//! A server in miniature: enough registry, sessions and routing to say what the dialect's answers mean for clients.
//! It decides nothing that a dialect decides. Everything happens at once, in the order of the transcript.

mod link;
mod registry;

use std::collections::{BTreeMap, VecDeque};

use dialects::watson::SEED;
use dialects::{Announcement, Dialect, Request, Retain, SessionRule, View, What};
use domain::notice::PresenceChange;
use domain::{Closing, Code, Peer, Points, Presence, Refusal, Rejection};
use mqtt::{QoS, Version};
use sim::transcript::{Ack, Fact, Given, Heard, PacketId, Payload, Publish, Said};

use registry::Registry;

/// A time like any other.
const NOW_MS: u64 = 1_714_558_830_123;

/// A message on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) qos: QoS,
    pub(crate) packet_id: Option<u16>,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// What a client was sent and has not yet heard in the transcript.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) messages: VecDeque<Sent>,
    pub(crate) answers: VecDeque<Heard>,
    /// What the transcript calls the packet ids that the server chose.
    pub(crate) names: BTreeMap<PacketId, u16>,
}

impl Outbox {
    pub(crate) fn check_empty(&self, client: &str) -> Result<(), String> {
        if self.messages.is_empty() && self.answers.is_empty() {
            return Ok(());
        }
        let topics: Vec<&str> = self.messages.iter().map(|it| it.topic.as_str()).collect();
        Err(format!("{client} also hears {:?} and messages on {topics:?}", self.answers))
    }
}

/// A connection that was admitted.
struct Link {
    version: Version,
    peer: Peer,
    session: String,
    will: Option<String>,
}

/// A session, connected or not.
struct Session {
    client: Option<String>,
    peer: Peer,
    version: Version,
    durable: bool,
    share: Option<String>,
    subscriptions: Vec<Subscription>,
    queue: VecDeque<Sent>,
    sent_count: usize,
    last_id: u16,
}

struct Subscription {
    filter: String,
    route: Option<String>,
    qos: QoS,
}

/// The server, its clients and what they have yet to hear.
#[derive(Default)]
pub(crate) struct World {
    registry: Registry,
    links: BTreeMap<String, Link>,
    sessions: BTreeMap<String, Session>,
    outboxes: BTreeMap<String, Outbox>,
    retained: BTreeMap<String, Vec<u8>>,
    connections: usize,
}

impl World {
    pub(crate) fn new() -> World {
        World::default()
    }

    pub(crate) fn given(&mut self, given: &Given) -> Result<(), String> {
        self.registry.given(given)
    }

    pub(crate) fn knows(&self, fact: &Fact) -> Result<(), String> {
        self.registry.knows(fact)
    }

    pub(crate) fn outbox(&mut self, client: &str) -> Result<&mut Outbox, String> {
        self.outboxes.get_mut(client).ok_or_else(|| format!("nobody is called {client}"))
    }

    pub(crate) fn check_all_heard(&self) -> Result<(), String> {
        self.outboxes.iter().try_for_each(|(client, outbox)| outbox.check_empty(client))
    }

    pub(crate) fn says(&mut self, client: &str, said: &Said) -> Result<(), String> {
        if let Said::Connect(connect) = said {
            if self.links.contains_key(client) {
                return Err(format!("{client} is connected"));
            }
            self.outboxes.entry(client.to_owned()).or_default().check_empty(client)?;
            self.connect(client, connect);
            return Ok(());
        }
        if !self.links.contains_key(client) {
            return Err(format!("{client} is not connected"));
        }
        match said {
            Said::Connect(_) => {}
            Said::Bytes(_) => return Err("the model reads packets only".to_owned()),
            Said::Publish(publish) => self.publish(client, publish)?,
            Said::Subscribe { packet_id, filters } => self.subscribe(client, *packet_id, filters),
            Said::Unsubscribe { packet_id, filters } => self.unsubscribe(client, *packet_id, filters),
            Said::Ack(kind, id) => self.acknowledged(client, *kind, id)?,
            Said::Ping => self.answer(client, Heard::Pong),
            Said::Disconnect => {
                self.outbox(client)?.check_empty(client)?;
                self.leave(client, Closing::Normal);
            }
            Said::Drop => {
                self.outbox(client)?.check_empty(client)?;
                self.leave(client, Closing::Lost);
            }
        }
        Ok(())
    }

    fn answer(&mut self, client: &str, heard: Heard) {
        self.outboxes.entry(client.to_owned()).or_default().answers.push_back(heard);
    }

    /// Closes a connection from the server's side.
    fn close(&mut self, client: &str, closing: Closing) {
        if self.links.get(client).is_some_and(|it| it.version == Version::V5) {
            self.answer(client, Heard::Disconnect(link::disconnect_reason(closing)));
        }
        self.answer(client, Heard::Closed);
        self.leave(client, closing);
    }

    /// A PUBLISH of a client.
    fn publish(&mut self, client: &str, publish: &Publish) -> Result<(), String> {
        let Payload::Bytes(payload) = &publish.payload else {
            return Err("~ is for what is heard".to_owned());
        };
        let id = match publish.packet_id {
            Some(PacketId::Number(id)) => id,
            _ => 0,
        };
        match self.accept(client, &publish.topic, payload, publish.qos) {
            Ok(()) => self.acknowledge(client, publish.qos, id, 0),
            Err(refusal) => {
                let reason = self.refuse(client, Request::Publish, &publish.topic, publish.qos, &refusal);
                if let Some(reason) = reason {
                    self.acknowledge(client, publish.qos, id, reason);
                }
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, client: &str, qos: QoS, id: u16, reason: u8) {
        let id = PacketId::Number(id);
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.answer(client, Heard::Ack(Ack::Ack, id, reason)),
            QoS::ExactlyOnce => self.answer(client, Heard::Ack(Ack::Rec, id, reason)),
        }
    }

    /// Decides about a message and carries it out.
    fn accept(&mut self, client: &str, topic: &str, payload: &[u8], qos: QoS) -> Result<(), Refusal> {
        if payload.len() > dialects::limits::PAYLOAD_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, "The payload is too large."));
        }
        let Some(link) = self.links.get(client) else { return Ok(()) };
        let peer = link.peer.clone();
        let uplink = SEED.uplink(&peer, topic)?;
        let device =
            uplink.device.ok_or(Refusal::new(Code::TopicInvalid, "Every topic is about a device."))?;
        if uplink.registers {
            self.registry.speak_for(&peer, device)?;
        }
        match uplink.what {
            What::Event { name, format } => {
                let mut points = Points::new();
                SEED.points(name, format, payload, &mut points);
                self.registry.keep(device, name, format, payload, points);
            }
            What::Command { .. } | What::Message | What::Asked => {}
            // Device management answers it; nobody is subscribed to it.
            What::Manage { .. } => return Ok(()),
        }
        self.route(&uplink.topic, payload, qos);
        Ok(())
    }

    /// Answers a refusal; gives the reason to acknowledge with, unless the connection was closed.
    fn refuse(
        &mut self,
        client: &str,
        request: Request,
        topic: &str,
        qos: QoS,
        refusal: &Refusal,
    ) -> Option<u8> {
        let (peer, version) = self.links.get(client).map(|it| (it.peer.clone(), it.version))?;
        let answer = SEED.answer(&peer, version, request, qos, refusal);
        if answer.notify {
            let client_id = peer.client_id();
            let rejection = Rejection { request, at_ms: NOW_MS, topic, refusal, client_id };
            if let Some(announcement) = SEED.rejection(&peer, &rejection) {
                self.announce(announcement);
            }
        }
        if let Some(closing) = answer.close {
            self.close(client, closing);
            return None;
        }
        let has_reasons = version == Version::V5 || request == Request::Subscribe;
        Some(if has_reasons { answer.reason } else { 0 })
    }

    fn announce(&mut self, announcement: Announcement) {
        let Announcement { topic, payload, retain } = announcement;
        match retain {
            Retain::Keep => drop(self.retained.insert(topic.clone(), payload.clone())),
            Retain::Remove => drop(self.retained.remove(&topic)),
            Retain::WhileRunning | Retain::No => {}
        }
        self.route(&topic, &payload, QoS::AtMostOnce);
    }

    fn presence(&mut self, peer: &Peer, change: PresenceChange) {
        let (user, protocol) = match peer {
            Peer::Application { key, .. } => (Some(key.as_str()), "mqtt4"),
            Peer::Device { .. } | Peer::Anonymous { .. } => (None, "mqtt4"),
        };
        let presence = Presence {
            change,
            at_ms: NOW_MS,
            client_addr: "127.0.0.1",
            client_id: peer.client_id(),
            port: 1883,
            secure: false,
            protocol,
            user,
            connected_ms: NOW_MS,
        };
        if let Some(announcement) = SEED.presence(peer, &presence) {
            self.announce(announcement);
        }
    }

    /// Gives a message to everyone who subscribed to it: one copy for each filter before 5.0, one for all in 5.0, and
    /// one for each filter of a group.
    fn route(&mut self, topic: &str, payload: &[u8], qos: QoS) {
        let mut served: Vec<(String, String)> = Vec::new();
        let keys: Vec<String> = self.sessions.keys().cloned().collect();
        for key in keys {
            let Some(session) = self.sessions.get(&key) else { continue };
            let mut copies: Vec<QoS> = Vec::new();
            for it in &session.subscriptions {
                let Some(route) = it.route.as_ref().filter(|it| mqtt::topic::matches(it, topic)) else {
                    continue;
                };
                if let Some(share) = &session.share {
                    let member = (share.clone(), route.clone());
                    if served.contains(&member) {
                        continue;
                    }
                    served.push(member);
                }
                copies.push(it.qos.min(qos));
            }
            if session.version == Version::V5 {
                copies = copies.into_iter().max().into_iter().collect();
            }
            for qos in copies {
                self.deliver(&key, topic, payload, qos, false);
            }
        }
    }
}

/// The topic as the peer sees it.
fn seen(peer: &Peer, topic: &str) -> String {
    let view: View = SEED.view(peer);
    let (first, rest) = view.parts(topic);
    format!("{first}{rest}")
}

/// How a session of this client is found again; a session that nobody finds again has a key of its own.
fn session_key(rule: SessionRule, client_id: &str, connection: usize) -> String {
    match rule {
        SessionRule::Takeover => client_id.to_owned(),
        SessionRule::Fresh => format!("{client_id} #{connection}"),
    }
}
