//! The properties of MQTT 5.0 (section 2.2.2): one table says what each is, who may carry it and what it may say.
//!
//! Packets keep their properties as the bytes they came as, checked once against the table; whoever wants one walks
//! them. Dialects and the hub pass the bytes on as a message's headers. Nothing here is used before 5.0.

use std::borrow::Cow;
use std::ops::Range;

use crate::codec::{Reader, Violation, put_field, put_u16, put_variable};
use crate::limits::{SUBSCRIPTION_IDENTIFIER_COUNT_MAX, USER_PROPERTY_COUNT_MAX};
use crate::packet::{Carriers, Kind};
use crate::{Reason, topic};

/// What a property says, in the form it has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// One byte.
    Byte(u8),
    /// Two bytes.
    Two(u16),
    /// Four bytes.
    Four(u32),
    /// One to four bytes, up to 268,435,455.
    Variable(u32),
    /// UTF-8 text of up to 65,535 bytes.
    Text(&'a str),
    /// Up to 65,535 bytes.
    Data(&'a [u8]),
    /// A name and a value.
    Pair(&'a str, &'a str),
}

/// One property of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Which.
    pub id: PropertyId,
    /// What it says.
    pub value: Value<'a>,
}

/// The form of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Byte,
    Two,
    Four,
    Variable,
    Text,
    Data,
    Pair,
}

/// What a value has to obey beyond its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Any,
    /// 0 or 1.
    Flag,
    /// Not 0; the reason to give for it.
    NotZero(Reason),
    /// A topic name without wildcards.
    TopicName,
}

/// How often a property may come in one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    /// Up to so many times in packets of these kinds, once in others.
    Repeated(Carriers, usize),
}

/// One row of the table.
struct Row {
    id: PropertyId,
    name: &'static str,
    shape: Shape,
    carriers: Carriers,
    times: Times,
    rule: Rule,
}

const MESSAGE: Carriers = Carriers::of(&[Kind::Publish, Kind::Will]);
const PUBLISH: Carriers = Carriers::of(&[Kind::Publish]);
const WILL: Carriers = Carriers::of(&[Kind::Will]);
const CONNECT: Carriers = Carriers::of(&[Kind::Connect]);
const CONNACK: Carriers = Carriers::of(&[Kind::ConnAck]);
const OPENING: Carriers = CONNECT.and(CONNACK);
const AUTHENTICATION: Carriers = OPENING.and(Carriers::of(&[Kind::Auth]));
const DISCONNECT: Carriers = Carriers::of(&[Kind::Disconnect]);
const LABELLED: Carriers = PUBLISH.and(Carriers::of(&[Kind::Subscribe]));
const ANSWERS: Carriers = CONNACK.and(DISCONNECT).and(Carriers::of(&[
    Kind::PubAck,
    Kind::PubRec,
    Kind::PubRel,
    Kind::PubComp,
    Kind::SubAck,
    Kind::UnsubAck,
    Kind::Auth,
]));
const ALL: Carriers =
    ANSWERS.and(MESSAGE).and(CONNECT).and(Carriers::of(&[Kind::Subscribe, Kind::Unsubscribe]));

const ANY: Rule = Rule::Any;
const FLAG: Rule = Rule::Flag;
const NOT_ZERO: Rule = Rule::NotZero(Reason::PROTOCOL_ERROR);
const ALIAS: Rule = Rule::NotZero(Reason::TOPIC_ALIAS_INVALID);
const TOPIC: Rule = Rule::TopicName;
const ONCE: Times = Times::Once;
const LABELS: Times = Times::Repeated(PUBLISH, SUBSCRIPTION_IDENTIFIER_COUNT_MAX);
const USER: Times = Times::Repeated(ALL, USER_PROPERTY_COUNT_MAX);

/// Declares the identifiers and the table from the same rows, so that neither can miss one.
macro_rules! properties {
    ($(
        $id:ident = $number:literal, $name:literal, $shape:ident, $carriers:ident, $times:ident, $rule:ident;
    )+) => {
        /// Which property, by its number on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $(
                #[doc = concat!("`", stringify!($number), "`: ", $name, " (", stringify!($shape), ").")]
                $id = $number,
            )+
        }

        const TABLE: &[Row] = &[
            $(Row {
                id: PropertyId::$id,
                name: $name,
                shape: Shape::$shape,
                carriers: $carriers,
                times: $times,
                rule: $rule,
            },)+
        ];
    };
}

