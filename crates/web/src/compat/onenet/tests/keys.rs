//! Further keys: made, changed, listed, removed.

use super::*;

#[tokio::test]
async fn a_key_lives_as_long_as_it_is_wanted() {
    let service = Service::new();
    let (a, b) = (service.add("a").await, service.add("b").await);
    let key = service.key(&["get"], &a, Some("t")).await;
    assert_eq!(key.len(), 28);
    let text = service.text(MASTER, "GET", &format!("/keys?key={key}"), "").await;
    let expected = format!(
        r#"{{"errno":0,"data":{{"per_page":10,"total_count":1,"keys":[{{"title":"share","create_time":"{NOW}","key":"{key}","permissions":[{{"resources":[{{"dev_id":"{a}","ds_id":"t"}}],"access_methods":["get"]}}]}}],"page":1}},"error":"succ"}}"#
    );
    assert_eq!(text, expected);

    let change =
        json!({ "permissions": [{ "access_methods": ["get", "put"], "resources": [{ "dev_id": b }] }] });
    service.data("PUT", &format!("/keys/{key}"), &change.to_string()).await;
    let shown = service.get("/keys").await;
    assert_eq!(
        (&shown["keys"][0]["title"], &shown["keys"][0]["permissions"]),
        (&json!(""), &change["permissions"])
    );
    service.data_as(&key, "GET", &format!("/devices/{b}"), "").await;
    assert_eq!(service.get(&format!("/keys?device_id={a}")).await["total_count"], 0);
    assert_eq!(service.get(&format!("/keys?device_id={b}")).await["total_count"], 1);
    assert_eq!(service.get(&format!("/keys?device_id={a}&key={key}")).await["total_count"], 0);

    service.data("DELETE", &format!("/keys/{key}"), "").await;
    assert_eq!(service.refused_as(&key, "GET", &format!("/devices/{b}"), "").await, error(3, "auth failed"));
    let gone = error(8, "not found: The product has no such key.");
    assert_eq!(service.refused("DELETE", &format!("/keys/{key}"), "").await, gone);
    assert_eq!(service.refused("PUT", &format!("/keys/{key}"), "{}").await, gone);
    assert_eq!(service.refused_as(OTHER_MASTER, "DELETE", &format!("/keys/{MASTER}"), "").await, gone);
}

#[tokio::test]
async fn a_key_names_devices_of_the_product() {
    let service = Service::new();
    let body = json!({ "permissions": [{ "resources": [{ "dev_id": "5" }] }] }).to_string();
    let refused = service.refused("POST", "/keys", &body).await;
    assert_eq!(refused, error(8, "not found: The product 77001 has no device 5."));
    let refused = service.refused("POST", "/keys", r#"{"permissions":[1]}"#).await;
    assert_eq!(refused, error(6, "invalid parameter: permissions"));
    let resources = vec![json!({ "dev_id": "5" }); 1_001];
    let body = json!({ "permissions": [{ "resources": resources }] }).to_string();
    assert_eq!(service.refused("POST", "/keys", &body).await.0, 13);
    assert_eq!(
        service.refused("GET", "/keys?per_page=101", "").await,
        error(6, "invalid parameter: per_page")
    );
}
