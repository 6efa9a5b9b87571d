//! Who may ask, and what an answer looks like to the byte.

use super::*;

/// Those at the end of the table below.
const NOT_SERVED_COUNT: usize = 4;

/// Every call of the API, and some that there are not.
const CALLS: [(&str, &str); 35] = [
    ("POST", "/devices"),
    ("GET", "/devices"),
    ("GET", "/devices/status?devIds=1"),
    ("GET", "/devices/datapoints?devIds=1"),
    ("GET", "/devices/1"),
    ("PUT", "/devices/1"),
    ("DELETE", "/devices/1"),
    ("POST", "/devices/1/datastreams"),
    ("GET", "/devices/1/datastreams"),
    ("GET", "/devices/1/datastreams/t"),
    ("PUT", "/devices/1/datastreams/t"),
    ("DELETE", "/devices/1/datastreams/t"),
    ("GET", "/devices/1/datapoints"),
    ("POST", "/devices/1/datapoints"),
    ("DELETE", "/devices/1/datapoints?start=2024-01-01T00:00:00"),
    ("POST", "/keys"),
    ("GET", "/keys"),
    ("PUT", "/keys/k"),
    ("DELETE", "/keys/k"),
    ("POST", "/mqtt?topic=t"),
    ("POST", "/mqtt/topic"),
    ("GET", "/mqtt/topic"),
    ("DELETE", "/mqtt/topic?name=t"),
    ("GET", "/mqtt/device_topic/1"),
    ("GET", "/mqtt/topic_device?topic=t&page=1&per_page=1"),
    ("POST", "/cmds?device_id=1"),
    ("GET", "/cmds/x"),
    ("GET", "/cmds/x/resp"),
    ("GET", "/cmds/history/1"),
    ("POST", "/bindata?device_id=1&datastream_id=t"),
    ("GET", "/bindata/x"),
    ("GET", "/triggers/1"),
    ("PATCH", "/devices/1"),
    ("GET", "/cmds/x/y/z"),
    ("GET", "/bindata/x/y/z"),
];

