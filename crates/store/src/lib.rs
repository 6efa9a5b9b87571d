//! What must survive.
//!
//! [`Store`] speaks in domain words: changes go in and get a [`Ticket`]; once [`Store::stored`] has reached the
//! ticket, they are on disk, and only then may anything be acknowledged. Engines differ in where they keep the rows;
//! every one passes the suite in `contract.rs`.
//!
//! The store does not know what a gateway is, nor what MQTT is. It never wakes a task or sends a message by itself:
//! it calls the [`Waiter`] and the [`Inbox`] that came with the changes, from its committer thread.

pub mod aspect;
mod blobs;
mod coding;
mod command;
mod committer;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;
mod disk;
pub mod embedded;
mod engine;
mod last_events;
pub mod limits;
pub mod memory;
mod package;
mod plan;
mod product;
mod provisioning;
mod queues;
mod rows;
pub mod schema;
mod tail;
mod telemetry;
mod values;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use domain::event::LastEvent;
use domain::{
    ApiKey, Blob, BlobId, Device, DeviceId, DeviceType, Event, Message, Millis, Order, Org, OrgId, Package,
    Points, QoS, Queued, Received, Retained, Series, SessionId, SessionRecord, Subscription, Summary,
    Unreleased, Value,
};

pub use aspect::{Aspect, AspectRow};
pub use engine::Engine;
pub use product::{ProductPart, ProductRow};

/// A place in the order of commits. Tickets grow; [`Ticket::NONE`] is always stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

impl Ticket {
    /// The ticket of nothing at all.
    pub const NONE: Ticket = Ticket(0);
}

/// Why the store could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// A write or sync failed. Nothing further is acknowledged; the process should end and be started again.
    #[error("the store failed and accepts nothing more: {0}. Free or replace the disk, then start again")]
    Poisoned(String),
    /// A read failed.
    #[error("reading the store failed: {0}")]
    Read(String),
    /// A row is not in the expected form.
    #[error("the store holds a row it cannot read: {0}")]
    Corrupt(String),
    /// The data were written by another version of the format.
    #[error("the data in {path} have format {found}, this program reads format {expected}")]
    Format {
        /// Where the data lie.
        path: String,
        /// Their format.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The data could not be opened.
    #[error("cannot open the data in {path}: {cause}")]
    Open {
        /// Where the data lie.
        path: String,
        /// Why not.
        cause: String,
    },
}

/// Told when the changes it came with are stored. Called on the committer thread: be quick, do not block.
pub trait Waiter: Send + Sync {
    /// The ticket is stored, and so is every one before it.
    fn stored(&self, ticket: Ticket);
}

/// The receiving end of a session's queue. Called on the committer thread, in the order of the queue.
pub trait Inbox: Send + Sync {
    /// The message is stored and has its place.
    fn queued(&self, queued: Queued);
    /// The oldest messages up to this place were dropped to make room.
    fn dropped(&self, seq: u64);
}

