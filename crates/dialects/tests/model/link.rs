//! Connections and sessions of the model.

use std::collections::VecDeque;

use dialects::watson::SEED;
use dialects::{Claimed, Dialect, Hello, Place, Recognition, Request};
use domain::notice::PresenceChange;
use domain::{Closing, Code, Refusal};
use mqtt::property::Properties;
use mqtt::{QoS, Version, packet};
use sim::transcript::{Ack, Asked, Connect, Heard, PacketId};

use super::{Link, Sent, Session, Subscription, World, seen, session_key};

impl World {
    pub(super) fn connect(&mut self, client: &str, connect: &Connect) {
        let will = connect.will.as_deref().map(|topic| packet::Will {
            topic,
            payload: &[],
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        });
        let packet = packet::Connect {
            version: connect.version,
            clean_start: connect.clean,
            keep_alive_s: connect.keep_alive_s,
            client_id: &connect.client_id,
            will,
            username: connect.user.as_deref(),
            password: connect.password.as_deref().map(str::as_bytes),
            properties: Properties::EMPTY,
        };
        let claimed = match SEED.recognise(&Hello {
            connect: &packet,
            from: Place::Elsewhere,
            certificate: None,
            fingerprint: None,
            alone: false,
        }) {
            Recognition::Claimed(claimed) => claimed,
            Recognition::Refused(refusal) => {
                return self.refuse_connection(client, connect.version, &refusal);
            }
            Recognition::Unknown | Recognition::Perhaps(_) => {
                let refusal = Refusal::new(Code::ClientIdUnrecognised, "No dialect knows it.");
                return self.refuse_connection(client, connect.version, &refusal);
            }
        };
        match self.registry.admit(&claimed.claim, &connect.client_id) {
            Err((refusal, peer)) => {
                self.refuse_connection(client, connect.version, &refusal);
                if let Some(peer) = peer {
                    self.presence(&peer, PresenceChange::Failed { refusal });
                }
            }
            Ok(peer) => {
                let will =
                    connect.will.as_deref().map_or(Ok(()), |topic| SEED.uplink(&peer, topic).map(drop));
                match will {
                    Err(refusal) => self.refuse_connection(client, connect.version, &refusal),
                    Ok(()) => self.open(client, connect, &claimed, peer),
                }
            }
        }
    }

    fn refuse_connection(&mut self, client: &str, version: Version, refusal: &Refusal) {
        if let Some(code) = SEED.connack(version, refusal) {
            self.answer(client, Heard::ConnAck { code, present: false });
        }
        self.answer(client, Heard::Closed);
    }

    fn open(&mut self, client: &str, connect: &Connect, claimed: &Claimed<'_>, peer: domain::Peer) {
        self.connections += 1;
        let key = session_key(claimed.session, &connect.client_id, self.connections);
        if let Some(old) = self.sessions.get(&key).and_then(|it| it.client.clone()) {
            self.close(&old, Closing::TakenOver);
        }
        if connect.clean {
            self.sessions.remove(&key);
        }
        let present = self.sessions.contains_key(&key);
        let version = connect.version;
        let durable = !connect.clean && claimed.session == dialects::SessionRule::Takeover;
        let session = self.sessions.entry(key.clone()).or_insert_with(|| Session {
            client: None,
            peer: peer.clone(),
            version,
            durable,
            share: claimed.share.clone(),
            subscriptions: Vec::new(),
            queue: VecDeque::new(),
            sent_count: 0,
            last_id: 0,
        });
        session.client = Some(client.to_owned());
        session.version = version;
        self.answer(client, Heard::ConnAck { code: 0, present });
        let link = Link { version, peer: peer.clone(), session: key.clone(), will: connect.will.clone() };
        self.links.insert(client.to_owned(), link);
        self.resend(client, &key);
        self.presence(&peer, PresenceChange::Connected);
    }

