//! AUTH (5.0 section 3.15): a step of an extended authentication.

use super::Kind;
use crate::Reason;
use crate::codec::{Reader, Violation};
use crate::property::Properties;

/// A step of an extended authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue or re-authenticate.
    pub reason: Reason,
    /// With an authentication method, unless the packet is empty.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>) -> Result<Auth<'a>, Violation> {
        if body.is_empty() {
            return Ok(Auth { reason: Reason::SUCCESS, properties: Properties::EMPTY });
        }
        let reason = Reason(body.u8()?);
        if !reason.may_be_in(Kind::Auth) {
            return Err(Violation::malformed("5.0 § 2.4", "AUTH has a reason code of another packet"));
        }
        let properties = body.properties(Kind::Auth)?;
        if properties.authentication_method().is_none() {
            return Err(Violation::protocol("5.0 § 3.15.2.2.2", "AUTH has no authentication method"));
        }
        Ok(Auth { reason, properties })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        if self.reason == Reason::SUCCESS && self.properties.is_empty() {
            return;
        }
        out.push(self.reason.0);
        self.properties.encode(out);
    }
}