/// One thing to be stored.
///
/// Ids of devices and sessions are never used again once they were forgotten: an event of a forgotten device may
/// leave a row that nobody asks for. A change of a session that does not exist (any more) is ignored, so those who
/// hand changes in need not agree on who was first. A text that becomes part of a key is at most
/// [`limits::KEY_TEXT_BYTES_MAX`] long, or the change is left out and counted.
pub enum Change {
    /// Creates or replaces a setting of the installation.
    PutSetting {
        /// Its name.
        name: &'static str,
        /// Its content.
        value: Vec<u8>,
    },
    /// Creates or replaces an organisation.
    PutOrg(Org),
    /// Creates or replaces a device type.
    PutType(Arc<DeviceType>),
    /// Forgets a device type.
    DropType {
        /// Its organisation.
        org: OrgId,
        /// Its name.
        name: String,
    },
    /// Creates or replaces a device.
    PutDevice(Arc<Device>),
    /// Forgets a device with its last events and its history: all is gone from queries at once, and from the disk
    /// by and by.
    DropDevice {
        /// Its organisation.
        org: OrgId,
        /// Its id.
        device: DeviceId,
    },
    /// Creates or replaces an API key.
    PutKey(ApiKey),
    /// Forgets an API key.
    DropKey {
        /// Its organisation.
        org: OrgId,
        /// The key.
        key: String,
    },
    /// Stores or forgets a key or topic of a product.
    Product {
        /// The product's organisation.
        org: OrgId,
        /// What.
        part: ProductPart,
    },
    /// Keeps an event: as the last of its name, and its points at `event.at_ms`. That time is ours, and makes
    /// no point replace another: where the newest point of a series is not older, all points of the event are put at
    /// the millisecond after it ([`limits::POINT_DELAY_MS_MAX`]).
    Event(Event),
    /// Keeps points of a device at the time that their sender named, in the place of points that their series have at
    /// that millisecond.
    Points {
        /// The organisation of the device.
        org: OrgId,
        /// The device.
        device: DeviceId,
        /// Their time.
        at_ms: Millis,
        /// The points.
        points: Points,
    },
    /// Deletes the points of a series with a time in `range` that are there by then; a series without a point is
    /// forgotten with its key. It is one group whatever the range holds: [`Store::drop_step`] says how much of a
    /// long range to take at a time.
    DropPoints {
        /// The organisation of the device.
        org: OrgId,
        /// The device.
        device: DeviceId,
        /// The key of the points.
        key: String,
        /// Their times.
        range: Range<Millis>,
    },
    /// Stores something about a device; of one that was forgotten, it may leave a row that nobody asks for.
    Aspect {
        /// The device's organisation.
        org: OrgId,
        /// The device.
        device: DeviceId,
        /// What.
        aspect: Aspect,
    },
    /// Keeps a piece of a blob that is being written; nobody sees anything of it before it is whole. All pieces but
    /// the last have [`limits::BLOB_PIECE_BYTES`] bytes. One with more is left out and counted.
    PutPiece {
        /// The organisation of the blob.
        org: OrgId,
        /// The blob: an id that nothing else had.
        blob: BlobId,
        /// The number of the piece, from 0.
        index: u32,
        /// Its bytes.
        bytes: Box<[u8]>,
    },
    /// Makes a blob whole, all of whose pieces were kept before.
    PutBlob {
        /// Its organisation.
        org: OrgId,
        /// The blob.
        blob: Blob,
    },
    /// Forgets a blob, whole or not: it is gone at once, and its bytes from the disk by and by. One that is never made
    /// whole is forgotten when the data are opened again.
    DropBlob {
        /// Its organisation.
        org: OrgId,
        /// The blob.
        blob: BlobId,
    },
    /// Creates or replaces a package; its blob is whole by then.
    PutPackage(Arc<Package>),
    /// Forgets a package, but not its blob.
    DropPackage {
        /// Its organisation.
        org: OrgId,
        /// Its id.
        package: BlobId,
    },
    /// Creates a session, or replaces its record.
    PutSession(SessionRecord),
    /// Forgets a session with everything that belongs to it.
    DropSession {
        /// Its organisation.
        org: OrgId,
        /// Its id.
        session: SessionId,
    },
    /// Creates or replaces a subscription of a session, by its filter.
    Subscribe {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The subscription.
        subscription: Subscription,
    },
    /// Forgets a subscription.
    Unsubscribe {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The filter, as the client wrote it.
        filter: String,
    },
    /// Appends a message to a session's queue. The committer gives it its place, drops the oldest where a bound is
    /// reached, and tells the inbox.
    Enqueue {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// Quality to deliver with.
        qos: QoS,
        /// Retain flag to deliver with.
        retain: bool,
        /// Subscription identifiers to deliver with.
        identifiers: Box<[u32]>,
        /// When it stops being worth delivering; 0 = never.
        deadline_ms: Millis,
        /// When it expires by its publisher's word; 0 = never.
        expires_ms: Millis,
        /// Messages that were never sent, this one included, of which the queue holds no more from now on: the oldest
        /// make way. 0 = as many as any queue may hold.
        unsent_count_max: u32,
        /// The message, shared with all its receivers.
        message: Arc<Message>,
        /// Who is told.
        inbox: Arc<dyn Inbox>,
    },
    /// Notes that everything up to `seq` has been sent at least once.
    Sent {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The place.
        seq: u64,
    },
    /// The receiver has the message (PUBREC): forgets the message but keeps its place until it is dequeued.
    Release {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The place.
        seq: u64,
    },
    /// Takes a message out of a queue. A place that is gone already is no fault.
    Dequeue {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The place.
        seq: u64,
    },
    /// Remembers the packet id of a QoS 2 message that was received and not yet released.
    Receive {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The sender's packet id.
        packet_id: u16,
        /// The message, where it goes on only when it is released.
        message: Option<Box<Unreleased>>,
    },
    /// Forgets such a packet id, and the message with it.
    ReceiveDone {
        /// The session's organisation.
        org: OrgId,
        /// The session.
        session: SessionId,
        /// The sender's packet id.
        packet_id: u16,
    },
    /// Retains a message under its topic in a topic space.
    Retain {
        /// The organisation.
        org: OrgId,
        /// The topic space: the name of its dialect.
        space: &'static str,
        /// The message, with what it is delivered by.
        retained: Retained,
    },
    /// Forgets a retained message.
    Unretain {
        /// The organisation.
        org: OrgId,
        /// The topic space.
        space: &'static str,
        /// The topic.
        topic: String,
    },
}

