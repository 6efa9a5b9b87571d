//! `tidegate bench`: load for any MQTT server, and what it costs that server.
//!
//! The generator is in `sim::bench`. Here is what can be typed, the defaults that suit each workload, the alternation
//! of two servers, and how results are shown.

mod show;

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use mqtt::{QoS, Version};
use sim::bench::{self, Content, Identity, Length, Names, Outcome, Plan, Sessions, Target, Template, limits};

use super::command::print::print;

/// What `bench` may be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// The shape of the traffic
    #[arg(value_enum)]
    workload: Workload,
    /// The server: ip:port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883")]
    addr: SocketAddr,
    /// What its column is called where there are others
    #[arg(long, value_name = "TEXT", default_value = "tidegate")]
    name: String,
    /// Its process on this machine: CPU time and memory are read from /proc
    #[arg(long)]
    pid: Option<u32>,
    /// Another server, measured in turns with the first; can be given again for further ones
    #[arg(long, value_name = "[NAME=]ADDR[,PID]")]
    vs: Vec<Contestant>,
    /// Measurements of each server, of which the median is shown [default: 1, with --vs 3]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Length of a measurement; idle and storm are over when all are connected
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// End a measurement after so many messages instead
    #[arg(long, value_name = "COUNT", conflicts_with = "seconds")]
    messages: Option<u64>,
    /// Connections: pairs, publishers or subscribers [default: 50, or what suits the workload]
    #[arg(long, value_name = "COUNT")]
    connections: Option<usize>,
    /// Messages under way per publisher; in a storm, clients that connect at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    window: usize,
    /// Messages a second of all publishers together [default: open 10000, sparse one per connection]
    #[arg(long, value_name = "COUNT")]
    rate: Option<f64>,
    /// Open loops: messages that are due at the same moment
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    burst: usize,
    /// Quality of service [default: 0; for ingest, sparse and open 1]
    #[arg(long, value_name = "0|1|2", value_parser = quality)]
    qos: Option<QoS>,
    /// Bytes of each payload
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    payload: usize,
    /// Version of MQTT
    #[arg(long, value_name = "3.1.1|5", default_value = "3.1.1", value_parser = version)]
    version: Version,
    /// Subscribers have sessions that the server keeps
    #[arg(long)]
    durable: bool,
    /// Loopback addresses that the connections come from [default: as many as they need]
    #[arg(long, value_name = "COUNT")]
    sources: Option<usize>,
    #[command(flatten)]
    naming: Naming,
}

/// Who the clients say they are. `{n}` stands for a connection's number.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Identities and topics ({n}: number of the connection)")]
struct Naming {
    /// Client ids of publishers [default: bench-pub-{n}]
    #[arg(long, value_name = "TEXT")]
    client_id: Option<Template>,
    /// User names of publishers
    #[arg(long, value_name = "TEXT")]
    user: Option<Template>,
    /// Passwords of publishers
    #[arg(long, value_name = "TEXT")]
    password: Option<Template>,
    /// Topics [default: bench/{n}]
    #[arg(long, value_name = "TEXT")]
    topic: Option<Template>,
    /// Client ids of subscribers [default: bench-sub-{n}]
    #[arg(long, value_name = "TEXT")]
    sub_client_id: Option<Template>,
    /// User names of subscribers [default: like publishers]
    #[arg(long, value_name = "TEXT")]
    sub_user: Option<Template>,
    /// Passwords of subscribers [default: like publishers]
    #[arg(long, value_name = "TEXT")]
    sub_password: Option<Template>,
    /// Filters of subscribers [default: bench/{n}, bench/+ or bench/0, as the workload needs]
    #[arg(long, value_name = "TEXT")]
    filter: Option<Template>,
    /// Speak as clients of this Watson organisation: gateways TYPE/load{n} send events to applications
    #[arg(long, value_name = "ORG", requires = "token", group = "platform")]
    watson: Option<String>,
    /// Watson: type of the gateways
    #[arg(long = "type", value_name = "TYPE", default_value = "gw")]
    device_type: String,
    /// Watson: token of the gateways
    #[arg(long, requires = "watson")]
    token: Option<String>,
    /// Watson: API key of the applications
    #[arg(long, requires = "watson")]
    key: Option<String>,
    /// Watson: token of the API key [default: --token]
    #[arg(long, requires = "key", value_name = "TOKEN")]
    key_token: Option<String>,
    /// Devices load{n}-… that each gateway speaks for [default: Watson, itself only; ThingsBoard, 1000]
    #[arg(long, value_name = "COUNT", requires = "platform")]
    children: Option<usize>,
    /// Watson: applications send commands to applications instead, which nothing stores
    #[arg(long, requires = "key")]
    commands: bool,
    /// Speak as ThingsBoard gateways with the access tokens load{n}: readings of their children, three points each
    #[arg(long, group = "platform")]
    thingsboard: bool,
    /// Speak as OneNET devices of this product with the numbers 1{n}: uploads of type 3 with five values
    #[arg(long, value_name = "PRODUCT", group = "platform", requires = "password")]
    onenet: Option<u32>,
    /// ThingsBoard: children in each message
    #[arg(long, value_name = "COUNT", default_value_t = 100, requires = "thingsboard")]
    per_message: usize,
}

