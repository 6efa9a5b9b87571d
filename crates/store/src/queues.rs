//! Which places of each session's queue are taken: kept in memory by the committer, read from the rows at opening.
//!
//! The committer asks here for the next place, for what must be dropped to keep a queue within its bounds, and whether
//! a place is still taken. The messages themselves are only on the disk. A session with an empty queue costs its entry
//! in the map and nothing else.
//!
//! Places are never given twice within a session, because packet ids and QoS 2's exactly-once are derived from them.
//! At opening the next place follows from the newest row; when the newest row leaves its queue, that would be lost, so
//! the session's [`Marks`] are then stored with the last place that was given. That is one small row in a group that
//! deletes a row anyway, and none where [`crate::Change::Sent`] has just stored the marks. It leaves no holes, other
//! than places reserved in advance would: holes add up over restarts until a queue spans more places than there are
//! packet ids.

use std::collections::{HashMap, VecDeque};

use domain::{OrgId, SessionId};

use crate::limits::QueueBounds;
use crate::values::Marks;

/// A session with its organisation: nothing is looked up by the session alone.
pub(crate) type Key = (OrgId, SessionId);

/// All queues of the installation.
#[derive(Default)]
pub(crate) struct Queues {
    map: HashMap<Key, Queue>,
    /// Sessions whose marks may have to be stored with this group.
    touched: Vec<Key>,
}

impl Queues {
    /// The queues found at opening.
    pub(crate) fn restored(mut map: HashMap<Key, Queue>) -> Queues {
        for queue in map.values_mut() {
            queue.restored();
        }
        Queues { map, touched: Vec::new() }
    }

    /// Adds a session that has nothing queued, unless it is there.
    pub(crate) fn add(&mut self, key: Key) {
        self.map.entry(key).or_default();
    }

    /// Forgets a session; gives its queue.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Queue> {
        self.map.remove(&key)
    }

    /// The queue of a session; `None` when there is no such session (any more).
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut Queue> {
        self.map.get_mut(&key)
    }

    /// Notes that a session's marks may have changed.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(queue) = self.map.get_mut(&key)
            && !queue.touched
        {
            queue.touched = true;
            self.touched.push(key);
        }
    }

    /// Calls `store` with the marks of each session whose marks must be stored with this group.
    pub(crate) fn settle(&mut self, mut store: impl FnMut(Key, Marks)) {
        for key in self.touched.drain(..) {
            let Some(queue) = self.map.get_mut(&key) else { continue };
            queue.touched = false;
            if let Some(marks) = queue.unsettled() {
                queue.settled = marks;
                store(key, marks);
            }
        }
    }
}

/// The places of one queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The last place before `sizes`.
    before: u64,
    /// Bytes of the rows from place `before + 1` on; 0 = gone. The first is never gone.
    sizes: VecDeque<u32>,
    count: u64,
    bytes: u64,
    sent_seq: u64,
    /// The marks as they are on the disk.
    settled: Marks,
    touched: bool,
}

/// Rooms of an emptied queue's list that are kept for the next message.
const SPARE_COUNT: usize = 16;

impl Queue {
    /// Takes over the marks found at opening. Called before any row is restored.
    pub(crate) fn restore_marks(&mut self, marks: Marks) {
        self.settled = marks;
        self.sent_seq = marks.sent_seq;
        self.before = marks.last_seq;
    }

    /// Takes over a row found at opening; rows come in the order of their places. `false` when its place cannot be
    /// right.
    pub(crate) fn restore(&mut self, seq: u64, size: u32, bounds: QueueBounds) -> bool {
        if self.sizes.is_empty() {
            let Some(before) = seq.checked_sub(1) else { return false };
            self.before = before;
        }
        let Some(index) = seq.checked_sub(self.before + 1) else { return false };
        if index < self.sizes.len() as u64 || index > bounds.span_max {
            return false;
        }
        self.sizes.resize(index as usize, 0);
        self.sizes.push_back(size);
        self.count += 1;
        self.bytes += u64::from(size);
        true
    }

