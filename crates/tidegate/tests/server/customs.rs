//! Rules of delivery that a dialect may ask for instead of the standard's: OneNET's (spec onenet 1, 5.3 to 5.5, 6.5).

mod absence;
mod answers;
mod bare;
mod releases;
mod vendor;
mod wills;

use mqtt::QoS;
use sim::{Client, Options};

use self::vendor::VENDOR;
use crate::house::{House, KEY, TOKEN};
use crate::steps::{Q0, Q1, Q2, durable, message, so_far, text};

async fn open() -> House {
    House::open_speaking("", &VENDOR).await.0
}

fn device(client_id: &str) -> Options {
    Options::new(client_id).login(KEY, TOKEN)
}

/// The next message: topic, payload, quality, retain flag.
async fn next(client: &mut Client) -> (String, String, QoS, bool) {
    let it = client.next_message().await.unwrap();
    (it.topic.clone(), text(&it), it.qos, it.retain)
}

fn heard(topic: &str, payload: &str, qos: QoS, retain: bool) -> (String, String, QoS, bool) {
    (topic.to_owned(), payload.to_owned(), qos, retain)
}

async fn retain(client: &mut Client, topic: &str, payload: &str, qos: QoS, packet_id: u16) {
    let message = sim::Message { retain: true, ..message(topic, payload, qos, packet_id) };
    client.send_message(&message).await.unwrap();
    client.all_done().await.unwrap();
}

#[tokio::test]
async fn live_messages_come_at_the_publishers_quality() {
    let house = open().await;
    let mut publisher = house.client(device("1")).await;
    for options in [device("2"), durable(device("3"))] {
        let name = options.client_id.clone();
        let mut receiver = house.client(options).await;
        let granted = receiver.subscribe(&[("a/0", Q0), ("a/1", Q1), ("/a", Q2)]).await.unwrap();
        assert_eq!(granted, [0, 1, 2], "the requested ones");
        for topic in ["a/0", "a/1", "/a"] {
            for qos in [Q0, Q1, Q2] {
                publisher.publish_done(topic, b"x", qos).await.unwrap();
                assert_eq!(next(&mut receiver).await, heard(topic, "x", qos, false), "{name}");
            }
        }
    }
    house.close().await;
}

#[tokio::test]
async fn what_a_stored_session_asked_for_is_kept_over_a_restart() {
    let (house, store) = House::open_speaking("", &VENDOR).await;
    let mut receiver = house.client(durable(device("2"))).await;
    receiver.subscribe(&[("a", Q0)]).await.unwrap();
    receiver.disconnect().await.unwrap();
    // To a second server on what is stored by now, the first one has crashed.
    let next_house = House::start_speaking_on("", store, &VENDOR).await;
    let mut receiver = next_house.client(durable(device("2"))).await;
    assert!(receiver.session_present());
    let mut publisher = next_house.client(device("1")).await;
    publisher.publish_done("a", b"x", Q2).await.unwrap();
    assert_eq!(next(&mut receiver).await, heard("a", "x", Q2, false));
    drop(house);
    next_house.close().await;
}

#[tokio::test]
async fn retained_messages_come_at_the_requested_quality() {
    let house = open().await;
    let mut publisher = house.client(device("1")).await;
    for (topic, qos, id) in [("a/0", Q0, 0), ("a/1", Q1, 1), ("a/2", Q2, 2)] {
        retain(&mut publisher, topic, "kept", qos, id).await;
    }
    for options in [device("2"), durable(device("3"))] {
        let mut receiver = house.client(options).await;
        for requested in [Q0, Q1, Q2] {
            for topic in ["a/0", "a/1", "a/2"] {
                receiver.subscribe(&[(topic, requested)]).await.unwrap();
                assert_eq!(next(&mut receiver).await, heard(topic, "kept", requested, true));
            }
        }
        assert_eq!(so_far(&mut receiver).await, []);
    }
    house.close().await;
}

/// A live copy of a retained message keeps to the rules of live messages, and an empty one removes it.
#[tokio::test]
async fn who_is_subscribed_already_gets_a_retained_message_as_any_other() {
    let house = open().await;
    let mut publisher = house.client(device("1")).await;
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q0)]).await.unwrap();
    retain(&mut publisher, "a", "kept", Q1, 1).await;
    assert_eq!(next(&mut receiver).await, heard("a", "kept", Q1, false));
    retain(&mut publisher, "a", "", Q0, 0).await;
    assert_eq!(next(&mut receiver).await, heard("a", "", Q0, false));
    receiver.subscribe(&[("a", Q2)]).await.unwrap();
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}
