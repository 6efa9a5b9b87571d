//! Bounds of the server, with their units. Those that an operator may change are in `[limits]` of the settings.

/// What a packet may add to its payload: header, topic and properties.
pub(crate) const PACKET_OVERHEAD_BYTES_MAX: usize = 65_536 + 4_096;
/// Messages at QoS 1 and 2 received from a client and not yet acknowledged by us; beyond it reading pauses.
pub(crate) const RECEIVE_COUNT_MAX: u16 = 4_096;
/// How long a client may leave its outgoing buffer full before it is closed, session kept (spec watson E17).
pub(crate) const OUTGOING_FULL_MS_MAX: u64 = 30_000;
/// Messages at QoS 1 and 2 that wait in memory for a connected client. A durable session's further messages wait in
/// the store only; a clean session drops its oldest.
pub(crate) const MAILBOX_COUNT_MAX: usize = 5_000;
/// Bytes of such messages.
pub(crate) const MAILBOX_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages and subscriptions of one connection that wait for a registration slot; beyond it reading pauses.
pub(crate) const PARKED_COUNT_MAX: usize = 1_000;
/// Bytes of such messages.
pub(crate) const PARKED_BYTES_MAX: usize = 1024 * 1024;
/// Messages at QoS 2 of one connection that wait for their release, in a dialect whose messages go on only then; what
/// is beyond is refused.
pub(crate) const UNRELEASED_COUNT_MAX: usize = 1_000;
/// Bytes of such messages; one alone may be larger.
pub(crate) const UNRELEASED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Topics whose way is remembered by a connection; beyond it the memory is cleared and filled anew.
pub(crate) const TOPIC_CACHE_COUNT_MAX: usize = 4_096;
/// Bytes of a topic whose way is remembered; a longer one is looked up each time. Real topics stay below 200.
pub(crate) const TOPIC_CACHE_BYTES_MAX: usize = 512;
/// Devices behind a gateway that its connection finds by name without asking the platform; beyond it the memory is
/// cleared and filled anew.
pub(crate) const CHILDREN_CACHE_COUNT_MAX: usize = 100_000;
/// How long a command that comes in another dialect waits for its device.
pub(crate) const COMMAND_MS_MAX: u64 = 10_000;
/// How long a gateway has to come and hear what has become of a device behind it (spec thingsboard 3.10).
pub(crate) const CHILD_CHANGE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// How often a gateway is told so again that does not acknowledge it.
pub(crate) const CHILD_CHANGE_RETRIES_COUNT_MAX: u8 = 3;
/// How often the deadlines of commands are looked at.
pub(crate) const COMMANDS_SWEEP_MS: u64 = 100;
/// How often what has changed of devices' activity is written (spec thingsboard 9).
pub(crate) const ACTIVITY_SWEEP_MS: u64 = 3_000;
/// Bytes handed to the store and not yet stored, over all connections; beyond it readers pause.
pub(crate) const STORE_WAITING_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often ended sessions and waiting wills are looked for.
pub(crate) const SESSIONS_SWEEP_MS: u64 = 1_000;
/// Sessions that one such look deals with.
pub(crate) const SESSIONS_PER_SWEEP_COUNT_MAX: usize = 1_000;
/// Messages read from a stored queue at a time.
pub(crate) const QUEUE_PAGE_COUNT_MAX: usize = 500;
/// Bytes of such a page.
pub(crate) const QUEUE_PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a package that are sent in one message. A device that asks for larger parts gets parts of this size.
pub(crate) const PACKAGE_CHUNK_BYTES_MAX: u64 = 1024 * 1024;
/// Parts of packages that are read for one connection at a time.
pub(crate) const PACKAGE_CHUNKS_READ_COUNT_MAX: usize = 8;
/// Refusals remembered for people to look at.
pub(crate) const REFUSALS_COUNT_MAX: usize = 1_000;
/// Live views (`tidegate tail`) at a time.
pub(crate) const TAIL_COUNT_MAX: usize = 32;
/// Events that wait for one live view; a slow one misses the rest, and is told how many.
pub(crate) const TAIL_EVENT_COUNT_MAX: usize = 1_024;
/// Threads with which a worker reads the store for its connections. After a restart a whole fleet wants its queues at
/// once; tokio would start 512 of them.
pub(crate) const READER_THREAD_COUNT_MAX: usize = 4;
/// Rounds of one connection before the others on its worker have their turn.
pub(crate) const ROUNDS_PER_TURN_COUNT_MAX: usize = 4;
/// Bytes of the sentence that tells a 5.0 client why it was refused.
pub(crate) const REASON_STRING_BYTES_MAX: usize = 512;
/// A worker's scratch buffer: one read, then everything in it is processed at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// What is still read of a connection whose client has come again elsewhere.
pub(crate) const HEARD_OUT_BYTES_MAX: u64 = 1024 * 1024;
/// How long a farewell may take: last bytes to a client that does not read, and then its own end.
pub(crate) const FAREWELL_MS_MAX: u64 = 2_000;
/// Bytes that are read, and dropped, of a client that goes on sending after it was told goodbye.
pub(crate) const FAREWELL_READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long shutdown waits for connections to end.
pub(crate) const SHUTDOWN_MS_MAX: u64 = 10_000;
/// Payload of one WebSocket frame from a client: the longest MQTT packet. Nothing is kept of a frame, so this only
/// tells nonsense from sense.
pub(crate) const WEBSOCKET_FRAME_BYTES_MAX: u64 = 268_435_460;
/// Payload of one WebSocket frame to a client.
pub(crate) const WEBSOCKET_WRITE_BYTES_MAX: usize = 64 * 1024;
/// Unsent answers to a client's pings; beyond it pings go unanswered.
pub(crate) const WEBSOCKET_CONTROL_BYTES_MAX: usize = 256;
/// An HTTP request's head.
pub(crate) const HTTP_HEAD_BYTES_MAX: usize = 64 * 1024;
/// A PROXY header with everything that follows the addresses in it.
pub(crate) const PROXY_HEADER_BYTES_MAX: usize = 4_096;
/// Devices whose requests over HTTP may wait for something at a time.
pub(crate) const POLLING_DEVICE_COUNT_MAX: usize = 10_000;
/// Such requests of one device.
pub(crate) const POLLS_PER_DEVICE_COUNT_MAX: usize = 8;
/// Devices that are watched through WebSockets of ThingsBoard's API at a time.
pub(crate) const WATCHED_DEVICE_COUNT_MAX: usize = 100_000;
/// Watchers of one device.
pub(crate) const WATCHERS_PER_DEVICE_COUNT_MAX: usize = 1_000;
/// Characters of a text that such a WebSocket takes (spec thingsboard 10).
pub(crate) const API_SOCKET_TEXT_BYTES_MAX: usize = 32_768;
/// How often such a WebSocket is pinged, in milliseconds.
pub(crate) const API_SOCKET_PING_MS: u64 = 10_000;
/// For how long its client may be silent, pings unanswered, in milliseconds (spec thingsboard 12).
pub(crate) const API_SOCKET_SILENCE_MS_MAX: u64 = 30_000;
/// Texts that wait on their way in or out of it.
pub(crate) const API_SOCKET_TEXT_COUNT_MAX: usize = 16;

/// Bytes of the certificates that a client shows, its own with those above it. They are part of the ticket by which it
/// resumes its session, which may have 64 KiB.
pub(crate) const CLIENT_CHAIN_BYTES_MAX: usize = 16 * 1024;
