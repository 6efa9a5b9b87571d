//! Messages at QoS 2 go on when their sender releases them (spec onenet 5.3).

use mqtt::packet::Packet;

use super::bare::Bare;
use super::vendor::VENDOR;
use super::{device, heard, next, open};
use crate::house::House;
use crate::steps::{Q0, Q1, Q2, durable, so_far, texts};

#[tokio::test]
async fn a_message_goes_on_when_it_is_released_and_once() {
    let house = open().await;
    let mut clean = house.client(device("2")).await;
    let mut lasting = house.client(durable(device("3"))).await;
    for receiver in [&mut clean, &mut lasting] {
        receiver.subscribe(&[("a", Q0)]).await.unwrap();
    }
    for publisher in [device("1"), durable(device("1"))] {
        let (mut publisher, _) = Bare::connect(&house, publisher).await;
        publisher.publishes("a", "held", 7, false).await;
        assert_eq!(publisher.hears().await, "pubrec 7");
        publisher.publishes("a", "held", 7, true).await;
        assert_eq!(publisher.hears().await, "pubrec 7");
        for receiver in [&mut clean, &mut lasting] {
            assert_eq!(so_far(receiver).await, [], "not released");
        }
        publisher.releases(7).await;
        assert_eq!(publisher.hears().await, "pubcomp 7");
        publisher.releases(7).await;
        assert_eq!(publisher.hears().await, "pubcomp 7");
        for receiver in [&mut clean, &mut lasting] {
            assert_eq!(next(receiver).await, heard("a", "held", Q2, false));
            assert_eq!(so_far(receiver).await, []);
        }
    }
    house.close().await;
}

#[tokio::test]
async fn they_go_on_in_the_order_of_their_releases_and_only_those() {
    let house = open().await;
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q2)]).await.unwrap();
    let (mut publisher, _) = Bare::connect(&house, device("1")).await;
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        publisher.publishes("a", text, id, false).await;
        assert_eq!(publisher.hears().await, format!("pubrec {id}"));
    }
    for id in [3, 1] {
        publisher.releases(id).await;
        assert_eq!(publisher.hears().await, format!("pubcomp {id}"));
    }
    // The id is free: what comes under it is new.
    publisher.publishes("a", "four", 1, false).await;
    assert_eq!(publisher.hears().await, "pubrec 1");
    publisher.releases(1).await;
    assert_eq!(publisher.hears().await, "pubcomp 1");
    assert_eq!(texts(&mut receiver, 3).await, ["three", "one", "four"]);
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}

#[tokio::test]
async fn who_publishes_to_itself_hears_of_it_behind_the_answer() {
    let house = open().await;
    let (mut device, _) = Bare::connect(&house, device("1")).await;
    device.subscribes("a", Q0).await;
    device.publishes("a", "self", 7, false).await;
    assert_eq!(device.hears().await, "pubrec 7");
    device.releases(7).await;
    assert_eq!(device.hears().await, "pubcomp 7");
    assert_eq!(device.hears().await, "a q2 self");
    house.close().await;
}

#[tokio::test]
async fn a_stored_sessions_message_can_be_released_after_a_crash_of_ours() {
    let (house, store) = House::open_speaking("", &VENDOR).await;
    let mut receiver = house.client(durable(device("2"))).await;
    receiver.subscribe(&[("a", Q1)]).await.unwrap();
    receiver.disconnect().await.unwrap();
    let (mut publisher, _) = Bare::connect(&house, durable(device("1"))).await;
    for (id, text) in [(1, "one"), (2, "two")] {
        publisher.publishes("a", text, id, false).await;
        assert_eq!(publisher.hears().await, format!("pubrec {id}"));
    }
    // To a second server on what is stored by now, the first one has crashed.
    let after = House::start_speaking_on("", store.clone(), &VENDOR).await;
    let (mut publisher, present) = Bare::connect(&after, durable(device("1"))).await;
    assert!(present);
    publisher.publishes("a", "two", 2, true).await;
    assert_eq!(publisher.hears().await, "pubrec 2");
    publisher.releases(2).await;
    assert_eq!(publisher.hears().await, "pubcomp 2");
    // What PUBCOMP answers for is stored, too.
    let later = House::start_speaking_on("", store, &VENDOR).await;
    let mut receiver = later.client(durable(device("2"))).await;
    assert_eq!(next(&mut receiver).await, heard("a", "two", Q2, false));
    let (mut publisher, _) = Bare::connect(&later, durable(device("1"))).await;
    publisher.releases(2).await;
    assert_eq!(publisher.hears().await, "pubcomp 2");
    publisher.releases(1).await;
    assert_eq!(publisher.hears().await, "pubcomp 1");
    assert_eq!(next(&mut receiver).await, heard("a", "one", Q2, false));
    assert_eq!(so_far(&mut receiver).await, []);
    drop((house, after));
    later.close().await;
}

