//! Packets of all kinds and versions at random, as drafts that own their bytes.

use mqtt::packet::{
    Ack, Auth, Carriers, ConnAck, Connect, Disconnect, FilterRequest, FilterRequests, Filters, Kind,
};
use mqtt::packet::{Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, Will};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{Packet, QoS, Reason, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Everything a packet can need; each kind takes its part of it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) version: Version,
    kind: Kind,
    number: u16,
    flags: (bool, bool),
    qos: QoS,
    texts: (String, String),
    topic: String,
    data: (Vec<u8>, Vec<u8>),
    has: (bool, bool, bool),
    filters: Vec<(String, QoS, bool, bool, u8)>,
    reason: Reason,
    codes: Vec<u8>,
    properties: Vec<u8>,
    will_properties: Vec<u8>,
}

/// Any packet of any version.
pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    let version = select(vec![Version::V31, Version::V311, Version::V5]);
    let kind = (1u8..=15).prop_map(|bits| Kind::from_bits(bits).unwrap());
    (version, kind)
        .prop_filter("AUTH came with 5.0", |it| it.0 == Version::V5 || it.1 != Kind::Auth)
        .prop_flat_map(|(version, kind)| {
            let parts = (
                (1u16.., any::<(bool, bool)>(), any_qos(), (any_text(), any_text()), any_topic()),
                (any_data(), any_data()),
                any::<(bool, bool, bool)>(),
                vec((any_filter(), any_qos(), any::<bool>(), any::<bool>(), 0u8..3), 1..4),
                (
                    any_reason(kind),
                    any_codes(kind, version),
                    any_properties(kind),
                    any_properties(Kind::Will),
                ),
            );
            parts.prop_map(move |((number, flags, qos, texts, topic), data, has, filters, rest)| Draft {
                version,
                kind,
                number,
                flags,
                qos,
                texts,
                topic,
                data,
                has,
                filters,
                reason: rest.0,
                codes: rest.1,
                properties: if version == Version::V5 { rest.2 } else { Vec::new() },
                will_properties: if version == Version::V5 { rest.3 } else { Vec::new() },
            })
        })
}

impl Draft {
    /// Hands the packet to `look`, with all that it borrows.
    pub(crate) fn with<R>(&self, look: impl FnOnce(Packet<'_>) -> R) -> R {
        let mut filters = Vec::new();
        for (filter, qos, no_local, retain_as_published, retain_handling) in &self.filters {
            match self.kind {
                Kind::Unsubscribe => Filters::encode_one(filter, &mut filters),
                _ if self.version == Version::V5 => {
                    let (qos, no_local, retain_handling) = (*qos, *no_local, *retain_handling);
                    let retain_as_published = *retain_as_published;
                    FilterRequest { filter, qos, no_local, retain_as_published, retain_handling }
                        .encode(&mut filters);
                }
                _ => FilterRequest::new(filter, *qos).encode(&mut filters),
            }
        }
        look(self.packet(&filters))
    }

    fn packet<'a>(&'a self, filters: &'a [u8]) -> Packet<'a> {
        let (packet_id, properties, version) =
            (self.number, Properties::stored(&self.properties), self.version);
        match self.kind {
            Kind::Connect => Packet::Connect(self.connect(properties)),
            Kind::ConnAck => {
                let code = if version == Version::V5 { self.reason.0 } else { self.number as u8 % 6 };
                Packet::ConnAck(ConnAck { session_present: code == 0 && self.flags.0, code, properties })
            }
            Kind::Publish => Packet::Publish(self.publish(properties)),
            Kind::PubAck => Packet::PubAck(self.ack(properties)),
            Kind::PubRec => Packet::PubRec(self.ack(properties)),
            Kind::PubRel => Packet::PubRel(self.ack(properties)),
            Kind::PubComp => Packet::PubComp(self.ack(properties)),
            Kind::Subscribe => {
                let filters = FilterRequests::new(filters, version).unwrap();
                Packet::Subscribe(Subscribe { packet_id, properties, filters })
            }
            Kind::SubAck => Packet::SubAck(SubAck { packet_id, properties, codes: &self.codes }),
            Kind::Unsubscribe => {
                let filters = Filters::new(filters, version).unwrap();
                Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
            }
            Kind::UnsubAck => Packet::UnsubAck(UnsubAck { packet_id, properties, codes: &self.codes }),
            Kind::PingReq => Packet::PingReq,
            Kind::PingResp => Packet::PingResp,
            Kind::Disconnect if version != Version::V5 => {
                Packet::Disconnect(Disconnect::with(Reason::SUCCESS))
            }
            Kind::Disconnect => Packet::Disconnect(Disconnect { reason: self.reason, properties }),
            Kind::Auth => Packet::Auth(self.auth(properties)),
            Kind::Will => unreachable!("no packet has that number"),
        }
    }

    fn connect<'a>(&'a self, properties: Properties<'a>) -> Connect<'a> {
        let (has_will, has_username, has_password) = self.has;
        let will = Will {
            topic: &self.topic,
            payload: &self.data.0,
            qos: self.qos,
            retain: self.flags.1,
            properties: Properties::stored(&self.will_properties),
        };
        Connect {
            version: self.version,
            clean_start: self.flags.0,
            keep_alive_s: self.number,
            client_id: &self.texts.0,
            will: has_will.then_some(will),
            username: has_username.then_some(&self.texts.1),
            password: (has_password && (has_username || self.version == Version::V5)).then_some(&self.data.1),
            properties,
        }
    }

    fn publish<'a>(&'a self, properties: Properties<'a>) -> Publish<'a> {
        let has_id = self.qos != QoS::AtMostOnce;
        Publish {
            dup: has_id && self.flags.0,
            qos: self.qos,
            retain: self.flags.1,
            topic: if properties.topic_alias().is_some() && self.has.0 { "" } else { &self.topic },
            packet_id: if has_id { self.number } else { 0 },
            properties,
            payload: &self.data.0,
        }
    }

    fn ack<'a>(&'a self, properties: Properties<'a>) -> Ack<'a> {
        match self.version {
            Version::V5 => Ack { packet_id: self.number, reason: self.reason, properties },
            _ => Ack::success(self.number),
        }
    }

    fn auth<'a>(&self, properties: Properties<'a>) -> Auth<'a> {
        match properties.authentication_method() {
            Some(_) => Auth { reason: self.reason, properties },
            None => Auth { reason: Reason::SUCCESS, properties: Properties::EMPTY },
        }
    }
}

