//! Retained messages for new subscriptions, sent little by little.
//!
//! A subscription may match more than fits into the client's window or into its buffer, so the routes wait here and
//! each is looked up when its turn has come. A message that was replaced or removed since is left out: whoever is
//! subscribed has had what came instead. At QoS 1 and 2 a durable session gets them through its stored queue, like
//! everything else.

use std::collections::VecDeque;

use domain::{QoS, Retained};
use mqtt::session::{Delivery, Input};
use store::{Change, Ticket};

use super::Connection;
use super::batch::Batch;
use crate::words::wire_qos;

/// A subscription that wants what is retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its filter in the topic space.
    pub(crate) route: String,
    /// The quality that was granted.
    pub(crate) qos: QoS,
    /// Its number (5.0), 0 for none.
    pub(crate) identifier: u32,
    /// Filters whose messages are withheld.
    pub(crate) except: Vec<String>,
}

/// What is still to be sent.
#[derive(Default)]
pub(super) struct Replay {
    /// The subscriptions that have not had their turn; at most one for each route.
    routes: VecDeque<Wanted>,
    /// What the present one has still to come.
    found: VecDeque<Retained>,
    qos: Option<QoS>,
    identifier: u32,
    /// The last portion that went into the stored queue: the next one waits for it.
    until: Ticket,
}

impl Replay {
    /// Adds a subscription; one for the same route takes the place of what is waiting for it.
    pub(super) fn push(&mut self, wanted: Wanted) {
        match self.routes.iter_mut().find(|it| it.route == wanted.route) {
            Some(waiting) => *waiting = wanted,
            None => self.routes.push_back(wanted),
        }
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty() && self.routes.is_empty()
    }
}

impl Connection {
    /// Sends as much as there is room for now.
    pub(super) fn poll_replay(&mut self) {
        if self.replay.is_none() || self.closing.is_some() {
            return;
        }
        let mut batch = self.begin();
        let mut queued_count = 0;
        while !self.outbox_is_full()
            && let Some((retained, qos, identifier)) = self.next_retained()
        {
            let session = self.seat.session().filter(|_| qos != QoS::AtMostOnce);
            let has_room = self.session.room() > queued_count && (session.is_none() || self.may_queue());
            if qos != QoS::AtMostOnce && !has_room {
                self.replay.get_or_insert_default().found.push_front(retained);
                break;
            }
            let Some(session) = session else {
                self.deliver_retained(&retained, qos, identifier, &mut batch);
                continue;
            };
            queued_count += 1;
            batch.changes.push(Change::Enqueue {
                org: self.peer.org(),
                session,
                qos,
                retain: true,
                identifiers: Some(identifier).filter(|it| *it != 0).into_iter().collect(),
                deadline_ms: retained.expires_ms,
                expires_ms: retained.expires_ms,
                unsent_count_max: 0,
                message: retained.message,
                inbox: self.seat.subscriber().clone(),
            });
        }
        if queued_count > 0 {
            let mut changes = std::mem::take(&mut batch.changes);
            changes.waiter = Some(self.seat.subscriber().clone());
            self.replay.get_or_insert_default().until = self.worker.hub.store.commit(changes);
        }
        self.finish(batch);
        let stored = self.worker.hub.store.stored();
        self.replay.take_if(|it| it.is_empty() && it.until <= stored);
    }

    /// Whether a durable session's queue has taken, and handed over, what was put into it before.
    fn may_queue(&self) -> bool {
        let queued_before = self.replay.as_ref().map_or(Ticket::NONE, |it| it.until);
        queued_before <= self.worker.hub.store.stored() && !self.wants_backlog()
    }

    /// The next message with its quality and the number of its subscription.
    fn next_retained(&mut self) -> Option<(Retained, QoS, u32)> {
        let now_ms = self.wall_ms();
        let replay = self.replay.as_deref_mut()?;
        loop {
            let Some(retained) = replay.found.pop_front() else {
                let wanted = replay.routes.pop_front()?;
                (replay.qos, replay.identifier) = (Some(wanted.qos), wanted.identifier);
                replay.found = self.seat.space.retained(&wanted.route, now_ms).into();
                replay.found.retain(|it| {
                    !wanted.except.iter().any(|except| mqtt::topic::matches(except, it.message.topic()))
                });
                continue;
            };
            if self.seat.space.still_retains(&retained) {
                let requested = replay.qos.unwrap_or(QoS::AtMostOnce);
                let qos = self.seat.space.customs.retained.of(retained.qos, requested);
                return Some((retained, qos, replay.identifier));
            }
        }
    }

    fn deliver_retained(&mut self, retained: &Retained, qos: QoS, identifier: u32, batch: &mut Batch) {
        let message = &retained.message;
        let topic = super::backlog::as_seen(self.view, message.topic());
        let delivery = Delivery {
            topic: &topic,
            headers: message.headers(),
            payload: message.payload(),
            qos: wire_qos(qos),
            retain: true,
            identifiers: &[identifier],
            expires_in_s: self.expires_in_s(retained.expires_ms),
            place: None,
            again: false,
            released: false,
        };
        batch.counts.sent += 1;
        self.step(Input::Deliver(delivery), batch);
    }
}
