//! Bounds of the dialects, with their units.

/// Bytes of a Watson client id (spec watson 1.1).
pub const CLIENT_ID_BYTES_MAX: usize = 256;
/// Characters of a Watson device type, device, application or instance name (spec watson 1.1).
pub const NAME_CHARS_MAX: usize = 36;
/// Seconds of a scalable application's keep-alive (spec watson 1.7).
pub const SCALABLE_KEEP_ALIVE_S_MAX: u16 = 3600;
/// Bytes of a point's key. A message that would make a longer one is kept whole, as one JSON point: otherwise a long
/// name around many short members would multiply a message's size.
pub const POINT_KEY_BYTES_MAX: usize = 1024;
/// Rows of a page of a list when the query names no number (spec watson 5.2).
pub const PAGE_ROWS_DEFAULT: usize = 25;
/// Rows of a page of a list, at most.
pub const PAGE_ROWS_MAX: usize = 100;
/// Properties that a list can be sorted by at a time; further ones change nothing.
pub const SORT_KEYS_COUNT_MAX: usize = 8;
/// Bytes of a bulk request's body (spec watson 5.6).
pub const BULK_BODY_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a message's payload in the Watson dialect (spec watson 2.3).
pub const PAYLOAD_BYTES_MAX: usize = 131_072;
/// Nesting of JSON in the ThingsBoard dialect. Deeper messages are malformed.
pub const THINGSBOARD_DEPTH_MAX: u32 = 64;
/// Devices in one message of a ThingsBoard gateway.
pub const THINGSBOARD_DEVICES_COUNT_MAX: usize = 10_000;
/// Values in one reading, and attributes in one message, of a ThingsBoard device: as many keys as a device may have.
pub const THINGSBOARD_VALUES_COUNT_MAX: usize = 5_000;
/// Characters of a key in the ThingsBoard dialect (spec thingsboard 5.4).
pub const THINGSBOARD_KEY_CHARS_MAX: usize = 255;
/// Digits to which a number with an exponent is written out (spec thingsboard 5.2). One with more stays as it came: a
/// few bytes must not become megabytes.
pub const THINGSBOARD_DIGITS_MAX: usize = 400;
/// Keys in one question for attributes.
pub const THINGSBOARD_KEYS_ASKED_COUNT_MAX: usize = 2_000;
/// How long a command waits for its device and the answer, unless whoever asks says otherwise, in milliseconds (spec
/// thingsboard 8).
pub const THINGSBOARD_COMMAND_MS: u64 = 10_000;
/// The least that it waits, whoever asks, in milliseconds.
pub const THINGSBOARD_COMMAND_MS_MIN: u64 = 5_000;
/// Bytes of a plain client's id. It is part of what a stored session is known by.
pub const PLAIN_CLIENT_ID_BYTES_MAX: usize = 1_024;
/// Seconds of silence for which a newcomer without a login may stay, and half of it more.
pub const THINGSBOARD_NEWCOMER_KEEP_ALIVE_S_MAX: u16 = 60;
/// Bytes of the binary part of a OneNET upload of type 2 (spec onenet 2.4).
pub const ONENET_BINARY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of the text part of a OneNET upload: its length is written in 16 bits.
pub const ONENET_TEXT_BYTES_MAX: usize = u16::MAX as usize;
/// Floats in one OneNET upload of type 7 (spec onenet 4.9).
pub const ONENET_FLOATS_COUNT_MAX: usize = 500;
/// Points in one OneNET upload. With the next bound it keeps a few bytes from becoming megabytes: in most forms a
/// stream's name stands once for many points.
pub const ONENET_POINTS_COUNT_MAX: usize = 5_000;
/// Bytes of the name of a OneNET data stream.
pub const ONENET_STREAM_BYTES_MAX: usize = 256;
/// Nesting of a JSON value in a OneNET upload. A deeper one is malformed.
pub const ONENET_DEPTH_MAX: usize = 64;
/// Bytes of a topic that a OneNET client subscribes to (spec onenet 2.4).
pub const ONENET_TOPIC_BYTES_MAX: usize = 1_024;
/// Bytes of a payload in the OneNET dialect: binary data with what describes it, and what uploads of that size may have
/// around it (spec onenet 2.4).
pub const ONENET_PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Subscriptions of one OneNET client (spec onenet 5.2).
pub const ONENET_SUBSCRIPTIONS_COUNT_MAX: usize = 100;
/// Digits of a OneNET device's number (spec onenet 0.6).
pub const ONENET_DEVICE_DIGITS_MAX: usize = 10;
/// Digits of a OneNET product's number (spec onenet 0.6).
pub const ONENET_PRODUCT_DIGITS_MAX: usize = 9;
/// Characters of the title that a OneNET device gives itself when it registers (spec onenet 8.4).
pub const ONENET_TITLE_CHARS_MAX: usize = 32;
/// For how long a OneNET command may wait for its device, in seconds (spec onenet 7.2).
pub const ONENET_COMMAND_S_MAX: u64 = 2_678_400;
/// Places at which a OneNET upload of type 8 is looked for behind what is left of an earlier packet. More would be work
/// without a bound for bytes that are nobody's.
pub const ONENET_STALE_TRIES_COUNT_MAX: usize = 16;
