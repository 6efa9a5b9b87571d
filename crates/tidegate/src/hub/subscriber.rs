//! The receiving end of a session: where messages wait until its connection takes them.
//!
//! A subscriber exists as long as its session does: for a clean session until its connection ends, for a durable one
//! until the session is dropped. Publishers on any thread append to the mailbox under its lock and wake the owner at
//! most once per round; the owner swaps the bytes out and writes them in one call. An idle mailbox owns no buffer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;

use dialects::View;
use domain::{Closing, DeviceId, Message, Millis, QoS, Queued, SessionId, Subscription};
use mqtt::Version;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use platform::Receipt;
use store::{Inbox, Ticket, Waiter};
use tokio::sync::Semaphore;

use super::sessions::Lifetime;
use crate::limits;

/// A session's receiving end.
pub(crate) struct Subscriber {
    /// The session's key in its topic space: the client id, as a rule.
    pub(crate) key: Box<str>,
    /// The stored session's id; 0 for a clean session.
    session: AtomicU64,
    /// The seat that one connection at a time may hold.
    pub(crate) seat: Semaphore,
    /// Connections that wait for the seat: whoever holds it then has to leave.
    pub(crate) seat_waiting: AtomicU32,
    /// It speaks MQTT 5, so that overlapping subscriptions give one copy.
    one_copy: AtomicBool,
    mailbox: Mutex<Mailbox>,
    held: Mutex<Vec<Held>>,
    /// Nothing for a clean session.
    lifetime: Mutex<Option<Box<Lifetime>>>,
}

/// A subscription as the router knows it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) subscription: Subscription,
    /// The subscription's id in the router.
    pub(crate) id: u64,
}

/// A message that waits for its receiver's session: at QoS 1 and 2 it gets a packet id there, at QoS 0 a topic alias.
pub(crate) struct Waiting {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Box<[u32]>,
    /// When it expires by its publisher's word; 0 = never.
    pub(crate) expires_ms: Millis,
    /// Its place in the stored queue; 0 for a clean session, and at QoS 0.
    pub(crate) place: u64,
    /// For a command to a clean session: who wants to know that the client has it.
    pub(crate) receipt: Option<Box<Receipt>>,
}

#[derive(Default)]
struct Mailbox {
    attached: Option<Attached>,
    bytes: Vec<u8>,
    /// In a box, because it is nearly always empty.
    line: Option<Box<Line>>,
    /// The stored queue holds messages that `waiting` does not.
    spilled: bool,
    /// The last place that was left to the store.
    spilled_place: u64,
    kicked: Option<Closing>,
    woken: bool,
}

/// Messages that wait, never none.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

/// The connection that holds the seat.
pub(crate) struct Attached {
    pub(crate) version: Version,
    pub(crate) view: View,
    /// The device or gateway it belongs to.
    pub(crate) device: Option<DeviceId>,
    /// The API key it came with.
    pub(crate) key: Option<Box<str>>,
    /// Bytes that may wait for the socket; beyond it messages at QoS 0 are dropped.
    pub(crate) bytes_max: u32,
    /// Bytes of the largest packet that may be written straight into its bytes: as many as the client takes, or 0 where
    /// its session has a say in every message, because it chooses topic aliases.
    pub(crate) direct_bytes_max: u32,
    pub(crate) waker: Waker,
}

/// What a round at the mailbox found.
#[derive(Default)]
pub(crate) struct Mail {
    /// Somebody wants this connection to end.
    pub(crate) kicked: Option<Closing>,
    /// The stored queue has more than was handed out.
    pub(crate) spilled: bool,
}

/// Whether a packet could be written straight into the connection's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Written,
    /// It has more bytes than [`Attached::direct_bytes_max`].
    TooLarge,
}

/// What became of a message offered to a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is on its way; the owner has to be woken.
    Wake,
    /// It is on its way; the owner knows already.
    Taken,
    /// Nobody is connected.
    Absent,
    /// There is no room for it, or the client does not take packets of that size: dropped.
    Dropped,
    /// It is on its way, in the place of so many older ones.
    Replaced { dropped_count: u64 },
    /// The session has to see it: to be offered again, as a [`Waiting`].
    ForSession,
}

impl Subscriber {
    pub(crate) fn new(key: Box<str>, session: Option<SessionId>) -> Subscriber {
        Subscriber {
            key,
            session: AtomicU64::new(session.map_or(0, |it| it.0)),
            seat: Semaphore::new(1),
            seat_waiting: AtomicU32::new(0),
            one_copy: AtomicBool::new(false),
            mailbox: Mutex::default(),
            held: Mutex::default(),
            lifetime: Mutex::default(),
        }
    }

