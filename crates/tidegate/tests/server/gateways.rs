//! A gateway's data flows end to end.

use std::sync::Arc;

use mqtt::QoS;
use store::{Change, Changes, Store};

use crate::house::{House, org};

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

#[tokio::test]
async fn who_was_connected_when_the_server_was_killed_is_told_to_be_gone() {
    let (house, store) = House::open_in_memory("").await;
    let device = house.client(House::device("d:abc123:dev:d1")).await;
    let app = house.client(House::application("a:abc123:app1")).await;
    // What a killed server would leave behind: nobody has said goodbye.
    store.wait(store.commit(Changes::new())).unwrap();
    let left_behind = store.retained(org(), "watson").unwrap();
    assert_eq!(left_behind.len(), 2);
    drop((device, app));
    house.close().await;
    let store = Arc::new(Arc::into_inner(store).unwrap().restart().unwrap());
    for message in left_behind {
        store.commit(Change::Retain { org: org(), space: "watson", retained: message }.into());
    }
    store.wait(store.commit(Changes::new())).unwrap();

    let house = House::start_on("", store.clone()).await;
    store.wait(store.commit(Changes::new())).unwrap();
    let kept = store.retained(org(), "watson").unwrap();
    assert_eq!(kept.iter().map(|it| it.message.topic()).collect::<Vec<_>>(), ["iot-2/type/dev/id/d1/mon"]);
    let mut app = house.client(House::application("a:abc123:app2")).await;
    app.subscribe(&[("iot-2/type/+/id/+/mon", QoS::AtMostOnce)]).await.unwrap();
    let message = app.next_message().await.unwrap();
    let said: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    assert!(message.retain);
    assert_eq!(
        (said["Action"].as_str(), said["ClientID"].as_str()),
        (Some("Disconnect"), Some("d:abc123:dev:d1"))
    );
    house.close().await;
}
