//! Data streams: made by name or by a point, described, removed.

use super::*;

#[tokio::test]
async fn a_stream_is_made_described_and_removed() {
    let service = Service::new();
    let id = service.add("a").await;
    let path = |rest: &str| format!("/devices/{id}/datastreams{rest}");
    let made = service.data("POST", &path(""), r#"{"id":"t/1","unit":"celsius","tags":["x"]}"#).await;
    let uuid = made["ds_uuid"].as_str().unwrap();
    assert_eq!((uuid.len(), &uuid[14..15], uuid.matches('-').count()), (36, "5", 4));
    let again = service.refused("POST", &path(""), r#"{"id":"t/1"}"#).await;
    assert_eq!(again, error(11, "datastream already exists: t/1"));
    let text = service.text(MASTER, "GET", &path("/t%2F1"), "").await;
    let expected = format!(
        r#"{{"errno":0,"data":{{"id":"t/1","create_time":"{NOW}","unit":"celsius","tags":["x"]}},"error":"succ"}}"#
    );
    assert_eq!(text, expected);

    service.data("PUT", &path("/t%2F1"), r#"{"unit_symbol":"C"}"#).await;
    let points = format!("/devices/{id}/datapoints?type=3");
    service.data("POST", &points, r#"{"t/1":21.5,"u":{"b":1,"a":2}}"#).await;
    let all = service.get(&path("")).await;
    let expected = json!([
        {
            "update_at": NOW, "id": "t/1", "create_time": NOW, "current_value": 21.5, "unit": "celsius",
            "unit_symbol": "C", "tags": ["x"],
        },
        { "update_at": NOW, "id": "u", "create_time": NOW, "current_value": { "b": 1, "a": 2 } },
    ]);
    assert_eq!(all, expected);
    let some = service.get(&path("?datastream_ids=u,none")).await;
    assert_eq!((some.as_array().unwrap().len(), &some[0]["id"]), (1, &json!("u")));
    let again = service.refused("POST", &path(""), r#"{"id":"u"}"#).await;
    assert_eq!(again, error(11, "datastream already exists: u"), "a point has made it");
    service.data("PUT", &path("/u"), r#"{"unit":"bar"}"#).await;
    assert_eq!(service.get(&path("/u")).await["create_time"], NOW);

    service.data("DELETE", &path("/t%2F1"), "").await;
    assert_eq!(service.refused("GET", &path("/t%2F1"), "").await, error(8, "not found: datastream t/1"));
    let left = service.get(&format!("/devices/{id}/datapoints")).await;
    assert_eq!((&left["count"], &left["datastreams"][0]["id"]), (&json!(1), &json!("u")));
    for method in ["GET", "PUT", "DELETE"] {
        let refused = service.refused(method, &path("/none"), "{}").await;
        assert_eq!(refused, error(8, "not found: datastream none"), "{method}");
    }
}

#[tokio::test]
async fn a_stream_has_a_name() {
    let service = Service::new();
    let path = format!("/devices/{}/datastreams", service.add("a").await);
    let long = json!({ "id": "x".repeat(257) }).to_string();
    for (body, errno, text) in [
        ("{}", 7, "parameter required: id"),
        (r#"{"id":""}"#, 6, "invalid parameter: id"),
        (&long, 6, "invalid parameter: id"),
        (r#"{"id":"t","tags":[1]}"#, 6, "invalid parameter: tags"),
    ] {
        assert_eq!(service.refused("POST", &path, body).await, error(errno, text), "{body}");
    }
}
