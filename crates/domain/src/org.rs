//! The organisation: the tenant that every key, subscription and lookup starts with.

use std::fmt;

use crate::Millis;

/// The id of an organisation: exactly six characters of `[a-z0-9]`.
///
/// Six, because Watson's SDKs cut the organisation out of an API key by position (spec watson 1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId([u8; 6]);

impl OrgId {
    /// Where peers are that belong to no organisation yet. No organisation can have this id.
    pub const NOWHERE: OrgId = OrgId(*b"------");

    /// Reads an id; `None` when it is not six characters of `[a-z0-9]`.
    pub fn parse(text: &str) -> Option<OrgId> {
        let bytes: [u8; 6] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit()).then_some(OrgId(bytes))
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??????")
    }

    /// The six characters as bytes: the first component of every stored key.
    pub fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrgId({self})")
    }
}

/// An organisation and its quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// What people call it.
    pub name: String,
    /// When it was created.
    pub created_ms: Millis,
    /// A disabled organisation admits nobody.
    pub enabled: bool,
    /// How many devices it may hold; 0 = no limit (spec watson 2.9).
    pub device_count_max: u64,
    /// How many devices one gateway may have registered; 0 = no limit (spec watson 2.9).
    pub device_per_gateway_count_max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_org_id_is_six_lower_case_letters_or_digits() {
        assert_eq!(OrgId::parse("abc123").map(|it| it.to_string()), Some("abc123".to_owned()));
        for wrong in ["", "abc12", "abc1234", "ABC123", "abc-12", "äbc12"] {
            assert_eq!(OrgId::parse(wrong), None, "{wrong}");
        }
    }
}
