//! ThingsBoard's devices that send more than the settings allow (spec thingsboard 3.12, 4.8, 10).

use domain::{Class, Login, Registrar};
use mqtt::{QoS, Reason, Version};
use platform::NewDevice;
use sim::{Client, Event, Options};
use tokio::net::TcpStream;

use crate::house::{House, org};
use crate::steps::until_closed;

/// Nothing comes back within a test.
const SETTINGS: &str = r#"
[thingsboard]
rate_device_messages = "3:86400"
rate_device_readings = "2:86400,100:3600"
rate_gateway_messages = "4:86400"
rate_behind_gateway_readings = "3:86400"
rate_behind_gateway_points = "5:86400"
"#;

fn add(house: &House, name: &str, class: Class) {
    let draft = NewDevice { class: Some(class), ..NewDevice::named("dev", name, Registrar::Operator) };
    let platform = &house.running.platform;
    let (device, ..) = platform.register(org(), draft, 1).unwrap();
    platform.set_login(org(), device.wire_name(), Login::AccessToken(name.into())).unwrap();
}

async fn connected(house: &House, token: &str, version: Version) -> Client<TcpStream> {
    house.client(Options::new("").login(token, "").version(version)).await
}

async fn done(client: &mut Client<TcpStream>, topic: &str, payload: &str) -> Reason {
    client.publish_done(topic, payload.as_bytes(), QoS::AtLeastOnce).await.unwrap()
}

/// The last that a 5.0 client hears is one DISCONNECT.
fn quota_exceeded(heard: &[String]) {
    let reason = format!("{:?}", Reason::QUOTA_EXCEEDED);
    let goodbyes: Vec<_> = heard.iter().filter(|it| it.contains("Disconnect")).collect();
    assert!(goodbyes.len() == 1 && heard.last().is_some_and(|it| it.contains(&reason)), "{heard:?}");
}

fn points(house: &House, device: &str) -> Vec<String> {
    let platform = &house.running.platform;
    let id = platform.device_named(org(), device).unwrap().id;
    platform.store().point_keys(org(), id).unwrap()
}

#[tokio::test]
async fn a_device_that_sends_too_much_is_closed_and_has_gained_nothing_when_it_is_back() {
    let house = House::open_with(SETTINGS).await;
    add(&house, "d", Class::Device);
    let mut device = connected(&house, "d", Version::V311).await;
    let topic = "v1/devices/me/telemetry";
    for payload in [r#"{"a":1,"b":2}"#, r#"[{"ts":1,"values":{"c":1}},{"ts":2,"values":{"c":2}}]"#] {
        assert_eq!(done(&mut device, topic, payload).await, Reason::SUCCESS);
    }
    device.publish(topic, br#"{"late":1}"#, QoS::AtLeastOnce).await.unwrap();
    assert_eq!(until_closed(&mut device).await, [""; 0], "no PUBACK: it sends it again");
    let mut again = connected(&house, "d", Version::V5).await;
    again.publish(topic, br#"{"late":2}"#, QoS::AtLeastOnce).await.unwrap();
    quota_exceeded(&until_closed(&mut again).await);
    assert_eq!(points(&house, "d"), ["a", "b", "c"]);
    // What has no points is counted by itself.
    let mut other = connected(&house, "d", Version::V5).await;
    for _ in 0..3 {
        assert_eq!(done(&mut other, "v1/devices/me/attributes", r#"{"a":1}"#).await, Reason::SUCCESS);
    }
    other.publish("v1/devices/me/attributes", br#"{"a":2}"#, QoS::AtLeastOnce).await.unwrap();
    until_closed(&mut other).await;
    let refusals = house.refusals().await;
    assert_eq!(refusals.iter().filter(|it| it["code"] == "rate_exceeded").count(), 3, "{refusals:?}");
    house.close().await;
}

#[tokio::test]
async fn a_gateway_hears_for_which_device_it_has_sent_too_much() {
    let house = House::open_with(SETTINGS).await;
    add(&house, "gw", Class::Gateway);
    let mut gateway = connected(&house, "gw", Version::V5).await;
    let topic = "v1/gateway/telemetry";
    let three = r#"{"A":[{"a":1}],"B":[{"b":1}]}"#;
    assert_eq!(done(&mut gateway, topic, three).await, Reason::SUCCESS);
    // Its own are counted by themselves.
    for _ in 0..4 {
        assert_eq!(done(&mut gateway, "v1/devices/me/attributes", r#"{"a":1}"#).await, Reason::SUCCESS);
    }
    let two = r#"{"C":[{"c":1}],"A":[{"late":1}]}"#;
    let id = gateway.publish(topic, two.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    let (mut told, mut answered) = (None, None);
    while told.is_none() || answered.is_none() {
        match gateway.next_event().await.unwrap() {
            Event::Message(it) => told = Some((it.topic, String::from_utf8(it.payload).unwrap())),
            Event::Published { packet_id, reason } if packet_id == id => answered = Some(reason),
            other => panic!("{other:?}"),
        }
    }
    let slow_down = ("v1/gateway/disconnect".to_owned(), r#"{"device":"C","reason":150}"#.to_owned());
    assert_eq!((told, answered), (Some(slow_down), Some(Reason::QUOTA_EXCEEDED)));
    quota_exceeded(&until_closed(&mut gateway).await);
    assert_eq!((points(&house, "A"), points(&house, "B")), (vec!["a".to_owned()], vec!["b".to_owned()]));
    house.close().await;
}

#[tokio::test]
async fn clients_are_told_the_rates() {
    let house = House::open_with(SETTINGS).await;
    let device = r#""rateLimits":{"messages":"3:86400","telemetryMessages":"2:86400,100:3600","telemetryDataPoints":null}"#;
    let own = r#""rateLimits":{"messages":"4:86400","telemetryMessages":null,"telemetryDataPoints":null}"#;
    let behind = r#""gatewayRateLimits":{"messages":null,"telemetryMessages":"3:86400","telemetryDataPoints":"5:86400"}"#;
    for (name, class, rates) in
        [("d", Class::Device, device.to_owned()), ("gw", Class::Gateway, format!("{own},{behind}"))]
    {
        add(&house, name, class);
        let mut client = connected(&house, name, Version::V5).await;
        client.subscribe(&[("v1/devices/me/rpc/response/+", QoS::AtLeastOnce)]).await.unwrap();
        let call = br#"{"method":"getSessionLimits","params":{}}"#;
        client.publish("v1/devices/me/rpc/request/1", call, QoS::AtLeastOnce).await.unwrap();
        let told = String::from_utf8(client.next_message().await.unwrap().payload).unwrap();
        assert_eq!(told, format!(r#"{{"maxPayloadSize":65536,"maxInflightMessages":100,{rates}}}"#));
    }
    house.close().await;
}
