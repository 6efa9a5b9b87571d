//! Bounds of the platform, with their units. Those that peers can feel are in `domain::limits`.

/// Length of the name of a device type or device, in bytes. Dialects may ask for less.
pub const NAME_BYTES_MAX: usize = 255;
/// Length of an organisation's name, an API key or its comment, in bytes.
pub const LABEL_BYTES_MAX: usize = 255;
/// Length of a token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 1_024;
/// Length of a certificate by which a device is found, in bytes of base64: a chain of keys with 4,096 bits has 3,000 in
/// each.
pub const CERTIFICATE_BYTES_MAX: usize = 8 * 1024;
/// Length of the metadata of a device or type, in bytes of JSON.
pub const METADATA_BYTES_MAX: usize = 128 * 1024;
/// Length of a key or register code of a product that somebody names, in bytes: firmware keeps them in 32, with a zero
/// behind (spec onenet 0.6).
pub const PRODUCT_KEY_BYTES_MAX: usize = 31;
/// Length of a numbered device's own password, in bytes (spec onenet 8.4).
pub const AUTH_INFO_BYTES_MAX: usize = 512;
/// Devices and streams that the permissions of one key of a product name, and permissions.
pub const PRODUCT_KEY_RESOURCES_COUNT_MAX: usize = 1_000;
/// Length of the name of a stream in a permission, in bytes.
pub const STREAM_BYTES_MAX: usize = 255;
/// Topics that are made for a product (spec onenet 6.2); those that are merely used do not count.
pub const PRODUCT_TOPICS_COUNT_MAX: usize = 100;
/// Length of such a topic, in characters (spec onenet 2.4).
pub const PRODUCT_TOPIC_CHARS_MAX: usize = 1_024;
/// Packages of an organisation.
pub const PACKAGES_PER_ORG_COUNT_MAX: usize = 1_000;
/// Bytes of the packages of an organisation together.
pub const PACKAGES_PER_ORG_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Random numbers that are tried until one is free.
pub const NUMBER_TRIES_COUNT_MAX: usize = 64;
/// Organisations of an installation.
pub const ORGS_COUNT_MAX: usize = 100_000;
/// Device types of an organisation.
pub const TYPES_COUNT_MAX: usize = 100_000;
/// API keys of an organisation.
pub const KEYS_COUNT_MAX: usize = 10_000;
/// Gateways remembered in the line for a registration slot of one organisation; further ones wait without a place.
pub const REGISTRATION_LINE_COUNT_MAX: usize = 1_024;
/// How long a gateway that was called for its turn keeps its place without asking again.
pub const REGISTRATION_TURN_MS_MAX: u64 = 2_000;
/// How far ids are reserved ahead of the clock, so that none is used twice even when the clock is set back.
pub const ID_RESERVATION_MS: u64 = 60_000;
/// Names remembered of devices that were renamed while the gateway they are behind was connected, for each gateway.
pub const FORMER_NAMES_COUNT_MAX: usize = 10_000;
/// Devices read from the store at a time while it is opened.
pub const LOAD_PAGE_COUNT: usize = 10_000;
/// Devices looked at under one hold of the lock while pages are collected.
pub const SCAN_COUNT_MAX: usize = 4_096;
/// Devices whose activity is looked at under one hold of the locks, and written as one change of the store.
pub const ACTIVITY_BATCH_COUNT: usize = 1_000;
/// Devices whose activity one sweep writes, about: it ends with the batch that reaches this.
pub const ACTIVITY_PER_SWEEP_COUNT_MAX: usize = 10_000;
/// Wrong guesses of a provisioning secret, or of the secret of a claim, that somebody has in [`WRONG_GUESSES_S`].
pub const WRONG_GUESSES_COUNT_MAX: u32 = 10;
/// Seconds in which they come back.
pub const WRONG_GUESSES_S: u32 = 60;
/// Guessers that are told apart; further ones share one count.
pub const GUESSERS_COUNT_MAX: usize = 10_000;
