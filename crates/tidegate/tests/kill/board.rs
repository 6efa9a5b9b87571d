//! What the clients of a run count together, and how they wait for each other.

use std::fmt;

use sim::Fault;
use tokio::sync::watch;

/// Messages that are acknowledged to their publisher and have not come to their receiver: publishing pauses there,
/// well below the bound of a queue, which would drop the oldest.
pub(crate) const BACKLOG_COUNT_MAX: u64 = 2_000;

/// The three kinds of messages, each with its promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Events of gateways and their children at QoS 1: in the history once acknowledged.
    Events,
    /// Commands at QoS 1 for a gateway that is mostly away: they come at least once.
    Commands,
    /// Commands at QoS 2: they come once.
    ExactlyOnce,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everybody publishes and receives as fast as they can.
    #[default]
    Load,
    /// The server is being killed: connections break.
    Killing,
    /// What was published is brought to its end, and nothing more is published.
    Finish,
}

/// What all clients know of each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The first thing that went wrong.
    pub(crate) failure: Option<String>,
    acknowledged: [u64; 3],
    arrived: [u64; 3],
}

/// The state, and who waits for what in it.
#[derive(Default)]
pub(crate) struct Board(watch::Sender<State>);

impl State {
    /// Messages whose publisher has the last acknowledgement.
    pub(crate) fn acknowledged(&self, stream: Stream) -> u64 {
        self.acknowledged[stream as usize]
    }

    /// Messages that have come to their receiver, copies not counted.
    pub(crate) fn arrived(&self, stream: Stream) -> u64 {
        self.arrived[stream as usize]
    }

    /// Acknowledged messages that wait for their receiver. Events have no receiver.
    pub(crate) fn backlog(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Events => 0,
            stream => self.acknowledged(stream).saturating_sub(self.arrived(stream)),
        }
    }
}

impl Board {
    pub(crate) fn state(&self) -> State {
        self.0.borrow().clone()
    }

    /// Waits until the state is as wanted.
    pub(crate) async fn wait_for(&self, wanted: impl FnMut(&State) -> bool) -> State {
        // The sender is our own, so that waiting cannot fail.
        self.0.subscribe().wait_for(wanted).await.unwrap().clone()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_modify(|it| it.phase = phase);
    }

    pub(crate) fn note_acknowledged(&self, stream: Stream) {
        self.0.send_modify(|it| it.acknowledged[stream as usize] += 1);
    }

    pub(crate) fn note_arrived(&self, stream: Stream) {
        self.0.send_modify(|it| it.arrived[stream as usize] += 1);
    }

    /// Something went wrong.
    pub(crate) fn fail(&self, who: &str, what: impl fmt::Display) {
        self.0.send_modify(|it| {
            it.failure.get_or_insert_with(|| format!("{who}: {what}"));
        });
    }

    /// A client lost its connection, which is a failure unless the server was killed.
    pub(crate) fn note_lost(&self, who: &str, fault: &Fault) {
        let broken = matches!(fault, Fault::Io(_) | Fault::Closed);
        if !(broken && self.state().phase == Phase::Killing) {
            self.fail(who, fault);
        }
    }
}
