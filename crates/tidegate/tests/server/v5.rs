//! The statements of MQTT 5.0 that only a whole server can show; the clause table in `crates/mqtt/tests/clauses` names
//! these tests.
//!
//! The clients are those of the Watson dialect: gateways publish events, applications receive them.

use mqtt::packet::{Disconnect, FilterRequest, FilterRequests, Packet, Publish, Subscribe};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Fault, Options};

use crate::house::House;
use crate::steps::{Q0, Q1, Q2, durable, text, texts, until_closed, with_will};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const EVENTS_OF_G1: &str = "iot-2/type/gw/id/g1/evt/+/fmt/+";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";
const WILL: &str = "iot-2/type/gw/id/g1/evt/gone/fmt/text";

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

async fn leave(client: Client) {
    leave_with(client, Reason::SUCCESS, None).await;
}

/// With a session that outlives its connection by so many seconds.
fn lasting(mut options: Options, expiry_s: u32) -> Options {
    options.clean_start = false;
    options.properties.clear();
    PropertyWriter::new(&mut options.properties)
        .push(PropertyId::SessionExpiryInterval, Value::Four(expiry_s));
    options
}

/// With a will that may wait so many seconds.
fn with_late_will(options: Options, payload: &str, delay_s: u32) -> Options {
    let mut options = with_will(options, WILL, payload);
    PropertyWriter::new(&mut options.will_properties)
        .push(PropertyId::WillDelayInterval, Value::Four(delay_s));
    options
}

