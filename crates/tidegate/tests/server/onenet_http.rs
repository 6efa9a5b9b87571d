//! OneNET's HTTP API beside its devices over MQTT: the whole way, to the byte where clients look at bytes.

use std::time::Duration;

use domain::{Class, DeviceInfo, ProductNumber};
use mqtt::QoS;
use platform::{NewProduct, NewType};
use serde_json::{Value, json};
use sim::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, PATIENCE, org};

const MASTER: &str = "MasterKeyOfProduct77001=ABCD";
const CODE: &str = "RegisterCode7700";
const PRODUCT: u32 = 77_001;

/// Makes a type a product.
fn add_product(house: &House) {
    let draft = NewType {
        name: "meter".into(),
        class: Class::Device,
        description: None,
        info: DeviceInfo::default(),
        metadata: None,
    };
    house.running.platform.create_type(org(), draft, 1).unwrap();
    let product = NewProduct {
        number: ProductNumber::new(PRODUCT),
        master_key: Some(MASTER.to_owned()),
        register_code: Some(CODE.to_owned()),
    };
    house.running.platform.set_product(org(), "meter", product, 1).unwrap();
}

/// An application, or a device that speaks HTTP, on one connection.
struct Http(TcpStream);

impl Http {
    async fn connect(house: &House) -> Http {
        Http(TcpStream::connect(house.running.addresses.http[0]).await.unwrap())
    }

