//! The statements of MQTT 3.1.1 that only a whole server can show. The clause table in `crates/mqtt/tests/clauses`
//! names these tests; what they have to prove is told beside each statement there.
//!
//! The clients are those of the Watson dialect, so wills go to topics of events and what is retained is the server's
//! own. Where the dialect deviates from the standard, the test says so.

use mqtt::packet::{Ack, Disconnect, Packet, Publish};
use mqtt::property::Properties;
use mqtt::{QoS, Reason, Version};
use sim::{Client, Options};

use crate::house::House;
use crate::steps::{
    Q0, Q1, Q2, VERSIONS, connect_bytes, durable, message, so_far, text, texts, until_closed, wire_next,
    wire_until_closed, with_will,
};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const COMMANDS: &str = "iot-2/type/+/id/+/cmd/+/fmt/+";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";
const COMMAND: &str = "iot-2/type/dev/id/d1/cmd/do/fmt/text";
const WILL: &str = "iot-2/type/gw/id/g1/evt/gone/fmt/text";

fn gateway() -> Options {
    House::device("g:abc123:gw:g1")
}

fn app() -> Options {
    House::application("a:abc123:app")
}

/// An application that listens to all events.
async fn listener(house: &House, qos: QoS) -> Client {
    let mut client = house.client(House::application("a:abc123:listener")).await;
    client.subscribe(&[(EVENTS, qos)]).await.unwrap();
    client
}

/// Says goodbye and waits until the server has closed too.
async fn leave(mut client: Client) {
    client.send_packet(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS))).await.unwrap();
    until_closed(&mut client).await;
}

async fn send_commands(house: &House, texts: &[&str], qos: QoS) {
    let mut sender = house.client(House::application("a:abc123:sender")).await;
    for text in texts {
        sender.publish_done(COMMAND, text.as_bytes(), qos).await.unwrap();
    }
    leave(sender).await;
}

#[tokio::test]
async fn a_connect_is_acknowledged_first() {
    let house = House::open().await;
    for version in VERSIONS {
        let options = durable(gateway().version(version));
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
        leave(client).await;
        send_commands(&house, &["waiting"], Q1).await;
        // A message waits, and a request is sent before the answer: CONNACK is still the first packet. The bytes come
        // one at a time, in a stream as MQTT asks for it.
        let mut wire = house.wire(version).await;
        for byte in connect_bytes(&options) {
            wire.push_bytes(&[byte]);
            wire.flush().await.unwrap();
        }
        wire.push(&Packet::PingReq);
        wire.flush().await.unwrap();
        let code = wire_next(&mut wire, |it| if let Packet::ConnAck(it) = it { Some(it.code) } else { None });
        assert_eq!(code.await, Some(0));
        let is_message = |it: &Packet<'_>| matches!(it, Packet::Publish(_));
        let others = [wire_next(&mut wire, is_message).await, wire_next(&mut wire, is_message).await];
        assert!(others.contains(&true), "the message came, behind the CONNACK");
        wire.push(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS)));
        wire.flush().await.unwrap();
        wire_until_closed(&mut wire).await;
        let clean = house.client(gateway().version(version)).await;
        leave(clean).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_refused_connection_is_closed_and_not_read_further() {
    let house = House::open().await;
    let mut listener = listener(&house, Q1).await;
    for (version, code) in [(Version::V31, 5), (Version::V311, 5), (Version::V5, 0x87)] {
        let mut wire = house.wire(version).await;
        wire.push_bytes(&connect_bytes(&gateway().version(version).login("use-token-auth", "wrong")));
        wire.push(&Packet::Publish(Publish {
            dup: false,
            qos: Q1,
            retain: false,
            topic: EVENT,
            packet_id: 1,
            properties: Properties::EMPTY,
            payload: b"smuggled",
        }));
        wire.push(&Packet::PingReq);
        wire.flush().await.unwrap();
        let answer = wire_next(&mut wire, |it| match it {
            Packet::ConnAck(it) => Some((it.code, it.session_present)),
            _ => None,
        });
        assert_eq!(answer.await, Some((code, false)));
        assert_eq!(wire_until_closed(&mut wire).await, [""; 0], "nothing else is answered");
    }
    let mut honest = house.client(gateway()).await;
    honest.publish_done(EVENT, b"honest", Q1).await.unwrap();
    assert_eq!(texts(&mut listener, 1).await, ["honest"]);
    house.close().await;
}