/// Says goodbye with these words and waits until the server has closed too.
async fn leave_with(mut client: Client, reason: Reason, expiry_s: Option<u32>) {
    let mut properties = Vec::new();
    if let Some(expiry_s) = expiry_s {
        PropertyWriter::new(&mut properties).push(PropertyId::SessionExpiryInterval, Value::Four(expiry_s));
    }
    let goodbye = Disconnect { reason, properties: Properties::stored(&properties) };
    client.send_packet(&Packet::Disconnect(goodbye)).await.unwrap();
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

#[tokio::test]
async fn v5_a_session_is_resumed_until_it_expires() {
    let mut house = House::open().await;
    let mut client = house.client(lasting(app("kept"), 3_600)).await;
    assert!(!client.session_present());
    client.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    leave(client).await;
    // The server may end in between: the session is on disk, and so is when it ends.
    house = house.reopen().await;
    let mut sender = house.client(gateway()).await;
    sender.publish_done(EVENT, b"waited", Q1).await.unwrap();
    let mut client = house.client(lasting(app("kept"), 3_600)).await;
    assert!(client.session_present());
    assert_eq!(next(&mut client).await.text, "waited");
    // DISCONNECT shortens it to nothing.
    leave_with(client, Reason::SUCCESS, Some(0)).await;
    let client = house.client(lasting(app("kept"), 1)).await;
    assert!(!client.session_present(), "it ended with the connection");
    client.crash();
    let mut client = house.client(lasting(app("kept"), 1)).await;
    assert!(client.session_present(), "the second begins when the connection has ended");
    client.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    leave(client).await;
    house.stat_reaches("/sessions/expired", 1).await;
    sender.publish_done(EVENT, b"too late", Q1).await.unwrap();
    let client = house.client(lasting(app("kept"), 1)).await;
    assert!(!client.session_present());
    leave(client).await;
    house = house.reopen().await;
    house.stat_reaches("/sessions/expired", 1).await;
    house.close().await;
}

#[tokio::test]
async fn v5_a_session_expires_after_a_crash_too() {
    let (house, store) = House::open_in_memory("").await;
    let client = house.client(lasting(app("short"), 1)).await;
    let kept = house.client(durable(app("kept"))).await;
    // A second server on what is stored by now: to it, the first has crashed with its clients connected.
    let next = House::start_on("", store).await;
    assert_eq!(next.ask("/v1/stats").await["sessions"]["stored"], 2);
    next.stat_reaches("/sessions/expired", 1).await;
    assert_eq!(next.ask("/v1/stats").await["sessions"]["stored"], 1);
    assert!(!next.client(lasting(app("short"), 1)).await.session_present());
    assert!(next.client(durable(app("kept"))).await.session_present());
    drop((client, kept, house));
    next.close().await;
}

#[tokio::test]
async fn v5_a_will_waits_for_its_delay_or_the_end_of_the_session() {
    let house = House::open().await;
    let mut listener = house.client(House::application("a:abc123:listener")).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    let gone = |expiry_s, text, delay_s| lasting(with_late_will(gateway(), text, delay_s), expiry_s);

    // Its session ends with the connection, and the will does not wait.
    house.client(gone(0, "at once", 3_600)).await.crash();
    assert_eq!(texts(&mut listener, 1).await, ["at once"]);

    // The client comes back, by takeover or later: nothing is published.
    house.client(gone(3_600, "cancelled", 1)).await.crash();
    let taking = house.client(gone(3_600, "cancelled too", 1)).await;
    taking.crash();
    let back = house.client(lasting(gateway(), 3_600)).await;
    assert!(back.session_present());
    leave(back).await;
    // Normal goodbyes discard a will; others do not, and the delay holds for them too.
    leave(house.client(gone(3_600, "discarded", 1)).await).await;
    leave_with(house.client(gone(3_600, "after a second", 1)).await, Reason::DISCONNECT_WITH_WILL, None)
        .await;
    assert_eq!(texts(&mut listener, 1).await, ["after a second"]);

    // The session ends before the delay does: after its time, or because the client starts anew.
    house.client(gone(1, "with the session", 3_600)).await.crash();
    assert_eq!(texts(&mut listener, 1).await, ["with the session"]);
    house.client(gone(3_600, "started anew", 3_600)).await.crash();
    let anew = house.client(Options { clean_start: true, ..lasting(gateway(), 3_600) }).await;
    assert!(!anew.session_present());
    assert_eq!(text(&listener.next_message().await.unwrap()), "started anew");
    leave(anew).await;
    house.close().await;
}

#[tokio::test]
async fn v5_clean_start_discards_the_session() {
    let house = House::open().await;
    let mut sender = house.client(gateway()).await;
    let mut client = house.client(lasting(app("one"), 3_600)).await;
    client.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    leave(client).await;
    sender.publish_done(EVENT, b"of the old one", Q1).await.unwrap();
    let clean = Options { clean_start: true, ..lasting(app("one"), 3_600) };
    let mut client = house.client(clean).await;
    assert!(!client.session_present());
    sender.publish_done(EVENT, b"not subscribed", Q1).await.unwrap();
    client.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    sender.publish_done(EVENT, b"of the new one", Q1).await.unwrap();
    assert_eq!(next(&mut client).await.text, "of the new one");
    leave(client).await;
    let client = house.client(lasting(app("one"), 3_600)).await;
    assert!(client.session_present(), "the new one is kept");
    house.close().await;
}

#[tokio::test]
async fn stored_sessions_are_bounded() {
    let house = House::open_with("[limits]\nsession_count_max = 2\n").await;
    for name in ["one", "two"] {
        leave(house.client(lasting(app(name), 3_600)).await).await;
    }
    for (options, expected) in
        [(durable(House::application("a:abc123:three")), 3), (lasting(app("three"), 60), 0x97)]
    {
        match Client::connect(house.mqtt(), options).await {
            Err(Fault::Refused { code }) => assert_eq!(code, expected),
            other => panic!("{:?}", other.map(|it| it.session_present())),
        }
    }
    assert_eq!(house.refusals().await[0]["code"], "too_many");
    leave(house.client(app("three")).await).await;
    leave_with(house.client(lasting(app("two"), 60)).await, Reason::SUCCESS, Some(0)).await;
    // Whoever comes next under this name comes when that is done.
    leave(house.client(app("two")).await).await;
    leave(house.client(lasting(app("three"), 3_600)).await).await;
    house.close().await;
}

#[tokio::test]
async fn v5_a_will_that_waits_is_published_when_the_server_ends() {
    let mut house = House::open().await;
    let mut listener = house.client(durable(app("listener"))).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    leave(listener).await;
    house.client(lasting(with_late_will(gateway(), "at the end", 3_600), 3_600)).await.crash();
    house = house.reopen().await;
    let mut listener = house.client(durable(app("listener"))).await;
    assert_eq!(next(&mut listener).await.text, "at the end");
    let back = house.client(lasting(gateway(), 3_600)).await;
    assert!(back.session_present(), "its session has not ended");
    house.close().await;
}
