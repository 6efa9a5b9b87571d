//! Bytes to packets and back.
//!
//! A connection asks [`frame`] whether its buffer starts with a whole packet, then [`decode_from_client`] (or, for the
//! first packet, [`decode_first`]) what it says. What comes out has been checked against every rule that can be
//! checked without knowing the session. Decoding allocates nothing and copies nothing: packets borrow from the buffer.
//! Encoding appends to a buffer of the caller. The layout of each packet is in its own file below `packet/`.

mod reader;
mod writer;

use std::fmt;

use crate::limits::{CONNECT_BYTES_MAX, HEADER_BYTES_MAX, REMAINING_BYTES_MAX};
use crate::packet::{Ack, Auth, ConnAck, Connect, Disconnect, Kind, Packet, Publish};
use crate::packet::{SubAck, Subscribe, UnsubAck, Unsubscribe};
use crate::topic::TopicFault;
use crate::{Reason, Version};

pub use crate::packet::{PublishParts, encode_publish, publish_bytes};
pub(crate) use reader::{NOT_MINIMAL, Reader};
pub(crate) use writer::{put_field, put_u16, put_variable, variable_bytes};

/// A rule that a peer broke. Any of them ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What a 5.0 peer is told.
    pub reason: Reason,
    /// The statement broken: its id in MQTT 3.1.1 (`MQTT-3.1.2-3`), a section of 5.0 where only that has the rule
    /// (`5.0 § 3.8.3.1`), or the name of one of our [limits](crate::limits).
    pub clause: &'static str,
    /// What the peer did, as the start of a sentence.
    pub what: &'static str,
}

impl Violation {
    /// Any violation.
    pub const fn new(reason: Reason, clause: &'static str, what: &'static str) -> Violation {
        Violation { reason, clause, what }
    }

    /// The bytes cannot be what they claim to be.
    pub const fn malformed(clause: &'static str, what: &'static str) -> Violation {
        Violation::new(Reason::MALFORMED_PACKET, clause, what)
    }

    /// The bytes can be read, but say what may not be said.
    pub const fn protocol(clause: &'static str, what: &'static str) -> Violation {
        Violation::new(Reason::PROTOCOL_ERROR, clause, what)
    }

    /// A text is not a topic name. Within our bounds it is malformed; beyond them it is only not for us.
    pub(crate) fn of_name(fault: TopicFault) -> Violation {
        Violation::of_topic(fault, Reason::TOPIC_NAME_INVALID)
    }

    /// A text is not a topic filter; see [`Violation::of_name`].
    pub(crate) fn of_filter(fault: TopicFault) -> Violation {
        Violation::of_topic(fault, Reason::TOPIC_FILTER_INVALID)
    }

    fn of_topic(fault: TopicFault, beyond_our_bounds: Reason) -> Violation {
        let reason = match fault {
            TopicFault::TooLong | TopicFault::TooDeep => beyond_our_bounds,
            _ => Reason::MALFORMED_PACKET,
        };
        Violation::new(reason, fault.clause(), fault.what())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.what, self.clause)
    }
}

impl std::error::Error for Violation {}

/// How far a buffer reaches into its first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The packet goes on. At least `needed` more bytes have to be read; once the length field is there, exactly that
    /// many.
    Incomplete {
        /// Bytes beyond those in the buffer.
        needed: usize,
    },
    /// The first `len` bytes of the buffer are one packet.
    Whole {
        /// Bytes of the packet with its fixed header.
        len: usize,
    },
}

/// Finds the end of the packet that `buf` starts with. `packet_bytes_max` bounds the whole packet with its header; a
/// longer one is refused from its header alone, as are a length field of more than four bytes and packet type 0.
pub fn frame(buf: &[u8], packet_bytes_max: usize) -> Result<Frame, Violation> {
    let Some((&first, rest)) = buf.split_first() else { return Ok(Frame::Incomplete { needed: 2 }) };
    if first >> 4 == 0 {
        return Err(RESERVED_TYPE);
    }
    let Some(length) = reader::remaining_length(rest)? else { return Ok(Frame::Incomplete { needed: 1 }) };
    let len = 1 + length.bytes + length.value;
    if len > packet_bytes_max {
        return Err(Violation::new(
            Reason::PACKET_TOO_LARGE,
            "packet_bytes_max",
            "a packet is longer than allowed",
        ));
    }
    Ok(if len > buf.len() { Frame::Incomplete { needed: len - buf.len() } } else { Frame::Whole { len } })
}

/// [`frame`] for the first packet of a connection: bounded by [`CONNECT_BYTES_MAX`], and anything but a CONNECT is
/// refused from its first byte, so that a stranger cannot make us wait for the rest of it.
pub fn frame_first(buf: &[u8]) -> Result<Frame, FirstFault> {
    match buf.first() {
        Some(&first) if first >> 4 != Kind::Connect as u8 => Err(FirstFault::NotConnect(FIRST_NOT_CONNECT)),
        _ => frame(buf, CONNECT_BYTES_MAX).map_err(FirstFault::NotConnect),
    }
}

