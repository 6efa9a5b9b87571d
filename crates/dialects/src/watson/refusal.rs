//! The numbers and words of a refusal: CONNACK, PUBACK, SUBACK, closing reason and notification code (spec watson
//! 1.5, 2.8, 3.4, E1–E4, E8, E11, E16).
//!
//! The one place where Watson's numbers are. Which refusals close a connection depends on who sent what: a gateway is
//! told and stays connected, because many devices speak through it; a device is disconnected.

use domain::{Closing, Code, Fault, Peer, Refusal};
use mqtt::{QoS, Version};

use super::NotifyStyle;
use crate::{Answer, Request};

/// SUBACK's code for a refused filter in 3.1.1; 3.1 does not have it and grants 0 instead.
const SUBACK_FAILURE: u8 = 0x80;

/// How a refused request is answered.
pub(super) fn answer(
    style: NotifyStyle,
    peer: &Peer,
    version: Version,
    request: Request,
    qos: QoS,
    refusal: &Refusal,
) -> Answer {
    let close = closing(peer, version, request, qos, refusal);
    let reason = match (version, request) {
        (Version::V31, Request::Subscribe) => 0,
        (Version::V311, Request::Subscribe) => SUBACK_FAILURE,
        _ => reason(request, refusal.code),
    };
    Answer {
        close,
        acknowledged: false,
        reason,
        notify: peer.is_gateway() && is_notified(style, request, refusal.code),
    }
}

