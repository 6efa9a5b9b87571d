//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): four packets of one layout.

use super::Kind;
use crate::codec::{Reader, Violation, put_u16};
use crate::property::Properties;
use crate::{Reason, Version};

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The packet identifier of the PUBLISH; never 0.
    pub packet_id: u16,
    /// Success before 5.0.
    pub reason: Reason,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

impl Ack<'static> {
    /// Success, without properties.
    pub const fn success(packet_id: u16) -> Ack<'static> {
        Ack::with(packet_id, Reason::SUCCESS)
    }

    /// A reason, without properties.
    pub const fn with(packet_id: u16, reason: Reason) -> Ack<'static> {
        Ack { packet_id, reason, properties: Properties::EMPTY }
    }
}

impl<'a> Ack<'a> {
    pub(crate) fn decode(kind: Kind, body: &mut Reader<'a>, version: Version) -> Result<Ack<'a>, Violation> {
        let packet_id = body.packet_id()?;
        // 5.0 leaves out a reason that is success and properties that are none; before it both were unknown.
        if version != Version::V5 || body.is_empty() {
            return Ok(Ack::success(packet_id));
        }
        let reason = Reason(body.u8()?);
        if !reason.may_be_in(kind) {
            return Err(Violation::malformed(
                "5.0 § 2.4",
                "an acknowledgement has a reason code of another packet",
            ));
        }
        let properties = if body.is_empty() { Properties::EMPTY } else { body.properties(kind)? };
        Ok(Ack { packet_id, reason, properties })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put_u16(out, self.packet_id);
        if version != Version::V5 || self.reason == Reason::SUCCESS && self.properties.is_empty() {
            return;
        }
        out.push(self.reason.0);
        if !self.properties.is_empty() {
            self.properties.encode(out);
        }
    }
}
