//! One client's connection: bytes in, packets through the session, effects carried out, bytes out.
//!
//! The task is one poll function. A round collects the mailbox, answers what was stored meanwhile, reads once into the
//! worker's buffer, works through every packet in it, hands one batch of changes to the store, wakes the receivers and
//! writes once. Between rounds the connection owns no buffer; nothing in a round waits.

mod asked;
mod backlog;
pub(crate) mod batch;
mod custody;
mod farewell;
mod handshake;
mod household;
mod metered;
mod packages;
mod packets;
mod parked;
mod points;
mod presence;
pub(crate) mod publish;
mod recognition;
mod replay;
mod seat;
mod subscribe;
mod terms;
mod topics;

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use dialects::{Dialect, Place, View};
use domain::{Closing, Millis, Peer};
use mqtt::Version;
use mqtt::codec::{self, Frame};
use mqtt::session::Session;
use store::Ticket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use self::backlog::Backlog;
use self::batch::Answer;
use self::custody::Custody;
use self::household::Household;
use self::parked::Parked;
use self::replay::Replay;
use self::seat::Seat;
use self::topics::Topics;
use crate::hub::Counted;
use crate::hub::late_will::Will;
use crate::limits;
use crate::tls::Certificate;
use crate::transport::Transport;
use crate::worker::Worker;

/// Where a connection came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) remote: SocketAddr,
    /// Where that is.
    pub(crate) place: Place,
    /// The listener's port.
    pub(crate) port: u16,
    /// Whether it is encrypted.
    pub(crate) secure: bool,
    /// Whether it is in WebSocket frames.
    pub(crate) websocket: bool,
}

/// A connection that begins with an MQTT client's first byte.
pub(crate) struct Arrival {
    pub(crate) transport: Transport,
    pub(crate) origin: Origin,
    /// The only dialect that is asked; `None`: all of them.
    pub(crate) dialect: Option<&'static str>,
    /// The certificate it has shown.
    pub(crate) certificate: Option<Box<Certificate>>,
    /// When its CONNECT has to be there.
    pub(crate) deadline: Instant,
}

/// Lets a client in, and has it served to its last byte by a task of its own: what recognising it and its login needed
/// is given back, so that an idle connection is one small task.
pub(crate) async fn run(worker: Rc<Worker>, arrival: Arrival, counted: Counted) {
    if let Some(connection) = handshake::admit(worker, arrival).await {
        tokio::task::spawn_local(Serving::Connected(connection, counted));
    }
}

/// The life of an admitted client. Written by hand: a compiled one would keep room for two connections.
#[expect(clippy::large_enum_variant, reason = "nearly all of a client's life is the large one")]
enum Serving {
    Connected(Connection, Counted),
    Leaving(
        Pin<Box<dyn Future<Output = ()>>>,
        #[expect(dead_code, reason = "counted out when dropped")] Counted,
    ),
    Over,
}

impl Future for Serving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Serving::Connected(connection, _) = this {
            let closing = ready!(connection.poll(cx));
            if let Serving::Connected(connection, counted) = std::mem::replace(this, Serving::Over) {
                *this = Serving::Leaving(Box::pin(farewell::end(connection, closing)), counted);
            }
        }
        match this {
            Serving::Leaving(leaving, _) => leaving.as_mut().poll(cx),
            Serving::Connected(..) | Serving::Over => Poll::Ready(()),
        }
    }
}

/// An admitted client.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    transport: Transport,
    origin: Origin,
    dialect: &'static dyn Dialect,
    peer: Peer,
    version: Version,
    view: View,
    /// The share group of all its subscriptions.
    share: Option<Box<str>>,
    seat: Seat,
    session: Session,
    /// Seconds for which the session outlives this connection.
    expiry_s: u32,
    will: Option<Box<Will>>,
    connected_ms: Millis,
    /// The beginning of a packet whose end has not arrived.
    partial: Vec<u8>,
    /// Bytes to write; `written` of them are.
    writing: Vec<u8>,
    written: usize,
    /// Since when the client has not taken what is ready for it.
    stalled_since_ms: Option<NonZeroU64>,
    topics: Topics,
    /// The devices whose door this is, in a dialect that has doors.
    household: Option<Box<Household>>,
    /// Grows when devices are removed or disabled.
    registry: platform::Generation,
    /// Answers that wait for the store, in order.
    pending: VecDeque<(Ticket, Answer)>,
    /// How many of them are places kept for what is parked.
    places_kept: u16,
    parked: Parked,
    /// Messages that wait for their release, where there are any.
    custody: Option<Box<Custody>>,
    /// For a durable session.
    backlog: Option<Box<Backlog>>,
    /// Retained messages that are still to come, nearly always none.
    replay: Option<Box<Replay>>,
    /// The last ticket of a time when the store had too much waiting: no reading before it is stored.
    throttle: Ticket,
    /// It was not read in this round, for our reasons: the client's silence counts for nothing then.
    reading_paused: bool,
    timer: Option<Pin<Box<Sleep>>>,
    closing: Option<Closing>,
    /// An answer behind which the connection ends is lined up: nothing more is taken in.
    is_leaving: bool,
    /// It came for its login, has been answered, and may not stay for long.
    is_served: bool,
    tally: Tally,
}

