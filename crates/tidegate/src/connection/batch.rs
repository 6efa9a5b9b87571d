//! What one round of a connection leaves behind: changes for the store, answers that wait for them, receivers to wake.

use std::sync::Arc;

use domain::{Closing, Refusal};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::session::Receipt;
use mqtt::{QoS, Reason, Version};
use store::{Changes, Ticket};

use super::replay::Wanted;
use crate::hub::space::Counts;
use crate::hub::subscriber::Subscriber;
use crate::limits;

/// The leavings of one round.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    pub(crate) answers: Vec<Answer>,
    pub(crate) wake: Vec<Arc<Subscriber>>,
    pub(crate) counts: Counts,
    /// Something else of this round was handed to the store by itself: the answers wait for it too.
    pub(crate) until: Ticket,
}

impl Batch {
    /// Whether nothing is left for the store and for the client.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.answers.is_empty()
    }
}

/// An answer that goes out once the changes of its round are stored. Acknowledgements keep the order of what they
/// acknowledge [MQTT-4.6.0-2], [MQTT-4.6.0-3].
pub(crate) enum Answer {
    /// A promise of the session.
    Receipt(Receipt),
    /// A PUBLISH was refused.
    Refused(Box<Refused>),
    /// The place of a PUBLISH that waits for a registration slot: its answer comes here, later ones wait behind it.
    Parked { packet_id: u16 },
    /// A SUBACK.
    Granted(Box<Granted>),
    /// The connection ends, now that everything before this is answered.
    Goodbye { closing: Closing, reason: Reason },
    /// An UNSUBACK.
    Removed(Box<Removed>),
}

/// The answer to a refused PUBLISH.
pub(crate) struct Refused {
    pub(crate) packet_id: u16,
    pub(crate) qos: QoS,
    pub(crate) reason: Reason,
    pub(crate) why: Why,
}

/// The answer to a SUBSCRIBE, and the subscriptions that get what is retained behind it.
pub(crate) struct Granted {
    pub(crate) packet_id: u16,
    pub(crate) codes: Vec<u8>,
    pub(crate) retained: Vec<Wanted>,
    pub(crate) why: Why,
}

/// The answer to an UNSUBSCRIBE.
pub(crate) struct Removed {
    pub(crate) packet_id: u16,
    pub(crate) codes: Vec<u8>,
    pub(crate) why: Why,
}

/// Why something was refused, as the properties of the answer (5.0); empty where nothing was.
#[derive(Debug, Default)]
pub(crate) struct Why(Vec<u8>);

impl Why {
    /// Tells the hint of a refusal, where the reason says that it is one. Of several the first is told.
    pub(crate) fn tell(&mut self, version: Version, reason: Reason, refusal: &Refusal) {
        if version != Version::V5 || !reason.is_error() || !self.0.is_empty() {
            return;
        }
        let bytes = refusal.hint.floor_char_boundary(limits::REASON_STRING_BYTES_MAX);
        // Parts of a hint may have come from a client.
        let text = refusal.hint[..bytes].replace(char::is_control, " ");
        PropertyWriter::new(&mut self.0).push(PropertyId::ReasonString, Value::Text(&text));
    }

    pub(crate) fn properties(&self) -> Properties<'_> {
        Properties::stored(&self.0)
    }

    /// What it costs to keep, in bytes.
    pub(crate) fn cost_bytes(&self) -> usize {
        self.0.len()
    }
}

impl Answer {
    /// The packet id of the PUBLISH that it answers; `None` for other requests.
    pub(crate) fn publish_id(&self) -> Option<u16> {
        match self {
            Answer::Receipt(Receipt::Publish { packet_id, .. }) => Some(*packet_id),
            Answer::Refused(refused) => Some(refused.packet_id),
            _ => None,
        }
    }
}
