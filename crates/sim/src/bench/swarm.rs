//! All connections of a run, on one thread: opening them, and hearing which of them have something to do.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use mqtt::codec;
use mqtt::packet::{Connect, FilterRequest, FilterRequests, Subscribe};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{Packet, Version};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::feed::Feed;
use super::limits::{KEEP_ALIVE_S, OTHER_FILES_COUNT, READ_BYTES_MAX, STALL_MS_MAX};
use super::link::{Got, Link, Stage};
use super::plan::{Plan, Sessions, Workload};
use super::walker::{self, Step};
use super::{Fault, Histogram};

/// The token of an alarm; connections have their numbers.
pub(super) const ALARM: Token = Token(usize::MAX);

/// The number of the only SUBSCRIBE on a connection.
const SUBSCRIBE_ID: u16 = 1;
const EVENTS_COUNT: usize = 1_024;
const SESSION_EXPIRY_S: u32 = 3_600;

/// What a client does on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Connects, and publishes if the workload wants that.
    Publisher,
    /// Connects and subscribes.
    Subscriber,
    /// Connects as a subscriber does, but without a session that is kept: what is kept is thereby forgotten.
    Forgetter,
}

/// One client to be connected: what it does, and its number among those that do the same.
pub(super) type Client = (Role, usize);

/// What a connection has to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) index: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The server has ended its side: behind what can be read there is the end.
    pub(super) ended: bool,
}

/// What happens when a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnRefusal {
    /// The run cannot be made.
    GiveUp,
    /// It is counted.
    Count,
}

/// How opening went.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) accepted: u64,
    pub(super) failed: u64,
    /// From the start of the TCP handshake to the answer to CONNECT.
    pub(super) latency: Histogram,
}

/// The connections, publishers first.
pub(super) struct Swarm {
    pub(super) poll: Poll,
    events: Events,
    pub(super) links: Vec<Link>,
    clients: Vec<Client>,
    opened_ns: Vec<u64>,
    scratch: Vec<u8>,
    started_at: Instant,
}

impl Swarm {
    /// No connections yet.
    pub(super) fn new() -> Result<Swarm, Fault> {
        Ok(Swarm {
            poll: Poll::new().map_err(Fault::Poll)?,
            events: Events::with_capacity(EVENTS_COUNT),
            links: Vec::new(),
            clients: Vec::new(),
            opened_ns: Vec::new(),
            scratch: vec![0; READ_BYTES_MAX],
            started_at: Instant::now(),
        })
    }

    /// Time since the start.
    pub(super) fn now_ns(&self) -> u64 {
        self.started_at.elapsed().as_nanos() as u64
    }

