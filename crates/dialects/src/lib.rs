//! Wire customs and the domain words behind them.
//!
//! A dialect knows how one platform's devices name themselves, which topics they use and what they expect to hear
//! back. The connection asks it at every turn: whose client is this, what does this topic mean, what is this filter
//! worth, how is this refusal answered. Everything here is a function of its arguments: a dialect reads no clock,
//! keeps no state, opens nothing, and does not know that storage exists.
//!
//! To add a dialect, write its folder and name it in [`all`].

use std::borrow::Cow;

use domain::{Claim, Closing, DeviceName, Peer, Points, Presence, Refusal, Rejection};
use mqtt::packet::Connect;
use mqtt::{QoS, Version};

pub use domain::notice::Request;

pub mod limits;
pub mod time;
pub mod watson;

/// One wire custom. The methods marked hot are called for messages, the others for connections and subscriptions.
pub trait Dialect: Send + Sync {
    /// Its name, which is also the name of its topic space.
    fn name(&self) -> &'static str;

    /// Whose client is this? Decided from CONNECT alone; names the credential to check, never checks it.
    fn recognise<'a>(&self, connect: &Connect<'a>) -> Recognition<'a>;

    /// How topics of the space look to this peer.
    fn view(&self, peer: &Peer) -> View;

    /// What publishing to this topic means, or why the peer may not. Called when a topic is not in the connection's
    /// cache. `topic` is a valid MQTT topic name.
    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal>;

    /// Reads the points of an event's payload into `points`, which is emptied first. Hot. Nothing of the payload is
    /// lost: what cannot be taken apart becomes one point that holds it whole.
    fn points(&self, event: &str, format: &str, payload: &[u8], points: &mut Points);

    /// What subscribing to this filter is worth, or why the peer may not. `filter` is a valid MQTT topic filter.
    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal>;

    /// How a refused request is answered. `qos` is that of the refused PUBLISH, and ignored for other requests.
    fn answer(&self, peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Answer;

    /// The code of the CONNACK that refuses a connection; `None` when it is closed without one.
    fn connack(&self, version: Version, refusal: &Refusal) -> Option<u8>;

    /// The message that tells others that this peer came, went, or was refused.
    fn presence(&self, peer: &Peer, presence: &Presence<'_>) -> Option<Announcement>;

    /// What to say instead of a retained message that the server left behind when it was killed, where it is no longer
    /// true: it told that a client is connected. `None` where it holds on.
    fn outlived(&self, _topic: &str, _payload: &[u8], _now_ms: domain::Millis) -> Option<Announcement> {
        None
    }

    /// The message that tells this peer that what it asked for was refused, where [`Answer::notify`] says so.
    fn rejection(&self, peer: &Peer, rejection: &Rejection<'_>) -> Option<Announcement>;

    /// Whether the peer may leave a will with this topic. A refusal is answered by [`Dialect::connack`].
    fn will(&self, peer: &Peer, topic: &str) -> Result<(), Refusal>;
}

/// What a dialect makes of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition<'a> {
    /// Not one of ours; another dialect may know it.
    Unknown,
    /// One of ours, if the registry agrees.
    Claimed(Claimed<'a>),
    /// One of ours, and wrong in a way that needs no registry to see.
    Refused(Refusal),
}

/// An identity to be proved, and how its sessions behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed<'a> {
    /// Who the peer says it is, and with which credential.
    pub claim: Claim<'a>,
    /// How connections of the same client id relate.
    pub session: SessionRule,
    /// The share group that all its subscriptions belong to: of one filter, each message goes to one member.
    pub share: Option<String>,
    /// The longest keep-alive in seconds; 0 (none) and anything longer is taken as this.
    pub keep_alive_s_max: Option<u16>,
}

/// How connections of the same client id relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionRule {
    /// One session per client id; a new connection takes it over.
    Takeover,
    /// Every connection is a session of its own, and never a durable one.
    Fresh,
}

/// How topics of a space look to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// As they are.
    Whole,
    /// Without the levels that name the peer itself, which follow the first level: `iot-2/type/T/id/D/cmd/c/fmt/f`
    /// is seen as `iot-2/cmd/c/fmt/f`.
    Own {
        /// Bytes to leave out after the first level and its `/`.
        skip: usize,
    },
}

impl View {
    /// The two parts that, written one after the other, are the topic as the peer sees it.
    pub fn parts(self, topic: &str) -> (&str, &str) {
        let View::Own { skip } = self else { return ("", topic) };
        let first = topic.find('/').map_or(topic.len(), |it| it + 1);
        (topic.get(..first).unwrap_or_default(), topic.get(first + skip..).unwrap_or_default())
    }
}

/// What a publish means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink<'a> {
    /// The device it is about, which need not be the sender.
    pub device: DeviceName<'a>,
    /// The topic in the space's own form.
    pub topic: Cow<'a, str>,
    /// What it is.
    pub what: What<'a>,
    /// Whether the device is registered if nobody knows it.
    pub registers: bool,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What<'a> {
    /// An event of the device.
    Event {
        /// Its name.
        name: &'a str,
        /// The payload's format.
        format: &'a str,
    },
    /// A command to the device.
    Command {
        /// Its name.
        name: &'a str,
        /// The payload's format.
        format: &'a str,
    },
    /// A message of the dialect's device management.
    Manage {
        /// The operation, e.g. `mgmt/manage`; empty when the topic names none.
        operation: &'a str,
    },
}

/// What a subscription is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The filter in the topic space; `None` when the subscription is accepted but never matches.
    pub route: Option<String>,
    /// The device that the filter names, (type, name), where subscribing registers it if nobody knows it.
    pub device: Option<(String, String)>,
    /// Whether retained messages that match are delivered at once.
    pub reads_retained: bool,
}

/// How a refused request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Close the connection, for this reason and unacknowledged; `None`: it stays open and the request is
    /// acknowledged.
    pub close: Option<Closing>,
    /// The number to acknowledge with: for SUBSCRIBE the filter's code in the connection's version, otherwise a
    /// reason code of 5.0.
    pub reason: u8,
    /// Whether the peer also gets the message of [`Dialect::rejection`], before a close.
    pub notify: bool,
}

/// A message of the server itself, to be routed in the topic space at QoS 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its topic in the space.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// What it does to the topic's retained message. Those who are subscribed get the message in any case.
    pub retain: Retain,
}

/// What an announcement does to the retained message of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retain {
    /// Becomes the retained message.
    Keep,
    /// Removes the retained message.
    Remove,
    /// Leaves it as it is.
    No,
}

/// The dialects, in the order in which they are asked to recognise a client.
pub fn all(watson: &'static watson::Watson) -> Vec<&'static dyn Dialect> {
    vec![watson]
}
