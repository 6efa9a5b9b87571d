//! Devices that a gateway registers by speaking for them (spec watson 2.7): many at a time, none lost, in order.

use std::ops::ControlFlow;

use domain::{DeviceName, Order, OrgId, Registrar, Series, Value};
use mqtt::packet::{
    Disconnect, FilterRequest, FilterRequests, Filters, Packet, Publish, Subscribe, Unsubscribe,
};
use mqtt::property::Properties;
use mqtt::{Reason, Version};
use platform::DeviceQuery;
use sim::{Client, Event};

use crate::house::{House, org};
use crate::steps::{Q0, Q1, connect_bytes, so_far, text, until, until_closed, wire_next};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
/// Registrations that may be pending, by default (spec watson 2.7).
const PENDING_MAX: u64 = 128;

fn topic(device: &str) -> String {
    format!("iot-2/type/dev/id/{device}/evt/status/fmt/json")
}

fn payload(number: usize) -> Vec<u8> {
    format!("{{\"n\":{number}}}").into_bytes()
}

/// The numbers that are in a device's history, in its order.
fn history(house: &House, device: &str) -> Vec<i64> {
    let platform = &house.running.platform;
    let id = platform.device(org(), DeviceName { device_type: "dev", name: device }).expect(device).id;
    let mut numbers = Vec::new();
    let mut note = |_, value: Value<'_>| match value {
        Value::I64(number) => {
            numbers.push(number);
            ControlFlow::Continue(())
        }
        other => panic!("{other:?}"),
    };
    let series = Series { org: org(), device: id, key: "status.n" };
    let rest = platform.store().points(series, 0..u64::MAX, Order::Ascending, &mut note).unwrap();
    assert_eq!(rest, None, "all of it");
    numbers
}

fn is_registered_by(house: &House, device: &str, gateway: &str) -> bool {
    let platform = &house.running.platform;
    let gateway = platform.device(org(), DeviceName { device_type: "gw", name: gateway }).unwrap().id;
    let found = platform.device(org(), DeviceName { device_type: "dev", name: device });
    found.is_some_and(|it| it.gateway == Some(gateway))
}

/// Publishes without waiting for answers, as long as fewer than `window` are under way.
async fn publish(client: &mut Client, device: &str, number: usize, window: usize) {
    while client.unacknowledged().count() >= window {
        client.next_event().await.unwrap();
    }
    client.publish(&topic(device), &payload(number), Q1).await.unwrap();
}

#[tokio::test]
async fn a_thousand_devices_register_through_one_gateway_as_fast_as_it_publishes() {
    let house = House::open().await;
    let mut listener = house.client(House::application("a:abc123:app")).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    let devices: Vec<String> = (0..1_000).map(|it| format!("child{it}")).collect();
    let publishing = async {
        for round in 0..4 {
            for device in &devices {
                publish(&mut gateway, device, round, 500).await;
            }
        }
        gateway.all_done().await.unwrap();
    };
    let listening = async {
        let mut came = std::collections::HashMap::<String, Vec<String>>::new();
        for _ in 0..4 * devices.len() {
            let message = listener.next_message().await.unwrap();
            came.entry(message.topic.clone()).or_default().push(text(&message));
        }
        came
    };
    let ((), came) = tokio::join!(publishing, listening);
    for device in &devices {
        assert!(is_registered_by(&house, device, "g1"), "{device}");
        assert_eq!(history(&house, device), [0, 1, 2, 3], "{device}");
        assert_eq!(came[&topic(device)], ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}"], "{device}");
    }
    let stats = house.running.platform.stats(org());
    assert_eq!((stats.registered, stats.failed, stats.pending), (1_000, 0, 0));
    assert!(stats.pending_max_seen <= PENDING_MAX, "{stats:?}");
    house.close().await;
}

