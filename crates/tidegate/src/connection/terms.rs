//! What holds for a client that is let in: for how long its session stays, how long it may be silent, and what a 5.0
//! client is told of that.

use dialects::Leniency;
use domain::{Code, Peer, Refusal};
use mqtt::Version;
use mqtt::packet::Connect;
use mqtt::property::{PropertyId, PropertyWriter, Value};

use super::handshake::{Guest, connack, encoded};
use crate::hub::Hub;
use crate::hub::sessions::NEVER_S;
use crate::limits;

impl Guest<'_> {
    /// Seconds for which the session is to outlive the connection. Before 5.0, clean session means not at all, and
    /// anything else for ever. A session under a client id that nobody chose is found again only by who was told that
    /// id, so that an anonymous client gets none.
    pub(super) fn expiry_s(&self) -> u32 {
        match self.connect.version {
            _ if self.assigned && matches!(self.peer, Peer::Anonymous { .. }) => 0,
            Version::V5 => self.connect.properties.session_expiry_s().unwrap_or(0),
            Version::V31 | Version::V311 if self.connect.clean_start => 0,
            Version::V31 | Version::V311 => NEVER_S,
        }
    }

    /// The keep-alive that holds: the client's, unless dialect or settings bound it (0, none, counts as the longest
    /// then). The settings bound it only for those who can be told.
    pub(super) fn keep_alive_s(&self, hub: &Hub) -> u16 {
        let asked_s = self.connect.keep_alive_s;
        let set_s = hub.limits.keep_alive_s_max;
        let set_s = (set_s != 0 && self.connect.version == Version::V5).then_some(set_s);
        let held_s = match &self.claimed.keep_alive_s {
            Some(held) if asked_s == 0 => *held.end(),
            Some(held) => asked_s.clamp(*held.start(), *held.end()),
            None => asked_s,
        };
        match set_s {
            Some(max_s) if held_s == 0 || held_s > max_s => max_s,
            _ => held_s,
        }
    }

    /// Counts what the client is forgiven.
    pub(super) fn count_leniencies(&self, hub: &Hub, keep_alive_s: u16) {
        if keep_alive_s != self.connect.keep_alive_s && self.dialect.forgives(Leniency::KeepAlive) {
            hub.counters.forgive(Leniency::KeepAlive);
        }
    }

    /// What a 5.0 client is told of the terms; nothing before.
    pub(super) fn connack_properties(&self, hub: &Hub, expiry_s: u32) -> Vec<u8> {
        let mut properties = Vec::new();
        if self.connect.version != Version::V5 {
            return properties;
        }
        let packet_bytes_max = hub.limits.payload_bytes_max + limits::PACKET_OVERHEAD_BYTES_MAX;
        let mut writer = PropertyWriter::new(&mut properties)
            .push(PropertyId::ReceiveMaximum, Value::Two(limits::RECEIVE_COUNT_MAX))
            .push(PropertyId::MaximumPacketSize, Value::Four(packet_bytes_max as u32))
            .push(PropertyId::TopicAliasMaximum, Value::Two(mqtt::limits::TOPIC_ALIAS_COUNT_MAX));
        if self.assigned {
            writer = writer.push(PropertyId::AssignedClientIdentifier, Value::Text(self.connect.client_id));
        }
        if !self.dialect.has_shared_subscriptions() {
            writer = writer.push(PropertyId::SharedSubscriptionAvailable, Value::Byte(0));
        }
        if self.connect.properties.session_expiry_s().is_some_and(|it| it != expiry_s) {
            writer = writer.push(PropertyId::SessionExpiryInterval, Value::Four(expiry_s));
        }
        let keep_alive_s = self.keep_alive_s(hub);
        if keep_alive_s != self.connect.keep_alive_s {
            writer.push(PropertyId::ServerKeepAlive, Value::Two(keep_alive_s));
        }
        properties
    }
}

/// A client that does not take even its CONNACK cannot be told the terms, and so not be let in
/// [MQTT-3.1.2-24 of 5.0].
pub(super) fn check_packet_bytes(connect: &Connect<'_>, properties: &[u8]) -> Result<(), Refusal> {
    let Some(bytes_max) = connect.properties.maximum_packet_size() else { return Ok(()) };
    let bytes = encoded(connect.version, connack(false, properties)).len();
    if bytes <= bytes_max as usize {
        return Ok(());
    }
    let hint = format!(
        "the client takes packets of {bytes_max} bytes and its CONNACK alone has {bytes}: raise its maximum packet size"
    );
    Err(Refusal::new(Code::TooLarge, hint))
}
