//! The session with a client that keeps to the standard, an owner that may forget and a network that breaks: what the
//! property test of the session draws at random is read from the bytes here.

use mqtt::{QoS, Version};

#[path = "../../tests/session_model/world.rs"]
mod world;

use super::decode::version_of;
use world::{Event, run as run_world};

/// Events of one run. More of them tell nothing new, and coming to rest takes its time.
const EVENT_COUNT_MAX: usize = 1_000;

/// What kind of session it is, then an event for each byte.
pub(super) fn run(data: &[u8]) {
    let [how, events @ ..] = data else { return };
    let version: Version = version_of(*how);
    let is_durable = how & 0b0001_1100 != 0;
    let tells_releases = how & 0b0100_0000 != 0;
    // Near the end of the packet ids, or at their beginning.
    let first_place = if how & 0b0010_0000 == 0 { 0 } else { 65_530 };
    run_world(
        version,
        is_durable,
        tells_releases,
        first_place,
        events.iter().take(EVENT_COUNT_MAX).map(|byte| event_of(*byte)),
    );
}

/// The low half of the byte says what happens, the high half how.
fn event_of(byte: u8) -> Event {
    let how = byte >> 4;
    let gap = match how {
        12 => 2,
        13 => 3,
        14 => 65_534,
        15 => 65_536,
        _ => 1,
    };
    match byte & 0x0F {
        0 => Event::ClientPublishes(QoS::AtLeastOnce),
        1 => Event::ClientPublishes(QoS::ExactlyOnce),
        2 => Event::Queue(QoS::AtLeastOnce, gap),
        3 if how == 11 => Event::Queue(QoS::AtMostOnce, gap),
        3 => Event::Queue(QoS::ExactlyOnce, gap),
        4..7 => Event::HandOver,
        7..10 => Event::ServerReads,
        10..13 => Event::ClientReads,
        15 if how < 4 => Event::Break(how & 1 == 0),
        _ => Event::Commit,
    }
}

/// Nothing in particular: any bytes are a run.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0x06, 0x00, 0x07, 0x0D, 0x0A],
        vec![0x06, 0x01, 0x07, 0x0D, 0x0A, 0x07, 0x0D, 0x0A],
        vec![0x26, 0x03, 0x04, 0x0A, 0x07, 0x0D, 0x0A, 0x07, 0x0D, 0x0A],
        vec![0x05, 0x02, 0x03, 0x04, 0x04, 0x0A, 0x0F, 0x04, 0x04, 0x0A, 0x07, 0x1F, 0x04],
    ]
}
