//! The numbers of a refusal, as MQTT itself has them. The one place where this dialect's numbers are.
//!
//! A refused message or filter never closes the connection: before 5.0 a message is acknowledged and dropped, because
//! there is no other answer that a client would not repeat for ever.

use domain::{Closing, Code, Fault, Refusal};
use mqtt::Version;

use crate::{Answer, Request};

/// SUBACK's code for a refused filter in 3.1.1, and an unspecified error in 5.0; 3.1 does not have it and grants 0
/// instead.
const SUBACK_FAILURE: u8 = 0x80;

/// How a refused request is answered.
pub(super) fn answer(version: Version, request: Request, refusal: &Refusal) -> Answer {
    let close = match refusal.code {
        Code::TooLarge => Some(Closing::TooLarge),
        Code::Malformed => Some(Closing::ProtocolError),
        Code::StoreFailed => Some(Closing::ServerFailed),
        // An acknowledged message is forgotten by its sender; one of ours must not be.
        code if code.fault() == Fault::Ours && request == Request::Publish => Some(Closing::ServerFailed),
        _ => None,
    };
    let reason = match (version, request) {
        (Version::V31, Request::Subscribe) => 0,
        (Version::V311, Request::Subscribe) => SUBACK_FAILURE,
        _ => reason(request, refusal.code),
    };
    Answer { close, acknowledged: false, reason, notify: false }
}

/// The reason code of 5.0.
fn reason(request: Request, code: Code) -> u8 {
    match (code, request) {
        (Code::TopicInvalid | Code::TopicReserved, Request::Publish) => 0x90,
        (Code::TopicInvalid | Code::TopicReserved, Request::Subscribe | Request::Unsubscribe) => 0x8F,
        // "Not authorized" (0x87) would say more, but the clients of Eclipse Paho's suite know no failure but this one.
        (Code::NotAllowed, Request::Subscribe) => SUBACK_FAILURE,
        (Code::TooLarge, _) => 0x95,
        (Code::Malformed, _) => 0x81,
        (code, _) => match code.fault() {
            Fault::Capacity => 0x97,
            Fault::Ours => 0x83,
            Fault::Peer | Fault::Policy => 0x87,
        },
    }
}

/// The code of a refusing CONNACK. Everything that is wrong with a credential has the same one, so that a stranger
/// cannot find out which exist.
pub(super) fn connack(version: Version, refusal: &Refusal) -> u8 {
    let (code_v3, reason_v5) = match refusal.code {
        Code::OrgUnknown
        | Code::DeviceUnknown
        | Code::KeyUnknown
        | Code::TokenWrong
        | Code::ClassMismatch
        | Code::OrgMismatch => (4, 0x86),
        Code::VersionUnsupported => (1, 0x84),
        Code::ClientIdInvalid | Code::ClientIdUnrecognised => (2, 0x85),
        Code::TopicInvalid | Code::TopicReserved => (5, 0x90),
        Code::TooLarge => (5, 0x95),
        Code::Malformed => (5, 0x81),
        code => match code.fault() {
            Fault::Ours => (3, 0x88),
            Fault::Capacity => (3, 0x97),
            Fault::Peer | Fault::Policy => (5, 0x87),
        },
    };
    if version == Version::V5 { reason_v5 } else { code_v3 }
}
