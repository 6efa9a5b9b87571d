//! What the command line and the API may see of the running server.

use std::collections::BTreeSet;
use std::sync::Arc;

use dialects::Absent;
use dialects::onenet::{in_product, push};
use dialects::thingsboard::TELEMETRY;
use dialects::thingsboard::http::device::Awaited;
use domain::{Device, DeviceId, Millis, OrgId, Points, QoS, Refusal};
use serde_json::{Value, json};
use store::{Changes, Ticket};
use tokio::sync::{mpsc, oneshot};
use web::compat::{onenet, thingsboard};

use crate::hub::Hub;
use crate::hub::delivery::Outbound;
use crate::hub::readings::Reading;
use crate::hub::space::Target;

/// The running server, as the API sees it.
pub(crate) struct LiveHub(pub(crate) Arc<Hub>);

impl web::Live for LiveHub {
    fn stats(&self) -> Value {
        let (hub, counters) = (&self.0, &self.0.counters);
        let [received, delivered, dropped] = hub.traffic();
        let store = hub.store.stats();
        let registrations: serde_json::Map<String, Value> = hub
            .platform
            .orgs()
            .iter()
            .map(|org| {
                let stats = hub.platform.stats(org.id);
                let value = json!({
                    "pending": stats.pending,
                    "pending_max_seen": stats.pending_max_seen,
                    "waited": stats.waited,
                    "registered": stats.registered,
                    "failed": stats.failed,
                });
                (org.id.to_string(), value)
            })
            .collect();
        let refusals: serde_json::Map<String, Value> =
            hub.refusals.counts().into_iter().map(|(code, count)| (code.to_owned(), count.into())).collect();
        let forgiven: serde_json::Map<String, Value> =
            counters.forgiven().map(|(name, count)| (name.to_owned(), count.into())).collect();
        json!({
            "connections": {
                "now": hub.connection_count(),
                "accepted": counters.accepted.get(),
                "turned_away": counters.turned_away.get(),
            },
            "messages": {
                "received": received,
                "delivered": delivered,
                "dropped": dropped,
                "expired": counters.expired.get(),
                "parked": counters.parked.get(),
            },
            "sessions": {
                "stored": hub.stored_session_count(),
                "expired": counters.sessions_expired.get(),
            },
            "store": {
                "commits": store.commits,
                "changes": store.changes,
                "queue_dropped": store.dropped,
                "points_late": store.points_late,
                "points_refused": store.points_refused,
                "waiting_bytes": store.waiting_bytes,
            },
            "registrations": registrations,
            "refusals": refusals,
            "forgiven": forgiven,
        })
    }

    fn tail(&self, org: OrgId) -> mpsc::Receiver<String> {
        self.0.tails.open(org)
    }

    fn refusals(&self, org: Option<OrgId>) -> Vec<Value> {
        self.0.refusals.latest(org).iter().rev().filter_map(|it| serde_json::to_value(it).ok()).collect()
    }
}

/// What was measured, each with its time; `None`: now.
type Readings = Vec<(Option<Millis>, Points)>;

impl LiveHub {
    /// Keeps what came over HTTP in the API of a dialect, and lets those hear of it who listen in others.
    fn keep(&self, dialect: &'static str, device: &Device, readings: Readings, from: &str) -> Ticket {
        let hub = &self.0;
        let (others, event) = (hub.listeners(device.org, dialect), (TELEMETRY.into(), "json".into()));
        let (mut changes, mut wake) = (Changes::new(), Vec::new());
        for (at_ms, points) in readings {
            let now_ms = hub.clock.wall_ms();
            let (event, qos) = (&event, QoS::AtLeastOnce);
            let reading = Reading { device, event, now_ms, at_ms, points, dialect, from, qos, expires_ms: 0 };
            hub.keep_reading(reading, &others, &mut changes, &mut wake);
        }
        let ticket = hub.store.commit(changes);
        wake.into_iter().for_each(|it| it.wake());
        ticket
    }
}

impl onenet::Ways for LiveHub {
    /// Those who are subscribed to a stream hear of its points as they do of what is pushed.
    fn measured(&self, device: &Device, readings: Readings, from: &str) -> Ticket {
        if let Some(numbered) = self.0.platform.numbered(device.id) {
            let number = numbered.number.to_string();
            for (stream, value) in readings.iter().flat_map(|(_, points)| points.iter()) {
                if let Some(topic) = push::topic(&number, stream) {
                    self.push(device.org, &device.device_type, &topic, &push::payload(value));
                }
            }
        }
        self.keep(dialects::onenet::NAME, device, readings, from)
    }

    fn push(&self, org: OrgId, device_type: &str, topic: &str, payload: &[u8]) {
        let Some(space) = self.0.known_space(org, dialects::onenet::NAME) else { return };
        let topic = in_product(device_type, topic);
        let targets = space.targets(&topic);
        if targets.is_empty() {
            return;
        }
        let mut outbound = Outbound {
            org,
            topic: &topic,
            headers: &[],
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            deadline_ms: 0,
            expires_ms: 0,
            absent: Absent::Lost,
            message: None,
            from: None,
        };
        let mut changes = Changes::new();
        outbound.deliver_alone(&space, &targets, &mut changes);
    }

    fn topics_of(&self, device: &Device) -> Vec<String> {
        let key = self.0.dialect(dialects::onenet::NAME).and_then(|it| it.door_key(device.id));
        let space = self.0.known_space(device.org, dialects::onenet::NAME);
        let subscriber = space.zip(key).and_then(|(space, key)| space.subscriber(&key));
        let mut topics: Vec<_> = subscriber
            .iter()
            .flat_map(|it| it.held().iter().map(|it| it.subscription.filter.clone()).collect::<Vec<_>>())
            .collect();
        topics.sort();
        topics
    }

    fn subscribed(&self, org: OrgId, device_type: &str, topic: &str) -> Vec<DeviceId> {
        let Some(space) = self.0.known_space(org, dialects::onenet::NAME) else { return Vec::new() };
        let targets = space.targets(&in_product(device_type, topic));
        let mut devices: Vec<_> = targets
            .iter()
            .filter_map(|it| match it {
                Target::One(route) => route.to.key.parse().ok().map(DeviceId),
                Target::Group(_) => None,
            })
            .collect();
        devices.sort_unstable();
        devices
    }

    fn topics_in_use(&self, org: OrgId, device_type: &str, count_max: usize) -> Vec<String> {
        let Some(space) = self.0.known_space(org, dialects::onenet::NAME) else { return Vec::new() };
        let below = in_product(device_type, "");
        let mut topics = BTreeSet::new();
        for subscriber in space.subscribers() {
            for held in subscriber.held().iter() {
                let route = held.subscription.route.as_deref();
                if topics.len() < count_max
                    && let Some(topic) = route.and_then(|it| it.strip_prefix(&below))
                {
                    topics.insert(topic.to_owned());
                }
            }
        }
        topics.into_iter().collect()
    }
}

impl thingsboard::Ways for LiveHub {
    fn measured(&self, device: &Device, readings: Readings, from: &str) -> Ticket {
        self.keep(dialects::thingsboard::NAME, device, readings, from)
    }

    fn show(&self, noticed: thingsboard::watch::Noticed) {
        self.0.watches.show_it(noticed);
    }

    fn watch(&self, device: &Device, watcher: &Arc<thingsboard::watch::Watcher>) -> Result<(), Refusal> {
        self.0.watches.add(device, watcher)
    }

    fn next_notice(&self, device: &Device, awaited: Awaited) -> Result<oneshot::Receiver<String>, Refusal> {
        self.0.polls.wait(device, awaited)
    }
}
