//! Power cuts, by the thousand.
//!
//! A seed decides what is stored, when the power goes and what the disk then still has of what was not synced. The
//! data are opened again and compared with a model: everything acknowledged is there, what was handed in together is
//! there whole or not at all and in order, nothing else has changed, and places of queues go on without being given
//! twice. Some seeds cut the power again.
//!
//! `cargo test -p store crash` runs 100 seeds; `TIDEGATE_CRASH_SEEDS=1000` in the environment runs as many, and
//! `TIDEGATE_CRASH_FROM=77` starts at another seed than 0, to see one again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod fjall;
mod memory;
mod model;
mod random;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{Bounds, EventBounds, PointBounds, QueueBounds};
use crate::{Changes, Store, Ticket};
use model::Model;
use random::Random;

/// Small enough that a few dozen changes reach them.
const BOUNDS: Bounds = Bounds {
    queue: QueueBounds { count_max: 6, bytes_max: 400, span_max: 12 },
    points: PointBounds {
        block_count: 4,
        block_bytes: 100,
        open_bytes_max: 3_000,
        tail_bytes_max: 700,
        tail_row_bytes: 60,
        keys_max: 1_000,
        load_each_max: 2,
    },
    events: EventBounds { bytes_max: 3_000, tail_bytes_max: 700, tail_row_bytes: 100 },
};

/// Runs a test for every seed, on all cores.
fn each_seed(test: fn(seed: u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|it| it.parse::<u64>().unwrap());
    let from = number("TIDEGATE_CRASH_FROM").unwrap_or(0);
    let to = from + number("TIDEGATE_CRASH_SEEDS").unwrap_or(100);
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    test(seed);
                }
            });
        }
    });
}

/// What was handed in, and what must be there after a power cut.
struct History {
    /// The state after everything acknowledged, then after each of the changes handed in since.
    states: Vec<Model>,
}

impl History {
    fn new(state: Model) -> History {
        History { states: vec![state] }
    }

    fn now(&self) -> &Model {
        &self.states[self.states.len() - 1]
    }

    /// Hands in random changes.
    fn hand_in(&mut self, store: &dyn Store, random: &mut Random) -> Ticket {
        let mut state = self.now().clone();
        let list = random.changes(&mut state);
        self.states.push(state);
        store.commit(Changes { list, waiter: None })
    }

    /// Everything handed in is acknowledged.
    fn acknowledge(&mut self) {
        self.states.drain(..self.states.len() - 1);
    }

    /// The state that survived. Panics when it is none of those that may have.
    fn survivor(self, store: &dyn Store, seed: u64) -> Model {
        let seen = model::seen(store, self.now().device_end());
        let expected: Vec<_> = self.states.iter().map(Model::expected).collect();
        let Some(index) = expected.iter().position(|it| *it == seen) else {
            let differences = expected.iter().map(|it| {
                let missing: Vec<_> = it.difference(&seen).collect();
                let surplus: Vec<_> = seen.difference(it).collect();
                format!("missing {missing:#?}\nsurplus {surplus:#?}\n")
            });
            panic!(
                "seed {seed}: after the power cut, compared with each state that may have survived:\n{}",
                differences.collect::<String>()
            );
        };
        let mut survivor = self.states.into_iter().nth(index).unwrap();
        survivor.forget_growing();
        survivor
    }
}
