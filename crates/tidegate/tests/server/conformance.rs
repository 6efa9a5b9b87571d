//! What the interoperability suites of Eclipse Paho try on a server, where 3.1.1 and 5.0 have it in common.
//!
//! `docs/conformance.md` names for each case of the suites the test of ours that covers it; those that only 5.0 has are
//! in `conformance_5`. The server has the settings that the suites need, and its clients come without credentials.

use mqtt::packet::{Ack, Packet};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Event, Fault, Message, Options};

use crate::house::House;
use crate::steps::{
    Q0, Q1, Q2, connect_bytes, durable, message, so_far, text, texts, until_closed, wire_until_closed,
    with_will,
};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

const SETTINGS: &str = "[plain]\nanonymous = \"loopback\"\nanonymous_subscribe = [\"!test/nosubscribe\"]\n\
                        [limits]\nkeep_alive_s_max = 60\n";

/// A message at each quality, under a topic of its own.
const ONE_OF_EACH: [(&str, QoS); 3] = [("TopicA/B", Q0), ("Topic/C", Q1), ("TopicA/C", Q2)];

/// A server with the settings of the suites.
pub(crate) async fn house() -> House {
    House::open_with(SETTINGS).await
}

/// A client that says goodbye and waits until that has arrived.
async fn leave(mut client: Client) {
    let goodbye = mqtt::packet::Disconnect::with(Reason::SUCCESS);
    client.send_packet(&Packet::Disconnect(goodbye)).await.unwrap();
    until_closed(&mut client).await;
}

async fn publish_retained(client: &mut Client, payload: &str) {
    for (at, (topic, qos)) in ONE_OF_EACH.into_iter().enumerate() {
        let packet_id = if qos == Q0 { 0 } else { 30_000 + at as u16 };
        let retained = Message { retain: true, ..message(topic, payload, qos, packet_id) };
        client.send_message(&retained).await.unwrap();
    }
    client.all_done().await.unwrap();
    so_far(client).await;
}

/// The next messages with their qualities, in the order of their texts.
async fn next_messages(client: &mut Client, count: usize) -> Vec<(String, QoS)> {
    let mut came = Vec::new();
    for _ in 0..count {
        let message = client.next_message().await.unwrap();
        came.push((text(&message), message.qos));
    }
    came.sort();
    came
}

fn owned(texts: &[(&str, QoS)]) -> Vec<(String, QoS)> {
    texts.iter().map(|(text, qos)| ((*text).to_owned(), *qos)).collect()
}

