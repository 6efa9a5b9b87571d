//! The reason codes of MQTT 5.0 (section 2.4), one row each: number, name, and the packets that may carry it.
//!
//! Used by the codec to refuse a code in the wrong packet, by the session to answer, and by logs for the name. Before
//! 5.0 only CONNACK and SUBACK carry codes; those numbers are kept as plain bytes in their packets.

use std::fmt;

use crate::packet::{Carriers, Kind};

/// A reason code as it goes on the wire in MQTT 5.0. From 0x80 on it tells of a failure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub u8);

/// One row of the table of reason codes.
struct Row {
    reason: Reason,
    name: &'static str,
    packets: Carriers,
}

const CONNACK: Carriers = Carriers::of(&[Kind::ConnAck]);
const PUBLISHED: Carriers = Carriers::of(&[Kind::PubAck, Kind::PubRec]);
const RELEASED: Carriers = Carriers::of(&[Kind::PubRel, Kind::PubComp]);
const SUBACK: Carriers = Carriers::of(&[Kind::SubAck]);
const UNSUBACK: Carriers = Carriers::of(&[Kind::UnsubAck]);
const DISCONNECT: Carriers = Carriers::of(&[Kind::Disconnect]);
const AUTH: Carriers = Carriers::of(&[Kind::Auth]);

/// Declares the constants and the table from the same rows, so that neither can miss one.
macro_rules! reasons {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal, [$($packets:ident),+];)+) => {
        impl Reason {
            $(
                #[doc = concat!("`", stringify!($code), "`: ", $name, ".")]
                $(#[$doc])*
                pub const $constant: Reason = Reason($code);
            )+
        }

        const TABLE: &[Row] = &[
            $(Row {
                reason: Reason::$constant,
                name: $name,
                packets: Carriers::NONE$(.and($packets))+,
            },)+
        ];
    };
}

reasons! {
    /// Also: normal disconnection, granted QoS 0.
    SUCCESS = 0x00, "success", [CONNACK, PUBLISHED, RELEASED, SUBACK, UNSUBACK, DISCONNECT, AUTH];
    GRANTED_QOS_1 = 0x01, "granted QoS 1", [SUBACK];
    GRANTED_QOS_2 = 0x02, "granted QoS 2", [SUBACK];
    DISCONNECT_WITH_WILL = 0x04, "disconnect with will message", [DISCONNECT];
    NO_MATCHING_SUBSCRIBERS = 0x10, "no matching subscribers", [PUBLISHED];
    NO_SUBSCRIPTION_EXISTED = 0x11, "no subscription existed", [UNSUBACK];
    CONTINUE_AUTHENTICATION = 0x18, "continue authentication", [AUTH];
    RE_AUTHENTICATE = 0x19, "re-authenticate", [AUTH];
    UNSPECIFIED = 0x80, "unspecified error", [CONNACK, PUBLISHED, SUBACK, UNSUBACK, DISCONNECT];
    MALFORMED_PACKET = 0x81, "malformed packet", [CONNACK, DISCONNECT];
    PROTOCOL_ERROR = 0x82, "protocol error", [CONNACK, DISCONNECT];
    IMPLEMENTATION_SPECIFIC = 0x83, "implementation specific error", [CONNACK, PUBLISHED, SUBACK, UNSUBACK, DISCONNECT];
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "unsupported protocol version", [CONNACK];
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "client identifier not valid", [CONNACK];
    BAD_USER_NAME_OR_PASSWORD = 0x86, "bad user name or password", [CONNACK];
    NOT_AUTHORIZED = 0x87, "not authorized", [CONNACK, PUBLISHED, SUBACK, UNSUBACK, DISCONNECT];
    SERVER_UNAVAILABLE = 0x88, "server unavailable", [CONNACK];
    SERVER_BUSY = 0x89, "server busy", [CONNACK, DISCONNECT];
    BANNED = 0x8A, "banned", [CONNACK];
    SERVER_SHUTTING_DOWN = 0x8B, "server shutting down", [DISCONNECT];
    BAD_AUTHENTICATION_METHOD = 0x8C, "bad authentication method", [CONNACK, DISCONNECT];
    KEEP_ALIVE_TIMEOUT = 0x8D, "keep alive timeout", [DISCONNECT];
    SESSION_TAKEN_OVER = 0x8E, "session taken over", [DISCONNECT];
    TOPIC_FILTER_INVALID = 0x8F, "topic filter invalid", [SUBACK, UNSUBACK, DISCONNECT];
    TOPIC_NAME_INVALID = 0x90, "topic name invalid", [CONNACK, PUBLISHED, DISCONNECT];
    PACKET_IDENTIFIER_IN_USE = 0x91, "packet identifier in use", [PUBLISHED, SUBACK, UNSUBACK];
    PACKET_IDENTIFIER_NOT_FOUND = 0x92, "packet identifier not found", [RELEASED];
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "receive maximum exceeded", [DISCONNECT];
    TOPIC_ALIAS_INVALID = 0x94, "topic alias invalid", [DISCONNECT];
    PACKET_TOO_LARGE = 0x95, "packet too large", [CONNACK, DISCONNECT];
    MESSAGE_RATE_TOO_HIGH = 0x96, "message rate too high", [DISCONNECT];
    QUOTA_EXCEEDED = 0x97, "quota exceeded", [CONNACK, PUBLISHED, SUBACK, DISCONNECT];
    ADMINISTRATIVE_ACTION = 0x98, "administrative action", [DISCONNECT];
    PAYLOAD_FORMAT_INVALID = 0x99, "payload format invalid", [CONNACK, PUBLISHED, DISCONNECT];
    RETAIN_NOT_SUPPORTED = 0x9A, "retain not supported", [CONNACK, DISCONNECT];
    QOS_NOT_SUPPORTED = 0x9B, "QoS not supported", [CONNACK, DISCONNECT];
    USE_ANOTHER_SERVER = 0x9C, "use another server", [CONNACK, DISCONNECT];
    SERVER_MOVED = 0x9D, "server moved", [CONNACK, DISCONNECT];
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E, "shared subscriptions not supported", [SUBACK, DISCONNECT];
    CONNECTION_RATE_EXCEEDED = 0x9F, "connection rate exceeded", [CONNACK, DISCONNECT];
    MAXIMUM_CONNECT_TIME = 0xA0, "maximum connect time", [DISCONNECT];
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1, "subscription identifiers not supported", [SUBACK, DISCONNECT];
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2, "wildcard subscriptions not supported", [SUBACK, DISCONNECT];
}

impl Reason {
    /// Whether the code tells of a failure (0x80 and above).
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The code's name in the words of the standard, lower case; "unknown reason" for a number it does not define.
    pub fn name(self) -> &'static str {
        self.row().map_or("unknown reason", |row| row.name)
    }

    /// Whether a packet of this kind may carry the code.
    pub fn may_be_in(self, kind: Kind) -> bool {
        self.row().is_some_and(|row| row.packets.contains(kind))
    }

    /// All codes that the standard defines, in ascending order.
    pub fn all() -> impl Iterator<Item = Reason> {
        TABLE.iter().map(|row| row.reason)
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.binary_search_by_key(&self, |row| row.reason).ok().and_then(|at| TABLE.get(at))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason(0x{:02X} {})", self.0, self.name())
    }
}