properties! {
    PayloadFormatIndicator = 0x01, "payload format indicator", Byte, MESSAGE, ONCE, FLAG;
    MessageExpiryInterval = 0x02, "message expiry interval", Four, MESSAGE, ONCE, ANY;
    ContentType = 0x03, "content type", Text, MESSAGE, ONCE, ANY;
    ResponseTopic = 0x08, "response topic", Text, MESSAGE, ONCE, TOPIC;
    CorrelationData = 0x09, "correlation data", Data, MESSAGE, ONCE, ANY;
    SubscriptionIdentifier = 0x0B, "subscription identifier", Variable, LABELLED, LABELS, NOT_ZERO;
    SessionExpiryInterval = 0x11, "session expiry interval", Four, EXPIRY, ONCE, ANY;
    AssignedClientIdentifier = 0x12, "assigned client identifier", Text, CONNACK, ONCE, ANY;
    ServerKeepAlive = 0x13, "server keep alive", Two, CONNACK, ONCE, ANY;
    AuthenticationMethod = 0x15, "authentication method", Text, AUTHENTICATION, ONCE, ANY;
    AuthenticationData = 0x16, "authentication data", Data, AUTHENTICATION, ONCE, ANY;
    RequestProblemInformation = 0x17, "request problem information", Byte, CONNECT, ONCE, FLAG;
    WillDelayInterval = 0x18, "will delay interval", Four, WILL, ONCE, ANY;
    RequestResponseInformation = 0x19, "request response information", Byte, CONNECT, ONCE, FLAG;
    ResponseInformation = 0x1A, "response information", Text, CONNACK, ONCE, ANY;
    ServerReference = 0x1C, "server reference", Text, FAREWELL, ONCE, ANY;
    ReasonString = 0x1F, "reason string", Text, ANSWERS, ONCE, ANY;
    ReceiveMaximum = 0x21, "receive maximum", Two, OPENING, ONCE, NOT_ZERO;
    TopicAliasMaximum = 0x22, "topic alias maximum", Two, OPENING, ONCE, ANY;
    TopicAlias = 0x23, "topic alias", Two, PUBLISH, ONCE, ALIAS;
    MaximumQos = 0x24, "maximum QoS", Byte, CONNACK, ONCE, FLAG;
    RetainAvailable = 0x25, "retain available", Byte, CONNACK, ONCE, FLAG;
    UserProperty = 0x26, "user property", Pair, ALL, USER, ANY;
    MaximumPacketSize = 0x27, "maximum packet size", Four, OPENING, ONCE, NOT_ZERO;
    WildcardSubscriptionAvailable = 0x28, "wildcard subscription available", Byte, CONNACK, ONCE, FLAG;
    SubscriptionIdentifiersAvailable = 0x29, "subscription identifiers available", Byte, CONNACK, ONCE, FLAG;
    SharedSubscriptionAvailable = 0x2A, "shared subscription available", Byte, CONNACK, ONCE, FLAG;
}

const EXPIRY: Carriers = OPENING.and(DISCONNECT);
const FAREWELL: Carriers = CONNACK.and(DISCONNECT);

impl PropertyId {
    /// The property's name in the words of the standard, lower case.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether a packet of this kind may carry the property.
    pub fn may_be_in(self, kind: Kind) -> bool {
        self.row().carriers.contains(kind)
    }

    /// How many times a packet of this kind may carry the property; 0 where it has no place.
    pub fn count_max(self, kind: Kind) -> usize {
        self.row().count_max(kind)
    }

    /// Whether the property is about one connection, or about a will that is not a message yet, and does not travel on
    /// with the message.
    const fn stays_behind(self) -> bool {
        use PropertyId::{SubscriptionIdentifier, TopicAlias, WillDelayInterval};
        matches!(self, TopicAlias | SubscriptionIdentifier | WillDelayInterval)
    }

    /// All 27, by number.
    pub fn all() -> impl Iterator<Item = PropertyId> {
        TABLE.iter().map(|row| row.id)
    }

    fn row(self) -> &'static Row {
        // The table holds every identifier because one macro wrote both.
        TABLE.iter().find(|row| row.id == self).unwrap_or(&TABLE[0])
    }
}

impl Row {
    /// Where the row of a number is in the table.
    fn position(number: usize) -> Option<usize> {
        TABLE.binary_search_by_key(&number, |row| row.id as usize).ok()
    }

