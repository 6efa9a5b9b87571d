//! CONNECT (section 3.1): who a client is, in which version it speaks, and what to publish when it falls silent.

use super::Kind;
use crate::codec::{FirstFault, Reader, Violation, put_field, put_u16, variable_bytes};
use crate::property::Properties;
use crate::{QoS, Version, topic};

/// A client asks to be served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// By protocol name and level.
    pub version: Version,
    /// Forget what is stored of the session (before 5.0: clean session, which also ends it with the connection).
    pub clean_start: bool,
    /// Seconds within which the client will send something; 0 for no promise.
    pub keep_alive_s: u16,
    /// May be empty; whether that is acceptable is the owner's decision.
    pub client_id: &'a str,
    /// What to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will<'a>>,
    /// Any text.
    pub username: Option<&'a str>,
    /// Any bytes; before 5.0 only with a user name.
    pub password: Option<&'a [u8]>,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

/// What to publish when a connection ends without a DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// A topic name.
    pub topic: &'a str,
    /// Any bytes, at most 65,535.
    pub payload: &'a [u8],
    /// Quality to publish with.
    pub qos: QoS,
    /// Whether to retain the message.
    pub retain: bool,
    /// 5.0 only.
    pub properties: Properties<'a>,
}

/// A password is never printed.
impl std::fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .field("properties", &self.properties)
            .finish()
    }
}

const RESERVED: u8 = 1 << 0;
const CLEAN_START: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_QOS: u8 = 0b11 << WILL_QOS_SHIFT;
const WILL_RETAIN: u8 = 1 << 5;
const PASSWORD: u8 = 1 << 6;
const USERNAME: u8 = 1 << 7;

