//! What waits for clients that are away (spec onenet 6.5): messages of any quality, of those never sent the newest ten.

use std::sync::Arc;

use domain::{Message, Queued};
use mqtt::QoS;
use mqtt::packet::{Ack, Packet};
use sim::Client;
use store::{Change, Changes, Inbox, Store};
use tokio::time::timeout;

use super::bare::Bare;
use super::vendor::VENDOR;
use super::{device, heard, next, open};
use crate::house::{House, PATIENCE, org};
use crate::steps::{Q0, Q1, Q2, durable, so_far, with_will};

/// Publishes `0`, `1` and so on at changing qualities; the server has them when this returns.
async fn publish(publisher: &mut Client, count: usize) {
    for number in 0..count {
        publisher.publish_done("a", number.to_string().as_bytes(), quality(number)).await.unwrap();
    }
    publisher.ping().await.unwrap();
}

fn quality(number: usize) -> QoS {
    [Q0, Q1, Q2][number % 3]
}

/// A device with a stored session that subscribes to `a` and to `will`, and goes away.
async fn leave_subscribed(house: &House, client_id: &str) {
    let before = connected(house).await;
    let mut receiver = house.client(durable(device(client_id))).await;
    receiver.subscribe(&[("a", Q0), ("will", Q0)]).await.unwrap();
    receiver.disconnect().await.unwrap();
    until_connected(house, before).await;
}

async fn connected(house: &House) -> u64 {
    house.ask("/v1/stats").await["connections"]["now"].as_u64().unwrap()
}

/// Waits until so many clients are connected.
async fn until_connected(house: &House, count: u64) {
    let look = async {
        while connected(house).await != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, look).await.expect("gone in time");
}

#[tokio::test]
async fn the_newest_ten_wait_in_order_and_keep_their_quality() {
    let (house, store) = House::open_speaking("", &VENDOR).await;
    let mut publisher = house.client(device("1")).await;
    leave_subscribed(&house, "2").await;
    publish(&mut publisher, 13).await;
    // They are on disk, those at QoS 0 too: to a second server on it, the first one has crashed.
    store.wait(store.commit(Changes::new())).unwrap();
    let after = House::start_speaking_on("", store, &VENDOR).await;
    let mut receiver = after.client(durable(device("2"))).await;
    assert!(receiver.session_present());
    for number in 3..13 {
        assert_eq!(next(&mut receiver).await, heard("a", &number.to_string(), quality(number), false));
    }
    assert_eq!(so_far(&mut receiver).await, []);
    // They come once, and what comes now comes at once.
    receiver.disconnect().await.unwrap();
    let mut receiver = after.client(durable(device("2"))).await;
    assert_eq!(so_far(&mut receiver).await, []);
    let mut publisher = after.client(device("1")).await;
    publish(&mut publisher, 12).await;
    for number in 0..12 {
        let it = next(&mut receiver).await;
        assert_eq!(it.2, quality(it.1.parse().unwrap()), "{number}");
    }
    assert_eq!(so_far(&mut receiver).await, []);
    drop(house);
    after.close().await;
}

#[tokio::test]
async fn a_clean_login_drops_what_waits() {
    let house = open().await;
    let mut publisher = house.client(device("1")).await;
    leave_subscribed(&house, "2").await;
    publish(&mut publisher, 3).await;
    let mut receiver = house.client(device("2")).await;
    assert!(!receiver.session_present());
    assert_eq!(so_far(&mut receiver).await, []);
    receiver.disconnect().await.unwrap();
    until_connected(&house, 1).await;
    publish(&mut publisher, 3).await;
    let mut receiver = house.client(durable(device("2"))).await;
    assert!(!receiver.session_present());
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}

#[tokio::test]
async fn what_was_sent_and_not_answered_waits_beside_them() {
    let house = open().await;
    let mut publisher = house.client(device("1")).await;
    let (mut receiver, _) = Bare::connect(&house, durable(device("2"))).await;
    receiver.subscribes("a", Q0).await;
    for text in ["one", "two"] {
        publisher.publish_done("a", text.as_bytes(), Q1).await.unwrap();
        assert_eq!(receiver.hears().await, format!("a q1 {text}"));
    }
    receiver.says(&Packet::PingReq).await;
    assert_eq!(receiver.hears().await, "pingresp");
    drop(receiver);
    until_connected(&house, 1).await;
    publish(&mut publisher, 12).await;
    let (mut receiver, present) = Bare::connect(&house, durable(device("2"))).await;
    assert!(present);
    assert_eq!(receiver.hears().await, "a q1 one again");
    assert_eq!(receiver.hears().await, "a q1 two again");
    for number in 2..12 {
        assert_eq!(receiver.hears().await, format!("a q{} {number}", quality(number) as u8));
    }
    receiver.says(&Packet::PubAck(Ack::success(1))).await;
    receiver.says(&Packet::PingReq).await;
    assert_eq!(receiver.hears().await, "pingresp");
    house.close().await;
}

#[tokio::test]
async fn what_has_waited_for_too_long_is_dropped() {
    struct Deaf;
    impl Inbox for Deaf {
        fn queued(&self, _: Queued) {}
        fn dropped(&self, _: u64) {}
    }
    let (house, store) = House::open_speaking("", &VENDOR).await;
    leave_subscribed(&house, "2").await;
    let (session, _) = store.sessions(org()).unwrap().remove(0);
    let late = |qos| Change::Enqueue {
        org: org(),
        session: session.id,
        qos,
        retain: false,
        identifiers: Box::default(),
        deadline_ms: 1,
        expires_ms: 0,
        unsent_count_max: 10,
        message: Message::shared("100/a", b"", b"late"),
        inbox: Arc::new(Deaf),
    };
    let list = [domain::QoS::AtMostOnce, domain::QoS::AtLeastOnce].map(late).into();
    store.commit(Changes { list, waiter: None });
    let mut publisher = house.client(device("1")).await;
    publish(&mut publisher, 1).await;
    let mut receiver = house.client(durable(device("2"))).await;
    assert_eq!(next(&mut receiver).await, heard("a", "0", Q0, false));
    assert_eq!(so_far(&mut receiver).await, []);
    assert_eq!(house.ask("/v1/stats").await["messages"]["expired"], 2);
    house.close().await;
}

#[tokio::test]
async fn wills_wait_for_nobody() {
    let house = open().await;
    leave_subscribed(&house, "2").await;
    let mut present = house.client(durable(device("3"))).await;
    present.subscribe(&[("will", Q2)]).await.unwrap();
    for qos in [Q0, Q1, Q2] {
        let mut options = with_will(device("1"), "will", "gone");
        options.will.as_mut().unwrap().qos = qos;
        house.client(options).await.crash();
        assert_eq!(next(&mut present).await, heard("will", "gone", qos, false));
    }
    let mut receiver = house.client(durable(device("2"))).await;
    assert!(receiver.session_present());
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}
