//! The statements of MQTT 5.0 that only a whole server can show; the clause table in `crates/mqtt/tests/clauses` names
//! these tests.
//!
//! The clients are those of the Watson dialect: gateways publish events, applications receive them.

use mqtt::packet::{Disconnect, FilterRequest, FilterRequests, Packet, Publish, Subscribe};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Options};

use crate::house::House;
use crate::steps::{Q0, Q1, Q2, durable, until_closed};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const EVENTS_OF_G1: &str = "iot-2/type/gw/id/g1/evt/+/fmt/+";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";

/// A message as it came, with the properties that are looked at here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Came {
    text: String,
    qos: QoS,
    dup: bool,
    expires_in_s: Option<u32>,
    /// In ascending order.
    identifiers: Vec<u32>,
}

fn gateway() -> Options {
    House::device("g:abc123:gw:g1").version(Version::V5)
}

/// An application that acknowledges nothing by itself.
fn app(name: &str) -> Options {
    let options = House::application(&format!("a:abc123:{name}")).version(Version::V5);
    Options { acknowledge: Acknowledge::ByHand, ..options }
}

async fn leave(mut client: Client) {
    client.send_packet(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS))).await.unwrap();
    until_closed(&mut client).await;
}

/// Publishes a message that expires, and waits until it is done.
async fn publish_for(client: &mut Client, text: &str, qos: QoS, packet_id: u16, expiry_s: u32) {
    let mut properties = Vec::new();
    PropertyWriter::new(&mut properties).push(PropertyId::MessageExpiryInterval, Value::Four(expiry_s));
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic: EVENT,
        packet_id,
        properties: Properties::stored(&properties),
        payload: text.as_bytes(),
    };
    client.send_packet(&Packet::Publish(publish)).await.unwrap();
    client.ping().await.unwrap();
    client.publish_done(EVENT, b"behind", Q1).await.unwrap();
}

/// Subscribes with an identifier, 0 for none.
async fn subscribe_as(client: &mut Client, filter: &str, qos: QoS, identifier: u32) {
    let (mut properties, mut filters) = (Vec::new(), Vec::new());
    if identifier != 0 {
        PropertyWriter::new(&mut properties)
            .push(PropertyId::SubscriptionIdentifier, Value::Variable(identifier));
    }
    FilterRequest::new(filter, qos).encode(&mut filters);
    let filters = FilterRequests::new(&filters, Version::V5).unwrap();
    let properties = Properties::stored(&properties);
    client.send_packet(&Packet::Subscribe(Subscribe { packet_id: 9, properties, filters })).await.unwrap();
    client.ping().await.unwrap();
}

/// The next message, not acknowledged.
async fn next(client: &mut Client) -> Came {
    loop {
        if let Packet::Publish(publish) = client.next_packet().await.unwrap() {
            let mut identifiers: Vec<_> = publish.properties.subscription_identifiers().collect();
            identifiers.sort_unstable();
            return Came {
                text: String::from_utf8(publish.payload.to_vec()).unwrap(),
                qos: publish.qos,
                dup: publish.dup,
                expires_in_s: publish.properties.message_expiry_s(),
                identifiers,
            };
        }
    }
}

#[tokio::test]
async fn v5_a_message_expires_unless_it_was_sent_and_tells_the_seconds_left() {
    let house = House::open().await;
    for name in ["here", "away"] {
        let mut client = house.client(durable(app(name))).await;
        client.subscribe(&[(EVENTS, Q2)]).await.unwrap();
        leave(client).await;
    }
    let mut gateway = house.client(gateway()).await;
    // Long enough to be sent once, short enough to wait for its end.
    publish_for(&mut gateway, "short", Q2, 7_000, 3).await;
    publish_for(&mut gateway, "long", Q2, 7_001, 3_600).await;

    let mut client = house.client(durable(app("here"))).await;
    let first = next(&mut client).await;
    assert_eq!((first.text.as_str(), first.qos, first.dup), ("short", Q2, false));
    assert!((1..=3).contains(&first.expires_in_s.unwrap()), "{first:?}");
    loop {
        client.crash();
        client = house.client(durable(app("here"))).await;
        let again = next(&mut client).await;
        assert_eq!((again.text.as_str(), again.dup), ("short", true), "sent once, it is sent to the end");
        assert!(again.expires_in_s <= first.expires_in_s, "{again:?}");
        if again.expires_in_s == Some(0) {
            break;
        }
    }

    let mut away = house.client(durable(app("away"))).await;
    let mut came = Vec::new();
    for _ in 0..3 {
        came.push(next(&mut away).await);
    }
    let texts: Vec<_> = came.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["behind", "long", "behind"], "what was never sent expires");
    assert_eq!(came[0].expires_in_s, None);
    assert!((3_500..=3_598).contains(&came[1].expires_in_s.unwrap()), "the seconds it waited: {came:?}");
    house.close().await;
}

#[tokio::test]
async fn v5_overlapping_subscriptions_give_one_message_with_all_identifiers() {
    let house = House::open().await;
    let mut gateway = house.client(gateway()).await;
    for options in [app("all"), durable(app("all"))] {
        let mut client = house.client(options).await;
        subscribe_as(&mut client, EVENTS, Q0, 70_000).await;
        subscribe_as(&mut client, EVENTS_OF_G1, Q1, 2).await;
        subscribe_as(&mut client, EVENT, Q0, 0).await;
        for (qos, expected) in [(Q0, Q0), (Q2, Q1)] {
            gateway.publish_done(EVENT, b"once", qos).await.unwrap();
            gateway.publish_done(EVENT, b"then", Q0).await.unwrap();
            // What is kept may come behind what is not.
            let mut came = [next(&mut client).await, next(&mut client).await];
            came.sort_by(|one, other| one.text.cmp(&other.text));
            let told = came.each_ref().map(|it| (it.text.as_str(), it.qos));
            assert_eq!(told, [("once", expected), ("then", Q0)]);
            assert!(came.iter().all(|it| it.identifiers == [2, 70_000]), "{came:?}");
        }
        leave(client).await;
    }
    // What waited on the disk has them too.
    gateway.publish_done(EVENT, b"waited", Q1).await.unwrap();
    let mut client = house.client(durable(app("all"))).await;
    let came = loop {
        let came = next(&mut client).await;
        if came.text == "waited" {
            break came;
        }
    };
    assert_eq!((came.qos, came.identifiers), (Q1, vec![2, 70_000]));
    house.close().await;
}