impl<'a> Connect<'a> {
    /// Reads the body of a CONNECT; `packet` is the whole, for the one rule of 5.0 about its header.
    pub(crate) fn decode(mut body: Reader<'a>, packet: &[u8]) -> Result<Connect<'a>, FirstFault> {
        let version = version(&mut body)?;
        let connect = header_is_minimal(packet, version)
            .and_then(|()| Connect::decode_known(&mut body, version))
            .and_then(|connect| body.finish().map(|()| connect));
        connect.map_err(|violation| FirstFault::Broken { version, violation })
    }

    fn decode_known(body: &mut Reader<'a>, version: Version) -> Result<Connect<'a>, Violation> {
        let flags = body.u8()?;
        check_flags(flags, version)?;
        let keep_alive_s = body.u16()?;
        let properties = match version {
            Version::V5 => body.properties(Kind::Connect)?,
            _ => Properties::EMPTY,
        };
        let client_id = body.text()?;
        let will = if flags & WILL != 0 { Some(Will::decode(flags, body, version)?) } else { None };
        // MQTT 3.1 was itself the successor of a protocol without credentials: it lets a packet end before the user
        // name or password that its flags promise.
        let promised =
            |flag, body: &Reader<'_>| flags & flag != 0 && !(version == Version::V31 && body.is_empty());
        let username = if promised(USERNAME, body) { Some(body.text()?) } else { None };
        let password = if promised(PASSWORD, body) { Some(body.data()?) } else { None };
        let clean_start = flags & CLEAN_START != 0;
        Ok(Connect { version, clean_start, keep_alive_s, client_id, will, username, password, properties })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (name, level) = match self.version {
            Version::V31 => ("MQIsdp", 3),
            Version::V311 => ("MQTT", 4),
            Version::V5 => ("MQTT", 5),
        };
        put_field(out, name.as_bytes());
        out.extend_from_slice(&[level, self.flags()]);
        put_u16(out, self.keep_alive_s);
        if self.version == Version::V5 {
            self.properties.encode(out);
        }
        put_field(out, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            if self.version == Version::V5 {
                will.properties.encode(out);
            }
            put_field(out, will.topic.as_bytes());
            put_field(out, will.payload);
        }
        if let Some(username) = self.username {
            put_field(out, username.as_bytes());
        }
        if let Some(password) = self.password {
            put_field(out, password);
        }
    }

    fn flags(&self) -> u8 {
        let will = self.will.as_ref().map_or(0, |will| {
            WILL | (will.qos as u8) << WILL_QOS_SHIFT | if will.retain { WILL_RETAIN } else { 0 }
        });
        let clean_start = if self.clean_start { CLEAN_START } else { 0 };
        let username = self.username.map_or(0, |_| USERNAME);
        let password = self.password.map_or(0, |_| PASSWORD);
        will | clean_start | username | password
    }
}

impl<'a> Will<'a> {
    fn decode(flags: u8, body: &mut Reader<'a>, version: Version) -> Result<Will<'a>, Violation> {
        let properties = match version {
            Version::V5 => body.properties(Kind::Will)?,
            _ => Properties::EMPTY,
        };
        let topic = body.text()?;
        topic::check_name(topic).map_err(Violation::of_name)?;
        let qos = QoS::from_bits((flags & WILL_QOS) >> WILL_QOS_SHIFT).ok_or(WILL_QOS_3)?;
        Ok(Will { topic, payload: body.data()?, qos, retain: flags & WILL_RETAIN != 0, properties })
    }
}

const WILL_QOS_3: Violation = Violation::malformed("MQTT-3.1.2-14", "CONNECT asks for a will at QoS 3");

/// Protocol name and level. An unknown name is not ours to answer; an unknown level of a known name is.
fn version(body: &mut Reader<'_>) -> Result<Version, FirstFault> {
    const UNKNOWN: Violation = Violation::new(
        crate::Reason::UNSUPPORTED_PROTOCOL_VERSION,
        "MQTT-3.1.2-1",
        "CONNECT names another protocol",
    );
    let name = body.data().map_err(FirstFault::NotConnect)?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(FirstFault::UnknownProtocol(UNKNOWN));
    }
    let level = body.u8().map_err(FirstFault::NotConnect)?;
    match (name, level) {
        (b"MQIsdp", 3) => Ok(Version::V31),
        (b"MQTT", 4) => Ok(Version::V311),
        (b"MQTT", 5) => Ok(Version::V5),
        // A successor of 5.0 will know its CONNACK; a level with the top bit set is a bridge of the 3.1 family.
        (b"MQTT", 6..0x80) => Err(FirstFault::UnsupportedLevel { level, answer: Version::V5 }),
        _ => Err(FirstFault::UnsupportedLevel { level, answer: Version::V311 }),
    }
}

/// The fixed header was read before the version was known: 5.0 alone asks for the shortest form of its length.
fn header_is_minimal(packet: &[u8], version: Version) -> Result<(), Violation> {
    let body_bytes =
        packet.iter().skip(1).position(|byte| byte & 0x80 == 0).map_or(0, |at| packet.len() - at - 2);
    let header_bytes = packet.len() - body_bytes;
    if version == Version::V5 && header_bytes != 1 + variable_bytes(body_bytes) {
        return Err(crate::codec::NOT_MINIMAL);
    }
    Ok(())
}

fn check_flags(flags: u8, version: Version) -> Result<(), Violation> {
    if flags & RESERVED != 0 {
        return Err(Violation::malformed("MQTT-3.1.2-3", "the reserved flag of CONNECT is set"));
    }
    if flags & WILL_QOS == WILL_QOS {
        return Err(WILL_QOS_3);
    }
    if flags & WILL == 0 && flags & WILL_QOS != 0 {
        return Err(Violation::malformed("MQTT-3.1.2-13", "CONNECT has a will QoS without a will"));
    }
    if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        return Err(Violation::malformed("MQTT-3.1.2-15", "CONNECT has a will retain flag without a will"));
    }
    if version != Version::V5 && flags & (USERNAME | PASSWORD) == PASSWORD {
        return Err(Violation::malformed("MQTT-3.1.2-22", "CONNECT has a password without a user name"));
    }
    Ok(())
}
