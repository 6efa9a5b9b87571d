//! Every bound of this crate, with its unit. Reaching one is a [`Violation`](crate::codec::Violation) that names it.

/// The largest remaining length that four bytes can say, in bytes (section 2.2.3).
pub const REMAINING_BYTES_MAX: usize = 268_435_455;

/// Bytes of the longest fixed header: the type, and four bytes of length.
pub const HEADER_BYTES_MAX: usize = 5;

/// Bytes of the longest text or binary field, by its two-byte length (section 1.5.3).
pub const FIELD_BYTES_MAX: usize = 65_535;

/// Bytes of the longest topic name or filter that we take. The protocol would allow [`FIELD_BYTES_MAX`]; real topics
/// of the platforms served stay below 500, and every stored message and subscription carries one.
pub const TOPIC_BYTES_MAX: usize = 4_096;

/// Levels of the deepest topic name or filter that we take: the subscription tree is at most this deep.
pub const TOPIC_LEVEL_COUNT_MAX: usize = 128;

/// Bytes of the largest first packet, the one that comes before anybody is authenticated. A client id, a user name, a
/// token and a will of a few kilobytes fit many times over; a stranger cannot make us hold more than this.
pub const CONNECT_BYTES_MAX: usize = 64 * 1024;

/// User properties of one packet (5.0). Each is a pair of texts that travels with the message to every receiver.
pub const USER_PROPERTY_COUNT_MAX: usize = 64;

/// Subscription identifiers of one PUBLISH (5.0): as many as a message can match subscriptions of one client.
pub const SUBSCRIPTION_IDENTIFIER_COUNT_MAX: usize = 1_024;

/// Topics that have a number instead of their name on one connection (5.0), in each direction. A client's table costs
/// at most this many topics of [`TOPIC_BYTES_MAX`], and nothing before its first alias. What CONNACK announces is at
/// most this.
pub const TOPIC_ALIAS_COUNT_MAX: u16 = 16;

/// Bytes of the smallest maximum packet size that a client can live with (5.0): a CONNACK without properties, and every
/// acknowledgement with its reason.
pub const PACKET_BYTES_MAX_MIN: u32 = 5;

/// Topic filters of one SUBSCRIBE or UNSUBSCRIBE.
pub const FILTER_COUNT_MAX: usize = 4_096;

const _: () = assert!(TOPIC_BYTES_MAX <= FIELD_BYTES_MAX, "a topic is a field");
const _: () = assert!(TOPIC_LEVEL_COUNT_MAX <= TOPIC_BYTES_MAX, "each level but the last costs a separator");
const _: () = assert!(CONNECT_BYTES_MAX <= REMAINING_BYTES_MAX, "a first packet is a packet");
const _: () = assert!(
    CONNECT_BYTES_MAX >= 4 * TOPIC_BYTES_MAX,
    "a will on the longest topic, and identity, fit before authentication"
);
