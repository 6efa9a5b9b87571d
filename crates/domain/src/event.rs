//! A device's event: the message as it came, and the points that were read from it.

use std::sync::Arc;

use crate::{DeviceId, Message, Millis, OrgId, Points};

/// An event of a device. The last one of each name is kept whole; its points go to the device's history.
#[derive(Clone, Debug)]
pub struct Event {
    /// The organisation of the device.
    pub org: OrgId,
    /// The device it tells about, which need not be the one that sent it.
    pub device: DeviceId,
    /// The event's name.
    pub name: Arc<str>,
    /// The payload's format, as the sender named it.
    pub format: Arc<str>,
    /// When it was received.
    pub at_ms: Millis,
    /// The message as its receivers get it; its payload is the event's.
    pub message: Arc<Message>,
    /// The points read from the payload.
    pub points: Points,
}

/// The last event of one name of a device, as the store gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEvent {
    /// The event's name.
    pub name: String,
    /// The payload's format.
    pub format: String,
    /// When it was received.
    pub at_ms: Millis,
    /// The payload.
    pub payload: Vec<u8>,
}
