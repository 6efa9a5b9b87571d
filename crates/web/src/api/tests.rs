//! The native API, request by request.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::{DeviceName, OrgId};
use serde_json::{Value, json};

use super::router;
use crate::limits::API_BODY_BYTES_MAX;
use crate::testing::{Answer, House, NOW, NOW_MS, ask};

/// Asks with a method and a path, and with a JSON body unless it is null.
async fn call(router: &Router, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    ask(router, Request::builder().method(method).uri(path).body(body).unwrap()).await
}

async fn get(router: &Router, path: &str) -> Answer {
    call(router, "GET", path, Value::Null).await
}

/// The code of an error, and its status.
fn error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert!(body["error"]["hint"].as_str().is_some_and(|it| !it.is_empty()), "{body}");
    (answer.status.as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
}

/// The organisation `abc123` with a gateway `g1` of type `gw` and a type `sensor`.
async fn furnished() -> (House, Router, String) {
    let house = House::new();
    let router = router(house.shared.clone());
    let org = "/v1/orgs/abc123".to_owned();
    for (path, body) in [
        ("", json!({ "id": "abc123", "name": "Test" })),
        ("/types", json!({ "name": "gw", "class": "gateway" })),
        ("/types", json!({ "name": "sensor" })),
        ("/devices", json!({ "type": "gw", "name": "g1" })),
    ] {
        let path = if path.is_empty() { "/v1/orgs".to_owned() } else { format!("{org}{path}") };
        let answer = call(&router, "POST", &path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
    (house, router, org)
}

#[tokio::test]
async fn packages_are_added_assigned_and_removed() {
    let (house, router, org) = furnished().await;
    let path = format!("{org}/packages");
    let add = async |query: &str, body: Vec<u8>| {
        let request = Request::builder().method("POST").uri(format!("{path}?{query}"));
        ask(&router, request.body(Body::from(body)).unwrap()).await
    };
    let bytes = vec![7; 2 * API_BODY_BYTES_MAX];
    let made = add("title=pump&version=1.0&tag=t", bytes).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let made = made.json();
    assert_eq!((&made["size_bytes"], &made["kind"]), (&json!(2 * API_BODY_BYTES_MAX), &json!("firmware")));
    assert_eq!(error(&add("title=pump&version=1.0", b"x".to_vec()).await), (409, "exists".to_owned()));
    assert_eq!(error(&add("title=pump&version=2", Vec::new()).await).0, 400);
    assert_eq!(error(&add("title=pump&version=2&kind=hardware", b"x".to_vec()).await).0, 400);
    assert_eq!(get(&router, &path).await.json(), json!({ "packages": [made] }));
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(get(&router, &path).await.json(), made);
    let assigned = format!("{path}/assignments");
    for (target, status) in [
        (json!({ "type": "gw", "name": "g1" }), 204),
        (json!({ "type": "sensor" }), 204),
        (json!({ "type": "gw", "name": "g2" }), 404),
        (json!({ "type": "pump" }), 404),
    ] {
        assert_eq!(call(&router, "POST", &assigned, target).await.status, status);
    }
    let shared = get(&router, &format!("{org}/devices/gw/g1/attributes")).await.json();
    assert_eq!(shared["shared"]["fw_checksum"]["value"], made["sha256"]);
    assert_eq!(get(&router, &path).await.json()["types"], json!(["sensor"]));
    assert_eq!(call(&router, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(get(&router, &path).await.status, 404);
    drop(house);
}

#[tokio::test]
async fn organisations_are_made_shown_and_changed() {
    let house = House::new();
    let router = router(house.shared.clone());
    let made = call(&router, "POST", "/v1/orgs", json!({ "id": "abc123", "name": "Test" })).await;
    let expected = json!({
        "id": "abc123", "name": "Test", "created": NOW, "enabled": true,
        "device_count_max": 0, "device_per_gateway_count_max": 0,
    });
    assert_eq!((made.status, made.json()), (StatusCode::CREATED, expected.clone()));
    assert_eq!(get(&router, "/v1/orgs").await.json(), json!({ "orgs": [expected] }));
    let change = json!({ "enabled": false, "device_count_max": 7 });
    let changed = call(&router, "PATCH", "/v1/orgs/abc123", change).await.json();
    assert_eq!((&changed["enabled"], &changed["device_count_max"]), (&json!(false), &json!(7)));
    assert_eq!(get(&router, "/v1/orgs/abc123").await.json(), changed);

    let random = call(&router, "POST", "/v1/orgs", json!({})).await.json();
    assert!(OrgId::parse(random["id"].as_str().unwrap()).is_some(), "{random}");
    let twice = call(&router, "POST", "/v1/orgs", json!({ "id": "abc123" })).await;
    assert_eq!(error(&twice), (409, "exists".to_owned()));
    let malformed = call(&router, "POST", "/v1/orgs", json!({ "id": "ABC" })).await;
    assert_eq!(error(&malformed), (400, "malformed".to_owned()));
    assert_eq!(error(&get(&router, "/v1/orgs/zzz999").await), (404, "not_found".to_owned()));
    assert_eq!(error(&get(&router, "/v1/orgs/x").await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn types_are_made_shown_changed_and_removed() {
    let (_house, router, org) = furnished().await;
    let draft = json!({ "name": "t 1", "info": { "model": "m" }, "metadata": { "a": 1 } });
    let made = call(&router, "POST", &format!("{org}/types"), draft).await;
    assert_eq!((made.status, &made.json()["metadata"]), (StatusCode::CREATED, &json!({ "a": 1 })));
    let path = format!("{org}/types/t%201");
    let change = json!({ "description": "d", "info": { "manufacturer": "x" } });
    let changed = call(&router, "PATCH", &path, change).await.json();
    let expected = json!({ "model": "m", "manufacturer": "x", "class": "device", "description": "d" });
    let found = json!({
        "model": changed["info"]["model"], "manufacturer": changed["info"]["manufacturer"],
        "class": changed["class"], "description": changed["description"],
    });
    assert_eq!(found, expected);
    assert_eq!(get(&router, &path).await.json(), changed);
    let change = json!({ "provisioning": { "devices": "new", "key": "k" } });
    let made = call(&router, "PATCH", &path, change).await.json()["provisioning"].clone();
    assert_eq!((&made["devices"], &made["key"]), (&json!("new"), &json!("k")));
    let change = json!({ "provisioning": { "devices": "known" } });
    let changed = call(&router, "PATCH", &path, change).await.json()["provisioning"].clone();
    assert_eq!(changed, json!({ "devices": "known", "key": "k", "secret": made["secret"] }));
    let wrong = call(&router, "PATCH", &path, json!({ "provisioning": { "devices": "all" } })).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let change = json!({ "provisioning": { "devices": "none" } });
    assert_eq!(call(&router, "PATCH", &path, change).await.json().get("provisioning"), None);
    let names: Vec<_> = get(&router, &format!("{org}/types")).await.json()["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["gw", "sensor", "t 1"]);
    assert_eq!(call(&router, "DELETE", &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(error(&get(&router, &path).await), (404, "not_found".to_owned()));
    let in_use = call(&router, "DELETE", &format!("{org}/types/gw"), Value::Null).await;
    assert_eq!(error(&in_use), (409, "in_use".to_owned()));
}

#[tokio::test]
async fn devices_are_registered_shown_changed_and_removed() {
    let (house, router, org) = furnished().await;
    let draft = json!({
        "type": "sensor", "name": "s1", "info": { "model": "m" }, "metadata": [1],
        "location": { "latitude": 1.5, "longitude": 2.5, "measured": "2024-05-01T10:20:30Z" },
        "gateway": { "type": "gw", "name": "g1" },
    });
    let made = call(&router, "POST", &format!("{org}/devices"), draft).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    let name = DeviceName { device_type: "sensor", name: "s1" };
    let identity = domain::Identity::Device { class: Some(domain::Class::Device), name };
    let claim = domain::Claim { org: "abc123", identity, token: token.as_bytes() };
    house.shared.platform.admit(&claim, "d").unwrap();

    let path = format!("{org}/devices/sensor/s1");
    let shown = get(&router, &path).await.json();
    assert_eq!(shown["token"], Value::Null);
    assert_eq!(shown["gateway"], json!({ "type": "gw", "name": "g1" }));
    assert_eq!(shown["location"]["measured"], json!("2024-05-01T10:20:30.000Z"));
    assert_eq!((&shown["metadata"], &shown["registered"]), (&json!([1]), &json!(NOW)));
    assert_eq!(shown["registrar"], json!({ "kind": "operator", "id": null }));

    let change = json!({ "enabled": false, "location": { "latitude": 0, "longitude": 0 } });
    let changed = call(&router, "PATCH", &path, change).await.json();
    assert_eq!((&changed["enabled"], &changed["info"]["model"]), (&json!(false), &json!("m")));
    assert_eq!(changed["location"]["measured"], json!(NOW));
    assert_eq!(call(&router, "DELETE", &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(error(&get(&router, &path).await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_with_its_reason() {
    let (_house, router, org) = furnished().await;
    let path = format!("{org}/devices");
    let too_long = "x".repeat(256);
    for (body, status, code) in [
        (json!({ "type": "none", "name": "s1" }), 404, "type_unknown"),
        (json!({ "type": "gw", "name": "g1" }), 409, "exists"),
        (json!({ "type": "gw", "name": too_long }), 400, "name_invalid"),
        (json!({ "type": "gw", "name": "g2", "gateway": { "type": "gw", "name": "g3" } }), 404, "not_found"),
        (
            json!({ "type": "gw", "name": "g2", "location": { "latitude": 91, "longitude": 0 } }),
            400,
            "malformed",
        ),
        (json!({ "type": "gw", "name": "g2", "colour": "red" }), 400, "malformed"),
        (json!(["gw", "g2"]), 400, "malformed"),
        (json!({ "type": "gw", "name": "x".repeat(API_BODY_BYTES_MAX) }), 413, "too_large"),
    ] {
        let answer = call(&router, "POST", &path, body).await;
        assert_eq!(error(&answer), (status, code.to_owned()));
    }
    let limit = json!({ "device_count_max": 1 });
    call(&router, "PATCH", &org, limit).await;
    let full = call(&router, "POST", &path, json!({ "type": "gw", "name": "g2" })).await;
    assert_eq!(error(&full), (409, "org_full".to_owned()));
}

#[tokio::test]
async fn devices_are_listed_page_by_page() {
    let (_house, router, org) = furnished().await;
    for name in ["a", "b", "c"] {
        let gateway = json!({ "type": "gw", "name": "g1" });
        let draft = json!({ "type": "sensor", "name": name, "gateway": gateway });
        call(&router, "POST", &format!("{org}/devices"), draft).await;
    }
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(&router, &format!("{org}/devices?limit=2{after}")).await.json();
        let devices = page["devices"].as_array().unwrap().clone();
        names.extend(devices.iter().map(|it| format!("{}/{}", it["type"], it["name"]).replace('"', "")));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(names, ["gw/g1", "sensor/a", "sensor/b", "sensor/c"]);
    for (query, count) in
        [("type=sensor", 3), ("name=b", 1), ("gateway_type=gw&gateway=g1", 3), ("type=none", 0)]
    {
        let page = get(&router, &format!("{org}/devices?{query}")).await.json();
        assert_eq!(page["devices"].as_array().unwrap().len(), count, "{query}");
    }
    for (query, code) in [
        ("after=nonsense", "malformed"),
        ("gateway=g1", "malformed"),
        ("limit=many", "malformed"),
        ("gateway_type=gw&gateway=g9", "not_found"),
    ] {
        assert_eq!(error(&get(&router, &format!("{org}/devices?{query}")).await).1, code, "{query}");
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_removed() {
    let (_house, router, org) = furnished().await;
    let made = call(&router, "POST", &format!("{org}/keys"), json!({ "comment": "app" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let (key, token) = (made["key"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(key.starts_with("a-abc123-") && token.len() == 18, "{made}");
    let given = json!({ "key": "a-abc123-mine", "token": "t" });
    let given = call(&router, "POST", &format!("{org}/keys"), given).await.json();
    assert_eq!((&given["key"], &given["token"]), (&json!("a-abc123-mine"), &json!("t")));
    let listed = get(&router, &format!("{org}/keys")).await.json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("token"), "{listed}");
    let path = format!("{org}/keys/{key}");
    assert_eq!(call(&router, "DELETE", &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    let again = call(&router, "DELETE", &path, Value::Null).await;
    assert_eq!(error(&again), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn what_a_device_sent_is_shown() {
    let (house, router, org) = furnished().await;
    let id = OrgId::parse("abc123").unwrap();
    let name = DeviceName { device_type: "gw", name: "g1" };
    house.event(id, name, "binary", &[0xff]);
    house.event(id, name, "status", br#"{"t": 21.5}"#);
    house.event(id, name, "text", b"hello");
    let path = format!("{org}/devices/gw/g1");
    let events = get(&router, &format!("{path}/events")).await;
    assert!(String::from_utf8_lossy(&events.body).contains(r#"{"json":{"t": 21.5}}"#), "{events:?}");
    let events = events.json()["events"].clone();
    assert_eq!(events[0]["payload"], json!({ "base64": "/w==" }));
    assert_eq!((&events[1]["name"], &events[1]["at"]), (&json!("status"), &json!(NOW)));
    assert_eq!(events[2]["payload"], json!({ "text": "hello" }));

    let points = get(&router, &format!("{path}/points?key=status.t&from={NOW}&limit=5")).await.json();
    assert_eq!(points, json!({ "points": [{ "at": NOW, "at_ms": NOW_MS, "value": 21.5 }] }));
    let none = get(&router, &format!("{path}/points?key=status.t&to={NOW_MS}")).await.json();
    assert_eq!(none, json!({ "points": [] }));
    let latest = get(&router, &format!("{path}/points")).await.json()["latest"].clone();
    assert_eq!(latest.as_array().unwrap().len(), 3);
    assert_eq!(latest[0], json!({ "key": "binary.t", "at": NOW, "at_ms": NOW_MS, "value": 21.5 }));
    let remove =
        async |query: &str| call(&router, "DELETE", &format!("{path}/points{query}"), Value::Null).await;
    assert_eq!(remove(&format!("?key=status.t&to={NOW}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&router, &format!("{path}/points?key=status.t")).await.json()["points"][0]["value"], 21.5);
    assert_eq!(remove("?key=status.t").await.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&router, &format!("{path}/points")).await.json()["latest"].as_array().unwrap().len(), 2);
    assert_eq!(error(&remove("").await), (400, "malformed".to_owned()));
    assert_eq!(error(&remove("?key=t&from=now").await), (400, "malformed".to_owned()));
    let wrong = get(&router, &format!("{path}/points?from=yesterday")).await;
    assert_eq!(error(&wrong), (400, "malformed".to_owned()));
    let unknown = get(&router, &format!("{org}/devices/gw/g9/events")).await;
    assert_eq!(error(&unknown), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn values_are_shown_as_json_has_them() {
    use domain::Value as Point;
    for (value, expected) in [
        (Point::Bool(true), "true"),
        (Point::I64(-3), "-3"),
        (Point::F64(f64::NAN), r#""NaN""#),
        (Point::Text("a\"b"), r#""a\"b""#),
        (Point::Json("[1, 2]"), "[1, 2]"),
        (Point::Json("[1,"), r#""[1,""#),
        (Point::Bytes(&[0, 255]), r#"{"base64":"AP8="}"#),
    ] {
        assert_eq!(super::shape::value(value).get(), expected);
    }
}

#[tokio::test]
async fn the_running_server_is_asked_for_what_only_it_knows() {
    let (_house, router, org) = furnished().await;
    let stats = get(&router, "/v1/stats").await.json();
    assert_eq!(stats, json!({ "connections": 0, "devices": { "abc123": 1 } }));
    let tail = get(&router, &format!("{org}/tail")).await;
    assert_eq!(tail.headers["content-type"], "application/x-ndjson");
    assert_eq!(tail.body, "{\"org\":\"abc123\"}\n");
    assert_eq!(error(&get(&router, "/v1/orgs/zzz999/tail").await), (404, "not_found".to_owned()));
    assert_eq!(get(&router, "/v1/refusals").await.json(), json!({ "refusals": [{ "org": null }] }));
    let refusals = get(&router, &format!("{org}/refusals")).await.json();
    assert_eq!(refusals, json!({ "refusals": [{ "org": "abc123" }] }));
}

#[tokio::test]
async fn a_wrong_path_or_method_is_told_apart() {
    let (_house, router, org) = furnished().await;
    assert_eq!(error(&get(&router, "/v2").await), (404, "not_found".to_owned()));
    assert_eq!(error(&get(&router, &format!("{org}/nothing")).await), (404, "not_found".to_owned()));
    assert_eq!(error(&call(&router, "DELETE", &org, Value::Null).await), (405, "not_allowed".to_owned()));
    assert_eq!(error(&get(&router, "/v1/orgs/%ff").await), (400, "malformed".to_owned()));
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_stored() {
    let (house, router, org) = furnished().await;
    let hold = house.store.hold();
    let draft = json!({ "type": "sensor", "name": "s1" });
    let path = format!("{org}/devices");
    let mut asking = std::pin::pin!(call(&router, "POST", &path, draft));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending(), "answered before it was stored");
    drop(hold);
    assert_eq!(asking.await.status, StatusCode::CREATED);

    house.store.fail_next_sync();
    let failed = call(&router, "POST", &path, json!({ "type": "sensor", "name": "s2" })).await;
    assert_eq!(error(&failed), (503, "store_failed".to_owned()));
}

#[tokio::test]
async fn attributes_are_written_shown_and_removed() {
    let (_house, router, org) = furnished().await;
    let path = format!("{org}/devices/gw/g1/attributes");
    let written = json!({ "n": 1, "f": 42.0, "t": "42", "on": true, "list": [1, { "a": null }] });
    let answer = call(&router, "PATCH", &format!("{path}/shared"), written).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = call(&router, "PATCH", &format!("{path}/server"), json!({ "hidden": 1 })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = call(&router, "DELETE", &format!("{path}/shared?keys=n,never,t"), Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let at = |value: Value| json!({ "value": value, "at": NOW });
    let expected = json!({
        "client": {},
        "shared": { "f": at(json!(42.0)), "on": at(json!(true)), "list": at(json!([1, { "a": null }])) },
        "server": { "hidden": at(json!(1)) },
    });
    assert_eq!(get(&router, &path).await.json(), expected);
    for (scope, body, expected) in [
        ("client", json!({ "a": 1 }), (403, "not_allowed")),
        ("other", json!({ "a": 1 }), (404, "not_found")),
        ("shared", json!({ "a": null }), (400, "malformed")),
        ("shared", json!({ "": 1 }), (400, "malformed")),
        ("shared", json!([]), (400, "malformed")),
    ] {
        let answer = call(&router, "PATCH", &format!("{path}/{scope}"), body).await;
        let (status, code) = error(&answer);
        assert_eq!((status, code.as_str()), expected);
    }
}

#[tokio::test]
async fn commands_are_kept_shown_and_removed() {
    let (_house, router, org) = furnished().await;
    let path = format!("{org}/devices/gw/g1/commands");
    let draft = json!({ "method": "reboot", "params": { "in_s": 5 }, "stored": true });
    let made = call(&router, "POST", &path, draft).await;
    assert_eq!(made.status, StatusCode::ACCEPTED);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{org}/commands/{id}");
    let expected = json!({ "id": id, "method": "reboot", "state": "queued", "answer": null });
    assert_eq!(get(&router, &path).await.json(), expected);
    assert_eq!(call(&router, "DELETE", &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(error(&get(&router, &path).await), (404, "not_found".to_owned()));
    let path = format!("{org}/devices/gw/g1/commands");
    let made = call(&router, "POST", &path, json!({ "payload": "LED ON", "stored": true })).await;
    assert_eq!(made.status, StatusCode::ACCEPTED);
    let shown = get(&router, &format!("{org}/commands/{}", made.json()["id"].as_str().unwrap())).await.json();
    assert_eq!((&shown["method"], &shown["state"]), (&json!("command"), &json!("queued")));
    for neither in
        [json!({}), json!({ "method": "m", "payload": "p" }), json!({ "payload": "p", "params": 1 })]
    {
        assert_eq!(error(&call(&router, "POST", &path, neither).await), (400, "malformed".to_owned()));
    }
    let nobody = format!("{org}/devices/gw/g9/commands");
    let answer = call(&router, "POST", &nobody, json!({ "method": "m" })).await;
    assert_eq!(error(&answer), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn an_access_token_brings_its_type_along_and_is_one_devices() {
    let (_house, router, org) = furnished().await;
    let path = format!("{org}/devices");
    let draft =
        |name: &str| json!({ "type": "default", "name": name, "class": "gateway", "access_token": "T1" });
    let made = call(&router, "POST", &path, draft("gw1")).await;
    assert_eq!((made.status, &made.json()["class"]), (StatusCode::CREATED, &json!("gateway")));
    assert_eq!(get(&router, &format!("{org}/types/default")).await.json()["class"], "device");
    let again = call(&router, "POST", &path, draft("gw2")).await;
    assert_eq!(error(&again), (409, "exists".to_owned()));
    assert_eq!(error(&get(&router, &format!("{path}/default/gw2")).await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_device_can_come_with_a_certificate() {
    let (_house, router, org) = furnished().await;
    let path = format!("{org}/devices");
    let draft = |name: &str, text: &str| json!({ "type": "gw", "name": name, "certificate": text });
    assert_eq!(error(&call(&router, "POST", &path, draft("c1", "PEM")).await), (400, "malformed".to_owned()));
    assert_eq!(call(&router, "POST", &path, draft("c1", "MAMCAQU=\n")).await.status, StatusCode::CREATED);
    let again = call(&router, "POST", &path, draft("c2", "MAMCAQU=")).await;
    assert_eq!(error(&again), (409, "exists".to_owned()));
    let mut both = draft("c2", "MAMCAQU=");
    both["access_token"] = json!("T1");
    assert_eq!(error(&call(&router, "POST", &path, both).await), (400, "malformed".to_owned()));
}

#[tokio::test]
async fn types_become_products_and_their_devices_get_numbers() {
    let (_house, router, org) = furnished().await;
    let product = format!("{org}/types/sensor/product");
    let named = json!({ "number": 77001, "master_key": "Master==", "register_code": "Code456789012345" });
    let made = call(&router, "PUT", &product, named.clone()).await;
    assert_eq!((made.status, &made.json()["product"]), (StatusCode::OK, &named));
    let changed = call(&router, "PUT", &product, json!({ "master_key": "Other" })).await.json();
    assert_eq!(changed["product"]["number"], 77001, "{changed}");
    let shown = get(&router, &format!("{org}/types/sensor")).await.json();
    assert_eq!(shown["product"]["master_key"], "Other");
    assert_eq!(get(&router, &format!("{org}/types/gw")).await.json().get("product"), None);
    for (body, expected) in [
        (json!({ "number": 0 }), (400, "malformed")),
        (json!({ "number": 1_000_000_000 }), (400, "malformed")),
        (json!({ "number": 77002 }), (409, "in_use")),
        (json!({ "numbers": 1 }), (400, "malformed")),
    ] {
        let (status, code) = error(&call(&router, "PUT", &product, body).await);
        assert_eq!((status, code.as_str()), expected);
    }

    let made =
        call(&router, "POST", &format!("{org}/devices"), json!({ "type": "sensor", "name": "s1" })).await;
    assert_eq!((made.status, made.json().get("number")), (StatusCode::CREATED, None));
    let number = format!("{org}/devices/sensor/s1/number");
    let given =
        call(&router, "PUT", &number, json!({ "number": 4_294_967_295_u32, "auth_info": "sn" })).await;
    assert_eq!(given.json()["number"], 4_294_967_295_u32, "{given:?}");
    let shown = get(&router, &format!("{org}/devices/sensor/s1")).await.json();
    assert_eq!((&shown["number"], &shown["auth_info"]), (&json!(4_294_967_295_u32), &json!("sn")));
    assert_eq!(error(&call(&router, "PUT", &number, json!({ "number": 0 })).await).0, 400);
    let outside = call(&router, "PUT", &format!("{org}/devices/gw/g1/number"), json!({})).await;
    assert_eq!(error(&outside).1, "type_unknown");
}
