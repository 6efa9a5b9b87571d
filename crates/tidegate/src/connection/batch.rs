//! What one round of a connection leaves behind: changes for the store, answers that wait for them, receivers to wake.

use std::sync::Arc;

use domain::Message;
use mqtt::session::Receipt;
use mqtt::{QoS, Reason};
use store::Changes;

use crate::hub::subscriber::Subscriber;

/// The leavings of one round.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    pub(crate) answers: Vec<Answer>,
    pub(crate) wake: Vec<Arc<Subscriber>>,
    /// Publishes that were refused and are to be answered: packet id, quality, reason.
    pub(crate) refused: Vec<(u16, QoS, Reason)>,
}

/// An answer that goes out once the changes of its round are stored.
pub(crate) enum Answer {
    /// A promise of the session.
    Receipt(Receipt),
    /// A SUBACK, and the retained messages that follow it.
    Granted { packet_id: u16, codes: Vec<u8>, retained: Vec<Arc<Message>> },
    /// An UNSUBACK.
    Removed { packet_id: u16, codes: Vec<u8> },
}