    /// Ends restoring: the places after the newest row that were given and are gone.
    fn restored(&mut self) {
        let gone = self.settled.last_seq.saturating_sub(self.last_seq());
        if self.sizes.is_empty() {
            self.before += gone;
        } else {
            self.sizes.resize(self.sizes.len() + gone as usize, 0);
        }
    }

    /// The last place that was given; 0 = none yet.
    pub(crate) fn last_seq(&self) -> u64 {
        self.before + self.sizes.len() as u64
    }

    /// Gives the next place to a row of so many bytes.
    pub(crate) fn push(&mut self, size: u32) -> u64 {
        self.sizes.push_back(size);
        self.count += 1;
        self.bytes += u64::from(size);
        self.last_seq()
    }

    /// Drops the oldest place when a bound is exceeded, but never the only one.
    pub(crate) fn drop_excess(&mut self, bounds: QueueBounds) -> Option<u64> {
        let excess = self.count > bounds.count_max
            || self.bytes > bounds.bytes_max
            || self.sizes.len() as u64 > bounds.span_max;
        if !excess || self.count <= 1 {
            return None;
        }
        let oldest = self.before + 1;
        self.remove(oldest);
        Some(oldest)
    }

    /// The oldest places that were never sent and make way for another one, where so many may be taken in all.
    pub(crate) fn unsent_excess(&self, count_max: usize) -> Vec<u64> {
        let sent_count = self.sent_seq.saturating_sub(self.before).min(self.sizes.len() as u64);
        let first = self.before + sent_count + 1;
        let unsent = (first..).zip(self.sizes.range(sent_count as usize..)).filter(|(_, size)| **size != 0);
        let excess = (unsent.clone().count() + 1).saturating_sub(count_max);
        unsent.take(excess).map(|(seq, _)| seq).collect()
    }

    fn size(&mut self, seq: u64) -> Option<&mut u32> {
        let index = usize::try_from(seq.checked_sub(self.before + 1)?).ok()?;
        self.sizes.get_mut(index).filter(|it| **it != 0)
    }

    /// Frees a place. `false` when it was not taken.
    pub(crate) fn remove(&mut self, seq: u64) -> bool {
        let Some(size) = self.size(seq).map(std::mem::take) else { return false };
        self.count -= 1;
        self.bytes -= u64::from(size);
        while self.sizes.front() == Some(&0) {
            self.sizes.pop_front();
            self.before += 1;
        }
        if self.sizes.is_empty() {
            self.sizes.shrink_to(SPARE_COUNT);
        }
        true
    }

    /// Changes the size of a taken place. `false` when it is not taken.
    pub(crate) fn resize(&mut self, seq: u64, size: u32) -> bool {
        let Some(old) = self.size(seq) else { return false };
        let old = std::mem::replace(old, size);
        self.bytes = self.bytes - u64::from(old) + u64::from(size);
        true
    }

    /// Notes that everything up to `seq` has been sent.
    pub(crate) fn sent(&mut self, seq: u64) {
        self.sent_seq = self.sent_seq.max(seq.min(self.last_seq()));
    }

    /// The places that are taken, oldest first.
    pub(crate) fn taken(&self) -> impl Iterator<Item = u64> {
        (self.before + 1..).zip(&self.sizes).filter(|(_, size)| **size != 0).map(|(seq, _)| seq)
    }