    /// Waits until a connection has something to do. An alarm ends the waiting and is not told of.
    pub(super) fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Duration) -> Result<(), Fault> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(it) if it.kind() == io::ErrorKind::Interrupted => {}
            done => done.map_err(Fault::Poll)?,
        }
        ready.clear();
        ready.extend(self.events.iter().filter(|it| it.token() != ALARM).map(|it| Ready {
            index: it.token().0,
            readable: it.is_readable() || it.is_read_closed() || it.is_error(),
            writable: it.is_writable(),
            ended: it.is_read_closed(),
        }));
        Ok(())
    }

    /// Reads a connection once, and gives `take` the bytes and the connection. What `take` says it has not consumed
    /// is kept. Returns false when there is nothing more to read at the moment.
    pub(super) fn read(
        &mut self,
        index: usize,
        take: impl FnOnce(&[u8], &mut Link) -> Result<usize, Fault>,
    ) -> Result<bool, Fault> {
        let Some(link) = self.links.get_mut(index) else { return Ok(false) };
        let (count, more) = match link.read(&mut self.scratch) {
            Ok(Got::More(count)) => (count, true),
            Ok(Got::All(count)) => (count, false),
            Ok(Got::Nothing) => return Ok(false),
            Ok(Got::End) => return Err(Fault::Closed { connection: index }),
            Err(source) => return Err(Fault::Connection { connection: index, source }),
        };
        let bytes = self.scratch.get(..count).unwrap_or_default();
        let consumed = take(bytes, link)?;
        link.keep(bytes.get(consumed..).unwrap_or_default());
        Ok(more)
    }

    /// Writes what waits on a connection.
    pub(super) fn flush(&mut self, index: usize) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(index) else { return Ok(()) };
        link.flush().map_err(|source| Fault::Connection { connection: index, source })
    }

    /// Connects clients, at most `at_once` at a time, and returns when each has been let in or refused.
    pub(super) fn open(
        &mut self,
        plan: &Plan,
        addr: SocketAddr,
        clients: &[Client],
        at_once: usize,
        on_refusal: OnRefusal,
    ) -> Result<Opened, Fault> {
        allow_open_files(self.links.len() + clients.len())?;
        let mut opened = Opened::default();
        let mut waiting = clients.iter();
        let (mut under_way, mut ready, mut progress_ns) = (0, Vec::new(), self.now_ns());
        loop {
            while under_way < at_once
                && let Some(client) = waiting.next()
            {
                self.begin(plan, addr, *client)?;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(opened);
            }
            self.wait(&mut ready, Duration::from_millis(100))?;
            for it in &ready {
                let before = self.stage(it.index);
                if matches!(before, Stage::Ready | Stage::Ended) {
                    continue;
                }
                if let Err(fault) = self.greet(plan, *it, &mut opened) {
                    if on_refusal == OnRefusal::GiveUp {
                        return Err(fault.of_client(&self.client_id(plan, it.index)));
                    }
                    opened.failed += 1;
                    self.set_stage(it.index, Stage::Ended);
                }
                if matches!(self.stage(it.index), Stage::Ready | Stage::Ended) {
                    (under_way, progress_ns) = (under_way - 1, self.now_ns());
                }
            }
            if self.now_ns() - progress_ns > STALL_MS_MAX * 1_000_000 {
                if on_refusal == OnRefusal::GiveUp {
                    return Err(Fault::Stalled { what: "handshakes", seconds: STALL_MS_MAX / 1_000 });
                }
                opened.failed += under_way as u64;
                return Ok(opened);
            }
        }
    }

    /// Says goodbye on every connection that can take it.
    pub(super) fn close(mut self) {
        const DISCONNECT: [u8; 2] = [0xe0, 0];
        for link in &mut self.links {
            if link.stage == Stage::Ready && link.feed.as_ref().is_none_or(|it| !it.is_pending()) {
                link.out.extend_from_slice(&DISCONNECT);
                // Whoever has gone already need not be told.
                drop(link.flush());
            }
        }
    }

    /// The client id of a connection.
    pub(super) fn client_id(&self, plan: &Plan, index: usize) -> String {
        let Some((role, n)) = self.clients.get(index) else { return String::new() };
        let identity = match role {
            Role::Publisher => &plan.names.publisher,
            Role::Subscriber | Role::Forgetter => &plan.names.subscriber,
        };
        identity.client_id.expand(*n, 0)
    }

    fn stage(&self, index: usize) -> Stage {
        self.links.get(index).map_or(Stage::Ended, |it| it.stage)
    }

    fn set_stage(&mut self, index: usize, stage: Stage) {
        if let Some(link) = self.links.get_mut(index) {
            link.stage = stage;
        }
    }

    fn begin(&mut self, plan: &Plan, addr: SocketAddr, client: Client) -> Result<(), Fault> {
        let index = self.links.len();
        let opened_ns = self.now_ns();
        let source = plan.source(index, addr);
        let mut link = Link::open(addr, source, self.poll.registry(), Token(index))
            .map_err(|source| Fault::Connect { addr, source })?;
        encode_connect(plan, client, &mut link.out);
        self.links.push(link);
        self.clients.push(client);
        self.opened_ns.push(opened_ns);
        Ok(())
    }

    /// Goes on with a handshake.
    fn greet(&mut self, plan: &Plan, ready: Ready, opened: &mut Opened) -> Result<(), Fault> {
        let index = ready.index;
        if let Some(source) = self.links.get(index).and_then(Link::socket_fault) {
            return Err(Fault::Connection { connection: index, source });
        }
        if ready.writable {
            if let Some(link) = self.links.get_mut(index) {
                link.unblock();
            }
            self.flush(index)?;
        }
        let Some(&client) = self.clients.get(index).filter(|_| ready.readable) else { return Ok(()) };
        let since_ns = self.opened_ns.get(index).copied().unwrap_or_default();
        let now_ns = self.now_ns();
        let mut on_welcome = || {
            opened.accepted += 1;
            opened.latency.record(now_ns - since_ns);
        };
        while self.read(index, |bytes, link| {
            let mut at = 0;
            loop {
                match walker::step(bytes, at) {
                    Step::Packet { end, .. } => {
                        let packet = bytes.get(at..end).unwrap_or_default();
                        let packet = codec::decode(packet, plan.version).map_err(Fault::Violation)?;
                        answer(plan, client, &packet, link, &mut on_welcome)?;
                        at = end;
                    }
                    Step::Partial => return Ok(at),
                    Step::Broken => return Err(Fault::NotMqtt),
                }
            }
        })? || ready.ended
        {}
        self.flush(index)
    }
}

