//! Telemetry and attributes.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::attribute::Keys;
use domain::{DeviceId, Order, Points, Scope, Value as Point};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::{Change, Changes, Store};
use tower::ServiceExt;

use super::{CUSTOMER, Service, refused};
use crate::compat::thingsboard::pieces::Read;
use crate::compat::thingsboard::series::{History, Of, Wanted};
use crate::limits::THINGSBOARD_PIECE_BYTES;
use crate::testing::NOW_MS;

/// A service with the device `a`, its UUID, and the beginning of its paths.
async fn furnished() -> (Service, String, String) {
    let service = Service::new();
    let id = service.add("a", "T1").await;
    let path = format!("/api/plugins/telemetry/DEVICE/{id}");
    (service, id, path)
}

fn id_of(service: &Service, name: &str) -> DeviceId {
    service.house.shared.platform.device_named(service.org, name).unwrap().id
}

#[tokio::test]
async fn what_is_brought_is_read_again() {
    let (service, _, path) = furnished().await;
    let brought = json!([
        { "ts": 1000, "values": { "t": 21.0, "n": "73", "on": true, "o": { "a": 1 }, "x": null } },
        { "t": 22.5 },
    ]);
    let answer = service.post(&format!("{path}/timeseries/ANY"), brought).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    let kept = service
        .post(&format!("{path}/timeseries/ANY/3600"), json!({ "ts": 2000, "values": { "t": 1 } }))
        .await;
    assert_eq!(kept.status, StatusCode::OK);
    assert_eq!(service.get(&format!("{path}/keys/timeseries")).await.json(), json!(["n", "o", "on", "t"]));
    let latest = service.get(&format!("{path}/values/timeseries")).await.json();
    let expected = json!({
        "n": [{ "ts": 1000, "value": "73" }],
        "o": [{ "ts": 1000, "value": "{\"a\":1}" }],
        "on": [{ "ts": 1000, "value": "true" }],
        "t": [{ "ts": NOW_MS, "value": "22.5" }],
    });
    assert_eq!(latest, expected);
    let strict = format!("{path}/values/timeseries?keys=o,none&key=t&useStrictDataTypes=True");
    let expected = json!({
        "o": [{ "ts": 1000, "value": { "a": 1 } }],
        "t": [{ "ts": NOW_MS, "value": 22.5 }],
        "none": [{ "ts": NOW_MS, "value": null }],
    });
    assert_eq!(service.get(&strict).await.json(), expected);
    for body in ["5", "{", ""] {
        let token = service.login(super::KEY).await;
        let answer = service.send("POST", &format!("{path}/timeseries/ANY"), &token, body).await;
        assert_eq!(refused(&answer), (400, 31), "{body}");
    }
}

#[tokio::test]
async fn a_range_is_half_open_and_limited() {
    let (service, _, path) = furnished().await;
    let points: Vec<_> = (0..200).map(|it| json!({ "ts": it * 10, "values": { "a": it } })).collect();
    service.post(&format!("{path}/timeseries/ANY"), json!(points)).await;
    let times = async |query: &str| -> Vec<u64> {
        let answer = service.get(&format!("{path}/values/timeseries?keys=a&{query}")).await.json();
        answer["a"].as_array().unwrap().iter().map(|it| it["ts"].as_u64().unwrap()).collect()
    };
    assert_eq!(times("startTs=10&endTs=30").await, [20, 10]);
    assert_eq!(times("startTs=10&endTs=30&orderBy=ASC").await, [10, 20]);
    assert_eq!(times("startTs=0&endTs=5000&limit=2").await, [1990, 1980]);
    assert_eq!(times("startTs=0&endTs=5000&limit=2&orderBy=ASC&interval=7").await, [0, 10]);
    assert_eq!(times("startTs=0&endTs=5000").await.len(), 100);
    assert_eq!(times("startTs=5&endTs=5").await, [0; 0]);
    let history = format!("{path}/values/timeseries/history?startTs=0&endTs=11&orderBy=ASC");
    let both = service.get(&format!("{history}&keys=a,none")).await.json();
    assert_eq!(both, json!({ "a": [{ "ts": 0, "value": "0" }, { "ts": 10, "value": "1" }], "none": [] }));
    assert_eq!(service.get(&history).await.json(), json!({}), "no keys");
    for wrong in [
        "startTs=30&endTs=10",
        "startTs=-1&endTs=10",
        "startTs=0&endTs=10&limit=0",
        "startTs=0&endTs=10&agg=MOST",
        "startTs=0&endTs=10&orderBy=UP",
        "startTs=0&endTs=10&agg=AVG&intervalType=YEAR",
        "startTs=0&endTs=10&agg=AVG&intervalType=WEEK&timeZone=Atlantis",
    ] {
        assert_eq!(
            refused(&service.get(&format!("{path}/values/timeseries?keys=a&{wrong}")).await),
            (400, 31),
            "{wrong}"
        );
    }
    assert_eq!(
        refused(&service.get(&format!("{path}/values/timeseries/history?startTs=0")).await),
        (400, 31)
    );
}

