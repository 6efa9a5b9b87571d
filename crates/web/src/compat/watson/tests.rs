//! Watson's registration service, request by request.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Claim, Class, DeviceName, Identity, OrgId};
use platform::{NewKey, OrgChange, Verdict};
use serde_json::{Value, json};

use super::{BulkRemoveStatus, Watson, router};
use crate::limits::WATSON_BULK_BYTES_MAX;
use crate::testing::{Answer, House, NOW, ask};

const KEY: &str = "a-abc123-0123456789";
const TOKEN: &str = "t0ken";

/// The organisation `abc123` with one API key, and the service for it.
struct Service {
    house: House,
    org: OrgId,
    router: Router,
}

impl Service {
    fn new(bulk_remove_status: BulkRemoveStatus) -> Service {
        let house = House::new();
        let org = OrgId::parse("abc123").unwrap();
        house.shared.platform.create_org(Some(org), "Test", 1).unwrap();
        let key = NewKey { key: Some(KEY.to_owned()), token: Some(TOKEN.to_owned()), ..NewKey::default() };
        house.shared.platform.create_key(org, key, 1).unwrap();
        let router = router(Watson { shared: house.shared.clone(), bulk_remove_status });
        Service { house, org, router }
    }

    /// With a gateway type `gw` and a device type `sensor`.
    async fn furnished() -> Service {
        let service = Service::new(BulkRemoveStatus::default());
        for body in [json!({ "id": "gw", "classId": "Gateway" }), json!({ "id": "sensor" })] {
            let answer = service.call("POST", "/device/types", body).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        }
        service
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let headers = [("authorization", basic(KEY, TOKEN))];
        self.send(method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v0002{path}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        ask(&self.router, request.body(body).unwrap()).await
    }

    async fn add(&self, device_type: &str, name: &str) -> Value {
        let path = format!("/device/types/{device_type}/devices");
        let answer = self.call("POST", &path, json!({ "deviceId": name })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Status and exception id of an error.
fn error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert!(body["message"].as_str().is_some_and(|it| !it.is_empty()), "{body}");
    assert!(body["exception"]["properties"].is_array(), "{body}");
    (answer.status.as_u16(), body["exception"]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn only_a_key_with_its_token_may_ask() {
    let service = Service::new(BulkRemoveStatus::default());
    let org = "".to_owned();
    for (authorization, status) in [
        (basic(KEY, TOKEN), 200),
        (basic(KEY, TOKEN).replace("Basic", "basic"), 200),
        (basic(KEY, "guess"), 401),
        (basic(KEY, ""), 401),
        (basic("a-abc123-unknown", TOKEN), 403),
        (basic("a-zzz999-unknown", TOKEN), 403),
        (basic("use-token-auth", TOKEN), 403),
        ("Bearer x".to_owned(), 403),
        ("Basic ???".to_owned(), 400),
        (format!("Basic {}", STANDARD.encode("no colon")), 400),
        ("Basic".to_owned(), 400),
    ] {
        let headers = [("authorization", authorization)];
        let answer = service.send("GET", &org, &headers, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{headers:?}");
        if status != 200 {
            error(&answer);
        }
    }
    let nothing = service.send("GET", &org, &[], Body::empty()).await;
    assert_eq!(nothing.status, StatusCode::UNAUTHORIZED);

    let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
    service.house.shared.platform.update_org(service.org, change).unwrap();
    assert_eq!(service.get("").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_host_of_another_organisation_is_refused() {
    let service = Service::new(BulkRemoveStatus::default());
    service.house.shared.platform.create_org(OrgId::parse("other1"), "Other", 1).unwrap();
    for (host, status) in [
        ("abc123.localhost:8080", 200),
        ("localhost", 200),
        ("127.0.0.1:8080", 200),
        ("server.example", 200),
        ("other1.localhost", 403),
    ] {
        let headers = [("authorization", basic(KEY, TOKEN)), ("host", host.to_owned())];
        let answer = service.send("GET", "", &headers, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{host}");
    }
}

#[tokio::test]
async fn the_organisation_and_the_status_are_shown() {
    let service = Service::new(BulkRemoveStatus::default());
    for path in ["", "/"] {
        let org = service.get(path).await.json();
        assert_eq!(
            (&org["id"], &org["name"], &org["enabled"]),
            (&json!("abc123"), &json!("Test"), &json!(true))
        );
        assert_eq!(org["config"], json!({}));
    }
    let status = service.get("/service-status").await.json();
    assert_eq!(status["us"]["messaging"], json!("green"));
}

#[tokio::test]
async fn types_are_made_shown_changed_and_removed() {
    let service = Service::furnished().await;
    let made = service.call("POST", "/device/types", json!({ "id": "t", "description": "d" })).await;
    let body = made.json();
    assert_eq!((made.status.as_u16(), &body["classId"]), (201, &json!("Device")));
    assert_eq!((&body["createdDateTime"], &body["metadata"]), (&json!(NOW), &json!({})));
    assert_eq!(service.get("/device/types/t").await.json(), body);
    let change = json!({ "description": null, "deviceInfo": { "model": "m" } });
    let changed = service.call("PUT", "/device/types/t", change).await;
    assert_eq!(changed.status, StatusCode::OK);
    let changed = changed.json();
    assert_eq!((&changed["description"], &changed["deviceInfo"]["model"]), (&json!("d"), &json!("m")));

    for (method, path, body, status, id) in [
        ("POST", "/device/types", json!({ "id": "t" }), 409, "exists"),
        ("POST", "/device/types", json!(1), 400, "CUDRS0007E"),
        ("POST", "/device/types", json!({ "id": "a b" }), 400, "CUDRS0007E"),
        ("PUT", "/device/types/None", json!({}), 404, "not_found"),
        ("GET", "/device/types/None", Value::Null, 404, "not_found"),
        ("DELETE", "/device/types/None", Value::Null, 404, "not_found"),
    ] {
        let answer = service.call(method, path, body).await;
        assert_eq!(error(&answer), (status, id.to_owned()), "{method} {path}");
    }
    service.add("t", "d1").await;
    assert_eq!(error(&service.call("DELETE", "/device/types/t", Value::Null).await).0, 409);
    service.call("DELETE", "/device/types/t/devices/d1", Value::Null).await;
    let removed = service.call("DELETE", "/device/types/t", Value::Null).await;
    assert_eq!((removed.status.as_u16(), removed.body.len()), (204, 0));
}

#[tokio::test]
async fn types_are_listed_page_by_page() {
    let service = Service::furnished().await;
    service.call("POST", "/device/types", json!({ "id": "a" })).await;
    let ids = |page: &Value| -> Vec<String> {
        page["results"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = service.get("/device/types/?_limit=2").await.json();
    assert_eq!((ids(&first), &first["meta"]["totalRows"]), (vec!["a".into(), "gw".into()], &json!(3)));
    let bookmark = first["bookmark"].as_str().unwrap();
    let last = service.get(&format!("/device/types?_limit=2&_bookmark={bookmark}")).await.json();
    assert_eq!((ids(&last), last.get("bookmark")), (vec!["sensor".into()], None));
    assert_eq!(ids(&service.get("/device/types?_sort=-id").await.json()), ["sensor", "gw", "a"]);
    assert_eq!(ids(&service.get("/device/types?classId=Gateway").await.json()), ["gw"]);
    assert_eq!(ids(&service.get("/device/types?id=sensor").await.json()), ["sensor"]);
    for query in ["_limit=0", "_bookmark=nonsense"] {
        let answer = service.get(&format!("/device/types?{query}")).await;
        assert_eq!(error(&answer), (400, "CUDRS0007E".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_device_is_registered_with_a_token_that_admits_it() {
    let service = Service::furnished().await;
    let made = service.add("sensor", "s1").await;
    assert_eq!(made["clientId"], json!("d:abc123:sensor:s1"));
    assert_eq!(made["registration"]["auth"], json!({ "id": KEY, "type": "app" }));
    let name = DeviceName { device_type: "sensor", name: "s1" };
    let identity = Identity::Device { class: Some(Class::Device), name };
    let token = made["authToken"].as_str().unwrap();
    let claim = Claim { org: "abc123", identity, token: token.as_bytes() };
    service.house.shared.platform.admit(&claim, "d:abc123:sensor:s1").unwrap();

    service.add("gw", "g1").await;
    let body = json!({ "deviceId": "s2", "authToken": "mine", "gatewayTypeId": "gw", "gatewayId": "g1" });
    let made = service.call("POST", "/device/types/sensor/devices/", body).await.json();
    assert_eq!((&made["authToken"], &made["gatewayId"]), (&json!("mine"), &json!("g1")));
    let shown = service.get("/device/types/sensor/devices/s2").await.json();
    assert_eq!((shown.get("authToken"), &shown["gatewayTypeId"]), (None, &json!("gw")));

    let behind_nobody = json!({ "deviceId": "s3", "gatewayTypeId": "gw", "gatewayId": "g9" });
    for (path, body, status) in [
        ("/device/types/sensor/devices", json!({ "deviceId": "s1" }), 409),
        ("/device/types/sensor/devices", json!({}), 400),
        ("/device/types/sensor/devices", behind_nobody, 400),
        ("/device/types/none/devices", json!({ "deviceId": "s1" }), 404),
    ] {
        assert_eq!(error(&service.call("POST", path, body).await).0, status, "{path}");
    }
}

#[tokio::test]
async fn a_device_is_changed_and_removed() {
    let service = Service::furnished().await;
    service.add("sensor", "s1").await;
    let path = "/device/types/sensor/devices/s1";
    let change = json!({ "deviceInfo": { "model": "m" }, "metadata": { "a": 1 }, "status": null });
    assert_eq!(service.call("PUT", path, change).await.status, StatusCode::OK);
    let change = json!({ "deviceInfo": { "description": "d", "model": null }, "metadata": null });
    let changed = service.call("PUT", "/device/types/sensor/devices/%731", change).await.json();
    assert_eq!((&changed["deviceInfo"]["model"], &changed["metadata"]), (&json!("m"), &json!({ "a": 1 })));
    assert_eq!(service.get(path).await.json(), changed);
    assert_eq!(service.call("DELETE", path, Value::Null).await.status, StatusCode::NO_CONTENT);
    for (method, path) in [
        ("GET", path.to_owned()),
        ("PUT", path.to_owned()),
        ("DELETE", path.to_owned()),
        ("GET", format!("{path}/location")),
        ("GET", format!("{path}/mgmt")),
        ("GET", format!("{path}/devices")),
        ("GET", format!("{path}/events")),
        ("GET", "/device/types/none/devices".to_owned()),
    ] {
        let body = if method == "PUT" { json!({}) } else { Value::Null };
        let answer = service.call(method, &path, body).await;
        assert_eq!(error(&answer), (404, "not_found".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_location_is_kept_and_checked() {
    let service = Service::furnished().await;
    service.add("sensor", "s1").await;
    let path = "/device/types/sensor/devices/s1/location";
    assert_eq!(service.get(path).await.status, StatusCode::NOT_FOUND);
    let body = json!({ "latitude": 1, "longitude": 2, "measuredDateTime": "2024-05-01T10:20:30" });
    let put = service.call("PUT", path, body).await;
    assert_eq!(put.status, StatusCode::OK);
    let put = put.json();
    assert_eq!(put["measuredDateTime"], json!("2024-05-01T10:20:30.000Z"));
    assert_eq!(put["updatedDateTime"], json!(NOW));
    assert_eq!(service.get(path).await.json(), put);
    let outside = service.call("PUT", path, json!({ "latitude": 100, "longitude": 200 })).await;
    assert_eq!(outside.status, StatusCode::BAD_REQUEST);
    let violations = outside.json()["violations"].clone();
    assert_eq!(violations.as_array().unwrap().len(), 1);
    assert_eq!(violations[0]["exception"]["id"], json!("CUDHT0300I"));
    let managed = service.get("/device/types/sensor/devices/s1/mgmt").await;
    assert_eq!(managed.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn devices_are_listed_filtered_and_sorted() {
    let service = Service::furnished().await;
    for (device_type, name) in [("sensor", "b"), ("sensor", "a"), ("gw", "a"), ("sensor", "c")] {
        service.add(device_type, name).await;
    }
    let change = json!({ "deviceInfo": { "model": "m1" } });
    service.call("PUT", "/device/types/sensor/devices/b", change).await;
    let cases = [
        ("/bulk/devices", "gw/a sensor/a sensor/b sensor/c"),
        ("/bulk/devices?typeId=sensor", "sensor/a sensor/b sensor/c"),
        ("/bulk/devices?deviceId=a", "gw/a sensor/a"),
        ("/bulk/devices?typeId=gw&deviceId=a", "gw/a"),
        ("/bulk/devices?deviceInfo.model=m1", "sensor/b"),
        ("/bulk/devices?colour=red", ""),
        ("/bulk/devices?_sort=typeId,deviceId", "gw/a sensor/a sensor/b sensor/c"),
        ("/bulk/devices?_sort=-typeId,-deviceId", "sensor/c sensor/b sensor/a gw/a"),
        ("/bulk/devices?_sort=deviceId", "gw/a sensor/a sensor/b sensor/c"),
        ("/bulk/devices?_sort=-deviceId,typeId", "sensor/c sensor/b gw/a sensor/a"),
        ("/device/types/sensor/devices/", "sensor/a sensor/b sensor/c"),
        ("/device/types/sensor/devices?deviceId=c", "sensor/c"),
        ("/device/types/sensor/devices?typeId=gw", ""),
        ("/device/types/sensor/devices?_sort=-deviceId", "sensor/c sensor/b sensor/a"),
        ("/device/types/sensor/devices?_sort=deviceId", "sensor/a sensor/b sensor/c"),
    ];
    for (path, expected) in cases {
        for limit in 1..=5 {
            let found = walk(&service, path, limit).await.join(" ");
            assert_eq!(found, expected, "{path} by {limit}");
        }
    }
}

/// The devices of a list, page by page until there is no bookmark.
async fn walk(service: &Service, path: &str, limit: usize) -> Vec<String> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut found = Vec::new();
    let mut bookmark = String::new();
    loop {
        let page = service.get(&format!("{path}{separator}_limit={limit}{bookmark}")).await.json();
        let results = page["results"].as_array().unwrap();
        assert!(results.len() <= limit, "{page}");
        let name =
            |it: &Value| format!("{}/{}", it["typeId"].as_str().unwrap(), it["deviceId"].as_str().unwrap());
        found.extend(results.iter().map(name));
        let Some(next) = page["bookmark"].as_str() else {
            assert_eq!(page["meta"]["totalRows"], json!(found.len()));
            return found;
        };
        bookmark = format!("&_bookmark={next}");
    }
}

#[tokio::test]
async fn a_gateway_shows_the_devices_registered_through_it() {
    let service = Service::furnished().await;
    let token = service.add("gw", "g1").await["authToken"].as_str().unwrap().to_owned();
    service.add("sensor", "s0").await;
    let name = DeviceName { device_type: "gw", name: "g1" };
    let identity = Identity::Device { class: Some(Class::Gateway), name };
    let claim = Claim { org: "abc123", identity, token: token.as_bytes() };
    let platform = &service.house.shared.platform;
    let gateway = platform.admit(&claim, "g:abc123:gw:g1").unwrap();
    for name in ["s1", "s2"] {
        let name = DeviceName { device_type: "sensor", name };
        assert!(matches!(platform.speak_for(&gateway, name, true, 1), Verdict::Registered(_)));
    }
    let path = "/device/types/gw/devices/g1/devices";
    assert_eq!(walk(&service, path, 1).await, ["sensor/s1", "sensor/s2"]);
    let child = service.get(path).await.json()["results"][0].clone();
    assert_eq!(child["registration"]["auth"], json!({ "id": "g:abc123:gw:g1", "type": "gateway" }));
    assert_eq!((&child["gatewayTypeId"], &child["gatewayId"]), (&json!("gw"), &json!("g1")));
    let not_a_gateway = service.get("/device/types/sensor/devices/s0/devices").await;
    assert_eq!(error(&not_a_gateway).0, 403);
}

#[tokio::test]
async fn many_are_added_and_removed_at_once() {
    let service = Service::furnished().await;
    let item =
        |device_type: &str, name: &str| json!({ "typeId": device_type, "deviceId": name, "authToken": null });
    let both = json!([item("sensor", "a"), item("sensor", "b")]);
    let added = service.call("POST", "/bulk/devices/add", both).await;
    assert_eq!(added.status, StatusCode::CREATED);
    let added = added.json();
    assert_eq!(added[0]["success"], json!(true));
    assert_eq!(added[1]["authToken"].as_str().unwrap().len(), 18);

    let mixed = json!([item("sensor", "a"), item("none", "x"), item("sensor", "a b"), item("sensor", "c")]);
    let added = service.call("POST", "/bulk/devices/add", mixed).await;
    assert_eq!(added.status, StatusCode::ACCEPTED);
    let added = added.json();
    let success: Vec<_> =
        added.as_array().unwrap().iter().map(|it| it["success"].as_bool().unwrap()).collect();
    assert_eq!(success, [false, false, false, true]);
    let ids: Vec<_> = (0..3).map(|it| added[it]["exception"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["exists", "type_unknown", "CUDRS0007E"]);

    let gone = json!([item("sensor", "a"), item("sensor", "never"), item("none", "x")]);
    let removed = service.call("POST", "/bulk/devices/remove", gone).await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    let all = removed.json().as_array().unwrap().iter().all(|it| it["success"] == json!(true));
    assert!(all, "{removed:?}");
    assert_eq!(walk(&service, "/bulk/devices", 10).await, ["sensor/b", "sensor/c"]);
    for path in ["/bulk/devices/add", "/bulk/devices/remove"] {
        assert_eq!(error(&service.call("POST", path, json!({})).await).0, 400, "{path}");
    }
}

#[tokio::test]
async fn a_bulk_body_has_a_bound() {
    let service = Service::furnished().await;
    let fits = json!([{ "typeId": "sensor", "deviceId": "a", "metadata": { "x": "y".repeat(100_000) } }]);
    assert_eq!(service.call("POST", "/bulk/devices/add", fits).await.status, StatusCode::CREATED);
    let body = format!("[{}]", " ".repeat(WATSON_BULK_BYTES_MAX - 2));
    let headers = [("authorization", basic(KEY, TOKEN))];
    let largest = service.send("POST", "/bulk/devices/add/", &headers, Body::from(body.clone())).await;
    assert_eq!((largest.status, largest.json()), (StatusCode::CREATED, json!([])));
    let body = format!("{body} ");
    let larger = service.send("POST", "/bulk/devices/add", &headers, Body::from(body)).await;
    assert_eq!(error(&larger).0, 413);
}

#[tokio::test]
async fn a_removal_is_answered_as_its_sdk_wants() {
    for (rule, agent, status) in [
        (BulkRemoveStatus::Accepted, "axios/0.21.1", 202),
        (BulkRemoveStatus::Created, "python-requests/2.31", 201),
        (BulkRemoveStatus::ByUserAgent, "python-requests/2.31", 202),
        (BulkRemoveStatus::ByUserAgent, "", 202),
        (BulkRemoveStatus::ByUserAgent, "axios/0.21.1", 201),
        (BulkRemoveStatus::ByUserAgent, "Apache-HttpClient/4.5", 201),
    ] {
        let service = Service::new(rule);
        let headers = [("authorization", basic(KEY, TOKEN)), ("user-agent", agent.to_owned())];
        let answer = service.send("POST", "/bulk/devices/remove", &headers, Body::from("[]")).await;
        assert_eq!(answer.status.as_u16(), status, "{rule:?} {agent}");
    }
}

#[tokio::test]
async fn the_last_events_are_shown() {
    let service = Service::furnished().await;
    service.add("sensor", "s1").await;
    let path = "/device/types/sensor/devices/s1/events";
    assert_eq!(service.get(path).await.status, StatusCode::NOT_FOUND);
    let name = DeviceName { device_type: "sensor", name: "s1" };
    service.house.event(service.org, name, "b", b"{}");
    service.house.event(service.org, name, "a", &[0xff]);
    let events = service.get(path).await.json();
    let expected = json!({
        "typeId": "sensor", "deviceId": "s1", "eventId": "a", "format": "json", "payload": "/w==",
        "timestamp": NOW.replace('Z', "+0000"),
    });
    assert_eq!((&events[0], &events[1]["eventId"]), (&expected, &json!("b")));
    assert_eq!(service.get(&format!("{path}/a")).await.json(), expected);
    assert_eq!(error(&service.get(&format!("{path}/c")).await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let service = Service::furnished().await;
    assert_eq!(error(&service.get("/usage/data-traffic").await), (404, "not_served".to_owned()));
    let wrong = service.call("DELETE", "/device/types", Value::Null).await;
    assert_eq!(error(&wrong).0, 405);
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_stored() {
    let service = Service::furnished().await;
    let item = json!([{ "typeId": "sensor", "deviceId": "a" }]);
    for (path, status) in [("/bulk/devices/add", 201), ("/bulk/devices/remove", 202)] {
        let hold = service.house.store.hold();
        let mut asking = std::pin::pin!(service.call("POST", path, item.clone()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(asking.as_mut().poll(&mut context).is_pending(), "{path} was answered before it was stored");
        drop(hold);
        assert_eq!(asking.await.status.as_u16(), status);
    }
    service.house.store.fail_next_sync();
    let failed = service.call("POST", "/bulk/devices/add", item).await;
    assert_eq!(error(&failed), (500, "store_failed".to_owned()));
    assert_eq!(service.get("/service-status").await.json()["us"]["messaging"], json!("red"));
}
