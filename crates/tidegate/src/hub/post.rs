//! The post: what devices are told, carried to whoever is there to take it; and what one dialect's devices say, to the
//! topic spaces of the others.
//!
//! A device that has a door is told through it: a message for the one session that is the door, rendered by its dialect
//! and given to that session's mailbox or stored queue, past the router. A device without one may be reached in a
//! dialect that routes commands by topic. The platform calls from any thread, without a lock of its own held.

use std::sync::{Arc, Weak};

use dialects::{Absent, Dialect, Push, Rendered};
use domain::{
    ChildChange, Closing, CommandBody, Device, DeviceId, Keeping, Message, Millis, Notice, OrgId, Points,
    QoS, Reply, Scope, Whose,
};
use platform::{Courier, NewCommand, Receipt, Told};
use store::Changes;
use web::compat::thingsboard::watch::Noticed;

use super::Hub;
use super::delivery::{Outbound, deadline_ms};
use super::space::{Counts, Route, Space, Target};
use super::subscriber::{Offered, Subscriber, Waiting};
use crate::limits;

/// The hub as the platform knows it.
pub(crate) struct Post(pub(crate) Weak<Hub>);

impl Courier for Post {
    fn tell(&self, device: &Arc<Device>, notice: &Notice<'_>, receipt: Option<Receipt>) -> Told {
        self.0.upgrade().map_or(Told::Absent, |hub| hub.tell(device, notice, receipt))
    }

    fn written(&self, device: DeviceId, scope: Scope, at_ms: Millis, points: &Points) {
        if let Some(hub) = self.0.upgrade() {
            hub.watches.show(device, Some(scope), at_ms, points);
        }
    }

    fn attributes_removed(&self, device: DeviceId, scope: Scope, keys: &[String]) {
        if let Some(hub) = self.0.upgrade().filter(|it| it.watches.anybody()) {
            hub.watches.show_it(Noticed::gone(device, Some(scope), keys));
        }
    }

    fn displaced(&self, org: OrgId, device: DeviceId) {
        if let Some((_, session)) = self.0.upgrade().and_then(|hub| hub.door_session(org, device)) {
            session.kick(Closing::TakenOver);
        }
    }

    fn child_changed(&self, org: OrgId, gateway: DeviceId, change: &ChildChange<'_>) {
        if let Some(hub) = self.0.upgrade() {
            hub.tell_of_child(org, gateway, change);
        }
    }
}

impl Hub {
    /// Tells a device something, in any way there is.
    fn tell(&self, device: &Arc<Device>, notice: &Notice<'_>, mut receipt: Option<Receipt>) -> Told {
        if self.tell_at_door(device, notice, &mut receipt) == Told::Taken {
            return Told::Taken;
        }
        if self.polls.tell(device, notice, &mut receipt) == Told::Taken {
            return Told::Taken;
        }
        let told = self.tell_by_topic(device, notice);
        if let (Told::Taken, Some(receipt)) = (told, receipt) {
            // Nobody in particular has it: there is nothing to wait for.
            receipt.delivered();
        }
        told
    }

    /// Commands a gateway to note what has become of a device, in a dialect that has a command for it.
    fn tell_of_child(&self, org: OrgId, gateway: DeviceId, change: &ChildChange<'_>) {
        let mut spoken = self.dialects.iter().filter(|it| it.door_key(gateway).is_some());
        let Some((method, params)) = spoken.find_map(|it| it.child_change(change)) else { return };
        let now_ms = self.clock.wall_ms();
        let body = CommandBody::Call { method: method.to_owned(), params };
        let command = NewCommand {
            keeping: Keeping::UntilDone,
            retries_count_max: Some(limits::CHILD_CHANGE_RETRIES_COUNT_MAX),
            ..NewCommand::passing(body, Reply::None, now_ms + limits::CHILD_CHANGE_MS_MAX)
        };
        if let Err(refusal) = self.platform.command(org, gateway, command, now_ms) {
            tracing::debug!(%refusal, ?change, "A gateway is not told of a device behind it");
        }
    }

    /// Tells a device that has a door, or a stored session of its own.
    fn tell_at_door(&self, device: &Arc<Device>, notice: &Notice<'_>, receipt: &mut Option<Receipt>) -> Told {
        let door = self.platform.door(device.org, device.id);
        let is_command = matches!(notice, Notice::Command { .. });
        // A command waits in the platform until somebody is there, not in a stored queue.
        if door.is_none() && is_command {
            return Told::Absent;
        }
        let holder = door.unwrap_or(device.id);
        let name = (holder != device.id).then(|| self.platform.name_in_org(device));
        let whose = name.as_deref().map_or(Whose::Own, Whose::Child);
        let Some((dialect, session)) = self.door_session(device.org, holder) else { return Told::Absent };
        let Some(Rendered::Push(push)) = dialect.notice(device, whose, notice) else { return Told::Absent };
        let Some(space) = self.known_space(device.org, dialect.name()) else { return Told::Absent };
        if is_command && !session.is_attached() {
            return Told::Absent;
        }
        self.push(&space, &session, &push, receipt)
    }

    /// The session that is, or was, the door of a device that connects itself.
    fn door_session(&self, org: OrgId, device: DeviceId) -> Option<(&'static dyn Dialect, Arc<Subscriber>)> {
        self.dialects.iter().find_map(|dialect| {
            let key = dialect.door_key(device)?;
            let session = self.known_space(org, dialect.name())?.subscriber(&key)?;
            Some((*dialect, session))
        })
    }

