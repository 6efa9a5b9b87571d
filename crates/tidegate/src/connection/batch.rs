//! What one round of a connection leaves behind: changes for the store, answers that wait for them, receivers to wake.

use std::sync::Arc;

use mqtt::session::Receipt;
use mqtt::{QoS, Reason};
use store::{Changes, Ticket};

use super::replay::Wanted;
use crate::hub::subscriber::Subscriber;

/// The leavings of one round.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    pub(crate) answers: Vec<Answer>,
    pub(crate) wake: Vec<Arc<Subscriber>>,
    /// Something else of this round was handed to the store by itself: the answers wait for it too.
    pub(crate) until: Ticket,
}

/// An answer that goes out once the changes of its round are stored. Acknowledgements keep the order of what they
/// acknowledge [MQTT-4.6.0-2], [MQTT-4.6.0-3].
pub(crate) enum Answer {
    /// A promise of the session.
    Receipt(Receipt),
    /// A PUBLISH was refused.
    Refused { packet_id: u16, qos: QoS, reason: Reason },
    /// The place of a PUBLISH that waits for a registration slot: its answer comes here, later ones wait behind it.
    Parked { packet_id: u16 },
    /// A SUBACK, and the subscriptions that get what is retained behind it.
    Granted { packet_id: u16, codes: Vec<u8>, retained: Vec<Wanted> },
    /// An UNSUBACK.
    Removed { packet_id: u16, codes: Vec<u8> },
}

impl Answer {
    /// The packet id of the PUBLISH that it answers; `None` for other requests.
    pub(crate) fn publish_id(&self) -> Option<u16> {
        match self {
            Answer::Receipt(Receipt::Publish { packet_id, .. }) | Answer::Refused { packet_id, .. } => {
                Some(*packet_id)
            }
            _ => None,
        }
    }
}
