//! The one thread that stores, and the counter at which changes are handed in.
//!
//! Connections hand changes in under a short lock and get a ticket. The committer takes all that is waiting, turns it
//! into one group of rows, has the disk apply it with one sync, publishes the new last ticket and tells the waiters
//! and inboxes. What is handed in while it syncs is the next group: the slower the disk, the larger the groups.
//!
//! After a failed write or sync nothing is stored any more, and nobody is told: the changes of the failed group may or
//! may not be on the disk, and a retried sync proves nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::disk::Disk;
use crate::limits::GROUP_BYTES_MAX;
use crate::plan::{Plan, Told};
use crate::{Change, Changes, Stats, StoreFault, Ticket, Waiter};

/// Changes with their estimated size.
struct Handed {
    changes: Changes,
    size_bytes: u64,
}

#[derive(Default)]
struct Pending {
    list: VecDeque<Handed>,
    last: u64,
    idle: bool,
    closing: bool,
}

/// Where changes are handed in and results are read; shared by all threads.
#[derive(Default)]
pub(crate) struct Counter {
    pending: Mutex<Pending>,
    handed_in: Condvar,
    stored: AtomicU64,
    /// Why nothing is stored any more.
    end: Mutex<Option<End>>,
    progress: Condvar,
    waiting_bytes: AtomicU64,
    commits: AtomicU64,
    changes: AtomicU64,
    dropped: AtomicU64,
    oversized: AtomicU64,
    points_refused: AtomicU64,
    points_late: AtomicU64,
}

/// How storing ended.
#[derive(Clone, Debug)]
enum End {
    /// In good order.
    Closed,
    /// By a fault.
    Failed(String),
}

impl End {
    fn fault(&self) -> StoreFault {
        StoreFault::Poisoned(match self {
            End::Closed => "it is closed".to_owned(),
            End::Failed(cause) => cause.clone(),
        })
    }
}

impl Counter {
    /// Takes changes in and gives their ticket.
    pub(crate) fn hand_in(&self, changes: Changes) -> Ticket {
        let size_bytes = changes.list.iter().map(cost_bytes).sum();
        let mut pending = self.pending.lock();
        pending.last += 1;
        let ticket = Ticket(pending.last);
        if pending.closing {
            return ticket;
        }
        self.waiting_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        pending.list.push_back(Handed { changes, size_bytes });
        if std::mem::take(&mut pending.idle) {
            self.handed_in.notify_one();
        }
        ticket
    }

    /// The last ticket that is stored.
    pub(crate) fn stored(&self) -> Ticket {
        Ticket(self.stored.load(Ordering::Acquire))
    }

    /// Blocks until the ticket is stored, or never will be.
    pub(crate) fn wait(&self, ticket: Ticket) -> Result<(), StoreFault> {
        let mut end = self.end.lock();
        while self.stored() < ticket {
            if let Some(end) = &*end {
                return Err(end.fault());
            }
            self.progress.wait(&mut end);
        }
        Ok(())
    }

    /// `Err` when the store is poisoned, but not when it was closed in good order.
    pub(crate) fn health(&self) -> Result<(), StoreFault> {
        match &*self.end.lock() {
            Some(end @ End::Failed(_)) => Err(end.fault()),
            _ => Ok(()),
        }
    }

    /// Counters.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            oversized: self.oversized.load(Ordering::Relaxed),
            points_refused: self.points_refused.load(Ordering::Relaxed),
            points_late: self.points_late.load(Ordering::Relaxed),
            waiting_bytes: self.waiting_bytes.load(Ordering::Relaxed),
        }
    }

    /// Accepts nothing more; what was handed in is still stored.
    pub(crate) fn close(&self) {
        self.pending.lock().closing = true;
        self.handed_in.notify_one();
    }

    /// Takes all that waits into the empty `taken`; `false` when nothing comes any more. Does not wait for changes
    /// when there is other work.
    fn take(&self, taken: &mut VecDeque<Handed>, other_work: bool) -> bool {
        let mut pending = self.pending.lock();
        while pending.list.is_empty() {
            if pending.closing {
                return false;
            }
            if other_work {
                return true;
            }
            pending.idle = true;
            self.handed_in.wait(&mut pending);
        }
        std::mem::swap(&mut pending.list, taken);
        true
    }

    fn end(&self, end: End) {
        let mut pending = self.pending.lock();
        pending.closing = true;
        pending.list.clear();
        drop(pending);
        self.end.lock().get_or_insert(end);
        self.progress.notify_all();
    }
}