#[tokio::test]
async fn months_are_summed_up() {
    let (service, _, path) = furnished().await;
    // 15 January, 31 January 23:30, 1 February and 31 December 2024, in UTC.
    let times = [1_705_276_800_000_u64, 1_706_743_800_000, 1_706_745_600_000, 1_735_603_200_000];
    let points: Vec<_> = times.iter().map(|it| json!({ "ts": it, "values": { "a": 1 } })).collect();
    service.post(&format!("{path}/timeseries/ANY"), json!(points)).await;
    let counts = async |query: &str| -> Vec<(u64, u64)> {
        let query = format!("keys=a&agg=COUNT&useStrictDataTypes=true&{query}");
        let answer = service.get(&format!("{path}/values/timeseries?{query}")).await.json();
        let pair = |it: &Value| (it["ts"].as_u64().unwrap(), it["value"].as_u64().unwrap());
        answer["a"].as_array().unwrap().iter().map(pair).collect()
    };
    let (january, february) = (1_704_067_200_000, 1_706_745_600_000);
    let (march, end) = (1_709_251_200_000, 1_735_603_200_001);
    let all = format!("startTs={}&endTs={end}&intervalType=MONTH", january + 1_000);
    let expected = [
        (u64::midpoint(january + 1_000, february), 2),
        (u64::midpoint(february, march), 1),
        (u64::midpoint(1_733_011_200_000, end), 1),
    ];
    assert_eq!(counts(&all).await, expected, "the first and the last are cut by the range");
    let berlin: Vec<_> =
        counts(&format!("{all}&timeZone=Europe/Berlin")).await.iter().map(|it| it.1).collect();
    assert_eq!(berlin, [1, 2, 1], "it was February there");
}

#[tokio::test]
async fn points_are_deleted() {
    let (service, id, path) = furnished().await;
    let points: Vec<_> =
        (1..=300).map(|it| json!({ "ts": it * 10, "values": { "a": it, "b": it } })).collect();
    service.post(&format!("{path}/timeseries/ANY"), json!(points)).await;
    let delete = async |query: &str| {
        let answer = service.delete(&format!("{path}/timeseries/delete?{query}")).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{query}: {answer:?}");
    };
    let times = async |key: &str| -> Vec<u64> {
        let query = format!("keys={key}&startTs=0&endTs=9999&limit=999&orderBy=ASC");
        let answer = service.get(&format!("{path}/values/timeseries?{query}")).await.json();
        answer[key].as_array().unwrap().iter().map(|it| it["ts"].as_u64().unwrap()).collect()
    };
    let newest = async |key: &str| -> Value {
        service.get(&format!("{path}/values/timeseries?keys={key}")).await.json()[key][0]["ts"].clone()
    };
    delete("keys=a&startTs=20&endTs=2980").await;
    assert_eq!(times("a").await, [10, 2980, 2990, 3000], "the end is not in the range");
    delete("keys=a&startTs=2990&endTs=9999&rewriteLatestIfDeleted=true").await;
    assert_eq!((times("a").await, newest("a").await), (vec![10, 2980], json!(2980)));
    assert_eq!(times("b").await.len(), 300, "other keys keep theirs");
    delete("keys=a,b&deleteAllDataForKeys=true&deleteLatest=false&startTs=1&endTs=2").await;
    assert_eq!((times("a").await, times("b").await), (vec![2980], vec![3000]), "the newest stay");
    delete("keys=a&keys=none&deleteAllDataForKeys=TRUE").await;
    assert_eq!((times("a").await.len(), newest("a").await), (0, json!(NOW_MS)));
    assert_eq!(service.get(&format!("{path}/keys/timeseries")).await.json(), json!(["b"]));
    for wrong in [
        "",
        "deleteAllDataForKeys=true",
        "keys=,&deleteAllDataForKeys=true",
        "keys=b",
        "keys=b&startTs=1",
        "keys=b&deleteAllDataForKeys=maybe",
        "keys=b&startTs=-1&endTs=5",
    ] {
        let answer = service.delete(&format!("{path}/timeseries/delete?{wrong}")).await;
        assert_eq!(refused(&answer), (400, 31), "{wrong}");
    }
    let foreign = format!("{path}/timeseries/delete?keys=b&deleteAllDataForKeys=true");
    let customer = service.ask_as(CUSTOMER, "DELETE", &foreign, Value::Null).await;
    assert_eq!(refused(&customer).0, 403);
    assert_eq!(times("b").await, [3000]);
    service.delete(&format!("/api/device/{id}")).await;
    assert_eq!(refused(&service.delete(&foreign).await), (404, 32));
}