/// What a packet of the server's means for a connection that is being opened.
fn answer(
    plan: &Plan,
    (role, n): Client,
    packet: &Packet<'_>,
    link: &mut Link,
    on_welcome: &mut impl FnMut(),
) -> Result<(), Fault> {
    match (link.stage, packet) {
        (Stage::Greeting, Packet::ConnAck(it)) if it.code == 0 => {
            on_welcome();
            link.stage = Stage::Ready;
            if role == Role::Subscriber {
                link.stage = Stage::Subscribing;
                encode_subscribe(plan, n, &mut link.out)?;
            } else if role == Role::Publisher && plan.workload != Workload::Storm {
                let window = it.properties.receive_maximum().map_or(plan.window, usize::from);
                link.feed = Some(Feed::new(plan, n, plan.window.min(window)));
            }
        }
        (Stage::Greeting, Packet::ConnAck(it)) => return Err(Fault::Refused { code: it.code }),
        (Stage::Subscribing, Packet::SubAck(it)) => match it.codes.iter().find(|it| **it >= 0x80) {
            None => link.stage = Stage::Ready,
            Some(&code) => return Err(Fault::NotSubscribed { code }),
        },
        (_, Packet::Disconnect(it)) => return Err(Fault::Refused { code: it.reason.0 }),
        _ => {}
    }
    Ok(())
}

fn encode_connect(plan: &Plan, (role, n): Client, out: &mut Vec<u8>) {
    let identity = match role {
        Role::Publisher => &plan.names.publisher,
        Role::Subscriber | Role::Forgetter => &plan.names.subscriber,
    };
    let expand = |it: &Option<super::Template>| it.as_ref().map(|it| it.expand(n, 0));
    let (client_id, user, password) =
        (identity.client_id.expand(n, 0), expand(&identity.user), expand(&identity.password));
    let is_durable = role == Role::Subscriber && plan.sessions == Sessions::Durable;
    let mut properties = Vec::new();
    if is_durable {
        let expiry = Value::Four(SESSION_EXPIRY_S);
        PropertyWriter::new(&mut properties).push(PropertyId::SessionExpiryInterval, expiry);
    }
    let connect = Connect {
        version: plan.version,
        clean_start: !is_durable,
        keep_alive_s: KEEP_ALIVE_S,
        client_id: &client_id,
        will: None,
        username: user.as_deref(),
        password: password.as_ref().map(String::as_bytes),
        properties: if plan.version == Version::V5 {
            Properties::stored(&properties)
        } else {
            Properties::EMPTY
        },
    };
    codec::encode(&Packet::Connect(connect), plan.version, out);
}

fn encode_subscribe(plan: &Plan, n: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let filter = plan.names.filter.expand(n, 0);
    let mut request = Vec::new();
    FilterRequest::new(&filter, plan.qos).encode(&mut request);
    let filters = FilterRequests::new(&request, plan.version).map_err(Fault::Violation)?;
    let subscribe = Subscribe { packet_id: SUBSCRIBE_ID, properties: Properties::EMPTY, filters };
    codec::encode(&Packet::Subscribe(subscribe), plan.version, out);
    Ok(())
}

/// Asks the kernel for as many open files as so many connections need.
fn allow_open_files(connections: usize) -> Result<(), Fault> {
    let wanted = (connections + OTHER_FILES_COUNT) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|it| it >= wanted) {
        return Ok(());
    }
    let allowed = maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted), maximum };
    if allowed < wanted || setrlimit(Resource::Nofile, raised).is_err() {
        return Err(Fault::OpenFiles { wanted, allowed });
    }
    Ok(())
}
