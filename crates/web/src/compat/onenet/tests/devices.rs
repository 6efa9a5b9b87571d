//! Devices: made, changed, shown, listed, removed.

use super::*;

#[tokio::test]
async fn a_device_is_made_and_shown() {
    let service = Service::new();
    let body = json!({
        "title": "Pump", "desc": "in the cellar", "tags": ["a", "b"], "protocol": "MQTT", "auth_info": "sn-1",
        "location": { "lon": 106.5, "lat": 29.5 }, "private": false, "other": { "v": 1 },
    });
    let text = service.text(MASTER, "POST", "/devices", &body.to_string()).await;
    let made: Value = serde_json::from_str(&text).unwrap();
    let id = made["data"]["device_id"].as_str().unwrap();
    assert_eq!(text, format!(r#"{{"errno":0,"data":{{"device_id":"{id}"}},"error":"succ"}}"#));
    let text = service.text(MASTER, "GET", &format!("/devices/{id}"), "").await;
    let expected = format!(
        r#"{{"errno":0,"data":{{"protocol":"MQTT","create_time":"{NOW}","online":false,"id":"{id}","auth_info":"sn-1","title":"Pump","desc":"in the cellar","tags":["a","b"],"location":{{"lon":106.5,"lat":29.5}},"other":{{"v":1}},"private":false,"keys":[],"datastreams":[]}},"error":"succ"}}"#
    );
    assert_eq!(text, expected);

    let change = json!({ "desc": "upstairs", "auth_info": "sn-2" }).to_string();
    let text = service.text(MASTER, "PUT", &format!("/devices/{id}"), &change).await;
    assert_eq!(text, r#"{"errno":0,"error":"succ"}"#);
    let shown = service.get(&format!("/devices/{id}")).await;
    assert_eq!(
        [&shown["title"], &shown["desc"], &shown["auth_info"], &shown["tags"]],
        [&json!("Pump"), &json!("upstairs"), &json!("sn-2"), &json!(["a", "b"])]
    );

    service.data("DELETE", &format!("/devices/{id}"), "").await;
    let gone = service.refused("GET", &format!("/devices/{id}"), "").await;
    assert_eq!(gone, error(8, &format!("not found: device {id}")));
}

#[tokio::test]
async fn what_is_wrong_with_a_device_is_named() {
    let service = Service::new();
    service.data("POST", "/devices", r#"{"title":"a","auth_info":"sn-1"}"#).await;
    let long = json!({ "title": "a", "auth_info": "x".repeat(513) }).to_string();
    for (body, errno, text) in [
        ("", 9, "entity data required"),
        ("title", 4, "invalid JSON: expected ident at line 1 column 2"),
        ("{}", 7, "parameter required: title"),
        (
            r#"{"title":"b","auth_info":"sn-1"}"#,
            12,
            "already exists: Another device of the product has this auth_info.",
        ),
        (r#"{"title":"b","auth_info":""}"#, 6, "invalid parameter: The auth_info is empty."),
        (&long, 6, "invalid parameter: The auth_info has 513 bytes; at most 512 are allowed."),
    ] {
        assert_eq!(service.refused("POST", "/devices", body).await, error(errno, text), "{body}");
    }
    let large = "x".repeat(crate::limits::ONENET_BODY_BYTES_MAX + 1);
    assert_eq!(service.refused("POST", "/devices", &large).await, error(5, "request entity too large"));
}

#[tokio::test]
async fn a_device_shows_its_streams_and_keys() {
    let service = Service::new();
    let id = service.add("a").await;
    let key = service.key(&["get"], &id, None).await;
    let other = service.key(&["get", "delete"], &id, None).await;
    service.data("POST", &format!("/devices/{id}/datapoints?type=3"), r#"{"t":1}"#).await;
    let body = r#"{"id":"made","unit":"celsius","unit_symbol":"C"}"#;
    service.data("POST", &format!("/devices/{id}/datastreams"), body).await;
    let shown = service.get(&format!("/devices/{id}")).await;
    let streams = json!([
        { "id": "made", "create_time": NOW, "unit": "celsius", "unit_symbol": "C" },
        { "id": "t", "create_time": NOW },
    ]);
    assert_eq!(shown["datastreams"], streams);
    assert_eq!(shown["keys"], json!([{ "title": "share", "key": key }, { "title": "share", "key": other }]));
    let shown = service.data_as(&key, "GET", &format!("/devices/{id}"), "").await;
    assert_eq!(shown["keys"], json!([{ "title": "share", "key": key }]), "another key may open more");
}

#[tokio::test]
async fn devices_are_listed_by_page_and_filter() {
    let service = Service::new();
    let mut numbers = Vec::new();
    for title in ["pump 1", "pump 2", "lamp"] {
        numbers.push(service.add(title).await);
    }
    let body = json!({ "title": "door", "tags": ["x"], "private": false, "auth_info": "sn" });
    numbers.push(
        service.data("POST", "/devices", &body.to_string()).await["device_id"].as_str().unwrap().to_owned(),
    );
    let page = service.get("/devices?page=2&per_page=3").await;
    assert_eq!(
        [
            &page["page"],
            &page["per_page"],
            &page["total_count"],
            &json!(page["devices"].as_array().unwrap().len())
        ],
        [&json!(2), &json!(3), &json!(4), &json!(1)]
    );
    assert!(page["devices"][0].get("datastreams").is_none());
    let [a, .., door] = numbers.as_slice() else { panic!() };
    for (filter, count) in [
        (String::new(), 4),
        ("key_words=pump".to_owned(), 2),
        (format!("key_words={a}"), 1),
        ("auth_info=sn".to_owned(), 1),
        ("auth_info=none".to_owned(), 0),
        ("tag=x".to_owned(), 1),
        ("private=true".to_owned(), 3),
        ("online=true".to_owned(), 0),
        ("online=false".to_owned(), 4),
        (format!("device_id={a},{door},5"), 2),
        ("begin=2024-05-01&end=2024-05-01".to_owned(), 4),
        ("begin=2024-05-02".to_owned(), 0),
        ("end=2024-04-30".to_owned(), 0),
    ] {
        assert_eq!(service.get(&format!("/devices?{filter}")).await["total_count"], count, "{filter}");
    }
    let many = vec!["1"; 101].join(",");
    for (filter, name) in [
        ("page=0".to_owned(), "page"),
        ("page=10001".to_owned(), "page"),
        ("per_page=101".to_owned(), "per_page"),
        ("online=perhaps".to_owned(), "online"),
        ("device_id=x".to_owned(), "device_id"),
        (format!("device_id={many}"), "device_id"),
        ("begin=yesterday".to_owned(), "begin"),
    ] {
        let refused = service.refused("GET", &format!("/devices?{filter}"), "").await;
        assert_eq!(refused, error(6, &format!("invalid parameter: {name}")), "{filter}");
    }
}

#[tokio::test]
async fn the_status_of_devices_is_told() {
    let service = Service::new();
    let (a, b) = (service.add("a").await, service.add("b").await);
    let text = service.text(MASTER, "GET", &format!("/devices/status?devIds={b},{a},5"), "").await;
    let expected = format!(
        r#"{{"errno":0,"data":{{"total_count":2,"devices":[{{"title":"b","online":false,"id":"{b}"}},{{"title":"a","online":false,"id":"{a}"}}]}},"error":"succ"}}"#
    );
    assert_eq!(text, expected);
    assert_eq!(service.refused("GET", "/devices/status", "").await, error(7, "parameter required: devIds"));
    let many = vec!["1"; 1_001].join(",");
    for path in ["status", "datapoints"] {
        let refused = service.refused("GET", &format!("/devices/{path}?devIds={many}"), "").await;
        assert_eq!(refused, error(20, "max device count limit is 1000 for one time"));
    }
}
