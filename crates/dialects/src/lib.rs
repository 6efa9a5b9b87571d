//! Wire customs and the domain words behind them.
//!
//! A dialect knows how one platform's devices name themselves, which topics they use and what they expect to hear
//! back. The connection asks it at every turn: whose client is this, what does this topic mean, what is this filter
//! worth, how is this refusal answered. Everything here is a function of its arguments: a dialect reads no clock,
//! keeps no state, opens nothing, and does not know that storage exists.
//!
//! To add a dialect, write its folder and name it in [`all`].

use std::borrow::Cow;
use std::ops::{ControlFlow, RangeInclusive};

use domain::rate::TrafficRates;
use domain::{
    ChildChange, Claim, Closing, Device, DeviceId, DeviceName, Intent, Login, Notice, Peer, Points, Presence,
    Refusal, Rejection, Value, Whose,
};
use mqtt::packet::Connect;
use mqtt::{QoS, Version};

pub use customs::{
    Absent, Answers, Customs, ExactlyOnce, LiveQuality, PointsTold, RetainedQuality, RetainedWills,
};
pub use domain::notice::Request;
pub use leniency::{Leniencies, Leniency};

pub mod command;
mod customs;
mod leniency;
mod level;
pub mod limits;
pub mod onenet;
pub mod plain;
pub mod rights;
pub mod thingsboard;
pub mod time;
pub mod user;
pub mod watson;

/// One wire custom. The methods marked hot are called for messages, the others for connections and subscriptions.
pub trait Dialect: Send + Sync {
    /// Its name, which is also the name of its topic space.
    fn name(&self) -> &'static str;

    /// Whose client is this? Decided from what is seen of the connection; names the credential to check, never checks
    /// it.
    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a>;

    /// What the peer's sessions are known by in its topic space. Sessions of different peers have different keys unless
    /// the dialect means them to be one. A key ends with the client id.
    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str>;

    /// Whether a client may leave its client id to the server, which chooses one then.
    fn assigns_client_ids(&self) -> bool;

    /// Whether clients may subscribe to `$share/group/filter`; a 5.0 client is told.
    fn has_shared_subscriptions(&self) -> bool;

    /// How topics of the space look to this peer.
    fn view(&self, peer: &Peer) -> View;

    /// How messages are delivered in the space.
    fn customs(&self) -> Customs {
        Customs::STANDARD
    }

    /// What publishing to this topic means, or why the peer may not. Called when a topic is not in the connection's
    /// cache. `topic` is a valid MQTT topic name. The rights of the peer's credential are held against the answer by
    /// whoever asks ([`rights`]).
    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal>;

    /// Reads the points of an event's payload into `points`, which is emptied first. Hot. Nothing of the payload is
    /// lost: what cannot be taken apart becomes one point that holds it whole.
    fn points(&self, event: &str, format: &str, payload: &[u8], points: &mut Points);

    /// What subscribing to this filter is worth, or why the peer may not. `filter` is a valid MQTT topic filter. The
    /// rights of the peer's credential are held against the answer by whoever asks ([`rights`]).
    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal>;