    /// Sends these bytes and reads one answer: its head, and as much of a body as its length says.
    async fn say(&mut self, bytes: &[u8]) -> (String, String) {
        self.0.write_all(bytes).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.expect("an answer").unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|it| it.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
        timeout(PATIENCE, self.0.read_exact(&mut body)).await.expect("a body").unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Asks with a key, and gives the body of the answer.
    async fn ask_as(&mut self, key: &str, method: &str, target: &str, body: &str) -> String {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: api.heclouds.com\r\napi-key: {key}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (head, body) = self.say(request.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Length: ") && !head.contains("Transfer-Encoding"), "{head}");
        body
    }

    /// The data of what the master key asks for.
    async fn data(&mut self, method: &str, target: &str, body: &str) -> Value {
        let answer: Value = serde_json::from_str(&self.ask_as(MASTER, method, target, body).await).unwrap();
        assert_eq!((&answer["errno"], &answer["error"]), (&json!(0), &json!("succ")), "{target}: {answer}");
        answer["data"].clone()
    }

    /// Registers a device; gives its number and key.
    async fn register(&mut self, sn: &str) -> (String, String) {
        let target = format!("/register_de?register_code={CODE}");
        let made = self.data("POST", &target, &json!({ "sn": sn }).to_string()).await;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("device_id"), text("key"))
    }
}

/// A device over MQTT, on its own port.
async fn device(house: &House, number: &str, password: &str) -> Client {
    let options = Options::new(number).login(PRODUCT.to_string(), password);
    Client::connect(house.running.addresses.onenet[0], options).await.unwrap()
}

async fn next(client: &mut Client) -> (String, String, QoS, bool) {
    let message = timeout(PATIENCE, client.next_message()).await.expect("a message").unwrap();
    (message.topic, String::from_utf8(message.payload).unwrap(), message.qos, message.retain)
}

/// An upload of type 3.
fn upload(json: &str) -> Vec<u8> {
    let mut payload = vec![3];
    payload.extend((json.len() as u16).to_be_bytes());
    payload.extend(json.as_bytes());
    payload
}

#[tokio::test]
async fn a_device_finds_its_way_in_and_is_seen_by_an_application() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    // Where to connect, and as whom: all that firmware knows is the register code.
    let node = http.say(b"GET /s?t=7 HTTP/1.1\r\nHost: x\r\n\r\n").await.1;
    assert_eq!(node, house.running.addresses.onenet[0].to_string());
    let (number, key) = http.register("sn-1").await;
    let mut client = Client::connect(
        node.parse().unwrap(),
        Options::new(number.as_str()).login(PRODUCT.to_string(), key.as_str()),
    )
    .await
    .unwrap();
    let payload = upload(r#"{"temp":22.5,"hum":"95%"}"#);
    let reason = client.publish_done("$dp", &payload, QoS::AtLeastOnce).await.unwrap();
    assert_eq!(reason, mqtt::Reason::SUCCESS);

    let points = http.data("GET", &format!("/devices/{number}/datapoints"), "").await;
    assert_eq!(points["count"], 2);
    assert_eq!(points["datastreams"][1]["datapoints"][0]["value"], 22.5);
    let shown = http.data("GET", &format!("/devices/{number}"), "").await;
    assert_eq!((&shown["online"], &shown["auth_info"]), (&json!(true), &json!("sn-1")));
    assert_eq!(http.data("GET", "/devices?online=true", "").await["total_count"], 1);
    client.disconnect().await.unwrap();
    let offline = async {
        loop {
            let status = http.data("GET", &format!("/devices/status?devIds={number}"), "").await;
            if status["devices"][0]["online"] == json!(false) {
                return;
            }
        }
    };
    timeout(PATIENCE, offline).await.expect("the device is offline");

    // A key that was changed lets its device in no longer.
    http.data("DELETE", &format!("/keys/{key}"), "").await;
    let options = Options::new(number.as_str()).login(PRODUCT.to_string(), key.as_str());
    assert!(Client::connect(house.running.addresses.onenet[0], options).await.is_err());
    device(&house, &number, "sn-1").await;
    house.close().await;
}

#[tokio::test]
async fn requests_may_be_written_as_clients_write_them() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let (number, _) = http.register("sn-1").await;
    // Doubled slashes, an empty query, no content type or a wrong one, and characters that others escape.
    let body = r#"{"t":1}"#;
    let request = format!(
        "POST //devices//{number}/datapoints?type=3 HTTP/1.1\r\nhost: x\r\nAPI-KEY: {MASTER}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, answer) = http.say(request.as_bytes()).await;
    assert_eq!(answer, r#"{"errno":0,"error":"succ"}"#);
    assert!(head.contains("\r\nContent-Length: 26\r\n"), "{head}");
    assert!(head.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{head}");
    for target in [
        format!("/devices/{number}/datapoints?"),
        format!("/devices/{number}/datapoints/?datastream_id=t,u"),
        format!("/devices/{number}/datapoints?start=2024-01-02T03:04:05&datastream_id=t"),
        format!("http://api.heclouds.com/devices/{number}/datapoints"),
    ] {
        assert_eq!(http.data("GET", &target, "").await["count"], 1, "{target}");
    }
    http.data("POST", "/mqtt?topic=/a/b:c,d", "x").await;
    // Who asks whether the body is wanted hears yes, and who may not send one hears no at once.
    let head = |key: &str| {
        format!(
            "POST /devices HTTP/1.1\r\nHost: x\r\napi-key: {key}\r\nExpect: 100-continue\r\n\
             Content-Length: 13\r\n\r\n"
        )
    };
    let (answer, _) = http.say(head(MASTER).as_bytes()).await;
    assert_eq!(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    let (_, answer) = http.say(br#"{"title":"a"}"#).await;
    assert!(answer.starts_with(r#"{"errno":0,"data":{"device_id":""#), "{answer}");
    let (_, answer) = http.say(head("guess").as_bytes()).await;
    assert_eq!(answer, r#"{"errno":3,"error":"auth failed"}"#);
    // The other interfaces are where they were.
    let mut http = Http::connect(&house).await;
    let (head, _) = http.say(b"GET /api/v0002/device/types HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    house.close().await;
}

#[tokio::test]
async fn what_comes_over_http_reaches_all_who_listen() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let ((watched, _), (watching, _)) = (http.register("sn-1").await, http.register("sn-2").await);
    let mut neighbour = device(&house, &watching, "sn-2").await;
    let stream = format!("/{watched}/t");
    neighbour.subscribe(&[(&stream, QoS::AtLeastOnce)]).await.unwrap();
    let mut application = house.client(House::application("a:abc123:watch")).await;
    let events = "iot-2/type/+/id/+/evt/+/fmt/+";
    application.subscribe(&[(events, QoS::AtMostOnce)]).await.unwrap();

    let body = r#"{"datastreams":[{"id":"t","datapoints":[{"value":1},{"value":"two"}]}]}"#;
    http.data("POST", &format!("/devices/{watched}/datapoints"), body).await;
    for value in ["1", "two"] {
        let expected = (stream.clone(), value.to_owned(), QoS::AtMostOnce, false);
        assert_eq!(next(&mut neighbour).await, expected);
    }
    let (topic, payload, ..) = next(&mut application).await;
    assert_eq!(topic, format!("iot-2/type/meter/id/{watched}/evt/telemetry/fmt/json"));
    let payload: Value = serde_json::from_str(&payload).unwrap();
    assert!(payload.to_string().contains("two"), "{payload}");
    house.close().await;
}

#[tokio::test]
async fn a_message_of_an_application_is_for_whoever_is_there() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let ((here, _), (away, _)) = (http.register("sn-1").await, http.register("sn-2").await);
    let absent = || Options::new(away.as_str()).login(PRODUCT.to_string(), "sn-2").durable();
    let node = house.running.addresses.onenet[0];
    let mut client = Client::connect(node, absent()).await.unwrap();
    client.subscribe(&[("news", QoS::ExactlyOnce)]).await.unwrap();
    client.disconnect().await.unwrap();
    let mut present = device(&house, &here, "sn-1").await;
    present.subscribe(&[("news", QoS::ExactlyOnce), ("own/t", QoS::AtMostOnce)]).await.unwrap();

    assert_eq!(http.data("GET", &format!("/mqtt/device_topic/{here}"), "").await, json!(["news", "own/t"]));
    http.data("POST", "/mqtt/topic", r#"{"name":"made"}"#).await;
    assert_eq!(http.data("GET", "/mqtt/topic", "").await, json!(["made", "news", "own/t"]));
    let mut numbers: Vec<u32> = [&here, &away].iter().map(|it| it.parse().unwrap()).collect();
    numbers.sort_unstable();
    let subscribed = http.data("GET", "/mqtt/topic_device?topic=news&page=1&per_page=10", "").await;
    assert_eq!((&subscribed["devices"], &subscribed["total_count"]), (&json!(numbers), &json!(2)));

    http.data("POST", "/mqtt?topic=news", "first").await;
    assert_eq!(next(&mut present).await, ("news".to_owned(), "first".to_owned(), QoS::AtMostOnce, false));
    // It was kept for nobody: the one that comes back hears what is said after that.
    let mut returned = Client::connect(node, absent()).await.unwrap();
    assert!(returned.session_present());
    http.data("POST", "/mqtt?topic=news", "second").await;
    assert_eq!(next(&mut returned).await.1, "second");
    assert_eq!(next(&mut present).await.1, "second");
    house.close().await;
}

#[tokio::test]
async fn a_message_reaches_a_thousand_devices() {
    const COUNT: usize = 1_000;
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let mut clients = Vec::with_capacity(COUNT);
    for number in 0..COUNT {
        let (id, key) = http.register(&format!("sn-{number}")).await;
        let mut client = device(&house, &id, &key).await;
        client.subscribe(&[("all", QoS::AtMostOnce)]).await.unwrap();
        clients.push(client);
    }
    let begun = std::time::Instant::now();
    http.data("POST", "/mqtt?topic=all", "now").await;
    let answered: Duration = begun.elapsed();
    for client in &mut clients {
        assert_eq!(next(client).await, ("all".to_owned(), "now".to_owned(), QoS::AtMostOnce, false));
    }
    println!("answered after {answered:?}, at {COUNT} devices after {:?}", begun.elapsed());
    house.close().await;
}

#[tokio::test]
async fn a_command_reaches_its_device_and_its_answer_comes_back() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let (number, key) = http.register("sn-1").await;
    let target = format!("/cmds?device_id={number}");
    let away = http.ask_as(&key, "POST", &target, "LED ON").await;
    assert_eq!(away, format!(r#"{{"errno":10,"error":"device not online: {number}"}}"#));
    let given = |answer: Value| answer["cmd_uuid"].as_str().unwrap().to_owned();
    let waiting = given(http.data("POST", &format!("{target}&timeout=600&qos=1"), "wait").await);

    let mut client = device(&house, &number, &key).await;
    let expected =
        |uuid: &str, body: &str| (format!("$creq/{uuid}"), body.to_owned(), QoS::AtMostOnce, false);
    assert_eq!(next(&mut client).await, expected(&waiting, "wait"));
    let now = given(http.data("POST", &target, "LED ON").await);
    assert_eq!(next(&mut client).await, expected(&now, "LED ON"));
    let sent = json!({ "status": 2, "desc": "Command Sent" });
    assert_eq!(http.data("GET", &format!("/cmds/{now}"), "").await, sent);

    for (uuid, answer) in [(&now, "on"), (&waiting, "first"), (&waiting, "last")] {
        client.publish_done(&format!("$crsp/{uuid}"), answer.as_bytes(), QoS::AtLeastOnce).await.unwrap();
    }
    let answered = json!({ "status": 4, "desc": "Command Response Received" });
    for (uuid, answer) in [(&now, "on"), (&waiting, "last")] {
        assert_eq!(http.data("GET", &format!("/cmds/{uuid}"), "").await, answered);
        assert_eq!(http.ask_as(&key, "GET", &format!("/cmds/{uuid}/resp"), "").await, answer);
    }
    let target = format!("/cmds/history/{number}?start=2024-01-01T00:00:00&status=4");
    let listed = http.data("GET", &target, "").await;
    assert_eq!((&listed["total_count"], &listed["items"][1]["confirm_body"]), (&json!(2), &json!("6f6e")));

    // What is longer than is kept is noted as such.
    let now = given(http.data("POST", &format!("/cmds?device_id={number}"), "more").await);
    next(&mut client).await;
    let long = vec![b'x'; 64 * 1024 + 1];
    client.publish_done(&format!("$crsp/{now}"), &long, QoS::AtLeastOnce).await.unwrap();
    assert_eq!(http.data("GET", &format!("/cmds/{now}"), "").await["status"], 6);
    house.close().await;
}

#[tokio::test]
async fn a_file_of_a_device_is_served_as_it_came() {
    let house = House::open().await;
    add_product(&house);
    let mut http = Http::connect(&house).await;
    let (number, key) = http.register("sn-1").await;
    let mut client = device(&house, &number, &key).await;
    let (description, file) = (br#"{"ds_id":"photo","desc":"x"}"#, "bytes ".repeat(50_000));
    let mut payload = vec![2, 0, description.len() as u8];
    payload.extend(description);
    payload.extend((file.len() as u32).to_be_bytes());
    payload.extend(file.as_bytes());
    client.publish_done("$dp", &payload, QoS::AtLeastOnce).await.unwrap();
    let current = http.data("GET", &format!("/devices/{number}/datastreams/photo"), "").await;
    let index = current["current_value"]["index"].as_str().unwrap().to_owned();
    assert!(http.ask_as(&key, "GET", &format!("/bindata/{index}"), "").await == file);
    let target = format!("/bindata?device_id={number}&datastream_id=photo");
    let kept = http.data("POST", &target, "sent over HTTP").await;
    let index = kept["index"].as_str().unwrap();
    assert_eq!(http.ask_as(&key, "GET", &format!("/bindata/{index}"), "").await, "sent over HTTP");
    house.close().await;
}