#[tokio::test]
async fn session_present_tells_whether_there_was_a_session() {
    let house = House::open().await;
    for version in VERSIONS {
        let clean = gateway().version(version);
        let kept = durable(gateway().version(version));
        // MQTT 3.1 has no such flag; the byte is 0.
        let known = version != Version::V31;
        let visits = [(&clean, false), (&kept, false), (&kept, known), (&clean, false), (&kept, false)];
        for (at, (options, expected)) in visits.into_iter().enumerate() {
            let client = house.client(options.clone()).await;
            assert_eq!(client.session_present(), expected, "{version:?}, visit {at}");
            leave(client).await;
        }
        let client = house.client(kept).await;
        client.crash();
        // The old connection may still be there: then it is taken over, and the session is the same.
        let client = house.client(durable(gateway().version(version))).await;
        assert_eq!(client.session_present(), known);
        leave(client).await;
        leave(house.client(clean).await).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_session_outlives_its_connection() {
    let mut house = House::open().await;
    for version in VERSIONS {
        let options = durable(gateway().version(version));
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
        // QoS 2 half done: the server has the message and must remember its packet id.
        client.send_packet(&Packet::Publish(half(false))).await.unwrap();
        assert!(matches!(client.next_packet().await.unwrap(), Packet::PubRec(it) if it.packet_id == 9));
        drop(client.crash());
        house = house.reopen().await;

        let mut listener = listener(&house, Q2).await;
        let mut stranger = house.client(durable(House::device("g:abc123:gw:g2").version(version))).await;
        assert!(!stranger.session_present(), "the client id says whose session it is");
        let mut client = house.client(options.clone()).await;
        client.send_packet(&Packet::Publish(half(true))).await.unwrap();
        assert!(matches!(client.next_packet().await.unwrap(), Packet::PubRec(it) if it.packet_id == 9));
        client.send_packet(&Packet::PubRel(Ack::success(9))).await.unwrap();
        assert!(matches!(client.next_packet().await.unwrap(), Packet::PubComp(it) if it.packet_id == 9));
        client.publish_done(EVENT, b"after", Q2).await.unwrap();
        assert_eq!(texts(&mut listener, 1).await, ["after"], "what was taken before is not taken again");
        // The subscription is still there, and lasts as long as the connection does.
        for round in ["1", "2"] {
            send_commands(&house, &[round], Q1).await;
            assert_eq!(texts(&mut client, 1).await, [round]);
        }
        assert_eq!(so_far(&mut stranger).await, []);
        leave(client).await;
        leave(stranger).await;
        for id in ["g:abc123:gw:g1", "g:abc123:gw:g2"] {
            leave(house.client(House::device(id).version(version)).await).await;
        }
    }
    house.close().await;
}

fn half(dup: bool) -> Publish<'static> {
    let properties = Properties::EMPTY;
    Publish { dup, qos: Q2, retain: false, topic: EVENT, packet_id: 9, properties, payload: b"half" }
}

#[tokio::test]
async fn messages_wait_for_a_session_that_is_away() {
    let mut house = House::open().await;
    for version in VERSIONS {
        let options = durable(gateway().version(version));
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[(COMMANDS, Q2)]).await.unwrap();
        leave(client).await;
        let mut other = house.client(House::device("g:abc123:gw:g2")).await;
        other.subscribe(&[(COMMANDS, Q2)]).await.unwrap();
        send_commands(&house, &["1"], Q1).await;
        send_commands(&house, &["not kept"], Q0).await;
        send_commands(&house, &["2", "3"], Q2).await;
        assert_eq!(texts(&mut other, 4).await, ["1", "not kept", "2", "3"], "all who subscribed get it");
        drop(other);
        house = house.reopen().await;
        send_commands(&house, &["4"], Q1).await;
        let mut client = house.client(options.clone()).await;
        let mut came = Vec::new();
        for _ in 0..4 {
            let message = client.next_message().await.unwrap();
            assert!(!message.dup, "it was never sent before");
            came.push((text(&message), message.qos));
        }
        let expected = [("1", Q1), ("2", Q2), ("3", Q2), ("4", Q1)];
        assert_eq!(came, expected.map(|(text, qos)| (text.to_owned(), qos)));
        assert_eq!(so_far(&mut client).await, []);
        leave(client).await;
        leave(house.client(gateway().version(version)).await).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_clean_session_leaves_nothing_behind() {
    let mut house = House::open().await;
    for version in VERSIONS {
        let mut client = house.client(durable(gateway().version(version))).await;
        client.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
        leave(client).await;
        send_commands(&house, &["old"], Q1).await;
        let mut clean = house.client(gateway().version(version)).await;
        assert_eq!(so_far(&mut clean).await, [], "the old session is discarded");
        clean.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
        send_commands(&house, &["live"], Q1).await;
        assert_eq!(texts(&mut clean, 1).await, ["live"]);
        leave(clean).await;
        send_commands(&house, &["nobody's"], Q1).await;
        house = house.reopen().await;
        let mut client = house.client(durable(gateway().version(version))).await;
        assert!(!client.session_present());
        send_commands(&house, &["nobody's"], Q1).await;
        assert_eq!(so_far(&mut client).await, [], "neither messages nor subscriptions are left");
        leave(client).await;
        leave(house.client(gateway().version(version)).await).await;
    }
    house.close().await;
}

#[tokio::test]
async fn takeover_closes_the_old_connection() {
    let house = House::open().await;
    let mut listener = listener(&house, Q1).await;
    for version in VERSIONS {
        let options = durable(gateway().version(version));
        let mut first = house.client(with_will(options.clone(), WILL, "taken over")).await;
        first.subscribe(&[(COMMANDS, Q1)]).await.unwrap();
        let mut second = house.client(options.clone()).await;
        assert_eq!(second.session_present(), version != Version::V31);
        let goodbye = until_closed(&mut first).await;
        match version {
            Version::V5 => {
                let told = goodbye.iter().any(|it| it.contains("Disconnect") && it.contains("0x8E"));
                assert!(told, "0x8E, session taken over: {goodbye:?}");
            }
            _ => assert_eq!(goodbye, [""; 0]),
        }
        assert_eq!(texts(&mut listener, 1).await, ["taken over"], "the will of the old connection");
        send_commands(&house, &["on"], Q1).await;
        assert_eq!(texts(&mut second, 1).await, ["on"], "the session goes on with the new connection");
        leave(second).await;
        leave(house.client(gateway().version(version)).await).await;
    }
    assert_eq!(so_far(&mut listener).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_will_is_published_once_when_the_connection_breaks() {
    let house = House::open().await;
    let mut listener = listener(&house, Q1).await;
    for version in VERSIONS {
        let client = house.client(with_will(gateway().version(version), WILL, "crashed")).await;
        drop(client.crash());
        assert_eq!(texts(&mut listener, 1).await, ["crashed"]);

        let mut client = house.client(with_will(gateway().version(version), WILL, "broke a rule")).await;
        client.send_bytes(&[0xF0, 0x01, 0x00]).await.unwrap();
        until_closed(&mut client).await;
        assert_eq!(texts(&mut listener, 1).await, ["broke a rule"]);

        let mut silent = with_will(gateway().version(version), WILL, "silent");
        silent.keep_alive_s = 1;
        let mut client = house.client(silent).await;
        until_closed(&mut client).await;
        assert_eq!(texts(&mut listener, 1).await, ["silent"], "after one and a half keep alive intervals");

        // The will went with its connection: the next one has none.
        let client = house.client(gateway().version(version)).await;
        drop(client.crash());
    }
    let mut client = house.client(with_will(gateway().version(Version::V5), WILL, "asked for")).await;
    client.send_packet(&Packet::Disconnect(Disconnect::with(Reason(0x04)))).await.unwrap();
    assert_eq!(texts(&mut listener, 1).await, ["asked for"], "5.0: DISCONNECT with will message");

    // The Watson dialect retains nothing of its clients (spec watson 2.4): the flag of a will is cleared.
    let mut options = with_will(gateway(), WILL, "retain me");
    options.will.as_mut().unwrap().retain = true;
    drop(house.client(options).await.crash());
    let will = listener.next_message().await.unwrap();
    assert_eq!((text(&will).as_str(), will.qos, will.retain), ("retain me", Q1, false));
    let mut late = house.client(app()).await;
    late.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    assert_eq!(so_far(&mut late).await, []);
    assert_eq!(so_far(&mut listener).await, [], "each came once");
    house.close().await;
}

#[tokio::test]
async fn no_will_is_published_without_one_or_after_disconnect() {
    let house = House::open().await;
    let mut listener = listener(&house, Q1).await;
    for version in VERSIONS {
        leave(house.client(with_will(gateway().version(version), WILL, "said goodbye")).await).await;
        drop(house.client(gateway().version(version)).await.crash());
        let mut client = house.client(gateway().version(version)).await;
        client.publish_done(EVENT, b"the only one", Q1).await.unwrap();
        assert_eq!(texts(&mut listener, 1).await, ["the only one"]);
        leave(client).await;
    }
    assert_eq!(so_far(&mut listener).await, []);
    house.close().await;
}

/// The standard asks for return code 2 (and 0x85 in 5.0). Watson's answer to an empty client id was "not authorized",
/// and so is ours: the dialect's documented deviation (spec watson E11).
#[tokio::test]
async fn an_empty_client_id_is_refused() {
    let house = House::open().await;
    for (version, code) in [(Version::V31, 5), (Version::V311, 5), (Version::V5, 0x87)] {
        for options in [House::device(""), durable(House::device("").version(version))] {
            assert_eq!(refusal_of(&house, options.version(version)).await, code, "{version:?}");
        }
    }
    house.close().await;
}

/// Return code 2 as the standard asks, for a client id that is nearly of a known form; one of no known form is
/// answered with 5, the dialect's documented deviation (spec watson 1.5).
#[tokio::test]
async fn a_client_id_that_is_not_valid_is_refused() {
    let house = House::open().await;
    let long = format!("g:abc123:gw:{}", "x".repeat(300));
    let malformed = ["g:abc123:gw:g/1", "g:abc123:gw:+", "g:abc123:gw:g1:more", "g:ABC:gw:g1", &long];
    let unrecognised = ["somebody", "x:abc123:gw:g1", "g:abc123:gw"];
    for (version, invalid, unknown) in
        [(Version::V31, 2, 5), (Version::V311, 2, 5), (Version::V5, 0x85, 0x87)]
    {
        for id in malformed {
            assert_eq!(refusal_of(&house, House::device(id).version(version)).await, invalid, "{id}");
        }
        for id in unrecognised {
            assert_eq!(refusal_of(&house, House::device(id).version(version)).await, unknown, "{id}");
        }
    }
    house.close().await;
}

/// The code with which a CONNECT is refused; the connection has to be closed behind it.
async fn refusal_of(house: &House, options: Options) -> u8 {
    let mut wire = house.wire(options.version).await;
    wire.push_bytes(&connect_bytes(&options));
    wire.flush().await.unwrap();
    let code = wire_next(&mut wire, |it| if let Packet::ConnAck(it) = it { it.code } else { 0 }).await;
    assert_eq!(wire_until_closed(&mut wire).await, [""; 0]);
    code
}

#[tokio::test]
async fn a_message_arrives_at_the_lower_qos() {
    let house = House::open().await;
    for version in VERSIONS {
        let mut receivers = Vec::new();
        for (name, qos) in [("a", Q0), ("b", Q1), ("c", Q2)] {
            for kept in [false, true] {
                let id = format!("a:abc123:{name}{kept}{version:?}");
                let options = House::application(&id).version(version);
                let options = if kept { durable(options) } else { options };
                let mut client = house.client(options).await;
                assert_eq!(client.subscribe(&[(EVENTS, qos)]).await.unwrap(), [qos as u8]);
                receivers.push((qos, client));
            }
        }
        let mut gateway = house.client(gateway().version(version)).await;
        for sent in [Q0, Q1, Q2] {
            gateway.publish_done(EVENT, b"x", sent).await.unwrap();
            for (granted, receiver) in &mut receivers {
                let message = receiver.next_message().await.unwrap();
                assert_eq!(message.qos, sent.min(*granted), "{version:?} {sent:?} {granted:?}");
            }
        }
    }
    house.close().await;
}

#[tokio::test]
async fn messages_of_one_publisher_keep_their_order() {
    let house = House::open().await;
    let mut live = listener(&house, Q2).await;
    let mut away = house.client(durable(app())).await;
    away.subscribe(&[(EVENTS, Q2)]).await.unwrap();
    leave(away).await;
    let mut gateway = house.client(gateway()).await;
    let topics = [EVENT, "iot-2/type/dev/id/child/evt/status/fmt/text"];
    for round in 0..300 {
        for topic in topics {
            for qos in [Q0, Q1, Q2] {
                gateway.publish(topic, round.to_string().as_bytes(), qos).await.unwrap();
            }
        }
    }
    gateway.all_done().await.unwrap();
    let mut away = house.client(durable(app())).await;
    for (receiver, qualities) in [(&mut live, &[Q0, Q1, Q2][..]), (&mut away, &[Q1, Q2])] {
        let mut came = std::collections::BTreeMap::<_, Vec<usize>>::new();
        for _ in 0..300 * topics.len() * qualities.len() {
            let message = receiver.next_message().await.unwrap();
            let number = text(&message).parse().unwrap();
            came.entry((message.topic, message.qos as u8)).or_default().push(number);
        }
        assert_eq!(came.len(), topics.len() * qualities.len());
        let in_order: Vec<usize> = (0..300).collect();
        for (which, numbers) in came {
            assert_eq!(numbers, in_order, "{which:?}");
        }
    }
    house.close().await;
}

/// Messages that are stored, refused, and waiting for the registration of their device: PUBACKs and PUBRECs keep the
/// order of the messages.
#[tokio::test]
async fn acknowledgements_keep_the_order_of_the_messages() {
    let (house, store) = House::open_in_memory("[limits]\nregistration_pending_count_max = 1\n").await;
    let topics =
        [EVENT, "iot-2/type/dev/id/new1/evt/status/fmt/text", "iot-2/type/dev/id/new2/evt/status/fmt/text"];
    for version in VERSIONS {
        let mut gateway = house.client(gateway().version(version)).await;
        let hold = store.hold();
        let mut packet_id = 0;
        for _ in 0..20 {
            for qos in [Q1, Q2] {
                for topic in topics.into_iter().chain(["not/allowed"]) {
                    packet_id += 1;
                    let properties = Properties::EMPTY;
                    let publish = Publish {
                        dup: false,
                        qos,
                        retain: false,
                        topic,
                        packet_id,
                        properties,
                        payload: b"",
                    };
                    gateway.send_packet(&Packet::Publish(publish)).await.unwrap();
                }
            }
        }
        gateway.send_packet(&Packet::PingReq).await.unwrap();
        assert!(matches!(gateway.next_packet().await.unwrap(), Packet::PingResp), "nothing is stored yet");
        drop(hold);
        for expected in 1..=packet_id {
            match gateway.next_packet().await.unwrap() {
                Packet::PubAck(ack) | Packet::PubRec(ack) => {
                    assert_eq!(ack.packet_id, expected, "{version:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        leave(gateway).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_failing_store_closes_the_connection() {
    let (house, store) = House::open_in_memory("").await;
    let mut gateway = house.client(gateway()).await;
    gateway.publish_done(EVENT, b"stored", Q1).await.unwrap();
    store.fail_next_sync();
    gateway.send_message(&message(EVENT, "not stored", Q1, 77)).await.unwrap();
    // `tidegate serve` waits for this, and then ends.
    house.running.failed().await;
    house.running.shutdown().await.unwrap_err();
    let heard = until_closed(&mut gateway).await;
    assert!(
        !heard.iter().any(|it| it.contains("PubAck")),
        "what is not stored is not acknowledged: {heard:?}"
    );
}

#[tokio::test]
async fn retained_messages_come_with_the_flag_and_live_ones_without() {
    let house = House::open().await;
    let status = "iot-2/type/gw/id/g1/mon";
    let mut early = house.client(House::application("a:abc123:early")).await;
    early.subscribe(&[(status, Q1)]).await.unwrap();
    let gateway = house.client(gateway()).await;
    let live = early.next_message().await.unwrap();
    assert_eq!((live.topic.as_str(), live.retain), (status, false));
    let mut late = house.client(House::application("a:abc123:late")).await;
    for _ in 0..2 {
        // The same filter again is answered with the retained messages again.
        late.subscribe(&[("iot-2/type/+/id/+/mon", Q1)]).await.unwrap();
        let kept = late.next_message().await.unwrap();
        assert_eq!((kept.topic, kept.payload, kept.retain), (live.topic.clone(), live.payload.clone(), true));
    }
    leave(gateway).await;
    for client in [&mut early, &mut late] {
        let message = client.next_message().await.unwrap();
        assert_eq!((text(&message).contains("Disconnect"), message.retain), (true, false));
    }
    // A client's own flag is cleared (spec watson 2.4), live and for those who come later.
    let mut listener = listener(&house, Q1).await;
    let mut gateway = house.client(self::gateway()).await;
    let flagged = sim::Message { retain: true, ..message(EVENT, "flagged", Q1, 1) };
    gateway.send_message(&flagged).await.unwrap();
    let came = listener.next_message().await.unwrap();
    assert_eq!((text(&came).as_str(), came.retain), ("flagged", false));
    let mut later = house.client(app()).await;
    later.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    assert_eq!(so_far(&mut later).await, []);
    house.close().await;
}
