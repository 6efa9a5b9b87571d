//! What a message or subscription asks for, in the words that everybody shares (spec onenet 4.1, 5.1, 5.2).

use std::borrow::Cow;
use std::ops::ControlFlow;

use domain::{Intent, Peer, Refusal, Whose};

use super::command::command_of;
use super::time::Zone;
use super::topic::{Published, published, subscribed};
use super::upload::{self, Binary, Uploaded};
use crate::level::escaped;
use crate::{Grant, Retention, Understood, Uplink, What};

/// What publishing to a topic means.
pub(super) fn uplink<'a>(peer: &Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
    let (what, retention, topic) = match published(topic)? {
        Published::DataPoints | Published::Response { .. } => {
            (What::Asked, Retention::Cleared, Cow::Borrowed(topic))
        }
        Published::Message => (What::Message, Retention::AsAsked, Cow::Owned(in_product_of(peer, topic))),
    };
    Ok(Uplink { device: None, topic, what, registers: false, retention })
}

/// What subscribing to a filter is worth.
pub(super) fn grant(peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
    subscribed(filter)?;
    Ok(Grant { route: Some(in_product_of(peer, filter)), share: None, device: None, reads_retained: true })
}

/// A topic as it is in the space: below the type that is its product, so that nothing leaves that.
pub fn in_product(device_type: &str, topic: &str) -> String {
    format!("{}/{topic}", escaped(device_type))
}

fn in_product_of(peer: &Peer, topic: &str) -> String {
    in_product(peer.device_name().map(|it| it.device_type).unwrap_or_default(), topic)
}

/// Reads an upload of data points, or the answer to a command.
pub(super) fn read(
    topic: &str,
    payload: &[u8],
    zone: Zone,
    each: &mut dyn FnMut(Intent<'_>) -> ControlFlow<()>,
) -> Result<Understood, Refusal> {
    if let Published::Response { command } = published(topic)? {
        // An answer to no command of ours is acknowledged and ignored (spec 7.3).
        if let Some(command) = command_of(command) {
            _ = each(Intent::Response { whose: Whose::Own, command, answer: payload });
        }
        return Ok(Understood::default());
    }
    let forgiven = upload::read(payload, zone, &mut |part| match part {
        Uploaded::Points { at_ms, points } => each(Intent::Telemetry { whose: Whose::Own, at_ms, points }),
        Uploaded::Binary(Binary { stream, at_ms, description, bytes }) => {
            each(Intent::Binary { whose: Whose::Own, at_ms, key: &stream, description, bytes })
        }
    })?;
    Ok(Understood { refusal: None, forgiven })
}