#[tokio::test]
async fn exactly_128_registrations_are_pending_while_the_rest_wait_and_nothing_is_lost() {
    let (house, store) = House::open_in_memory("").await;
    let platform = house.running.platform.clone();
    let mut live = house.client(House::application("a:abc123:live")).await;
    live.subscribe(&[(EVENTS, Q0)]).await.unwrap();
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    let hold = store.hold();
    let mut sent = Vec::new();
    let own = "iot-2/type/gw/id/g1/evt/status/fmt/json";
    for round in 0..3 {
        for device in 0..200 {
            let topic = topic(&format!("child{device}"));
            sent.push(gateway.publish(&topic, &payload(round), Q1).await.unwrap());
        }
        sent.push(gateway.publish(own, &payload(round), Q1).await.unwrap());
    }
    // While the store stands still: 128 devices are pending, the messages of the other 72 wait, and everything else
    // of the gateway reaches those who listen. Nothing is acknowledged.
    house.stat_reaches("/messages/parked", 3 * 72).await;
    let mut came = Vec::new();
    for _ in 0..3 * (128 + 1) {
        came.push(live.next_message().await.unwrap().topic);
    }
    assert_eq!(came.iter().filter(|it| *it == own).count(), 3, "the gateway's own events are not held up");
    assert_eq!(so_far(&mut live).await, []);
    assert_eq!(so_far(&mut gateway).await, [], "nothing is stored, so nothing is acknowledged");
    let stats = platform.stats(org());
    assert_eq!((stats.pending, stats.pending_max_seen), (PENDING_MAX, PENDING_MAX));
    assert!(!is_registered_by(&house, "child128", "g1"));

    drop(hold);
    let mut done = Vec::new();
    while done.len() < sent.len() {
        if let Event::Published { packet_id, reason } = gateway.next_event().await.unwrap() {
            assert!(!reason.is_error());
            done.push(packet_id);
        }
    }
    assert_eq!(done, sent, "PUBACKs come in the order of their PUBLISHes");
    for device in 0..200 {
        assert!(is_registered_by(&house, &format!("child{device}"), "g1"), "{device}");
        assert_eq!(history(&house, &format!("child{device}")), [0, 1, 2], "{device}");
    }
    for _ in 0..3 * 72 {
        live.next_message().await.unwrap();
    }
    let stats = platform.stats(org());
    assert_eq!((stats.registered, stats.pending_max_seen), (200, PENDING_MAX));
    house.close().await;
}

#[tokio::test]
async fn a_subscription_for_a_device_that_nobody_registered_registers_it() {
    let (house, store) = House::open_in_memory("").await;
    let platform = house.running.platform.clone();
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    let count = |org: OrgId| platform.count(org, DeviceQuery::default());
    let before = count(org());
    let filters = ["iot-2/type/dev/id/+/cmd/+/fmt/+", "iot-2/type/+/id/newer/cmd/+/fmt/+"];
    gateway.subscribe(&filters.map(|it| (it, Q1))).await.unwrap();
    assert_eq!(count(org()), before, "a filter with + names no device");
    let filters = ["iot-2/type/dev/id/new1/cmd/+/fmt/+", "iot-2/type/dev/id/new2/cmd/do/fmt/+"];
    assert_eq!(gateway.subscribe(&filters.map(|it| (it, Q1))).await.unwrap(), [1, 1]);
    assert!(is_registered_by(&house, "new1", "g1") && is_registered_by(&house, "new2", "g1"));

    // With every slot taken, the SUBACK waits for one.
    let hold = store.hold();
    for at in 0..PENDING_MAX {
        gateway.publish(&topic(&format!("child{at}")), b"{}", Q1).await.unwrap();
    }
    until("every slot is taken", || platform.stats(org()).pending == PENDING_MAX).await;
    let (codes, ()) = tokio::join!(gateway.subscribe(&[("iot-2/type/dev/id/new3/cmd/+/fmt/+", Q1)]), async {
        until("the subscription waits", || platform.stats(org()).waited > 0).await;
        assert!(!is_registered_by(&house, "new3", "g1"));
        drop(hold);
    });
    assert_eq!(codes.unwrap(), [1]);
    assert!(is_registered_by(&house, "new3", "g1"));
    gateway.all_done().await.unwrap();
    house.close().await;
}

/// What was decided of a SUBSCRIBE before it had to wait is decided once, and an UNSUBSCRIBE behind it undoes it.
#[tokio::test]
async fn subscriptions_that_wait_keep_their_order_and_what_was_decided() {
    let (house, store) = House::open_in_memory("").await;
    let platform = house.running.platform.clone();
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    gateway.subscribe(&[("iot-2/type/gw/id/g1/notify", Q0)]).await.unwrap();
    let hold = store.hold();
    for at in 0..PENDING_MAX {
        gateway.publish(&topic(&format!("child{at}")), b"{}", Q1).await.unwrap();
    }
    until("every slot is taken", || platform.stats(org()).pending == PENDING_MAX).await;
    let wanted = "iot-2/type/dev/id/new1/cmd/+/fmt/+";
    let (mut subscribed, mut unsubscribed) = (Vec::new(), Vec::new());
    for filter in ["iot-2/#", wanted] {
        FilterRequest::new(filter, Q1).encode(&mut subscribed);
    }
    Filters::encode_one(wanted, &mut unsubscribed);
    let properties = Properties::EMPTY;
    let filters = FilterRequests::new(&subscribed, Version::V311).unwrap();
    let packet = Packet::Subscribe(Subscribe { packet_id: 60_001, properties, filters });
    gateway.send_packet(&packet).await.unwrap();
    let filters = Filters::new(&unsubscribed, Version::V311).unwrap();
    let packet = Packet::Unsubscribe(Unsubscribe { packet_id: 60_002, properties, filters });
    gateway.send_packet(&packet).await.unwrap();
    let told = gateway.next_message().await.unwrap();
    assert!(text(&told).contains("\"RC\":\"276\""), "{}", text(&told));
    until("the subscription waits", || platform.stats(org()).waited > 0).await;
    drop(hold);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        match gateway.next_event().await.unwrap() {
            Event::Published { .. } => {}
            other => answers.push(other),
        }
    }
    let subscribed = Event::Subscribed { packet_id: 60_001, codes: vec![0x80, 1] };
    assert_eq!(
        answers,
        [subscribed, Event::Unsubscribed { packet_id: 60_002 }],
        "and no second notification"
    );
    let mut app = house.client(House::application("a:abc123:app1")).await;
    app.publish_done("iot-2/type/dev/id/new1/cmd/go/fmt/json", b"{}", Q1).await.unwrap();
    assert_eq!(so_far(&mut gateway).await, [], "the subscription is gone");
    house.close().await;
}

