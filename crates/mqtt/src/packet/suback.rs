//! SUBACK (section 3.9): the answer to a SUBSCRIBE.

use super::Kind;
use crate::codec::{Reader, Violation, put_u16};
use crate::property::Properties;
use crate::{Reason, Version};

/// The server's answer to a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// The packet identifier of the SUBSCRIBE.
    pub packet_id: u16,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// One per filter, as they go on the wire of the connection's version.
    pub codes: &'a [u8],
}

impl SubAck<'_> {
    /// Before 5.0, and not in 3.1: the filter was refused. (In 5.0 the same number is an unspecified error.)
    pub const FAILURE: u8 = 0x80;
}

impl<'a> SubAck<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>, version: Version) -> Result<SubAck<'a>, Violation> {
        let packet_id = body.packet_id()?;
        let properties = match version {
            Version::V5 => body.properties(Kind::SubAck)?,
            _ => Properties::EMPTY,
        };
        let codes = body.rest();
        let known = |code: &u8| match version {
            Version::V5 => Reason(*code).may_be_in(Kind::SubAck),
            _ => matches!(*code, 0..=2 | SubAck::FAILURE),
        };
        if codes.is_empty() {
            return Err(Violation::malformed("MQTT-3.8.4-5", "SUBACK has no return code"));
        }
        if !codes.iter().all(known) {
            return Err(Violation::malformed("MQTT-3.9.3-2", "SUBACK has a return code that is reserved"));
        }
        Ok(SubAck { packet_id, properties, codes })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put_u16(out, self.packet_id);
        if version == Version::V5 {
            self.properties.encode(out);
        }
        out.extend_from_slice(self.codes);
    }
}
