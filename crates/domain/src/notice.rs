//! What the platform tells a peer. A dialect renders a notice as a message of its own topic space.

use crate::attribute::{Found, Wanted};
use crate::{CommandBody, CommandId, Millis, Points, Refusal};

/// Why a connection ended. The dialect gives each its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// The client said goodbye.
    Normal,
    /// The socket closed or failed without a goodbye.
    Lost,
    /// The client was silent for one and a half times its keep-alive.
    KeepAliveExpired,
    /// The client left a message at QoS 2 unfinished for too long.
    AnswerOverdue,
    /// Another connection took the session over.
    TakenOver,
    /// The server is shutting down.
    ShuttingDown,
    /// An administrator removed or disabled the peer, or what it was let in for is over.
    Removed,
    /// The client sent bytes that are not MQTT, or MQTT that breaks the protocol.
    ProtocolError,
    /// The client used a topic or filter that is not valid for it.
    TopicInvalid,
    /// The client asked for what it may not do.
    NotAllowed,
    /// The client sent a message over the size limit.
    TooLarge,
    /// The client reads too slowly and its buffer stayed full.
    TooSlow,
    /// A bound of the server was reached.
    Capacity,
    /// The server failed.
    ServerFailed,
}

/// A peer came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence<'a> {
    /// What happened.
    pub change: PresenceChange,
    /// When.
    pub at_ms: Millis,
    /// The peer's address, without port.
    pub client_addr: &'a str,
    /// The client id it came with.
    pub client_id: &'a str,
    /// The listener's port it came through.
    pub port: u16,
    /// Whether the connection was encrypted.
    pub secure: bool,
    /// The wire protocol: `mqtt3`, `mqtt4`, `mqtt5`, each with `-ws` over WebSocket, or `http`.
    pub protocol: &'a str,
    /// The user it came as, where that tells anything: an application's API key.
    pub user: Option<&'a str>,
    /// When the connection began.
    pub connected_ms: Millis,
}

/// What happened to a peer's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresenceChange {
    /// It was admitted.
    Connected,
    /// It was refused.
    Failed {
        /// Why.
        refusal: Refusal,
    },
    /// It ended.
    Disconnected {
        /// Why.
        closing: Closing,
        /// Bytes received.
        read_bytes: u64,
        /// Messages received.
        read_count: u64,
        /// Bytes sent.
        write_bytes: u64,
        /// Messages sent.
        write_count: u64,
    },
}

/// A gateway is told that something it asked for was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection<'a> {
    /// What it had asked.
    pub request: Request,
    /// When.
    pub at_ms: Millis,
    /// The topic or filter as it was sent.
    pub topic: &'a str,
    /// Why not.
    pub refusal: &'a Refusal,
    /// The client id of who asked.
    pub client_id: &'a str,
}

/// What a gateway had asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// A PUBLISH.
    Publish,
    /// A SUBSCRIBE.
    Subscribe,
    /// An UNSUBSCRIBE.
    Unsubscribe,
}

/// What has become of a device, as the gateway hears of it that is its door or was the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildChange<'a> {
    /// It was removed.
    Removed {
        /// What the gateway called it.
        name: &'a str,
    },
    /// It has another name.
    Renamed {
        /// What the gateway called it.
        from: &'a str,
        /// What it is called now.
        to: &'a str,
    },
}

/// What a device is told. Its dialect renders it for the door that the device is behind.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice<'a> {
    /// Attributes that it may read were written.
    AttributesSet {
        /// All that were written together.
        points: &'a Points,
    },
    /// Attributes that it may read were removed.
    AttributesRemoved {
        /// Their names.
        keys: &'a [String],
    },
    /// The answer to its question for attributes.
    AttributesFound {
        /// The topic it asked on: the answer goes the same way.
        asked_on: &'a str,
        /// The question's number.
        id: i64,
        /// What it asked for.
        wanted: &'a Wanted,
        /// What there is.
        found: &'a Found,
    },
    /// It is to do something.
    Command {
        /// The command's number: counts for each device from 0 since the server was started.
        number: u32,
        /// Its own id, for dialects whose devices name that in their answers.
        id: CommandId,
        /// What.
        body: &'a CommandBody,
    },
    /// A part of the package that it is to have.
    PackageChunk {
        /// The topic it asked on: the answer goes the same way.
        asked_on: &'a str,
        /// The bytes; past the end there are none.
        bytes: &'a [u8],
    },
    /// It does not get the part of a package that it asked for.
    PackageRefused {
        /// The topic it asked on.
        asked_on: &'a str,
        /// Why not, for people.
        hint: &'a str,
    },
    /// The answer to its own call.
    CallAnswered {
        /// The topic it called on: the answer goes the same way.
        asked_on: &'a str,
        /// The call's number.
        id: i64,
        /// A JSON text.
        answer: &'a str,
    },
}
