//! Reading a durable session's stored queue, page by page, and delivering from it or from the mailbox.
//!
//! When the connection begins, and whenever the mailbox overflowed, the queue in the store is read from the last place
//! that was handed out; once it has been read to its end, messages come through the mailbox again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use dialects::View;
use domain::{Message, Millis, Queued};
use mqtt::session::{Delivery, Input};
use store::{Change, StoreFault};
use tokio::task::JoinHandle;

use super::Connection;
use super::batch::Batch;
use crate::hub::subscriber::Waiting;
use crate::limits;
use crate::words::wire_qos;

/// Where a connection is in its stored queue.
#[derive(Default)]
pub(super) struct Backlog {
    /// The mailbox has left messages to the store.
    wanted: bool,
    /// Everything up to this place has been handed to the session, or is in `page`.
    read_to: u64,
    /// Everything up to this place may have been sent on an earlier connection.
    sent_before: u64,
    page: VecDeque<Queued>,
    reading: Option<JoinHandle<Result<Vec<Queued>, StoreFault>>>,
}

impl Backlog {
    /// The backlog of a session that had sent everything up to this place before.
    pub(super) fn after(sent_before: u64) -> Backlog {
        Backlog { sent_before, ..Backlog::default() }
    }
}

/// Whether a message may have been sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    First,
    Again,
}

impl Connection {
    /// Moves the backlog on as far as it goes without waiting.
    pub(super) fn poll_backlog(&mut self, cx: &mut Context<'_>) {
        while self.wants_backlog() && self.closing.is_none() && !self.outbox_is_full() {
            self.deliver_page();
            let (Some(session), Some(backlog)) = (self.seat.session(), &mut self.backlog) else { return };
            if !backlog.page.is_empty() || self.session.room() == 0 {
                return;
            }
            let reading = backlog.reading.get_or_insert_with(|| {
                let (store, org, after) = (self.worker.hub.store.clone(), self.peer.org(), backlog.read_to);
                tokio::task::spawn_blocking(move || {
                    let (count, bytes) = (limits::QUEUE_PAGE_COUNT_MAX, limits::QUEUE_PAGE_BYTES_MAX);
                    store.queue(org, session, after, count, bytes)
                })
            });
            let Poll::Ready(outcome) = Pin::new(reading).poll(cx) else { return };
            backlog.reading = None;
            match outcome {
                Ok(Ok(page)) => self.take_page(page),
                Ok(Err(fault)) => self.fail(&fault.to_string()),
                Err(error) => self.fail(&error.to_string()),
            }
        }
    }

    fn take_page(&mut self, page: Vec<Queued>) {
        let Some(backlog) = &mut self.backlog else { return };
        match page.last() {
            Some(last) => backlog.read_to = last.seq,
            None if self.seat.caught_up(backlog.read_to) => backlog.wanted = false,
            None => {}
        }
        backlog.page = page.into();
    }

    /// Whether the stored queue has messages that the mailbox will not bring.
    pub(super) fn wants_backlog(&self) -> bool {
        self.backlog.as_ref().is_some_and(|it| it.wanted)
    }

    /// The mailbox has left messages to the store.
    pub(super) fn want_backlog(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.wanted = true;
        }
    }

    fn deliver_page(&mut self) {
        let mut batch = self.begin();
        while self.session.room() > 0 && !self.outbox_is_full() {
            let place_max = self.session.place_max();
            let Some(backlog) = &mut self.backlog else { break };
            let Some(queued) = backlog.page.pop_front_if(|it| it.seq <= place_max) else { break };
            let sending = if queued.seq <= backlog.sent_before { Sending::Again } else { Sending::First };
            self.deliver_queued(&queued, sending, &mut batch);
        }
        self.finish(batch);
    }

    fn deliver_queued(&mut self, queued: &Queued, sending: Sending, batch: &mut Batch) {
        let expired = queued.deadline_ms != 0 && queued.deadline_ms <= self.wall_ms();
        if expired && sending == Sending::First {
            return self.drop_expired(queued.seq, batch);
        }
        let (topic, headers, payload) = match &queued.message {
            Some(message) => (as_seen(self.view, message.topic()), message.headers(), message.payload()),
            None => (Cow::Borrowed(""), &[][..], &[][..]),
        };
        let delivery = Delivery {
            topic: &topic,
            headers,
            payload,
            qos: wire_qos(queued.qos),
            retain: queued.retain,
            identifiers: &queued.identifiers,
            expires_in_s: self.expires_in_s(queued.expires_ms),
            place: Some(queued.seq),
            again: sending == Sending::Again,
            released: queued.message.is_none(),
        };
        self.step(Input::Deliver(delivery), batch);
    }

    /// Delivers a message from the mailbox. One whose packet id is still in use stays in the store for now, and so do
    /// all behind it: none may overtake it.
    pub(super) fn deliver(&mut self, waiting: &Waiting, batch: &mut Batch) {
        if waiting.place > self.session.place_max() {
            self.seat.leave_to_store(waiting.place);
            self.want_backlog();
            return;
        }
        if let Some(backlog) = &mut self.backlog {
            backlog.read_to = backlog.read_to.max(waiting.place);
        }
        if waiting.expires_ms != 0 && waiting.expires_ms <= self.wall_ms() {
            return self.drop_expired(waiting.place, batch);
        }
        let message: &Message = &waiting.message;
        let topic = as_seen(self.view, message.topic());
        let delivery = Delivery {
            topic: &topic,
            headers: message.headers(),
            payload: message.payload(),
            qos: wire_qos(waiting.qos),
            retain: waiting.retain,
            identifiers: &waiting.identifiers,
            expires_in_s: self.expires_in_s(waiting.expires_ms),
            place: (waiting.place != 0).then_some(waiting.place),
            again: false,
            released: false,
        };
        self.step(Input::Deliver(delivery), batch);
    }

    /// Drops a message that is of no use any more and was never sent [MQTT-3.3.2-5 of 5.0]. Its place is 0 where it is
    /// in no queue.
    fn drop_expired(&self, place: u64, batch: &mut Batch) {
        self.worker.hub.counters.expired.add(1);
        if let Some(session) = self.seat.session().filter(|_| place != 0) {
            let org = self.peer.org();
            batch.changes.push(Change::Dequeue { org, session, seq: place });
        }
    }

    /// The seconds that are left of a message's time, begun ones counted, so that what did not wait is told what its
    /// publisher said [MQTT-3.3.2-6 of 5.0].
    pub(super) fn expires_in_s(&self, expires_ms: Millis) -> Option<u32> {
        let left_ms = expires_ms.saturating_sub(self.wall_ms());
        (expires_ms != 0).then(|| u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX))
    }

    /// The store failed us: nothing of this connection can be relied on.
    fn fail(&mut self, cause: &str) {
        tracing::error!(peer = self.peer.client_id(), cause, "Reading a stored queue failed");
        self.close(domain::Closing::ServerFailed, mqtt::reason::Reason::UNSPECIFIED);
    }
}

/// A canonical topic as the client sees it.
pub(super) fn as_seen(view: View, topic: &str) -> Cow<'_, str> {
    match view.parts(topic) {
        ("", whole) | (whole, "") => Cow::Borrowed(whole),
        (first, rest) => Cow::Owned([first, rest].concat()),
    }
}
