//! Deleting points of a device, a bounded step at a time.
//!
//! A long history is not deleted with one change: each step takes as much as one group of the store is good for, and
//! other changes go on between them. Every step is there whole or not at all; whoever asked is answered after the last.

use std::collections::VecDeque;
use std::ops::Range;

use domain::{DeviceId, Millis, OrgId, Series};
use store::limits::DROP_ROWS_PER_STEP_MAX;
use store::{Change, Changes, Store, StoreFault, Ticket};

/// What becomes of the newest point of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestPoint {
    /// It is deleted if it is in the range.
    Deleted,
    /// It stays.
    Kept,
}

/// What of a deletion is left to do.
#[derive(Clone, Debug)]
pub struct Deletion {
    org: OrgId,
    device: DeviceId,
    /// Keys, and what of their points is to go; the first may be begun.
    left: VecDeque<(String, Range<Millis>)>,
    newest: NewestPoint,
}

impl Deletion {
    /// Of the points of these keys with a time in `range`.
    pub fn new(
        org: OrgId,
        device: DeviceId,
        keys: Vec<String>,
        range: Range<Millis>,
        newest: NewestPoint,
    ) -> Deletion {
        let left = keys.into_iter().map(|key| (key, range.clone())).collect();
        Deletion { org, device, left, newest }
    }

    /// Does the next part of it; `None` when all is done. Reads the disk: not for workers. The next step is due when
    /// the ticket is stored.
    pub fn step(&mut self, store: &dyn Store) -> Result<Option<Ticket>, StoreFault> {
        let (org, device) = (self.org, self.device);
        let (mut changes, mut rows_count) = (Changes::new(), 0);
        while rows_count < DROP_ROWS_PER_STEP_MAX && changes.list.len() < DROP_ROWS_PER_STEP_MAX {
            let Some((key, mut range)) = self.left.pop_front() else { break };
            if self.newest == NewestPoint::Kept {
                let mut newest_ms = range.end;
                store.latest(org, device, Some(&[&key]), &mut |_, at_ms, _| newest_ms = at_ms)?;
                range.end = range.end.min(newest_ms);
            }
            let step = store.drop_step(Series { org, device, key: &key }, range)?;
            rows_count += step.rows_count + 1;
            if let Some(rest) = step.rest {
                self.left.push_front((key.clone(), rest));
            }
            changes.push(Change::DropPoints { org, device, key, range: step.range });
        }
        Ok((!changes.is_empty()).then(|| store.commit(changes)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use domain::{Points, Value};
    use store::memory;

    use super::*;

    const COUNT: u64 = 2_500;

    fn put(store: &dyn Store, at_ms: impl Iterator<Item = u64>) {
        let (org, device) = (OrgId::parse("abc123").unwrap(), DeviceId(1));
        let mut changes = Changes::new();
        for at_ms in at_ms {
            let mut points = Points::new();
            ["a", "b", "c"].iter().for_each(|key| points.push(key, Value::I64(1)));
            changes.push(Change::Points { org, device, at_ms, points });
        }
        store.wait(store.commit(changes)).unwrap();
    }

    /// Deletes in steps; gives their count and the newest points that are left.
    fn after(keys: &[&str], range: Range<Millis>, newest: NewestPoint) -> (usize, Vec<(String, Millis)>) {
        let (org, device) = (OrgId::parse("abc123").unwrap(), DeviceId(1));
        let store = memory::open().unwrap();
        // In the second half first: the others are late, and each a row.
        put(&store, COUNT..COUNT + 200);
        put(&store, std::iter::once(2 * COUNT));
        put(&store, 0..COUNT);
        let keys = keys.iter().map(|it| (*it).to_owned()).collect();
        let mut deletion = Deletion::new(org, device, keys, range, newest);
        let mut steps = 0;
        while let Some(ticket) = deletion.step(&store).unwrap() {
            store.wait(ticket).unwrap();
            steps += 1;
        }
        let mut left = Vec::new();
        store.latest(org, device, None, &mut |key, at_ms, _| left.push((key.to_owned(), at_ms))).unwrap();
        (steps, left)
    }

    #[test]
    fn a_long_history_goes_in_several_steps() {
        let (steps, left) = after(&["a", "c", "none"], 0..u64::MAX, NewestPoint::Deleted);
        assert_eq!(left, [("b".to_owned(), 2 * COUNT)]);
        assert!(steps >= 2 * COUNT as usize / DROP_ROWS_PER_STEP_MAX, "{steps}");
        assert_eq!(after(&[], 0..u64::MAX, NewestPoint::Deleted).0, 0);
    }

    #[test]
    fn the_newest_can_be_kept() {
        let newest = |key: &str, at_ms| (key.to_owned(), at_ms);
        let all = [newest("a", 2 * COUNT), newest("b", 2 * COUNT), newest("c", 2 * COUNT)];
        assert_eq!(after(&["a", "b", "c"], 0..u64::MAX, NewestPoint::Kept).1, all);
        let (_, left) = after(&["a"], 100..2 * COUNT + 1, NewestPoint::Deleted);
        assert_eq!(left, [newest("a", 99), all[1].clone(), all[2].clone()]);
    }
}
