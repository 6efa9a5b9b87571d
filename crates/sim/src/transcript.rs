//! Transcripts: what clients say to a server and hear from it, as text that is a test and a document at once.
//!
//! [`parse`] turns a text into [`Step`]s; whoever runs them decides what a server is: the dialects' tests use a model,
//! the server's tests real sockets. Nothing here runs anything.
//!
//! # The format
//!
//! One step a line; blank lines and lines that begin with `#` say nothing. A file begins with a comment that names the
//! section of the specification it shows.
//!
//! ```text
//! # Spec 2.7: a gateway speaks for a device nobody registered.
//! given org abc123 · gateway gw/g1 token s3cret · type mote
//! g1> CONNECT v4 id=g:abc123:gw:g1 user=use-token-auth pass=s3cret clean=1
//! g1< CONNACK 0
//! g1> PUBLISH q1 #1 iot-2/type/mote/id/m7/evt/status/fmt/json {"t":21.5}
//! g1< PUBACK #1
//! => registered mote/m7 via gw/g1
//! => point mote/m7 status.t = 21.5
//! ```
//!
//! **`given`** sets the scene, facts separated by `·`: `org O` · `type T` · `type T gateway` · `device T/D token X` ·
//! `device T/D token X disabled` · `gateway T/D token X` (each makes its type) · `key K token X` · `devices-max N` (of
//! the organisation) · `devices-per-gateway-max N` · `registration-fails` (creating a device fails inside the server) ·
//! `rights K|T/D [publish F …] [subscribe F …]` (what a key or device may do: rules of `domain::Rights`) ·
//! `anonymous [publish F …] [subscribe F …]` (clients without credentials are let in, and may do that) ·
//! `login T/D token X` · `login T/D basic [client=…] [user=…] [pass=…]` (a login by which the device is found).
//! `provisioning T new|known KEY SECRET` (devices of the type get their logins by themselves) ·
//! `product T NUMBER KEY CODE` (the type is that product, with this master key and register code) ·
//! `number T/D NUMBER [AUTH]` (the device has that number, and that `auth_info`) · `port DIALECT` (clients connect
//! where only that dialect is spoken).
//!
//! **`name>`** is what client `name` sends. Each CONNECT is a connection of its own; a name whose connection has ended
//! may connect again.
//!
//! * `CONNECT v3|v4|v5 id=… [user=…] [pass=…] clean=0|1 [keep=60]
//!   [will=topic [will-payload=…] [will-qos=1] [will-retain=1]]`:
//!   values hold no spaces; `id=` is empty; in 5.0, `clean=0` also asks to keep the session for ever (a session expiry
//!   interval of 0xFFFFFFFF).
//! * `PUBLISH q0|q1|q2 [#id] [dup] [retain] topic payload`: everything behind the topic is the payload.
//! * `SUBSCRIBE #id q1 filter [q0 filter …]` and `UNSUBSCRIBE #id filter …`; in 5.0 options may follow a quality:
//!   `q1,nl` (no local), `q1,rap` (retain as published), `q1,rh1` (retain handling 1), `q1,rap,rh2` …
//! * `PUBACK #id`, `PUBREC #id`, `PUBREL #id`, `PUBCOMP #id`, `PINGREQ`, `DISCONNECT`
//! * `DROP`: the socket is closed without a DISCONNECT.
//! * `BYTES …`: these bytes, written as a payload of `hex:`; a connection of 3.1.1 begins with them if there is none.
//!
//! **`name<`** is what client `name` hears; `one|other<` is what one of the two hears, no matter which.
//!
//! * `CONNACK code [present]`, `PUBACK #id [reason]`, `PUBREC …`, `PUBREL …`, `PUBCOMP …`, `SUBACK #id code …`,
//!   `UNSUBACK #id [code …]`, `PINGRESP`, `DISCONNECT reason`; numbers are decimal or `0x…`. Reasons and the codes of
//!   UNSUBACK exist in 5.0 only.
//! * `PUBLISH q0|q1|q2 [#id] [dup] [retain] topic payload`
//! * `CLOSED`: the server closes the connection.
//! * `QUIET`: everything sent so far was answered, and nothing has come that is not written above. (A runner finds out
//!   by PINGREQ: nothing but PINGRESP comes before it.)
//!
//! Messages (PUBLISH) come in the order written, and so do all other packets; between a message and another packet
//! there is no order, except that CONNACK is first and CLOSED last. A client hears nothing that is not written: what is
//! left over at its next QUIET, at CLOSED, or at the end of the file, is a failure.
//!
//! A **packet id** that a client chooses is a number. One that the server chooses has a name, `#a`, which stands for
//! whatever number came with it.
//!
//! A **payload** is the text to the end of the line; `*131072` is that many bytes `x`; `hex: 03 00 02 '{}'` is bytes in
//! hexadecimal and as text between quotes; `~{…}` (heard only) is any JSON object in which each of these members has
//! this value, where `null` means that the member is absent.
//!
//! **`!!`** is what an administrator does at that point:
//!
//! * `share T/D {…}`: writes shared attributes; `hide T/D {…}`: server attributes; `unshare T/D key …`: removes shared.
//! * `ask T/D r1 method params`: gives a command and waits for the answer, under the name `r1`; `order T/D r1 …`: waits
//!   for none.
//! * `claim T/D granted|taken|failed|none [secret]`: claims a device for the first API key, with that outcome.
//! * `unclaim T/D`: gives it back.
//! * `remove T/D` · `disable T/D` · `rename T/D T/E`.
//!
//! **`=>`** is what the server knows by then: `registered T/D via gT/gD` · `unknown T/D` · `point T/D key = value`
//! (the newest of that key; a value is `true`, `-3`, `21.5`, `"text"`, `json […]` or `bytes …` as text; `= nothing`:
//! there is none) ·
//! `last T/D event format payload` · `attribute T/D client|shared|server key = value` (`= nothing`: there is none) ·
//! `outcome r1 taken|late|removed|answered …` (what became of a command).

