//! Bounds of the platform's words, with their units.

/// Points read from one message. A message with more is kept whole, as one JSON point.
pub const POINTS_PER_MESSAGE_COUNT_MAX: usize = 256;
/// Nesting of JSON that is taken apart into points. Deeper messages are kept whole, as one JSON point.
pub const JSON_DEPTH_MAX: usize = 16;
/// Device registrations of one organisation that may wait for the store at a time; further ones queue
/// (spec watson 2.7 and D5).
pub const REGISTRATIONS_PENDING_COUNT_MAX: usize = 128;
/// How long a failed registration of a device is not tried again, by default (spec watson D6).
pub const REGISTRATION_BACK_OFF_MS: u64 = 600_000;
/// Failed registrations remembered in one organisation; beyond it the oldest is forgotten.
pub const REGISTRATION_FAILURES_COUNT_MAX: usize = 10_000;
/// Messages that wait for one session, by default; the oldest is dropped beyond it (spec watson 1.8).
pub const QUEUE_MESSAGE_COUNT_MAX: u64 = 5_000;
/// Bytes that wait for one session, by default.
pub const QUEUE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long a queued message is worth delivering, by default: 48 hours (spec watson 1.8).
pub const QUEUE_RETENTION_MS: u64 = 48 * 3600 * 1000;
/// Rules of a kind (publish, subscribe) that one credential may have.
pub const RIGHTS_RULE_COUNT_MAX: usize = 100;
/// Bytes of such a rule.
pub const RIGHTS_RULE_BYTES_MAX: usize = 1_024;
/// Bytes of an attribute's key (spec thingsboard 5.4 has characters).
pub const ATTRIBUTE_KEY_BYTES_MAX: usize = 1_020;
/// Attributes of one device, of all scopes together.
pub const ATTRIBUTES_PER_DEVICE_COUNT_MAX: usize = 2_000;
/// Bytes of the attributes of one device, keys and values.
pub const ATTRIBUTES_PER_DEVICE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of the attributes of one organisation, keys and values: they are held in memory.
pub const ATTRIBUTES_PER_ORG_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Commands of one device that are not done, and stored ones.
pub const COMMANDS_PER_DEVICE_COUNT_MAX: usize = 200;
/// Bytes of a command's method and parameters.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an answer that names its command (spec onenet 2.4).
pub const COMMAND_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the commands of one organisation that are held in memory.
pub const COMMANDS_PER_ORG_BYTES_MAX: usize = 64 * 1024 * 1024;

const _: () = assert!(QUEUE_MESSAGE_COUNT_MAX < u16::MAX as u64, "packet ids are derived from queue places");
/// Rates that hold at the same time for one thing (spec thingsboard 10).
pub const RATES_COUNT_MAX: usize = 8;
/// Seconds over which a rate is counted: a day.
pub const RATE_SECONDS_MAX: u32 = 86_400;