/// What a connection has carried.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    read_bytes: u64,
    read_count: u64,
    write_bytes: u64,
    write_count: u64,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closing> {
        self.worker.look_at_clock();
        for _ in 0..limits::ROUNDS_PER_TURN_COUNT_MAX {
            if let Some(closing) = self.collect_mail(cx) {
                return Poll::Ready(closing);
            }
            let window_was_full = self.session.room() == 0;
            self.answer_stored();
            self.poll_backlog(cx);
            self.poll_replay();
            let read = self.closing.is_none() && self.poll_read(cx);
            let outbox_was_full = self.outbox_is_full();
            let written = self.poll_write(cx);
            if let Some(closing) = self.closing.filter(|_| !read) {
                return Poll::Ready(closing);
            }
            if let Poll::Ready(Err(())) = written {
                return Poll::Ready(Closing::Lost);
            }
            // What waited for room, mail as well as input, can go on; nobody else would wake us for it.
            let room_made =
                (window_was_full && self.session.room() > 0) || (outbox_was_full && !self.outbox_is_full());
            if !read && !room_made && !self.answers_ready() && !self.poll_timer(cx) {
                self.give_back_buffers();
                return Poll::Pending;
            }
        }
        // Others on this worker have their turn now; this connection has another one behind them.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what others left for this client. `Some` when somebody wants the connection to end.
    fn collect_mail(&mut self, cx: &Context<'_>) -> Option<Closing> {
        let worker = self.worker.clone();
        let mut waiting = std::mem::take(&mut worker.lent.borrow_mut().waiting);
        let has_room = !self.outbox_is_full();
        let room = self.session.room();
        let was_empty = self.writing.is_empty();
        let bytes = has_room.then_some(&mut self.writing);
        let mail = self.seat.collect(cx.waker(), bytes, room, &mut waiting);
        if was_empty {
            self.written = 0;
        }
        if !waiting.is_empty() {
            let mut batch = self.begin();
            for mut it in waiting.drain(..) {
                let receipt = it.receipt.take();
                self.deliver_with_receipt(&it, receipt, &mut batch);
            }
            self.finish(batch);
        }
        worker.lent.borrow_mut().waiting = waiting;
        if self.seat.seat_waiting.load(std::sync::atomic::Ordering::Acquire) > 0 {
            return Some(Closing::TakenOver);
        }
        if mail.spilled {
            self.want_backlog();
        }
        mail.kicked
    }

    fn now_ms(&self) -> u64 {
        self.worker.now().monotonic_ms
    }

    fn wall_ms(&self) -> Millis {
        self.worker.now().wall_ms
    }

    fn answers_ready(&self) -> bool {
        let stored = self.worker.hub.store.stored();
        (!self.outbox_is_full() && self.pending.front().is_some_and(|(ticket, _)| *ticket <= stored))
            || (!self.parked.is_empty() && self.parked.until <= stored)
    }

    /// Whether more input may be taken in now.
    fn may_read(&self) -> bool {
        !self.outbox_is_full()
            && !self.is_leaving
            && self.pending.len() < usize::from(limits::RECEIVE_COUNT_MAX)
            && !self.parked.is_full()
            && self.throttle <= self.worker.hub.store.stored()
    }

    /// Reads once and works through what came. True when something came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> bool {
        self.reading_paused = !self.may_read();
        if self.reading_paused {
            return false;
        }
        let worker = self.worker.clone();
        let mut scratch = std::mem::take(&mut worker.lent.borrow_mut().read);
        // Another connection's panic may have kept it.
        scratch.resize(limits::READ_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut scratch);
        let outcome = Pin::new(&mut self.transport).poll_read(cx, &mut buffer);
        let bytes = buffer.filled();
        let came = match outcome {
            Poll::Pending => false,
            Poll::Ready(Ok(())) if !bytes.is_empty() => {
                self.tally.read_bytes += bytes.len() as u64;
                self.take_bytes(bytes);
                true
            }
            Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.on_transport_fault(&error);
                false
            }
            Poll::Ready(_) => {
                self.closing.get_or_insert(Closing::Lost);
                false
            }
        };
        worker.lent.borrow_mut().read = scratch;
        came
    }

    fn unwritten(&self) -> usize {
        self.writing.len() - self.written
    }

    pub(super) fn outbox_is_full(&self) -> bool {
        self.unwritten() >= self.worker.hub.limits.outbox_bytes_max
    }

    /// Writes as much as the socket takes. `Err` when the client is lost.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        while self.unwritten() > 0 {
            let count_max = self.next_write();
            let bytes = &self.writing[self.written..self.written + count_max];
            let Poll::Ready(outcome) = Pin::new(&mut self.transport).poll_write(cx, bytes) else {
                let now_ms = NonZeroU64::new(self.now_ms()).unwrap_or(NonZeroU64::MIN);
                self.stalled_since_ms.get_or_insert(now_ms);
                self.forget_written();
                return Poll::Pending;
            };
            match outcome {
                Ok(count) if count > 0 => {
                    self.written += count;
                    self.tally.write_bytes += count as u64;
                    self.stalled_since_ms = None;
                }
                _ => return Poll::Ready(Err(())),
            }
        }
        self.writing.clear();
        self.written = 0;
        ready!(Pin::new(&mut self.transport).poll_flush(cx)).map_err(drop).into()
    }

    /// Bytes to give to the socket at once: everything, or one packet. Behind a packet that the socket took only a part
    /// of, what looks like a packet may be none: the bytes are written all the same, in other portions.
    fn next_write(&self) -> usize {
        let bytes = &self.writing[self.written..];
        if !self.dialect.writes_packets_apart() {
            return bytes.len();
        }
        match codec::frame(bytes, bytes.len()) {
            Ok(Frame::Whole { len }) => len,
            _ => bytes.len(),
        }
    }

    /// Gives up the room of what is written before it outweighs what is not: a client that takes its bytes steadily but
    /// never all of them would otherwise make the buffer grow for ever.
    fn forget_written(&mut self) {
        if self.written > self.unwritten() {
            self.writing.drain(..self.written);
            self.written = 0;
        }
    }

    /// Sets the timer for whatever is due next. True when something was due and has been dealt with.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let stalled = self.stalled_since_ms.map(|it| it.get() + limits::OUTGOING_FULL_MS_MAX);
        let silent = self.session.deadline_ms().filter(|_| !self.reading_paused);
        let Some(due_ms) = [silent, stalled].into_iter().flatten().min() else {
            return false;
        };
        if due_ms <= self.now_ms() {
            self.on_due(stalled.is_some_and(|it| it <= self.now_ms()));
            return true;
        }
        // A deadline that moved further away is noticed when the old one fires: no timer is touched per packet.
        let due = Instant::from_std(self.worker.hub.clock.instant_at(due_ms));
        let fires_in_time = self.timer.as_ref().is_some_and(|it| it.deadline() <= due);
        if !fires_in_time {
            self.timer = Some(Box::pin(tokio::time::sleep_until(due)));
        }
        let Some(timer) = &mut self.timer else { return false };
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.timer = None;
        self.worker.look_at_clock();
        true
    }

    fn on_due(&mut self, stalled: bool) {
        if stalled {
            self.closing.get_or_insert(Closing::TooSlow);
        } else {
            self.step_tick();
        }
    }

    /// An idle connection owns no buffer.
    fn give_back_buffers(&mut self) {
        if self.writing.is_empty() && self.writing.capacity() > 0 {
            self.worker.give_back(std::mem::take(&mut self.writing));
        }
        if let Some(buffer) = self.seat.take_idle_buffer() {
            self.worker.give_back(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With what the runtime adds, a task takes a multiple of 128 bytes: one word more here, and each idle connection
    /// costs 128 bytes more. What few clients have belongs in a box.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Serving>() <= 672, "{}", size_of::<Serving>());
    }
}
