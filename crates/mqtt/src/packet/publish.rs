//! PUBLISH (section 3.3): a message, in either direction. The one packet whose cost is felt.

use super::Kind;
use crate::codec::{Reader, Sender, Violation, put_u16, put_variable, variable_bytes};
use crate::limits::{FIELD_BYTES_MAX, HEADER_BYTES_MAX};
use crate::property::{self, Properties, PropertyId};
use crate::{QoS, Version, topic};

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// It may have been sent before; never at QoS 0.
    pub dup: bool,
    /// Quality of this hop.
    pub qos: QoS,
    /// From a client: keep it as the topic's last value. From a server: it is such a value.
    pub retain: bool,
    /// A topic name; empty only in 5.0 with a topic alias.
    pub topic: &'a str,
    /// 0 at QoS 0, never 0 otherwise.
    pub packet_id: u16,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// Any bytes.
    pub payload: &'a [u8],
}

const DUP: u8 = 1 << 3;
const QOS_SHIFT: u8 = 1;
const RETAIN: u8 = 1 << 0;

impl<'a> Publish<'a> {
    pub(crate) fn decode(
        flags: u8,
        mut body: Reader<'a>,
        version: Version,
        sender: Sender,
    ) -> Result<Publish<'a>, Violation> {
        const QOS_3: Violation = Violation::malformed("MQTT-3.3.1-4", "PUBLISH has QoS 3");
        const DUP_QOS_0: Violation = Violation::malformed("MQTT-3.3.1-2", "PUBLISH has DUP at QoS 0");
        let (dup, retain) = (flags & DUP != 0, flags & RETAIN != 0);
        let qos = QoS::from_bits(flags >> QOS_SHIFT & 0b11).ok_or(QOS_3)?;
        if dup && qos == QoS::AtMostOnce {
            return Err(DUP_QOS_0);
        }
        let topic = body.text()?;
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { body.packet_id()? };
        let mut properties = Properties::EMPTY;
        if version == Version::V5 {
            properties = body.properties(Kind::Publish)?;
            check_properties(topic, &properties, sender)?;
        }
        if version != Version::V5 || !topic.is_empty() {
            topic::check_name(topic).map_err(Violation::of_name)?;
        }
        Ok(Publish { dup, qos, retain, topic, packet_id, properties, payload: body.rest() })
    }
}

/// What 5.0 asks beyond the table of properties: an empty topic stands for an alias, and the numbers of subscriptions
/// are the server's to tell.
fn check_properties(topic: &str, properties: &Properties<'_>, sender: Sender) -> Result<(), Violation> {
    if topic.is_empty() && properties.topic_alias().is_none() {
        return Err(Violation::protocol(
            "5.0 § 3.3.2.1",
            "PUBLISH has neither a topic name nor a topic alias",
        ));
    }
    if sender == Sender::Client && properties.subscription_identifiers().next().is_some() {
        return Err(Violation::protocol("5.0 § 3.3.4", "a client's PUBLISH has a subscription identifier"));
    }
    Ok(())
}

/// The parts of a PUBLISH to write. The same parts can be written into many buffers; only what differs between
/// receivers changes in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishParts<'a> {
    /// See [`Publish::dup`].
    pub dup: bool,
    /// See [`Publish::qos`].
    pub qos: QoS,
    /// See [`Publish::retain`].
    pub retain: bool,
    /// The topic name in two parts that are written one after the other; leave one empty where one is enough.
    pub topic: [&'a str; 2],
    /// Not written at QoS 0.
    pub packet_id: u16,
    /// The number that stands for the topic on this connection, 0 for none; with it the topic may be empty. Not
    /// written before 5.0.
    pub alias: u16,
    /// The numbers of the receiver's subscriptions that match, in any order; a 0 says nothing and is left out. Not
    /// written before 5.0.
    pub identifiers: &'a [u32],
    /// Seconds for which the message is still of use: written in place of the message expiry interval in the headers
    /// [MQTT-3.3.2-6 of 5.0]. `None` leaves the headers as they are.
    pub expires_in_s: Option<u32>,
    /// Properties as the bytes of [`Properties::as_bytes`]. Not written before 5.0.
    pub headers: &'a [u8],
    /// Any bytes.
    pub payload: &'a [u8],
}

impl<'a> From<&Publish<'a>> for PublishParts<'a> {
    fn from(publish: &Publish<'a>) -> PublishParts<'a> {
        PublishParts {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: [publish.topic, ""],
            packet_id: publish.packet_id,
            headers: publish.properties.as_bytes(),
            payload: publish.payload,
            ..PublishParts::default()
        }
    }
}

impl PublishParts<'_> {
    fn topic_bytes(&self) -> usize {
        self.topic[0].len() + self.topic[1].len()
    }

    fn properties_bytes(&self) -> usize {
        let alias_bytes = if self.alias == 0 { 0 } else { 3 };
        let identifiers = self.identifiers.iter().filter(|it| **it != 0);
        let identifier_bytes: usize = identifiers.map(|it| 1 + variable_bytes(*it as usize)).sum();
        alias_bytes + identifier_bytes + self.headers.len()
    }

    fn encode_properties(&self, out: &mut Vec<u8>) {
        put_variable(out, self.properties_bytes());
        if self.alias != 0 {
            out.push(PropertyId::TopicAlias as u8);
            put_u16(out, self.alias);
        }
        for identifier in self.identifiers.iter().filter(|it| **it != 0) {
            out.push(PropertyId::SubscriptionIdentifier as u8);
            put_variable(out, *identifier as usize);
        }
        let start = out.len();
        out.extend_from_slice(self.headers);
        if let Some(expires_in_s) = self.expires_in_s
            && let Some(headers) = out.get_mut(start..)
        {
            property::set_message_expiry(headers, expires_in_s);
        }
    }

    fn remaining_bytes(&self, version: Version) -> usize {
        let packet_id_bytes = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let properties_bytes = match version {
            Version::V5 => {
                let bytes = self.properties_bytes();
                variable_bytes(bytes) + bytes
            }
            _ => 0,
        };
        2 + self.topic_bytes() + packet_id_bytes + properties_bytes + self.payload.len()
    }
}

/// Bytes that [`encode_publish`] will append, header included: what a receiver's maximum packet size is held against.
pub fn publish_bytes(version: Version, parts: &PublishParts<'_>) -> usize {
    let remaining = parts.remaining_bytes(version);
    1 + variable_bytes(remaining) + remaining
}

/// Appends one PUBLISH, every byte written once. The topic's parts together have at most 65,535 bytes.
pub fn encode_publish(out: &mut Vec<u8>, version: Version, parts: &PublishParts<'_>) {
    debug_assert!(parts.topic_bytes() <= FIELD_BYTES_MAX, "a topic too long to be said");
    let remaining = parts.remaining_bytes(version);
    out.reserve(HEADER_BYTES_MAX + remaining);
    let dup = if parts.dup { DUP } else { 0 };
    let retain = if parts.retain { RETAIN } else { 0 };
    out.push((Kind::Publish as u8) << 4 | dup | (parts.qos as u8) << QOS_SHIFT | retain);
    put_variable(out, remaining);
    put_u16(out, parts.topic_bytes() as u16);
    out.extend_from_slice(parts.topic[0].as_bytes());
    out.extend_from_slice(parts.topic[1].as_bytes());
    if parts.qos != QoS::AtMostOnce {
        put_u16(out, parts.packet_id);
    }
    if version == Version::V5 {
        parts.encode_properties(out);
    }
    out.extend_from_slice(parts.payload);
}
