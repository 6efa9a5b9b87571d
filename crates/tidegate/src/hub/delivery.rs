//! From a message to its receivers.
//!
//! Where the receiver needs no state for the message (QoS 0, and no topic aliases) its packet is written straight into
//! the receiver's bytes; at QoS 1 and 2 a clean session's mailbox gets the shared message, and a durable session's
//! queue gets it through the store, which hands it to the mailbox once it is on disk.

use std::sync::Arc;

use dialects::Absent;
use domain::{Message, Millis, QoS, SessionId};
use mqtt::codec::{PublishParts, encode_publish, publish_bytes};
use store::{Change, Changes};

use super::space::{Counts, Route, Space, Target};
use super::subscriber::{Fit, Offered, Subscriber, Waiting};

/// MQTT 5 subscription option: not to the session that published.
pub(crate) const NO_LOCAL: u8 = 1;
/// MQTT 5 subscription option: the retain flag stays as the publisher set it.
pub(crate) const RETAIN_AS_PUBLISHED: u8 = 2;

/// A message on its way, with what is made of it only when somebody needs it.
pub(crate) struct Outbound<'a> {
    pub(crate) org: domain::OrgId,
    pub(crate) topic: &'a str,
    pub(crate) headers: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    /// The publisher's retain flag, for those who want to see it.
    pub(crate) retain: bool,
    /// When a stored copy stops being worth delivering; 0 = never.
    pub(crate) deadline_ms: Millis,
    /// When it expires by its publisher's word; 0 = never.
    pub(crate) expires_ms: Millis,
    /// What becomes of it where a stored session's client is away.
    pub(crate) absent: Absent,
    /// The shared form.
    pub(crate) message: Option<Arc<Message>>,
    /// Whose it is: no-local subscriptions of that session are passed over.
    pub(crate) from: Option<&'a Arc<Subscriber>>,
}

/// What a round of deliveries needs and leaves behind.
pub(crate) struct Round<'a> {
    /// Where changes of durable queues go.
    pub(crate) changes: &'a mut Changes,
    /// Who has to be woken once the round is over.
    pub(crate) wake: &'a mut Vec<Arc<Subscriber>>,
    pub(crate) counts: &'a mut Counts,
}

/// When a message that its publisher gives so many seconds expires; 0 = never.
pub(crate) fn expires_ms(now_ms: Millis, expiry_s: Option<u32>) -> Millis {
    expiry_s.map_or(0, |it| now_ms + u64::from(it) * 1_000)
}

/// Up to when a message is kept for a receiver that is away: as long as we keep any, unless it expires before.
pub(crate) fn deadline_ms(now_ms: Millis, retention_s: u64, expires_ms: Millis) -> Millis {
    let retained_until_ms = now_ms + retention_s * 1_000;
    if expires_ms == 0 { retained_until_ms } else { expires_ms.min(retained_until_ms) }
}

