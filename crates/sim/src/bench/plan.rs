//! What is to be done to a server: the workload, its size, and who the connections say they are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mqtt::{QoS, Version};

use super::limits::{self, CONNECTIONS_PER_SOURCE, STORM_SOURCE_COUNT};
use super::telemetry::POINTS_PER_READING;
use super::upload::POINTS_PER_UPLOAD;
use super::{Fault, Template};

/// A shape of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// N publishers, N subscribers, a topic for each pair; a window of messages under way in each.
    Pair,
    /// N publishers, one subscriber that gets everything.
    FanIn,
    /// One publisher, N subscribers that each get everything.
    FanOut,
    /// N publishers and nobody who listens: counts acknowledgements.
    Ingest,
    /// N connections with a subscription each that do nothing.
    Idle,
    /// N clients connect as fast as they are let in, again and again.
    Storm,
    /// N publishers that send once a second each, and one subscriber. Open loop.
    Sparse,
    /// N pairs at a fixed rate, whether the server keeps up or not.
    Open,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 8] = [
        Workload::Pair,
        Workload::FanIn,
        Workload::FanOut,
        Workload::Ingest,
        Workload::Idle,
        Workload::Storm,
        Workload::Sparse,
        Workload::Open,
    ];

    /// The name that people type.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Pair => "pair",
            Workload::FanIn => "fan-in",
            Workload::FanOut => "fan-out",
            Workload::Ingest => "ingest",
            Workload::Idle => "idle",
            Workload::Storm => "storm",
            Workload::Sparse => "sparse",
            Workload::Open => "open",
        }
    }

    /// Whether messages are sent when they are due, rather than when earlier ones have arrived.
    pub fn is_open_loop(self) -> bool {
        matches!(self, Workload::Sparse | Workload::Open)
    }

    /// Publishers and subscribers among so many connections.
    pub(super) fn shares(self, connections: usize) -> (usize, usize) {
        match self {
            Workload::Pair | Workload::Open => (connections, connections),
            Workload::FanIn | Workload::Sparse => (connections, 1),
            Workload::FanOut => (1, connections),
            Workload::Ingest | Workload::Storm => (connections, 0),
            Workload::Idle => (0, connections),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A server to aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it listens for MQTT.
    pub addr: SocketAddr,
    /// Its process, where that runs on this machine: asked for CPU time and memory.
    pub pid: Option<u32>,
}

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// So many seconds, after a warm-up.
    Seconds(f64),
    /// Until so many messages (or connects) have been counted, without a warm-up.
    Messages(u64),
}

/// What the server keeps of the subscribers' sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// Nothing: they end with their connections.
    Clean,
    /// Everything, until the run is over.
    Durable,
}

/// Who a connection says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The client id.
    pub client_id: Template,
    /// The user name.
    pub user: Option<Template>,
    /// The password.
    pub password: Option<Template>,
}

/// What messages say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One event of so many bytes.
    Event {
        /// Bytes of each payload.
        bytes: usize,
    },
    /// Readings of devices behind a ThingsBoard gateway.
    Readings {
        /// Device `{child}` of publisher `{n}`: of [`Names::children`] each.
        device: Template,
        /// Devices in each message.
        per_message: usize,
    },
    /// An upload of a OneNET device: values of five streams.
    Upload,
}

impl Content {
    /// Points in each message, where that is what is counted.
    pub fn points_per_message(&self) -> Option<usize> {
        match self {
            Content::Event { .. } => None,
            Content::Readings { per_message, .. } => Some(per_message * POINTS_PER_READING),
            Content::Upload => Some(POINTS_PER_UPLOAD),
        }
    }
}

/// Identities and topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Who publishes; also who connects in a storm.
    pub publisher: Identity,
    /// Who subscribes.
    pub subscriber: Identity,
    /// Where publisher `{n}` publishes.
    pub topic: Template,
    /// What subscriber `{n}` subscribes to.
    pub filter: Template,
    /// Devices that each publisher speaks for, where the topic or the content has a `{child}`.
    pub children: usize,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The shape of the traffic.
    pub workload: Workload,
    /// The protocol's version.
    pub version: Version,
    /// Quality of publications and subscriptions.
    pub qos: QoS,
    /// What messages say.
    pub content: Content,
    /// Closed loop: messages under way per publisher. Open loop: the most of them. Storm: handshakes under way.
    pub window: usize,
    /// How many, by the workload's own way of counting.
    pub connections: usize,
    /// How long.
    pub length: Length,
    /// Messages a second of all publishers together, for open loops.
    pub rate_per_s: f64,
    /// Messages of an open loop that are due at the same moment.
    pub burst: usize,
    /// Loopback addresses that the connections come from; `None` for as many as they need.
    pub sources: Option<usize>,
    /// What the server keeps.
    pub sessions: Sessions,
    /// Who and where.
    pub names: Names,
}

impl Plan {
    /// Publishers and subscribers.
    pub(super) fn shares(&self) -> (usize, usize) {
        self.workload.shares(self.connections)
    }

    /// # Errors
    ///
    /// [`Fault::OutOfBounds`] for a number that the generator cannot do.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let content = match &self.content {
            Content::Event { bytes } => {
                ("payload", *bytes, limits::PAYLOAD_BYTES_MIN..=limits::PAYLOAD_BYTES_MAX)
            }
            Content::Readings { per_message, .. } => {
                let most = limits::READINGS_PER_MESSAGE_COUNT_MAX.min(self.names.children);
                ("devices per message", *per_message, 1..=most)
            }
            Content::Upload => ("values", POINTS_PER_UPLOAD, 1..=POINTS_PER_UPLOAD),
        };
        let checks = [
            ("connections", self.connections, 1..=limits::CONNECTION_COUNT_MAX),
            ("window", self.window, 1..=limits::WINDOW_COUNT_MAX),
            content,
            ("burst", self.burst, 1..=limits::CONNECTION_COUNT_MAX),
            ("children", self.names.children, 1..=limits::WINDOW_COUNT_MAX),
            ("sources", self.sources.unwrap_or(1), 1..=250),
        ];
        for (what, value, range) in checks {
            if !range.contains(&value) {
                return Err(Fault::OutOfBounds { what, least: *range.start(), most: *range.end() });
            }
        }
        if self.workload == Workload::Ingest && self.qos == QoS::AtMostOnce {
            return Err(Fault::NothingToCount);
        }
        if self.workload.is_open_loop() && !(self.rate_per_s > 0.0 && self.rate_per_s.is_finite()) {
            return Err(Fault::OutOfBounds { what: "rate", least: 1, most: usize::MAX });
        }
        Ok(())
    }

    /// The address that connection `index` comes from, where it matters: one address has only so many ports.
    pub(super) fn source(&self, index: usize, target: SocketAddr) -> Option<Ipv4Addr> {
        let IpAddr::V4(to) = target.ip() else { return None };
        let needed = match self.workload {
            Workload::Storm => STORM_SOURCE_COUNT,
            _ => (self.connections * 2).div_ceil(CONNECTIONS_PER_SOURCE),
        };
        let count = self.sources.unwrap_or(needed);
        if count <= 1 || !to.is_loopback() {
            return None;
        }
        Some(Ipv4Addr::new(127, 0, 0, 1 + (index % count).min(250) as u8))
    }
}
