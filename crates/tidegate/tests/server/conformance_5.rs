//! What the interoperability suite of Eclipse Paho tries on a server of MQTT 5.0, as far as no other test of ours does;
//! `docs/conformance.md` has the whole list.

use mqtt::packet::{Ack, Disconnect, FilterRequest, Packet, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Options};

use crate::conformance::house;
use crate::steps::{
    Q0, Q1, Q2, connect_bytes, durable, saying, so_far, texts, until_closed, wire_next, wire_until_closed,
};

fn client(client_id: &str) -> Options {
    Options::new(client_id).version(Version::V5)
}

fn properties(write: impl FnOnce(PropertyWriter<'_>) -> PropertyWriter<'_>) -> Vec<u8> {
    let mut properties = Vec::new();
    write(PropertyWriter::new(&mut properties));
    properties
}

async fn leave(mut client: Client, properties: &[u8]) {
    let goodbye = Disconnect { reason: Reason::SUCCESS, properties: Properties::stored(properties) };
    client.send_packet(&Packet::Disconnect(goodbye)).await.unwrap();
    until_closed(&mut client).await;
}

/// A message whose packet id is the number of its quality.
fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS, properties: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: qos as u16,
        properties: Properties::stored(properties),
        payload,
    }
}

/// Sends a message without keeping account of it, and waits until the server has read it.
async fn send(client: &mut Client, message: Publish<'_>) {
    client.send_packet(&Packet::Publish(message)).await.unwrap();
    client.ping().await.unwrap();
}