    /// Sends what waits for a session: what was sent before with DUP, the rest for the first time.
    fn resend(&mut self, client: &str, key: &str) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let sent_count = session.sent_count;
        let again = session
            .queue
            .iter()
            .enumerate()
            .map(|(place, it)| Sent { dup: place < sent_count, ..it.clone() });
        let again: Vec<Sent> = again.collect();
        session.sent_count = session.queue.len();
        self.outboxes.entry(client.to_owned()).or_default().messages.extend(again);
    }

    pub(super) fn leave(&mut self, client: &str, closing: Closing) {
        let Some(link) = self.links.remove(client) else { return };
        if let Some(session) = self.sessions.get_mut(&link.session) {
            session.client = None;
            if !session.durable {
                self.sessions.remove(&link.session);
            }
        }
        if let Some(topic) = link.will.as_ref().filter(|_| closing != Closing::Normal) {
            // Checked when the connection was opened.
            if let Ok(uplink) = SEED.uplink(&link.peer, topic) {
                self.route(&uplink.topic, &[], QoS::AtMostOnce);
            }
        }
        let change = PresenceChange::Disconnected {
            closing,
            read_bytes: 0,
            read_count: 0,
            write_bytes: 0,
            write_count: 0,
        };
        self.presence(&link.peer, change);
    }

    pub(super) fn subscribe(&mut self, client: &str, packet_id: u16, filters: &[Asked]) {
        let mut codes = Vec::new();
        for Asked { qos, filter, .. } in filters {
            match self.subscribe_one(client, *qos, filter) {
                Ok(()) => codes.push(*qos as u8),
                Err(refusal) => match self.refuse(client, Request::Subscribe, filter, *qos, &refusal) {
                    Some(code) => codes.push(code),
                    None => return,
                },
            }
        }
        self.answer(client, Heard::SubAck { packet_id, codes });
    }

    fn subscribe_one(&mut self, client: &str, qos: QoS, filter: &str) -> Result<(), Refusal> {
        let Some(link) = self.links.get(client) else { return Ok(()) };
        let (peer, key) = (link.peer.clone(), link.session.clone());
        let grant = SEED.grant(&peer, filter)?;
        if let Some((device_type, name)) = &grant.device {
            self.registry.speak_for(&peer, domain::DeviceName { device_type, name })?;
        }
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        session.subscriptions.retain(|it| it.filter != filter);
        session.subscriptions.push(Subscription {
            filter: filter.to_owned(),
            route: grant.route.clone(),
            qos,
        });
        if let Some(route) = grant.route.filter(|_| grant.reads_retained) {
            let matching = self.retained.iter().filter(|(topic, _)| mqtt::topic::matches(&route, topic));
            let matching: Vec<_> =
                matching.map(|(topic, payload)| (topic.clone(), payload.clone())).collect();
            for (topic, payload) in matching {
                self.deliver(&key, &topic, &payload, QoS::AtMostOnce, true);
            }
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, client: &str, packet_id: u16, filters: &[String]) {
        let mut codes = Vec::new();
        for filter in filters {
            let Some(link) = self.links.get(client) else { return };
            let (peer, key, version) = (link.peer.clone(), link.session.clone(), link.version);
            let Some(session) = self.sessions.get_mut(&key) else { return };
            let count = session.subscriptions.len();
            session.subscriptions.retain(|it| it.filter != *filter);
            let code = match SEED.grant(&peer, filter) {
                _ if session.subscriptions.len() < count => 0,
                Ok(_) => 0x11,
                Err(refusal) => {
                    match self.refuse(client, Request::Unsubscribe, filter, QoS::AtMostOnce, &refusal) {
                        Some(code) => code,
                        None => return,
                    }
                }
            };
            codes.extend((version == Version::V5).then_some(code));
        }
        self.answer(client, Heard::UnsubAck { packet_id, codes });
    }

    /// Gives a message to a session: it is sent, or waits if the session can wait.
    pub(super) fn deliver(&mut self, key: &str, topic: &str, payload: &[u8], qos: QoS, retain: bool) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let mut sent = Sent {
            qos,
            packet_id: None,
            dup: false,
            retain,
            topic: seen(&session.peer, topic),
            payload: payload.to_owned(),
        };
        if qos > QoS::AtMostOnce {
            session.last_id += 1;
            sent.packet_id = Some(session.last_id);
            session.queue.push_back(sent.clone());
        }
        if let Some(client) = session.client.clone() {
            session.sent_count = session.queue.len();
            self.outboxes.entry(client).or_default().messages.push_back(sent);
        }
    }

    /// An acknowledgement of a client.
    pub(super) fn acknowledged(&mut self, client: &str, kind: Ack, id: &PacketId) -> Result<(), String> {
        let names = &self.outbox(client)?.names;
        let number = names.get(id).copied();
        match (kind, number, id) {
            (Ack::Rel, _, id) => {
                self.answer(client, Heard::Ack(Ack::Comp, id.clone(), 0));
                return Ok(());
            }
            (Ack::Rec, Some(_), id) => {
                self.answer(client, Heard::Ack(Ack::Rel, id.clone(), 0));
                return Ok(());
            }
            (Ack::Ack | Ack::Comp, Some(_), _) => {}
            _ => return Err(format!("{client} has heard no message {id:?}")),
        }
        let key = self.links.get(client).map(|it| it.session.clone()).unwrap_or_default();
        let session = self.sessions.get_mut(&key).ok_or("no session")?;
        let place = session.queue.iter().position(|it| it.packet_id == number).ok_or("acknowledged twice")?;
        session.queue.remove(place);
        session.sent_count -= 1;
        Ok(())
    }
}

/// The reason of a DISCONNECT of 5.0.
pub(super) fn disconnect_reason(closing: Closing) -> u8 {
    match closing {
        Closing::TopicInvalid => 0x90,
        Closing::NotAllowed => 0x87,
        Closing::TooLarge => 0x95,
        Closing::TakenOver => 0x8E,
        Closing::KeepAliveExpired => 0x8D,
        Closing::ShuttingDown => 0x8B,
        Closing::Removed => 0x98,
        Closing::ProtocolError => 0x82,
        Closing::Capacity | Closing::TooSlow => 0x97,
        Closing::Normal | Closing::Lost => 0x00,
        Closing::ServerFailed | Closing::AnswerOverdue => 0x83,
    }
}