impl Outbound<'_> {
    /// Delivers to all targets. Returns how many receivers it was given to.
    pub(crate) fn deliver(&mut self, targets: &[Target], round: &mut Round<'_>) -> usize {
        let mut count = 0;
        for target in targets {
            count += match target {
                Target::One(route) => usize::from(self.deliver_one(route, round)),
                Target::Group(group) => {
                    let member = group.pick(|it| it.to.is_attached()).or_else(|| group.pick(|_| true));
                    member.is_some_and(|it| self.deliver_one(it, round)).into()
                }
            };
        }
        count
    }

    /// Delivers to targets of a space outside of any round. What durable queues get is added to `changes`. Returns how
    /// many receivers it was given to.
    pub(crate) fn deliver_alone(
        &mut self,
        space: &Space,
        targets: &[Target],
        changes: &mut Changes,
    ) -> usize {
        let (mut wake, mut counts) = (Vec::new(), Counts::default());
        let mut round = Round { changes, wake: &mut wake, counts: &mut counts };
        let count = self.deliver(targets, &mut round);
        space.traffic.add(counts);
        for subscriber in wake {
            subscriber.wake();
        }
        count
    }

    fn deliver_one(&mut self, route: &Route, round: &mut Round<'_>) -> bool {
        let is_own = self.from.is_some_and(|it| Arc::ptr_eq(it, &route.to));
        if is_own && route.options & NO_LOCAL != 0 {
            return false;
        }
        let offered = match self.qos.min(route.qos) {
            QoS::AtMostOnce => match self.offer_bytes(route) {
                Offered::ForSession => route.to.offer_passing(self.waiting(route, QoS::AtMostOnce)),
                Offered::Absent => self.keep_for_absent(route, round),
                offered => offered,
            },
            qos => match route.to.session() {
                Some(session) => self.enqueue(route, session, qos, round),
                None => route.to.offer_waiting(self.waiting(route, qos)),
            },
        };
        match offered {
            Offered::Wake => round.wake.push(route.to.clone()),
            Offered::Taken => {}
            Offered::Absent => return false,
            Offered::Dropped | Offered::ForSession => {
                round.counts.dropped += 1;
                return false;
            }
            Offered::Replaced { dropped_count } => {
                round.counts.dropped += dropped_count;
                round.wake.push(route.to.clone());
            }
        }
        round.counts.sent += 1;
        true
    }

    /// A message at QoS 0 for a client that is away.
    fn keep_for_absent(&mut self, route: &Route, round: &mut Round<'_>) -> Offered {
        match (self.absent, route.to.session()) {
            (Absent::Newest(_), Some(session)) => self.enqueue(route, session, QoS::AtMostOnce, round),
            _ => Offered::Absent,
        }
    }

    /// Puts the message into a stored session's queue, unless it is of no use to one whose client is away.
    fn enqueue(&mut self, route: &Route, session: SessionId, qos: QoS, round: &mut Round<'_>) -> Offered {
        let unsent_count_max = match self.absent {
            Absent::Queued => 0,
            Absent::Newest(_) | Absent::Lost if route.to.is_attached() => 0,
            Absent::Newest(count_max) => count_max,
            Absent::Lost => return Offered::Absent,
        };
        round.changes.push(Change::Enqueue {
            org: self.org,
            session,
            qos,
            retain: self.shows_retain(route),
            identifiers: route.identifiers.clone(),
            deadline_ms: self.deadline_ms,
            expires_ms: self.expires_ms,
            unsent_count_max,
            message: self.shared(),
            inbox: route.to.clone(),
        });
        Offered::Taken
    }

    fn offer_bytes(&self, route: &Route) -> Offered {
        route.to.offer_bytes(|to, bytes| {
            let (first, rest) = to.view.parts(self.topic);
            let parts = PublishParts {
                topic: [first, rest],
                headers: self.headers,
                identifiers: &route.identifiers,
                payload: self.payload,
                retain: self.shows_retain(route),
                ..PublishParts::default()
            };
            if publish_bytes(to.version, &parts) > to.direct_bytes_max as usize {
                return Fit::TooLarge;
            }
            encode_publish(bytes, to.version, &parts);
            Fit::Written
        })
    }

    /// A copy for a mailbox, in no stored queue.
    fn waiting(&mut self, route: &Route, qos: QoS) -> Waiting {
        Waiting {
            message: self.shared(),
            qos,
            retain: self.shows_retain(route),
            identifiers: route.identifiers.clone(),
            expires_ms: self.expires_ms,
            place: 0,
            receipt: None,
        }
    }

    /// The retain flag of a live copy: cleared, unless the subscription asked for it as published.
    fn shows_retain(&self, route: &Route) -> bool {
        self.retain && route.options & RETAIN_AS_PUBLISHED != 0
    }

    /// The shared form, made at the first call.
    pub(crate) fn shared(&mut self) -> Arc<Message> {
        self.message.get_or_insert_with(|| Message::shared(self.topic, self.headers, self.payload)).clone()
    }
}
