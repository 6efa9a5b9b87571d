//! What a client's CONNECT says about the packets that it takes and the session that it wants.

use crate::packet::Connect;
use crate::property::Properties;

/// What a client's CONNECT asks for (5.0 section 3.1.2.11), or what holds where it says nothing, as before 5.0. Beside
/// these there are the receive maximum, which is part of [`Opening::inflight_count_max`](super::Opening), and what only
/// CONNACK has to heed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Seconds for which the session outlives its connection; `u32::MAX` for ever. Before 5.0 clean session says so
    /// instead.
    pub session_expiry_s: u32,
    /// Bytes of the largest packet that the client takes, header included. Below
    /// [`PACKET_BYTES_MAX_MIN`](crate::limits::PACKET_BYTES_MAX_MIN) it cannot even take a CONNACK, and there is
    /// nothing to be done but to close the connection.
    pub packet_bytes_max: u32,
    /// Topics for which we may choose a number.
    pub topic_alias_count_max: u16,
    /// Whether reason strings and user properties are sent with acknowledgements: to those only who ask for them.
    pub asks_for_problem_information: bool,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms::of_properties(&Properties::EMPTY)
    }
}

impl Terms {
    /// What a CONNECT of any version asks for.
    pub fn of(connect: &Connect<'_>) -> Terms {
        Terms::of_properties(&connect.properties)
    }

    fn of_properties(properties: &Properties<'_>) -> Terms {
        Terms {
            session_expiry_s: properties.session_expiry_s().unwrap_or(0),
            packet_bytes_max: properties.maximum_packet_size().unwrap_or(u32::MAX),
            topic_alias_count_max: properties.topic_alias_maximum().unwrap_or(0),
            asks_for_problem_information: properties.asks_for_problem_information(),
        }
    }
}
