//! From bytes to packets, from packets through the session, and what its effects ask for.

use dialects::Leniency;
use domain::{Closing, Code, Refusal};
use mqtt::Version;
use mqtt::codec::{self, Frame, Violation};
use mqtt::packet::{Disconnect, Kind, Packet};
use mqtt::property::Properties;
use mqtt::reason::Reason;
use mqtt::session::{Close, Effect, Input, Keep, Receipt};
use store::{Change, Ticket};

use super::Connection;
use super::batch::{Answer, Batch, Granted, Refused, Removed};
use crate::limits;

/// The ticket of a place that is kept: never stored.
const NOT_YET: Ticket = Ticket(u64::MAX);

/// A list for effects that borrow from somewhere else next time, in the same allocation.
fn recycle(mut effects: Vec<Effect<'_>>) -> Vec<Effect<'static>> {
    effects.clear();
    effects.into_iter().map(|_| unreachable!("the list was emptied")).collect()
}

impl Connection {
    /// Works through everything that was read, and hands what came of it to the store as one batch.
    pub(super) fn take_bytes(&mut self, mut bytes: &[u8]) {
        if self.writing.capacity() == 0 {
            self.writing = self.worker.spare();
        }
        let mut batch = self.begin();
        self.note_activity();
        while !self.partial.is_empty() && !bytes.is_empty() && self.takes_more() {
            match self.frame(&self.partial) {
                Ok(Frame::Incomplete { needed }) => {
                    let (now, later) = bytes.split_at(needed.min(bytes.len()));
                    self.partial.extend_from_slice(now);
                    bytes = later;
                }
                Ok(Frame::Whole { .. }) => self.take_partial(&mut batch),
                Err(violation) => self.on_violation(&violation),
            }
        }
        if self.partial.is_empty() {
            self.take_whole_packets(bytes, &mut batch);
        } else if matches!(self.frame(&self.partial), Ok(Frame::Whole { .. })) {
            self.take_partial(&mut batch);
        }
        self.finish(batch);
    }

    fn takes_more(&self) -> bool {
        self.closing.is_none() && !self.is_leaving
    }

    fn take_partial(&mut self, batch: &mut Batch) {
        let packet = std::mem::take(&mut self.partial);
        self.on_packet(&packet, batch);
    }

    fn take_whole_packets(&mut self, mut bytes: &[u8], batch: &mut Batch) {
        while !bytes.is_empty() && self.takes_more() {
            match self.frame(bytes) {
                Ok(Frame::Whole { len }) => {
                    let (packet, later) = bytes.split_at(len);
                    self.on_packet(packet, batch);
                    bytes = later;
                }
                Ok(Frame::Incomplete { .. }) => {
                    self.partial.extend_from_slice(bytes);
                    return;
                }
                Err(violation) => self.on_violation(&violation),
            }
        }
    }

    fn frame(&self, bytes: &[u8]) -> Result<Frame, Violation> {
        codec::frame(bytes, self.payload_bytes_max() + limits::PACKET_OVERHEAD_BYTES_MAX)
    }

    fn on_packet(&mut self, packet: &[u8], batch: &mut Batch) {
        let decoded = codec::decode_from_client(packet, self.version);
        match decoded.or_else(|violation| self.decode_leniently(packet, violation)) {
            Ok(packet) => {
                self.note_received(&packet);
                self.step(Input::Packet(packet), batch);
            }
            Err(violation) => self.on_violation(&violation),
        }
    }

    /// Reads a packet that breaks a rule once more, where the rule may be broken.
    fn decode_leniently<'a>(&self, packet: &'a [u8], violation: Violation) -> Result<Packet<'a>, Violation> {
        if !self.dialect.forgives(Leniency::ClearedBits) {
            return Err(violation);
        }
        let packet = codec::decode_from_lax_client(packet, self.version)?;
        self.worker.hub.counters.forgive(Leniency::ClearedBits);
        Ok(packet)
    }

    /// The client's bytes are not MQTT, or break a rule that is seen without the session.
    fn on_violation(&mut self, violation: &Violation) {
        if self.version == Version::V5 {
            self.send_disconnect(violation.reason);
        }
        self.on_protocol_error(violation);
    }

    /// The client breaks the rules of what carries its MQTT: TLS or WebSocket.
    pub(super) fn on_transport_fault(&mut self, error: &std::io::Error) {
        self.record("packet", None, &Refusal::new(Code::Malformed, error.to_string()));
        self.closing.get_or_insert(Closing::ProtocolError);
    }

    fn on_answer_overdue(&mut self, answer: Kind) {
        let limit_ms = self.worker.hub.limits.answer_ms_max;
        let hint = format!(
            "the client left out {answer:?} for {limit_ms} ms and was disconnected: finish each message at QoS 2, or \
             raise limits.answer_ms_max"
        );
        self.record("packet", None, &Refusal::new(Code::RequestInvalid, hint));
        self.closing.get_or_insert(Closing::AnswerOverdue);
    }

    fn on_protocol_error(&mut self, violation: &Violation) {
        let (closing, code) = match violation.reason {
            Reason::PACKET_TOO_LARGE => (Closing::TooLarge, Code::TooLarge),
            _ => (Closing::ProtocolError, Code::Malformed),
        };
        let hint = format!("{violation}: the client breaks the rules of MQTT and was disconnected");
        self.record("packet", None, &Refusal::new(code, hint));
        self.closing.get_or_insert(closing);
    }

    pub(super) fn send_disconnect(&mut self, reason: Reason) {
        let packet = Packet::Disconnect(Disconnect { reason, properties: Properties::EMPTY });
        codec::encode(&packet, self.version, &mut self.writing);
    }

    /// Feeds the session one input and carries its effects out.
    pub(super) fn step(&mut self, input: Input<'_>, batch: &mut Batch) {
        let mut effects: Vec<Effect<'_>> = std::mem::take(&mut self.worker.lent.borrow_mut().effects);
        self.session.step(self.now_ms(), input, &mut effects);
        for effect in &effects {
            self.carry_out(effect, batch);
        }
        self.worker.lent.borrow_mut().effects = recycle(effects);
    }

    fn carry_out(&mut self, effect: &Effect<'_>, batch: &mut Batch) {
        match *effect {
            Effect::Send(packet) => codec::encode(&packet, self.version, &mut self.writing),
            Effect::Deliver(parts) => {
                self.tally.write_count += 1;
                self.note_sent(parts.packet_id);
                codec::encode_publish(&mut self.writing, self.version, &parts);
            }
            Effect::TooLarge { .. } => batch.counts.dropped += 1,
            Effect::Publish(publish) => self.on_publish(&publish, batch),
            Effect::Release { packet_id } => self.on_release(packet_id, batch),
            Effect::Subscribe(subscribe) => self.on_subscribe(&subscribe, batch),
            Effect::Unsubscribe(unsubscribe) => self.on_unsubscribe(&unsubscribe, batch),
            Effect::Keep { what, receipt } => self.keep(what, receipt, batch),
            Effect::Close(Close::Goodbye { send_will, session_expiry_s }) => {
                if !send_will {
                    self.will = None;
                }
                self.expiry_s = session_expiry_s.unwrap_or(self.expiry_s);
                self.closing.get_or_insert(Closing::Normal);
            }
            Effect::Close(Close::KeepAliveExpired) => {
                self.closing.get_or_insert(Closing::KeepAliveExpired);
            }
            Effect::Close(Close::AnswerOverdue(answer)) => self.on_answer_overdue(answer),
            Effect::Close(Close::Protocol(violation)) => self.on_protocol_error(&violation),
        }
    }

    /// Stores what a durable session wants to remember.
    fn keep(&mut self, what: Keep, receipt: Option<Receipt>, batch: &mut Batch) {
        let Some(session) = self.seat.session() else { return };
        let org = self.peer.org();
        let change = match what {
            Keep::Receive { packet_id } if self.is_undecided(packet_id, batch) => return,
            Keep::Receive { packet_id } => self.receive_change(session, packet_id),
            Keep::ReceiveDone { packet_id } => Change::ReceiveDone { org, session, packet_id },
            Keep::Sent { place } => Change::Sent { org, session, seq: place },
            Keep::Release { place } => Change::Release { org, session, seq: place },
            Keep::Dequeue { place } => Change::Dequeue { org, session, seq: place },
        };
        if let (Change::Sent { seq, .. }, Some(Change::Sent { seq: before, .. })) =
            (&change, batch.changes.list.last_mut())
        {
            // Marks only grow: the last one says it all.
            *before = *seq;
            return;
        }
        batch.changes.push(change);
        batch.answers.extend(receipt.map(Answer::Receipt));
    }

    /// Whether the message with this packet id is not part of the batch: parked, refused, or the reason to close. Its
    /// packet id must not be remembered then, or the client's next attempt would pass for one that was taken.
    pub(super) fn is_undecided(&mut self, packet_id: u16, batch: &Batch) -> bool {
        self.closing.is_some()
            || matches!(batch.answers.last(), Some(Answer::Refused(it)) if it.packet_id == packet_id)
            || self.parked.keep_receive_with_last(packet_id)
    }

    pub(super) fn begin(&mut self) -> Batch {
        std::mem::take(&mut self.worker.lent.borrow_mut().batch)
    }

    /// Ends a round: one batch to the store, one wake-up for each receiver.
    pub(super) fn finish(&mut self, mut batch: Batch) {
        self.seat.space.traffic.add(std::mem::take(&mut batch.counts));
        while !batch.is_empty() {
            let ticket = self.hand_over(&mut batch);
            let mut answers = std::mem::take(&mut batch.answers);
            for answer in answers.drain(..) {
                let may_answer = ticket == Ticket::NONE && self.pending.is_empty() && !self.outbox_is_full();
                match answer {
                    // Others stand at the head of their round, so that what is retained comes right behind a SUBACK.
                    Answer::Receipt(_) | Answer::Refused(_) if may_answer => self.answer(answer, &mut batch),
                    _ => self.line_up(ticket, answer),
                }
            }
            if batch.answers.is_empty() {
                batch.answers = answers;
            }
        }
        batch.until = Ticket::NONE;
        for subscriber in batch.wake.drain(..) {
            subscriber.wake();
        }
        self.worker.lent.borrow_mut().batch = batch;
    }

    /// Hands the changes to the store. Their ticket, which is none if there is nothing to wait for.
    fn hand_over(&mut self, batch: &mut Batch) -> Ticket {
        let store = &self.worker.hub.store;
        let mut ticket = std::mem::take(&mut batch.until);
        if !batch.changes.is_empty() {
            let overloaded = store.stats().waiting_bytes > limits::STORE_WAITING_BYTES_MAX;
            if overloaded || !batch.answers.is_empty() {
                batch.changes.waiter = Some(self.seat.subscriber().clone());
            }
            ticket = store.commit(std::mem::take(&mut batch.changes));
            if overloaded {
                self.throttle = ticket;
            }
        }
        ticket
    }

    /// Puts an answer behind those that wait, or into the place that is kept for it.
    fn line_up(&mut self, ticket: Ticket, answer: Answer) {
        if matches!(answer, Answer::Parked { .. }) {
            self.places_kept += 1;
            return self.pending.push_back((NOT_YET, answer));
        }
        let kept = answer.publish_id().filter(|_| self.places_kept > 0).and_then(|id| {
            let is_its = |it: &Answer| matches!(it, Answer::Parked { packet_id } if *packet_id == id);
            self.pending.iter_mut().find(|(_, it)| is_its(it))
        });
        match kept {
            Some(place) => {
                *place = (ticket, answer);
                self.places_kept -= 1;
            }
            None => self.pending.push_back((ticket, answer)),
        }
    }

    /// Answers what is stored by now, then tries again what waited for a registration slot.
    pub(super) fn answer_stored(&mut self) {
        let stored = self.worker.hub.store.stored();
        if self.pending.front().is_none_or(|(ticket, _)| *ticket > stored) && self.parked.is_empty() {
            return;
        }
        let mut batch = self.begin();
        // An answer may bring all that is retained with it: the next one waits until the client has taken that.
        while !self.outbox_is_full()
            && let Some((_, answer)) = self.pending.pop_front_if(|(ticket, _)| *ticket <= stored)
        {
            self.answer(answer, &mut batch);
        }
        if self.pending.is_empty() && self.pending.capacity() > 0 {
            self.pending = std::collections::VecDeque::new();
        }
        if !self.parked.is_empty() && self.parked.until <= stored {
            self.retry_parked(&mut batch);
        }
        self.finish(batch);
    }

    fn answer(&mut self, answer: Answer, batch: &mut Batch) {
        match answer {
            Answer::Receipt(receipt) => self.step(Input::Stored(receipt), batch),
            Answer::Refused(refused) => {
                let Refused { packet_id, qos, reason, why } = &*refused;
                let (packet_id, qos, reason, properties) = (*packet_id, *qos, *reason, why.properties());
                self.step(Input::Refused { packet_id, qos, reason, properties }, batch);
            }
            Answer::Goodbye { closing, reason } => self.close(closing, reason),
            // The ticket of a kept place is never stored.
            Answer::Parked { .. } => {}
            Answer::Granted(granted) => {
                let Granted { packet_id, codes, retained, why } = *granted;
                let properties = why.properties();
                self.step(Input::Granted { packet_id, codes: &codes, properties }, batch);
                for wanted in retained {
                    self.replay.get_or_insert_default().push(wanted);
                }
            }
            Answer::Removed(removed) => {
                let Removed { packet_id, codes, why } = *removed;
                let properties = why.properties();
                self.step(Input::Removed { packet_id, codes: &codes, properties }, batch);
            }
        }
    }

    /// Time has passed: the session may want to end.
    pub(super) fn step_tick(&mut self) {
        let mut batch = self.begin();
        self.step(Input::Tick, &mut batch);
        self.finish(batch);
    }
}
