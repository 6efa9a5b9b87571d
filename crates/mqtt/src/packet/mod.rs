//! The fifteen packets, one file each, borrowed from the buffer they were read from.
//!
//! A packet that comes out of [`decode`](crate::codec::decode) has been checked against every rule that can be checked
//! without knowing the session: what is left are facts. Properties, filters and reason codes are kept as the bytes
//! they came as and walked when asked for, so decoding allocates nothing. Called by the codec only; no packet decides
//! what to answer.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod kind;
mod publish;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use kind::{Carriers, Kind};
pub use publish::{Publish, PublishParts, encode_publish, publish_bytes};
pub use suback::SubAck;
pub use subscribe::{FilterRequest, FilterRequests, Subscribe};
pub use unsuback::UnsubAck;
pub use unsubscribe::{Filters, Unsubscribe};

/// A packet of any version. Version-specific parts are empty where the version does not have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client asks to be served.
    Connect(Connect<'a>),
    /// The server's answer to it.
    ConnAck(ConnAck<'a>),
    /// A message, in either direction.
    Publish(Publish<'a>),
    /// A message at QoS 1 was taken.
    PubAck(Ack<'a>),
    /// A message at QoS 2 was taken (first answer).
    PubRec(Ack<'a>),
    /// The sender of a message at QoS 2 has let go of it.
    PubRel(Ack<'a>),
    /// A message at QoS 2 is done (last answer).
    PubComp(Ack<'a>),
    /// A client asks for messages.
    Subscribe(Subscribe<'a>),
    /// The server's answer to it.
    SubAck(SubAck<'a>),
    /// A client asks for no more of them.
    Unsubscribe(Unsubscribe<'a>),
    /// The server's answer to it.
    UnsubAck(UnsubAck<'a>),
    /// A client shows that it lives; the packet is a fixed header and nothing else.
    PingReq,
    /// The server's answer to it; the packet is a fixed header and nothing else.
    PingResp,
    /// The end, from a client, and in 5.0 from a server too.
    Disconnect(Disconnect<'a>),
    /// A step of an extended authentication (5.0).
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// Which of the fifteen it is.
    pub fn kind(&self) -> Kind {
        match self {
            Packet::Connect(_) => Kind::Connect,
            Packet::ConnAck(_) => Kind::ConnAck,
            Packet::Publish(_) => Kind::Publish,
            Packet::PubAck(_) => Kind::PubAck,
            Packet::PubRec(_) => Kind::PubRec,
            Packet::PubRel(_) => Kind::PubRel,
            Packet::PubComp(_) => Kind::PubComp,
            Packet::Subscribe(_) => Kind::Subscribe,
            Packet::SubAck(_) => Kind::SubAck,
            Packet::Unsubscribe(_) => Kind::Unsubscribe,
            Packet::UnsubAck(_) => Kind::UnsubAck,
            Packet::PingReq => Kind::PingReq,
            Packet::PingResp => Kind::PingResp,
            Packet::Disconnect(_) => Kind::Disconnect,
            Packet::Auth(_) => Kind::Auth,
        }
    }
}