/// Spec watson E6: what was fully read is processed, however the connection ends.
#[tokio::test]
async fn a_disconnect_behind_pending_registrations_loses_nothing() {
    let (house, store) = House::open_in_memory("").await;
    let hold = store.hold();
    let mut wire = house.wire(Version::V311).await;
    // Everything at once, before the CONNACK even.
    wire.push_bytes(&connect_bytes(&House::device("g:abc123:gw:g1")));
    for at in 0..200 {
        let (topic, payload) = (topic(&format!("child{at}")), payload(at));
        let qos = if at % 2 == 0 { Q0 } else { Q1 };
        wire.push(&Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: &topic,
            packet_id: if qos == Q0 { 0 } else { at as u16 },
            properties: Properties::EMPTY,
            payload: &payload,
        }));
    }
    wire.push(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS)));
    wire.flush().await.unwrap();
    assert!(wire_next(&mut wire, |it| matches!(it, Packet::ConnAck(_))).await);
    house.stat_reaches("/messages/parked", 72).await;
    drop(wire);
    drop(hold);
    let all = || (0..200).all(|at| is_registered_by(&house, &format!("child{at}"), "g1"));
    until("all are registered", all).await;
    let stored = || (0..200).all(|at| history(&house, &format!("child{at}")) == [at]);
    until("every event is kept", stored).await;
    house.close().await;
}

/// One worker serves everybody here: if the connection that has to leave spun, nobody else would be served.
#[tokio::test]
async fn a_takeover_while_registrations_wait_holds_nobody_up() {
    let (house, store) = House::open_in_memory("worker_count = 1\n").await;
    let mut other = house.client(House::application("a:abc123:app")).await;
    let mut gateway = house.client(House::device("g:abc123:gw:g1")).await;
    let hold = store.hold();
    for at in 0..200 {
        gateway.publish(&topic(&format!("child{at}")), &payload(at), Q1).await.unwrap();
    }
    house.stat_reaches("/messages/parked", 72).await;
    let mut wire = house.wire(Version::V311).await;
    wire.push_bytes(&connect_bytes(&House::device("g:abc123:gw:g1")));
    wire.flush().await.unwrap();
    until_closed(&mut gateway).await;
    for _ in 0..10 {
        other.ping().await.unwrap();
    }
    drop(hold);
    assert!(wire_next(&mut wire, |it| matches!(it, Packet::ConnAck(it) if it.code == 0)).await);
    let stored = || (0..200).all(|at| history(&house, &format!("child{at}")) == [at]);
    until("every event is kept", stored).await;
    house.close().await;
}

/// The gateway that registered a device stays its gateway when another one speaks for it.
#[tokio::test]
async fn of_two_gateways_the_first_registers() {
    let house = House::open().await;
    let mut first = house.client(House::device("g:abc123:gw:g1")).await;
    let mut second = house.client(House::device("g:abc123:gw:g2")).await;
    first.publish_done(&topic("shared"), &payload(1), Q1).await.unwrap();
    second.publish_done(&topic("shared"), &payload(2), Q1).await.unwrap();
    assert!(is_registered_by(&house, "shared", "g1"));
    assert_eq!(history(&house, "shared"), [1, 2]);
    let device =
        house.running.platform.device(org(), DeviceName { device_type: "dev", name: "shared" }).unwrap();
    assert_eq!(device.registrar, Registrar::Gateway("g:abc123:gw:g1".into()));
    house.close().await;
}
