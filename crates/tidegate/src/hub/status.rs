//! What the server tells about itself in the topic spaces: gathered here, put into words by the dialects.
//!
//! One task refreshes all spaces every few seconds; a new space is told at once. Nothing of it is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dialects::Status;
use store::{Change, Changes};

use super::Hub;
use super::space::Space;

/// Refreshes what is told, and forgets retained messages that are past their time, until the server ends.
pub(crate) async fn keep_telling(hub: Arc<Hub>, interval: Duration) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = hub.closed() => return,
        }
        for space in hub.spaces() {
            hub.forget_expired(&space);
            // Where nobody is, nobody listens.
            if space.connected.load(Ordering::Relaxed) > 0 {
                hub.tell_status(&space);
            }
        }
    }
}

impl Hub {
    /// Tells the state of a space to those who are subscribed to that.
    pub(super) fn tell_status(&self, space: &Space) {
        let Some(dialect) = self.dialects.iter().find(|it| it.name() == space.name) else { return };
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: self.clock.monotonic_ms() / 1_000,
            connected_count: space.connected.load(Ordering::Relaxed),
            received_count: space.traffic.received.get(),
            sent_count: space.traffic.sent.get(),
            dropped_count: space.traffic.dropped.get(),
            subscription_count: space.subscription_count(),
            retained_count: space.retained_count(),
        };
        for announcement in dialect.status(&status) {
            self.announce(space, &announcement);
        }
    }

    fn forget_expired(&self, space: &Space) {
        let expired = space.unretain_expired(self.clock.wall_ms());
        let org = space.org;
        let list: Vec<_> =
            expired.into_iter().map(|topic| Change::Unretain { org, space: space.name, topic }).collect();
        if !list.is_empty() {
            self.store.commit(Changes { list, waiter: None });
        }
    }
}
