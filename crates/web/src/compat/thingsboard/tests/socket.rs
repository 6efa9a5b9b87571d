//! The WebSocket, text by text.

use std::sync::Arc;

use domain::{DeviceId, Points, Scope, Value as Point};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{CUSTOMER, KEY, Service, TOKEN};
use crate::compat::thingsboard::socket::{Ending, serve};
use crate::compat::thingsboard::watch::Noticed;
use crate::testing::NOW_MS;

/// A socket and its client.
struct Socket {
    texts: mpsc::Sender<String>,
    answers: mpsc::Receiver<String>,
    ending: JoinHandle<Ending>,
}

impl Socket {
    fn open(service: &Service, token: Option<&str>) -> Socket {
        let (texts, texts_in) = mpsc::channel(4);
        let (answers_out, answers) = mpsc::channel(4);
        let served = serve(service.api.clone(), token.map(str::to_owned), texts_in, answers_out);
        Socket { texts, answers, ending: tokio::spawn(served) }
    }

    async fn of(service: &Service, key: &str) -> Socket {
        Socket::open(service, Some(&token(service, key).await))
    }

    async fn say(&self, message: Value) {
        self.texts.send(message.to_string()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.answers.recv().await.unwrap()).unwrap()
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    async fn end(self) -> Ending {
        drop(self.texts);
        self.ending.await.unwrap()
    }
}

async fn token(service: &Service, key: &str) -> String {
    service.login(key).await.strip_prefix("Bearer ").unwrap().to_owned()
}

async fn furnished() -> (Service, String, DeviceId) {
    let service = Service::new();
    let uuid = service.add("a", "T1").await;
    let device = service.house.shared.platform.device_named(service.org, "a").unwrap().id;
    (service, uuid, device)
}

/// Shows the watchers something.
fn notice(service: &Service, device: DeviceId, scope: Option<Scope>, values: &[(&str, Point<'_>)]) -> bool {
    let mut points = Points::new();
    values.iter().for_each(|(key, value)| points.push(key, *value));
    let noticed = Arc::new(Noticed { device, scope, at_ms: 7, points });
    service.watchers.lock().iter().all(|it| it.show(&noticed))
}

fn update(id: i64, data: Value, latest: Value) -> Value {
    json!({ "subscriptionId": id, "errorCode": 0, "errorMsg": null, "data": data, "latestValues": latest })
}

#[tokio::test]
async fn whoever_does_not_say_who_it_is_is_sent_away() {
    let (service, ..) = furnished().await;
    let login = json!({ "username": KEY, "password": TOKEN }).to_string();
    let pair = service.send("POST", "/api/auth/login", "", &login).await.json();
    let refresh = pair["refreshToken"].as_str().unwrap();
    for wrong in ["x", refresh] {
        assert_eq!(Socket::open(&service, Some(wrong)).end().await, Ending::NotAllowed);
    }
    for (first, ending) in [
        (json!({ "cmds": [] }), Ending::NotAllowed),
        (json!({ "authCmd": { "cmdId": 0, "token": "x" } }), Ending::NotAllowed),
        (json!([1]), Ending::Unreadable),
    ] {
        let socket = Socket::open(&service, None);
        socket.say(first.clone()).await;
        assert_eq!(socket.ending.await.unwrap(), ending, "{first}");
    }
    let socket = Socket::of(&service, KEY).await;
    socket.texts.send("{".to_owned()).await.unwrap();
    assert_eq!(socket.ending.await.unwrap(), Ending::Unreadable);
    assert_eq!(Socket::open(&service, None).end().await, Ending::Gone);
}

#[tokio::test]
async fn points_come_after_those_that_are_there_all_keys_of_a_publish_at_once() {
    let (service, uuid, device) = furnished().await;
    let mut socket = Socket::open(&service, None);
    let subscribe = |id: i64, keys: &str| json!({ "entityType": "DEVICE", "entityId": uuid, "scope": "LATEST_TELEMETRY", "cmdId": id, "keys": keys });
    let token = token(&service, KEY).await;
    let first = json!({ "authCmd": { "cmdId": 0, "token": token }, "tsSubCmds": [subscribe(10, "")] });
    assert_eq!(socket.ask(first).await, update(10, json!({}), json!({})), "even when there is nothing");
    let path = format!("/api/plugins/telemetry/DEVICE/{uuid}/timeseries/ANY");
    service.post(&path, json!({ "ts": 5, "values": { "a": 1, "c": 3 } })).await;
    let answer = socket.ask(json!({ "tsSubCmds": [subscribe(11, "a,b")] })).await;
    assert_eq!(answer, update(11, json!({ "a": [[5, "1"]] }), json!({ "a": 5 })));

    let four =
        [("a", Point::Bool(true)), ("b", Point::F64(42.0)), ("c", Point::I64(73)), ("d", Point::Json("[1]"))];
    assert!(notice(&service, device, None, &four));
    let data = json!({ "a": [[7, "true"]], "b": [[7, "42.0"]], "c": [[7, "73"]], "d": [[7, "[1]"]] });
    assert_eq!(socket.hear().await, update(10, data, json!({ "a": 7, "b": 7, "c": 7, "d": 7 })));
    let data = json!({ "a": [[7, "true"]], "b": [[7, "42.0"]] });
    assert_eq!(socket.hear().await, update(11, data, json!({ "a": 7, "b": 7 })));

    let end = json!({ "entityType": "DEVICE", "entityId": uuid, "cmdId": 10, "unsubscribe": true });
    socket.say(json!({ "tsSubCmds": [end] })).await;
    // What is answered next was asked next: the subscription is ended by then.
    let answer = socket.ask(json!({ "cmds": [{ "type": "ALARM_DATA", "cmdId": 12, "entityId": uuid, "entityType": "DEVICE" }] })).await;
    assert_eq!((&answer["subscriptionId"], &answer["errorCode"]), (&json!(12), &json!(2)));
    notice(&service, device, Some(Scope::Client), &four);
    notice(&service, DeviceId(1), None, &four);
    notice(&service, device, None, &[("b", Point::I64(2))]);
    assert_eq!(socket.hear().await, update(11, json!({ "b": [[7, "2"]] }), json!({ "b": 7 })));
    assert_eq!(socket.end().await, Ending::Gone);
}

#[tokio::test]
async fn deleted_points_are_told() {
    let (service, uuid, _) = furnished().await;
    let path = format!("/api/plugins/telemetry/DEVICE/{uuid}");
    let points: Vec<_> =
        (1..=4).map(|it| json!({ "ts": it * 100, "values": { "a": it, "b": it } })).collect();
    service.post(&format!("{path}/timeseries/ANY"), json!(points)).await;
    let mut socket = Socket::of(&service, KEY).await;
    let subscribe = json!({ "tsSubCmds": [{ "entityType": "DEVICE", "entityId": uuid, "cmdId": 1 }] });
    assert_eq!(socket.ask(subscribe).await["latestValues"], json!({ "a": 400, "b": 400 }));
    let delete = async |query: &str| service.delete(&format!("{path}/timeseries/delete?keys={query}")).await;
    delete("a&startTs=100&endTs=200").await;
    delete("a&startTs=300&endTs=500").await;
    let answer = socket.hear().await;
    assert_eq!(answer, update(1, json!({ "a": [[200, "2"]] }), json!({ "a": 200 })), "its newest is another");
    delete("a,b,c&deleteAllDataForKeys=true").await;
    let gone = update(1, json!({ "a": [[0, ""]], "b": [[0, ""]] }), json!({ "a": 0, "b": 0 }));
    assert_eq!(socket.hear().await, gone);
    assert_eq!(socket.end().await, Ending::Gone);
}

#[tokio::test]
async fn windows_ranges_and_attributes_are_shown() {
    let (service, uuid, device) = furnished().await;
    let path = format!("/api/plugins/telemetry/DEVICE/{uuid}");
    let points: Vec<_> = (1..=4).map(|it| json!({ "ts": it * 100, "values": { "a": it } })).collect();
    service.post(&format!("{path}/timeseries/ANY"), json!(points)).await;
    service.post(&format!("{path}/SHARED_SCOPE"), json!({ "mode": "eco" })).await;
    service.post(&format!("{path}/SERVER_SCOPE"), json!({ "room": 5 })).await;
    let mut socket = Socket::of(&service, KEY).await;
    let command = |id: i64, more: Value| {
        let mut command = json!({ "entityType": "DEVICE", "entityId": uuid, "cmdId": id, "keys": "a" });
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        command
    };
    let window = command(1, json!({ "startTs": 200, "timeWindow": 200, "limit": 5 }));
    let answer = socket.ask(json!({ "tsSubCmds": [window] })).await;
    assert_eq!(answer, update(1, json!({ "a": [[300, "3"], [200, "2"]] }), json!({ "a": 300 })));
    let history = command(2, json!({ "startTs": 100, "endTs": 401, "limit": 1 }));
    let answer = socket.ask(json!({ "historyCmds": [history] })).await;
    assert_eq!(answer, update(2, json!({ "a": [[400, "4"]] }), json!({ "a": 400 })));
    let sums = command(
        3,
        json!({ "type": "TIMESERIES_HISTORY", "startTs": 100, "endTs": 500, "interval": 200, "agg": "SUM" }),
    );
    let answer = socket.ask(json!({ "cmds": [sums] })).await;
    assert_eq!(answer, update(3, json!({ "a": [[200, "3"], [400, "7"]] }), json!({ "a": 400 })));

    let shared = json!({ "entityType": "DEVICE", "entityId": uuid, "cmdId": 4, "scope": "SHARED_SCOPE" });
    let answer = socket.ask(json!({ "attrSubCmds": [shared] })).await;
    assert_eq!(answer, update(4, json!({ "mode": [[NOW_MS, "eco"]] }), json!({ "mode": NOW_MS })));
    notice(&service, device, Some(Scope::Server), &[("room", Point::I64(6))]);
    notice(&service, device, Some(Scope::Shared), &[("mode", Point::Text("x"))]);
    assert_eq!(socket.hear().await, update(4, json!({ "mode": [[7, "x"]] }), json!({ "mode": 7 })));
    assert_eq!(socket.end().await, Ending::Gone);
}

#[tokio::test]
async fn a_customer_watches_what_is_its_own_for_as_long_as_it_is() {
    let (service, uuid, device) = furnished().await;
    let mut socket = Socket::of(&service, CUSTOMER).await;
    let subscribe =
        |id: &str| json!({ "tsSubCmds": [{ "entityType": "DEVICE", "entityId": id, "cmdId": 1 }] });
    assert_eq!(socket.ask(subscribe(&uuid)).await["errorCode"], 3);
    for unknown in ["784f394c-42b6-435a-983c-b7beff2784f9", "x", ""] {
        assert_eq!(socket.ask(subscribe(unknown)).await["errorCode"], 2, "{unknown}");
    }
    let platform = &service.house.shared.platform;
    platform.assign(service.org, device, CUSTOMER).unwrap();
    assert_eq!(socket.ask(subscribe(&uuid)).await["errorCode"], 0);
    platform.unassign(service.org, device).unwrap();
    notice(&service, device, None, &[("a", Point::I64(1))]);
    assert_eq!(socket.ending.await.unwrap(), Ending::NotAllowed);
}

#[tokio::test]
async fn whoever_does_not_keep_up_is_cut_off() {
    let (service, uuid, device) = furnished().await;
    let mut socket = Socket::of(&service, KEY).await;
    socket.ask(json!({ "tsSubCmds": [{ "entityType": "DEVICE", "entityId": uuid, "cmdId": 1 }] })).await;
    // Nobody takes the answers, so that the notices pile up.
    while notice(&service, device, None, &[("a", Point::I64(1))]) {
        tokio::task::yield_now().await;
    }
    while socket.answers.recv().await.is_some() {}
    assert_eq!(socket.ending.await.unwrap(), Ending::TooSlow);
}