#[tokio::test]
async fn nothing_is_told_without_a_good_key() {
    let service = Service::new();
    for (method, path) in CALLS {
        let text = service.text("", method, path, "{").await;
        assert_eq!(text, r#"{"errno":2,"error":"api-key required"}"#, "{method} {path}");
        for wrong in ["guess", CODE, "é"] {
            let text = service.text(wrong, method, path, "{").await;
            assert_eq!(text, r#"{"errno":3,"error":"auth failed"}"#, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_call_is_served() {
    let service = Service::new();
    for (method, path) in CALLS.into_iter().take(CALLS.len() - NOT_SERVED_COUNT) {
        let text = service.text(MASTER, method, path, "{").await;
        assert!(!text.contains("no such call"), "{method} {path}: {text}");
    }
}

#[tokio::test]
async fn a_body_is_not_read_before_the_key_was_good() {
    let service = Service::new();
    let endless = || Body::new(Never);
    for (key, errno) in [("", 2), ("guess", 3)] {
        for path in ["/devices", "/keys", "/mqtt?topic=t", "/devices/1/datapoints"] {
            let answer = service.send(key, "POST", path, endless()).await;
            assert_eq!(answer.json()["errno"], errno, "{path}");
        }
    }
    let answer = service.send("", "POST", "/register_de?register_code=guess", endless()).await;
    assert_eq!(answer.json()["errno"], 3);
}

/// A body that fails the test when it is read.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, std::io::Error>>> {
        panic!("the body was read");
    }
}

#[tokio::test]
async fn a_lesser_key_opens_what_it_names() {
    let service = Service::new();
    let (own, other) = (service.add("own").await, service.add("other").await);
    let key = service.key(&["get", "post"], &own, None).await;
    let path = |rest: &str| format!("/devices/{own}{rest}");
    service.data_as(&key, "GET", &path(""), "").await;
    service.data_as(&key, "POST", &path("/datapoints?type=3"), r#"{"t":1,"u":2}"#).await;
    let denied = error(3, "auth failed");
    for (method, path) in [
        ("PUT", path("")),
        ("DELETE", path("")),
        ("DELETE", path("/datapoints?start=2024-01-01T00:00:00&datastream_id=t")),
        ("GET", format!("/devices/{other}")),
        ("GET", "/devices/1".to_owned()),
        ("GET", "/devices".to_owned()),
        ("POST", "/devices".to_owned()),
        ("GET", "/keys".to_owned()),
        ("POST", "/mqtt?topic=t".to_owned()),
        ("GET", "/mqtt/topic".to_owned()),
        ("GET", format!("/mqtt/device_topic/{own}")),
    ] {
        assert_eq!(service.refused_as(&key, method, &path, "x").await, denied, "{method} {path}");
    }
    let both = format!("/devices/status?devIds={own},{other}");
    let seen = service.data_as(&key, "GET", &both, "").await;
    assert_eq!((&seen["total_count"], &seen["devices"][0]["id"]), (&json!(1), &json!(own)));

    // A key for one stream sees that one, and nothing else of the device.
    let narrow = service.key(&["get"], &own, Some("t")).await;
    let seen = service.data_as(&narrow, "GET", &path("/datapoints"), "").await;
    assert_eq!((&seen["count"], &seen["datastreams"][0]["id"]), (&json!(1), &json!("t")));
    let seen = service.data_as(&narrow, "GET", &path("/datastreams"), "").await;
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["id"]), (1, &json!("t")));
    for rest in ["", "/datastreams/u", "/datapoints?datastream_id=t,u", "/datastreams?datastream_ids=u"] {
        assert_eq!(service.refused_as(&narrow, "GET", &path(rest), "").await, denied, "{rest}");
    }
    assert_eq!(service.refused_as(&narrow, "POST", &path("/datapoints?type=3"), r#"{"t":1}"#).await, denied);
    let seen = service.data_as(&narrow, "GET", &format!("/devices/datapoints?devIds={own}"), "").await;
    assert_eq!(seen["devices"][0]["datastreams"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_of_another_product_is_nobodys_business() {
    let service = Service::new();
    let own = service.add("own").await;
    let path = format!("/devices/{own}");
    assert_eq!(service.refused_as(OTHER_MASTER, "GET", &path, "").await, error(3, "auth failed"));
    assert_eq!(service.refused_as(OTHER_MASTER, "DELETE", &path, "").await, error(3, "auth failed"));
    assert_eq!(service.refused("GET", "/devices/5", "").await, error(8, "not found: device 5"));
    assert_eq!(service.refused("GET", "/devices/x", "").await, error(8, "not found: device x"));
    let seen = service.data_as(OTHER_MASTER, "GET", "/devices", "").await;
    assert_eq!(seen["total_count"], 0);
    let seen = service.data_as(OTHER_MASTER, "GET", &format!("/devices/status?devIds={own}"), "").await;
    assert_eq!(seen["total_count"], 0);
    assert_eq!(service.get(&path).await["id"], own.as_str());
}

#[tokio::test]
async fn pages_may_ask_what_they_may_send() {
    let service = Service::new();
    let answer = service.send("", "OPTIONS", "/devices/1/datapoints", "").await;
    assert_eq!(answer.headers["access-control-allow-headers"], "api-key, content-type");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn what_the_api_has_not_is_not_found() {
    let service = Service::new();
    for (method, path) in [("GET", "/triggers/1"), ("PATCH", "/devices"), ("GET", "/mqtt")] {
        assert_eq!(service.refused(method, path, "").await, error(8, "not found: no such call"), "{path}");
    }
}

#[tokio::test]
async fn our_own_failure_is_told_as_such() {
    let service = Service::new();
    service.house.store.fail_next_sync();
    let refused = service.refused("POST", "/devices", r#"{"title":"a"}"#).await;
    assert_eq!(refused, error(1, "internal server error"));
}
