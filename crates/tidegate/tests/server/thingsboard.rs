//! ThingsBoard's gateways and devices against the whole server: what a transcript cannot show, because it takes many
//! devices, a lost connection, a restart, or a failing disk.

use std::ops::ControlFlow;
use std::time::Duration;

use domain::attribute::Keys;
use domain::{Class, CommandBody, DeviceId, DeviceName, Login, Registrar, Reply, Rights, Scope};
use futures_util::FutureExt;
use mqtt::{QoS, Reason, Version};
use platform::{NewCommand, NewDevice, NewKey, Outcome};
use sim::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::house::{House, PATIENCE, org};

const GATEWAY: &str = "the gateway's token";
const OTHER: &str = "the other gateway's token";

/// Registers a gateway that is found by a token.
fn add_gateway(house: &House, name: &str, token: &str) -> DeviceId {
    let draft =
        NewDevice { class: Some(Class::Gateway), ..NewDevice::named("dev", name, Registrar::Operator) };
    let platform = &house.running.platform;
    let (device, ..) = platform.register(org(), draft, 1).unwrap();
    platform.set_login(org(), device.wire_name(), Login::AccessToken(token.into())).unwrap();
    device.id
}

fn options(token: &str) -> Options {
    Options::new("").login(token, "")
}

async fn gateway(house: &House, token: &str) -> Client<TcpStream> {
    house.client(options(token).version(Version::V5)).await
}

fn child(house: &House, name: &str) -> DeviceId {
    house.running.platform.device_named(org(), name).unwrap().id
}

