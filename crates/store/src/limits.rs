//! Bounds of the store, with their units.

use domain::limits::{QUEUE_BYTES_MAX, QUEUE_MESSAGE_COUNT_MAX};

use crate::schema::Table;

/// The longest text that is a part of a key: a topic, a filter, an event's or a device type's name, an API key. The
/// engines take keys up to 65,535 bytes; MQTT's longest topic would leave no room for what stands before it. A change
/// with a longer text is left out and counted ([`crate::Stats::oversized`]); the layers above have smaller bounds.
pub const KEY_TEXT_BYTES_MAX: usize = 65_000;
/// How far behind its event a point may be put, in milliseconds, so that it does not replace another of its series.
/// Whoever sends more than a point a millisecond for longer than that has the newest of each millisecond kept.
pub const POINT_DELAY_MS_MAX: u64 = 60_000;
/// Points that one query visits; the rest of the range is asked for anew.
pub const POINTS_PER_CALL_COUNT_MAX: usize = 10_000;
/// Intervals that one query for aggregates visits.
pub const INTERVALS_PER_CALL_COUNT_MAX: usize = 1_000;
/// Different keys that the points of one device may have. Points of further keys are left out and counted
/// ([`crate::Stats::points_refused`]); so are those with a longer key than [`POINT_KEY_BYTES_MAX`].
pub const POINT_KEYS_PER_DEVICE_COUNT_MAX: usize = 5_000;
/// The longest key of a point, in bytes: 255 characters of any script (spec thingsboard 5.4).
pub const POINT_KEY_BYTES_MAX: usize = 1_020;
/// Points of a series that are collected for a block. A block may hold nearly twice as many when they come quickly.
pub const BLOCK_POINT_COUNT: usize = 120;
/// Bytes of texts and the like that are enough for a block with fewer points.
pub const BLOCK_BYTES: usize = 16 * 1024;
/// Points that are not in blocks yet, and the series they belong to, in bytes of memory, about. Beyond it the series
/// whose points have waited longest are closed early.
pub const OPEN_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The tail: what is stored of telemetry and not all of it in blocks yet, in bytes on the disk. Beyond it, too, series
/// are closed early. It is read again at opening.
pub const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Devices of the tail that are read one by one at opening. When there are more, all series are read through.
pub const LOAD_EACH_COUNT_MAX: usize = 5_000;
/// Last events that have no row of their own yet, in bytes of memory, about. Beyond it those that have waited longest
/// are written.
pub const EVENTS_BYTES_MAX: usize = 48 * 1024 * 1024;
/// The tail of last events, in bytes on the disk. It, too, is read again at opening.
pub const EVENTS_TAIL_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A row of a tail that has reached this size is ended, in bytes.
pub const TAIL_ROW_BYTES: usize = 64 * 1024;
/// How far the oldest and the newest place of a queue may be apart. Packet ids are derived from places, so two
/// messages of one queue must never be 65,535 places apart.
pub const QUEUE_SPAN_PLACES_MAX: u64 = 60_000;
/// A group of changes that has reached this size, in bytes of rows, is committed; what still waits is the next group.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rows of a forgotten device that are deleted with one group; its history may be long.
pub const PURGE_ROWS_PER_GROUP_MAX: usize = 5_000;
/// Rows of a series that are deleted with one change, at most; whoever deletes more goes on with the next.
pub const DROP_ROWS_PER_STEP_MAX: usize = 2_000;
/// Bytes of each piece of a blob, but for its last.
pub const BLOB_PIECE_BYTES: usize = 64 * 1024;
/// Pieces of forgotten blobs that are deleted with one group: each is read before.
pub const BLOB_PIECES_PURGED_PER_GROUP_MAX: usize = 64;
/// Journals of the embedded engine, in bytes on the disk: how much there is to read again at opening, at most.
pub const JOURNAL_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Rows of one table of the embedded engine that are kept in memory before they are written to a sorted file.
pub const MEMTABLE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// All that the embedded engine keeps in memory before it is in sorted files. The committer waits above it: the one
/// thread that writes and merges those files would otherwise be outrun by sustained ingest, and memory, journals and
/// the time to open would grow without an end. Groups grow meanwhile, and readers pause.
pub const WRITE_BUFFER_BYTES_MAX: u64 = 416 * 1024 * 1024;
/// How long the committer waits for that at a time, before it stores the next group all the same.
pub const WRITE_BUFFER_WAIT_MS_MAX: u64 = 10_000;
/// Blocks of sorted files that the embedded engine keeps in memory.
pub const CACHE_BYTES_MAX: u64 = 32 * 1024 * 1024;

