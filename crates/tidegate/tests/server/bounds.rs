//! Every bound that a peer can drive into: what is beyond it is refused, dropped and counted, or waits; never silent,
//! and never without limit.

use std::time::Duration;

use domain::DeviceName;
use mqtt::packet::{Packet, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Event, Options, Wire};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::house::{House, PATIENCE, org};
use crate::steps::{
    Q0, Q1, Q2, VERSIONS, connect_bytes, durable, saying, so_far, text, texts, until_closed, wire_next,
    wire_until_closed,
};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";
const COMMANDS: &str = "iot-2/type/+/id/+/cmd/+/fmt/+";
const COMMAND: &str = "iot-2/type/gw/id/g1/cmd/do/fmt/text";
const PAYLOAD_BYTES_MAX: usize = 131_072;

fn gateway() -> Options {
    House::device("g:abc123:gw:g1")
}

fn app() -> Options {
    House::application("a:abc123:app")
}

/// How many refusals there are of this code for this request.
async fn refused(house: &House, request: &str, code: &str) -> usize {
    let refusals = house.refusals().await;
    assert!(refusals.iter().all(|it| it["hint"].as_str().is_some_and(|it| it.len() > 10)), "a remedy each");
    refusals.iter().filter(|it| it["request"] == request && it["code"] == code).count()
}

/// What a bare connection hears after these bytes, until it is closed.
async fn answer_to(house: &House, bytes: &[u8]) -> Vec<String> {
    let mut wire = house.wire(Version::V311).await;
    wire.push_bytes(bytes);
    // The server may close before it has read everything.
    wire.flush().await.ok();
    wire_until_closed(&mut wire).await
}

