//! A gateway with a durable session that receives commands, goes away and comes back.
//!
//! It subscribes once, before the first kill, and never again.

use std::collections::HashMap;
use std::time::Duration;

use mqtt::packet::{Disconnect, Packet};
use mqtt::{QoS, Reason};
use serde_json::Value;
use sim::{Client, Event, Fault, Message, Options, Session};
use tokio::time::timeout;

use crate::board::{BACKLOG_COUNT_MAX, Phase, Stream};
use crate::random::Random;
use crate::round::Visit;

/// A receiver and the account of what came.
pub(crate) struct Receiver {
    pub(crate) name: String,
    pub(crate) stream: Stream,
    /// What came, in order: for each publisher the numbers of its messages.
    pub(crate) arrivals: HashMap<String, Arrivals>,
    options: Options,
    session: Session,
    random: Random,
    habit: Habit,
}

/// What came from one publisher.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Numbers, in the order in which they came first.
    pub(crate) firsts: Vec<usize>,
    /// Numbers that had come before.
    pub(crate) copies: Vec<usize>,
    seen: Vec<bool>,
    /// The message that ends the stream has come.
    ended: bool,
}

/// How long it stays and how long it is away, in messages; the numbers are bounds of random ones.
#[derive(Clone, Copy)]
pub(crate) struct Habit {
    pub(crate) stay_count_max: u64,
    pub(crate) away_count_max: u64,
}

/// Why a stay ended.
enum Left {
    /// It went away by itself.
    Away,
    /// Every publisher's last message has come.
    Done,
}

impl Receiver {
    pub(crate) fn new(
        name: &str,
        stream: Stream,
        publishers: &[&str],
        options: Options,
        habit: Habit,
        random: Random,
    ) -> Receiver {
        Receiver {
            name: name.to_owned(),
            stream,
            arrivals: publishers.iter().map(|it| ((*it).to_owned(), Arrivals::default())).collect(),
            options,
            session: Session::default(),
            random,
            habit,
        }
    }

    /// Connects for the first time and subscribes.
    pub(crate) async fn subscribe(&mut self, visit: &Visit, filters: &[(&str, QoS)]) {
        let mut client = Client::connect(visit.address, self.options.clone()).await.unwrap();
        let codes = client.subscribe(filters).await.unwrap();
        assert_eq!(codes, filters.iter().map(|it| it.1 as u8).collect::<Vec<_>>(), "{}", self.name);
        self.session = client.crash();
    }

    /// Receives until the connection breaks, or until everything has come in the last phase.
    pub(crate) async fn run(mut self, visit: Visit) -> Receiver {
        if let Err(fault) = self.come_and_go(&visit).await {
            visit.board.note_lost(&self.name, &fault);
        }
        self
    }

    async fn come_and_go(&mut self, visit: &Visit) -> Result<(), Fault> {
        // A round may begin without it, so that the server has to keep what it had not seen before the kill.
        let mut away = self.random.once_in(2);
        loop {
            if away && !self.stay_away(visit).await {
                return Ok(());
            }
            away = true;
            let mut client =
                Client::resume(visit.address, self.options.clone(), self.session.clone()).await?;
            if !client.session_present() {
                visit.board.fail(&self.name, "the durable session is gone");
            }
            let mut outcome = self.receive(&mut client, visit).await;
            // What has come may be read as well as not; what was read and put down must not be left unsaid.
            while let Ok(Ok(event)) = timeout(Duration::ZERO, client.next_event()).await {
                self.note(event, visit);
            }
            if outcome.is_ok() && self.random.once_in(2) {
                let goodbye = Packet::Disconnect(Disconnect::with(Reason::SUCCESS));
                outcome = client.send_packet(&goodbye).await.and(outcome);
            }
            self.session = client.crash();
            if matches!(outcome?, Left::Done) {
                return Ok(());
            }
        }
    }

    /// Stays away until some more messages wait. False when the server was killed meanwhile.
    async fn stay_away(&mut self, visit: &Visit) -> bool {
        let state = visit.board.state();
        // Whoever publishes pauses at the bound, and would wait for ever for somebody who waits for more.
        if state.backlog(self.stream) < BACKLOG_COUNT_MAX / 2 {
            let count = state.acknowledged(self.stream) + self.random.below(self.habit.away_count_max);
            let stream = self.stream;
            visit.board.wait_for(|it| it.phase != Phase::Load || it.acknowledged(stream) >= count).await;
        }
        visit.board.state().phase != Phase::Killing
    }

    async fn receive(&mut self, client: &mut Client, visit: &Visit) -> Result<Left, Fault> {
        let mut stay_count = 1 + self.random.below(self.habit.stay_count_max);
        loop {
            let phase = visit.board.state().phase;
            if phase == Phase::Finish && self.arrivals.values().all(|it| it.ended) {
                return Ok(Left::Done);
            }
            if phase == Phase::Load && stay_count == 0 {
                return Ok(Left::Away);
            }
            let event = client.next_event().await?;
            self.note(event, visit);
            stay_count = stay_count.saturating_sub(1);
        }
    }

    fn note(&mut self, event: Event, visit: &Visit) {
        let Event::Message(message) = event else {
            return visit.board.fail(&self.name, format!("heard {event:?}"));
        };
        let Some((from, number, last)) = read(&message) else {
            return visit.board.fail(&self.name, format!("cannot read {message:?}"));
        };
        let Some(arrivals) = self.arrivals.get_mut(&from) else {
            return visit.board.fail(&self.name, format!("{from} does not publish for it"));
        };
        if arrivals.note(number) {
            visit.board.note_arrived(self.stream);
        }
        arrivals.ended |= last;
    }
}

impl Arrivals {
    /// Writes a message down. True when it came for the first time.
    fn note(&mut self, number: usize) -> bool {
        self.seen.resize(self.seen.len().max(number + 1), false);
        let first = !std::mem::replace(&mut self.seen[number], true);
        if first {
            self.firsts.push(number);
        } else {
            self.copies.push(number);
        }
        first
    }
}

/// Who published it, its number, and whether it is the publisher's last.
fn read(message: &Message) -> Option<(String, usize, bool)> {
    let payload: Value = serde_json::from_slice(&message.payload).ok()?;
    let number = usize::try_from(payload["n"].as_u64()?).ok()?;
    Some((payload["from"].as_str()?.to_owned(), number, payload["last"].as_bool()?))
}
