//! SUBSCRIBE and UNSUBSCRIBE: each filter is decided by itself, the answer waits until a durable session's part is
//! stored.

use dialects::Request as Asked;
use domain::{Code, DeviceName, Refusal, Subscription};
use mqtt::QoS as WireQoS;
use mqtt::codec;
use mqtt::packet::{FilterRequest, Packet, Subscribe, Unsubscribe};
use mqtt::reason::Reason;
use platform::Verdict;
use store::{Change, Ticket};

use super::Connection;
use super::batch::{Answer, Batch, Granted, Removed, Why};
use super::parked::{Decided, Request};
use super::replay::Wanted;
use crate::hub::delivery::{NO_LOCAL, RETAIN_AS_PUBLISHED};
use crate::hub::rights::grant;
use crate::words::domain_qos;

/// What a filter came to.
enum Outcome {
    /// With what is wanted of the retained messages.
    Granted(Option<Wanted>),
    /// Every registration slot is taken: ask again at this ticket.
    Wait(Ticket),
    Refused(Refusal),
}

impl Connection {
    pub(super) fn on_subscribe(&mut self, subscribe: &Subscribe<'_>, batch: &mut Batch) {
        let mut decided = Decided::default();
        let until = match self.parked.holds_filters() {
            true => Err(self.parked.until),
            false => self.subscribe(subscribe, &mut decided, batch),
        };
        if let Err(until) = until {
            self.park_filters(&Packet::Subscribe(*subscribe), decided, until);
        }
    }

    fn park_filters(&mut self, packet: &Packet<'_>, decided: Decided, until: Ticket) {
        let mut bytes = Vec::new();
        codec::encode(packet, self.version, &mut bytes);
        self.wake_at(until);
        self.parked.push(Request::Filters { packet: bytes, decided });
    }

    /// Goes on with a parked SUBSCRIBE or UNSUBSCRIBE; gives it back when it has to wait on.
    pub(super) fn retry_filters(
        &mut self,
        packet: Vec<u8>,
        mut decided: Decided,
        batch: &mut Batch,
    ) -> Option<Request> {
        match codec::decode(&packet, self.version) {
            Ok(Packet::Subscribe(subscribe)) => {
                let until = self.subscribe(&subscribe, &mut decided, batch).err()?;
                self.wake_at(until);
                Some(Request::Filters { packet, decided })
            }
            Ok(Packet::Unsubscribe(unsubscribe)) => {
                self.unsubscribe(&unsubscribe, batch);
                None
            }
            // It was decoded before, and what we encode can be decoded.
            _ => None,
        }
    }

    /// Decides every filter behind those that are `decided`; `Err` when one has to wait for a registration slot.
    fn subscribe(
        &mut self,
        subscribe: &Subscribe<'_>,
        decided: &mut Decided,
        batch: &mut Batch,
    ) -> Result<(), Ticket> {
        let identifier = subscribe.properties.subscription_identifiers().next().unwrap_or(0);
        for request in subscribe.filters.iter().skip(decided.codes.len()) {
            let code = match self.subscribe_one(&request, identifier, batch) {
                Outcome::Granted(wanted) => {
                    // The same filter many times in one packet gets its retained messages once.
                    decided.retained.extend(wanted.filter(|it| !decided.retained.contains(it)));
                    request.qos as u8
                }
                Outcome::Wait(until) => return Err(until),
                Outcome::Refused(refusal) => {
                    self.refuse_filter(Asked::Subscribe, request.filter, &refusal, &mut decided.why)
                }
            };
            decided.codes.push(code);
            if self.closing.is_some() {
                return Ok(());
            }
        }
        let Decided { codes, retained, why } = std::mem::take(decided);
        batch.answers.push(Answer::Granted(Box::new(Granted {
            packet_id: subscribe.packet_id,
            codes,
            retained,
            why,
        })));
        self.deliver_waiting();
        Ok(())
    }

