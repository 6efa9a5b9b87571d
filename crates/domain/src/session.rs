//! What must survive of a session: who it belongs to, what it subscribed to, what waits for it.

use std::sync::Arc;

use crate::{Message, Millis, OrgId, QoS};

/// A stored session's own id, unique in the installation and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A session that outlives its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Its organisation.
    pub org: OrgId,
    /// The topic space it subscribes in: the name of its dialect.
    pub dialect: String,
    /// Its key within the dialect: the client id, as a rule.
    pub key: String,
    /// When it was created.
    pub created_ms: Millis,
    /// Seconds for which it outlives its connection (MQTT 5 session expiry interval); `u32::MAX` for ever.
    pub expiry_s: u32,
    /// When it ends, unless its client comes back; 0 while its client is connected, and for one that never ends.
    pub ends_ms: Millis,
}

/// A subscription of a stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The filter as the client wrote it: its identity within the session.
    pub filter: String,
    /// The filter it stands for in the topic space; `None` when it is accepted but can never match.
    pub route: Option<String>,
    /// The share group, for a subscription whose messages go to one member each.
    pub share: Option<String>,
    /// The granted quality.
    pub qos: QoS,
    /// Dialect-independent options of MQTT 5: no-local (bit 0), retain-as-published (bit 1).
    pub options: u8,
    /// MQTT 5 subscription identifier; 0 = none.
    pub identifier: u32,
    /// Filters of the topic space whose messages are withheld, although the route matches them.
    pub except: Vec<String>,
}

/// A packet id of a QoS 2 message that was received from the client and not yet released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Chosen by the client.
    pub packet_id: u16,
    /// The message, where it goes on only when it is released; `None` where it went on when it came.
    pub message: Option<Unreleased>,
}

/// A QoS 2 message that goes on when its sender releases it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreleased {
    /// The message, under its topic in the topic space's own form.
    pub message: Arc<Message>,
    /// Whether it becomes the retained message of its topic.
    pub retain: bool,
    /// When it expires by its publisher's word; 0 = never.
    pub expires_ms: Millis,
}

/// A message in a session's queue: waiting, or sent and not yet acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the queue, 1 and up, in the order of commits. The packet id is derived from it.
    pub seq: u64,
    /// The quality it is delivered with.
    pub qos: QoS,
    /// The retain flag it is delivered with.
    pub retain: bool,
    /// MQTT 5 identifiers of the subscriptions that it matches.
    pub identifiers: Box<[u32]>,
    /// When it stops being worth delivering; 0 = never.
    pub deadline_ms: Millis,
    /// When it expires by its publisher's word, which the receiver is told; 0 = never.
    pub expires_ms: Millis,
    /// The message; `None` once the receiver has answered PUBREC and only PUBREL and PUBCOMP are left.
    pub message: Option<Arc<Message>>,
}