    /// The stored session behind it, for a durable one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.session.load(Ordering::Acquire) {
            0 => None,
            id => Some(SessionId(id)),
        }
    }

    /// Makes it clean; the stored session that it had, for one caller only.
    pub(crate) fn take_session(&self) -> Option<SessionId> {
        Some(self.session.swap(0, Ordering::AcqRel)).filter(|it| *it != 0).map(SessionId)
    }

    /// Makes it durable, or clean.
    pub(crate) fn set_session(&self, session: Option<SessionId>) {
        self.session.store(session.map_or(0, |it| it.0), Ordering::Release);
    }

    /// The subscriptions the router holds for it.
    pub(crate) fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock()
    }

    /// How long its stored session lives.
    pub(super) fn lifetime(&self) -> MappedMutexGuard<'_, Lifetime> {
        MutexGuard::map(self.lifetime.lock(), |it| &mut **it.get_or_insert_default())
    }

    /// Whether overlapping subscriptions give one copy.
    pub(crate) fn wants_one_copy(&self) -> bool {
        self.one_copy.load(Ordering::Acquire)
    }

    /// A connection takes the mailbox over, empty: what a durable session has waiting is read from the store. True
    /// when the session's version has changed in a way that routing has to notice.
    pub(crate) fn attach(&self, attached: Attached) -> bool {
        let one_copy = attached.version == Version::V5;
        let changed = self.one_copy.swap(one_copy, Ordering::AcqRel) != one_copy;
        *self.mailbox.lock() =
            Mailbox { attached: Some(attached), spilled: self.session().is_some(), ..Mailbox::default() };
        changed
    }

    /// The connection leaves. What waited for a clean session is gone; a durable one's is in the store.
    pub(crate) fn detach(&self) {
        *self.mailbox.lock() = Mailbox::default();
    }

    /// Whether a connection would receive something now.
    pub(crate) fn is_attached(&self) -> bool {
        self.mailbox.lock().attached.is_some()
    }

    /// Whether a connection of that kind holds the seat.
    pub(crate) fn is_attached_by(&self, whose: impl Fn(&Attached) -> bool) -> bool {
        self.mailbox.lock().attached.as_ref().is_some_and(whose)
    }

    /// Asks the connection to end.
    pub(crate) fn kick(&self, closing: Closing) {
        let mut mailbox = self.mailbox.lock();
        mailbox.kicked.get_or_insert(closing);
        mailbox.wake();
    }

    /// Offers a message at QoS 0: `write` appends its packet to the connection's bytes, unless the client does not take
    /// packets of that size.
    pub(crate) fn offer_bytes(&self, write: impl FnOnce(&Attached, &mut Vec<u8>) -> Fit) -> Offered {
        let mut mailbox = self.mailbox.lock();
        let Mailbox { attached: Some(attached), bytes, .. } = &mut *mailbox else { return Offered::Absent };
        if bytes.len() >= attached.bytes_max as usize {
            return Offered::Dropped;
        }
        match write(attached, bytes) {
            Fit::Written => mailbox.note(),
            Fit::TooLarge if attached.direct_bytes_max == 0 => Offered::ForSession,
            Fit::TooLarge => Offered::Dropped,
        }
    }

    /// Offers a message at QoS 0 to a session that has to see it. When there is no room it is dropped, as one is that
    /// does not fit into the bytes: those that wait may be better than it.
    pub(crate) fn offer_passing(&self, waiting: Waiting) -> Offered {
        let mut mailbox = self.mailbox.lock();
        if mailbox.attached.is_none() {
            return Offered::Absent;
        }
        if !mailbox.has_room() {
            return Offered::Dropped;
        }
        mailbox.push_waiting(waiting);
        mailbox.note()
    }

    /// Offers a message at QoS 1 or 2 to a clean session. When there is no room the oldest make way for it.
    pub(crate) fn offer_waiting(&self, waiting: Waiting) -> Offered {
        let mut mailbox = self.mailbox.lock();
        if mailbox.attached.is_none() {
            return Offered::Absent;
        }
        let mut dropped_count = 0;
        while !mailbox.has_room() && mailbox.pop_oldest() {
            dropped_count += 1;
        }
        mailbox.push_waiting(waiting);
        match (mailbox.note(), dropped_count) {
            (offered, 0) => offered,
            (_, dropped_count) => Offered::Replaced { dropped_count },
        }
    }

    /// Wakes the connection.
    pub(crate) fn wake(&self) {
        let mailbox = self.mailbox.lock();
        if let Some(attached) = &mailbox.attached {
            attached.waker.wake_by_ref();
        }
    }

    /// A round of the owner: notes how to wake it again, and, where it has room for any bytes, swaps these out and
    /// takes the messages that wait, up to the first at QoS 1 or 2 for which there is no `room` in its window.
    pub(crate) fn collect(
        &self,
        waker: &Waker,
        bytes: Option<&mut Vec<u8>>,
        room: usize,
        waiting: &mut Vec<Waiting>,
    ) -> Mail {
        let mut mailbox = self.mailbox.lock();
        mailbox.woken = false;
        if let Some(attached) = &mut mailbox.attached
            && !attached.waker.will_wake(waker)
        {
            attached.waker = waker.clone();
        }
        if let Some(bytes) = bytes {
            match bytes.is_empty() {
                true => std::mem::swap(bytes, &mut mailbox.bytes),
                false => bytes.append(&mut mailbox.bytes),
            }
            mailbox.take_waiting(room, waiting);
        }
        Mail { kicked: mailbox.kicked, spilled: mailbox.spilled && mailbox.line.is_none() }
    }

    /// The owner cannot take what it collected from this place on: that and what waits behind it is left to the stored
    /// queue. What is in no queue waits on.
    pub(crate) fn leave_to_store(&self, place: u64) {
        let mut mailbox = self.mailbox.lock();
        let mut last = mailbox.spilled_place.max(place);
        if let Some(line) = &mut mailbox.line {
            line.waiting.retain(|it| {
                last = last.max(it.place);
                it.place == 0
            });
            line.bytes = line.waiting.iter().map(|it| it.message.cost_bytes()).sum();
        }
        mailbox.line.take_if(|it| it.waiting.is_empty());
        mailbox.spilled = true;
        mailbox.spilled_place = last;
    }

    /// Takes the mailbox's buffer when it is empty, so that an idle connection owns none.
    pub(crate) fn take_idle_buffer(&self) -> Option<Vec<u8>> {
        let mut mailbox = self.mailbox.lock();
        (mailbox.bytes.is_empty() && mailbox.bytes.capacity() > 0).then(|| std::mem::take(&mut mailbox.bytes))
    }

    /// The owner has read the stored queue to its end, which was at `place`: from here on messages come through the
    /// mailbox again. False when more was left to the store in the meantime.
    pub(crate) fn caught_up(&self, place: u64) -> bool {
        let mut mailbox = self.mailbox.lock();
        if mailbox.spilled_place > place {
            return false;
        }
        mailbox.spilled = false;
        true
    }
}