#[tokio::test]
async fn intervals_are_summed_up() {
    let (service, _, path) = furnished().await;
    let points = json!([
        { "ts": 100, "values": { "a": 1, "b": "text" } }, { "ts": 150, "values": { "a": 4 } },
        { "ts": 310, "values": { "a": 2.5 } }, { "ts": 320, "values": { "a": 1 } },
    ]);
    service.post(&format!("{path}/timeseries/ANY"), points).await;
    let get = async |key: &str, query: &str| {
        let query = format!("keys={key}&startTs=100&endTs=350&useStrictDataTypes=true&{query}");
        service.get(&format!("{path}/values/timeseries?{query}")).await.json()[key].clone()
    };
    for (aggregate, first, second) in [
        ("MIN", json!(1), json!(1.0)),
        ("MAX", json!(4), json!(2.5)),
        ("SUM", json!(5), json!(3.5)),
        ("AVG", json!(2.5), json!(1.75)),
        ("COUNT", json!(2), json!(2)),
    ] {
        // Intervals from 100, 200 and 300, of which the second is empty and the last ends with the range.
        let expected = json!([{ "ts": 150, "value": first }, { "ts": 325, "value": second }]);
        assert_eq!(get("a", &format!("agg={aggregate}&interval=100")).await, expected, "{aggregate}");
    }
    assert_eq!(get("a", "agg=COUNT&interval=0").await, json!([{ "ts": 225, "value": 4 }]));
    assert_eq!(get("b", "agg=COUNT").await, json!([{ "ts": 225, "value": 1 }]));
    assert_eq!(get("b", "agg=SUM").await, json!([]), "no number");
}

const MILLION: u64 = 1_000_000;

/// Stores a million points of one key.
fn store_a_million(service: &Service) -> Of {
    let device = id_of(service, "a");
    let mut ticket = store::Ticket::NONE;
    for start in (0..MILLION).step_by(20_000) {
        let list = (start..start + 20_000).map(|at_ms| {
            let mut points = Points::new();
            points.push("a", Point::I64(1));
            Change::Points { org: service.org, device, at_ms, points }
        });
        ticket = service.house.store.commit(Changes { list: list.collect(), waiter: None });
    }
    service.house.store.wait(ticket).unwrap();
    let print = dialects::thingsboard::http::telemetry::Print::Text;
    Of { org: service.org, device, print }
}

#[tokio::test]
async fn a_million_points_are_never_in_memory_at_once() {
    let (service, _, path) = furnished().await;
    let of = store_a_million(&service);
    // As the store is read: no piece is larger than its bound and the point that filled it.
    let wanted = Wanted::Points { order: Order::Descending, count_max: MILLION };
    let mut history = History::new(of, vec!["a".to_owned()], 0..MILLION, wanted);
    let (mut bytes, mut points) = (0, 0);
    while let Some(piece) = history.next(&*service.house.store).unwrap() {
        assert!(piece.capacity() <= 2 * THINGSBOARD_PIECE_BYTES, "{}", piece.capacity());
        bytes += piece.len();
        points += piece.matches("\"ts\"").count() as u64;
    }
    assert_eq!(points, MILLION);
    // As it is sent: in pieces as large, of which at most one waits for the client.
    let uri = format!("{path}/values/timeseries?keys=a&startTs=0&endTs={MILLION}&limit={MILLION}");
    let request = Request::builder().uri(uri).header("x-authorization", service.login(super::KEY).await);
    let mut body =
        service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_body();
    let mut sent = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.unwrap().into_data().unwrap();
        assert!(frame.len() <= 2 * THINGSBOARD_PIECE_BYTES);
        sent += frame.len();
    }
    assert_eq!(sent, bytes);
}

