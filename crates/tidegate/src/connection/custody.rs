//! Messages at QoS 2 that wait for their release, in a dialect whose messages go on only then (spec onenet 5.3).
//!
//! PUBREC says that a message is safe: a durable session's is stored with its packet id, so that its release is good on
//! a later connection too, after a crash of ours as well. What a clean session has published dies with it before it is
//! released, as the client's own copy does. The connection has all of them in memory, within bounds; what is beyond
//! them is refused when it comes. A release and what it puts into stored queues are one batch.

use std::collections::BTreeMap;

use domain::{Code, Received, Refusal, Unreleased};
use mqtt::session::Receipt;
use store::{Change, SessionState};

use super::Connection;
use super::batch::{Answer, Batch};
use super::publish::{Inbound, Source, acknowledge};
use super::topics::Way;
use crate::hub::delivery::{Outbound, Round, deadline_ms};
use crate::limits;

/// The messages of one connection, by the packet ids that the client chose. Never none.
#[derive(Default)]
pub(super) struct Custody {
    messages: BTreeMap<u16, Unreleased>,
    bytes: usize,
}

impl Custody {
    /// What earlier connections of the session left.
    pub(super) fn restored(state: &SessionState) -> Option<Box<Custody>> {
        let mut custody = Custody::default();
        for Received { packet_id, message } in &state.received {
            if let Some(message) = message {
                custody.put(*packet_id, message.clone());
            }
        }
        (!custody.messages.is_empty()).then(|| Box::new(custody))
    }

    /// Whether there is room for another message of so many bytes. One alone is always taken.
    fn has_room(&self, bytes: usize) -> bool {
        self.messages.is_empty()
            || (self.messages.len() < limits::UNRELEASED_COUNT_MAX
                && self.bytes + bytes <= limits::UNRELEASED_BYTES_MAX)
    }

    fn put(&mut self, packet_id: u16, message: Unreleased) {
        self.bytes += message.message.cost_bytes();
        if let Some(replaced) = self.messages.insert(packet_id, message) {
            self.bytes -= replaced.message.cost_bytes();
        }
    }

    fn take(&mut self, packet_id: u16) -> Option<Unreleased> {
        let taken = self.messages.remove(&packet_id)?;
        self.bytes -= taken.message.cost_bytes();
        Some(taken)
    }
}

impl Connection {
    /// Keeps a message until it is released, or refuses it.
    pub(super) fn hold(&mut self, way: &Way, inbound: &Inbound<'_>, retain: bool, batch: &mut Batch) {
        let message = domain::Message::shared(&way.topic, inbound.headers, inbound.payload);
        if self.custody.as_ref().is_some_and(|it| !it.has_room(message.cost_bytes())) {
            let hint = format!(
                "{} messages at QoS 2, or {} bytes of them, wait for the client's PUBREL, and no more may: release \
                 them first",
                limits::UNRELEASED_COUNT_MAX,
                limits::UNRELEASED_BYTES_MAX
            );
            return self.refuse_publish(inbound, &Refusal::new(Code::TooMany, hint), batch);
        }
        let unreleased = Unreleased { message, retain, expires_ms: inbound.expires_ms };
        self.custody.get_or_insert_default().put(inbound.packet_id, unreleased);
        acknowledge(inbound, batch);
    }

    /// The note of a packet id that was received, with the message where that is kept until its release.
    pub(super) fn receive_change(&self, session: domain::SessionId, packet_id: u16) -> Change {
        let message = self.custody.as_ref().and_then(|it| it.messages.get(&packet_id)).cloned();
        Change::Receive { org: self.peer.org(), session, packet_id, message: message.map(Box::new) }
    }

    /// The client has released a message: it goes on, if it was kept for that.
    pub(super) fn on_release(&mut self, packet_id: u16, batch: &mut Batch) {
        if let Some(released) = self.custody.as_mut().and_then(|it| it.take(packet_id)) {
            self.custody.take_if(|it| it.messages.is_empty());
            self.forward(&released, batch);
        }
        batch.answers.push(Answer::Receipt(Receipt::Complete { packet_id }));
    }

    fn forward(&self, released: &Unreleased, batch: &mut Batch) {
        let Unreleased { message, retain, expires_ms } = released;
        let (hub, space) = (&self.worker.hub, &self.seat.space);
        let mut outbound = Outbound {
            org: self.peer.org(),
            topic: message.topic(),
            headers: message.headers(),
            payload: message.payload(),
            qos: domain::QoS::ExactlyOnce,
            retain: *retain,
            deadline_ms: deadline_ms(self.wall_ms(), hub.limits.queue_retention_s, *expires_ms),
            expires_ms: *expires_ms,
            absent: space.customs.messages,
            message: Some(message.clone()),
            from: Some(self.seat.subscriber()),
        };
        if *retain {
            match hub.retain_published(space, &mut outbound, Source::Client, self.seat.subscriber()) {
                Ok(ticket) => batch.until = ticket.max(batch.until),
                // It was acknowledged: those who are subscribed get it all the same.
                Err(refusal) => self.record("publish", Some(message.topic()), &refusal),
            }
        }
        let mut round =
            Round { changes: &mut batch.changes, wake: &mut batch.wake, counts: &mut batch.counts };
        outbound.deliver(&space.targets(message.topic()), &mut round);
    }
}