/// Why a first packet is not a CONNECT that we can go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFault {
    /// Not a CONNECT, or broken before the version could be read. Close without an answer. [MQTT-3.1.0-1]
    NotConnect(Violation),
    /// A CONNECT of some other protocol. Close without an answer. [MQTT-3.1.2-1]
    UnknownProtocol(Violation),
    /// MQTT at a level that we do not speak. Answer, then close. [MQTT-3.1.2-2]
    UnsupportedLevel {
        /// What the client asked for.
        level: u8,
        /// The known version whose form of CONNACK the client will most likely read.
        answer: Version,
    },
    /// A CONNECT of a known version that breaks a rule. A 5.0 client may be told; before 5.0 close without an answer.
    /// [MQTT-3.1.4-1]
    Broken {
        /// The version that the client speaks.
        version: Version,
        /// The rule broken.
        violation: Violation,
    },
}

impl FirstFault {
    /// The rule broken, for the log.
    pub fn violation(&self) -> Violation {
        match *self {
            FirstFault::NotConnect(violation) | FirstFault::UnknownProtocol(violation) => violation,
            FirstFault::Broken { violation, .. } => violation,
            FirstFault::UnsupportedLevel { .. } => Violation::new(
                Reason::UNSUPPORTED_PROTOCOL_VERSION,
                "MQTT-3.1.2-2",
                "CONNECT asks for a protocol level that this server does not speak",
            ),
        }
    }

    /// The CONNACK to send before closing, and the version to encode it in; `None` to close without an answer.
    pub fn connack(&self) -> Option<(Version, ConnAck<'static>)> {
        let (version, code) = match *self {
            FirstFault::NotConnect(_) | FirstFault::UnknownProtocol(_) => return None,
            FirstFault::UnsupportedLevel { answer: Version::V5, .. } => {
                (Version::V5, Reason::UNSUPPORTED_PROTOCOL_VERSION.0)
            }
            FirstFault::UnsupportedLevel { answer, .. } => (answer, ConnAck::UNACCEPTABLE_PROTOCOL_VERSION),
            FirstFault::Broken { version: Version::V5, violation } => (Version::V5, violation.reason.0),
            FirstFault::Broken { .. } => return None,
        };
        Some((version, ConnAck::refusal(code)))
    }
}

impl fmt::Display for FirstFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violation().fmt(f)
    }
}

impl std::error::Error for FirstFault {}

const RESERVED_TYPE: Violation = Violation::malformed("§ 2.2.1", "a packet has a reserved type");
const FIRST_NOT_CONNECT: Violation = Violation::protocol("MQTT-3.1.0-1", "the first packet is not a CONNECT");

/// Reads the first packet of a connection, given whole. Insists on CONNECT, whose version is the connection's.
pub fn decode_first(packet: &[u8]) -> Result<Connect<'_>, FirstFault> {
    match packet.first() {
        Some(&first) if first >> 4 == Kind::Connect as u8 => {}
        _ => return Err(FirstFault::NotConnect(FIRST_NOT_CONNECT)),
    }
    let body = open(packet, Version::V311)
        .and_then(|(kind, flags, body)| check_flags(kind, flags, Flags::Strict).map(|()| body));
    Connect::decode(body.map_err(FirstFault::NotConnect)?, packet)
}

/// Reads one whole packet of either side. A CONNECT is read in the version that it names itself.
pub fn decode(packet: &[u8], version: Version) -> Result<Packet<'_>, Violation> {
    decode_from(packet, version, Sender::Either, Flags::Strict)
}

/// [`decode`] for a server: refuses as well what only a server may send.
pub fn decode_from_client(packet: &[u8], version: Version) -> Result<Packet<'_>, Violation> {
    decode_from(packet, version, Sender::Client, Flags::Strict)
}

/// [`decode_from_client`] for clients that leave the reserved bits of SUBSCRIBE, UNSUBSCRIBE and PUBREL cleared, as
/// some makers' documents print them (spec onenet 2.2). Ask it about a packet that [`decode_from_client`] has refused.
pub fn decode_from_lax_client(packet: &[u8], version: Version) -> Result<Packet<'_>, Violation> {
    decode_from(packet, version, Sender::Client, Flags::MayBeCleared)
}

/// How the reserved bits of a fixed header are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    /// They are what the standard says.
    Strict,
    /// Where the standard has them set, they may be cleared.
    MayBeCleared,
}

/// Whose rules a packet has to obey.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client or a server.
    Either,
    /// A client, which may say less.
    Client,
}

