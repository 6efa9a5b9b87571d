//! Waiting for the store without holding a worker up.

use std::sync::Arc;

use domain::{Code, Refusal};
use platform::{Deletion, Platform, Store, StoreFault, Ticket};

/// Returns when the ticket is stored; only then may a request be answered.
pub(crate) async fn stored(platform: &Platform, ticket: Ticket) -> Result<(), Refusal> {
    if platform.store().stored() >= ticket {
        return Ok(());
    }
    ask(platform, move |store| store.wait(ticket)).await
}

/// Deletes points, step by step, and returns when all of it is stored.
pub(crate) async fn delete(platform: &Platform, mut deletion: Deletion) -> Result<(), Refusal> {
    let steps = move |store: &dyn Store| {
        while let Some(ticket) = deletion.step(store)? {
            store.wait(ticket)?;
        }
        Ok(())
    };
    ask(platform, steps).await
}

/// Asks the store something that may read the disk.
pub(crate) async fn ask<T: Send + 'static>(
    platform: &Platform,
    question: impl FnOnce(&dyn Store) -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, Refusal> {
    let store = Arc::clone(platform.store());
    match tokio::task::spawn_blocking(move || question(&*store)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(Refusal::new(Code::StoreFailed, fault.to_string())),
        Err(fault) => {
            Err(Refusal::new(Code::StoreFailed, format!("The question to the store failed: {fault}")))
        }
    }
}