/// The workloads, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// N publishers to N subscribers, a topic each
    Pair,
    /// N publishers to one subscriber
    FanIn,
    /// One publisher to N subscribers
    FanOut,
    /// N publishers and no subscriber: acknowledgements
    Ingest,
    /// N connections with a subscription: memory
    Idle,
    /// N clients connect as fast as they can
    Storm,
    /// N publishers that send once a second: CPU
    Sparse,
    /// N pairs at a fixed rate: latency from when a message was due
    Open,
}

/// A server to measure, and what its column is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contestant {
    name: String,
    target: Target,
}

impl FromStr for Contestant {
    type Err = String;

    fn from_str(text: &str) -> Result<Contestant, String> {
        let (name, text) = text.split_once('=').map_or((None, text), |(name, rest)| (Some(name), rest));
        let (addr, pid) = match text.split_once(',') {
            Some((addr, pid)) => (addr, Some(pid.parse().map_err(|_| format!("{pid} is no process id"))?)),
            None => (text, None),
        };
        let addr = addr.parse().map_err(|_| format!("{addr} is no address such as 127.0.0.1:1884"))?;
        Ok(Contestant { name: name.unwrap_or(text).to_owned(), target: Target { addr, pid } })
    }
}

fn quality(text: &str) -> Result<QoS, String> {
    text.parse().ok().and_then(QoS::from_bits).ok_or_else(|| "there are 0, 1 and 2".to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "3.1" => Ok(Version::V31),
        "3.1.1" => Ok(Version::V311),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("there are 3.1.1 and 5".to_owned()),
    }
}

/// Measures, and prints what was found. Blocks.
pub(super) fn run(bench: &Bench, as_json: bool) -> Result<()> {
    let plan = bench.plan()?;
    let target = Target { addr: bench.addr, pid: bench.pid };
    let name = if bench.vs.is_empty() { bench.addr.to_string() } else { bench.name.clone() };
    let contestants: Vec<Contestant> =
        std::iter::once(Contestant { name, target }).chain(bench.vs.iter().cloned()).collect();
    let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); contestants.len()];
    for _ in 0..bench.rounds(contestants.len()) {
        for (it, outcomes) in contestants.iter().zip(&mut outcomes) {
            outcomes.push(bench::run(&plan, it.target).with_context(|| it.name.clone())?);
        }
    }
    let results: Vec<(Contestant, Vec<Outcome>)> = contestants.into_iter().zip(outcomes).collect();
    if as_json {
        print(&format!("{:#}\n", show::json(&plan, &results)))
    } else {
        print(&show::text(&plan, &results))
    }
}

impl Workload {
    fn of_plan(self) -> bench::Workload {
        match self {
            Workload::Pair => bench::Workload::Pair,
            Workload::FanIn => bench::Workload::FanIn,
            Workload::FanOut => bench::Workload::FanOut,
            Workload::Ingest => bench::Workload::Ingest,
            Workload::Idle => bench::Workload::Idle,
            Workload::Storm => bench::Workload::Storm,
            Workload::Sparse => bench::Workload::Sparse,
            Workload::Open => bench::Workload::Open,
        }
    }

