//! Load: many MQTT connections on one thread, aimed at any server, and what it costs that server to serve them.
//!
//! [`run`] does what a [`Plan`] says to a [`Target`] and returns the [`Outcome`]; `tidegate bench` is its face.
//! Messages are encoded once and then repeated in large writes; what comes back is counted by its headers. So the
//! generator is cheaper for each message than any server, and one thread of it is enough.
//!
//! Nothing here knows what kind of server it talks to: who clients say they are and which topics they use are
//! [`Template`]s. This is the only part of the crate that reads clocks and `/proc`.

mod feed;
mod histogram;
pub mod limits;
mod link;
mod outcome;
mod pace;
mod payload;
mod plan;
mod process;
mod swarm;
mod telemetry;
mod template;
mod traffic;
mod upload;
mod walker;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mqtt::codec::Violation;

pub use histogram::Histogram;
pub use outcome::{Outcome, median};
pub use plan::{Content, Identity, Length, Names, Plan, Sessions, Target, Workload};
pub use template::{Template, UnknownPlaceholder};

use limits::{HANDSHAKES_COUNT, MEMORY_CALM_MS, MEMORY_WAIT_MS_MAX};
use outcome::Clocks;
use swarm::{Client, OnRefusal, Role, Swarm};
use traffic::Traffic;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A number in the plan that cannot be done.
    #[error("{what} has to be from {least} to {most}")]
    OutOfBounds {
        /// Which number.
        what: &'static str,
        /// The least it may be.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Messages of QoS 0 without a receiver leave no trace.
    #[error("ingest counts acknowledgements: it needs QoS 1 or 2")]
    NothingToCount,
    /// The process may not have as many sockets.
    #[error("{wanted} open files are needed and {allowed} are allowed: see `ulimit -Hn`")]
    OpenFiles {
        /// How many.
        wanted: u64,
        /// The limit of the operating system.
        allowed: u64,
    },
    /// There is no socket to be had, or no way to the server.
    #[error("cannot connect to {addr}: {source}")]
    Connect {
        /// The server.
        addr: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// A connection failed.
    #[error("connection {connection}: {source}")]
    Connection {
        /// Its number.
        connection: usize,
        /// What the operating system says.
        source: io::Error,
    },
    /// The server has closed a connection.
    #[error("the server closed connection {connection}")]
    Closed {
        /// Its number.
        connection: usize,
    },
    /// The server refused a client or told it to go.
    #[error("the server refused with code {code} ({code:#04x})")]
    Refused {
        /// Of CONNACK or DISCONNECT.
        code: u8,
    },
    /// The server refused a subscription.
    #[error("the server refused the subscription with code {code} ({code:#04x})")]
    NotSubscribed {
        /// Of SUBACK.
        code: u8,
    },
    /// What happened to whom.
    #[error("{client_id}: {fault}")]
    Client {
        /// The client.
        client_id: String,
        /// What happened.
        fault: Box<Fault>,
    },
    /// The server sent a packet that breaks a rule.
    #[error("{0}")]
    Violation(Violation),
    /// The server sent what is no packet at all.
    #[error("the server does not speak MQTT")]
    NotMqtt,
    /// Nothing happens any more.
    #[error("no {what} for {seconds} seconds")]
    Stalled {
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The server's process cannot be asked.
    #[error("cannot read about process {pid}: {source}")]
    Process {
        /// The process.
        pid: u32,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file of `/proc` that looks as none should.
    #[error("{path} is not understood")]
    Unreadable {
        /// Which.
        path: String,
    },
    /// The operating system cannot wait for sockets.
    #[error("cannot wait for connections: {0}")]
    Poll(io::Error),
}

impl Fault {
    /// The same fault with the name of the client that it happened to.
    fn of_client(self, client_id: &str) -> Fault {
        match self {
            Fault::Client { .. } => self,
            other => Fault::Client { client_id: client_id.to_owned(), fault: Box::new(other) },
        }
    }
}

/// Does what the plan says to the target. Blocks until it is done, and keeps one processor busy meanwhile.
///
/// # Errors
///
/// A plan that cannot be done, a server that cannot be reached or refuses, or a process that cannot be asked. In a
/// storm, clients that are refused are counted instead.
pub fn run(plan: &Plan, target: Target) -> Result<Outcome, Fault> {
    plan.check()?;
    match plan.workload {
        Workload::Idle => idle(plan, target),
        Workload::Storm => storm(plan, target),
        _ if plan.sessions == Sessions::Durable => {
            // What an earlier run has left would be delivered first, and what this one leaves would be kept.
            forget_sessions(plan, target)?;
            let outcome = traffic(plan, target);
            forget_sessions(plan, target)?;
            outcome
        }
        _ => traffic(plan, target),
    }
}

fn traffic(plan: &Plan, target: Target) -> Result<Outcome, Fault> {
    let mut swarm = Swarm::new()?;
    swarm.open(plan, target.addr, &clients(plan), HANDSHAKES_COUNT, OnRefusal::GiveUp)?;
    Traffic::new(plan, target, swarm)?.run()
}

/// Publishers first, as [`Traffic`] expects them. All subscribe before anybody publishes.
fn clients(plan: &Plan) -> Vec<Client> {
    let (publishers, subscribers) = plan.shares();
    let publishers = (0..publishers).map(|n| (Role::Publisher, n));
    publishers.chain((0..subscribers).map(|n| (Role::Subscriber, n))).collect()
}

fn forget_sessions(plan: &Plan, target: Target) -> Result<(), Fault> {
    let (_, subscribers) = plan.shares();
    let clients: Vec<Client> = (0..subscribers).map(|n| (Role::Forgetter, n)).collect();
    let mut swarm = Swarm::new()?;
    swarm.open(plan, target.addr, &clients, HANDSHAKES_COUNT, OnRefusal::GiveUp)?;
    swarm.close();
    Ok(())
}

fn storm(plan: &Plan, target: Target) -> Result<Outcome, Fault> {
    let mut swarm = Swarm::new()?;
    let before = Clocks::read(target, swarm.now_ns())?;
    let opened = swarm.open(plan, target.addr, &clients(plan), plan.window, OnRefusal::Count)?;
    let spent = Clocks::read(target, swarm.now_ns())?.since(&before);
    swarm.close();
    Ok(Outcome {
        counted: opened.accepted,
        failed: opened.failed,
        latency: opened.latency,
        ..Outcome::new(plan.workload, spent)
    })
}

fn idle(plan: &Plan, target: Target) -> Result<Outcome, Fault> {
    let mut swarm = Swarm::new()?;
    let bytes_before = target.pid.map(process::resident_bytes).transpose()?;
    let before = Clocks::read(target, swarm.now_ns())?;
    let opened = swarm.open(plan, target.addr, &clients(plan), HANDSHAKES_COUNT, OnRefusal::GiveUp)?;
    let spent = Clocks::read(target, swarm.now_ns())?.since(&before);
    let bytes = target.pid.map(|pid| calm_resident_bytes(pid, &mut swarm)).transpose()?;
    swarm.close();
    let grown = bytes.zip(bytes_before).map(|(after, before)| after.saturating_sub(before) as f64);
    Ok(Outcome {
        counted: opened.accepted,
        latency: opened.latency,
        bytes_per_connection: grown.map(|it| it / opened.accepted as f64),
        ..Outcome::new(plan.workload, spent)
    })
}

/// Resident memory of the server once it has stopped changing: some of it is only lent while clients connect.
fn calm_resident_bytes(pid: u32, swarm: &mut Swarm) -> Result<u64, Fault> {
    let (mut bytes, mut waited_ms, mut ready) = (process::resident_bytes(pid)?, 0, Vec::new());
    while waited_ms < MEMORY_WAIT_MS_MAX {
        let until_ns = swarm.now_ns() + MEMORY_CALM_MS * 1_000_000;
        while swarm.now_ns() < until_ns {
            swarm.wait(&mut ready, Duration::from_millis(MEMORY_CALM_MS))?;
        }
        waited_ms += MEMORY_CALM_MS;
        let now = process::resident_bytes(pid)?;
        if now == bytes {
            break;
        }
        bytes = now;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