    /// How a refused request is answered. `qos` is that of the refused PUBLISH, and ignored for other requests.
    fn answer(&self, peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Answer;

    /// The code of the CONNACK that refuses a connection; `None` when it is closed without one.
    fn connack(&self, version: Version, refusal: &Refusal) -> Option<u8>;

    /// The version in whose form a CONNACK refuses a client that speaks this one.
    fn refuses_in(&self, version: Version) -> Version {
        version
    }

    /// Whether clients are forgiven this.
    fn forgives(&self, _: Leniency) -> bool {
        false
    }

    /// Whether each packet is given to the network by itself, for clients that look at the first of a segment only.
    fn writes_packets_apart(&self) -> bool {
        false
    }

    /// Subscriptions of a session, where they may be fewer than the settings say.
    fn subscription_count_max(&self) -> Option<usize> {
        None
    }

    /// Bytes of a payload, where they may be more than the settings say for everybody.
    fn payload_bytes_max(&self) -> Option<usize> {
        None
    }

    /// The message that tells others that this peer came, went, or was refused.
    fn presence(&self, peer: &Peer, presence: &Presence<'_>) -> Option<Announcement>;

    /// What to say instead of a retained message that the server left behind when it was killed, where it is no longer
    /// true: it told that a client is connected. `None` where it holds on.
    fn outlived(&self, _topic: &str, _payload: &[u8], _now_ms: domain::Millis) -> Option<Announcement> {
        None
    }

    /// The message that tells this peer that what it asked for was refused, where [`Answer::notify`] says so.
    fn rejection(&self, peer: &Peer, rejection: &Rejection<'_>) -> Option<Announcement>;

    /// Reads what a message of [`What::Asked`] asks for, and gives it to `each` one by one until that breaks. Hot.
    /// Refused is what cannot be read at all: whatever was given until then is void.
    fn intents(
        &self,
        _topic: &str,
        _payload: &[u8],
        _each: &mut dyn FnMut(Intent<'_>) -> ControlFlow<()>,
    ) -> Result<Understood, Refusal> {
        Ok(Understood::default())
    }

    /// The value of the point that says where a binary ([`Intent::Binary`]) of this device is kept: a JSON text. `ms`
    /// and the device tell it from all others.
    fn binary(&self, _peer: &Peer, _ms: domain::Millis, _key: &str, _description: Option<&str>) -> String {
        "null".to_owned()
    }

    /// What those are told of a point that a device itself sent who are subscribed to its points: topic, as the device
    /// would write it, and payload. `None` where nobody can be. Asked where [`Customs::points`] says so. Hot.
    fn point<'v>(&self, _peer: &Peer, _key: &str, _value: Value<'v>) -> Option<(String, Cow<'v, [u8]>)> {
        None
    }

    /// The answer to a device's call ([`Intent::Call`]): a JSON text.
    fn call(&self, _peer: &Peer, _method: &str, _terms: &Terms<'_>) -> String {
        "null".to_owned()
    }

    /// The session key of a device, in a dialect whose connections are the doors of a device and of those that it names
    /// as a gateway: what they are told is pushed to that session. `None` where there are no doors.
    fn door_key(&self, _device: DeviceId) -> Option<String> {
        None
    }

    /// Whether it is on record, among a device's attributes, when it was there.
    fn keeps_record(&self) -> bool {
        false
    }

    /// Whether clients' wills are published.
    fn has_wills(&self) -> bool {
        true
    }

    /// How a device is told something; `None` where the dialect has no words for it. `whose` says whether the door is
    /// the device's own or that of a gateway, and how the gateway calls it.
    fn notice(&self, _device: &Device, _whose: Whose<'_>, _notice: &Notice<'_>) -> Option<Rendered> {
        None
    }

    /// What a newcomer that asked for a login ([`Intent::Provision`]) is told: the login, or why it gets none. `None`
    /// where there are no newcomers.
    fn provisioned(&self, _outcome: Result<&Login, &Refusal>) -> Option<Push> {
        None
    }

    /// What a gateway is told before it is closed because it has sent too much for the device that it calls `name`;
    /// `None` where it is told nothing.
    fn slow_down(&self, _version: Version, _name: &str) -> Option<Push> {
        None
    }

    /// The command, method and JSON parameters, by which a gateway hears what has become of a device behind it; `None`
    /// where it is not told.
    fn child_change(&self, _change: &ChildChange<'_>) -> Option<(&'static str, String)> {
        None
    }

    /// The topic of the space under which others hear of an event that came in another dialect; `None` where they do
    /// not.
    fn event_topic(&self, _device: &Device, _event: &str, _format: &str) -> Option<String> {
        None
    }

    /// What the server tells everybody about itself, under system topics; kept as long as it is not said anew.
    fn status(&self, status: &Status<'_>) -> Vec<Announcement>;
}

/// How much of a message of [`What::Asked`] was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// Of parts that could not be read; the others stand.
    pub refusal: Option<Refusal>,
    /// What was forgiven.
    pub forgiven: Leniencies,
}

/// What is seen of a connection that wants to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'h, 'a> {
    /// Its first packet.
    pub connect: &'h Connect<'a>,
    /// Where it comes from.
    pub from: Place,
    /// The device or gateway that its client certificate names, where one was shown and found good: `d:org:type:name`
    /// or `g:org:type:name`.
    pub certificate: Option<&'a str>,
    /// What finds the device of the client certificate that was shown, whoever issued it, where one was shown. The
    /// client has its key, and nothing else is known of it.
    pub fingerprint: Option<[u8; 32]>,
    /// Whether no other dialect is asked, because the port is this one's.
    pub alone: bool,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// On this machine.
    Here,
    /// Anywhere else.
    Elsewhere,
}

/// What a session may rely on, as a dialect may tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// Bytes of a payload, at most.
    pub payload_bytes_max: usize,
    /// Messages under way to the server, at most.
    pub inflight_count_max: u16,
    /// How much the device may send of itself.
    pub own_rates: &'a TrafficRates,
    /// How much a gateway may send for all devices behind it.
    pub behind_rates: &'a TrafficRates,
}

/// The state of one topic space, as its dialect may tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Of this program.
    pub version: &'a str,
    /// Seconds since the server was started.
    pub uptime_s: u64,
    /// Clients connected to the space.
    pub connected_count: usize,
    /// Messages that clients published to it.
    pub received_count: u64,
    /// Messages given to receivers.
    pub sent_count: u64,
    /// Messages lost because a receiver was too slow.
    pub dropped_count: u64,
    /// Subscriptions.
    pub subscription_count: usize,
    /// Retained messages of clients.
    pub retained_count: usize,
}

