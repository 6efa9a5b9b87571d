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
