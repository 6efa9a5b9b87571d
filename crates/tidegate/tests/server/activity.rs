//! When ThingsBoard's devices were there, as applications see it (spec thingsboard 9). The server looks every few
//! seconds; these tests do not wait for that and have it look at once.

use std::time::Duration;

use domain::attribute::Keys;
use domain::{Class, DeviceId, Login, Registrar, Scope, Value};
use futures_util::{FutureExt, SinkExt, StreamExt};
use mqtt::QoS;
use platform::{NewDevice, NewKey, Swept};
use sim::{Client, Options};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::house::{House, PATIENCE, org};

/// Registers a device that is found by its name as a token.
fn add(house: &House, name: &str, class: Class, metadata: Option<&str>) -> DeviceId {
    let draft = NewDevice {
        class: Some(class),
        metadata: metadata.map(str::to_owned),
        ..NewDevice::named("dev", name, Registrar::Operator)
    };
    let platform = &house.running.platform;
    let (device, ..) = platform.register(org(), draft, 1).unwrap();
    platform.set_login(org(), device.wire_name(), Login::AccessToken(name.into())).unwrap();
    device.id
}

async fn connect(house: &House, token: &str) -> Client {
    house.client(Options::new("").login(token, "")).await
}

/// A child that its gateway has named.
async fn child(house: &House, gateway: &mut Client, name: &str) -> DeviceId {
    let payload = format!(r#"{{"device":"{name}"}}"#);
    gateway.publish_done("v1/gateway/connect", payload.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    house.running.platform.device_named(org(), name).unwrap().id
}

/// Has the server look.
async fn look(house: &House) {
    let platform = &house.running.platform;
    while platform.sweep_activity(1) == Swept::Part {
        tokio::task::yield_now().await;
    }
}

/// When a device was heard last, by its attributes.
fn heard_ms(house: &House, device: DeviceId) -> i64 {
    let keys = Keys::Named(vec!["lastActivityTime".to_owned()]);
    let found = house.running.platform.attributes(org(), device, Scope::Server, &keys);
    match found.first().map(|it| it.value()) {
        Some(Value::I64(at_ms)) => at_ms,
        other => panic!("{other:?}"),
    }
}

/// Pings until the clock has gone on by so much that this device is on record as heard later.
async fn ping_until_later(house: &House, client: &mut Client, device: DeviceId) {
    let before_ms = heard_ms(house, device);
    let pings = async {
        while heard_ms(house, device) <= before_ms {
            client.ping().await.unwrap();
            look(house).await;
        }
    };
    timeout(PATIENCE, pings).await.expect("it is not on record as heard");
}

#[tokio::test]
async fn a_ping_counts_for_a_gateway_and_where_it_says_so_for_those_behind_it() {
    let house = House::open().await;
    let shares = Some(r#"{"gateway":true,"overwriteActivityTime":true}"#);
    let keeps = Some(r#"{"gateway":true,"overwriteActivityTime":false}"#);
    let sharing = add(&house, "sharing", Class::Gateway, shares);
    let keeping = add(&house, "keeping", Class::Gateway, keeps);
    let single = add(&house, "single", Class::Device, shares);
    let [mut of_sharing, mut of_keeping, mut of_single] =
        [connect(&house, "sharing").await, connect(&house, "keeping").await, connect(&house, "single").await];
    let refreshed = child(&house, &mut of_sharing, "refreshed").await;
    let silent = child(&house, &mut of_keeping, "silent").await;
    look(&house).await;
    let before = [silent, single].map(|it| heard_ms(&house, it));
    ping_until_later(&house, &mut of_sharing, refreshed).await;
    assert!(heard_ms(&house, sharing) >= heard_ms(&house, refreshed));
    ping_until_later(&house, &mut of_keeping, keeping).await;
    of_single.ping().await.unwrap();
    look(&house).await;
    assert_eq!([silent, single].map(|it| heard_ms(&house, it)), before, "they have said nothing");
    of_single.publish_done("v1/devices/me/telemetry", br#"{"t":1}"#, QoS::AtLeastOnce).await.unwrap();
    look(&house).await;
    assert!(heard_ms(&house, single) > before[1]);
    let last = [sharing, refreshed, single].map(|it| heard_ms(&house, it));
    drop((of_sharing.crash(), of_keeping.crash(), of_single.crash()));

    let house = house.reopen().await;
    assert_eq!([sharing, refreshed, single].map(|it| heard_ms(&house, it)), last);
    let keys = Keys::Named(vec!["active".to_owned(), "lastDisconnectTime".to_owned()]);
    for device in [sharing, refreshed, keeping, silent, single] {
        let found = house.running.platform.attributes(org(), device, Scope::Server, &keys);
        assert_eq!(found.len(), 2, "what had not been written is written when the server ends: {found:?}");
        assert_eq!(found[0].value(), Value::Bool(true));
    }
    house.close().await;
}

#[tokio::test]
async fn a_dashboard_is_told_and_the_device_is_not() {
    let house = House::open().await;
    let device = add(&house, "gateway", Class::Gateway, None);
    let key = NewKey {
        key: Some("a-abc123-admin".into()),
        token: Some("administrator".into()),
        ..NewKey::default()
    };
    house.running.platform.create_key(org(), key, 1).unwrap();
    let address = house.running.addresses.http[0];
    let login = r#"{"username":"a-abc123-admin","password":"administrator"}"#;
    let (_, answer) = crate::thingsboard::http(&house, "POST", "/api/auth/login", "", login).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let url = format!("ws://{address}/api/ws/plugins/telemetry?token={}", answer["token"].as_str().unwrap());
    let mut dashboard = tokio_tungstenite::connect_async(url).await.unwrap().0;
    let uuid = dialects::thingsboard::http::Uuid::of_device(device);
    let wanted = format!(
        r#"{{"attrSubCmds":[{{"entityType":"DEVICE","entityId":"{uuid}","cmdId":1,"scope":"SERVER_SCOPE"}}]}}"#
    );
    dashboard.send(Message::text(wanted)).await.unwrap();
    let mut hear = async || -> serde_json::Value {
        loop {
            let message = timeout(PATIENCE, dashboard.next()).await.expect("nothing comes").unwrap().unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    };
    assert_eq!(hear().await["data"], serde_json::json!({}), "it was never there");
    let mut gateway = connect(&house, "gateway").await;
    let filters =
        [("v1/devices/me/attributes", QoS::AtLeastOnce), ("v1/gateway/attributes", QoS::AtLeastOnce)];
    gateway.subscribe(&filters).await.unwrap();
    look(&house).await;
    let told = hear().await;
    assert_eq!(told["data"]["active"][0][1], "true", "{told}");
    let mut times = ["lastConnectTime", "lastActivityTime"].map(|key| told["data"][key][0][1].clone());
    assert!(times.iter_mut().all(|it| it.as_str().unwrap().parse::<u64>().unwrap() > 1), "{told}");
    gateway.ping().await.unwrap();
    assert!(gateway.next_message().now_or_never().is_none(), "the device sees none of it");
    drop(gateway.crash());
    let gone = async {
        loop {
            look(&house).await;
            let told = hear().await;
            if told["data"]["lastDisconnectTime"].is_array() {
                return;
            }
        }
    };
    timeout(PATIENCE + Duration::from_secs(1), gone).await.expect("it is not told");
    house.close().await;
}