#[tokio::test]
async fn messages_come_back_at_every_quality() {
    let house = house().await;
    for version in BOTH {
        let options = Options::new("myclientid").version(version);
        leave(house.client(options.clone()).await).await;
        let mut client = house.client(options).await;
        assert!(!client.session_present());
        client.subscribe(&[("TopicA", Q2)]).await.unwrap();
        for (payload, qos) in [("qos 0", Q0), ("qos 1", Q1), ("qos 2", Q2)] {
            client.publish_done("TopicA", payload.as_bytes(), qos).await.unwrap();
        }
        let expected = owned(&[("qos 0", Q0), ("qos 1", Q1), ("qos 2", Q2)]);
        assert_eq!(next_messages(&mut client, 3).await, expected);
        assert_eq!(so_far(&mut client).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn a_second_connect_and_an_unknown_protocol_end_the_connection() {
    let house = house().await;
    for version in BOTH {
        let options = Options::new("myclientid").version(version);
        let mut client = house.client(options.clone()).await;
        client.send_bytes(&connect_bytes(&options)).await.unwrap();
        let heard = until_closed(&mut client).await;
        match version {
            Version::V5 => assert!(heard.len() == 1 && heard[0].contains("0x82"), "{heard:?}"),
            _ => assert_eq!(heard, [""; 0]),
        }
        let mut connect = connect_bytes(&options);
        let at = connect.windows(4).position(|it| it == b"MQTT").unwrap();
        connect[at..at + 4].copy_from_slice(b"HJTT");
        let mut wire = house.wire(version).await;
        wire.push_bytes(&connect);
        wire.flush().await.unwrap();
        assert_eq!(wire_until_closed(&mut wire).await, [""; 0]);
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_retained_comes_to_new_subscriptions_until_it_is_removed() {
    let house = house().await;
    for version in BOTH {
        let mut client = house.client(Options::new("myclientid").version(version)).await;
        publish_retained(&mut client, "kept").await;
        client.subscribe(&[("+/+", Q2)]).await.unwrap();
        let mut qualities = Vec::new();
        for _ in ONE_OF_EACH {
            let message = client.next_message().await.unwrap();
            assert!(message.retain && text(&message) == "kept", "{message:?}");
            qualities.push((message.topic, message.qos));
        }
        qualities.sort_by_key(|it| it.1);
        assert_eq!(qualities, owned(&ONE_OF_EACH));
        leave(client).await;
        let mut client = house.client(Options::new("myclientid").version(version)).await;
        publish_retained(&mut client, "").await;
        client.subscribe(&[("+/+", Q2)]).await.unwrap();
        assert_eq!(so_far(&mut client).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn an_empty_client_id_needs_a_clean_session_before_5_0() {
    let house = house().await;
    let refused = Client::connect(house.mqtt(), durable(Options::new(""))).await;
    assert!(matches!(refused, Err(Fault::Refused { code: 2 })));
    for version in BOTH {
        leave(house.client(Options::new("").version(version)).await).await;
    }
    leave(house.client(durable(Options::new("").version(Version::V5))).await).await;
    house.close().await;
}

#[tokio::test]
async fn messages_wait_for_who_is_offline() {
    let house = house().await;
    for version in BOTH {
        let options = durable(Options::new("myclientid").version(version));
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[("+/+", Q2)]).await.unwrap();
        leave(client).await;
        let mut sender = house.client(Options::new("myclientid2").version(version)).await;
        for (topic, qos) in ONE_OF_EACH {
            sender.publish_done(topic, topic.as_bytes(), qos).await.unwrap();
        }
        let mut client = house.client(options).await;
        assert!(client.session_present());
        assert_eq!(next_messages(&mut client, 2).await, owned(&[("Topic/C", Q1), ("TopicA/C", Q2)]));
        assert_eq!(so_far(&mut client).await, [], "what came at quality 0 was for those who were there");
        leave(client).await;
        leave(house.client(Options::new("myclientid").version(version)).await).await;
    }
    house.close().await;
}

#[tokio::test]
async fn overlapping_subscriptions_give_the_highest_quality() {
    let house = house().await;
    for (version, expected) in [(Version::V311, &[Q1, Q2][..]), (Version::V5, &[Q2])] {
        let mut client = house.client(Options::new("myclientid").version(version)).await;
        client.subscribe(&[("TopicA/#", Q2), ("TopicA/+", Q1)]).await.unwrap();
        client.publish_done("TopicA/C", b"overlapping", Q2).await.unwrap();
        let came = next_messages(&mut client, expected.len()).await;
        assert_eq!(came.iter().map(|it| it.1).collect::<Vec<_>>(), expected, "{version:?}");
        assert_eq!(so_far(&mut client).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn who_is_silent_for_too_long_is_disconnected() {
    let house = house().await;
    for version in BOTH {
        let mut watching =
            house.client(Options { keep_alive_s: 0, ..Options::new("myclientid2").version(version) }).await;
        watching.subscribe(&[("/TopicA", Q2)]).await.unwrap();
        let mut silent = with_will(Options::new("myclientid").version(version), "/TopicA", "fell silent");
        silent.keep_alive_s = 1;
        let mut silent = house.client(silent).await;
        assert_eq!(texts(&mut watching, 1).await, ["fell silent"]);
        let heard = until_closed(&mut silent).await;
        match version {
            Version::V5 => assert!(heard.len() == 1 && heard[0].contains("0x8D"), "{heard:?}"),
            _ => assert_eq!(heard, [""; 0]),
        }
        assert_eq!(so_far(&mut watching).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let house = house().await;
    for version in BOTH {
        let mut options = durable(Options::new("myclientid2").version(version));
        options.acknowledge = Acknowledge::ByHand;
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[("TopicA/#", Q2)]).await.unwrap();
        client.publish_done("TopicA/B", b"one", Q1).await.unwrap();
        client.publish_done("TopicA/C", b"two", Q2).await.unwrap();
        let mut before = Vec::new();
        for _ in 0..2 {
            let message = client.next_message().await.unwrap();
            assert!(!message.dup);
            before.push((text(&message), message.qos, message.packet_id));
        }
        leave(client).await;
        options.acknowledge = Acknowledge::Automatically;
        let mut client = house.client(options).await;
        let mut again = Vec::new();
        for _ in 0..2 {
            let message = client.next_message().await.unwrap();
            assert!(message.dup);
            again.push((text(&message), message.qos, message.packet_id));
        }
        assert_eq!(again, before);
        assert_eq!(so_far(&mut client).await, []);
        leave(client).await;
        leave(house.client(Options::new("myclientid2").version(version)).await).await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_subscription_that_is_not_allowed_is_answered_with_128() {
    let house = house().await;
    for version in BOTH {
        let mut client = house.client(Options::new("myclientid").version(version)).await;
        let requests = [("test/nosubscribe", Q2), ("test/other", Q1)];
        assert_eq!(client.subscribe(&requests).await.unwrap(), [0x80, 1]);
        for topic in ["test/nosubscribe", "test/other"] {
            client.publish_done(topic, topic.as_bytes(), Q1).await.unwrap();
        }
        assert_eq!(texts(&mut client, 1).await, ["test/other"]);
        assert_eq!(so_far(&mut client).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn wildcards_do_not_match_topics_that_begin_with_a_dollar() {
    let house = house().await;
    for version in BOTH {
        let mut client = house.client(Options::new("myclientid2").version(version)).await;
        client.subscribe(&[("+/+", Q2), ("#", Q2)]).await.unwrap();
        // Nobody may publish there, and a client that cannot read reason strings is not sent one.
        client.send_message(&message("$TopicA/B", "", Q1, 9)).await.unwrap();
        match client.next_packet().await.unwrap() {
            Packet::PubAck(Ack { packet_id: 9, reason, properties }) => {
                let told = if version == Version::V5 { Reason::TOPIC_NAME_INVALID } else { Reason::SUCCESS };
                assert_eq!((reason, properties.as_bytes()), (told, &[][..]));
            }
            other => panic!("{other:?}"),
        }
        let came = so_far(&mut client).await;
        assert!(!came.iter().any(|it| matches!(it, Event::Message(_))), "{came:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn nothing_comes_for_a_filter_that_was_given_up() {
    let house = house().await;
    for version in BOTH {
        let mut client = house.client(Options::new("myclientid2").version(version)).await;
        for topic in ["TopicA", "TopicA/B", "Topic/C"] {
            client.subscribe(&[(topic, Q2)]).await.unwrap();
        }
        client.unsubscribe(&["TopicA"]).await.unwrap();
        let mut sender = house.client(Options::new("myclientid").version(version)).await;
        for topic in ["TopicA", "TopicA/B", "Topic/C"] {
            sender.publish_done(topic, topic.as_bytes(), Q1).await.unwrap();
        }
        assert_eq!(texts(&mut client, 2).await, ["TopicA/B", "Topic/C"]);
        assert_eq!(so_far(&mut client).await, []);
    }
    house.close().await;
}

#[tokio::test]
async fn a_will_comes_when_its_client_is_lost() {
    let house = house().await;
    for version in BOTH {
        let mut client = house.client(durable(Options::new("myclientid2").version(version))).await;
        client.subscribe(&[("Topic/C", Q2)]).await.unwrap();
        for (lost, expected) in [(false, &[][..]), (true, &["will message"])] {
            let options = Options::new("myclientid").version(version);
            let mut options = with_will(options, "Topic/C", "will message");
            options.will.as_mut().unwrap().qos = Q2;
            let dying = house.client(options).await;
            if lost {
                drop(dying.crash());
            } else {
                leave(dying).await;
            }
            assert_eq!(texts(&mut client, expected.len()).await, expected);
        }
        assert_eq!(so_far(&mut client).await, []);
        leave(client).await;
        leave(house.client(Options::new("myclientid2").version(version)).await).await;
    }
    house.close().await;
}