/// What `look` sees in the next message.
async fn next<T>(client: &mut Client, look: impl Fn(&Publish<'_>) -> T) -> T {
    loop {
        if let Packet::Publish(publish) = client.next_packet().await.unwrap() {
            return look(&publish);
        }
    }
}

/// Whether the server closes, and tells this reason with its last packet.
async fn is_closed_with(client: &mut Client, reason: Reason) -> bool {
    let heard = until_closed(client).await;
    heard.last().is_some_and(|it| it.contains("Disconnect") && it.contains(&format!("{reason:?}")))
}

#[tokio::test]
async fn a_goodbye_says_how_long_the_session_lasts() {
    let house = house().await;
    let lasting = |client_id, expiry_s| {
        let options = Options { clean_start: false, ..client(client_id) };
        saying(options, PropertyId::SessionExpiryInterval, Value::Four(expiry_s))
    };
    let until = |expiry_s| properties(|it| it.push(PropertyId::SessionExpiryInterval, Value::Four(expiry_s)));
    leave(house.client(lasting("longer", 1)).await, &until(60)).await;
    leave(house.client(lasting("not at all", 60)).await, &until(0)).await;
    leave(house.client(lasting("as it was", 1)).await, &[]).await;
    // Two have ended when this one has, and it is the last.
    house.stat_reaches("/sessions/expired", 1).await;
    for (client_id, present) in [("longer", true), ("not at all", false), ("as it was", false)] {
        assert_eq!(house.client(lasting(client_id, 60)).await.session_present(), present, "{client_id}");
    }
    house.close().await;
}

#[tokio::test]
async fn properties_come_at_every_quality_and_with_what_is_retained() {
    let house = house().await;
    let sent = properties(|it| {
        it.push(PropertyId::PayloadFormatIndicator, Value::Byte(1))
            .push(PropertyId::ContentType, Value::Text("My name"))
            .user("c", "3")
            .user("a", "2")
    });
    let mut sender = house.client(client("myclientid")).await;
    let mut receiver = house.client(client("myclientid2")).await;
    receiver.subscribe(&[("TopicA", Q2)]).await.unwrap();
    for (qos, topic) in [(Q0, "kept/0"), (Q1, "kept/1"), (Q2, "kept/2")] {
        send(&mut sender, message("TopicA", b"", qos, &sent)).await;
        let came = next(&mut receiver, |it| (it.qos, it.properties.as_bytes().to_vec())).await;
        assert_eq!(came, (qos, sent.clone()));
        let kept = message(topic, b"kept", qos, &sent);
        send(&mut sender, Publish { retain: true, packet_id: 10 * qos as u16, ..kept }).await;
        let mut later = house.client(client("later")).await;
        later.subscribe(&[(topic, Q2)]).await.unwrap();
        let came = next(&mut later, |it| (it.qos, it.retain, it.properties.as_bytes().to_vec())).await;
        assert_eq!(came, (qos, true, sent.clone()));
    }
    house.close().await;
}

#[tokio::test]
async fn a_request_is_answered_where_it_says() {
    let house = house().await;
    let mut asking = house.client(client("myclientid")).await;
    let mut answering = house.client(client("myclientid2")).await;
    for client in [&mut asking, &mut answering] {
        let request = FilterRequest { no_local: true, ..FilterRequest::new("TopicA", Q2) };
        client.subscribe_with(&[request]).await.unwrap();
    }
    let request = properties(|it| {
        it.push(PropertyId::ResponseTopic, Value::Text("TopicA"))
            .push(PropertyId::CorrelationData, Value::Data(b"334"))
    });
    send(&mut asking, message("TopicA", b"request", Q1, &request)).await;
    let (topic, correlation) = next(&mut answering, |it| {
        let correlation = properties(|writer| match it.properties.find(PropertyId::CorrelationData) {
            Some(value) => writer.push(PropertyId::CorrelationData, value),
            None => writer,
        });
        (it.properties.response_topic().unwrap().to_owned(), correlation)
    })
    .await;
    send(&mut answering, message(&topic, b"response", Q1, &correlation)).await;
    let came = next(&mut asking, |it| (it.payload.to_vec(), it.properties.as_bytes().to_vec())).await;
    assert_eq!(came, (b"response".to_vec(), correlation));
    house.close().await;
}

#[tokio::test]
async fn a_clients_aliases_hold_for_its_connection() {
    let house = house().await;
    let aliased = |alias| properties(|it| it.push(PropertyId::TopicAlias, Value::Two(alias)));
    let mut receiver = house.client(client("myclientid2")).await;
    receiver.subscribe(&[("TopicA", Q2)]).await.unwrap();
    let mut sender = house.client(durable(client("myclientid"))).await;
    for (topic, payload, qos) in [("TopicA", "set", Q1), ("", "used", Q0), ("", "used again", Q1)] {
        send(&mut sender, message(topic, payload.as_bytes(), qos, &aliased(1))).await;
        assert_eq!(texts(&mut receiver, 1).await, [payload]);
    }
    sender.send_packet(&Packet::Publish(message("TopicA", b"", Q1, &aliased(0)))).await.unwrap();
    assert!(is_closed_with(&mut sender, Reason::TOPIC_ALIAS_INVALID).await);
    // The session goes on, the aliases do not.
    let mut sender = house.client(durable(client("myclientid"))).await;
    assert!(sender.session_present());
    sender.send_packet(&Packet::Publish(message("", b"not known", Q0, &aliased(1)))).await.unwrap();
    assert!(is_closed_with(&mut sender, Reason::PROTOCOL_ERROR).await);
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_client_that_takes_aliases_is_sent_them_at_every_quality() {
    let house = house().await;
    let mut sender = house.client(client("myclientid2")).await;
    for (count_max, expiry_s) in [(1, 0), (1, 60), (0, 0)] {
        let options = saying(client("myclientid"), PropertyId::TopicAliasMaximum, Value::Two(count_max));
        let options = saying(options, PropertyId::SessionExpiryInterval, Value::Four(expiry_s));
        let mut receiver = house.client(options).await;
        receiver.subscribe(&[("TopicA/#", Q2)]).await.unwrap();
        let mut first = true;
        for (topic, qos) in
            [("TopicA/B", Q0), ("TopicA/B", Q1), ("TopicA/C", Q0), ("TopicA/B", Q2), ("TopicA/B", Q0)]
        {
            sender.publish_done(topic, topic.as_bytes(), qos).await.unwrap();
            let came = next(&mut receiver, |it| {
                assert_eq!((it.payload, it.qos), (topic.as_bytes(), qos));
                (it.topic.to_owned(), it.properties.topic_alias())
            });
            let expected = match (count_max, topic) {
                (0, _) | (_, "TopicA/C") => (topic, None),
                _ if std::mem::take(&mut first) => (topic, Some(1)),
                _ => ("", Some(1)),
            };
            assert_eq!(came.await, (expected.0.to_owned(), expected.1));
        }
    }
    house.close().await;
}

#[tokio::test]
async fn who_is_full_takes_what_needs_no_window_and_the_rest_in_order() {
    let house = house().await;
    let mut sender = house.client(client("myclientid2")).await;
    let options = saying(client("myclientid"), PropertyId::TopicAliasMaximum, Value::Two(1));
    let options = saying(options, PropertyId::ReceiveMaximum, Value::Two(1));
    let mut receiver = house.client(Options { acknowledge: Acknowledge::ByHand, ..options }).await;
    receiver.subscribe(&[("TopicA", Q1)]).await.unwrap();
    for (payload, qos) in [("1", Q1), ("2", Q0), ("3", Q1), ("4", Q0), ("5", Q0)] {
        sender.publish_done("TopicA", payload.as_bytes(), qos).await.unwrap();
        sender.ping().await.unwrap();
    }
    let first = receiver.next_message().await.unwrap();
    assert_eq!(texts(&mut receiver, 1).await, ["2"]);
    assert_eq!(so_far(&mut receiver).await, []);
    receiver.acknowledge(&first).await.unwrap();
    assert_eq!(texts(&mut receiver, 3).await, ["3", "4", "5"]);
    house.close().await;
}

#[tokio::test]
async fn who_exceeds_the_receive_maximum_still_reads_why_it_is_disconnected() {
    let house = house().await;
    let mut wire = house.wire(Version::V5).await;
    wire.push_bytes(&connect_bytes(&client("myclientid")));
    wire.flush().await.unwrap();
    let receive_maximum = wire_next(&mut wire, |it| match it {
        Packet::ConnAck(it) => it.properties.receive_maximum().unwrap(),
        other => panic!("{other:?}"),
    })
    .await;
    for packet_id in 1..=receive_maximum + 1 {
        let publish = Publish { packet_id, ..message("TopicA", b"message", Q2, &[]) };
        wire.push(&Packet::Publish(publish));
    }
    wire.flush().await.unwrap();
    // A client answers what it reads, and has lost its connection once that fails.
    while let Some(packet_id) = wire_next(&mut wire, |it| match it {
        Packet::PubRec(it) => Some(it.packet_id),
        Packet::Disconnect(it) if it.reason == Reason::RECEIVE_MAXIMUM_EXCEEDED => None,
        other => panic!("{other:?}"),
    })
    .await
    {
        wire.push(&Packet::PubRel(Ack::success(packet_id)));
        wire.flush().await.unwrap();
    }
    assert_eq!(wire_until_closed(&mut wire).await, [""; 0]);
    house.close().await;
}