    fn count_max(&self, kind: Kind) -> usize {
        match self.times {
            _ if !self.carriers.contains(kind) => 0,
            Times::Repeated(kinds, count_max) if kinds.contains(kind) => count_max,
            _ => 1,
        }
    }

    fn read<'a>(&self, reader: &mut Reader<'a>) -> Result<Value<'a>, Violation> {
        Ok(match self.shape {
            Shape::Byte => Value::Byte(reader.u8()?),
            Shape::Two => Value::Two(reader.u16()?),
            Shape::Four => Value::Four(reader.u32()?),
            Shape::Variable => Value::Variable(reader.variable()? as u32),
            Shape::Text => Value::Text(reader.text()?),
            Shape::Data => Value::Data(reader.data()?),
            Shape::Pair => Value::Pair(reader.text()?, reader.text()?),
        })
    }

    fn check(&self, value: Value<'_>) -> Result<(), Violation> {
        match (self.rule, value) {
            (Rule::Flag, Value::Byte(2..)) => {
                Err(Violation::protocol("5.0 § 2.2.2", "a property that is 0 or 1 says something else"))
            }
            (Rule::NotZero(reason), Value::Two(0) | Value::Four(0) | Value::Variable(0)) => {
                Err(Violation::new(reason, "5.0 § 2.2.2", "a property that may not be 0 is 0"))
            }
            (Rule::TopicName, Value::Text(name)) => topic::check_name(name)
                .map_err(|_| Violation::protocol("5.0 § 3.3.2.3.5", "a response topic is not a topic name")),
            _ => Ok(()),
        }
    }
}

/// The properties of one packet, checked, as the bytes they have on the wire without the length before them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    bytes: &'a [u8],
}

impl<'a> Properties<'a> {
    /// None.
    pub const EMPTY: Properties<'static> = Properties { bytes: &[] };

    /// Checks bytes against what a packet of this kind may carry.
    pub fn new(bytes: &'a [u8], kind: Kind) -> Result<Properties<'a>, Violation> {
        const UNKNOWN: Violation = Violation::malformed("5.0 § 2.2.2.2", "a property is unknown");
        const MISPLACED: Violation =
            Violation::malformed("5.0 § 2.2.2.2", "a property is in a packet that may not carry it");
        const TWICE: Violation =
            Violation::protocol("5.0 § 2.2.2.2", "a property that may come once comes twice");
        const TOO_MANY: Violation = Violation::new(
            Reason::QUOTA_EXCEEDED,
            "USER_PROPERTY_COUNT_MAX, SUBSCRIPTION_IDENTIFIER_COUNT_MAX",
            "a property comes more often than this server takes",
        );
        let mut counts = [0usize; TABLE.len()];
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let position = Row::position(reader.variable()?).ok_or(UNKNOWN)?;
            let (row, count) = (&TABLE[position], &mut counts[position]);
            *count += 1;
            match row.count_max(kind) {
                0 => return Err(MISPLACED),
                1 if *count > 1 => return Err(TWICE),
                count_max if *count > count_max => return Err(TOO_MANY),
                _ => row.check(row.read(&mut reader)?)?,
            }
        }
        let properties = Properties { bytes };
        let has_data = !bytes.is_empty() && properties.authentication_data().is_some();
        if has_data && properties.authentication_method().is_none() {
            return Err(Violation::protocol(
                "5.0 § 3.1.2.11.10",
                "authentication data comes without a method",
            ));
        }
        Ok(properties)
    }

    /// Takes bytes that were checked before, such as the headers of a stored message.
    pub const fn stored(bytes: &'a [u8]) -> Properties<'a> {
        Properties { bytes }
    }

    /// The bytes on the wire, without the length before them.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Appends the properties with their length before them.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_variable(out, self.bytes.len());
        out.extend_from_slice(self.bytes);
    }

