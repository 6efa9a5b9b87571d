//! UNSUBACK (section 3.11): the answer to an UNSUBSCRIBE.

use super::Kind;
use crate::codec::{Reader, Violation, put_u16};
use crate::property::Properties;
use crate::{Reason, Version};

/// The server's answer to an UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// The packet identifier of the UNSUBSCRIBE.
    pub packet_id: u16,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// One per filter; not written before 5.0.
    pub codes: &'a [u8],
}

impl<'a> UnsubAck<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>, version: Version) -> Result<UnsubAck<'a>, Violation> {
        let packet_id = body.packet_id()?;
        if version != Version::V5 {
            return Ok(UnsubAck { packet_id, properties: Properties::EMPTY, codes: &[] });
        }
        let properties = body.properties(Kind::UnsubAck)?;
        let codes = body.rest();
        if codes.is_empty() || !codes.iter().all(|code| Reason(*code).may_be_in(Kind::UnsubAck)) {
            return Err(Violation::malformed(
                "5.0 § 3.11.3",
                "UNSUBACK lacks a reason code or has one of another packet",
            ));
        }
        Ok(UnsubAck { packet_id, properties, codes })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put_u16(out, self.packet_id);
        if version == Version::V5 {
            self.properties.encode(out);
            out.extend_from_slice(self.codes);
        }
    }
}
