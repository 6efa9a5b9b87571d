//! Topics, and messages from applications.

use super::*;

#[tokio::test]
async fn topics_are_made_listed_and_removed() {
    let service = Service::new();
    let text = service.text(MASTER, "POST", "/mqtt/topic", r#"{"name":"made/a_b-1"}"#).await;
    assert_eq!(text, r#"{"errno":0,"error":"succ"}"#);
    assert_eq!(service.get("/mqtt/topic").await, json!(["in/use", "made/a_b-1"]));
    assert_eq!(service.data_as(OTHER_MASTER, "GET", "/mqtt/topic", "").await, json!(["in/use"]));
    let long = json!({ "name": "x".repeat(1_025) }).to_string();
    for (body, errno, text) in [
        (r#"{"name":"made/a_b-1"}"#, 12, "already exists: The product has the topic made/a_b-1."),
        ("{}", 7, "parameter required: name"),
        (r#"{"name":"a+"}"#, 6, "invalid parameter: name"),
        (r#"{"name":"$dp"}"#, 6, "invalid parameter: name"),
        (r#"{"name":""}"#, 6, "invalid parameter: name"),
        (&long, 6, "invalid parameter: name"),
        ("name", 4, "invalid JSON: expected ident at line 1 column 2"),
    ] {
        assert_eq!(service.refused("POST", "/mqtt/topic", body).await, error(errno, text), "{body}");
    }
    service.data("DELETE", "/mqtt/topic?name=made/a_b-1", "").await;
    let gone = service.refused("DELETE", "/mqtt/topic?name=made/a_b-1", "").await;
    assert_eq!(gone, error(8, "not found: The product has no topic made/a_b-1."));
    for count in 0..100 {
        service.data("POST", "/mqtt/topic", &json!({ "name": format!("t{count}") }).to_string()).await;
    }
    let refused = service.refused("POST", "/mqtt/topic", r#"{"name":"t100"}"#).await;
    assert_eq!(refused, error(13, "system limit: A product may have 100 topics."));
}

#[tokio::test]
async fn messages_go_to_whoever_is_there() {
    let service = Service::new();
    let text = service.text(MASTER, "POST", "/mqtt?topic=a/b:c,d&device_id=5", "\u{0}anything").await;
    assert_eq!(text, r#"{"errno":0,"error":"succ"}"#);
    service.data("POST", "/mqtt?topic=t", &"x".repeat(65_535)).await;
    let pushed = service.pushed.lock().clone();
    assert_eq!(pushed.first(), Some(&("sensor: a/b:c,d".to_owned(), b"\0anything".to_vec())));
    assert_eq!(pushed.len(), 2);
    for (path, body, errno, text) in [
        ("/mqtt", "x", 7, "parameter required: topic"),
        ("/mqtt?topic=t", "", 9, "entity data required"),
        ("/mqtt?topic=t", &"x".repeat(65_536), 5, "request entity too large"),
        ("/mqtt?topic=$dp", "x", 6, "invalid parameter: topic"),
        ("/mqtt?topic=a/%2B", "x", 6, "invalid parameter: topic"),
    ] {
        assert_eq!(service.refused("POST", path, body).await, error(errno, text), "{path}");
    }
    assert_eq!(service.pushed.lock().len(), 2);
}

#[tokio::test]
async fn who_is_subscribed_is_told() {
    let service = Service::new();
    let (a, b) = (service.add("a").await, service.add("b").await);
    assert_eq!(service.get(&format!("/mqtt/device_topic/{a}")).await, json!(["in/use"]));
    let platform = &service.house.shared.platform;
    for name in [&a, &b] {
        let device =
            platform.device(service.org, domain::DeviceName { device_type: "sensor", name }).unwrap();
        service.pushed.lock().push((String::new(), device.id.0.to_string().into_bytes()));
    }
    let mut numbers: Vec<u32> = [&a, &b].iter().map(|it| it.parse().unwrap()).collect();
    numbers.sort_unstable();
    let text = service.text(MASTER, "GET", "/mqtt/topic_device?topic=t&page=2&per_page=1", "").await;
    let expected = format!(
        r#"{{"errno":0,"data":{{"per_page":1,"devices":[{}],"total_count":2,"page":2}},"error":"succ"}}"#,
        numbers[1]
    );
    assert_eq!(text, expected);
    for (query, name) in
        [("page=1&per_page=1", "topic"), ("topic=t&page=1", "per_page"), ("topic=t&per_page=1", "page")]
    {
        let refused = service.refused("GET", &format!("/mqtt/topic_device?{query}"), "").await;
        assert_eq!(refused, error(7, &format!("parameter required: {name}")), "{query}");
    }
}