    /// The marks that must be stored, if any.
    fn unsettled(&self) -> Option<Marks> {
        let newest_gone = self.sizes.back().is_none_or(|it| *it == 0);
        let last_unknown = newest_gone && self.settled.last_seq < self.last_seq();
        (last_unknown || self.settled.sent_seq < self.sent_seq).then(|| Marks {
            sent_seq: self.sent_seq,
            last_seq: self.last_seq(),
            first_seq: self.before + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: QueueBounds = QueueBounds { count_max: 3, bytes_max: 100, span_max: 10 };

    fn places(queue: &Queue) -> Vec<u64> {
        queue.taken().collect()
    }

    #[test]
    fn places_grow_by_one_and_are_freed_in_any_order() {
        let mut queue = Queue::default();
        assert_eq!([queue.push(10), queue.push(10), queue.push(10)], [1, 2, 3]);
        assert!(queue.remove(2) && !queue.remove(2) && !queue.remove(9) && !queue.remove(0));
        assert_eq!(places(&queue), [1, 3]);
        assert!(queue.remove(1) && queue.remove(3));
        assert_eq!((queue.push(10), queue.count, queue.bytes), (4, 1, 10));
    }

    #[test]
    fn each_bound_drops_the_oldest() {
        let mut queue = Queue::default();
        for _ in 0..4 {
            queue.push(10);
        }
        assert_eq!((queue.drop_excess(BOUNDS), queue.drop_excess(BOUNDS)), (Some(1), None), "count");
        queue.push(90);
        assert_eq!(
            (queue.drop_excess(BOUNDS), queue.drop_excess(BOUNDS)),
            (Some(2), Some(3)),
            "count, bytes"
        );
        assert_eq!(queue.drop_excess(BOUNDS), None);

        let mut queue = Queue::default();
        queue.push(1);
        for _ in 0..9 {
            let seq = queue.push(1);
            queue.remove(seq);
        }
        assert_eq!(queue.drop_excess(BOUNDS), None);
        queue.push(1);
        assert_eq!((queue.drop_excess(BOUNDS), queue.drop_excess(BOUNDS)), (Some(1), None), "span");
        assert_eq!(places(&queue), [11]);
    }

    #[test]
    fn what_was_never_sent_makes_way_oldest_first() {
        let mut queue = Queue::default();
        assert_eq!(queue.unsent_excess(1), []);
        for _ in 0..6 {
            queue.push(10);
        }
        queue.remove(4);
        assert_eq!((queue.unsent_excess(6), queue.unsent_excess(5)), (vec![], vec![1]));
        queue.sent(2);
        assert_eq!((queue.unsent_excess(4), queue.unsent_excess(2)), (vec![], vec![3, 5]));
        queue.remove(1);
        assert_eq!(queue.unsent_excess(1), [3, 5, 6]);
        queue.sent(6);
        assert_eq!(queue.unsent_excess(1), []);
    }

    #[test]
    fn a_message_larger_than_the_bound_is_kept_alone() {
        let mut queue = Queue::default();
        queue.push(1_000);
        assert_eq!(queue.drop_excess(BOUNDS), None);
    }

    #[test]
    fn marks_are_stored_when_the_newest_row_goes_or_more_was_sent() {
        let mut queue = Queue::default();
        queue.push(10);
        queue.push(10);
        queue.remove(1);
        assert_eq!(queue.unsettled(), None, "place 2 tells");
        queue.remove(2);
        assert_eq!(queue.unsettled(), Some(Marks { sent_seq: 0, last_seq: 2, first_seq: 3 }));
        queue.sent(9);
        assert_eq!(
            queue.unsettled(),
            Some(Marks { sent_seq: 2, last_seq: 2, first_seq: 3 }),
            "not more than was given"
        );
    }

    #[test]
    fn a_restored_queue_goes_on_where_it_was() {
        let mut queue = Queue::default();
        queue.restore_marks(Marks { sent_seq: 4, last_seq: 7, first_seq: 1 });
        assert!(queue.restore(3, 5, BOUNDS) && queue.restore(5, 5, BOUNDS) && !queue.restore(5, 5, BOUNDS));
        assert!(!queue.restore(99, 5, BOUNDS), "too far away to be right");
        queue.restored();
        assert_eq!((places(&queue), queue.push(5)), (vec![3, 5], 8));

        let mut queue = Queue::default();
        queue.restore_marks(Marks { sent_seq: 4, last_seq: 7, first_seq: 1 });
        queue.restored();
        assert_eq!(queue.push(5), 8);

        let mut queue = Queue::default();
        queue.restore_marks(Marks { sent_seq: 1, last_seq: 1, first_seq: 1 });
        assert!(queue.restore(2, 5, BOUNDS));
        queue.restored();
        assert_eq!(queue.push(5), 3);
    }
}
