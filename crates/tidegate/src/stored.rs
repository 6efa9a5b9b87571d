//! Waiting for the store without blocking a worker.

use std::sync::Arc;

use parking_lot::Mutex;
use store::{Changes, Store, StoreFault, Ticket, Waiter};
use tokio::sync::oneshot;

struct Signal(Mutex<Option<oneshot::Sender<()>>>);

impl Waiter for Signal {
    fn stored(&self, _: Ticket) {
        if let Some(sender) = self.0.lock().take() {
            // Whoever waited may have gone: then nobody needs to know.
            sender.send(()).ok();
        }
    }
}

/// Hands changes over and waits until they, and everything handed over before, are on disk.
pub(crate) async fn stored(store: &Arc<dyn Store>, mut changes: Changes) -> Result<(), StoreFault> {
    let (sender, receiver) = oneshot::channel();
    changes.waiter = Some(Arc::new(Signal(Mutex::new(Some(sender)))));
    store.commit(changes);
    match receiver.await {
        Ok(()) => Ok(()),
        Err(_) => Err(store.health().err().unwrap_or_else(|| StoreFault::Poisoned("it was closed".into()))),
    }
}
