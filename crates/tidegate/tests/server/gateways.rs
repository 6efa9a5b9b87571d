//! A gateway's data flows end to end.

use mqtt::QoS;

use crate::house::House;

#[tokio::test]
async fn an_application_receives_the_event_of_a_child_that_nobody_registered() {
    let house = House::open().await;
    let mut app = house.client(House::application("a:abc123:app1")).await;
    app.subscribe(&[("iot-2/type/+/id/+/evt/+/fmt/+", QoS::AtLeastOnce)]).await.unwrap();
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    let topic = "iot-2/type/dev/id/child1/evt/status/fmt/json";
    gateway.publish_done(topic, br#"{"t":21.5}"#, QoS::AtLeastOnce).await.unwrap();
    let message = app.next_message().await.unwrap();
    assert_eq!((message.topic.as_str(), message.payload.as_slice()), (topic, &br#"{"t":21.5}"#[..]));
    house.close().await;
}
