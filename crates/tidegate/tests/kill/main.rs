//! `kill -9` in the middle of load: nothing that was acknowledged may be missing afterwards.
//!
//! The real binary runs on one data folder; several clients publish and receive as fast as they can; at a random moment
//! the server is killed, started again, and the clients resume the sessions they had. After the last round everything
//! under way is brought to its end, the server is killed once more, and the data are read as the kill left them:
//!
//! * every event whose PUBACK came is in the history of its device, in order, and the device is registered;
//! * every command at QoS 1 whose PUBACK came reached the gateway that was mostly away, in order;
//! * every command at QoS 2 reached its gateway, in order, and only once;
//! * durable sessions were present after each start, and nobody had to subscribe again.
//!
//! `TIDEGATE_KILL_ROUNDS` says how many rounds (`cargo xtask kill --rounds 20`), `TIDEGATE_KILL_SEED` repeats the
//! choices of an earlier run, though not the timing of the machine. A failed run keeps its data folder.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod board;
mod plant;
mod publisher;
mod random;
mod receiver;
mod round;
mod server;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use board::Board;
use plant::{Key, Plant, furnish, registered_sensors};
use random::Random;
use round::{Killed, Visit, finish_and_kill, load_and_kill};
use server::{Folder, Server};
use verdict::{Verdict, verdict};

/// Rounds where nobody says how many.
const ROUNDS: u32 = 5;
/// Once in so many rounds the server is killed already while it starts.
const ROUNDS_PER_KILLED_START: u64 = 3;
/// So long after the beginning of such a start.
const KILLED_START_US_MAX: u64 = 80_000;
/// Faults that are shown.
const FAULTS_SHOWN_MAX: usize = 25;

/// A run: the folder, everybody's account, and what was seen on the way.
struct Run {
    folder: Folder,
    random: Random,
    board: Arc<Board>,
    rounds: u32,
    kills: Vec<Killed>,
    killed_start_count: u32,
    slowest_start: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let setting = |name: &str| std::env::var(name).ok().map(|it| it.parse::<u64>().unwrap());
    let rounds = setting("TIDEGATE_KILL_ROUNDS").map_or(ROUNDS, |it| u32::try_from(it).unwrap());
    let seed = setting("TIDEGATE_KILL_SEED").unwrap_or_else(Random::any_seed);
    println!("{rounds} rounds with TIDEGATE_KILL_SEED={seed}");
    let started_at = Instant::now();
    let mut run = Run {
        folder: Folder::new(),
        random: Random::new(seed),
        board: Arc::default(),
        rounds,
        kills: Vec::new(),
        killed_start_count: 0,
        slowest_start: Duration::ZERO,
    };
    let key = furnish(&run.folder);
    let plant = run.all_rounds(&key).await;
    let found = verdict(&run.folder.data(), &plant);
    run.report(&found, started_at.elapsed());
    run.judge(found, seed);
}

impl Run {
    async fn all_rounds(&mut self, key: &Key) -> Plant {
        let mut server = self.start().await;
        let mut plant = Plant::new(key, &self.visit(&server, 0), &mut self.random).await;
        for round in 1..=self.rounds {
            let visit = self.visit(&server, round);
            let killed;
            (plant, killed) = load_and_kill(plant, server, &visit, &mut self.random).await;
            self.kills.push(killed);
            self.stop_at_failure();
            if self.random.once_in(ROUNDS_PER_KILLED_START) {
                let after = Duration::from_micros(self.random.below(KILLED_START_US_MAX));
                self.folder.start_and_kill(after).await;
                self.killed_start_count += 1;
            }
            server = self.start().await;
            self.compare_registry(&plant, round);
        }
        let visit = self.visit(&server, self.rounds + 1);
        finish_and_kill(plant, server, &visit).await
    }

    async fn start(&mut self) -> Server {
        let server = self.folder.start().await;
        self.slowest_start = self.slowest_start.max(server.started_within);
        server
    }

    fn visit(&self, server: &Server, round: u32) -> Visit {
        Visit { address: server.address, round, board: self.board.clone() }
    }

    /// Every sensor of which an event was acknowledged is registered.
    fn compare_registry(&self, plant: &Plant, round: u32) {
        let registered = registered_sensors(&self.folder);
        let acknowledged = plant.acknowledged_sensors();
        let missing: Vec<_> = acknowledged.difference(&registered).collect();
        assert!(missing.is_empty(), "after round {round} the registry has lost {missing:?}");
    }

    fn stop_at_failure(&self) {
        if let Some(failure) = self.board.state().failure {
            panic!("round {}: {failure}\n{}", self.kills.len(), self.folder.log_end());
        }
    }

    fn report(&self, found: &Verdict, took: Duration) {
        let Verdict { events, commands, exactly_once, .. } = found;
        let under_way: usize = self.kills.iter().map(|it| it.under_way_count).sum();
        let backlog: u64 = self.kills.iter().map(|it| it.backlog_count).sum();
        let average = |sum: u64| sum / u64::from(self.rounds.max(1));
        println!(
            "{} kills under load, {} while starting; {} messages under way and {} commands undelivered at a kill, on \
             average; slowest start {:?}; {:.1} s",
            self.kills.len(),
            self.killed_start_count,
            average(under_way as u64),
            average(backlog),
            self.slowest_start,
            took.as_secs_f32(),
        );
        println!("{} devices registered", found.device_count);
        for (name, it) in [("events", events), ("commands", commands), ("QoS 2 commands", exactly_once)] {
            println!(
                "{name}: {} published, {} acknowledged, {} copies",
                it.published, it.acknowledged, it.copies
            );
        }
    }

    /// The verdict, and whether there was anything to judge.
    fn judge(&self, found: Verdict, seed: u64) {
        let mut faults = found.faults;
        faults.splice(0..0, self.board.state().failure);
        let count = faults.len();
        faults.truncate(FAULTS_SHOWN_MAX);
        assert!(count == 0, "seed {seed}: {count} promises broken:\n  {}", faults.join("\n  "));
        let in_the_middle = self.kills.iter().filter(|it| it.under_way_count > 0).count();
        assert!(in_the_middle * 5 >= self.kills.len() * 4, "kills with messages under way: {in_the_middle}");
        let with_backlog = self.kills.iter().filter(|it| it.backlog_count > 0).count();
        // How many there are is the machine's business; that there are some is what makes the run worth anything.
        assert!(with_backlog * 5 >= self.kills.len(), "kills with commands in the queue: {with_backlog}");
    }
}
