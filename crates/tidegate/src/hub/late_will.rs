//! Wills of clients that are gone for longer: what is needed to publish one without its connection.

use std::sync::Arc;

use dialects::{Dialect, Retention, What};
use domain::{Event, Peer, Points, QoS, Refusal};
use mqtt::property::Properties;
use platform::Verdict;
use store::{Change, Changes};

use super::Hub;
use super::delivery::{Outbound, deadline_ms, expires_ms};
use super::space::Space;
use super::subscriber::Subscriber;
use crate::connection::publish::{Source, uplink};

/// A message to publish when a client does not come back in time.
pub(crate) struct Will {
    /// As the client writes it.
    pub(crate) topic: String,
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Seconds by which it may be held back (5.0).
    pub(crate) delay_s: u32,
}

/// A will, and whose it is.
pub(crate) struct LateWill {
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) peer: Peer,
    pub(crate) will: Will,
}

impl Hub {
    /// A peer with the rights that it has now; `None` when it has been removed or disabled.
    fn as_of_today(&self, peer: &Peer) -> Option<Peer> {
        let mut peer = peer.clone();
        self.platform.org(peer.org()).filter(|it| it.enabled)?;
        match &mut peer {
            Peer::Device { org, id, rights, .. } => {
                let device = self.platform.device_by_id(*org, *id).filter(|it| it.enabled)?;
                rights.clone_from(&device.rights);
            }
            Peer::Application { org, key, rights, .. } => *rights = self.platform.key(*org, key)?.rights,
            Peer::Anonymous { .. } => {}
        }
        Some(peer)
    }

    /// Publishes a will whose delay is over. What its client may publish is asked now: it may have been removed in the
    /// meantime.
    pub(crate) fn publish_late(&self, space: &Space, subscriber: &Arc<Subscriber>, late: &LateWill) {
        let (LateWill { dialect, peer, will }, now_ms) = (late, self.clock.wall_ms());
        let Some(peer) = &self.as_of_today(peer) else { return };
        let refuse = |refusal: &Refusal| {
            let (org, topic) = (peer.org(), Some(will.topic.as_str()));
            self.refusals.record(now_ms, Some(org.as_str()), peer.client_id(), "publish", topic, refusal);
        };
        let uplink = match uplink(*dialect, peer, &will.topic) {
            Ok(uplink) => uplink,
            Err(refusal) => return refuse(&refusal),
        };
        let verdict = uplink.device.map(|it| self.platform.speak_for(peer, it, uplink.registers, now_ms));
        let device = match verdict {
            Some(Verdict::Known(device) | Verdict::Registered(device)) => Some(device),
            None | Some(Verdict::Unknown) => None,
            Some(Verdict::Refused(refusal)) => return refuse(&refusal),
            Some(Verdict::Wait(_) | Verdict::Discard) => {
                tracing::info!(peer = peer.client_id(), "A will waited for a registration slot: dropped");
                return;
            }
        };
        let retains = will.retain && uplink.retention == Retention::AsAsked;
        let expires_ms = expires_ms(now_ms, Properties::stored(&will.headers).message_expiry_s());
        let mut outbound = Outbound {
            org: space.org,
            topic: &uplink.topic,
            headers: &will.headers,
            payload: &will.payload,
            qos: will.qos,
            retain: retains,
            deadline_ms: deadline_ms(now_ms, self.limits.queue_retention_s, expires_ms),
            expires_ms,
            absent: space.customs.wills,
            message: None,
            from: Some(subscriber),
        };
        if retains && let Err(refusal) = self.retain_published(space, &mut outbound, Source::Will, subscriber)
        {
            return refuse(&refusal);
        }
        let mut changes = Changes::new();
        if let (What::Event { name, format }, Some(device)) = (uplink.what, device) {
            let mut points = Points::new();
            dialect.points(name, format, &will.payload, &mut points);
            changes.push(Change::Event(Event {
                org: space.org,
                device,
                name: name.into(),
                format: format.into(),
                at_ms: now_ms,
                message: outbound.shared(),
                points,
            }));
        }
        outbound.deliver_alone(space, &space.targets(&uplink.topic), &mut changes);
        if !changes.is_empty() {
            self.store.commit(changes);
        }
    }
}