    fn default_connections(self) -> usize {
        match self {
            Workload::Pair | Workload::FanIn | Workload::Ingest => 50,
            Workload::FanOut => 200,
            Workload::Open => 100,
            Workload::Idle | Workload::Storm | Workload::Sparse => 5_000,
        }
    }

    fn default_qos(self) -> QoS {
        match self {
            Workload::Ingest | Workload::Sparse | Workload::Open => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }
}

/// Messages under way on a connection that sends once a second: each has its place in memory beforehand.
const SPARSE_WINDOW_COUNT: usize = 10;

/// Devices behind each ThingsBoard gateway, unless another number is asked for.
const THINGSBOARD_CHILDREN_COUNT: usize = 1_000;

impl Bench {
    fn plan(&self) -> Result<Plan> {
        let connections = self.connections.unwrap_or_else(|| self.workload.default_connections());
        let default_rate = if self.workload == Workload::Sparse { connections as f64 } else { 10_000.0 };
        let sparse_window = if self.workload == Workload::Sparse { SPARSE_WINDOW_COUNT } else { usize::MAX };
        anyhow::ensure!(
            self.seconds > 0.0 && self.seconds <= limits::RUN_S_MAX as f64,
            "a measurement lasts at most {} seconds",
            limits::RUN_S_MAX
        );
        Ok(Plan {
            workload: self.workload.of_plan(),
            version: self.version,
            qos: self.qos.unwrap_or_else(|| self.workload.default_qos()),
            content: self.content()?,
            window: self.window.min(sparse_window),
            connections,
            length: self.messages.map_or(Length::Seconds(self.seconds), Length::Messages),
            rate_per_s: self.rate.unwrap_or(default_rate),
            burst: self.burst,
            sources: self.sources,
            sessions: if self.durable { Sessions::Durable } else { Sessions::Clean },
            names: self.naming.names(self.workload)?,
        })
    }

    fn content(&self) -> Result<Content> {
        if self.naming.onenet.is_some() {
            return Ok(Content::Upload);
        }
        if !self.naming.thingsboard {
            return Ok(Content::Event { bytes: self.payload });
        }
        Ok(Content::Readings { device: "load{n}-{child}".parse()?, per_message: self.naming.per_message })
    }

    /// A server's memory only grows once: idle connections are measured in one round.
    fn rounds(&self, targets: usize) -> u32 {
        match self.workload {
            Workload::Idle => 1,
            _ => self.rounds.unwrap_or(if targets > 1 { 3 } else { 1 }),
        }
    }
}

impl Naming {
    /// The names that were typed, over those of a Watson organisation, over those that suit an open server.
    fn names(&self, workload: Workload) -> Result<Names> {
        let mut names = match &self.watson {
            Some(org) => self.watson_names(org, workload)?,
            None if self.thingsboard => self.thingsboard_names(workload)?,
            None if self.onenet.is_some() => self.onenet_names(workload)?,
            None => Names {
                publisher: identity("bench-pub-{n}", None)?,
                subscriber: identity("bench-sub-{n}", None)?,
                topic: "bench/{n}".parse()?,
                filter: filter(workload, "bench/0", "bench/{n}", "bench/+").parse()?,
                children: 1,
            },
        };
        fn lay<T: Clone>(place: &mut T, given: Option<&T>) {
            if let Some(it) = given {
                place.clone_from(it);
            }
        }
        lay(&mut names.publisher.client_id, self.client_id.as_ref());
        lay(&mut names.subscriber.client_id, self.sub_client_id.as_ref());
        lay(&mut names.topic, self.topic.as_ref());
        lay(&mut names.filter, self.filter.as_ref());
        let [publisher, subscriber] = [&mut names.publisher, &mut names.subscriber];
        publisher.user = self.user.clone().or(publisher.user.take());
        publisher.password = self.password.clone().or(publisher.password.take());
        subscriber.user = self.sub_user.clone().or(self.user.clone()).or(subscriber.user.take());
        subscriber.password =
            self.sub_password.clone().or(self.password.clone()).or(subscriber.password.take());
        Ok(names)
    }

