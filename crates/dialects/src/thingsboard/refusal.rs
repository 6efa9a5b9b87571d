//! The numbers of a refusal, and what becomes of the connection (spec thingsboard 2.3, 2.5 to 2.7, 3.12, 4.8). The one
//! place where this dialect's numbers are.
//!
//! Before 5.0 an acknowledgement says nothing but "done". What a client can never do right is acknowledged and dropped
//! there, as its platform does; a payload that is not JSON closes the connection; and what failed for our own reasons
//! is never acknowledged, so that the client sends it again.

use domain::{Closing, Code, Fault, Refusal};
use mqtt::{QoS, Version};

use super::Unreadable;
use crate::{Answer, Request};

/// How a refused request is answered.
pub(super) fn answer(
    unreadable: Unreadable,
    version: Version,
    request: Request,
    qos: QoS,
    refusal: &Refusal,
) -> Answer {
    let stays = |reason| Answer { close: None, acknowledged: false, reason, notify: false };
    match request {
        Request::Publish => publish(unreadable, version, qos, refusal.code),
        Request::Subscribe => stays(match (version, refusal.code) {
            (Version::V31, _) => 0,
            (Version::V311, _) => 0x80,
            (Version::V5, Code::TopicInvalid | Code::TopicReserved) => 0x8F,
            (Version::V5, code) if code.fault() == Fault::Capacity => 0x97,
            (Version::V5, code) if code.fault() == Fault::Ours => 0x83,
            (Version::V5, _) => 0x87,
        }),
        // A filter that is never granted was never subscribed to either.
        Request::Unsubscribe => stays(0x11),
    }
}

/// A newcomer has one topic to publish to: after another it is closed (spec 7).
pub(super) fn to_newcomer(version: Version) -> Answer {
    Answer {
        close: Some(Closing::TopicInvalid),
        acknowledged: version == Version::V5,
        reason: 0x90,
        notify: false,
    }
}

fn publish(unreadable: Unreadable, version: Version, qos: QoS, code: Code) -> Answer {
    let stays = |reason| Answer { close: None, acknowledged: false, reason, notify: false };
    let closes =
        |closing, acknowledged, reason| Answer { close: Some(closing), acknowledged, reason, notify: false };
    match code {
        Code::Malformed
            if qos > QoS::AtMostOnce
                && (version == Version::V5 || unreadable == Unreadable::Acknowledged) =>
        {
            stays(0x99)
        }
        Code::Malformed => closes(Closing::ProtocolError, false, 0x99),
        Code::RequestInvalid => closes(Closing::ProtocolError, true, 0x83),
        Code::TopicInvalid | Code::TopicReserved | Code::NotServed => stays(0x90),
        Code::NotAllowed => stays(0x87),
        // Before 5.0 an acknowledgement would say that it was taken: the client has to send it again.
        Code::RateExceeded => closes(Closing::NotAllowed, version == Version::V5, 0x97),
        // PUBACK has no code for what is too large.
        Code::TooLarge => stays(0x97),
        code => match code.fault() {
            Fault::Ours => closes(Closing::ServerFailed, false, 0x83),
            Fault::Capacity => stays(0x97),
            Fault::Peer | Fault::Policy => stays(0x80),
        },
    }
}

/// The code of a refusing CONNACK (spec 2.3).
pub(super) fn connack(version: Version, refusal: &Refusal) -> u8 {
    let (code_v3, reason_v5) = match refusal.code {
        Code::KeyUnknown | Code::TokenWrong => (5, 0x86),
        Code::ClientIdInvalid | Code::ClientIdUnrecognised => (2, 0x85),
        code => match code.fault() {
            Fault::Ours => (3, 0x88),
            Fault::Capacity => (3, 0x9F),
            Fault::Peer | Fault::Policy => (5, 0x87),
        },
    };
    if version == Version::V5 { reason_v5 } else { code_v3 }
}
