//! The memory engine on a disk that loses what was not synced.

use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;

use super::random::Random;
use super::{BOUNDS, History, Model, each_seed};
use crate::disk::{Disk, Each};
use crate::engine;
use crate::memory::{MemoryDisk, Platter};
use crate::rows::Rows;
use crate::schema::{Keys, Table};
use crate::{Store, StoreFault};

/// A disk whose power goes after so many groups: of the next one it keeps all or nothing, and reports a failure.
struct Cut {
    platter: Arc<Platter>,
    below: MemoryDisk,
    left: Mutex<Left>,
}

struct Left {
    groups: u64,
    keeps_last: bool,
}

impl Disk for Cut {
    fn apply(&self, rows: &Rows) -> Result<(), String> {
        let mut left = self.left.lock();
        match left.groups.checked_sub(1) {
            Some(groups) => {
                left.groups = groups;
                self.platter.apply(rows);
                Ok(())
            }
            None => {
                if std::mem::take(&mut left.keeps_last) {
                    self.platter.apply(rows);
                }
                Err("the power went".to_owned())
            }
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        self.below.get(table, key)
    }

    fn scan(&self, table: Table, keys: &Keys, each: Each<'_>) -> Result<(), StoreFault> {
        self.below.scan(table, keys, &mut |key, value| {
            let flow: ControlFlow<()> = each(key, value)?;
            Ok(flow)
        })
    }

    fn close(&self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_memory() {
    each_seed(|seed| {
        let mut random = Random::new(seed);
        let platter = Arc::<Platter>::default();
        let mut state = Model::default();
        for _ in 0..4 {
            state = until_the_power_goes(&platter, state, &mut random, seed);
        }
    });
}

/// Stores random changes until the power goes; gives the state that survived.
fn until_the_power_goes(platter: &Arc<Platter>, state: Model, random: &mut Random, seed: u64) -> Model {
    let left = Left { groups: 1 + random.below(30), keeps_last: random.below(2) == 1 };
    let below = MemoryDisk::on(platter.clone(), BOUNDS);
    let disk = Cut { platter: platter.clone(), below, left: Mutex::new(left) };
    let store = engine::start(disk, BOUNDS).unwrap();
    let mut history = History::new(state);
    loop {
        let burst = 1 + random.below(3);
        let last = (0..burst).map(|_| history.hand_in(&store, random)).last().unwrap();
        if store.wait(last).is_err() {
            break;
        }
        history.acknowledge();
    }
    drop(store);
    let store = engine::start(MemoryDisk::on(platter.clone(), BOUNDS), BOUNDS).unwrap();
    let state = history.survivor(&store, seed);
    store.close().unwrap();
    state
}
