//! The store that keeps its rows in memory: for tests, here and in the crates above, and for trying things out.
//!
//! It passes the same contract as the engines with a disk, restarts included: [`MemoryStore::restart`] opens the rows
//! that were stored, as a process started again would find them. Tests can hold commits back and make a sync fail.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::Order;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::StoreFault;
use crate::disk::{Disk, Each};
use crate::engine::{self, Engine};
use crate::limits::Bounds;
use crate::rows::Rows;
use crate::schema::{Keys, Table};

/// Opens a store that holds nothing.
pub fn open() -> Result<MemoryStore, StoreFault> {
    start(Arc::default(), Bounds::default())
}

/// A store in memory, with the hooks that tests need.
pub type MemoryStore = Engine<MemoryDisk>;

pub(crate) fn start(platter: Arc<Platter>, bounds: Bounds) -> Result<MemoryStore, StoreFault> {
    engine::start(MemoryDisk::on(platter, bounds), bounds)
}

impl MemoryStore {
    /// Makes the committer wait, before it stores the next group, until the guard is dropped.
    #[must_use]
    pub fn hold(&self) -> Hold {
        let brake = self.disk().brake.clone();
        brake.state.lock().holds += 1;
        Hold(brake)
    }

    /// Makes the next sync fail: nothing of its group is stored, and the store is poisoned.
    pub fn fail_next_sync(&self) {
        self.disk().brake.state.lock().fail_next = true;
    }

    /// Ends this store as a killed process would, and opens what was stored. Changes that were handed in and not
    /// stored are lost.
    pub fn restart(self) -> Result<MemoryStore, StoreFault> {
        let MemoryDisk { platter, bounds, brake } = self.disk();
        brake.state.lock().killed = true;
        brake.changed.notify_all();
        let (platter, bounds) = (platter.clone(), *bounds);
        drop(self);
        start(platter, bounds)
    }
}

/// While it lives, nothing is stored.
pub struct Hold(Arc<Brake>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state.lock().holds -= 1;
        self.0.changed.notify_all();
    }
}

/// What tests do to the committer.
#[derive(Default)]
struct Brake {
    state: Mutex<BrakeState>,
    changed: Condvar,
}

#[derive(Default)]
struct BrakeState {
    holds: usize,
    fail_next: bool,
    killed: bool,
}

impl Brake {
    fn pass(&self) -> Result<(), String> {
        let mut state = self.state.lock();
        while state.holds > 0 && !state.killed {
            self.changed.wait(&mut state);
        }
        if state.killed {
            return Err("it was killed".to_owned());
        }
        if std::mem::take(&mut state.fail_next) {
            return Err("a test made the sync fail".to_owned());
        }
        Ok(())
    }
}

type Tree = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// The rows that are "on disk".
#[derive(Default)]
pub(crate) struct Platter {
    trees: RwLock<[Tree; Table::ALL.len()]>,
}

impl Platter {
    /// Applies rows as one.
    pub(crate) fn apply(&self, rows: &Rows) {
        let mut trees = self.trees.write();
        for row in rows.iter() {
            let tree = &mut trees[row.table.index()];
            match row.value {
                Some(value) => _ = tree.insert(row.key.into(), value.into()),
                None => _ = tree.remove(row.key),
            }
        }
    }
}

/// Rows in memory, with the hooks of one opening.
pub struct MemoryDisk {
    platter: Arc<Platter>,
    bounds: Bounds,
    brake: Arc<Brake>,
}

impl MemoryDisk {
    /// What is on the platter, with hooks of its own.
    pub(crate) fn on(platter: Arc<Platter>, bounds: Bounds) -> MemoryDisk {
        MemoryDisk { platter, bounds, brake: Arc::default() }
    }
}

impl Disk for MemoryDisk {
    fn apply(&self, rows: &Rows) -> Result<(), String> {
        self.brake.pass()?;
        self.platter.apply(rows);
        Ok(())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        Ok(self.platter.trees.read()[table.index()].get(key).map(|it| it.to_vec()))
    }

    fn scan(&self, table: Table, keys: &Keys, each: Each<'_>) -> Result<(), StoreFault> {
        let trees = self.platter.trees.read();
        let mut rows = trees[table.index()].range::<[u8], _>(keys.bounds());
        let mut next = || match keys.order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        };
        while let Some((key, value)) = next() {
            if each(key, value)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn close(&self) -> Result<(), String> {
        Ok(())
    }
}