const _: () = assert!(
    WRITE_BUFFER_BYTES_MAX > Table::ALL.len() as u64 * MEMTABLE_BYTES_MAX,
    "every table's buffer fits, or none is ever full"
);
const _: () =
    assert!(POINT_KEYS_PER_DEVICE_COUNT_MAX < u16::MAX as usize, "series have numbers of two bytes");
const _: () = assert!(QUEUE_SPAN_PLACES_MAX < u16::MAX as u64);
const _: () = assert!(QUEUE_MESSAGE_COUNT_MAX < QUEUE_SPAN_PLACES_MAX);
const _: () = assert!(KEY_TEXT_BYTES_MAX + 256 < u16::MAX as usize);

/// Bounds that tests make smaller.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// Of each session's queue.
    pub(crate) queue: QueueBounds,
    /// Of telemetry.
    pub(crate) points: PointBounds,
    /// Of last events.
    pub(crate) events: EventBounds,
}

/// Bounds of last events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventBounds {
    /// See [`EVENTS_BYTES_MAX`].
    pub(crate) bytes_max: usize,
    /// See [`EVENTS_TAIL_BYTES_MAX`].
    pub(crate) tail_bytes_max: u64,
    /// See [`TAIL_ROW_BYTES`].
    pub(crate) tail_row_bytes: usize,
}

impl Default for EventBounds {
    fn default() -> EventBounds {
        EventBounds {
            bytes_max: EVENTS_BYTES_MAX,
            tail_bytes_max: EVENTS_TAIL_BYTES_MAX,
            tail_row_bytes: TAIL_ROW_BYTES,
        }
    }
}

/// Bounds of telemetry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointBounds {
    /// See [`BLOCK_POINT_COUNT`].
    pub(crate) block_count: usize,
    /// See [`BLOCK_BYTES`].
    pub(crate) block_bytes: usize,
    /// See [`OPEN_BYTES_MAX`].
    pub(crate) open_bytes_max: usize,
    /// See [`TAIL_BYTES_MAX`].
    pub(crate) tail_bytes_max: u64,
    /// See [`TAIL_ROW_BYTES`].
    pub(crate) tail_row_bytes: usize,
    /// See [`POINT_KEYS_PER_DEVICE_COUNT_MAX`].
    pub(crate) keys_max: usize,
    /// See [`LOAD_EACH_COUNT_MAX`].
    pub(crate) load_each_max: usize,
}

impl Default for PointBounds {
    fn default() -> PointBounds {
        PointBounds {
            block_count: BLOCK_POINT_COUNT,
            block_bytes: BLOCK_BYTES,
            open_bytes_max: OPEN_BYTES_MAX,
            tail_bytes_max: TAIL_BYTES_MAX,
            tail_row_bytes: TAIL_ROW_BYTES,
            keys_max: POINT_KEYS_PER_DEVICE_COUNT_MAX,
            load_each_max: LOAD_EACH_COUNT_MAX,
        }
    }
}

/// Bounds of each session's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    /// Messages, released ones included.
    pub(crate) count_max: u64,
    /// Bytes of their rows.
    pub(crate) bytes_max: u64,
    /// Distance of the oldest and the newest place.
    pub(crate) span_max: u64,
}

impl Default for QueueBounds {
    fn default() -> QueueBounds {
        QueueBounds {
            count_max: QUEUE_MESSAGE_COUNT_MAX,
            bytes_max: QUEUE_BYTES_MAX,
            span_max: QUEUE_SPAN_PLACES_MAX,
        }
    }
}
