//! MQTT 3.1, 3.1.1 and 5.0: bytes ⇄ packets ⇄ session ⇄ subscriptions.
//!
//! Everything here is a function of its arguments: no clock, no task, no socket, no log. Packets borrow from the
//! buffer they were read from; the session answers inputs with effects; the router is a data structure, not a task.

pub mod codec;
pub mod limits;
pub mod packet;
pub mod property;
pub mod reason;
pub mod router;
pub mod session;
pub mod topic;

pub use packet::Packet;
pub use reason::Reason;

/// The version of the protocol that a client speaks, by its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    V311,
    /// MQTT 5.0: protocol name `MQTT`, level 5.
    V5,
}

/// Delivery quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// Fire and forget.
    #[default]
    AtMostOnce = 0,
    /// Acknowledged.
    AtLeastOnce = 1,
    /// Acknowledged and de-duplicated.
    ExactlyOnce = 2,
}

impl QoS {
    /// The quality that two bits say; `None` for 3 and everything above.
    pub const fn from_bits(bits: u8) -> Option<QoS> {
        match bits {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }
}
