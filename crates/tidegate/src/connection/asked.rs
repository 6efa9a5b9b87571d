//! Messages whose meaning stands in their payload: one may be of many devices.
//!
//! The dialect reads them and gives what they ask for one by one. First everything is collected, and the devices are
//! found or registered; only when the whole message was read is any of it carried out, all of it in the round's batch,
//! with one acknowledgement. A message that has to wait for a registration slot is parked whole.

use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dialects::{Dialect, Rendered, Terms, Understood};
use domain::attribute::Wanted;
use domain::{
    Closing, Code, CommandId, DeviceId, Fault, Intent, Millis, Notice, PackageKind, Points, ProvisionRequest,
    Refusal, Scope, Value, Whose,
};
use store::{Changes, Ticket};

use super::Connection;
use super::batch::Batch;
use super::household::{Asked, Found, Resident};
use super::metered::Bill;
use super::parked::Request;
use super::publish::{Inbound, acknowledge};
use crate::hub::readings::Reading;
use crate::hub::space::Space;
use crate::limits;
use crate::stored::stored;

/// What messages of this kind are parked as: they may be of any device, so that they wait behind each other.
const ANY_DEVICE: &str = "";

/// What a message asks for, collected while it is read.
#[derive(Default)]
struct Errand {
    /// What keeps binaries, whose points are measured.
    binaries: Changes,
    measured: Vec<(Rc<Resident>, Option<Millis>, Points)>,
    attributes: Vec<(DeviceId, Points)>,
    rest: Vec<Deed>,
    /// The platform has been asked about a device: what it stored is acknowledged, too.
    has_asked: bool,
    /// What it counts for, where traffic is bounded.
    bill: Option<Box<Bill>>,
    /// The worst that was refused.
    refusal: Option<Refusal>,
    /// Every registration slot is taken: ask again at this ticket.
    wait: Option<Ticket>,
}

/// What is done once the message was read.
enum Deed {
    Detach(String),
    Ask { of: Rc<Resident>, child: Option<String>, id: i64, wanted: Wanted },
    Answer { of: Rc<Resident>, id: i64, answer: String },
    Respond { of: Rc<Resident>, command: CommandId, answer: Vec<u8> },
    Call { id: i64, method: String },
    OpenToClaims { of: Rc<Resident>, secret: String, duration_ms: Option<Millis> },
    Fetch { of: Rc<Resident>, kind: PackageKind, chunk: u64, size_bytes: Option<NonZeroU64> },
    Provision(Box<ProvisionRequest>),
}

impl Errand {
    /// Our own failure is worse than what cannot be read, and that is worse than anything else: the worst decides what
    /// the one answer says.
    fn refuse(&mut self, refusal: Refusal) {
        let badness = |it: &Refusal| match it.code {
            code if code.fault() == Fault::Ours => 2,
            Code::Malformed => 1,
            _ => 0,
        };
        if self.refusal.as_ref().is_none_or(|it| badness(it) < badness(&refusal)) {
            self.refusal = Some(refusal);
        }
    }
}

impl Connection {
    /// Carries out a message, or gives it back as a request to be parked.
    pub(super) fn ask(&mut self, inbound: &Inbound<'_>, batch: &mut Batch) -> Option<Request> {
        if !self.parked.is_empty() && self.parked.holds(ANY_DEVICE) {
            let until = self.parked.until;
            return Some(self.park(until, ANY_DEVICE.to_owned(), inbound));
        }
        let dialect = self.dialect;
        let mut errand = Errand { bill: self.new_bill(), ..Errand::default() };
        let outcome =
            dialect.intents(inbound.topic, inbound.payload, &mut |it| self.collect(it, &mut errand));
        if let Some(until) = errand.wait {
            return Some(self.park(until, ANY_DEVICE.to_owned(), inbound));
        }
        match outcome {
            Err(refusal) => errand = Errand { refusal: Some(refusal), ..Errand::default() },
            Ok(Understood { refusal, forgiven }) => {
                refusal.into_iter().for_each(|it| errand.refuse(it));
                forgiven.iter().for_each(|it| self.worker.hub.counters.forgive(it));
            }
        }
        if let Some(Err(refusal)) = errand.bill.as_ref().map(|it| self.settle(it)) {
            self.refuse_publish(inbound, &refusal, batch);
            return None;
        }
        self.carry_out_errand(&mut errand, inbound, batch);
        match errand.refusal {
            Some(refusal) => self.refuse_publish(inbound, &refusal, batch),
            None => acknowledge(inbound, batch),
        }
        None
    }