/// Changes that are stored together or not at all.
#[derive(Default)]
pub struct Changes {
    /// What changes, in order.
    pub list: Vec<Change>,
    /// Who is told when it is stored.
    pub waiter: Option<Arc<dyn Waiter>>,
}

impl Changes {
    /// No changes, and nobody to tell.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change) {
        self.list.push(change);
    }
}

impl From<Change> for Changes {
    fn from(change: Change) -> Changes {
        Changes { list: vec![change], waiter: None }
    }
}

/// What a session needs to go on where it stopped, besides its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Everything up to this place of the queue may have been sent before.
    pub sent_seq: u64,
    /// Packet ids of QoS 2 messages received from the client and not yet released, ascending.
    pub received: Vec<Received>,
}

/// How much of a range of points to delete with one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropStep {
    /// The first part of the range.
    pub range: Range<Millis>,
    /// What is left of it.
    pub rest: Option<Range<Millis>>,
    /// Rows that the first part costs, about.
    pub rows_count: usize,
}

/// Counters of a store, for metrics. All grow from 0 at opening, but for `waiting_bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Group commits (one sync each).
    pub commits: u64,
    /// Changes stored.
    pub changes: u64,
    /// Queued messages dropped because a session's queue was full.
    pub dropped: u64,
    /// Changes left out because a text in their key is longer than [`limits::KEY_TEXT_BYTES_MAX`], or a piece than
    /// [`limits::BLOB_PIECE_BYTES`].
    pub oversized: u64,
    /// Points left out because their key is longer than [`limits::POINT_KEY_BYTES_MAX`], or their device has
    /// [`limits::POINT_KEYS_PER_DEVICE_COUNT_MAX`] other keys.
    pub points_refused: u64,
    /// Points that came when newer ones of their series were in a block already: each costs a row of its own.
    pub points_late: u64,
    /// Bytes handed in and not yet stored.
    pub waiting_bytes: u64,
}

/// What keeps the data. All methods may be called from any thread; [`Store::commit`], [`Store::stored`] and
/// [`Store::stats`] never block on the disk, the queries may: call those off the workers.
pub trait Store: Send + Sync {
    /// Hands changes over. They become visible to queries and durable together, in the order of tickets; changes
    /// handed in by different threads are grouped and share one sync. On a poisoned store the ticket is never stored.
    fn commit(&self, changes: Changes) -> Ticket;

    /// The last ticket that is stored.
    fn stored(&self) -> Ticket;

    /// Blocks until the ticket is stored. For start-up, commands and tests, not for workers.
    fn wait(&self, ticket: Ticket) -> Result<(), StoreFault>;

    /// `Err` once the store is poisoned.
    fn health(&self) -> Result<(), StoreFault>;

    /// Counters.
    fn stats(&self) -> Stats;

    /// Stores what was handed in, closes the files and ends the committer thread. Later commits are never stored.
    fn close(&self) -> Result<(), StoreFault>;

    /// A setting of the installation.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// All organisations, by id.
    fn orgs(&self) -> Result<Vec<Org>, StoreFault>;

    /// All device types of an organisation, by name.
    fn types(&self, org: OrgId) -> Result<Vec<DeviceType>, StoreFault>;

    /// Devices of an organisation by ascending id, after `after`, at most `count_max`.
    fn devices(
        &self,
        org: OrgId,
        after: Option<DeviceId>,
        count_max: usize,
    ) -> Result<Vec<Device>, StoreFault>;

    /// All API keys of an organisation.
    fn keys(&self, org: OrgId) -> Result<Vec<ApiKey>, StoreFault>;

