//! One client's side of the protocol, as a function of its inputs.
//!
//! The owner (a connection) has answered CONNECT and decodes every packet that follows. It feeds them in, together with
//! what the store and the router answer, and carries out the effects in order. The session never reads a clock:
//! `now_ms` is the owner's monotonic clock in milliseconds, any origin. It never acknowledges what was not reported
//! stored, keeps no message, and knows neither rights nor topics; the will stays with the owner, who learns from
//! [`Close`] whether it is to be published.
//!
//! An idle session owns nothing on the heap.

mod alias;
mod inbound;
mod outbound;
mod overdue;
mod terms;

use std::sync::Arc;

use crate::codec::{Violation, variable_bytes};
use crate::packet::{
    Ack, Disconnect, Kind, Packet, Publish, PublishParts, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use crate::property::Properties;
use crate::{QoS, Reason, Version};
use inbound::Inbound;
use outbound::Outbound;
use overdue::Overdue;
pub use terms::Terms;

/// What was agreed by CONNECT and CONNACK, and what an earlier connection left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The version that the client speaks.
    pub version: Version,
    /// Seconds of keep alive in force (5.0: the server's, if it named one); 0 for none.
    pub keep_alive_s: u16,
    /// For a session that outlives its connection: what is stored of it, nothing at all if it is new. `None` for a
    /// session that ends with its connection.
    pub durable: Option<Restored>,
    /// QoS 1 and 2 messages that may be under way to the client: the lower of our bound and its receive maximum.
    pub inflight_count_max: u16,
    /// QoS 1 and 2 messages that the client may have under way to us: the receive maximum that we announced. Held
    /// against 5.0 clients only; older ones were never told.
    pub receive_count_max: u16,
    /// Topics for which the client may choose a number: the topic alias maximum that we announced, 0 for none; at most
    /// [`TOPIC_ALIAS_COUNT_MAX`](crate::limits::TOPIC_ALIAS_COUNT_MAX).
    pub topic_alias_count_max: u16,
    /// Whether the owner is told when the client releases a message at QoS 2 ([`Effect::Release`]), because it does
    /// something with the message only then.
    pub tells_releases: bool,
    /// Milliseconds for which the client may leave a message at QoS 2 without PUBREC, or a PUBREC without PUBREL; 0 for
    /// any time, as the standard has it.
    pub answer_ms_max: u32,
    /// What the client's CONNECT asks for.
    pub terms: Terms,
}

impl Opening {
    /// Without keep alive, without anything stored, and without bounds on what is under way: for the fields that do not
    /// matter.
    pub fn new(version: Version) -> Opening {
        Opening {
            version,
            keep_alive_s: 0,
            durable: None,
            inflight_count_max: u16::MAX,
            receive_count_max: u16::MAX,
            topic_alias_count_max: 0,
            tells_releases: false,
            answer_ms_max: 0,
            terms: Terms::default(),
        }
    }
}

