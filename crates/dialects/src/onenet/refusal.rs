//! The numbers of a refusal, and what becomes of the connection (spec onenet 3.2, 3.3, 4.1, 5.1, 5.2). The one place
//! where this dialect's numbers are.

use domain::{Closing, Code, Fault, Refusal};
use mqtt::packet::SubAck;

use crate::{Answer, Request};

/// How a refused request is answered. A message that cannot be taken closes the connection without an acknowledgement;
/// a filter that cannot be granted has its code.
pub(super) fn answer(request: Request, refusal: &Refusal) -> Answer {
    let (close, reason) = match request {
        Request::Publish => (Some(closing(refusal.code)), 0x80),
        Request::Subscribe => (None, SubAck::FAILURE),
        // A filter that is never granted was never subscribed to either.
        Request::Unsubscribe => (None, 0),
    };
    Answer { close, acknowledged: false, reason, notify: false }
}

fn closing(code: Code) -> Closing {
    match code {
        Code::TopicInvalid | Code::TopicReserved => Closing::TopicInvalid,
        Code::TooLarge => Closing::TooLarge,
        Code::Malformed | Code::RequestInvalid => Closing::ProtocolError,
        code => match code.fault() {
            Fault::Ours => Closing::ServerFailed,
            Fault::Capacity => Closing::Capacity,
            Fault::Peer | Fault::Policy => Closing::NotAllowed,
        },
    }
}

/// The code of a refusing CONNACK; `None`: closed without one.
pub(super) fn connack(refusal: &Refusal) -> Option<u8> {
    Some(match refusal.code {
        Code::Malformed
        | Code::RequestInvalid
        | Code::TooLarge
        | Code::TopicInvalid
        | Code::TopicReserved => {
            return None;
        }
        Code::VersionUnsupported => 1,
        Code::ClientIdInvalid | Code::ClientIdUnrecognised | Code::DeviceUnknown | Code::OrgMismatch => 2,
        Code::KeyUnknown | Code::TokenWrong | Code::TypeUnknown => 4,
        code => match code.fault() {
            Fault::Ours | Fault::Capacity => 3,
            Fault::Peer | Fault::Policy => 5,
        },
    })
}