fn any_qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn any_text() -> impl Strategy<Value = String> {
    "[^\u{0}]{0,12}"
}

fn any_data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 120..140), vec(any::<u8>(), 16_370..16_400)]
}

fn any_topic() -> impl Strategy<Value = String> {
    "[^\u{0}+#]{1,12}"
}

fn any_filter() -> impl Strategy<Value = String> {
    "([a-c$]{0,2}/|\\+/){0,4}(#|\\+|[a-c]{1,3})"
}

fn any_reason(kind: Kind) -> BoxedStrategy<Reason> {
    let fitting: Vec<Reason> = Reason::all().filter(|reason| reason.may_be_in(kind)).collect();
    if fitting.is_empty() { Just(Reason::SUCCESS).boxed() } else { select(fitting).boxed() }
}

fn any_codes(kind: Kind, version: Version) -> BoxedStrategy<Vec<u8>> {
    match (kind, version) {
        (Kind::UnsubAck, Version::V31 | Version::V311) => Just(Vec::new()).boxed(),
        (_, Version::V31 | Version::V311) => vec(select(vec![0, 1, 2, SubAck::FAILURE]), 1..4).boxed(),
        (_, Version::V5) => vec(any_reason(kind).prop_map(|reason| reason.0), 1..4).boxed(),
    }
}

/// Properties that a packet of this kind may carry, each once, those that may be repeated several times.
fn any_properties(kind: Kind) -> impl Strategy<Value = Vec<u8>> {
    let fitting: Vec<PropertyId> = PropertyId::all().filter(|id| id.may_be_in(kind)).collect();
    let count = fitting.len();
    let repeated = Carriers::of(&[Kind::Publish]).contains(kind);
    (subsequence(fitting, 0..=count), any_text(), any_text(), any_topic(), 1u16.., 0u8..2, 0usize..3)
        .prop_map(move |(mut chosen, name, text, topic, number, flag, again)| {
            if !chosen.contains(&PropertyId::AuthenticationMethod) {
                chosen.retain(|id| *id != PropertyId::AuthenticationData);
            }
            let mut bytes = Vec::new();
            for id in chosen {
                let value = example(id, &name, &text, &topic, number, flag);
                let repeats = match id {
                    PropertyId::UserProperty => again,
                    PropertyId::SubscriptionIdentifier if repeated => again,
                    _ => 0,
                };
                for _ in 0..=repeats {
                    PropertyWriter::new(&mut bytes).push(id, value);
                }
            }
            bytes
        })
}

/// A value of the form that section 2.2.2 gives each property.
pub(crate) fn example<'a>(
    id: PropertyId,
    name: &'a str,
    text: &'a str,
    topic: &'a str,
    number: u16,
    flag: u8,
) -> Value<'a> {
    use PropertyId::*;
    match id {
        PayloadFormatIndicator
        | RequestProblemInformation
        | RequestResponseInformation
        | MaximumQos
        | RetainAvailable
        | WildcardSubscriptionAvailable
        | SubscriptionIdentifiersAvailable
        | SharedSubscriptionAvailable => Value::Byte(flag),
        ServerKeepAlive | ReceiveMaximum | TopicAliasMaximum | TopicAlias => Value::Two(number),
        MessageExpiryInterval | SessionExpiryInterval | WillDelayInterval | MaximumPacketSize => {
            Value::Four(u32::from(number) << 8)
        }
        SubscriptionIdentifier => Value::Variable(u32::from(number) << 4),
        ResponseTopic => Value::Text(topic),
        ContentType
        | AssignedClientIdentifier
        | AuthenticationMethod
        | ResponseInformation
        | ServerReference
        | ReasonString => Value::Text(text),
        CorrelationData | AuthenticationData => Value::Data(text.as_bytes()),
        UserProperty => Value::Pair(name, text),
    }
}