/// What is stored of a durable session beside its queue and its subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Packet ids of QoS 2 messages that were received and not released ([`Keep::Receive`]), in any order.
    pub received: Vec<u16>,
    /// The last place that was ever sent ([`Keep::Sent`]), 0 for none.
    pub sent_place: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The client sent a packet.
    Packet(Packet<'a>),
    /// What a receipt stands for is on disk.
    Stored(Receipt),
    /// A PUBLISH at QoS 1 or 2 was refused; `reason` goes out in 5.0, a plain acknowledgement before it.
    Refused {
        /// Of the PUBLISH.
        packet_id: u16,
        /// Of the PUBLISH.
        qos: QoS,
        /// Why; below 0x80 it counts as taken.
        reason: Reason,
        /// The reason in words, and whatever else explains it. Sent in 5.0 only, and only to a client that asks
        /// for it and takes a packet of that size.
        properties: Properties<'a>,
    },
    /// The filters of a SUBSCRIBE were decided.
    Granted {
        /// Of the SUBSCRIBE.
        packet_id: u16,
        /// One per filter, by [`Session::grant_code`].
        codes: &'a [u8],
        /// See [`Input::Refused`].
        properties: Properties<'a>,
    },
    /// The filters of an UNSUBSCRIBE were removed.
    Removed {
        /// Of the UNSUBSCRIBE.
        packet_id: u16,
        /// One per filter: reason codes of 5.0, not sent before it.
        codes: &'a [u8],
        /// See [`Input::Refused`].
        properties: Properties<'a>,
    },
    /// A message for the client. Feed at most [`Session::room`] of them at QoS 1 and 2.
    Deliver(Delivery<'a>),
    /// Time passed; feed when [`Session::deadline_ms`] is reached.
    Tick,
}

/// A message to deliver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The topic name as the client is to see it.
    pub topic: &'a str,
    /// Properties that travel with the message, as bytes of 5.0; not sent before it.
    pub headers: &'a [u8],
    /// Any bytes.
    pub payload: &'a [u8],
    /// The lower of the message's quality and the subscription's.
    pub qos: QoS,
    /// The retain flag as the client is to see it: a retained message for a new subscription, or (5.0) a live one whose
    /// publisher set it, for a subscription with retain as published.
    pub retain: bool,
    /// The numbers that the client gave those of its subscriptions that match (5.0), in any order; 0 says nothing.
    pub identifiers: &'a [u32],
    /// Seconds for which the message is still of use, if its publisher bounded that (5.0): sent instead of what the
    /// headers say. One that is of no use any more is not to be delivered, unless it was sent before.
    pub expires_in_s: Option<u32>,
    /// Its place in the stored queue, for a durable session; the packet id is derived from it. At QoS 1 and 2 it has
    /// one always, at QoS 0 where it has waited there, which it leaves when it is sent. Places start at 1 and are fed
    /// in ascending order: one that was fed on this connection before is ignored.
    pub place: Option<u64>,
    /// It may have been sent before (DUP). A durable session knows that itself for places up to its mark.
    pub again: bool,
    /// The client has answered PUBREC already: only PUBREL goes out.
    pub released: bool,
}

/// A promise the session keeps once the owner reports it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// A PUBLISH was accepted: PUBACK or PUBREC.
    Publish {
        /// Of the PUBLISH.
        packet_id: u16,
        /// Of the PUBLISH.
        qos: QoS,
    },
    /// A PUBREC was noted: PUBREL.
    Release {
        /// Of the message sent.
        packet_id: u16,
    },
    /// A message at QoS 2 left the queue: its packet id may be used again.
    Dequeue {
        /// Of the message sent.
        packet_id: u16,
    },
    /// A PUBREL was noted: PUBCOMP.
    Complete {
        /// Of the message received.
        packet_id: u16,
    },
}

/// What a durable session wants stored. Order matters within one packet id or place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything up to this place was sent. Marks only grow, so the last of a batch says it all.
    Sent {
        /// In the stored queue.
        place: u64,
    },
    /// The client has the message at this place; only PUBREL is left of it.
    Release {
        /// In the stored queue.
        place: u64,
    },
    /// The message at this place is done with.
    Dequeue {
        /// In the stored queue.
        place: u64,
    },
    /// A QoS 2 message with this packet id was taken. Comes right behind its [`Effect::Publish`] and belongs into the
    /// same atomic batch as the message itself. Store it only with the message: where that is refused, or the
    /// connection closed instead, an id on disk would make us acknowledge a repetition of what we never took.
    Receive {
        /// Chosen by the client.
        packet_id: u16,
    },
    /// The packet id is free again.
    ReceiveDone {
        /// Chosen by the client.
        packet_id: u16,
    },
}