/// Why the refusal closes the connection, if it does.
fn closing(peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Option<Closing> {
    match refusal.code {
        Code::TooLarge => return Some(Closing::TooLarge),
        Code::Malformed | Code::RequestInvalid => return Some(Closing::ProtocolError),
        Code::StoreFailed => return Some(Closing::ServerFailed),
        // An acknowledged message is forgotten by its sender; one of ours must not be. A SUBACK says what failed.
        code if code.fault() == Fault::Ours && request == Request::Publish => {
            return Some(Closing::ServerFailed);
        }
        _ => {}
    }
    let closes = match (peer.is_gateway(), version, request) {
        (true, ..) | (_, _, Request::Unsubscribe) => false,
        // With an acknowledgement there is a place for the reason (E1).
        (false, Version::V5, Request::Publish) => qos == QoS::AtMostOnce,
        (false, Version::V5, Request::Subscribe) => false,
        // A bound on subscriptions is not the client's mistake: it keeps those it has.
        (false, _, Request::Subscribe) => refusal.fault() != Fault::Capacity,
        (false, _, Request::Publish) => true,
    };
    closes.then(|| if is_about_topic(refusal.code) { Closing::TopicInvalid } else { Closing::NotAllowed })
}

/// The reason code of MQTT 5.0 (E1).
fn reason(request: Request, code: Code) -> u8 {
    match code {
        code if is_about_topic(code) => match request {
            Request::Publish => 0x90,
            Request::Subscribe | Request::Unsubscribe => 0x8F,
        },
        Code::TooLarge => 0x95,
        Code::Malformed | Code::RequestInvalid => 0x81,
        code => match code.fault() {
            Fault::Capacity => 0x97,
            Fault::Ours => 0x83,
            Fault::Peer | Fault::Policy => 0x87,
        },
    }
}

fn is_about_topic(code: Code) -> bool {
    matches!(code, Code::TopicInvalid | Code::TopicReserved | Code::TypeInvalid | Code::NameInvalid)
}

/// Which refusals a gateway hears about (spec 2.8.1). A device that is backing off was notified when that began.
fn is_notified(style: NotifyStyle, request: Request, code: Code) -> bool {
    let is_silent = matches!(code, Code::BackingOff | Code::TooLarge | Code::Malformed | Code::StoreFailed);
    // The manual knows two kinds of request; only the cloud's notifications have a word for the third.
    let has_a_word = request != Request::Unsubscribe || style == NotifyStyle::Cloud;
    !is_silent && has_a_word
}

/// The code of a refusing CONNACK; `None` when the connection is closed without one (spec 1.5, E3, E11). Never 4: the
/// Node SDKs go on trying for ever on any text but the one that they print for 5.
pub(super) fn connack(version: Version, refusal: &Refusal) -> Option<u8> {
    let (code_v3, reason_v5) = match refusal.code {
        Code::VersionUnsupported => (Some(1), 0x84),
        Code::ClientIdInvalid => (Some(2), 0x85),
        Code::TopicInvalid | Code::TopicReserved | Code::TypeInvalid | Code::NameInvalid => (None, 0x90),
        Code::TooLarge => (None, 0x95),
        Code::Malformed | Code::RequestInvalid => (None, 0x81),
        Code::StoreFailed | Code::CreateFailed => (Some(3), 0x88),
        Code::TooMany | Code::RateExceeded | Code::GatewayFull | Code::OrgFull | Code::BackingOff => {
            (Some(3), 0x97)
        }
        Code::OrgUnknown
        | Code::DeviceUnknown
        | Code::KeyUnknown
        | Code::TokenWrong
        | Code::ClassMismatch
        | Code::OrgMismatch
        | Code::DeviceDisabled
        | Code::DeviceAbsent
        | Code::ClientIdUnrecognised
        | Code::TypeUnknown
        | Code::Exists
        | Code::InUse
        | Code::NotFound
        | Code::NotAllowed
        | Code::NotServed => (Some(5), 0x87),
    };
    if version == Version::V5 { Some(reason_v5) } else { code_v3 }
}

/// Code and text of an ended connection (spec 3.4).
pub(super) fn close_code(closing: Closing) -> (u16, &'static str) {
    match closing {
        Closing::Normal => (0, "The connection has completed normally."),
        Closing::Lost => (91, "The connection was closed by the client."),
        Closing::ServerFailed => (92, "The connection was closed by the server."),
        Closing::ShuttingDown => (93, "The connection was closed because the server was shut down."),
        Closing::Removed => (94, "The connection was closed by an administrator."),
        Closing::Capacity => (104, "The server capacity is reached."),
        Closing::ProtocolError => (105, "The data that was received from the client is not valid."),
        Closing::KeepAliveExpired | Closing::AnswerOverdue => (160, "The connection timed out."),
        Closing::TooSlow => (178, "The client reads too slowly."),
        Closing::NotAllowed => (180, "The operation is not authorized."),
        Closing::TopicInvalid => (276, "The topic is not valid."),
        Closing::TooLarge => (287, "The message size is too large for this endpoint."),
        Closing::TakenOver => (288, "The client ID was reused."),
    }
}

/// The number of a refusal, in notifications and as the closing code of a connection that was not admitted (spec
/// 2.8.3, E4), with the first words of its text.
pub(super) fn return_code(code: Code) -> (u16, &'static str) {
    match code {
        Code::TooMany | Code::RateExceeded => (104, "The server capacity is reached"),
        Code::Malformed | Code::RequestInvalid => {
            (105, "The data that was received from the client is not valid")
        }
        Code::VersionUnsupported | Code::ClientIdInvalid | Code::ClientIdUnrecognised => {
            (166, "The client ID is not valid")
        }
        Code::StoreFailed => (167, "The server is not available"),
        Code::GatewayFull => (173, "Too many active devices"),
        Code::OrgFull => (173, "Too many devices for the organization"),
        Code::BackingOff => (177, "Failed to create device: an attempt failed a short time ago"),
        Code::TypeUnknown => (177, "Failed to create device: the device type is not valid"),
        Code::CreateFailed => (177, "Failed to create device"),
        Code::OrgUnknown
        | Code::DeviceUnknown
        | Code::KeyUnknown
        | Code::TokenWrong
        | Code::ClassMismatch
        | Code::OrgMismatch => (181, "User authentication failed"),
        Code::DeviceDisabled
        | Code::DeviceAbsent
        | Code::NotAllowed
        | Code::NotServed
        | Code::Exists
        | Code::InUse
        | Code::NotFound => (180, "The operation is not authorized"),
        Code::TopicInvalid | Code::TypeInvalid | Code::NameInvalid => (276, "The topic is not valid"),
        Code::TooLarge => (287, "The message size is too large for this endpoint"),
        Code::TopicReserved => (289, "The topic cannot be used because it is a system topic"),
    }
}