#[tokio::test]
async fn what_a_clean_session_did_not_release_is_gone_with_it() {
    let house = open().await;
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q2)]).await.unwrap();
    let (mut publisher, _) = Bare::connect(&house, device("1")).await;
    publisher.publishes("a", "lost", 7, false).await;
    assert_eq!(publisher.hears().await, "pubrec 7");
    drop(publisher);
    let (mut publisher, present) = Bare::connect(&house, device("1")).await;
    assert!(!present);
    publisher.releases(7).await;
    assert_eq!(publisher.hears().await, "pubcomp 7");
    assert_eq!(so_far(&mut receiver).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_retained_message_is_retained_when_it_is_released() {
    let house = open().await;
    let (mut publisher, _) = Bare::connect(&house, durable(device("1"))).await;
    let publish = mqtt::packet::Publish {
        dup: false,
        qos: Q2,
        retain: true,
        topic: "a",
        packet_id: 7,
        properties: mqtt::property::Properties::EMPTY,
        payload: b"kept",
    };
    publisher.says(&Packet::Publish(publish)).await;
    assert_eq!(publisher.hears().await, "pubrec 7");
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q1)]).await.unwrap();
    assert_eq!(so_far(&mut receiver).await, []);
    publisher.releases(7).await;
    assert_eq!(publisher.hears().await, "pubcomp 7");
    assert_eq!(next(&mut receiver).await, heard("a", "kept", Q2, false));
    receiver.subscribe(&[("a", Q1)]).await.unwrap();
    assert_eq!(next(&mut receiver).await, heard("a", "kept", Q1, true));
    house.close().await;
}

/// What is beyond the bounds is answered as the dialect answers a refusal, and on record with the remedy.
#[tokio::test]
async fn messages_that_wait_are_bounded() {
    const COUNT_MAX: u16 = 1_000;
    let house = open().await;
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q2)]).await.unwrap();
    let (mut publisher, _) = Bare::connect(&house, device("1")).await;
    for id in 1..=COUNT_MAX + 1 {
        publisher.publishes("a", &id.to_string(), id, false).await;
        assert_eq!(publisher.hears().await, format!("pubrec {id}"));
    }
    let refusals = house.refusals().await;
    assert_eq!((refusals.len(), &refusals[0]["code"]), (1, &"too_many".into()), "{refusals:?}");
    for id in [COUNT_MAX + 1, COUNT_MAX] {
        publisher.releases(id).await;
        assert_eq!(publisher.hears().await, format!("pubcomp {id}"));
    }
    assert_eq!(next(&mut receiver).await, heard("a", &COUNT_MAX.to_string(), Q2, false));
    assert_eq!(so_far(&mut receiver).await, []);
    // By bytes, where there is one already.
    let large = "x".repeat(120_000);
    let room = (4 * 1024 * 1024 / 120_000) as u16;
    let (mut publisher, _) = Bare::connect(&house, device("3")).await;
    for id in 1..=room + 1 {
        publisher.publishes("a", &large, id, false).await;
        assert_eq!(publisher.hears().await, format!("pubrec {id}"));
    }
    assert!(house.refusals().await.len() > 1);
    house.close().await;
}
