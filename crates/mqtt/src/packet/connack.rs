//! CONNACK (section 3.2): the answer to a CONNECT.

use super::Kind;
use crate::codec::{Reader, Violation};
use crate::property::Properties;
use crate::{Reason, Version};

/// The server's answer to a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server has a session of an earlier connection. False in every refusal; 3.1 has no such flag.
    pub session_present: bool,
    /// The code as it goes on the wire of the connection's version: 0–5 before 5.0, a reason code in 5.0.
    pub code: u8,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

impl ConnAck<'_> {
    /// Welcome, in every version.
    pub const ACCEPTED: u8 = 0;
    /// Before 5.0: the server does not speak that level.
    pub const UNACCEPTABLE_PROTOCOL_VERSION: u8 = 1;
    /// Before 5.0: a well-formed client id that is not allowed.
    pub const IDENTIFIER_REJECTED: u8 = 2;
    /// Before 5.0: the service cannot be had at the moment.
    pub const SERVER_UNAVAILABLE: u8 = 3;
    /// Before 5.0: the user name or password is malformed.
    pub const BAD_USER_NAME_OR_PASSWORD: u8 = 4;
    /// Before 5.0: the client may not connect.
    pub const NOT_AUTHORIZED: u8 = 5;
}

impl ConnAck<'static> {
    /// A refusal without properties.
    pub const fn refusal(code: u8) -> ConnAck<'static> {
        ConnAck { session_present: false, code, properties: Properties::EMPTY }
    }
}

impl<'a> ConnAck<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>, version: Version) -> Result<ConnAck<'a>, Violation> {
        let flags = body.u8()?;
        if flags & !1 != 0 {
            return Err(Violation::malformed("§ 3.2.2.1", "reserved flags of CONNACK are set"));
        }
        let (session_present, code) = (flags == 1, body.u8()?);
        let known = match version {
            Version::V5 => Reason(code).may_be_in(Kind::ConnAck),
            _ => code <= ConnAck::NOT_AUTHORIZED,
        };
        if !known {
            return Err(Violation::malformed("§ 3.2.2.3", "CONNACK has a code that is reserved"));
        }
        if session_present && code != ConnAck::ACCEPTED {
            return Err(Violation::protocol("MQTT-3.2.2-4", "CONNACK refuses and speaks of a session"));
        }
        let properties = match version {
            Version::V5 => body.properties(Kind::ConnAck)?,
            _ => Properties::EMPTY,
        };
        Ok(ConnAck { session_present, code, properties })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.extend_from_slice(&[u8::from(self.session_present), self.code]);
        if version == Version::V5 {
            self.properties.encode(out);
        }
    }
}