    /// Notes one thing that a message asks for.
    fn collect(&mut self, intent: Intent<'_>, errand: &mut Errand) -> ControlFlow<()> {
        let (whose, device_type) = match &intent {
            Intent::Attach { child, device_type } => (Whose::Child(child), *device_type),
            Intent::Telemetry { whose, .. }
            | Intent::Binary { whose, .. }
            | Intent::Attributes { whose, .. }
            | Intent::Ask { whose, .. }
            | Intent::Answer { whose, .. }
            | Intent::Response { whose, .. }
            | Intent::Fetch { whose, .. }
            | Intent::OpenToClaims { whose, .. } => (*whose, None),
            Intent::Detach { child } => {
                errand.rest.push(Deed::Detach((*child).to_owned()));
                errand.bill.iter_mut().for_each(|it| it.note_other());
                return ControlFlow::Continue(());
            }
            Intent::Call { id, method } => {
                errand.rest.push(Deed::Call { id: *id, method: (*method).to_owned() });
                errand.bill.iter_mut().for_each(|it| it.note_other());
                return ControlFlow::Continue(());
            }
            Intent::Provision(request) => {
                errand.rest.push(Deed::Provision(Box::new((*request).clone())));
                return ControlFlow::Continue(());
            }
        };
        let of = match self.resident(whose, device_type) {
            Some(Found::Resident(of, asked)) => {
                errand.has_asked |= asked == Asked::Yes;
                if let Some(bill) = &mut errand.bill {
                    self.bill(bill, &of, asked, &intent);
                }
                of
            }
            Some(Found::Wait(ticket)) => {
                errand.wait = Some(ticket);
                return ControlFlow::Break(());
            }
            Some(Found::Refused(refusal)) => {
                errand.refuse(refusal);
                return ControlFlow::Continue(());
            }
            // Only dialects with doors have messages of this kind.
            None => return ControlFlow::Break(()),
        };
        match intent {
            Intent::Telemetry { points, .. } if points.is_empty() => {}
            Intent::Telemetry { at_ms, points, .. } => errand.measured.push((of, at_ms, points)),
            Intent::Binary { at_ms, key, description, bytes, .. } => {
                let (hub, now_ms) = (&self.worker.hub, self.wall_ms());
                let (org, device) = (self.peer.org(), of.device.id);
                let ms = hub.platform.keep_binary(org, device, bytes, now_ms, &mut errand.binaries);
                let mut points = Points::new();
                points.push(key, Value::Json(&self.dialect.binary(&self.peer, ms, key, description)));
                errand.measured.push((of, at_ms, points));
            }
            Intent::Attributes { points, .. } => errand.attributes.push((of.device.id, points)),
            Intent::Ask { id, wanted, .. } => {
                let child = match whose {
                    Whose::Own => None,
                    Whose::Child(name) => Some(name.to_owned()),
                };
                errand.rest.push(Deed::Ask { of, child, id, wanted: wanted.clone() });
            }
            Intent::Answer { id, answer, .. } => {
                errand.rest.push(Deed::Answer { of, id, answer: answer.to_owned() });
            }
            Intent::Response { command, answer, .. } => {
                errand.rest.push(Deed::Respond { of, command, answer: answer.to_vec() });
            }
            Intent::Fetch { kind, chunk, size_bytes, .. } => {
                errand.rest.push(Deed::Fetch { of, kind, chunk, size_bytes });
            }
            Intent::OpenToClaims { secret, duration_ms, .. } => {
                errand.rest.push(Deed::OpenToClaims { of, secret: secret.to_owned(), duration_ms });
            }
            Intent::Attach { .. } | Intent::Detach { .. } | Intent::Call { .. } | Intent::Provision(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn carry_out_errand(&mut self, errand: &mut Errand, inbound: &Inbound<'_>, batch: &mut Batch) {
        let hub = self.worker.hub.clone();
        let org = self.peer.org();
        if !errand.measured.is_empty() {
            let others = hub.listeners(org, self.dialect.name());
            let has_binary = !errand.binaries.is_empty();
            batch.changes.list.append(&mut errand.binaries.list);
            if has_binary {
                self.tell_binaries(inbound, batch);
            }
            for (of, at_ms, points) in errand.measured.drain(..) {
                if !has_binary {
                    self.tell_points(&points, inbound, batch);
                }
                self.keep_reading(&of, at_ms, points, &others, inbound, batch);
            }
        }
        if !errand.attributes.is_empty() {
            let list = std::mem::take(&mut errand.attributes);
            if self.write_attributes(&list, batch).is_err() {
                // One device's do not fit: the others' are written all the same.
                for one in list.chunks(1) {
                    self.write_attributes(one, batch).unwrap_or_else(|refusal| errand.refuse(refusal));
                }
            }
        }
        for deed in std::mem::take(&mut errand.rest) {
            if let Err(refusal) = self.do_deed(deed, inbound.topic, batch) {
                errand.refuse(refusal);
            }
        }
        if errand.has_asked {
            // Whatever was registered has an earlier ticket than this.
            let waiter = Some(self.seat.subscriber().clone() as Arc<dyn store::Waiter>);
            batch.until = batch.until.max(hub.store.commit(Changes { list: Vec::new(), waiter }));
        }
    }

    fn write_attributes(&self, list: &[(DeviceId, Points)], batch: &mut Batch) -> Result<(), Refusal> {
        let platform = &self.worker.hub.platform;
        let waiter = Some(self.seat.subscriber().clone() as Arc<dyn store::Waiter>);
        let ticket = platform.put_attributes(self.peer.org(), Scope::Client, list, self.wall_ms(), waiter)?;
        batch.until = batch.until.max(ticket);
        Ok(())
    }

    /// Keeps a reading, and lets those hear of it who listen in other dialects.
    fn keep_reading(
        &self,
        of: &Resident,
        at_ms: Option<Millis>,
        points: Points,
        others: &[(&'static dyn Dialect, Arc<Space>)],
        inbound: &Inbound<'_>,
        batch: &mut Batch,
    ) {
        let Some(household) = &self.household else { return };
        let reading = Reading {
            device: &of.device,
            event: &household.event,
            now_ms: self.wall_ms(),
            at_ms,
            points,
            dialect: self.dialect.name(),
            from: self.peer.client_id(),
            qos: inbound.qos,
            expires_ms: inbound.expires_ms,
        };
        self.worker.hub.keep_reading(reading, others, &mut batch.changes, &mut batch.wake);
    }

    /// What the message asked for was handed to the store with this ticket: the acknowledgement waits for it.
    fn await_stored(&self, ticket: Ticket, batch: &mut Batch) {
        if ticket > Ticket::NONE {
            let waiter = Some(self.seat.subscriber().clone() as Arc<dyn store::Waiter>);
            batch.until = self.worker.hub.store.commit(Changes { list: Vec::new(), waiter });
        }
    }

    fn do_deed(&mut self, deed: Deed, topic: &str, batch: &mut Batch) -> Result<(), Refusal> {
        let platform = self.worker.hub.platform.clone();
        let org = self.peer.org();
        match deed {
            Deed::Detach(name) => {
                let Some(household) = &self.household else { return Ok(()) };
                let ticket = platform.detach(&self.peer, household.connection, &name, self.wall_ms());
                self.await_stored(ticket, batch);
            }
            Deed::Ask { of, child, id, wanted } => {
                let found = platform.find_attributes(org, of.device.id, &wanted);
                let notice = Notice::AttributesFound { asked_on: topic, id, wanted: &wanted, found: &found };
                self.reply(&of, child.as_deref().map_or(Whose::Own, Whose::Child), &notice);
            }
            Deed::Answer { of, id, answer } => {
                platform.answer_command(org, of.device.id, id, &answer, self.wall_ms());
            }
            Deed::Respond { of, command, answer } => {
                let now_ms = self.wall_ms();
                let ticket = platform.answer_command_by_id(org, of.device.id, command, &answer, now_ms);
                self.await_stored(ticket, batch);
            }
            Deed::Call { id, method } => {
                let rules = platform.rate_rules();
                let terms = Terms {
                    payload_bytes_max: self.worker.hub.limits.payload_bytes_max,
                    inflight_count_max: limits::RECEIVE_COUNT_MAX,
                    own_rates: rules.own(self.peer.is_gateway()),
                    behind_rates: &rules.behind_gateway,
                };
                let answer = self.dialect.call(&self.peer, &method, &terms);
                let notice = Notice::CallAnswered { asked_on: topic, id, answer: &answer };
                if let Some(Found::Resident(own, _)) = self.resident(Whose::Own, None) {
                    self.reply(&own, Whose::Own, &notice);
                }
            }
            Deed::OpenToClaims { of, secret, duration_ms } => {
                platform.open_to_claims(org, of.device.id, &secret, duration_ms, self.wall_ms())?;
            }
            Deed::Fetch { of, kind, chunk, size_bytes } => self.fetch(&of, topic, kind, chunk, size_bytes)?,
            Deed::Provision(request) => self.provision(&request, topic, batch),
        }
        Ok(())
    }

    /// Gives a newcomer a login, or says why not. It is told when the login is stored, and nothing more is read from it
    /// before: what a device has once written into its memory has to be true.
    fn provision(&mut self, request: &ProvisionRequest, topic: &str, batch: &mut Batch) {
        let hub = self.worker.hub.clone();
        let outcome = hub.platform.provision(request, self.origin.remote.ip(), self.wall_ms());
        if let Err(refusal) = &outcome {
            self.record("provision", Some(topic), refusal);
        }
        let told = self.dialect.provisioned(outcome.as_ref().map(|(login, _)| &**login));
        let (Some(push), space, subscriber) = (told, self.seat.space.clone(), self.seat.subscriber().clone())
        else {
            return;
        };
        self.part_from_newcomer();
        if outcome.is_err() {
            hub.push(&space, &subscriber, &push, &mut None);
            return;
        }
        let waiter = Some(subscriber.clone() as Arc<dyn store::Waiter>);
        let until = hub.store.commit(Changes { list: Vec::new(), waiter });
        batch.until = batch.until.max(until);
        self.throttle = self.throttle.max(until);
        tokio::task::spawn_local(async move {
            if stored(&hub.store, Changes::new()).await.is_ok() {
                hub.push(&space, &subscriber, &push, &mut None);
            }
        });
    }

    /// Ends a newcomer's session some time after it was answered for the first time (spec thingsboard 7).
    fn part_from_newcomer(&mut self) {
        if std::mem::replace(&mut self.is_served, true) {
            return;
        }
        let hub = self.worker.hub.clone();
        let subscriber = Arc::downgrade(self.seat.subscriber());
        let stay = tokio::time::sleep(Duration::from_millis(hub.limits.newcomer_ms_max));
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = stay => {}
                () = hub.closed() => return,
            }
            if let Some(subscriber) = subscriber.upgrade() {
                subscriber.kick(Closing::Removed);
            }
        });
    }

    /// Answers this client itself.
    pub(super) fn reply(&self, of: &Resident, whose: Whose<'_>, notice: &Notice<'_>) {
        if let Some(Rendered::Push(push)) = self.dialect.notice(&of.device, whose, notice) {
            self.worker.hub.push(&self.seat.space, self.seat.subscriber(), &push, &mut None);
        }
    }
}