    /// What travels with a message from its publisher to its receivers, in the order it came: everything but what
    /// concerns one connection only (topic alias, subscription identifiers) or the will before it is a message (will
    /// delay). For a PUBLISH and for a will alike. Copies only where something in the middle has to go.
    pub fn travelling(&self) -> Cow<'a, [u8]> {
        let (mut copied, mut run) = (Vec::new(), 0..0);
        for (_, span) in self.spans().filter(|(property, _)| !property.id.stays_behind()) {
            if run.end != span.start {
                copied.extend_from_slice(self.bytes_at(&run));
                run.start = span.start;
            }
            run.end = span.end;
        }
        let last = self.bytes_at(&run);
        if copied.is_empty() {
            return Cow::Borrowed(last);
        }
        copied.extend_from_slice(last);
        Cow::Owned(copied)
    }

    fn bytes_at(&self, span: &Range<usize>) -> &'a [u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The properties in the order they came. Ends early at bytes that were never checked and cannot be read.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + use<'a> {
        self.spans().map(|(property, _)| property)
    }

    /// The properties and where the bytes of each are.
    fn spans(&self) -> impl Iterator<Item = (Property<'a>, Range<usize>)> + use<'a> {
        let (mut reader, bytes) = (Reader::new(self.bytes), self.bytes.len());
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let start = bytes - reader.len();
            let row = &TABLE[Row::position(reader.variable().ok()?)?];
            let property = Property { id: row.id, value: row.read(&mut reader).ok()? };
            Some((property, start..bytes - reader.len()))
        })
    }

    /// The first value of a property.
    pub fn find(&self, id: PropertyId) -> Option<Value<'a>> {
        self.iter().find(|property| property.id == id).map(|property| property.value)
    }

    fn byte(&self, id: PropertyId) -> Option<u8> {
        if let Some(Value::Byte(value)) = self.find(id) { Some(value) } else { None }
    }

    fn two(&self, id: PropertyId) -> Option<u16> {
        if let Some(Value::Two(value)) = self.find(id) { Some(value) } else { None }
    }

    fn four(&self, id: PropertyId) -> Option<u32> {
        if let Some(Value::Four(value)) = self.find(id) { Some(value) } else { None }
    }

    fn text(&self, id: PropertyId) -> Option<&'a str> {
        if let Some(Value::Text(value)) = self.find(id) { Some(value) } else { None }
    }

    fn data(&self, id: PropertyId) -> Option<&'a [u8]> {
        if let Some(Value::Data(value)) = self.find(id) { Some(value) } else { None }
    }

    /// Whether the payload is declared to be UTF-8 text.
    pub fn payload_is_text(&self) -> bool {
        self.byte(PropertyId::PayloadFormatIndicator) == Some(1)
    }

    /// Seconds for which the message is of use.
    pub fn message_expiry_s(&self) -> Option<u32> {
        self.four(PropertyId::MessageExpiryInterval)
    }

    /// What the payload is, usually a MIME type.
    pub fn content_type(&self) -> Option<&'a str> {
        self.text(PropertyId::ContentType)
    }

    /// Where an answer is to be published.
    pub fn response_topic(&self) -> Option<&'a str> {
        self.text(PropertyId::ResponseTopic)
    }

    /// What an answer has to repeat.
    pub fn correlation_data(&self) -> Option<&'a [u8]> {
        self.data(PropertyId::CorrelationData)
    }

    /// The numbers of the subscriptions that a PUBLISH is for, or the one that a SUBSCRIBE gives.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.iter().filter_map(|property| match (property.id, property.value) {
            (PropertyId::SubscriptionIdentifier, Value::Variable(identifier)) => Some(identifier),
            _ => None,
        })
    }

    /// Seconds for which the session outlives its connection; `u32::MAX` for ever.
    pub fn session_expiry_s(&self) -> Option<u32> {
        self.four(PropertyId::SessionExpiryInterval)
    }

    /// The client id that the server chose.
    pub fn assigned_client_id(&self) -> Option<&'a str> {
        self.text(PropertyId::AssignedClientIdentifier)
    }

    /// Seconds of keep alive that the server asks for instead of the client's.
    pub fn server_keep_alive_s(&self) -> Option<u16> {
        self.two(PropertyId::ServerKeepAlive)
    }

    /// The name of the extended authentication. A server that does not know the method answers CONNECT with
    /// [`Reason::BAD_AUTHENTICATION_METHOD`] and closes [MQTT-4.12.0-1 of 5.0]; this one knows none, so having one is
    /// enough.
    pub fn authentication_method(&self) -> Option<&'a str> {
        self.text(PropertyId::AuthenticationMethod)
    }

    /// The content of the extended authentication.
    pub fn authentication_data(&self) -> Option<&'a [u8]> {
        self.data(PropertyId::AuthenticationData)
    }

    /// Whether the client says in so many words that it takes reason strings and user properties with answers. One
    /// that says nothing counts as taking them too (5.0 section 3.1.2.11.7), but there are clients that cannot read
    /// them, and a server may always leave them out.
    pub fn asks_for_problem_information(&self) -> bool {
        self.byte(PropertyId::RequestProblemInformation) == Some(1)
    }

    /// Whether the client asks for response information in CONNACK.
    pub fn wants_response_information(&self) -> bool {
        self.byte(PropertyId::RequestResponseInformation) == Some(1)
    }

    /// Seconds by which a will is held back.
    pub fn will_delay_s(&self) -> Option<u32> {
        self.four(PropertyId::WillDelayInterval)
    }

    /// Another server to use.
    pub fn server_reference(&self) -> Option<&'a str> {
        self.text(PropertyId::ServerReference)
    }

    /// The reason in words, for people.
    pub fn reason_string(&self) -> Option<&'a str> {
        self.text(PropertyId::ReasonString)
    }

    /// How many QoS 1 and 2 messages the sender is willing to have under way; never 0.
    pub fn receive_maximum(&self) -> Option<u16> {
        self.two(PropertyId::ReceiveMaximum)
    }

    /// The highest topic alias that the sender accepts.
    pub fn topic_alias_maximum(&self) -> Option<u16> {
        self.two(PropertyId::TopicAliasMaximum)
    }

    /// The number that stands for the topic; never 0.
    pub fn topic_alias(&self) -> Option<u16> {
        self.two(PropertyId::TopicAlias)
    }

    /// Bytes of the largest packet that the sender accepts; never 0.
    pub fn maximum_packet_size(&self) -> Option<u32> {
        self.four(PropertyId::MaximumPacketSize)
    }

    /// The user properties as name and value, in order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property.value {
            Value::Pair(name, value) => Some((name, value)),
            _ => None,
        })
    }
}