    /// Gateways that log in with access tokens and speak for others (spec thingsboard 2.2, 3.3).
    fn thingsboard_names(&self, workload: Workload) -> Result<Names> {
        anyhow::ensure!(
            matches!(workload, Workload::Ingest | Workload::Storm),
            "readings are acknowledged, and no other client gets them: there is `ingest`, and `storm`"
        );
        let gateway =
            Identity { client_id: "bench-{n}".parse()?, user: Some("load{n}".parse()?), password: None };
        Ok(Names {
            publisher: gateway.clone(),
            subscriber: gateway,
            topic: "v1/gateway/telemetry".parse()?,
            filter: "v1/gateway/rpc".parse()?,
            children: self.children.unwrap_or(THINGSBOARD_CHILDREN_COUNT),
        })
    }

    /// Devices that come by numbers, with a key of their product (spec onenet 3.3, 4.5).
    fn onenet_names(&self, workload: Workload) -> Result<Names> {
        anyhow::ensure!(
            matches!(workload, Workload::Ingest | Workload::Storm),
            "uploads are acknowledged, and no other client gets them: there is `ingest`, and `storm`"
        );
        let product = self.onenet.map(|it| it.to_string()).unwrap_or_default();
        let user = Some(Template::literal(&product));
        let device = Identity { client_id: "1{n}".parse()?, user, password: self.password.clone() };
        Ok(Names {
            publisher: device.clone(),
            subscriber: device,
            topic: "$dp".parse()?,
            filter: "bench".parse()?,
            children: 1,
        })
    }

    /// Gateways `load{n}` that send events of their own or of children to applications, or applications that send
    /// commands to each other (spec watson 1.1, 2.1, 3.2).
    fn watson_names(&self, org: &str, workload: Workload) -> Result<Names> {
        anyhow::ensure!(
            self.children.is_none()
                || !matches!(workload, Workload::Pair | Workload::FanOut | Workload::Open),
            "children have a topic each, and a subscriber of {} has one filter for one topic",
            workload.of_plan()
        );
        let (device_type, token) = (self.device_type.as_str(), self.token.clone().unwrap_or_default());
        let gateway =
            identity(&format!("g:{org}:{device_type}:load{{n}}"), Some(("use-token-auth", &token)))?;
        let key = self.key.as_deref().unwrap_or_default();
        let login = (key, self.key_token.as_deref().unwrap_or(&token));
        let application = |name: &str| identity(&format!("a:{org}:{name}{{n}}"), Some(login));
        let sends_commands = self.commands;
        // Any number may connect with one key; gateways have to be registered one by one.
        let is_crowd = workload == Workload::Storm && self.key.is_some();
        let kind = if sends_commands { "cmd/c" } else { "evt/e" };
        let topic =
            |device_type: &str, name: &str| format!("iot-2/type/{device_type}/id/{name}/{kind}/fmt/json");
        let (own, first, all) = (topic(device_type, "load{n}"), topic(device_type, "load0"), topic("+", "+"));
        let topic = if self.children.is_some() { topic("dev", "load{n}-{child}") } else { own.clone() };
        Ok(Names {
            publisher: if sends_commands || is_crowd { application("app")? } else { gateway },
            subscriber: application("listener")?,
            topic: topic.parse()?,
            filter: filter(workload, &first, &own, &all).parse()?,
            children: self.children.unwrap_or(1),
        })
    }
}

/// The filter that a workload's subscribers need: the first publisher's topic, each its own, or all.
fn filter<'a>(workload: Workload, first: &'a str, own: &'a str, all: &'a str) -> &'a str {
    match workload {
        Workload::FanOut => first,
        Workload::FanIn | Workload::Sparse => all,
        Workload::Pair | Workload::Ingest | Workload::Idle | Workload::Storm | Workload::Open => own,
    }
}

fn identity(client_id: &str, login: Option<(&str, &str)>) -> Result<Identity> {
    Ok(Identity {
        client_id: client_id.parse()?,
        user: login.map(|it| Template::literal(it.0)),
        password: login.map(|it| Template::literal(it.1)),
    })
}

#[cfg(test)]
mod tests;
