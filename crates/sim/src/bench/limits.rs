//! What the generator allows itself.

/// Bytes that one read takes at most; also the largest packet it receives.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// Bytes of pre-encoded messages that one publisher repeats, unless its window needs more.
pub(super) const RING_BYTES: usize = 64 * 1024;
/// Bytes of pre-encoded messages of all publishers together, before the windows need more.
pub(super) const RINGS_BYTES: usize = 64 * 1024 * 1024;
/// Messages under way per publisher: the packet ids that there are, in whole samples.
pub const WINDOW_COUNT_MAX: usize = 65_504;
/// Connections of one run: their numbers have a place of four hexadecimal digits in each message.
pub const CONNECTION_COUNT_MAX: usize = 65_535;
/// Bytes of a payload: below the first there is no room for the stamp.
pub const PAYLOAD_BYTES_MIN: usize = super::payload::BARE_BYTES;
/// One read has to be able to take the whole packet.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Devices in one message: their readings are about a hundred bytes each.
pub const READINGS_PER_MESSAGE_COUNT_MAX: usize = 1_000;
/// Seconds that a run may last: clients that only receive do not send anything else.
pub const RUN_S_MAX: u64 = 1_200;
/// What clients promise. Long enough that no run needs a PINGREQ.
pub(super) const KEEP_ALIVE_S: u16 = RUN_S_MAX as u16;
/// Handshakes under way at the same time, unless the storm asks for another number.
pub(super) const HANDSHAKES_COUNT: usize = 200;
/// Milliseconds without any progress after which a run is given up.
pub(super) const STALL_MS_MAX: u64 = 20_000;
/// Milliseconds without a delivery after which messages of QoS 0 count as lost, and the window is given back.
pub(super) const LOSS_MS: u64 = 250;
/// Milliseconds of traffic before the measurement, at most; a tenth of the run when that is shorter.
pub(super) const WARM_UP_MS_MAX: u64 = 500;
/// Connections from one loopback address: well below the 28,000 ports that Linux gives out for each.
pub(super) const CONNECTIONS_PER_SOURCE: usize = 20_000;
/// Loopback addresses that a storm comes from, since ports that were just closed cannot be had again.
pub(super) const STORM_SOURCE_COUNT: usize = 16;
/// Files that the process needs beside its connections.
pub(super) const OTHER_FILES_COUNT: usize = 32;
/// Milliseconds that resident memory has to stay the same before it is believed, and that it gets for that.
pub(super) const MEMORY_CALM_MS: u64 = 500;
pub(super) const MEMORY_WAIT_MS_MAX: u64 = 5_000;

const _: () = assert!(PAYLOAD_BYTES_MAX * 2 <= READ_BYTES_MAX, "a packet is read in one piece");