/// What the owner has to do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Send this packet; never a PUBLISH.
    Send(Packet<'a>),
    /// Send this message, with [`encode_publish`](crate::codec::encode_publish).
    Deliver(PublishParts<'a>),
    /// A message to deliver was left out: it is larger than the client's maximum packet size, and counts as delivered
    /// [MQTT-3.1.2-25 of 5.0].
    TooLarge {
        /// Of the packet that it would have been.
        bytes: usize,
    },
    /// Decide about the message, route and store it. At QoS 1 and 2 answer with `Stored(Receipt::Publish)` once it
    /// is stored, or with `Refused`. Where the topic is empty, ask [`Session::aliased_topic`] before the next step. Of
    /// its properties, [`travelling`](Properties::travelling) goes on with the message.
    Publish(Publish<'a>),
    /// The client has released a message at QoS 2 that it published, on this connection or an earlier one. Answer with
    /// `Stored(Receipt::Complete)` once what comes of it is stored, in one atomic batch with the [`Keep::ReceiveDone`]
    /// that follows where the session is durable. Only where [`Opening::tells_releases`].
    Release {
        /// Chosen by the client.
        packet_id: u16,
    },
    /// Decide about the filters; answer with `Granted`.
    Subscribe(Subscribe<'a>),
    /// Remove the filters; answer with `Removed`.
    Unsubscribe(Unsubscribe<'a>),
    /// Store this.
    Keep {
        /// What to store.
        what: Keep,
        /// To be fed back as `Stored` when it is on disk.
        receipt: Option<Receipt>,
    },
    /// Close the connection (after sending what was sent before). The last effect of a session.
    Close(Close),
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client said DISCONNECT.
    Goodbye {
        /// A 5.0 client gave another reason than a normal disconnection (0x04 asks for nothing else): its will is
        /// to be published. Otherwise the will is discarded [MQTT-3.14.4-3].
        send_will: bool,
        /// Seconds for which the session is to outlive the connection, where the client changed its mind (5.0).
        session_expiry_s: Option<u32>,
    },
    /// Nothing was heard for one and a half times the keep alive [MQTT-3.1.2-24].
    KeepAliveExpired,
    /// The client has left this answer out for longer than [`Opening::answer_ms_max`].
    AnswerOverdue(Kind),
    /// The client broke the protocol; the session has already sent DISCONNECT where 5.0 allows it.
    Protocol(Violation),
}

/// One client's side of the protocol.
#[derive(Debug)]
pub struct Session {
    version: Version,
    is_open: bool,
    /// Milliseconds of silence that are allowed, 0 for any.
    silence_ms_max: u32,
    heard_at_ms: u64,
    terms: Terms,
    inbound: Inbound,
    outbound: Outbound,
    overdue: Option<Box<Overdue>>,
}

impl Session {
    /// A session whose CONNECT has been accepted just now.
    pub fn open(now_ms: u64, hello: &Opening) -> Session {
        Session {
            version: hello.version,
            is_open: true,
            silence_ms_max: u32::from(hello.keep_alive_s) * 1_500,
            heard_at_ms: now_ms,
            terms: hello.terms,
            inbound: Inbound::new(hello),
            outbound: Outbound::new(hello),
            overdue: Overdue::after(hello.answer_ms_max),
        }
    }

    /// Advances the session by one input. A session that has closed ignores every input.
    pub fn step<'a>(&mut self, now_ms: u64, input: Input<'a>, effects: &mut Vec<Effect<'a>>) {
        if !self.is_open {
            return;
        }
        if let Some(overdue) = &mut self.overdue {
            overdue.hear(&input);
        }
        let before = effects.len();
        self.deal_with(now_ms, input, effects);
        if let (Some(overdue), Some(effects)) = (&mut self.overdue, effects.get(before..)) {
            overdue.say(effects, now_ms);
        }
    }

    fn deal_with<'a>(&mut self, now_ms: u64, input: Input<'a>, effects: &mut Vec<Effect<'a>>) {
        match input {
            Input::Packet(packet) => {
                self.heard_at_ms = now_ms;
                if let Err(violation) = self.on_packet(packet, effects) {
                    self.close(Close::Protocol(violation), Some(violation.reason), effects);
                }
            }
            Input::Stored(Receipt::Publish { packet_id, qos }) => {
                self.inbound.on_stored(packet_id, qos, effects);
            }
            Input::Stored(Receipt::Complete { packet_id }) => self.inbound.on_completed(packet_id, effects),
            Input::Stored(Receipt::Release { packet_id }) => {
                self.outbound.on_release_stored(packet_id, effects);
            }
            Input::Stored(Receipt::Dequeue { packet_id }) => self.outbound.on_dequeued(packet_id),
            Input::Refused { packet_id, qos, reason, properties } => {
                let properties = self.explanation(properties, 1);
                self.inbound.on_refused(Ack { packet_id, reason, properties }, qos, effects);
            }
            Input::Granted { packet_id, codes, properties } => {
                let properties = self.explanation(properties, codes.len());
                self.answer(Packet::SubAck(SubAck { packet_id, properties, codes }), codes.len(), effects);
            }
            Input::Removed { packet_id, codes, properties } => {
                let properties = self.explanation(properties, codes.len());
                self.answer(
                    Packet::UnsubAck(UnsubAck { packet_id, properties, codes }),
                    codes.len(),
                    effects,
                );
            }
            Input::Deliver(delivery) => self.outbound.deliver(&delivery, effects),
            Input::Tick => self.on_tick(now_ms, effects),
        }
    }

    fn on_tick(&mut self, now_ms: u64, effects: &mut Vec<Effect<'_>>) {
        if self.silence_ends_ms().is_some_and(|it| now_ms >= it) {
            self.close(Close::KeepAliveExpired, Some(Reason::KEEP_ALIVE_TIMEOUT), effects);
        } else if let Some((_, answer)) = self.next_answer().filter(|(due_ms, _)| now_ms >= *due_ms) {
            self.close(Close::AnswerOverdue(answer), Some(Reason::IMPLEMENTATION_SPECIFIC), effects);
        }
    }

    fn on_packet<'a>(&mut self, packet: Packet<'a>, effects: &mut Vec<Effect<'a>>) -> Result<(), Violation> {
        match packet {
            Packet::Publish(publish) => return self.inbound.on_publish(publish, effects),
            Packet::PubAck(ack) => self.outbound.on_acknowledged(&ack, effects),
            Packet::PubRec(ack) => self.outbound.on_received(&ack, effects),
            Packet::PubRel(ack) => self.inbound.on_release(&ack, effects),
            Packet::PubComp(ack) => self.outbound.on_completed(&ack, effects),
            Packet::Subscribe(subscribe) => effects.push(Effect::Subscribe(subscribe)),
            Packet::Unsubscribe(unsubscribe) => effects.push(Effect::Unsubscribe(unsubscribe)),
            Packet::PingReq => {
                // A client that has to ping has had nothing else to say for a while.
                self.inbound.rest();
                self.outbound.rest();
                effects.push(Effect::Send(Packet::PingResp));
            }
            Packet::Disconnect(disconnect) => return self.on_disconnect(&disconnect, effects),
            Packet::Connect(_) => return Err(SECOND_CONNECT),
            Packet::Auth(_) => return Err(AUTH_WITHOUT_METHOD),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                return Err(ONLY_FROM_SERVERS);
            }
        }
        Ok(())
    }

    fn on_disconnect(
        &mut self,
        disconnect: &Disconnect<'_>,
        effects: &mut Vec<Effect<'_>>,
    ) -> Result<(), Violation> {
        let session_expiry_s = disconnect.properties.session_expiry_s();
        if self.terms.session_expiry_s == 0 && session_expiry_s.is_some_and(|it| it != 0) {
            return Err(EXPIRY_AFTERWARDS);
        }
        let send_will = disconnect.reason != Reason::SUCCESS;
        self.close(Close::Goodbye { send_will, session_expiry_s }, None, effects);
        Ok(())
    }

    /// What may go out with an acknowledgement of so many codes: all or nothing [MQTT-3.1.2-29, MQTT-3.4.2-2 of 5.0].
    fn explanation<'a>(&self, properties: Properties<'a>, code_count: usize) -> Properties<'a> {
        let bytes = properties.as_bytes().len();
        let fits = || self.fits(variable_bytes(bytes) + bytes + code_count);
        if self.terms.asks_for_problem_information && fits() { properties } else { Properties::EMPTY }
    }

    /// SUBACK or UNSUBACK. One with so many codes that the client cannot take it ends the connection: it asked for more
    /// filters at once than it lets us answer.
    fn answer<'a>(&mut self, packet: Packet<'a>, code_count: usize, effects: &mut Vec<Effect<'a>>) {
        if self.fits(1 + code_count) {
            effects.push(Effect::Send(packet));
        } else {
            self.close(Close::Protocol(ANSWER_TOO_LARGE), Some(ANSWER_TOO_LARGE.reason), effects);
        }
    }

    /// Whether the client takes a packet with a packet identifier and so many bytes behind it.
    fn fits(&self, bytes: usize) -> bool {
        let remaining = 2 + bytes;
        self.version != Version::V5
            || 1 + variable_bytes(remaining) + remaining <= self.terms.packet_bytes_max as usize
    }

    /// The topic of a PUBLISH that this session has just asked its owner to publish, where the client named it by an
    /// alias; `None` where the packet has the topic itself. Ask before the next step: a client may give the number to
    /// another topic.
    pub fn aliased_topic(&self, publish: &Publish<'_>) -> Option<Arc<str>> {
        if publish.topic.is_empty() { self.inbound.aliased_topic(publish) } else { None }
    }

    /// The last effects: DISCONNECT with the reason, if there is one and the version can say it, and the close.
    fn close(&mut self, close: Close, reason: Option<Reason>, effects: &mut Vec<Effect<'_>>) {
        if let (Version::V5, Some(reason)) = (self.version, reason) {
            effects.push(Effect::Send(Packet::Disconnect(Disconnect::with(reason))));
        }
        effects.push(Effect::Close(close));
        self.is_open = false;
    }

    /// How many more QoS 1 and 2 messages fit into the window now. It grows with the client's answers and, for a
    /// durable session, with what is reported stored, so ask again after each input.
    pub fn room(&self) -> usize {
        if self.is_open { self.outbound.room() } else { 0 }
    }

    /// The highest place that may be delivered now; one beyond it would use a packet id that is still in use, and is
    /// ignored. `u64::MAX` unless an old message has been left unanswered.
    pub fn place_max(&self) -> u64 {
        self.outbound.place_max()
    }

    /// Publishes and releases of the client that wait for the owner's report. Pause reading when there are too many.
    pub fn unacknowledged(&self) -> usize {
        self.inbound.owed_count()
    }

    /// Whether nothing is under way: nothing sent to the client is unanswered, and it waits for no answer of ours to
    /// its messages.
    pub fn is_idle(&self) -> bool {
        self.inbound.owed_count() == 0 && self.outbound.is_empty()
    }

    /// When to feed a tick, on the owner's clock; `None` where nothing is timed, and after closing.
    pub fn deadline_ms(&self) -> Option<u64> {
        let answer_ms = self.next_answer().map(|it| it.0);
        self.silence_ends_ms().into_iter().chain(answer_ms).min().filter(|_| self.is_open)
    }

    fn silence_ends_ms(&self) -> Option<u64> {
        let ends_ms = self.heard_at_ms.saturating_add(u64::from(self.silence_ms_max));
        (self.silence_ms_max > 0).then_some(ends_ms)
    }

    /// The answer of the client that is due next, where it is given a time for answers, and when.
    fn next_answer(&self) -> Option<(u64, Kind)> {
        self.overdue.as_ref().and_then(|it| it.next())
    }

    /// The code in a SUBACK for a filter that was granted or refused, in the wire numbers of the version. MQTT 3.1 has
    /// no failure code: such a client is told QoS 0 and receives nothing.
    pub fn grant_code(&self, granted: Result<QoS, Reason>) -> u8 {
        match (granted, self.version) {
            (Ok(qos), _) => qos as u8,
            (Err(_), Version::V31) => QoS::AtMostOnce as u8,
            (Err(_), Version::V311) => SubAck::FAILURE,
            (Err(reason), Version::V5) => reason.0,
        }
    }
}

const SECOND_CONNECT: Violation = Violation::protocol("MQTT-3.1.0-2", "a client sent a second CONNECT");

const AUTH_WITHOUT_METHOD: Violation =
    Violation::protocol("5.0 § 4.12", "a client sent AUTH without having agreed on a method in CONNECT");

const ONLY_FROM_SERVERS: Violation =
    Violation::protocol("§ 2.2.1", "a client sent a packet that only a server may send");

const EXPIRY_AFTERWARDS: Violation = Violation::protocol(
    "5.0 § 3.14.2.2.2",
    "DISCONNECT asks for a session that outlives its connection, which CONNECT did not",
);

const ANSWER_TOO_LARGE: Violation = Violation::new(
    Reason::PACKET_TOO_LARGE,
    "5.0 § 3.1.2.11.4",
    "the answer to a packet is larger than the client's maximum packet size",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() < 200, "{} bytes", size_of::<Session>());
    }
}
