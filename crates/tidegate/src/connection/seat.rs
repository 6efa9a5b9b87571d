//! The seat of a session: one connection at a time holds it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::Closing;

use crate::hub::space::Space;
use crate::hub::subscriber::Subscriber;

/// A session's seat, held. Dropping it gives it up, however the connection ended; a clean session ends with it.
pub(super) struct Seat {
    pub(super) space: Arc<Space>,
    subscriber: Arc<Subscriber>,
}

impl Seat {
    /// Waits for the seat of a session key, asking whoever holds it to leave. Whoever asks last gets it in the end.
    pub(super) async fn take(space: &Arc<Space>, key: &str) -> Seat {
        let subscriber = space.subscriber_to_sit_on(key);
        if subscriber.seat.available_permits() == 0 {
            subscriber.kick(Closing::TakenOver);
        }
        // The semaphore is never closed, so that this cannot fail.
        if let Ok(permit) = subscriber.seat.acquire().await {
            permit.forget();
        }
        subscriber.seat_waiting.fetch_sub(1, Ordering::AcqRel);
        space.connected.fetch_add(1, Ordering::Relaxed);
        Seat { space: space.clone(), subscriber }
    }

    /// The receiving end, shared.
    pub(super) fn subscriber(&self) -> &Arc<Subscriber> {
        &self.subscriber
    }
}

impl Deref for Seat {
    type Target = Subscriber;

    fn deref(&self) -> &Subscriber {
        &self.subscriber
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.subscriber.session().is_none() {
            self.space.unsubscribe_all(&self.subscriber);
        }
        self.space.connected.fetch_sub(1, Ordering::Relaxed);
        self.subscriber.detach();
        self.subscriber.seat.add_permits(1);
        self.space.release(&self.subscriber);
    }
}