#[tokio::test]
async fn attributes_are_written_read_and_removed_by_scope() {
    let (service, id, path) = furnished().await;
    let platform = &service.house.shared.platform;
    let mut own = Points::new();
    own.push("firmware", Point::F64(42.0));
    let device = id_of(&service, "a");
    platform.put_attributes(service.org, Scope::Client, &[(device, own)], 5, None).unwrap();
    for (path, body) in [
        (format!("/api/plugins/telemetry/{id}/SHARED_SCOPE"), json!({ "a": "1", "b": { "c": 1 } })),
        (format!("{path}/SERVER_SCOPE"), json!({ "d": true })),
        (format!("{path}/attributes/SERVER_SCOPE"), json!({ "e": "text" })),
    ] {
        let answer = service.post(&path, body).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{path}");
    }
    let all = service.get(&format!("{path}/values/attributes")).await;
    let text = String::from_utf8(all.body.to_vec()).unwrap();
    assert!(text.contains(r#""value":42.0}"#), "a float keeps its point: {text}");
    let values: HashMap<String, (u64, Value)> = serde_json::from_str::<Vec<Value>>(&text)
        .unwrap()
        .into_iter()
        .map(|it| {
            (
                it["key"].as_str().unwrap().to_owned(),
                (it["lastUpdateTs"].as_u64().unwrap(), it["value"].clone()),
            )
        })
        .collect();
    let expected = [
        ("firmware", 5, json!(42.0)),
        ("a", NOW_MS, json!(1)),
        ("b", NOW_MS, json!({ "c": 1 })),
        ("d", NOW_MS, json!(true)),
        ("e", NOW_MS, json!("text")),
    ];
    assert_eq!(values, expected.map(|(key, at_ms, value)| (key.to_owned(), (at_ms, value))).into());
    let get = async |rest: &str| service.get(&format!("{path}/{rest}")).await.json();
    assert_eq!(get("keys/attributes").await, json!(["firmware", "a", "b", "d", "e"]));
    assert_eq!(get("keys/attributes/SHARED_SCOPE").await, json!(["a", "b"]));
    let some = get("values/attributes/SHARED_SCOPE?keys=a,d").await;
    assert_eq!(some, json!([{ "lastUpdateTs": NOW_MS, "key": "a", "value": 1 }]));

    assert_eq!(service.delete(&format!("{path}/SHARED_SCOPE?keys=a")).await.status, StatusCode::OK);
    let own = service.delete(&format!("/api/plugins/telemetry/{id}/CLIENT_SCOPE?keys=firmware")).await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(get("keys/attributes").await, json!(["b", "d", "e"]));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let (service, id, path) = furnished().await;
    for (path, body) in [
        (format!("{path}/CLIENT_SCOPE"), json!({ "a": 1 })),
        (format!("{path}/ANY_SCOPE"), json!({ "a": 1 })),
        (format!("{path}/SHARED_SCOPE"), json!([1])),
        (format!("{path}/SHARED_SCOPE"), json!({ "": 1 })),
        (format!("/api/plugins/telemetry/ASSET/{id}/SHARED_SCOPE"), json!({ "a": 1 })),
        (format!("/api/plugins/telemetry/{id}x/SHARED_SCOPE"), json!({ "a": 1 })),
    ] {
        assert_eq!(refused(&service.post(&path, body).await), (400, 31), "{path}");
    }
    assert_eq!(refused(&service.delete(&format!("{path}/SHARED_SCOPE")).await), (400, 31), "no keys");
    let platform = &service.house.shared.platform;
    let left = platform.attributes(service.org, id_of(&service, "a"), Scope::Shared, &Keys::All);
    assert_eq!(left, []);
    for (method, path) in [
        ("GET", format!("{path}/values/timeseries")),
        ("GET", format!("{path}/values/attributes")),
        ("POST", format!("{path}/SHARED_SCOPE")),
        ("POST", format!("{path}/timeseries/ANY")),
        ("DELETE", format!("{path}/SHARED_SCOPE?keys=a")),
    ] {
        let answer = service.ask_as(CUSTOMER, method, &path, json!({ "a": 1 })).await;
        assert_eq!(refused(&answer), (403, 20), "{path}");
    }
}
