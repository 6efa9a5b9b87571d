//! What the command line and the API may see of the running server.

use std::sync::Arc;

use dialects::thingsboard::TELEMETRY;
use dialects::thingsboard::http::device::Awaited;
use dialects::thingsboard::http::telemetry::Readings;
use domain::{Device, OrgId, QoS, Refusal};
use serde_json::{Value, json};
use store::{Changes, Ticket};
use tokio::sync::{mpsc, oneshot};
use web::compat::thingsboard;

use crate::hub::Hub;
use crate::hub::readings::Reading;

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

impl thingsboard::Ways for LiveHub {
    fn measured(&self, device: &Device, readings: Readings, from: &str) -> Ticket {
        let hub = &self.0;
        let dialect = dialects::thingsboard::NAME;
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
