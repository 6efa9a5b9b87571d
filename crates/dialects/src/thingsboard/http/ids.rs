//! The UUIDs by which ThingsBoard's API names things (spec thingsboard 1), made from what names them here.
//!
//! All are of version 8, and the four bits behind the version say of what kind the thing is. Devices and commands have
//! permanent numbers: their UUIDs hold these, and are read back. An organisation's holds its id. Profiles, customers
//! and users have names; their UUIDs are hashes of organisation and name, found again by looking through the few there
//! are.
//!
//! `NNNNNNNN-NNNN-8K00-8000-00000000NNNN` is the device (K = 1) or command (K = 2) with the number N, in hexadecimal.

use std::fmt;

use domain::{CommandId, DeviceId, OrgId};
use serde::{Serialize, Serializer};

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(u128);

/// Whom a device belongs to that no customer has, and whose parent the system is (spec 1).
pub const NOBODY: Uuid = Uuid(0x1381_4000_1dd2_11b2_8080_8080_8080_8080);

const VERSION: u128 = 0x8 << 76;
const VARIANT: u128 = 0x2 << 62;
const KIND_SHIFT: u32 = 72;
/// The version, the kind and the variant.
const FRAME: u128 = (0xFF << KIND_SHIFT) | (0x3 << 62);

const DEVICE: u128 = 1;
const COMMAND: u128 = 2;
const ORG: u128 = 3;
const PROFILE: u128 = 4;
const CUSTOMER: u128 = 5;
const USER: u128 = 6;

impl Uuid {
    /// Reads a UUID as it is usually written, in either case; `None` when it is none.
    pub fn parse(text: &str) -> Option<Uuid> {
        let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
        let mut value = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                (_, digit) => value = value << 4 | u128::from(char::from(*digit).to_digit(16)?),
            }
        }
        Some(Uuid(value))
    }

    fn framed(kind: u128, rest: u128) -> Uuid {
        Uuid((rest & !FRAME) | VERSION | (kind << KIND_SHIFT) | VARIANT)
    }

    fn numbered(kind: u128, number: u64) -> Uuid {
        let number = u128::from(number);
        Uuid::framed(kind, (number >> 16) << 80 | (number & 0xFFFF))
    }

    fn number(self, kind: u128) -> Option<u64> {
        let number = (self.0 >> 80) << 16 | (self.0 & 0xFFFF);
        let number = u64::try_from(number).ok()?;
        (Uuid::numbered(kind, number) == self).then_some(number)
    }

    fn hashed(kind: u128, org: OrgId, name: &str) -> Uuid {
        let parts = [&[kind as u8][..], org.as_bytes(), name.as_bytes()];
        Uuid::framed(kind, hash(parts.into_iter().flatten()))
    }

    /// A device's.
    pub fn of_device(id: DeviceId) -> Uuid {
        Uuid::numbered(DEVICE, id.0)
    }

    /// The device it names, if it names one.
    pub fn device(self) -> Option<DeviceId> {
        self.number(DEVICE).map(DeviceId)
    }

    /// A command's.
    pub fn of_command(id: CommandId) -> Uuid {
        Uuid::numbered(COMMAND, id.0)
    }

    /// The command it names, if it names one.
    pub fn command(self) -> Option<CommandId> {
        self.number(COMMAND).map(CommandId)
    }

    /// An organisation's: what ThingsBoard calls a tenant.
    pub fn of_org(org: OrgId) -> Uuid {
        let id = org.as_bytes().iter().fold(0, |value, byte| value << 8 | u128::from(*byte));
        Uuid::framed(ORG, id)
    }

    /// A device type's: what ThingsBoard calls a device profile.
    pub fn of_type(org: OrgId, name: &str) -> Uuid {
        Uuid::hashed(PROFILE, org, name)
    }

    /// That of an API key as a customer.
    pub fn of_customer(org: OrgId, key: &str) -> Uuid {
        Uuid::hashed(CUSTOMER, org, key)
    }

    /// That of an API key as a user.
    pub fn of_user(org: OrgId, key: &str) -> Uuid {
        Uuid::hashed(USER, org, key)
    }
}

/// FNV-1a. Names of one organisation have to differ, and nobody gains anything where they do not.
pub(super) fn hash<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u128 {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    bytes.into_iter().fold(START, |value, byte| (value ^ u128::from(*byte)).wrapping_mul(PRIME))
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, bits: u32| self.0 >> shift & ((1 << bits) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back_and_nothing_else_is() {
        for number in [0, 1, 0xFFFF, 0x1_0000, 0x0123_4567_89ab_cdef, u64::MAX] {
            let uuid = Uuid::of_device(DeviceId(number));
            assert_eq!(Uuid::parse(&uuid.to_string()), Some(uuid));
            assert_eq!((uuid.device(), uuid.command()), (Some(DeviceId(number)), None));
            let uuid = Uuid::of_command(CommandId(number));
            assert_eq!((uuid.device(), uuid.command()), (None, Some(CommandId(number))));
        }
        let shown = Uuid::of_device(DeviceId(0x0123_4567_89ab_cdef)).to_string();
        assert_eq!(shown, "01234567-89ab-8100-8000-00000000cdef");
        let upper = Uuid::parse("01234567-89AB-8100-8000-00000000CDEF");
        assert_eq!(upper.and_then(Uuid::device), Some(DeviceId(0x0123_4567_89ab_cdef)));
        let others = ["01234567-89ab-8100-8000-00000001cdef", "784f394c-42b6-435a-983c-b7beff2784f9"];
        for other in others {
            assert_eq!(Uuid::parse(other).and_then(Uuid::device), None, "{other}");
        }
        assert_eq!(NOBODY.to_string(), "13814000-1dd2-11b2-8080-808080808080");
    }

    #[test]
    fn what_is_no_uuid_is_none() {
        for wrong in
            ["", "1", "0123456789ab81008000000000cdef00000000", "g1234567-89ab-8100-8000-00000000cdef"]
        {
            assert_eq!(Uuid::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Uuid::parse("01234567089ab-8100-8000-00000000cdef"), None);
        assert_eq!(Uuid::parse("é1234567-89ab-8100-8000-00000000cde"), None);
    }

    #[test]
    fn names_of_different_kinds_and_organisations_differ() {
        let orgs = ["abc123", "abc124"].map(|it| OrgId::parse(it).expect("an id"));
        let mut all: Vec<_> = orgs
            .iter()
            .flat_map(|it| [Uuid::of_org(*it), Uuid::of_type(*it, "a"), Uuid::of_type(*it, "b")])
            .chain(orgs.iter().flat_map(|it| [Uuid::of_customer(*it, "a"), Uuid::of_user(*it, "a")]))
            .map(|it| it.to_string())
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
        assert!(all.iter().all(|it| it.as_bytes()[14] == b'8'), "all of version 8: {all:?}");
    }
}
