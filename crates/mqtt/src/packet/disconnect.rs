//! DISCONNECT (section 3.14): the end, from a client, and in 5.0 from a server too.

use super::Kind;
use crate::codec::{Reader, Sender, Violation};
use crate::property::Properties;
use crate::{Reason, Version};

/// The end of a connection, announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Success (normal disconnection) before 5.0.
    pub reason: Reason,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

impl Disconnect<'static> {
    /// A reason, without properties.
    pub const fn with(reason: Reason) -> Disconnect<'static> {
        Disconnect { reason, properties: Properties::EMPTY }
    }
}

impl<'a> Disconnect<'a> {
    pub(crate) fn decode(
        body: &mut Reader<'a>,
        version: Version,
        sender: Sender,
    ) -> Result<Disconnect<'a>, Violation> {
        if version != Version::V5 || body.is_empty() {
            return Ok(Disconnect::with(Reason::SUCCESS));
        }
        let reason = Reason(body.u8()?);
        if !reason.may_be_in(Kind::Disconnect) {
            return Err(Violation::malformed("5.0 § 2.4", "DISCONNECT has a reason code of another packet"));
        }
        let properties = if body.is_empty() { Properties::EMPTY } else { body.properties(Kind::Disconnect)? };
        if sender == Sender::Client && properties.server_reference().is_some() {
            return Err(Violation::protocol(
                "5.0 § 3.14.2.2.5",
                "a client's DISCONNECT names another server",
            ));
        }
        Ok(Disconnect { reason, properties })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        if version != Version::V5 || self.reason == Reason::SUCCESS && self.properties.is_empty() {
            return;
        }
        out.push(self.reason.0);
        if !self.properties.is_empty() {
            self.properties.encode(out);
        }
    }
}