    fn subscribe_one(&mut self, request: &FilterRequest<'_>, identifier: u32, batch: &mut Batch) -> Outcome {
        let (grant, except) = match grant(self.dialect, &self.peer, request.filter) {
            Ok(granted) => granted,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        if let Some((device_type, name)) = &grant.device {
            let device = DeviceName { device_type, name };
            match self.worker.hub.platform.speak_for(&self.peer, device, true, self.wall_ms()) {
                Verdict::Known(_) | Verdict::Registered(_) | Verdict::Unknown => {}
                Verdict::Wait(until) => return Outcome::Wait(until),
                Verdict::Discard => {
                    let hint = "the device's registration failed a moment ago and is tried again later";
                    return Outcome::Refused(Refusal::new(Code::BackingOff, hint));
                }
                Verdict::Refused(refusal) => return Outcome::Refused(refusal),
            }
        }
        let share = grant.share.or_else(|| self.share.as_deref().map(str::to_owned));
        let reads_retained = grant.reads_retained && request.retain_handling != 2 && share.is_none();
        let qos = domain_qos(request.qos);
        let wanted = grant.route.clone().filter(|_| reads_retained);
        let wanted = wanted.map(|route| Wanted { route, qos, identifier, except: except.clone() });
        let subscription = Subscription {
            filter: request.filter.to_owned(),
            route: grant.route,
            share,
            qos,
            options: options(request),
            identifier,
            except,
        };
        let set = self.worker.hub.limits.subscription_count_max;
        let count_max = self.dialect.subscription_count_max().map_or(set, |it| it.min(set));
        match self.seat.space.subscribe(self.seat.subscriber(), &subscription, count_max) {
            Err(_) => Outcome::Refused(Refusal::new(
                Code::TooMany,
                format!("a session may hold {count_max} subscriptions: unsubscribe some, or raise the limit"),
            )),
            Ok(is_new) => {
                if let Some(session) = self.seat.session() {
                    let org = self.peer.org();
                    batch.changes.push(Change::Subscribe { org, session, subscription });
                }
                Outcome::Granted(wanted.filter(|_| is_new || request.retain_handling == 0))
            }
        }
    }

    fn refuse_filter(&mut self, asked: Asked, filter: &str, refusal: &Refusal, why: &mut Why) -> u8 {
        let answer = self.dialect.answer(&self.peer, self.version, asked, WireQoS::AtMostOnce, refusal);
        let request = if asked == Asked::Unsubscribe { "unsubscribe" } else { "subscribe" };
        self.record(request, Some(filter), refusal);
        if answer.notify {
            self.notify(asked, filter, refusal);
        }
        if let Some(closing) = answer.close {
            self.close(closing, Reason(answer.reason));
        }
        why.tell(self.version, Reason(answer.reason), refusal);
        answer.reason
    }

    pub(super) fn on_unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, batch: &mut Batch) {
        if self.parked.holds_filters() {
            let until = self.parked.until;
            self.park_filters(&Packet::Unsubscribe(*unsubscribe), Decided::default(), until);
        } else {
            self.unsubscribe(unsubscribe, batch);
        }
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, batch: &mut Batch) {
        let (mut codes, mut why) = (Vec::new(), Why::default());
        for filter in unsubscribe.filters.iter() {
            if !self.seat.space.unsubscribe(self.seat.subscriber(), filter) {
                codes.push(match grant(self.dialect, &self.peer, filter) {
                    Ok(_) => Reason::NO_SUBSCRIPTION_EXISTED.0,
                    Err(refusal) => self.refuse_filter(Asked::Unsubscribe, filter, &refusal, &mut why),
                });
                continue;
            }
            codes.push(Reason::SUCCESS.0);
            if let Some(session) = self.seat.session() {
                let (org, filter) = (self.peer.org(), filter.to_owned());
                batch.changes.push(Change::Unsubscribe { org, session, filter });
            }
        }
        batch.answers.push(Answer::Removed(Box::new(Removed {
            packet_id: unsubscribe.packet_id,
            codes,
            why,
        })));
    }
}

/// The options as they are stored.
fn options(request: &FilterRequest<'_>) -> u8 {
    let no_local = if request.no_local { NO_LOCAL } else { 0 };
    let retain_as_published = if request.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
    no_local | retain_as_published
}
