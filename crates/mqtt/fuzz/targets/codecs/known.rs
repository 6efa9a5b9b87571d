//! Where the two codecs are known to differ, and which clause decides.
//!
//! A difference that no row explains is a finding: a human reads the clause, and either we were wrong or there is a new
//! row. Each row has a packet that shows it, so that none outlives its reason.

use mqtt::packet::Kind;
use mqtt::{Version, codec};

use super::said::ours;
use super::theirs;
use crate::targets::seeds::version_and_bytes;

/// How the codecs differ about a packet.
pub(super) enum Difference {
    /// Both read it, but not the same: what we read, and what they do.
    Reading(String),
    /// They read what we refuse, and this is our reason.
    OnlyTheirs { clause: &'static str, what: &'static str },
    /// They refuse, with that error, what we read.
    OnlyOurs { kind: Kind, version: Version, error: String },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::Reading(readings) => write!(f, "we read {readings}"),
            Difference::OnlyTheirs { clause, what } => write!(f, "only they read it: {what} [{clause}]"),
            Difference::OnlyOurs { kind, version, error } => {
                write!(f, "only we read this {kind:?} of {version:?}: {error}")
            }
        }
    }
}

/// How the codecs differ about one whole packet, if they do.
pub(super) fn difference(packet: &[u8], version: Version) -> Option<Difference> {
    match (codec::decode(packet, version), theirs::read(packet, version)) {
        (Err(_), Err(_)) => None,
        (Ok(packet), Ok(theirs)) => {
            let ours = ours(&packet);
            (ours != theirs).then(|| Difference::Reading(format!("{ours:?}, but {theirs:?}")))
        }
        (Ok(packet), Err(error)) => {
            let version = if let mqtt::Packet::Connect(it) = &packet { it.version } else { version };
            Some(Difference::OnlyOurs { kind: packet.kind(), version, error })
        }
        (Err(violation), Ok(_)) => {
            Some(Difference::OnlyTheirs { clause: violation.clause, what: violation.what })
        }
    }
}

/// A known leniency of theirs: our clause, the start of our words about it, and a packet that shows it.
struct Lenient {
    clause: &'static str,
    what: &'static str,
    example: &'static str,
}

const fn lenient(clause: &'static str, what: &'static str, example: &'static str) -> Lenient {
    Lenient { clause, what, example }
}

/// A PUBLISH to a topic of 129 levels.
const SLASHES: &str = "311 30 __ 0080 '////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////'";

macro_rules! five {
    ($it:expr) => {
        concat!($it, $it, $it, $it, $it)
    };
}

/// A PUBLISH with 65 user properties without name and value.
const USER_PROPERTIES: &str = concat!(
    "5 30 __ 0001't' c502",
    five!(five!("26 0000 0000")),
    five!(five!("26 0000 0000")),
    five!("26 0000 0000"),
    five!("26 0000 0000"),
    five!("26 0000 0000")
);

/// What they read although the standard, or one of our bounds, forbids it.
#[rustfmt::skip] // A table.
const LENIENT: &[Lenient] = &[
    lenient("§ 2.2.3", "bytes follow the last field", "311 c0 01 00"),
    lenient("5.0 § 1.5.5", "a number has more bytes", "5 c0 80 00"),
    lenient("MQTT-1.5.3-2", "a text contains U+0000", "311 10 __ 0004'MQTT' 04 02 003c 0001 00"),
    lenient("MQTT-3.1.2-15", "CONNECT has a will retain flag", "311 10 __ 0004'MQTT' 04 22 003c 0001'a'"),
    lenient("MQTT-3.1.2-22", "CONNECT has a password", "311 10 __ 0004'MQTT' 04 42 003c 0001'a' 0001'p'"),
    lenient("MQTT-3.2.2-4", "CONNACK refuses and speaks", "311 20 02 01 05"),
    lenient("MQTT-3.3.1-2", "PUBLISH has DUP at QoS 0", "311 38 __ 0001't'"),
    lenient("MQTT-3.8.4-5", "SUBACK has no return code", "311 90 02 0001"),
    lenient("MQTT-4.7.1-3", "'+' is not a whole level", "311 82 __ 0001 0003'+ab' 00"),
    lenient("MQTT-4.7.3-1", "a topic has no character", "311 30 __ 0000"),
    lenient("5.0 § 2.2.2", "a property that may not be 0", "5 30 __ 0001't' 03 23 0000"),
    lenient("5.0 § 3.1.2.11.10", "authentication data", "5 10 __ 0004'MQTT' 05 02 003c 04 16 0001 01 0001'a'"),
    lenient("5.0 § 3.3.2.1", "PUBLISH has neither", "5 30 __ 0000 00"),
    lenient("5.0 § 3.3.2.3.5", "a response topic is not", "5 30 __ 0001't' 03 08 0000"),
    lenient("5.0 § 3.8.3.1", "SUBSCRIBE asks for no local", "5 82 __ 0001 00 000a'$share/g/a' 04"),
    lenient("5.0 § 3.11.3", "UNSUBACK lacks a reason code", "5 b0 03 0001 00"),
    lenient("5.0 § 3.15.2.2.2", "AUTH has no authentication", "5 f0 02 18 00"),
    // Ours to choose: bounds of `limits.rs`.
    lenient("TOPIC_LEVEL_COUNT_MAX", "a topic has more levels", SLASHES),
    lenient("USER_PROPERTY_COUNT_MAX, SUBSCRIPTION_IDENTIFIER_COUNT_MAX", "a property comes more", USER_PROPERTIES),
];

