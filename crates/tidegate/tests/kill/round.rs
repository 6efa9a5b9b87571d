//! One round: clients at work on a running server, and the moment it is killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::board::{Board, Phase, State, Stream};
use crate::plant::Plant;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::receiver::Receiver;
use crate::server::Server;

/// What has to be acknowledged in a round before the server may be killed.
const ACKNOWLEDGED_COUNT_MIN: [(Stream, u64); 3] =
    [(Stream::Events, 200), (Stream::Commands, 60), (Stream::ExactlyOnce, 30)];
/// QoS 2 messages that have to reach their receiver in a round.
const ARRIVED_COUNT_MIN: u64 = 20;
/// So many more events, at most, are acknowledged before the kill.
const EVENTS_MORE_MAX: u64 = 2_000;
/// The kill comes up to so much later than the last acknowledgement that was waited for.
const KILL_DELAY_US_MAX: u64 = 25_000;
/// A round that gets no further than this has stalled.
const STALL_MS_MAX: u64 = 60_000;

/// Where the clients find the server, and what they share.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) address: SocketAddr,
    pub(crate) round: u32,
    pub(crate) board: Arc<Board>,
}

/// What was seen at the moment of the kill.
pub(crate) struct Killed {
    /// Messages that were published and not acknowledged.
    pub(crate) under_way_count: usize,
    /// Acknowledged commands that their gateway did not have.
    pub(crate) backlog_count: u64,
}

/// Lets the clients loose on the server and kills it in the middle.
pub(crate) async fn load_and_kill(
    plant: Plant,
    server: Server,
    visit: &Visit,
    random: &mut Random,
) -> (Plant, Killed) {
    let board = &visit.board;
    let before = board.state();
    let events_more = random.below(EVENTS_MORE_MAX);
    let delay = Duration::from_micros(random.below(KILL_DELAY_US_MAX));
    board.enter(Phase::Load);
    let running = Running::start(plant, visit);
    let enough = board.wait_for(|it| it.failure.is_some() || is_enough(it, &before, events_more));
    if timeout(Duration::from_millis(STALL_MS_MAX), enough).await.is_err() {
        let (before, now) = (before, board.state());
        board.fail("round", format!("nothing moves: {before:?}, {STALL_MS_MAX} ms later {now:?}"));
    }
    // The moment of the kill, unless something goes wrong before it.
    timeout(delay, board.wait_for(|it| it.failure.is_some())).await.ok();
    let at_kill = board.state();
    board.enter(Phase::Killing);
    server.kill();
    let plant = running.join().await;
    let under_way_count = plant.publishers.iter().map(Publisher::under_way_count).sum();
    (plant, Killed { under_way_count, backlog_count: at_kill.backlog(Stream::Commands) })
}

fn is_enough(now: &State, before: &State, events_more: u64) -> bool {
    let acknowledged = |stream| now.acknowledged(stream) - before.acknowledged(stream);
    let arrived = now.arrived(Stream::ExactlyOnce) - before.arrived(Stream::ExactlyOnce);
    let enough = ACKNOWLEDGED_COUNT_MIN.iter().all(|(stream, count)| acknowledged(*stream) >= *count);
    enough && arrived >= ARRIVED_COUNT_MIN && acknowledged(Stream::Events) >= events_more
}

/// Brings everything that was published to its end, then kills the server for the last time. What does not come to an
/// end in time is left to the verdict, which knows what is missing.
pub(crate) async fn finish_and_kill(plant: Plant, server: Server, visit: &Visit) -> Plant {
    visit.board.enter(Phase::Finish);
    let mut running = Running::start(plant, visit);
    let done = timeout(Duration::from_millis(STALL_MS_MAX), running.wait()).await;
    if done.is_err() {
        visit.board.fail("finish", format!("not everything came to its end within {STALL_MS_MAX} ms"));
    }
    visit.board.enter(Phase::Killing);
    server.kill();
    running.join().await
}

/// Clients at work.
struct Running {
    publishers: JoinSet<Publisher>,
    receivers: JoinSet<Receiver>,
    back: Plant,
}

impl Running {
    fn start(plant: Plant, visit: &Visit) -> Running {
        let publishers = plant.publishers.into_iter().map(|it| it.run(visit.clone())).collect();
        let receivers = plant.receivers.into_iter().map(|it| it.run(visit.clone())).collect();
        Running { publishers, receivers, back: Plant::default() }
    }

    /// Waits until all clients are back. Can be given up and called again.
    async fn wait(&mut self) {
        while let Some(publisher) = self.publishers.join_next().await {
            self.back.publishers.push(publisher.unwrap());
        }
        while let Some(receiver) = self.receivers.join_next().await {
            self.back.receivers.push(receiver.unwrap());
        }
    }

    async fn join(mut self) -> Plant {
        self.wait().await;
        self.back
    }
}