    /// Gives a message to one session, under the topic that it subscribed to last, or, where it need not have, under
    /// the first. The receipt, if there is one, is taken with it, or settled where nothing tells when the client has
    /// it: at QoS 0, and where a stored queue keeps the message until then.
    pub(crate) fn push(
        &self,
        space: &Space,
        to: &Arc<Subscriber>,
        push: &Push,
        receipt: &mut Option<Receipt>,
    ) -> Told {
        let held = to.held();
        let subscribed = held
            .iter()
            .filter_map(|held| {
                push.ways.iter().find(|it| it.filter == held.subscription.filter).map(|way| (held, way))
            })
            .max_by_key(|(held, _)| held.id);
        let (topic, route) = match (subscribed, push.ways.first()) {
            (Some((held, way)), _) => {
                let identifiers =
                    Some(held.subscription.identifier).filter(|it| *it != 0).into_iter().collect();
                (&way.topic, Route::to_one(to, held.subscription.qos, identifiers))
            }
            (None, Some(way)) => match push.unasked.filter(|_| to.is_attached()) {
                Some(qos) => (&way.topic, Route::to_one(to, qos, Box::default())),
                None => return Told::Absent,
            },
            (None, None) => return Told::Absent,
        };
        drop(held);
        if receipt.is_some() && route.qos > QoS::AtMostOnce && to.session().is_none() {
            return self.push_with_receipt(space, &route, topic, &push.payload, receipt);
        }
        let told = self.give(space, topic, &push.payload, QoS::ExactlyOnce, &[Target::One(route)]);
        if let Some(receipt) = receipt.take_if(|_| told == Told::Taken) {
            receipt.delivered();
        }
        told
    }

    fn push_with_receipt(
        &self,
        space: &Space,
        route: &Route,
        topic: &str,
        payload: &[u8],
        receipt: &mut Option<Receipt>,
    ) -> Told {
        if !route.to.is_attached() {
            return Told::Absent;
        }
        let waiting = Waiting {
            message: Message::shared(topic, &[], payload),
            qos: route.qos,
            retain: false,
            identifiers: route.identifiers.clone(),
            expires_ms: 0,
            place: 0,
            receipt: receipt.take().map(Box::new),
        };
        let dropped_count = match route.to.offer_waiting(waiting) {
            Offered::Replaced { dropped_count } => dropped_count,
            _ => 0,
        };
        space.traffic.add(Counts { sent: 1, dropped: dropped_count, ..Counts::default() });
        route.to.wake();
        Told::Taken
    }

    /// A command came in another dialect for a device that is behind a door: it waits for the device a little, and not
    /// for an answer.
    pub(crate) fn command_at_door(
        &self,
        org: OrgId,
        device: DeviceId,
        (name, format): (&str, &str),
        payload: &[u8],
    ) {
        if self.platform.door(org, device).is_none() {
            return;
        }
        let now_ms = self.clock.wall_ms();
        let body = CommandBody::Raw {
            name: Some(name.to_owned()),
            format: Some(format.to_owned()),
            bytes: payload.to_vec(),
        };
        let draft = NewCommand::passing(body, Reply::None, now_ms + limits::COMMAND_MS_MAX);
        if let Err(refusal) = self.platform.command(org, device, draft, now_ms) {
            tracing::info!(%org, device = device.0, code = refusal.code.name(), "Refused: {}", refusal.hint);
        }
    }

    /// Tells a device by a topic of a dialect that has one for it, if anybody is subscribed to that.
    fn tell_by_topic(&self, device: &Device, notice: &Notice<'_>) -> Told {
        for dialect in &self.dialects {
            let Some(Rendered::Routed { topic, payload }) = dialect.notice(device, Whose::Own, notice) else {
                continue;
            };
            let Some(space) = self.known_space(device.org, dialect.name()) else { continue };
            let targets = space.targets(&topic);
            if self.give(&space, &topic, &payload, QoS::AtLeastOnce, &targets) == Told::Taken {
                return Told::Taken;
            }
        }
        Told::Absent
    }

    /// Delivers a message of the server at once: what goes into stored queues is handed to the store.
    fn give(&self, space: &Space, topic: &str, payload: &[u8], qos: QoS, targets: &[Target]) -> Told {
        let mut changes = Changes::new();
        let now_ms = self.clock.wall_ms();
        let mut outbound = Outbound {
            org: space.org,
            topic,
            headers: &[],
            payload,
            qos,
            retain: false,
            deadline_ms: deadline_ms(now_ms, self.limits.queue_retention_s, 0),
            expires_ms: 0,
            absent: Absent::Queued,
            message: None,
            from: None,
        };
        let count = outbound.deliver_alone(space, targets, &mut changes);
        if !changes.is_empty() {
            self.store.commit(changes);
        }
        if count > 0 { Told::Taken } else { Told::Absent }
    }

    /// The topic spaces of other dialects in which somebody might hear of an event of this one.
    pub(crate) fn listeners(&self, org: OrgId, own: &'static str) -> Vec<(&'static dyn Dialect, Arc<Space>)> {
        let others = self.dialects.iter().filter(|it| it.name() != own);
        let spaces = others.filter_map(|it| Some((*it, self.known_space(org, it.name())?)));
        spaces.filter(|(_, space)| space.subscription_count() > 0).collect()
    }
}

impl Route {
    /// The way to one session that needs no router.
    fn to_one(to: &Arc<Subscriber>, qos: QoS, identifiers: Box<[u32]>) -> Route {
        Route { to: to.clone(), qos, options: 0, identifiers, except: None }
    }
}