/// What a dialect makes of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition<'a> {
    /// Not one of ours; another dialect may know it.
    Unknown,
    /// One of ours, if the registry agrees.
    Claimed(Claimed<'a>),
    /// One of ours if the registry knows the login that it claims; another dialect may know it otherwise. Refused in
    /// our words if none does.
    Perhaps(Claimed<'a>),
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
    /// The keep-alives in seconds that hold: a shorter one is taken as the first, a longer one and 0 (none) as the
    /// last.
    pub keep_alive_s: Option<RangeInclusive<u16>>,
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
        skip: u16,
    },
    /// Without the first level, which keeps apart what the space has in it: `100/a/b` is seen as `a/b`, and `100//a` as
    /// `/a`. What stands there does not matter: a message for one session may leave it empty.
    Below,
}

impl View {
    /// The two parts that, written one after the other, are the topic as the peer sees it.
    pub fn parts(self, topic: &str) -> (&str, &str) {
        let below = || topic.find('/').map_or(topic.len(), |it| it + 1);
        match self {
            View::Whole => ("", topic),
            View::Own { skip } => {
                let (first, rest) = topic.split_at(below());
                (first, rest.get(usize::from(skip)..).unwrap_or_default())
            }
            View::Below => ("", topic.split_at(below()).1),
        }
    }
}

/// What a publish means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink<'a> {
    /// The device it is about, which need not be the sender; `None` for what is about no device.
    pub device: Option<DeviceName<'a>>,
    /// The topic in the space's own form.
    pub topic: Cow<'a, str>,
    /// What it is.
    pub what: What<'a>,
    /// Whether the device is registered if nobody knows it.
    pub registers: bool,
    /// What the publisher's retain flag is worth.
    pub retention: Retention,
}

/// What a publisher's retain flag is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retention {
    /// Nothing: clients retain nothing.
    Cleared,
    /// What MQTT says.
    AsAsked,
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
    /// A message about nothing that the platform knows: routed, and not part of any history.
    Message,
    /// Something that stands in the payload: [`Dialect::intents`] reads it.
    Asked,
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
    /// The share group that the filter names.
    pub share: Option<String>,
    /// The device that the filter names, (type, name), where subscribing registers it if nobody knows it.
    pub device: Option<(String, String)>,
    /// Whether retained messages that match are delivered at once.
    pub reads_retained: bool,
}

/// How a refused request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Close the connection, for this reason; `None`: it stays open and the request is acknowledged.
    pub close: Option<Closing>,
    /// Whether the request is acknowledged before a close.
    pub acknowledged: bool,
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

/// What a device is told, in the words of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// For the session that is the device's door.
    Push(Push),
    /// For whoever is subscribed to it in the topic space.
    Routed {
        /// Its topic in the space.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// A message for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The topics that it may be sent to, each with the filter that the client subscribes to for it. Of those it is
    /// subscribed to, the last subscribed one is taken.
    pub ways: Vec<Way>,
    /// Whether it is sent to the first of them where the client is subscribed to none, and at which quality then.
    pub unasked: Option<domain::QoS>,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A topic that a push may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What the client subscribes to for it, as it writes it.
    pub filter: &'static str,
    /// The topic in the space's own form.
    pub topic: String,
}

/// What an announcement does to the retained message of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retain {
    /// Becomes the retained message.
    Keep,
    /// Removes the retained message.
    Remove,
    /// Becomes the retained message until the server ends; nothing is stored.
    WhileRunning,
    /// Leaves it as it is.
    No,
}

/// The dialects, in the order in which they are asked to recognise a client: the one that knows the least comes last.
pub fn all(
    watson: &'static watson::Watson,
    onenet: &'static onenet::OneNet,
    thingsboard: &'static thingsboard::ThingsBoard,
    plain: &'static plain::Plain,
) -> Vec<&'static dyn Dialect> {
    vec![watson, onenet, thingsboard, plain]
}