#[tokio::test]
async fn the_first_packet_is_a_connect() {
    let house = House::open().await;
    let firsts: [&[u8]; 6] = [
        b"\xC0\x00",
        b"\xE0\x00",
        b"\x30\x03\x00\x01a",
        b"\x82\x06\x00\x01\x00\x01a\x00",
        b"\x00\x00",
        b"SSH-2.0-anything\r\n",
    ];
    for (count, first) in firsts.iter().enumerate() {
        assert_eq!(answer_to(&house, first).await, [""; 0], "{first:?}");
        assert_eq!(refused(&house, "connect", "malformed").await, count + 1, "{first:?}");
    }
    house.client(gateway()).await.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn strangers_are_not_listened_to_beyond_the_size_of_a_login() {
    let house = House::open_with("[limits]\npacket_bytes_before_login_max = 1_000\n").await;
    // The header alone says too much.
    assert_eq!(answer_to(&house, b"\x10\xFF\xFF\xFF\x7F").await, [""; 0]);
    assert_eq!(answer_to(&house, b"\x10\xE8\x07").await, [""; 0]);
    for (padding, code) in [(500, "client_id_invalid"), (1_500, "too_large")] {
        let before = refused(&house, "connect", code).await;
        let long = Options { client_id: "x".repeat(padding), ..gateway() };
        let heard = answer_to(&house, &connect_bytes(&long)).await;
        assert_eq!(heard.len(), usize::from(padding == 500), "{heard:?}");
        assert_eq!(refused(&house, "connect", code).await, before + 1);
    }
    let total = house.refusals().await.len();
    assert_eq!(total, 4, "each is on record");
    house.close().await;
}

#[tokio::test]
async fn who_does_not_log_in_soon_is_disconnected() {
    let house = House::open_with("[limits]\nlogin_ms_max = 150\n").await;
    let mut prompt = house.client(gateway()).await;
    assert_eq!(answer_to(&house, b"").await, [""; 0], "silent");
    let login = connect_bytes(&app());
    assert_eq!(answer_to(&house, &login[..login.len() - 1]).await, [""; 0], "half a login");
    assert_eq!(refused(&house, "connect", "malformed").await, 2);
    prompt.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_payload_may_have_131072_bytes_and_no_more() {
    let house = House::open().await;
    let mut listener = house.client(House::application("a:abc123:listener")).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    let mut refusals = 0;
    for version in VERSIONS {
        for qos in [Q0, Q1, Q2] {
            let mut client = house.client(gateway().version(version)).await;
            client.publish_done(EVENT, &vec![b'x'; PAYLOAD_BYTES_MAX], qos).await.unwrap();
            assert_eq!(listener.next_message().await.unwrap().payload.len(), PAYLOAD_BYTES_MAX);
            client.publish(EVENT, &vec![b'y'; PAYLOAD_BYTES_MAX + 1], qos).await.ok();
            closed_as(&mut client, version, Reason::PACKET_TOO_LARGE).await;
            refusals += 1;
            assert_eq!(refused(&house, "publish", "too_large").await, refusals);
        }
    }
    assert_eq!(so_far(&mut listener).await, [], "nothing too large was passed on");
    house.close().await;
}

/// The server closes, and tells a 5.0 client why; nothing is acknowledged before.
async fn closed_as(client: &mut Client, version: Version, reason: Reason) {
    let heard = until_closed(client).await;
    match version {
        Version::V5 => {
            let reason = format!("{reason:?}");
            assert!(
                heard.len() == 1 && heard[0].contains("Disconnect") && heard[0].contains(&reason),
                "{heard:?}"
            );
        }
        _ => assert_eq!(heard, [""; 0]),
    }
}

#[tokio::test]
async fn a_packet_far_too_large_is_refused_by_its_header_alone() {
    let house = House::open().await;
    for version in VERSIONS {
        let mut client = house.client(gateway().version(version)).await;
        client.send_bytes(b"\x30\xFF\xFF\xFF\x7F").await.unwrap();
        closed_as(&mut client, version, Reason::PACKET_TOO_LARGE).await;
    }
    assert_eq!(refused(&house, "packet", "too_large").await, VERSIONS.len());
    house.close().await;
}

#[tokio::test]
async fn topics_have_at_most_128_levels_and_4096_bytes() {
    let house = House::open().await;
    let deep = |levels: usize| vec!["x"; levels].join("/");
    let long = |bytes: usize| "x".repeat(bytes);
    // Within the bounds it is the dialect that says no, and a gateway stays connected.
    for topic in [deep(128), long(4_096)] {
        let mut client = house.client(gateway()).await;
        client.publish_done(&topic, b"", Q1).await.unwrap();
        assert_eq!(client.subscribe(&[(&topic, Q1)]).await.unwrap(), [0x80]);
        client.ping().await.unwrap();
    }
    assert_eq!(refused(&house, "publish", "topic_invalid").await, 2);
    assert_eq!(refused(&house, "subscribe", "topic_invalid").await, 2);
    for topic in [deep(129), long(4_097)] {
        let mut client = house.client(gateway()).await;
        client.publish(&topic, b"", Q1).await.unwrap();
        assert_eq!(until_closed(&mut client).await, [""; 0]);
        let mut client = house.client(gateway()).await;
        client.send_bytes(&subscribe_bytes(&topic)).await.unwrap();
        assert_eq!(until_closed(&mut client).await, [""; 0]);
    }
    assert_eq!(house.refusals().await.iter().filter(|it| it["request"] == "packet").count(), 4);
    house.close().await;
}

/// A SUBSCRIBE that our own encoder would refuse to write.
fn subscribe_bytes(filter: &str) -> Vec<u8> {
    let len = filter.len() + 5;
    let (low, high) = ((len % 128) as u8, (len / 128) as u8);
    let mut bytes = vec![0x82, low | 0x80, high, 0, 1];
    bytes.extend((filter.len() as u16).to_be_bytes());
    bytes.extend(filter.as_bytes());
    bytes.push(1);
    bytes
}

#[tokio::test]
async fn a_session_holds_a_bounded_number_of_subscriptions() {
    let house = House::open_with("[limits]\nsubscription_count_max = 3\n").await;
    let filter = |command: &str| format!("iot-2/type/+/id/+/cmd/{command}/fmt/+");
    for (version, failure) in [(Version::V311, 0x80), (Version::V5, 0x97)] {
        for options in [gateway(), app()] {
            let options = durable(options.version(version));
            let mut client = house.client(options.clone()).await;
            let filters = ["a", "b", "c", "d"].map(filter);
            let requests: Vec<_> = filters.iter().map(|it| (it.as_str(), Q1)).collect();
            assert_eq!(client.subscribe(&requests).await.unwrap(), [1, 1, 1, failure]);
            client.disconnect().await.unwrap();
            let mut client = house.client(options.clone()).await;
            assert_eq!(client.subscribe(&[(&filters[3], Q1)]).await.unwrap(), [failure], "they last");
            assert_eq!(client.subscribe(&[(&filters[2], Q0)]).await.unwrap(), [0], "one that it has");
            client.unsubscribe(&[&filters[0]]).await.unwrap();
            assert_eq!(client.subscribe(&[(&filters[3], Q1)]).await.unwrap(), [1], "there is room now");
            client.disconnect().await.unwrap();
            let clean = Options { clean_start: true, properties: Vec::new(), ..options };
            house.client(clean).await.disconnect().await.unwrap();
        }
    }
    assert_eq!(refused(&house, "subscribe", "too_many").await, 8);
    house.close().await;
}

#[tokio::test]
async fn a_client_has_no_more_unacknowledged_messages_than_its_window() {
    let house = House::open_with(
        "[limits]\ninflight_device_count_max = 2\ninflight_gateway_count_max = 3\n\
         inflight_application_count_max = 4\n",
    )
    .await;
    let mut sender = house.client(House::application("a:abc123:sender")).await;
    let cases = [
        (House::device("d:abc123:dev:d1"), "iot-2/cmd/+/fmt/+", 2),
        (House::device("g:abc123:gw:g1"), COMMANDS, 3),
        (app(), COMMANDS, 4),
    ];
    for (options, filter, window) in cases {
        for version in VERSIONS {
            for qos in [Q1, Q2] {
                for options in [options.clone().version(version), durable(options.clone().version(version))] {
                    fill_window(&house, &mut sender, by_hand(options), filter, (qos, window)).await;
                }
            }
        }
    }
    // A 5.0 client that asks for a smaller window gets that.
    let mut options = by_hand(app().version(Version::V5));
    PropertyWriter::new(&mut options.properties).push(PropertyId::ReceiveMaximum, Value::Two(1));
    fill_window(&house, &mut sender, options, COMMANDS, (Q1, 1)).await;
    house.close().await;
}

fn by_hand(options: Options) -> Options {
    Options { acknowledge: Acknowledge::ByHand, ..options }
}

async fn fill_window(
    house: &House,
    sender: &mut Client,
    options: Options,
    filter: &str,
    (qos, window): (QoS, usize),
) {
    let mut client = house.client(options.clone()).await;
    client.subscribe(&[(filter, qos)]).await.unwrap();
    let target = "iot-2/type/dev/id/d1/cmd/do/fmt/text";
    for number in 0..window + 3 {
        sender.publish_done(target, number.to_string().as_bytes(), qos).await.unwrap();
    }
    let mut held = std::collections::VecDeque::new();
    for _ in 0..window {
        held.push_back(client.next_message().await.unwrap());
    }
    for number in 0..window + 3 {
        assert_eq!(so_far(&mut client).await, [], "{window} are under way");
        let message = held.pop_front().unwrap();
        assert_eq!(text(&message), number.to_string());
        client.acknowledge(&message).await.unwrap();
        if number < 3 {
            held.push_back(client.next_message().await.unwrap());
        }
    }
    client.disconnect().await.unwrap();
    let clean = Options { clean_start: true, properties: Vec::new(), ..options };
    house.client(clean).await.disconnect().await.unwrap();
}

/// A gateway with a stored session that has subscribed to commands and left.
async fn away(house: &House) -> Options {
    let options = durable(gateway());
    let mut client = house.client(options.clone()).await;
    client.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
    client.disconnect().await.unwrap();
    options
}

/// Publishes at QoS 1 with some under way.
async fn pour(client: &mut Client, topic: &str, payloads: impl Iterator<Item = Vec<u8>>) {
    for payload in payloads {
        while client.unacknowledged().count() >= 200 {
            client.next_event().await.unwrap();
        }
        client.publish(topic, &payload, Q1).await.unwrap();
    }
    client.all_done().await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_away_keeps_the_newest_5000_messages() {
    let (house, _store) = House::open_in_memory("").await;
    let options = away(&house).await;
    let mut sender = house.client(app()).await;
    pour(&mut sender, COMMAND, (0..5_100).map(|it| it.to_string().into_bytes())).await;
    assert_eq!(house.stat_reaches("/store/queue_dropped", 100).await, 100);
    let mut client = house.client(options).await;
    let expected: Vec<_> = (100..5_100).map(|it| it.to_string()).collect();
    assert_eq!(texts(&mut client, 5_000).await, expected);
    assert_eq!(so_far(&mut client).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_session_that_is_away_keeps_the_newest_64_mebibytes() {
    let (house, _store) = House::open_in_memory("").await;
    let options = away(&house).await;
    let mut sender = house.client(app()).await;
    let payload = |number: usize| {
        let mut payload = vec![b'.'; PAYLOAD_BYTES_MAX];
        payload[..8].copy_from_slice(format!("{number:8}").as_bytes());
        payload
    };
    pour(&mut sender, COMMAND, (0..600).map(payload)).await;
    let dropped = house.stat_reaches("/store/queue_dropped", 1).await as usize;
    let kept_bytes = (600 - dropped) * PAYLOAD_BYTES_MAX;
    assert!((60 << 20..=64 << 20).contains(&kept_bytes), "{kept_bytes}");
    let mut client = house.client(options).await;
    for number in dropped..600 {
        assert_eq!(client.next_message().await.unwrap().payload, payload(number), "{number}");
    }
    assert_eq!(so_far(&mut client).await, []);
    house.close().await;
}

/// A client whose socket takes in little before the server notices that it does not read.
async fn narrow(house: &House, options: Options) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(house.mqtt()).await.unwrap();
    Client::over(stream, options, sim::Session::default()).await.unwrap()
}

#[tokio::test]
async fn what_a_client_does_not_read_is_dropped_at_qos_0_and_harms_nobody() {
    let house = House::open_with("[limits]\noutbox_bytes_max = 65_536\n").await;
    let mut lazy = narrow(&house, app()).await;
    lazy.subscribe(&[(EVENTS, Q0)]).await.unwrap();
    let mut eager = house.client(House::application("a:abc123:eager")).await;
    eager.subscribe(&[(EVENTS, Q0)]).await.unwrap();
    let mut sender = house.client(gateway()).await;
    let count = 2_000;
    for number in 0..count {
        let mut payload = vec![b'.'; 16 * 1024];
        payload[..8].copy_from_slice(format!("{number:8}").as_bytes());
        sender.publish_done(EVENT, &payload, Q1).await.unwrap();
        assert_eq!(eager.next_message().await.unwrap().payload, payload, "others get everything");
    }
    let dropped = house.stat_reaches("/messages/dropped", 1).await as usize;
    let mut numbers = Vec::new();
    for _ in 0..count - dropped {
        let message = lazy.next_message().await.unwrap();
        numbers.push(text(&message)[..8].trim().parse::<usize>().unwrap());
    }
    assert_eq!(so_far(&mut lazy).await, [], "what was not dropped came");
    assert!(numbers.is_sorted(), "in order");
    // 32 MiB were sent. What the server held for it is the outbox; the rest of what came was in the socket.
    assert!(numbers.len() * 16 * 1024 < 16 << 20, "{} messages were kept", numbers.len());
    let fresh = sender.publish_done(EVENT, b"and on", Q1).await;
    fresh.unwrap();
    assert_eq!(texts(&mut lazy, 1).await, ["and on"], "the connection is as good as before");
    house.close().await;
}

#[tokio::test]
async fn a_clean_session_keeps_the_newest_5000_messages_for_its_window() {
    let house = House::open_with("[limits]\ninflight_application_count_max = 1\n").await;
    let mut lazy = house.client(by_hand(app())).await;
    lazy.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    let mut sender = house.client(gateway()).await;
    sender.publish_done(EVENT, b"first", Q1).await.unwrap();
    let first = lazy.next_message().await.unwrap();
    pour(&mut sender, EVENT, (0..5_100).map(|it| it.to_string().into_bytes())).await;
    assert_eq!(house.stat_reaches("/messages/dropped", 100).await, 100);
    lazy.acknowledge(&first).await.unwrap();
    for number in 100..5_100 {
        let message = lazy.next_message().await.unwrap();
        assert_eq!(text(&message), number.to_string());
        lazy.acknowledge(&message).await.unwrap();
    }
    assert_eq!(so_far(&mut lazy).await, []);
    house.close().await;
}

/// At QoS 0 too, where the session is asked for topic aliases: those that come last find no room.
#[tokio::test]
async fn a_session_with_aliases_keeps_5000_messages_for_its_window() {
    let house = House::open_with("[limits]\ninflight_application_count_max = 1\n").await;
    let options = saying(app().version(Version::V5), PropertyId::TopicAliasMaximum, Value::Two(1));
    let mut lazy = house.client(by_hand(options)).await;
    lazy.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    let mut sender = house.client(gateway()).await;
    for text in ["first", "second"] {
        sender.publish_done(EVENT, text.as_bytes(), Q1).await.unwrap();
    }
    let first = lazy.next_message().await.unwrap();
    for number in 0..5_099 {
        sender.publish(EVENT, number.to_string().as_bytes(), Q0).await.unwrap();
    }
    assert_eq!(house.stat_reaches("/messages/dropped", 100).await, 100);
    lazy.acknowledge(&first).await.unwrap();
    assert_eq!(texts(&mut lazy, 1).await, ["second"]);
    let expected: Vec<_> = (0..4_999).map(|it| it.to_string()).collect();
    assert_eq!(texts(&mut lazy, 4_999).await, expected);
    assert_eq!(so_far(&mut lazy).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_gateway_with_many_waiting_registrations_is_not_read_further() {
    let (house, store) = House::open_in_memory("").await;
    let mut other = house.client(app()).await;
    let hold = store.hold();
    let mut wire = house.wire(Version::V311).await;
    wire.push_bytes(&connect_bytes(&gateway()));
    wire.flush().await.unwrap();
    assert!(wire_next(&mut wire, |it| matches!(it, Packet::ConnAck(_))).await);
    let count = 3_000;
    let sending = tokio::spawn(async move {
        for number in 0..count {
            push_new_device(&mut wire, number);
        }
        wire.flush().await.unwrap();
        wire
    });
    house.stat_reaches("/messages/parked", 400).await;
    for _ in 0..100 {
        other.ping().await.unwrap();
    }
    // 128 are pending, 1 MiB waits for a slot, and what one read brings comes on top.
    let received = house.stat_reaches("/messages/received", 128).await;
    let bound = 128 + ((1 << 20) + 64 * 1024) / 2_000;
    assert!(received <= bound, "{received} of {count} were read, at most {bound} may be");
    drop(hold);
    let mut wire = timeout(PATIENCE, sending).await.unwrap().unwrap();
    for _ in 0..count {
        assert!(wire_next(&mut wire, |it| matches!(it, Packet::PubAck(_))).await);
    }
    for number in 0..count {
        let name = format!("child{number}");
        let device = house.running.platform.device(org(), DeviceName { device_type: "dev", name: &name });
        assert!(device.is_some(), "{name} was lost");
    }
    house.close().await;
}

fn push_new_device(wire: &mut Wire<TcpStream>, number: u16) {
    wire.push(&Packet::Publish(Publish {
        dup: false,
        qos: Q1,
        retain: false,
        topic: &format!("iot-2/type/dev/id/child{number}/evt/status/fmt/text"),
        packet_id: number + 1,
        properties: Properties::EMPTY,
        payload: &[b'x'; 2_000],
    }));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_at_once() {
    let house = House::open_with("[limits]\nconnection_count_max = 3\n").await;
    let mut clients = Vec::new();
    for name in ["a", "b", "c"] {
        clients.push(house.client(House::application(&format!("a:abc123:{name}"))).await);
    }
    assert_eq!(answer_to(&house, &connect_bytes(&gateway())).await, [""; 0]);
    assert_eq!(house.stat_reaches("/connections/turned_away", 1).await, 1);
    for client in &mut clients {
        client.ping().await.unwrap();
    }
    let mut leaving = clients.pop().unwrap();
    leaving.send_bytes(b"\xE0\x00").await.unwrap();
    until_closed(&mut leaving).await;
    let enters = async {
        // The place is free a moment after the socket is.
        while Client::connect(house.mqtt(), gateway()).await.is_err() {}
    };
    timeout(PATIENCE, enters).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn the_newest_1000_refusals_are_kept_and_all_are_counted() {
    let house = House::open().await;
    let mut client = house.client(gateway()).await;
    for number in 0..1_100 {
        client.publish(&format!("wrong/{number}"), b"", Q0).await.unwrap();
    }
    client.ping().await.unwrap();
    let refusals = house.refusals().await;
    assert_eq!(refusals.len(), 1_000);
    assert_eq!((&refusals[0]["topic"], &refusals[999]["topic"]), (&"wrong/1099".into(), &"wrong/100".into()));
    assert_eq!(house.stat_reaches("/refusals/topic_invalid", 1_100).await, 1_100);
    house.close().await;
}

#[tokio::test]
async fn messages_received_and_not_acknowledged_are_bounded_by_not_reading() {
    let (house, store) = House::open_in_memory("").await;
    let mut other = house.client(app()).await;
    let mut client = house.client(gateway()).await;
    let hold = store.hold();
    for number in 0..10_000 {
        client.publish(EVENT, number.to_string().as_bytes(), Q1).await.unwrap();
    }
    house.stat_reaches("/messages/received", 4_096).await;
    for _ in 0..100 {
        other.ping().await.unwrap();
    }
    let received = house.stat_reaches("/messages/received", 4_096).await;
    // What one read of 64 KiB brings comes on top: messages of 45 bytes.
    assert!(received <= 4_096 + 64 * 1024 / 45, "{received} of 10,000 were read");
    drop(hold);
    client.all_done().await.unwrap();
    let mut events = Vec::<Event>::new();
    while let Ok(event) = timeout(Duration::ZERO, client.next_event()).await {
        events.push(event.unwrap());
    }
    assert_eq!(events.len(), 10_000, "each is acknowledged, once");
    house.close().await;
}