/// A known refusal of theirs: of which packets, how their error starts, a packet that shows it, and by which clause it
/// is to be read.
struct Strict {
    kind: Kind,
    versions: &'static [Version],
    error: &'static str,
    example: &'static str,
    #[expect(dead_code, reason = "for the reader of the table")]
    clause: &'static str,
}

/// Before 5.0.
const OLD: &[Version] = &[Version::V31, Version::V311];
const V5: &[Version] = &[Version::V5];

/// What they refuse although the standard allows it.
const STRICT: &[Strict] = &[
    Strict {
        kind: Kind::Connect,
        versions: &[Version::V31],
        error: "InvalidRemainingLength",
        example: "31 10 __ 0006'MQIsdp' 03 82 003c 0001'a'",
        clause: "3.1 § 3.1: a packet may end before the user name and password that its flags promise",
    },
    Strict {
        kind: Kind::Subscribe,
        versions: OLD,
        error: "InvalidTopicFilter(\"$share/",
        example: "311 82 __ 0001 0009'$share//a' 00",
        clause: "§ 4.7: shared subscriptions came with 5.0, before it the form is a filter like any other",
    },
    Strict {
        kind: Kind::Unsubscribe,
        versions: OLD,
        error: "InvalidTopicFilter(\"$share/",
        example: "311 a2 __ 0001 0009'$share//a'",
        clause: "as in SUBSCRIBE",
    },
    Strict {
        kind: Kind::Publish,
        versions: V5,
        error: "InvalidPayloadFormat",
        example: "5 30 __ 0001't' 02 0101 ff",
        clause: "5.0 § 3.3.2.3.2: a receiver may look whether a payload is the UTF-8 that it says, and need not",
    },
    Strict {
        kind: Kind::Connect,
        versions: V5,
        error: "InvalidPayloadFormat",
        example: "5 10 __ 0004'MQTT' 05 06 003c 00 0001'a' 02 0101 0001't' 0001 ff",
        clause: "5.0 § 3.1.3.2.3: the same for a will",
    },
    Strict {
        kind: Kind::Disconnect,
        versions: V5,
        error: "InvalidReasonCode(Disconnect, 140)",
        example: "5 e0 01 8c",
        clause: "5.0 § 2.4 has bad authentication method for DISCONNECT, § 3.14.2.1 has not: we take the wider list",
    },
    Strict {
        kind: Kind::Publish,
        versions: V5,
        error: "DuplicatedProperty(SubscriptionIdentifier)",
        example: "5 30 __ 0001't' 04 0b01 0b02",
        clause: "5.0 § 3.3.2.3.8: a message has the identifiers of all subscriptions that it matches",
    },
];

impl Difference {
    /// Whether a row explains it.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Difference::Reading(_) => false,
            Difference::OnlyTheirs { clause, what } => {
                LENIENT.iter().any(|row| row.clause == *clause && what.starts_with(row.what))
            }
            Difference::OnlyOurs { kind, version, error } => STRICT.iter().any(|row| {
                row.kind == *kind && row.versions.contains(version) && error.starts_with(row.error)
            }),
        }
    }
}

/// Every row is shown by its packet.
pub(crate) fn check_rows() {
    let shown = |example: &str| {
        let (version, packet) = version_and_bytes(example);
        difference(&packet, version).unwrap_or_else(|| panic!("{example}: no difference"))
    };
    for row in LENIENT {
        let shown = shown(row.example);
        let is_it = matches!(shown, Difference::OnlyTheirs { clause, what }
            if clause == row.clause && what.starts_with(row.what));
        assert!(is_it, "{}: {} shows: {shown}", row.clause, row.example);
    }
    for row in STRICT {
        let shown = shown(row.example);
        let is_it = matches!(&shown, Difference::OnlyOurs { kind, error, .. }
            if *kind == row.kind && error.starts_with(row.error));
        assert!(is_it, "{}: {} shows: {shown}", row.error, row.example);
    }
}
