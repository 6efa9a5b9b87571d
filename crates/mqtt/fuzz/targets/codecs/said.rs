//! What a packet says, as a list of facts: where the types of two codecs meet.

use std::fmt::Debug;

use mqtt::packet::{Ack, Connect, Kind};
use mqtt::property::{Properties, Value};
use mqtt::{Packet, QoS};

use crate::targets::decode::properties_of;

/// The facts that a packet states, by name. Order counts among facts of one name only.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    facts: Vec<(String, String)>,
}

impl Said {
    pub(super) fn new(kind: Kind) -> Said {
        let mut said = Said::default();
        said.fact("kind", kind);
        said
    }

    pub(super) fn fact(&mut self, name: &str, value: impl Debug) {
        self.facts.push((name.to_owned(), format!("{value:?}")));
    }

    /// The same facts in an order of their own.
    pub(super) fn sorted(mut self) -> Said {
        self.facts.sort_by(|left, right| left.0.cmp(&right.0));
        self
    }

    /// A property of the packet, or of its will.
    pub(super) fn property(&mut self, of: &str, number: u8, value: impl Debug) {
        self.fact(&format!("{of} {number:#04x}"), value);
    }

    fn properties(&mut self, of: &str, properties: Properties<'_>) {
        for property in properties.iter() {
            let number = property.id as u8;
            match property.value {
                Value::Byte(value) => self.property(of, number, value),
                Value::Two(value) => self.property(of, number, value),
                Value::Four(value) | Value::Variable(value) => self.property(of, number, value),
                Value::Text(value) => self.property(of, number, value),
                Value::Data(value) => self.property(of, number, value),
                Value::Pair(name, value) => self.property(of, number, (name, value)),
            }
        }
    }

    fn ack(&mut self, ack: &Ack<'_>) {
        self.fact("packet id", ack.packet_id);
        self.fact("reason", ack.reason.0);
    }

    fn connect(&mut self, connect: &Connect<'_>) {
        self.fact("version", connect.version);
        self.fact("clean start", connect.clean_start);
        self.fact("keep alive", connect.keep_alive_s);
        self.fact("client id", connect.client_id);
        self.fact("user name", connect.username);
        self.fact("password", connect.password);
        if let Some(will) = &connect.will {
            self.fact("will topic", will.topic);
            self.fact("will payload", will.payload);
            self.fact("will qos", will.qos as u8);
            self.fact("will retain", will.retain);
            self.properties("will", will.properties);
        }
    }
}

/// What one of our packets says.
pub(super) fn ours(packet: &Packet<'_>) -> Said {
    let mut said = Said::new(packet.kind());
    match packet {
        Packet::Connect(connect) => said.connect(connect),
        Packet::ConnAck(it) => {
            said.fact("session present", it.session_present);
            said.fact("reason", it.code);
        }
        Packet::Publish(it) => {
            said.fact("dup", it.dup);
            said.fact("qos", it.qos as u8);
            said.fact("retain", it.retain);
            said.fact("topic", it.topic);
            said.fact("packet id", (it.qos != QoS::AtMostOnce).then_some(it.packet_id));
            said.fact("payload", it.payload);
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            said.ack(ack);
        }
        Packet::Subscribe(it) => {
            said.fact("packet id", it.packet_id);
            for filter in it.filters.iter() {
                let handling = (filter.no_local, filter.retain_as_published, filter.retain_handling);
                said.fact("filter", (filter.filter, filter.qos as u8, handling));
            }
        }
        Packet::SubAck(it) => {
            said.fact("packet id", it.packet_id);
            said.fact("codes", it.codes);
        }
        Packet::Unsubscribe(it) => {
            said.fact("packet id", it.packet_id);
            it.filters.iter().for_each(|filter| said.fact("filter", filter));
        }
        Packet::UnsubAck(it) => {
            said.fact("packet id", it.packet_id);
            said.fact("codes", it.codes);
        }
        Packet::Disconnect(it) => said.fact("reason", it.reason.0),
        Packet::Auth(it) => said.fact("reason", it.reason.0),
        Packet::PingReq | Packet::PingResp => {}
    }
    if let Some(properties) = properties_of(packet) {
        said.properties("property", properties);
    }
    said.sorted()
}