use domain::{Class, Login, Numbered, Product, Provisioning, Reply, Rights, Scope};
use mqtt::{QoS, Version};

mod read;
#[cfg(test)]
mod tests;

pub use read::parse;

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The number of the line, from 1.
    pub line: usize,
    /// What it says.
    pub act: Act,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// It was so before anybody connected. A line with several facts is several steps.
    Given(Given),
    /// A client sends.
    Says {
        /// The client's name in the transcript.
        client: String,
        /// What it sends.
        said: Said,
    },
    /// A client hears.
    Hears {
        /// The client's name in the transcript.
        client: String,
        /// What it hears.
        heard: Heard,
    },
    /// An administrator does something.
    Does(Deed),
    /// The server knows.
    Knows(Fact),
}

/// What was so before anybody connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// An organisation. The facts behind it belong to it.
    Org(String),
    /// A device type.
    Type {
        /// Its name.
        name: String,
        /// Its class.
        class: Class,
    },
    /// A device or gateway, and its type.
    Device {
        /// Which of the two.
        class: Class,
        /// Its names.
        device: DeviceRef,
        /// Its token.
        token: String,
        /// Whether it may connect.
        enabled: bool,
    },
    /// An API key.
    Key {
        /// The key.
        key: String,
        /// Its token.
        token: String,
    },
    /// How many devices the organisation may have.
    DevicesMax(u64),
    /// How many devices one gateway may have registered.
    DevicesPerGatewayMax(u64),
    /// Creating a device fails inside the server.
    RegistrationFails,
    /// What a credential may do.
    Rights {
        /// The API key, or the device as `type/name`.
        holder: String,
        /// What it may do.
        rights: Rights,
    },
    /// Clients without credentials are let in, and may do this.
    Anonymous(Rights),
    /// The login by which a device is found.
    Login {
        /// The device.
        device: DeviceRef,
        /// Its login.
        login: Login,
    },
    /// Devices of a type get their logins by themselves.
    Provisioning {
        /// The type.
        device_type: String,
        /// Which devices, and what they have to show.
        provisioning: Provisioning,
    },
    /// A type is a product.
    Product {
        /// The type.
        device_type: String,
        /// Its number and secrets.
        product: Product,
    },
    /// A device has a number.
    Number {
        /// The device.
        device: DeviceRef,
        /// Its number and password.
        numbered: Numbered,
    },
    /// Clients connect where only this dialect is spoken.
    Port(String),
}

/// What an administrator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Writes attributes.
    Write {
        /// Of this device.
        device: DeviceRef,
        /// In this scope.
        scope: Scope,
        /// A JSON object.
        attributes: String,
    },
    /// Removes shared attributes.
    Unshare {
        /// Of this device.
        device: DeviceRef,
        /// Their keys.
        keys: Vec<String>,
    },
    /// Gives a command.
    Command {
        /// To this device.
        device: DeviceRef,
        /// What the transcript calls it.
        name: String,
        /// Whether an answer is waited for.
        reply: Reply,
        /// What to do.
        method: String,
        /// With what.
        params: String,
    },
    /// Claims a device.
    Claim {
        /// The device.
        device: DeviceRef,
        /// `granted`, `taken`, `failed` or `none`.
        outcome: String,
        /// The secret that is shown.
        secret: String,
    },
    /// Gives a claimed device back.
    Unclaim(DeviceRef),
    /// Removes a device.
    Remove(DeviceRef),
    /// Gives a device another name.
    Rename {
        /// What it is called.
        from: DeviceRef,
        /// What it is called then.
        to: DeviceRef,
    },
    /// Disables a device.
    Disable(DeviceRef),
}