/// Sets the message expiry interval in the bytes of properties that have one; others stay as they are.
pub(crate) fn set_message_expiry(properties: &mut [u8], expires_in_s: u32) {
    let is_expiry = |id| id == PropertyId::MessageExpiryInterval;
    let found = Properties::stored(properties).spans().find(|(property, _)| is_expiry(property.id));
    let Some((_, span)) = found else { return };
    // The value is the last four bytes of the property.
    if let Some(value) = properties.get_mut(span).and_then(|it| it.last_chunk_mut()) {
        *value = expires_in_s.to_be_bytes();
    }
}

impl std::fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|property| (property.id, property.value))).finish()
    }
}

/// Appends properties to a buffer, whose bytes then are [`Properties`].
///
/// ```
/// use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
///
/// let mut bytes = Vec::new();
/// PropertyWriter::new(&mut bytes).push(PropertyId::ReceiveMaximum, Value::Two(20)).user("site", "north");
/// assert_eq!(Properties::stored(&bytes).receive_maximum(), Some(20));
/// ```
pub struct PropertyWriter<'v> {
    out: &'v mut Vec<u8>,
}

impl<'v> PropertyWriter<'v> {
    /// Starts behind what is in the buffer.
    pub fn new(out: &'v mut Vec<u8>) -> PropertyWriter<'v> {
        PropertyWriter { out }
    }

    /// Appends one property. The value has to have the form that the property has.
    pub fn push(self, id: PropertyId, value: Value<'_>) -> PropertyWriter<'v> {
        let out = self.out;
        out.push(id as u8);
        let shape = match value {
            Value::Byte(value) => {
                out.push(value);
                Shape::Byte
            }
            Value::Two(value) => {
                put_u16(out, value);
                Shape::Two
            }
            Value::Four(value) => {
                out.extend_from_slice(&value.to_be_bytes());
                Shape::Four
            }
            Value::Variable(value) => {
                put_variable(out, value as usize);
                Shape::Variable
            }
            Value::Text(text) => {
                put_field(out, text.as_bytes());
                Shape::Text
            }
            Value::Data(data) => {
                put_field(out, data);
                Shape::Data
            }
            Value::Pair(name, value) => {
                put_field(out, name.as_bytes());
                put_field(out, value.as_bytes());
                Shape::Pair
            }
        };
        debug_assert_eq!(shape, id.row().shape, "{} has another form", id.name());
        PropertyWriter { out }
    }

    /// Appends a user property.
    pub fn user(self, name: &str, value: &str) -> PropertyWriter<'v> {
        self.push(PropertyId::UserProperty, Value::Pair(name, value))
    }
}