impl Mailbox {
    fn has_room(&self) -> bool {
        let has_room =
            |it: &Line| it.waiting.len() < limits::MAILBOX_COUNT_MAX && it.bytes < limits::MAILBOX_BYTES_MAX;
        self.line.as_deref().is_none_or(has_room)
    }

    fn push_waiting(&mut self, waiting: Waiting) {
        let line = self.line.get_or_insert_default();
        line.bytes += waiting.message.cost_bytes();
        line.waiting.push_back(waiting);
    }

    /// Drops the message that has waited longest. False when none waits.
    fn pop_oldest(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        if let Some(oldest) = line.waiting.pop_front() {
            line.bytes -= oldest.message.cost_bytes();
        }
        self.line.take_if(|it| it.waiting.is_empty());
        true
    }

    /// Takes messages in order: any number at QoS 0, and `room` above it.
    fn take_waiting(&mut self, mut room: usize, taken: &mut Vec<Waiting>) {
        let Some(line) = &mut self.line else { return };
        while let Some(first) = line.waiting.pop_front_if(|it| it.qos == QoS::AtMostOnce || room > 0) {
            room -= usize::from(first.qos != QoS::AtMostOnce);
            line.bytes -= first.message.cost_bytes();
            taken.push(first);
        }
        self.line.take_if(|it| it.waiting.is_empty());
    }

    fn note(&mut self) -> Offered {
        if std::mem::replace(&mut self.woken, true) { Offered::Taken } else { Offered::Wake }
    }

    fn wake(&mut self) {
        if self.note() == Offered::Wake
            && let Some(attached) = &self.attached
        {
            attached.waker.wake_by_ref();
        }
    }
}

impl Waiter for Subscriber {
    fn stored(&self, _: Ticket) {
        self.mailbox.lock().wake();
    }
}

impl Inbox for Subscriber {
    fn queued(&self, queued: Queued) {
        let Some(message) = queued.message else { return };
        let mut mailbox = self.mailbox.lock();
        if mailbox.attached.is_none() {
            return;
        }
        if mailbox.spilled || !mailbox.has_room() {
            mailbox.spilled = true;
            mailbox.spilled_place = queued.seq;
        } else {
            mailbox.push_waiting(Waiting {
                message,
                qos: queued.qos,
                retain: queued.retain,
                identifiers: queued.identifiers,
                expires_ms: queued.expires_ms,
                place: queued.seq,
                receipt: None,
            });
        }
        mailbox.wake();
    }

    fn dropped(&self, _: u64) {}
}