/// A device's names: `type/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceRef {
    /// The name of its type.
    pub device_type: String,
    /// Its name within the type.
    pub name: String,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// CONNECT.
    Connect(Connect),
    /// PUBLISH.
    Publish(Publish),
    /// SUBSCRIBE.
    Subscribe {
        /// Its packet id.
        packet_id: u16,
        /// What it asks for.
        filters: Vec<Asked>,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Its packet id.
        packet_id: u16,
        /// Its filters.
        filters: Vec<String>,
    },
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Ack, PacketId),
    /// PINGREQ.
    Ping,
    /// DISCONNECT.
    Disconnect,
    /// The socket is closed without a DISCONNECT.
    Drop,
    /// Any bytes.
    Bytes(Vec<u8>),
}

/// A filter with what is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The quality.
    pub qos: QoS,
    /// Not the client's own messages (5.0).
    pub no_local: bool,
    /// The retain flag stays as it was published (5.0).
    pub retain_as_published: bool,
    /// When retained messages are sent (5.0).
    pub retain_handling: u8,
    /// The filter.
    pub filter: String,
}

/// A CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Its version.
    pub version: Version,
    /// The client id, which may be empty.
    pub client_id: String,
    /// The user name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Whether the session starts anew (and, before 5.0, ends with the connection).
    pub clean: bool,
    /// Keep-alive in seconds.
    pub keep_alive_s: u16,
    /// The topic of a will.
    pub will: Option<String>,
    /// The will's quality.
    pub will_qos: QoS,
    /// What the will says.
    pub will_payload: String,
    /// The will's retain flag.
    pub will_retain: bool,
}

/// A PUBLISH in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Its quality.
    pub qos: QoS,
    /// Its packet id, where the quality has one.
    pub packet_id: Option<PacketId>,
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Its retain flag.
    pub retain: bool,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Payload,
}

/// A packet id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketId {
    /// Chosen by the client.
    Number(u16),
    /// Chosen by the server: a name for whatever it chose.
    Name(String),
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A JSON object with at least these members: JSON text. A member `null` must be absent.
    Subset(String),
}

/// Which acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ack {
    /// PUBACK.
    Ack,
    /// PUBREC.
    Rec,
    /// PUBREL.
    Rel,
    /// PUBCOMP.
    Comp,
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// CONNACK.
    ConnAck {
        /// Its code, in the numbers of the connection's version.
        code: u8,
        /// Session present.
        present: bool,
    },
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP with its reason: 0 before 5.0.
    Ack(Ack, PacketId, u8),
    /// SUBACK.
    SubAck {
        /// The packet id of the SUBSCRIBE.
        packet_id: u16,
        /// A code for each filter.
        codes: Vec<u8>,
    },
    /// UNSUBACK.
    UnsubAck {
        /// The packet id of the UNSUBSCRIBE.
        packet_id: u16,
        /// A code for each filter; none before 5.0.
        codes: Vec<u8>,
    },
    /// PINGRESP.
    Pong,
    /// DISCONNECT of 5.0, with its reason.
    Disconnect(u8),
    /// The server closes the connection.
    Closed,
    /// Nothing but what is written.
    Quiet,
}

/// What the server knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The device is registered, and this gateway did it.
    Registered {
        /// The device.
        device: DeviceRef,
        /// The gateway.
        gateway: DeviceRef,
    },
    /// The device is not registered.
    Unknown(DeviceRef),
    /// The newest point of a key.
    Point {
        /// The device.
        device: DeviceRef,
        /// The key, `event.member`.
        key: String,
        /// The value; `None` where there must be no point.
        value: Option<PointValue>,
    },
    /// An attribute of a device.
    Attribute {
        /// The device.
        device: DeviceRef,
        /// The attribute's scope.
        scope: Scope,
        /// The key.
        key: String,
        /// The value; `None` where there must be none.
        value: Option<PointValue>,
    },
    /// What became of a command.
    Outcome {
        /// What the transcript calls it.
        name: String,
        /// `taken`, `late`, `removed`, or `answered` with the answer.
        outcome: String,
    },
    /// The last event of a name.
    Last {
        /// The device.
        device: DeviceRef,
        /// The event's name.
        event: String,
        /// Its format.
        format: String,
        /// Its payload.
        payload: Payload,
    },
}

/// A value of a point, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum PointValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// Any other number.
    F64(f64),
    /// `"text"`, without escapes.
    Text(String),
    /// `json …`
    Json(String),
    /// `bytes …`, the bytes as text.
    Bytes(Vec<u8>),
}

impl PointValue {
    /// The same value as the platform has it.
    pub fn as_value(&self) -> domain::Value<'_> {
        match self {
            PointValue::Bool(it) => domain::Value::Bool(*it),
            PointValue::I64(it) => domain::Value::I64(*it),
            PointValue::F64(it) => domain::Value::F64(*it),
            PointValue::Text(it) => domain::Value::Text(it),
            PointValue::Json(it) => domain::Value::Json(it),
            PointValue::Bytes(it) => domain::Value::Bytes(it),
        }
    }
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Mistake {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}
