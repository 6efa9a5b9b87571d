//! Clients have to answer in time at QoS 2, and in their own at QoS 1 (spec onenet 5.3, 2.5).

use mqtt::packet::Packet;

use super::bare::Bare;
use super::vendor::VENDOR;
use super::{device, heard, next};
use crate::house::House;
use crate::steps::{Q0, Q1, Q2, durable, with_will};

const SOON: &str = "[limits]\nanswer_ms_max = 100\n";

#[tokio::test]
async fn who_leaves_out_pubrel_is_disconnected_and_its_will_is_published() {
    let (house, _) = House::open_speaking(SOON, &VENDOR).await;
    let mut receiver = house.client(device("2")).await;
    receiver.subscribe(&[("a", Q2), ("will", Q2)]).await.unwrap();
    for options in [device("1"), durable(device("1"))] {
        let (mut publisher, _) = Bare::connect(&house, with_will(options, "will", "gone")).await;
        publisher.publishes("a", "held", 7, false).await;
        assert_eq!(publisher.hears().await, "pubrec 7");
        assert_eq!(publisher.closed_after().await, 0);
        assert_eq!(next(&mut receiver).await, heard("will", "gone", Q1, false));
    }
    let refusals = house.refusals().await;
    let hints = refusals.iter().map(|it| it["hint"].as_str().unwrap());
    assert_eq!(hints.filter(|it| it.contains("PubRel") && it.contains("answer_ms_max")).count(), 2);
    // A client that has forgotten its message is not thrown out for ever, and one that has not can still release it.
    let (mut publisher, present) = Bare::connect(&house, durable(device("1"))).await;
    assert!(present);
    let (mut other, _) = Bare::connect(&house, device("3")).await;
    other.publishes("a", "held", 7, false).await;
    assert_eq!(other.hears().await, "pubrec 7");
    assert_eq!(other.closed_after().await, 0);
    publisher.releases(7).await;
    assert_eq!(publisher.hears().await, "pubcomp 7");
    assert_eq!(next(&mut receiver).await, heard("a", "held", Q2, false));
    house.close().await;
}

#[tokio::test]
async fn who_leaves_out_pubrec_is_disconnected_and_gets_the_message_again() {
    let (house, _) = House::open_speaking(SOON, &VENDOR).await;
    let mut publisher = house.client(device("1")).await;
    let (mut patient, _) = Bare::connect(&house, device("3")).await;
    patient.subscribes("one", Q0).await;
    publisher.publish_done("one", b"x", Q1).await.unwrap();
    assert_eq!(patient.hears().await, "one q1 x");

    let (mut receiver, _) = Bare::connect(&house, durable(device("2"))).await;
    receiver.subscribes("a", Q0).await;
    publisher.publish_done("a", b"x", Q2).await.unwrap();
    assert_eq!(receiver.hears().await, "a q2 x");
    assert_eq!(receiver.closed_after().await, 0);
    let (mut receiver, present) = Bare::connect(&house, durable(device("2"))).await;
    assert!(present);
    assert_eq!(receiver.hears().await, "a q2 x again");
    assert_eq!(receiver.closed_after().await, 0);

    // Nobody waits for a PUBACK.
    patient.says(&Packet::PingReq).await;
    assert_eq!(patient.hears().await, "pingresp");
    house.close().await;
}
