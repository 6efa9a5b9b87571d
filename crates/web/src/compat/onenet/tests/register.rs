//! Devices that register themselves, and ask where to connect.

use super::*;

#[tokio::test]
async fn a_device_registers_itself_and_hears_the_same_again() {
    let service = Service::new();
    let path = format!("/register_de?register_code={CODE}");
    let first = service.data_as("", "POST", &path, r#"{"sn":"0001","title":"t"}"#).await;
    let (id, key) = (first["device_id"].as_str().unwrap(), first["key"].as_str().unwrap());
    assert_eq!(
        (key.len(), service.data_as("", "POST", &path, r#"{"sn":"0001"}"#).await),
        (28, first.clone())
    );
    assert_eq!(service.data_as(MASTER, "POST", &path, r#"{"sn":"0001"}"#).await, first);
    let shown = service.data_as(key, "GET", &format!("/devices/{id}"), "").await;
    assert_eq!((&shown["auth_info"], &shown["title"]), (&json!("0001"), &json!("t")));
    let other = service.data_as("", "POST", &path, r#"{"mac":"aa:bb:cc"}"#).await;
    assert_ne!(other["device_id"], first["device_id"]);
    let shown = service.get(&format!("/devices/{}", other["device_id"].as_str().unwrap())).await;
    assert_eq!((&shown["auth_info"], &shown["title"]), (&json!("aa:bb:cc"), &json!("auto_register")));
}

#[tokio::test]
async fn only_the_code_registers() {
    let service = Service::new();
    let good = format!("/register_de?register_code={CODE}");
    for (path, body, errno, text) in [
        ("/register_de", r#"{"sn":"1"}"#, 7, "parameter required: register_code"),
        ("/register_de?register_code=guess", r#"{"sn":"1"}"#, 3, "auth failed"),
        (&format!("/register_de?register_code={MASTER}"), r#"{"sn":"1"}"#, 3, "auth failed"),
        (&good, "", 9, "entity data required"),
        (&good, "{}", 7, "parameter required: sn"),
    ] {
        assert_eq!(service.refused_as("", "POST", path, body).await, error(errno, text), "{path} {body}");
    }
    assert_eq!(service.get("/devices").await["total_count"], 0);
}

#[tokio::test]
async fn the_access_node_is_told_as_plain_text() {
    let service = Service::new();
    let answer = service.send("", "GET", "/s?t=7", "").await;
    assert_eq!(answer.body, "127.0.0.1:6002");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(service.refused_as("", "GET", "/s?t=1", "").await, error(6, "invalid parameter: t"));
    assert_eq!(service.refused_as("", "GET", "/s", "").await, error(7, "parameter required: t"));
}
