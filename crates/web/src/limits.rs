//! Bounds of the HTTP faces, with their units.

/// Body of a request to the native API, in bytes.
pub const API_BODY_BYTES_MAX: usize = 256 * 1024;
/// Entries of a page of the native API, unless the request says otherwise.
pub const API_PAGE_COUNT: usize = 100;
/// Entries of a page of the native API, at most.
pub const API_PAGE_COUNT_MAX: usize = 10_000;
/// How long a command waits for its device and the answer, unless the request says otherwise, in milliseconds.
pub const COMMAND_MS_DEFAULT: u64 = 10_000;
/// Body of a bulk request of Watson's API, in bytes (spec watson 5.6).
pub const WATSON_BULK_BYTES_MAX: usize = 512 * 1024;
/// Body of any other request of Watson's API, in bytes.
pub const WATSON_BODY_BYTES_MAX: usize = 256 * 1024;
/// Body of a request to ThingsBoard's API, in bytes: a reading of a device with as many keys as it may have.
pub const THINGSBOARD_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Entries of a page of ThingsBoard's API, at most.
pub const THINGSBOARD_PAGE_COUNT_MAX: usize = 1_000;
/// Devices that one request of ThingsBoard's API may name.
pub const THINGSBOARD_IDS_COUNT_MAX: usize = 1_000;
/// For how long a token of ThingsBoard's API is good, in seconds (spec thingsboard 11.1).
pub const THINGSBOARD_TOKEN_S: u64 = 9_000;
/// For how long new tokens are given for an old one, in seconds.
pub const THINGSBOARD_REFRESH_S: u64 = 604_800;
/// Bytes of a piece of a long answer of ThingsBoard's API: reading it ends with the point that fills it.
pub const THINGSBOARD_PIECE_BYTES: usize = 64 * 1024;
/// Keys whose newest points are read at a time.
pub const THINGSBOARD_KEYS_PER_PIECE_COUNT: usize = 32;
/// Points of a key that are given, unless the request says otherwise (spec thingsboard 11.5).
pub const THINGSBOARD_POINTS_COUNT: u64 = 100;
/// How long a request to ThingsBoard's API waits for a device, at most, in milliseconds.
pub const THINGSBOARD_COMMAND_WAIT_MS_MAX: u64 = 3_600_000;
/// How long a device's request waits for a command or a change of attributes, at most, in milliseconds.
pub const THINGSBOARD_POLL_MS_MAX: u64 = 60_000;
/// How long a WebSocket may take to say who it is, in milliseconds (spec thingsboard 12).
pub const THINGSBOARD_LOGIN_MS_MAX: u64 = 10_000;
/// Subscriptions of one WebSocket.
pub const THINGSBOARD_SUBSCRIPTIONS_COUNT_MAX: usize = 1_000;
/// Notices that wait for one WebSocket; it is closed beyond that.
pub const THINGSBOARD_NOTICED_COUNT_MAX: usize = 1_024;
/// Bytes of one update over a WebSocket, about; what would be more is refused.
pub const THINGSBOARD_UPDATE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Body of a request to OneNET's API, in bytes: a file with what a form has around it.
pub const ONENET_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Body of a message that is pushed over HTTP has less than this, in bytes (spec onenet 6.4).
pub const ONENET_PUSH_BYTES_MAX: usize = 64 * 1024;
/// Devices that one request of OneNET's API may name (spec onenet 8.3).
pub const ONENET_IDS_COUNT_MAX: usize = 1_000;
/// Devices that a list's filter may name (spec onenet 8.3).
pub const ONENET_FILTER_IDS_COUNT_MAX: usize = 100;
/// Number of the last page of a list of OneNET's API (spec onenet 8.3).
pub const ONENET_PAGE_NUMBER_MAX: usize = 10_000;
/// Bytes of the points of one answer of OneNET's API, about: it ends with a cursor where more is asked for. Answers
/// are made as a whole, since their length stands before them.
pub const ONENET_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Topics of a product that a list shows besides those that were made for it.
pub const ONENET_TOPICS_COUNT_MAX: usize = 10_000;
/// Body of a command of OneNET's API has less than this, in bytes (spec onenet 7.2).
pub const ONENET_COMMAND_BYTES_MAX: usize = 64 * 1024;
/// A file of OneNET's API, in bytes (spec onenet 8.9).
pub const ONENET_FILE_BYTES_MAX: usize = 800 * 1024;
