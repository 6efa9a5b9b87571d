//! Worker threads: each runs the connections it was given, on a runtime of its own.
//!
//! What a connection needs only while it is being served lives here and is lent to it: the read buffer, the effect
//! list, the batch of changes. That is why an idle connection owns no buffer.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use domain::Millis;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::connection::batch::Batch;
use crate::greet::{Port, greet};
use crate::hub::Hub;
use crate::hub::subscriber::Waiting;
use crate::limits;

/// Sockets that wait for a worker to take them.
const HANDOVER_COUNT_MAX: usize = 4_096;
/// Spare buffers a worker keeps.
const SPARE_COUNT_MAX: usize = 64;
/// A larger buffer is given back to the allocator rather than kept.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// A socket fresh from a listener.
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) remote: SocketAddr,
    /// Where it came in.
    pub(crate) port: Arc<Port>,
}

/// What a worker lends to its connections.
pub(crate) struct Worker {
    pub(crate) hub: Arc<Hub>,
    pub(crate) lent: RefCell<Lent>,
    spares: RefCell<Vec<Vec<u8>>>,
    now: Cell<Now>,
}

/// The time of the round that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// By the clock that never goes back.
    pub(crate) monotonic_ms: u64,
    /// By the clock on the wall.
    pub(crate) wall_ms: Millis,
}

/// Buffers that are used during one round of one connection.
#[derive(Default)]
pub(crate) struct Lent {
    pub(crate) read: Vec<u8>,
    pub(crate) batch: Batch,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) effects: Vec<mqtt::session::Effect<'static>>,
}

impl Worker {
    fn new(hub: Arc<Hub>) -> Worker {
        Worker { hub, lent: RefCell::default(), spares: RefCell::default(), now: Cell::default() }
    }

    /// A round begins.
    pub(crate) fn look_at_clock(&self) {
        let clock = self.hub.clock;
        self.now.set(Now { monotonic_ms: clock.monotonic_ms(), wall_ms: clock.wall_ms() });
    }

    /// The time, as it was when the round began.
    pub(crate) fn now(&self) -> Now {
        self.now.get()
    }

    /// A spare buffer, empty.
    pub(crate) fn spare(&self) -> Vec<u8> {
        self.spares.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back that is not needed for now.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        let mut spares = self.spares.borrow_mut();
        if buffer.capacity() > 0 && buffer.capacity() <= SPARE_BYTES_MAX && spares.len() < SPARE_COUNT_MAX {
            buffer.clear();
            spares.push(buffer);
        }
    }
}

/// The running workers. Dropping the handles that feed them lets each end once its connections have.
pub(crate) struct Workers {
    feeds: Vec<mpsc::Sender<Accepted>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` workers.
    pub(crate) fn start(hub: &Arc<Hub>, count: usize) -> anyhow::Result<Workers> {
        let mut workers = Workers { feeds: Vec::new(), threads: Vec::new() };
        for index in 0..count {
            let (feed, arrivals) = mpsc::channel(HANDOVER_COUNT_MAX);
            let hub = hub.clone();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(limits::READER_THREAD_COUNT_MAX)
                .build()?;
            let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                let local = LocalSet::new();
                local.spawn_local(take_in(hub, arrivals));
                runtime.block_on(local);
            })?;
            workers.feeds.push(feed);
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// A way to hand sockets over, to the workers in turn.
    pub(crate) fn handover(&self) -> Handover {
        Handover { feeds: self.feeds.clone(), next: 0 }
    }

    /// Waits for every worker to end. Handovers must be gone, and connections asked to leave.
    pub(crate) fn join(mut self) {
        self.feeds.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("A worker ended with a panic");
            }
        }
    }
}

/// Hands sockets to the workers in turn.
#[derive(Clone)]
pub(crate) struct Handover {
    feeds: Vec<mpsc::Sender<Accepted>>,
    next: usize,
}

impl Handover {
    /// Hands a socket over; waits while that worker has more arrivals than it can take.
    pub(crate) async fn give(&mut self, accepted: Accepted) {
        self.next = (self.next + 1) % self.feeds.len();
        if self.feeds[self.next].send(accepted).await.is_err() {
            tracing::error!("A worker is gone; the connection is dropped");
        }
    }
}

async fn take_in(hub: Arc<Hub>, mut arrivals: mpsc::Receiver<Accepted>) {
    let worker = std::rc::Rc::new(Worker::new(hub));
    while let Some(accepted) = arrivals.recv().await {
        worker.hub.counters.accepted.add(1);
        let Some(counted) = worker.hub.admit_connection() else { continue };
        let worker = worker.clone();
        tokio::task::spawn_local(greet(worker, accepted, counted));
    }
}
