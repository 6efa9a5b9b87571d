//! Commands: given, asked after, listed.

use domain::CommandId;
use domain::DeviceName;

use super::*;

const DAY: &str = "start=2024-05-01T00:00:00";

/// The command of a UUID, as the platform knows it.
fn command_of(uuid: &str) -> CommandId {
    dialects::onenet::command::command_of(uuid).unwrap()
}

#[tokio::test]
async fn a_command_waits_is_answered_and_stays_to_be_asked_after() {
    let service = Service::new();
    let id = service.add("a").await;
    let given =
        service.data("POST", &format!("/cmds?device_id={id}&timeout=60&qos=1&type=0"), "LED ON").await;
    let uuid = given["cmd_uuid"].as_str().unwrap();
    assert_eq!(uuid.len(), 36);
    let text = service.text(MASTER, "GET", &format!("/cmds/{uuid}"), "").await;
    assert_eq!(text, r#"{"errno":0,"data":{"status":1,"desc":"command created"},"error":"succ"}"#);
    let none = error(8, "not found");
    assert_eq!(service.refused("GET", &format!("/cmds/{uuid}/resp"), "").await, none);
    let page = service.get(&format!("/cmds/history/{id}?{DAY}")).await;
    let item = json!({
        "cmd_uuid": uuid, "device_id": id, "dev_id": id, "expire_time": "2024-05-01 18:21:30", "status": 1,
        "body": "4c4544204f4e",
    });
    let expected = json!({ "per_page": 30, "page": 1, "total_count": 1, "count": 1, "items": [item] });
    assert_eq!(page, expected);
    for (filter, count) in [
        ("start=2024-05-02T00:00:00", 0),
        (&format!("{DAY}&end=2024-05-01T10:00:00"), 0),
        (&format!("{DAY}&duration=86400"), 1),
        (&format!("{DAY}&status=4"), 0),
        (&format!("{DAY}&status=1&page=2"), 1),
    ] {
        let page = service.get(&format!("/cmds/history/{id}?{filter}")).await;
        assert_eq!(page["total_count"], count, "{filter}");
    }

    // Its time is over.
    let platform = &service.house.shared.platform;
    platform.sweep_commands(NOW_MS + 60_000);
    let shown = service.get(&format!("/cmds/{uuid}")).await;
    assert_eq!(shown, json!({ "status": 5, "desc": "Command Response Timeout" }));
    let device = platform.device(service.org, DeviceName { device_type: "sensor", name: &id }).unwrap().id;
    assert!(platform.stored_command(service.org, command_of(uuid)).is_some_and(|it| it.device == device));
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_named() {
    let service = Service::new();
    let id = service.add("a").await;
    let good = format!("/cmds?device_id={id}");
    let large = "x".repeat(65_536);
    for (path, body, errno, text) in [
        ("/cmds".to_owned(), "x", 7, "parameter required: device_id".to_owned()),
        ("/cmds?device_id=5".to_owned(), "x", 8, "not found: device 5".to_owned()),
        (good.clone(), "", 9, "entity data required".to_owned()),
        (good.clone(), &large, 5, "request entity too large".to_owned()),
        (good.clone(), "x", 10, format!("device not online: {id}")),
        (format!("{good}&qos=1&timeout=0"), "x", 10, format!("device not online: {id}")),
        (format!("{good}&qos=2"), "x", 6, "invalid parameter: qos".to_owned()),
        (format!("{good}&timeout=2678401"), "x", 6, "invalid parameter: timeout".to_owned()),
        (format!("{good}&timeout=18446744073709551615"), "x", 6, "invalid parameter: timeout".to_owned()),
        (format!("{good}&timeout=-1"), "x", 6, "invalid parameter: timeout".to_owned()),
    ] {
        assert_eq!(service.refused("POST", &path, body).await, (errno, text), "{path}");
    }
    service.data("POST", &format!("{good}&timeout=2678400"), &large[1..]).await;
    let history = format!("/cmds/history/{id}");
    assert_eq!(service.refused("GET", &history, "").await, error(7, "parameter required: start"));
    let refused = service.refused("GET", &format!("{history}?{DAY}&per_page=101"), "").await;
    assert_eq!(refused, error(6, "invalid parameter: per_page"));
    for path in ["/cmds/81572aae-fc34-5deb-8f06-ab45d73cb12b", "/cmds/x", "/cmds/x/resp"] {
        assert_eq!(service.refused("GET", path, "").await.0, 8, "{path}");
    }
    assert_eq!(
        service.get(&format!("{history}?{DAY}")).await["total_count"],
        1,
        "the refused ones are not there"
    );
}

#[tokio::test]
async fn a_lesser_key_commands_its_own_device_only() {
    let service = Service::new();
    let (own, other) = (service.add("own").await, service.add("other").await);
    let key = service.key(&["get", "post"], &own, None).await;
    let reader = service.key(&["get"], &own, None).await;
    let given = service.data_as(&key, "POST", &format!("/cmds?device_id={own}&timeout=60"), "x").await;
    let path = format!("/cmds/{}", given["cmd_uuid"].as_str().unwrap());
    service.data_as(&reader, "GET", &path, "").await;
    let denied = error(3, "auth failed");
    assert_eq!(
        service.refused_as(&reader, "POST", &format!("/cmds?device_id={own}&timeout=60"), "x").await,
        denied
    );
    assert_eq!(
        service.refused_as(&key, "POST", &format!("/cmds?device_id={other}&timeout=60"), "x").await,
        denied
    );
    let stranger = service.key(&["get", "post"], &other, None).await;
    for path in [path.clone(), format!("{path}/resp"), format!("/cmds/history/{own}?{DAY}")] {
        assert_eq!(service.refused_as(&stranger, "GET", &path, "").await, denied, "{path}");
        assert_eq!(service.refused_as(OTHER_MASTER, "GET", &path, "").await, denied, "{path}");
    }
}

#[tokio::test]
async fn a_list_of_commands_has_a_bound_in_bytes() {
    let service = Service::new();
    let id = service.add("a").await;
    let body = "x".repeat(65_535);
    for _ in 0..40 {
        service.data("POST", &format!("/cmds?device_id={id}&timeout=60"), &body).await;
    }
    let path = format!("/cmds/history/{id}?{DAY}&per_page");
    assert_eq!(service.refused("GET", &format!("{path}=40"), "").await.0, 13);
    assert_eq!(service.get(&format!("{path}=20&page=2")).await["count"], 20);
}