/// Waits until the door of a device is somebody's, or nobody's.
async fn door_is(house: &House, device: DeviceId, expected: Option<DeviceId>) {
    let look = async {
        while house.running.platform.door(org(), device) != expected {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, look).await.expect("the door is somebody else's");
}

/// Gives a command, and where its outcome comes.
fn command(house: &House, device: DeviceId, method: &str, reply: Reply) -> oneshot::Receiver<Outcome> {
    let (done, outcome) = oneshot::channel();
    let draft = NewCommand {
        done: Some(Box::new(|it| done.send(it).unwrap())),
        ..NewCommand::passing(CommandBody::call(method, "null"), reply, u64::MAX)
    };
    house.running.platform.command(org(), device, draft, 1).unwrap();
    outcome
}

#[tokio::test]
async fn one_message_of_a_thousand_new_devices_is_acknowledged_once_and_kept() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    let mut gateway = gateway(&house, GATEWAY).await;
    let devices: Vec<_> =
        (0..1_000).map(|it| format!(r#""d{it}":[{{"ts":5,"values":{{"n":{it}}}}}]"#)).collect();
    let payload = format!("{{{}}}", devices.join(","));
    for _ in 0..2 {
        let reason =
            gateway.publish_done("v1/gateway/telemetry", payload.as_bytes(), QoS::AtLeastOnce).await.unwrap();
        assert_eq!(reason, Reason::SUCCESS);
    }
    assert_eq!(gateway.unacknowledged().count(), 0);
    let points = house.running.platform.store();
    for number in [0, 500, 999] {
        let mut found = Vec::new();
        let device = child(&house, &format!("d{number}"));
        let mut note = |at_ms, it: domain::Value<'_>| {
            found.push(format!("{at_ms} {it:?}"));
            ControlFlow::Continue(())
        };
        let series = domain::Series { org: org(), device, key: "n" };
        points.points(series, 0..u64::MAX, domain::Order::Ascending, &mut note).unwrap();
        assert_eq!(found, [format!("5 I64({number})")], "the second time it took the place of the first");
    }
    house.close().await;
}

#[tokio::test]
async fn a_lost_gateway_has_its_devices_again_when_it_is_back_even_after_a_restart() {
    let house = House::open().await;
    let own = add_gateway(&house, "gw", GATEWAY);
    let mut first = gateway(&house, GATEWAY).await;
    for (topic, device) in [("connect", "kept"), ("connect", "sent away"), ("disconnect", "sent away")] {
        let payload = format!(r#"{{"device":"{device}"}}"#);
        let topic = format!("v1/gateway/{topic}");
        first.publish_done(&topic, payload.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    }
    let (kept, sent_away) = (child(&house, "kept"), child(&house, "sent away"));
    door_is(&house, kept, Some(own)).await;
    drop(first.crash());
    door_is(&house, kept, None).await;
    let outcome = command(&house, kept, "first", Reply::None);
    let mut second = gateway(&house, GATEWAY).await;
    let told = second.next_message().await.unwrap();
    assert_eq!(
        String::from_utf8(told.payload).unwrap(),
        r#"{"device":"kept","data":{"id":0,"method":"first","params":null}}"#
    );
    assert_eq!(outcome.await.unwrap(), Outcome::Taken);
    assert_eq!(house.running.platform.door(org(), sent_away), None);
    drop(second.crash());

    let house = house.reopen().await;
    assert_eq!(house.running.platform.door(org(), kept), None);
    let mut third = gateway(&house, GATEWAY).await;
    door_is(&house, kept, Some(own)).await;
    drop(command(&house, kept, "second", Reply::Wanted));
    let told = third.next_message().await.unwrap();
    assert_eq!(told.topic, "v1/gateway/rpc");
    assert_eq!(house.running.platform.door(org(), sent_away), None);
    house.close().await;
}

#[tokio::test]
async fn a_command_that_was_not_acknowledged_is_delivered_again() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    let options = Options { acknowledge: sim::Acknowledge::ByHand, ..options(GATEWAY) };
    let mut first = house.client(options.clone()).await;
    first.publish_done("v1/gateway/connect", br#"{"device":"X"}"#, QoS::AtLeastOnce).await.unwrap();
    let device = child(&house, "X");
    let outcomes = ["acknowledged", "lost"].map(|it| command(&house, device, it, Reply::Wanted));
    let messages = [first.next_message().await.unwrap(), first.next_message().await.unwrap()];
    first.acknowledge(&messages[0]).await.unwrap();
    first.ping().await.unwrap();
    drop(first.crash());
    door_is(&house, device, None).await;
    let mut second = house.client(options).await;
    let again = second.next_message().await.unwrap();
    assert_eq!(again.payload, messages[1].payload);
    second.acknowledge(&again).await.unwrap();
    for number in 0..2 {
        let answer = format!(r#"{{"device":"X","id":{number},"data":{number}}}"#);
        second.publish_done("v1/gateway/rpc", answer.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    }
    let [first, second] = outcomes;
    assert_eq!(first.await.unwrap(), Outcome::Answered("0".to_owned()));
    assert_eq!(second.await.unwrap(), Outcome::Answered("1".to_owned()));
    house.close().await;
}

#[tokio::test]
async fn twenty_gateways_that_connect_a_new_device_at_once_make_one() {
    let house = House::open().await;
    let mut gateways = Vec::new();
    for number in 0..20 {
        let token = format!("{OTHER} {number}");
        add_gateway(&house, &format!("gw{number}"), &token);
        gateways.push(gateway(&house, &token).await);
    }
    let connect = gateways.iter_mut().map(|it| {
        it.publish_done("v1/gateway/connect", br#"{"device":"X","type":"new type"}"#, QoS::AtLeastOnce)
    });
    for reason in futures_util::future::join_all(connect).await {
        assert_eq!(reason.unwrap(), Reason::SUCCESS);
    }
    let query = platform::DeviceQuery { name: Some("X"), ..platform::DeviceQuery::default() };
    assert_eq!(house.running.platform.count(org(), query), 1);
    house.close().await;
}

#[tokio::test]
async fn what_could_not_be_stored_is_not_acknowledged() {
    for version in [Version::V311, Version::V5] {
        let (house, store) = House::open_in_memory("").await;
        add_gateway(&house, "gw", GATEWAY);
        let mut gateway = house.client(options(GATEWAY).version(version)).await;
        let telemetry = br#"{"A":[{"t":1}]}"#;
        gateway.publish_done("v1/gateway/telemetry", telemetry, QoS::AtLeastOnce).await.unwrap();
        store.fail_next_sync();
        gateway.publish("v1/gateway/telemetry", telemetry, QoS::AtLeastOnce).await.unwrap();
        gateway.publish("v1/gateway/attributes", br#"{"A":{"a":1}}"#, QoS::AtLeastOnce).await.unwrap();
        house.running.failed().await;
        gateway.publish("v1/gateway/connect", br#"{"device":"B"}"#, QoS::AtLeastOnce).await.unwrap();
        // The connection ends without a PUBACK: everything is still the client's.
        while let Ok(event) = gateway.next_event().await {
            assert!(!matches!(event, sim::Event::Published { .. }), "{event:?}");
        }
        assert_eq!(gateway.unacknowledged().count(), 3, "{version:?}");
        house.running.shutdown().await.ok();
    }
}

#[tokio::test]
async fn bad_input_has_its_answer_and_harms_nobody() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    add_gateway(&house, "other", OTHER);
    let mut gateway = gateway(&house, GATEWAY).await;
    let keys: String = (0..5_000).map(|it| format!("\"k{it}\":1,")).collect();
    let keys = keys.trim_end_matches(',');
    let (name, deep) = ("n".repeat(10_240), "[".repeat(50_000));
    for (topic, payload, reason) in [
        ("telemetry", format!(r#"{{"A":[{{"k":{deep}"#), 0x99),
        ("telemetry", "{\"A\":[{\"t\":\u{0}".to_owned(), 0x99),
        ("telemetry", format!(r#"{{"A":[{{{keys}}}]}}"#), 0),
        ("telemetry", format!(r#"{{"A":[{{{keys},"one more":1}}]}}"#), 0x99),
        ("attributes", format!(r#"{{"A":{{{keys}}},"B":{{"a":1}}}}"#), 0x97),
        ("connect", format!(r#"{{"device":"{name}"}}"#), 0x80),
        ("connect", format!(r#"{{"device":"A","type":"{name}"}}"#), 0),
        ("connect", r#"{"device":"new one","type":"\u0007"}"#.to_owned(), 0x80),
        ("claim", format!(r#"{{"A":{{"secretKey":"{name}"}}}}"#), 0x97),
        ("telemetry", format!(r#"{{"{name}":[{{"t":1}}],"A":[{{"t":2}}]}}"#), 0x80),
        ("rpc", r#"{"device":"A","id":99999999999999999999,"data":1}"#.to_owned(), 0x83),
    ] {
        let topic = format!("v1/gateway/{topic}");
        let answered = gateway.publish_done(&topic, payload.as_bytes(), QoS::AtLeastOnce).await.unwrap();
        assert_eq!(answered.0, reason, "{topic} {}", payload.chars().take(80).collect::<String>());
    }
    // The last one was nothing that the topic is for.
    assert!(gateway.ping().await.is_err(), "the connection should be closed");
    // What is larger than may be sent closes the connection as well.
    let mut gateway = self::gateway(&house, OTHER).await;
    gateway.publish("v1/gateway/telemetry", &vec![b'x'; 300_000], QoS::AtLeastOnce).await.unwrap();
    assert!(gateway.ping().await.is_err(), "the connection should be closed");
    let found = house.running.platform.attributes(org(), child(&house, "A"), Scope::Client, &Keys::All);
    assert_eq!(found.len(), 0);
    let found = house.running.platform.attributes(org(), child(&house, "B"), Scope::Client, &Keys::All);
    assert_eq!(found.len(), 1, "the other device's were kept");
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_acknowledged_where_the_settings_say_so() {
    let house = House::open_with("[thingsboard]\nack_invalid = true\n").await;
    add_gateway(&house, "gw", GATEWAY);
    let mut gateway = house.client(options(GATEWAY)).await;
    for (topic, payload) in [
        ("v1/gateway/telemetry", "{"),
        ("v1/gateway/telemetry", r#"{"A":[5],"B":[{"t":1}]}"#),
        ("v1/devices/me/telemetry", "5"),
    ] {
        gateway.publish_done(topic, payload.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    }
    gateway.ping().await.unwrap();
    assert!(house.running.platform.device_named(org(), "B").is_some(), "the part that can be read");
    // At QoS 0 there is nothing to acknowledge with.
    gateway.publish("v1/gateway/telemetry", b"{", QoS::AtMostOnce).await.unwrap();
    assert!(gateway.ping().await.is_err(), "the connection should be closed");
    house.close().await;
}

/// Twice as many keys as a device may have: everything is acknowledged, what fits is kept, the rest is left out.
#[tokio::test]
async fn ten_thousand_keys_of_a_device_are_as_many_as_it_may_have() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    let mut gateway = gateway(&house, GATEWAY).await;
    for part in 0..10 {
        let keys: Vec<_> = (0..1_000).map(|it| format!("\"k{part}-{it:03}\":1")).collect();
        let payload = format!(r#"{{"A":[{{{}}}]}}"#, keys.join(","));
        let answered =
            gateway.publish_done("v1/gateway/telemetry", payload.as_bytes(), QoS::AtLeastOnce).await;
        assert_eq!(answered.unwrap(), Reason::SUCCESS);
    }
    let store = house.running.platform.store();
    let kept = store.point_keys(org(), child(&house, "A")).unwrap();
    assert_eq!(kept.len(), 5_000);
    assert_eq!(kept.first().map(|it| &**it), Some("k0-000"));
    house.close().await;
}

#[tokio::test]
async fn a_port_for_this_dialect_alone_answers_in_its_words() {
    let house = House::open_listening("[listen.pinned]\n\"127.0.0.1:0\" = \"thingsboard\"\n", "").await;
    add_gateway(&house, "gw", GATEWAY);
    let (address, dialect) = house.running.addresses.pinned[0];
    assert_eq!(dialect, "thingsboard");
    let refused = |options: Options| async move {
        match Client::connect(address, options).await {
            Err(sim::Fault::Refused { code }) => code,
            Err(other) => panic!("{other:?}"),
            Ok(_) => 0,
        }
    };
    for (client_id, user, version_3, version_5) in [
        ("x", Some(GATEWAY), 0, 0),
        ("x", Some("nobody's"), 5, 0x86),
        ("x", None, 2, 0x85),
        ("", None, 5, 0x87),
        // A Watson gateway is nobody here.
        ("g:abc123:gw:g1", Some("use-token-auth"), 5, 0x86),
    ] {
        for (version, code) in [(Version::V311, version_3), (Version::V5, version_5)] {
            let options = Options::new(client_id).version(version);
            let options = match user {
                Some(user) => options.login(user, ""),
                None => options,
            };
            assert_eq!(refused(options).await, code, "{client_id} {user:?} {version:?}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_device_that_is_removed_is_disconnected_and_made_anew_by_its_gateway() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    let mut gateway = gateway(&house, GATEWAY).await;
    let telemetry = br#"{"X":[{"t":1}]}"#;
    gateway.publish_done("v1/gateway/telemetry", telemetry, QoS::AtLeastOnce).await.unwrap();
    let before = child(&house, "X");
    let name = DeviceName { device_type: "default", name: "X" };
    house.running.platform.drop_device(org(), name).unwrap();
    assert_eq!(house.running.platform.door(org(), before), None);
    gateway.publish_done("v1/gateway/telemetry", telemetry, QoS::AtLeastOnce).await.unwrap();
    assert_ne!(child(&house, "X"), before);
    let own = DeviceName { device_type: "dev", name: "gw" };
    house.running.platform.drop_device(org(), own).unwrap();
    let closed = timeout(Duration::from_secs(10), gateway.next_packet()).await.expect("still connected");
    let reason = match closed.unwrap() {
        mqtt::Packet::Disconnect(it) => it.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason, Reason::ADMINISTRATIVE_ACTION);
    house.close().await;
}

/// Sends a request to the HTTP API; gives status and body.
pub(crate) async fn http(house: &House, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(house.running.addresses.http[0]).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nX-Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Makes an API key with these rights and logs in with it.
async fn log_in(house: &House, key: &str, rights: Rights) -> String {
    let (name, token) = (Some(key.to_owned()), Some("password".to_owned()));
    let draft = NewKey { key: name, token, rights, ..NewKey::default() };
    house.running.platform.create_key(org(), draft, 1).unwrap();
    let body = format!(r#"{{"username":"{key}","password":"password"}}"#);
    let (status, body) = http(house, "POST", "/api/auth/login", "", &body).await;
    assert_eq!(status, 200, "{body}");
    let pair: serde_json::Value = serde_json::from_str(&body).unwrap();
    pair["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_gateway_opens_over_mqtt_is_claimed_over_http() {
    let house = House::open().await;
    add_gateway(&house, "gw", GATEWAY);
    let mut gateway = gateway(&house, GATEWAY).await;
    let restricted = || Rights { publish: vec!["!#".into()], subscribe: vec!["!#".into()] };
    let customer = log_in(&house, "a-abc123-customer", restricted()).await;
    let other = log_in(&house, "a-abc123-other", restricted()).await;
    let admin = log_in(&house, "a-abc123-admin", Rights::default()).await;
    let mut open = async |claim: &str| {
        let payload = format!(r#"{{"Pump 1":{claim}}}"#);
        let done = gateway.publish_done("v1/gateway/claim", payload.as_bytes(), QoS::AtLeastOnce).await;
        assert_eq!(done.unwrap(), Reason::SUCCESS);
    };
    let path = "/api/customer/device/Pump%201/claim";
    let claim = async |token: &str, body: &str| http(&house, "POST", path, token, body).await;
    let failure = (400, "\"FAILURE\"".to_owned());

    // A millisecond, which is over once the clock shows another one.
    open(r#"{"secretKey":"s","durationMs":1}"#).await;
    let opened = std::time::SystemTime::now();
    while opened.elapsed().unwrap() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(claim(&customer, r#"{"secretKey":"s"}"#).await, failure, "expired");
    open(r#"{"secretKey":"s","durationMs":60000}"#).await;
    assert_eq!(claim(&customer, r#"{"secretKey":"x"}"#).await, failure, "wrong key");
    assert_eq!(claim(&customer, r#"{"secretKey":"s"}"#).await, failure, "the wrong key has closed it");
    open("{}").await;
    let (status, body) = claim(&customer, "{}").await;
    let granted: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &granted["response"], &granted["device"]["name"]),
        (200, &"SUCCESS".into(), &"Pump 1".into())
    );
    for token in [&customer, &other] {
        assert_eq!(claim(token, "{}").await, (400, "\"CLAIMED\"".to_owned()));
    }
    let id = granted["device"]["id"]["id"].as_str().unwrap();
    let device = format!("/api/device/{id}");
    assert_eq!(http(&house, "GET", &device, &other, "").await.0, 403);

    // Re-claim: given back by who has it, opened again, and somebody else's.
    assert_eq!(http(&house, "DELETE", path, &other, "").await.0, 403);
    assert_eq!(http(&house, "DELETE", path, &customer, "").await, (200, String::new()));
    assert_eq!(claim(&other, "{}").await, failure, "not opened again yet");
    open(r#"{"secretKey":"again"}"#).await;
    assert_eq!(claim(&other, r#"{"secretKey":"again"}"#).await.0, 200);
    let house = house.reopen().await;
    let (_, body) = http(&house, "GET", &device, &other, "").await;
    let kept: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(kept["name"], "Pump 1", "it stays whose it is, and tokens are good after a restart");
    assert_eq!(http(&house, "GET", &device, &customer, "").await.0, 403);
    assert_eq!(http(&house, "DELETE", path, &admin, "").await.0, 200);
    house.close().await;
}

#[tokio::test]
async fn a_device_fetches_over_http_what_an_application_sends_it() {
    let house = House::open().await;
    let device = add_gateway(&house, "a", "T1");
    let admin = log_in(&house, "a-abc123-admin", Rights::default()).await;
    let told = house.running.platform.device_by_id(org(), device).unwrap();
    let uuid = dialects::thingsboard::http::Uuid::of_device(told.id);
    // A command that waits already is fetched at once; its answer is what the script gets.
    let body = r#"{"method":"m","params":[1]}"#;
    let twoway = format!("/api/rpc/twoway/{uuid}");
    let device_side = async {
        let (status, command) = http(&house, "GET", "/api/v1/T1/rpc?timeout=20000", "", "").await;
        assert_eq!((status, command.as_str()), (200, r#"{"id":0,"method":"m","params":[1]}"#));
        assert_eq!(http(&house, "POST", "/api/v1/T1/rpc/0", "", r#"{"ok":true}"#).await.0, 200);
    };
    let (answer, ()) = tokio::join!(http(&house, "POST", &twoway, &admin, body), device_side);
    assert_eq!(answer, (200, r#"{"ok":true}"#.to_owned()));
    // A change of attributes reaches the requests that wait for one.
    let write = async {
        let path = format!("/api/plugins/telemetry/{uuid}/SHARED_SCOPE");
        loop {
            assert_eq!(http(&house, "POST", &path, &admin, r#"{"mode":"eco"}"#).await.0, 200);
        }
    };
    let update = tokio::select! {
        update = http(&house, "GET", "/api/v1/T1/attributes/updates?timeout=20000", "", "") => update,
        () = write => unreachable!("it never ends"),
    };
    assert_eq!(update, (200, r#"{"mode":"eco"}"#.to_owned()));
    // What is measured over HTTP is heard by a Watson application.
    let mut application = house.client(House::application("a:abc123:app")).await;
    application.subscribe(&[("iot-2/type/+/id/+/evt/+/fmt/+", QoS::AtLeastOnce)]).await.unwrap();
    assert_eq!(http(&house, "POST", "/api/v1/T1/telemetry", "", r#"{"t":21.5}"#).await.0, 200);
    let heard = application.next_message().await.unwrap();
    assert_eq!(heard.topic, "iot-2/type/dev/id/a/evt/telemetry/fmt/json");
    assert_eq!(heard.payload, br#"{"t":21.5}"#);
    house.close().await;
}

#[tokio::test]
async fn a_dashboard_sees_over_a_websocket_what_devices_say() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let house = House::open().await;
    let device = add_gateway(&house, "a", "T1");
    let admin = log_in(&house, "a-abc123-admin", Rights::default()).await;
    let uuid = dialects::thingsboard::http::Uuid::of_device(device);
    let address = house.running.addresses.http[0];
    let open = async |token: &str| {
        let url = format!("ws://{address}/api/ws/plugins/telemetry?token={token}");
        tokio_tungstenite::connect_async(url).await.unwrap().0
    };
    let mut stranger = open("x").await;
    let Some(Ok(Message::Close(Some(frame)))) = stranger.next().await else { panic!("not closed") };
    assert_eq!(u16::from(frame.code), 1008);

    let mut dashboard = open(&admin).await;
    let mut hear = async |say: Option<String>| -> serde_json::Value {
        if let Some(text) = say {
            dashboard.send(Message::text(text)).await.unwrap();
        }
        loop {
            let message = timeout(PATIENCE, dashboard.next()).await.expect("nothing comes").unwrap().unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    };
    let command = |id, scope| {
        format!(r#"[{{"entityType":"DEVICE","entityId":"{uuid}","cmdId":{id},"scope":"{scope}"}}]"#)
    };
    let (points, attributes) = (command(1, "LATEST_TELEMETRY"), command(2, "CLIENT_SCOPE"));
    let both = format!(r#"{{"tsSubCmds":{points},"attrSubCmds":{attributes}}}"#);
    assert_eq!(hear(Some(both)).await["subscriptionId"], 1);
    assert_eq!(hear(None).await["subscriptionId"], 2);
    let mut gateway = gateway(&house, "T1").await;
    let values = br#"{"ts":5,"values":{"a":true,"b":42.0,"c":73,"d":{"e":[1]}}}"#;
    gateway.publish_done("v1/devices/me/telemetry", values, QoS::AtLeastOnce).await.unwrap();
    let expected = serde_json::json!({
        "a": [[5, "true"]], "b": [[5, "42.0"]], "c": [[5, "73"]], "d": [[5, "{\"e\":[1]}"]],
    });
    assert_eq!(hear(None).await["data"], expected, "all keys of a publish in one update");
    gateway.publish_done("v1/devices/me/attributes", br#"{"fw":"x"}"#, QoS::AtLeastOnce).await.unwrap();
    let attributes = hear(None).await;
    assert_eq!((&attributes["subscriptionId"], &attributes["data"]["fw"][0][1]), (&2.into(), &"x".into()));
    let path = format!("/api/plugins/telemetry/DEVICE/{uuid}");
    for (path, id, key) in [
        (format!("{path}/CLIENT_SCOPE?keys=fw"), 2, "fw"),
        (format!("{path}/timeseries/delete?keys=a&deleteAllDataForKeys=true"), 1, "a"),
    ] {
        assert_eq!(http(&house, "DELETE", &path, &admin, "").await.0, 200, "{path}");
        let gone = hear(None).await;
        let expected = (serde_json::json!(id), serde_json::json!({ key: [[0, ""]] }));
        assert_eq!((gone["subscriptionId"].clone(), gone["data"].clone()), expected, "what is gone is told");
    }

    // A Watson device's points are seen through the same door.
    let watson = house.running.platform.device(org(), DeviceName { device_type: "dev", name: "d1" }).unwrap();
    let uuid = dialects::thingsboard::http::Uuid::of_device(watson.id);
    let command = format!(r#"{{"tsSubCmds":[{{"entityType":"DEVICE","entityId":"{uuid}","cmdId":3}}]}}"#);
    assert_eq!(hear(Some(command)).await["data"], serde_json::json!({}));
    let mut device = house.client(House::device("d:abc123:dev:d1")).await;
    device.publish_done("iot-2/evt/status/fmt/json", br#"{"t":21.5}"#, QoS::AtLeastOnce).await.unwrap();
    assert_eq!(hear(None).await["data"]["status.t"][0][1], "21.5");
    let path = format!("/api/plugins/telemetry/DEVICE/{uuid}/values/timeseries?keys=status.t");
    let (status, body) = http(&house, "GET", &path, &admin, "").await;
    assert!(status == 200 && body.contains(r#""value":"21.5""#), "{status} {body}");
    house.close().await;
}

/// A round trip, after which another message would be there if one had been sent.
async fn nothing_more(client: &mut Client<TcpStream>) {
    client.ping().await.unwrap();
    let told = client.next_message().now_or_never().map(|it| it.unwrap().payload);
    assert_eq!(told.map(String::from_utf8), None);
}

/// Gives a command that is kept.
fn kept_command(house: &House, device: DeviceId, method: &str) -> domain::CommandId {
    let draft = NewCommand {
        retries_count_max: Some(1),
        ..NewCommand::stored(CommandBody::call(method, "null"), Reply::Wanted, u64::MAX)
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    house.running.platform.command(org(), device, draft, now.as_millis() as u64).unwrap().0
}

#[tokio::test]
async fn commands_wait_for_each_other_as_the_settings_say() {
    for (setting, holds) in [("burst", "nothing"), ("on_ack", "acknowledgement"), ("on_response", "answer")] {
        let house = House::open_with(&format!("[thingsboard]\nrpc_submit = \"{setting}\"\n")).await;
        add_gateway(&house, "gw", GATEWAY);
        let options = Options { acknowledge: sim::Acknowledge::ByHand, ..options(GATEWAY) };
        let mut gateway = house.client(options).await;
        gateway.publish_done("v1/gateway/connect", br#"{"device":"X"}"#, QoS::AtLeastOnce).await.unwrap();
        let device = child(&house, "X");
        for number in 0..10 {
            kept_command(&house, device, &format!("m{number}"));
        }
        for number in 0..10 {
            let told = gateway.next_message().await.unwrap();
            let expected =
                format!(r#"{{"device":"X","data":{{"id":{number},"method":"m{number}","params":null}}}}"#);
            assert_eq!(String::from_utf8(told.payload.clone()).unwrap(), expected, "{setting}");
            if holds != "nothing" {
                nothing_more(&mut gateway).await;
            }
            gateway.acknowledge(&told).await.unwrap();
            if holds == "answer" {
                nothing_more(&mut gateway).await;
            }
            let answer = format!(r#"{{"device":"X","id":{number},"data":{number}}}"#);
            gateway.publish_done("v1/gateway/rpc", answer.as_bytes(), QoS::AtLeastOnce).await.unwrap();
        }
        house.close().await;
    }
}

#[tokio::test]
async fn a_kept_command_that_nobody_acknowledges_is_sent_again_and_fails() {
    let house = House::open_with("[thingsboard]\nrpc_ack_ms_max = 1\n").await;
    add_gateway(&house, "gw", GATEWAY);
    let options = Options { acknowledge: sim::Acknowledge::ByHand, ..options(GATEWAY) };
    let mut gateway = house.client(options).await;
    gateway.publish_done("v1/gateway/connect", br#"{"device":"X"}"#, QoS::AtLeastOnce).await.unwrap();
    let id = kept_command(&house, child(&house, "X"), "m");
    let first = gateway.next_message().await.unwrap();
    let second = timeout(PATIENCE, gateway.next_message()).await.expect("not sent again").unwrap();
    assert_eq!(first.payload, second.payload, "the same number: a device can tell");
    let state = || house.running.platform.stored_command(org(), id).unwrap().state;
    let fails = async {
        while state() != domain::CommandState::Failed {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, fails).await.expect("it does not fail");
    house.close().await;
}