    /// Calls `each` with the keys and topics of all products of an organisation: the keys in their order, then the
    /// topics by product.
    fn product_parts(&self, org: OrgId, each: &mut dyn FnMut(ProductRow<'_>)) -> Result<(), StoreFault>;

    /// Calls `each` with all that is so about the devices of an organisation, by device; of one device its login, its
    /// door, its attributes by scope and key, its commands by id, whose it is, and its number.
    fn aspects(&self, org: OrgId, each: &mut dyn FnMut(DeviceId, AspectRow<'_>)) -> Result<(), StoreFault>;

    /// All blobs of an organisation that are whole, by id.
    fn blobs(&self, org: OrgId) -> Result<Vec<Blob>, StoreFault>;

    /// All packages of an organisation, by id.
    fn packages(&self, org: OrgId) -> Result<Vec<Package>, StoreFault>;

    /// Calls `each` with the bytes of a blob that lie in `range`, in order, a piece at a time, until it breaks. Of a
    /// blob that is not whole, and beyond a blob's end, there are none.
    fn read_blob(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreFault>;

    /// All sessions of an organisation with their subscriptions.
    fn sessions(&self, org: OrgId) -> Result<Vec<(SessionRecord, Vec<Subscription>)>, StoreFault>;

    /// What a session needs besides its queue.
    fn session_state(&self, org: OrgId, session: SessionId) -> Result<SessionState, StoreFault>;

    /// Messages of a session's queue after place `after`, in order, at most `count_max` and about `bytes_max` (but at
    /// least one).
    fn queue(
        &self,
        org: OrgId,
        session: SessionId,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Queued>, StoreFault>;

    /// How many messages a session's queue holds, released ones included.
    fn queue_len(&self, org: OrgId, session: SessionId) -> Result<usize, StoreFault>;

    /// All retained messages of a topic space, by topic.
    fn retained(&self, org: OrgId, space: &str) -> Result<Vec<Retained>, StoreFault>;

    /// The last event of each name of a device, by name.
    fn last_events(&self, org: OrgId, device: DeviceId) -> Result<Vec<LastEvent>, StoreFault>;

    /// The last event of one name of a device.
    fn last_event(&self, org: OrgId, device: DeviceId, name: &str) -> Result<Option<LastEvent>, StoreFault>;

    /// Visits the points of a series with a time in `range`, in `order`, until `each` breaks, and at most
    /// [`limits::POINTS_PER_CALL_COUNT_MAX`] of them. Gives the part of the range after the last point visited;
    /// `None` when nothing is left. Asking for that part goes on without losing or repeating a point.
    ///
    /// A series has one point for each millisecond: of two whose sender named that time, the later stored replaces
    /// the earlier (spec thingsboard 5.4). Points that are stored while the range is read may be among those that are
    /// still to come.
    fn points(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        order: Order,
        each: &mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault>;

    /// Visits what the points of a series come to in each interval of a range, oldest first, until `each` breaks, and
    /// at most [`limits::INTERVALS_PER_CALL_COUNT_MAX`] of them. Gives the part of the range after the last interval
    /// visited; `None` when nothing is left.
    ///
    /// Intervals are `interval_ms` long and counted from the range's start; the last may be shorter, and 0 makes the
    /// whole range one interval. `each` is called with the interval's own range. Intervals without a point are left
    /// out. (Spec thingsboard 11.5, whose answers bear the middle of the interval.)
    fn aggregates(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        interval_ms: u64,
        each: &mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault>;

    /// Visits the newest point of each of `keys` of a device; of all its keys, in their order, without any. Keys
    /// without a point are left out.
    fn latest(
        &self,
        org: OrgId,
        device: DeviceId,
        keys: Option<&[&str]>,
        each: &mut dyn FnMut(&str, Millis, Value<'_>),
    ) -> Result<(), StoreFault>;

    /// The first part of a range of a series' points that is good for one [`Change::DropPoints`]: it has about
    /// [`limits::DROP_ROWS_PER_STEP_MAX`] rows, so that no group is held up by a long history.
    fn drop_step(&self, series: Series<'_>, range: Range<Millis>) -> Result<DropStep, StoreFault>;

    /// The keys of all points of a device, in order; no more than [`limits::POINT_KEYS_PER_DEVICE_COUNT_MAX`].
    fn point_keys(&self, org: OrgId, device: DeviceId) -> Result<Vec<String>, StoreFault>;
}
