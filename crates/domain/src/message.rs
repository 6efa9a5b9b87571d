//! A message on its way to sessions: rendered once for a topic space, shared by everyone who receives it.

use std::sync::Arc;

use crate::Millis;

/// Delivery quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// Fire and forget.
    AtMostOnce = 0,
    /// Acknowledged.
    AtLeastOnce = 1,
    /// Acknowledged and de-duplicated.
    ExactlyOnce = 2,
}

impl QoS {
    /// From its number on the wire.
    pub fn from_u8(level: u8) -> Option<QoS> {
        match level {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }
}

/// A message as the sessions of one topic space receive it: topic, opaque headers (MQTT 5 properties that travel with
/// the message) and payload, in one allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    bytes: Box<[u8]>,
    topic_len: u32,
    headers_len: u32,
}

impl Message {
    /// Joins the three parts.
    pub fn new(topic: &str, headers: &[u8], payload: &[u8]) -> Message {
        let mut bytes = Vec::with_capacity(topic.len() + headers.len() + payload.len());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(headers);
        bytes.extend_from_slice(payload);
        Message {
            bytes: bytes.into_boxed_slice(),
            topic_len: topic.len() as u32,
            headers_len: headers.len() as u32,
        }
    }

    /// The same, ready to be shared.
    pub fn shared(topic: &str, headers: &[u8], payload: &[u8]) -> Arc<Message> {
        Arc::new(Message::new(topic, headers, payload))
    }

    /// The topic, in the topic space's own form.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.topic_len as usize]).unwrap_or_default()
    }

    /// Properties that travel with the message, in MQTT 5 encoding without their length prefix; often empty.
    pub fn headers(&self) -> &[u8] {
        &self.bytes[self.topic_len as usize..][..self.headers_len as usize]
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[(self.topic_len + self.headers_len) as usize..]
    }

    /// What it costs to keep, in bytes.
    pub fn cost_bytes(&self) -> usize {
        self.bytes.len() + size_of::<Message>()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} {} B)", self.topic(), self.payload().len())
    }
}

/// The last message of a topic, kept for those who subscribe later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The message; its topic is what it is kept under.
    pub message: Arc<Message>,
    /// The quality it was published with.
    pub qos: QoS,
    /// When it expires by its publisher's word; 0 = never.
    pub expires_ms: Millis,
    /// The key of the session whose will it is, where it goes when that session's client comes back.
    pub will_of: Option<Box<str>>,
}

impl Retained {
    /// A message of the server itself: quality 0, good until it is replaced.
    pub fn of_server(message: Arc<Message>) -> Retained {
        Retained { message, qos: QoS::AtMostOnce, expires_ms: 0, will_of: None }
    }
}