/// What a change occupies while it waits, in bytes, about.
fn cost_bytes(change: &Change) -> u64 {
    let content = match change {
        Change::Event(it) => it.message.cost_bytes() + it.points.as_bytes().len(),
        Change::Points { points, .. } => points.as_bytes().len(),
        Change::Enqueue { message, .. } => message.cost_bytes(),
        Change::Receive { message: Some(it), .. } => {
            size_of::<domain::Unreleased>() + it.message.cost_bytes()
        }
        Change::Retain { retained, .. } => retained.message.cost_bytes(),
        Change::Aspect { aspect, .. } => aspect.cost_bytes(),
        Change::Product { part, .. } => part.cost_bytes(),
        Change::PutPiece { bytes, .. } => bytes.len(),
        Change::PutPackage(it) => it.types.iter().map(String::len).sum(),
        _ => 0,
    };
    (size_of::<Change>() + content) as u64
}

/// The committer's own part.
pub(crate) struct Committer<D: Disk> {
    counter: Arc<Counter>,
    disk: Arc<D>,
    plan: Plan,
    /// Taken from the counter and not yet in a group.
    taken: VecDeque<Handed>,
    /// The last ticket of the present group, or of the one before it.
    ticket: u64,
    waiters: Vec<(Arc<dyn Waiter>, Ticket)>,
}

impl<D: Disk> Committer<D> {
    /// A committer that is ready to [`Committer::run`].
    pub(crate) fn new(counter: Arc<Counter>, disk: Arc<D>, plan: Plan) -> Committer<D> {
        Committer { counter, disk, plan, taken: VecDeque::new(), ticket: 0, waiters: Vec::new() }
    }

    /// Stores what is handed in until the counter is closed or storing fails.
    pub(crate) fn run(mut self) {
        let counter = self.counter.clone();
        let mut ending =
            EndOnDrop { counter: &counter, end: End::Failed("its committer panicked".to_owned()) };
        ending.end = loop {
            if self.taken.is_empty() && !self.counter.take(&mut self.taken, self.plan.is_purging()) {
                break End::Closed;
            }
            if let Err(cause) = self.group() {
                break End::Failed(cause);
            }
        };
    }

    /// Stores one group and tells everybody.
    fn group(&mut self) -> Result<(), String> {
        let (mut changes_count, mut size_bytes) = (0, 0);
        self.plan.begin();
        while self.plan.size_bytes() < GROUP_BYTES_MAX {
            let Some(handed) = self.taken.pop_front() else { break };
            self.ticket += 1;
            size_bytes += handed.size_bytes;
            changes_count += handed.changes.list.len() as u64;
            if let Some(waiter) = handed.changes.waiter {
                self.waiters.push((waiter, Ticket(self.ticket)));
            }
            for change in handed.changes.list {
                self.plan.add(change, &*self.disk).map_err(|it| it.to_string())?;
            }
        }
        self.plan.finish(&*self.disk).map_err(|it| it.to_string())?;
        if !self.plan.rows.is_empty() {
            self.disk.apply(&self.plan.rows)?;
            self.counter.commits.fetch_add(1, Ordering::Relaxed);
        }
        self.counter.changes.fetch_add(changes_count, Ordering::Relaxed);
        self.counter.dropped.fetch_add(self.plan.dropped_count, Ordering::Relaxed);
        self.counter.oversized.fetch_add(self.plan.oversized_count, Ordering::Relaxed);
        self.counter.points_refused.fetch_add(self.plan.telemetry.refused_count, Ordering::Relaxed);
        self.counter.points_late.fetch_add(self.plan.telemetry.late_count, Ordering::Relaxed);
        self.counter.waiting_bytes.fetch_sub(size_bytes, Ordering::Relaxed);
        self.publish();
        Ok(())
    }

    fn publish(&mut self) {
        self.plan.publish();
        // Inboxes first: whoever hears that its message is stored may rely on the receivers having it.
        for told in self.plan.told.drain(..) {
            match told {
                Told::Queued(inbox, queued) => inbox.queued(queued),
                Told::Dropped(inbox, seq) => inbox.dropped(seq),
            }
        }
        self.counter.stored.store(self.ticket, Ordering::Release);
        // Whoever is between its look at `stored` and its sleep holds this lock: it is woken, not missed.
        drop(self.counter.end.lock());
        self.counter.progress.notify_all();
        for (waiter, ticket) in self.waiters.drain(..) {
            waiter.stored(ticket);
        }
        self.plan.clear();
    }
}

/// Ends the store also when the committer's thread is lost to a panic: nobody waits forever.
struct EndOnDrop<'a> {
    counter: &'a Counter,
    end: End,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.counter.end(self.end.clone());
    }
}
