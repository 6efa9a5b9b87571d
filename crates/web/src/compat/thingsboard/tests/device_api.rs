//! Devices that come over HTTP.

use std::sync::Arc;

use axum::http::StatusCode;
use dialects::thingsboard::http::device::Awaited;
use domain::attribute::Keys;
use domain::rate::{Rates, TrafficRates};
use domain::{Login, PackageKind, ProvisionRule, Rights, Scope};
use platform::{ClaimOutcome, DeviceChange, NewPackage, NewProvisioning, RateRules};
use serde_json::json;

use super::{CUSTOMER, Service, refused};
use crate::testing::{Answer, House, NOW_MS};

async fn say(service: &Service, method: &str, rest: &str, body: &str) -> Answer {
    service.send(method, &format!("/api/v1/T1/{rest}"), "", body).await
}

async fn furnished() -> (Service, String) {
    let service = Service::new();
    let id = service.add("a", "T1").await;
    (service, format!("/api/plugins/telemetry/DEVICE/{id}"))
}

#[tokio::test]
async fn a_device_says_what_it_measures_and_what_it_is() {
    let (service, path) = furnished().await;
    for body in ["{temperature:25}", r#"[{"ts":5,"values":{"h":1}}]"#] {
        let answer = say(&service, "POST", "telemetry", body).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{body}");
    }
    let latest = service.get(&format!("{path}/values/timeseries")).await.json();
    let expected = json!({
        "h": [{ "ts": 5, "value": "1" }],
        "temperature": [{ "ts": NOW_MS, "value": "25" }],
    });
    assert_eq!(latest, expected);
    assert_eq!(say(&service, "POST", "attributes", r#"{"fw":"1.0","n":2}"#).await.status, StatusCode::OK);
    service.post(&format!("{path}/SHARED_SCOPE"), json!({ "mode": "eco", "n": 3 })).await;
    let get = async |query: &str| say(&service, "GET", &format!("attributes{query}"), "").await.json();
    let all = json!({ "client": { "fw": 1.0, "n": 2 }, "shared": { "mode": "eco", "n": 3 } });
    assert_eq!(get("").await, all);
    assert_eq!(
        get("?clientKeys=n,x&sharedKeys=mode").await,
        json!({ "client": { "n": 2 }, "shared": { "mode": "eco" } })
    );
    assert_eq!(get("?sharedKeys=x").await, json!({}));
}

#[tokio::test]
async fn when_a_device_was_there_is_among_its_server_attributes_after_a_restart_too() {
    let (service, path) = furnished().await;
    let uuid = path.rsplit('/').next().unwrap();
    assert_eq!(say(&service, "POST", "telemetry", r#"{"t":1}"#).await.status, StatusCode::OK);
    service.post(&format!("{path}/SERVER_SCOPE"), json!({ "inactivityTimeout": 5_000 })).await;
    let seen = async |service: &Service| {
        let of_scope = format!("{path}/values/attributes/SERVER_SCOPE");
        let found = service.get(&of_scope).await.json();
        let info = service.get(&format!("/api/device/info/{uuid}")).await.json();
        let mut keys = service.get(&format!("{path}/keys/attributes/SERVER_SCOPE")).await.json();
        keys.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        let named = service.get(&format!("{of_scope}?keys=active")).await.json();
        assert!(found.as_array().unwrap().contains(&named[0]) || named == json!([]), "{found}");
        let of = |key: &str| {
            let entry = found.as_array().unwrap().iter().find(|it| it["key"] == key);
            entry.map_or(json!(null), |it| json!([it["lastUpdateTs"], it["value"]]))
        };
        json!([keys, of("active"), of("lastActivityTime"), of("inactivityAlarmTime"), info["active"]])
    };
    let none = json!([["inactivityTimeout"], null, null, null, false]);
    assert_eq!(seen(&service).await, none, "it is written in turn, not for each message");
    let platform = &service.house.shared.platform;
    platform.sweep_activity(NOW_MS + 1);
    let keys = ["active", "inactivityTimeout", "lastActivityTime"];
    let at_ms = NOW_MS + 1;
    let active = json!([keys, [at_ms, true], [at_ms, NOW_MS], null, true]);
    assert_eq!(seen(&service).await, active);
    platform.finish_activity(NOW_MS + 2).unwrap();
    let again = service.reopened();
    assert_eq!(seen(&again).await, active);
    let late_ms = NOW_MS + 5_001;
    again.house.shared.platform.sweep_activity(late_ms);
    let keys = ["active", "inactivityAlarmTime", "inactivityTimeout", "lastActivityTime"];
    let inactive = json!([keys, [late_ms, false], [at_ms, NOW_MS], [late_ms, late_ms], false]);
    assert_eq!(seen(&again).await, inactive);
    let known = say(&again, "GET", "attributes", "").await;
    assert_eq!(known.status, StatusCode::OK, "{known:?}");
    let known = known.json();
    assert_eq!(known, json!({}), "the device itself sees none of it");
}

#[tokio::test]
async fn nobodys_token_is_answered_401_with_nothing_in_it() {
    let (service, _) = furnished().await;
    for (method, rest) in [
        ("POST", "telemetry"),
        ("POST", "attributes"),
        ("GET", "attributes"),
        ("GET", "attributes/updates"),
        ("GET", "rpc"),
        ("POST", "rpc"),
        ("POST", "rpc/1"),
        ("POST", "claim"),
        ("GET", "firmware?title=a&version=b"),
    ] {
        let answer = service.send(method, &format!("/api/v1/T2/{rest}"), "", "{}").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (401, 0), "{rest}");
    }
    let platform = &service.house.shared.platform;
    let name = || platform.device_named(service.org, "a").unwrap();
    let rights = Some(Rights { publish: vec!["v1/devices/me/claim".to_owned()], ..Rights::default() });
    let change = DeviceChange { rights, ..DeviceChange::default() };
    platform.update_device(service.org, name().wire_name(), change).unwrap();
    assert_eq!(refused(&say(&service, "POST", "telemetry", "{}").await), (403, 20));
    let basic = Login::Basic { client_id: None, user: Some("T1".to_owned()), password: None };
    platform.set_login(service.org, name().wire_name(), basic).unwrap();
    assert_eq!(say(&service, "POST", "telemetry", "{}").await.status.as_u16(), 401, "that is no token");
}

#[tokio::test]
async fn a_device_fetches_the_package_that_it_is_to_have() {
    let (service, _) = furnished().await;
    let platform = &service.house.shared.platform;
    let device = platform.device_named(service.org, "a").unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).map(|it| (it % 251) as u8).collect();
    let fetch = async |query: &str| say(&service, "GET", &format!("software?{query}"), "").await;
    assert_eq!(refused(&fetch("title=p&version=1").await), (404, 32));
    let draft = NewPackage {
        kind: PackageKind::Software,
        title: "p".to_owned(),
        version: "1".to_owned(),
        tag: String::new(),
    };
    let mut upload = platform.upload_package(service.org, draft, 1).unwrap();
    upload.write(&bytes).unwrap();
    let (package, _) = upload.finish(1).unwrap();
    let ticket = platform.assign_package(service.org, package.id, device.id, 1).unwrap();
    platform.store().wait(ticket).unwrap();
    for (query, part) in [
        ("title=p&version=1", &bytes[..]),
        ("title=p&version=1&chunk=1", &[]),
        ("title=p&version=1&size=150000", &bytes[..150_000]),
        ("title=p&version=1&size=150000&chunk=1", &bytes[150_000..]),
        ("title=p&version=1&size=150000&chunk=2", &[]),
        ("title=p&version=1&size=18446744073709551615&chunk=18446744073709551615", &[]),
    ] {
        let answer = fetch(query).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        assert!(answer.body == part, "{query}: {} bytes", answer.body.len());
    }
    assert_eq!(refused(&fetch("title=p&version=2").await), (404, 32));
    assert_eq!(refused(&fetch("title=p").await), (400, 31));
    let firmware = say(&service, "GET", "firmware?title=p&version=1", "").await;
    assert_eq!(refused(&firmware), (404, 32));
}

#[tokio::test]
async fn what_a_device_cannot_say_is_refused() {
    let (service, _) = furnished().await;
    for (rest, body) in [
        ("telemetry", "{"),
        ("telemetry", ""),
        ("telemetry", "5"),
        ("telemetry", r#""{}""#),
        ("attributes", "[1]"),
        ("rpc/x", "{}"),
        ("rpc", "{}"),
        ("claim", "5"),
    ] {
        assert_eq!(refused(&say(&service, "POST", rest, body).await), (400, 31), "{rest} {body}");
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(crate::limits::THINGSBOARD_BODY_BYTES_MAX));
    assert_eq!(refused(&say(&service, "POST", "telemetry", &large).await), (413, 31));
    for body in ["", "{", "[]", "{}", r#"{"provisionDeviceKey":"KEY"}"#] {
        let answer = service.send("POST", "/api/v1/provision", "", body).await;
        assert_eq!(refused(&answer), (400, 31), "{body}");
    }
}

#[tokio::test]
async fn a_device_without_a_login_gets_one() {
    let (service, _) = furnished().await;
    let draft = NewProvisioning {
        rule: ProvisionRule::New,
        key: Some("KEY".to_owned()),
        secret: Some("SECRET".to_owned()),
    };
    service.house.shared.platform.set_provisioning(service.org, "default", Some(draft), 1).unwrap();
    let none = r#"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#;
    let failed = r#"{"errorMsg":"Failed to provision device!","status":"FAILURE"}"#;
    for (secret, rest, expected) in [
        (
            "SECRET",
            r#""deviceName":"b","token":"T2","credentialsType":"ACCESS_TOKEN""#,
            r#"{"credentialsValue":"T2","credentialsType":"ACCESS_TOKEN","status":"SUCCESS"}"#,
        ),
        (
            "SECRET",
            r#""deviceName":"c","credentialsType":"MQTT_BASIC","clientId":"c","username":"u","password":"p""#,
            r#"{"credentialsValue":{"clientId":"c","userName":"u","password":"p"},"credentialsType":"MQTT_BASIC","status":"SUCCESS"}"#,
        ),
        ("SECRET", r#""deviceName":"b""#, failed),
        ("SECRET", r#""deviceName":"d","credentialsType":"X509_CERTIFICATE","hash":"x""#, failed),
        (
            "SECRET",
            r#""deviceName":"e","credentialsType":"X509_CERTIFICATE","hash":"MAMCAQU=""#,
            r#"{"credentialsValue":"MAMCAQU=","credentialsType":"X509_CERTIFICATE","status":"SUCCESS"}"#,
        ),
        ("guess", r#""deviceName":"d""#, none),
    ] {
        let body = format!(r#"{{"provisionDeviceKey":"KEY","provisionDeviceSecret":"{secret}",{rest}}}"#);
        let answer = service.send("POST", "/api/v1/provision", "", &body).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!((answer.status, text.as_str()), (StatusCode::OK, expected), "{body}");
    }
    let told = service.send("POST", "/api/v1/T2/telemetry", "", r#"{"t":1}"#).await;
    assert_eq!(told.status, StatusCode::OK, "it has been registered with this token");
    assert!(service.house.shared.platform.device_named(service.org, "d").is_none());
    // After too many wrong secrets nobody is told which is right.
    let asked = |secret: &str| {
        let body =
            format!(r#"{{"provisionDeviceKey":"KEY","provisionDeviceSecret":"{secret}","deviceName":"e"}}"#);
        let service = &service;
        async move { service.send("POST", "/api/v1/provision", "", &body).await.body }
    };
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(asked("guess").await);
    }
    assert_eq!(answers.iter().filter(|it| **it == none).count(), 9, "one was wrong before");
    assert!(answers[9..].iter().all(|it| *it == failed) && asked("SECRET").await == failed);
}

#[tokio::test]
async fn a_request_waits_for_what_comes_next() {
    let (service, _) = furnished().await;
    let service = Arc::new(service);
    for (rest, awaited) in [("rpc", Awaited::Command), ("attributes/updates", Awaited::Attributes)] {
        let nothing = say(&service, "GET", &format!("{rest}?timeout=1"), "").await;
        assert_eq!((nothing.status.as_u16(), nothing.body.len()), (408, 0));
        service.waiting.lock().clear();
        let asking = tokio::spawn({
            let service = service.clone();
            async move { say(&service, "GET", &format!("{rest}?timeout=60000"), "").await }
        });
        while service.waiting.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        let (kind, to) = service.waiting.lock().remove(0);
        assert_eq!(kind, awaited);
        to.send(r#"{"id":1,"method":"m","params":null}"#.to_owned()).unwrap();
        assert_eq!(asking.await.unwrap().json(), json!({ "id": 1, "method": "m", "params": null }));
    }
    assert_eq!(refused(&say(&service, "GET", "rpc?timeout=soon", "").await), (400, 31));
}

#[tokio::test]
async fn a_device_calls_and_opens_itself_to_claims() {
    let (service, _) = furnished().await;
    let called = say(&service, "POST", "rpc", r#"{"method":"getSessionLimits","params":{}}"#).await;
    assert_eq!(called.json()["maxInflightMessages"], 100);
    assert!(say(&service, "POST", "rpc", r#"{"method":"getTime"}"#).await.json()["error"].is_string());
    let device = service.house.shared.platform.device_named(service.org, "a").unwrap().id;
    for (body, secret) in [(r#"{"secretKey":"s","durationMs":1000}"#, "s"), ("", "")] {
        assert_eq!(say(&service, "POST", "claim", body).await.status, StatusCode::OK);
        let platform = &service.house.shared.platform;
        let claimed = platform.claim(service.org, device, CUSTOMER, secret, NOW_MS + 999).unwrap().0;
        assert_eq!(claimed, ClaimOutcome::Granted, "{body}");
        platform.unclaim(service.org, device, NOW_MS).unwrap();
    }
    let left = service.house.shared.platform.attributes(service.org, device, Scope::Client, &Keys::All);
    assert_eq!(left, []);
    assert_eq!(
        say(&service, "POST", "rpc/7", "{}").await.status,
        StatusCode::OK,
        "nobody asked, and that is fine"
    );
}

#[tokio::test]
async fn a_device_that_asks_too_often_is_answered_429() {
    let rates = |text: &str| Rates::parse(text).unwrap();
    let device = TrafficRates { messages: rates("2:60"), readings: rates("1:60"), points: Rates::default() };
    let service =
        Service::at(House::with(|it| it.with_rate_rules(RateRules { device, ..RateRules::default() })));
    service.add("a", "T1").await;
    for (method, rest, body, status) in [
        ("POST", "telemetry", r#"{"t":1}"#, 200),
        ("POST", "telemetry", r#"{"t":2}"#, 429),
        ("POST", "attributes", r#"{"a":1}"#, 200),
        ("GET", "attributes", "", 200),
        ("GET", "attributes", "", 429),
        ("POST", "rpc", r#"{"method":"getSessionLimits"}"#, 429),
        ("POST", "rpc/1", "{}", 429),
        ("POST", "claim", "", 429),
    ] {
        let answer = say(&service, method, rest, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {rest}");
        if status == 429 {
            assert_eq!(refused(&answer), (429, 33));
        }
    }
}