fn decode_from(
    packet: &[u8],
    version: Version,
    sender: Sender,
    reading: Flags,
) -> Result<Packet<'_>, Violation> {
    let (kind, flags, mut body) = open(packet, version)?;
    // The one packet whose cost is felt goes first. Its payload reaches to the end, so nothing can follow it.
    if kind == Kind::Publish {
        return Ok(Packet::Publish(Publish::decode(flags, body, version, sender)?));
    }
    check_flags(kind, flags, reading)?;
    if sender == Sender::Client && kind.is_from_server_only() {
        return Err(Violation::protocol("§ 2.2.1", "a client sent a packet that only a server may send"));
    }
    let body_of = &mut body;
    let decoded = match kind {
        Kind::PubAck => Packet::PubAck(Ack::decode(kind, body_of, version)?),
        Kind::PubRec => Packet::PubRec(Ack::decode(kind, body_of, version)?),
        Kind::PubRel => Packet::PubRel(Ack::decode(kind, body_of, version)?),
        Kind::PubComp => Packet::PubComp(Ack::decode(kind, body_of, version)?),
        Kind::PingReq => Packet::PingReq,
        Kind::PingResp => Packet::PingResp,
        Kind::Subscribe => Packet::Subscribe(Subscribe::decode(body_of, version)?),
        Kind::SubAck => Packet::SubAck(SubAck::decode(body_of, version)?),
        Kind::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(body_of, version)?),
        Kind::UnsubAck => Packet::UnsubAck(UnsubAck::decode(body_of, version)?),
        Kind::Disconnect => Packet::Disconnect(Disconnect::decode(body_of, version, sender)?),
        Kind::Auth => Packet::Auth(Auth::decode(body_of)?),
        Kind::ConnAck => Packet::ConnAck(ConnAck::decode(body_of, version)?),
        Kind::Connect => return decode_first(packet).map(Packet::Connect).map_err(|fault| fault.violation()),
        Kind::Will | Kind::Publish => return Err(RESERVED_TYPE),
    };
    body.finish()?;
    Ok(decoded)
}

/// Takes the fixed header off. `packet` has to be exactly one packet.
fn open(packet: &[u8], version: Version) -> Result<(Kind, u8, Reader<'_>), Violation> {
    const LENGTH: Violation =
        Violation::malformed("§ 2.2.3", "a packet is not as long as its length field says");
    let (&first, rest) = packet.split_first().ok_or(LENGTH)?;
    let kind = Kind::from_bits(first >> 4).ok_or(RESERVED_TYPE)?;
    if kind == Kind::Auth && version != Version::V5 {
        return Err(RESERVED_TYPE);
    }
    let length = reader::remaining_length(rest)?.ok_or(LENGTH)?;
    if version == Version::V5 && length.bytes != variable_bytes(length.value) {
        return Err(NOT_MINIMAL);
    }
    let body = rest.get(length.bytes..).filter(|body| body.len() == length.value).ok_or(LENGTH)?;
    Ok((kind, first & 0x0F, Reader::new(body)))
}

/// The low four bits of the first byte, which say something in PUBLISH only.
fn check_flags(kind: Kind, flags: u8, reading: Flags) -> Result<(), Violation> {
    let (expected, clause) = match kind {
        Kind::Publish => return Ok(()),
        Kind::PubRel => (0b0010, "MQTT-3.6.1-1"),
        Kind::Subscribe => (0b0010, "MQTT-3.8.1-1"),
        Kind::Unsubscribe => (0b0010, "MQTT-3.10.1-1"),
        Kind::Disconnect => (0, "MQTT-3.14.1-1"),
        _ => (0, "MQTT-2.2.2-2"),
    };
    if flags == expected || (flags == 0 && reading == Flags::MayBeCleared) {
        Ok(())
    } else {
        Err(Violation::malformed(clause, "reserved bits of a fixed header are set"))
    }
}

/// Appends a packet in the form of `version`. What that version has no place for is left out. The caller answers for
/// the facts that [`decode`] would check; a field longer than its two-byte length can say is cut.
pub fn encode(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    let kind = packet.kind();
    if let Packet::Publish(publish) = packet {
        return encode_publish(out, version, &PublishParts::from(publish));
    }
    let flags = match kind {
        Kind::PubRel | Kind::Subscribe | Kind::Unsubscribe => 0b0010,
        _ => 0,
    };
    let start = out.len();
    out.extend_from_slice(&[(kind as u8) << 4 | flags, 0]);
    match packet {
        Packet::Connect(connect) => connect.encode(out),
        Packet::ConnAck(connack) => connack.encode(version, out),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.encode(version, out);
        }
        Packet::Subscribe(subscribe) => subscribe.encode(version, out),
        Packet::SubAck(suback) => suback.encode(version, out),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
        Packet::UnsubAck(unsuback) => unsuback.encode(version, out),
        Packet::Disconnect(disconnect) => disconnect.encode(version, out),
        Packet::Auth(auth) => auth.encode(out),
        Packet::Publish(_) | Packet::PingReq | Packet::PingResp => {}
    }
    close(out, start);
}

/// Fills in the remaining length of the packet that starts at `start` with one byte left for it. Few packets but
/// PUBLISH, which knows its length beforehand, need a second byte.
fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start - 2;
    debug_assert!(length <= REMAINING_BYTES_MAX, "a packet too long to be said");
    if length < 0x80 {
        out[start + 1] = length as u8;
        return;
    }
    let mut field = Vec::with_capacity(HEADER_BYTES_MAX);
    put_variable(&mut field, length);
    out.splice(start + 1..start + 2, field);
}
