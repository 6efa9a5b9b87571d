//! Commands.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::{ChildChange, Device, DeviceId, Millis, Notice, OrgId};
use parking_lot::Mutex;
use platform::{Courier, Receipt, Told};
use serde_json::{Value, json};

use super::{CUSTOMER, Service, refused};
use crate::testing::{Answer, NOW_MS};

/// A device that takes every command and says nothing.
#[derive(Default)]
struct Present(Mutex<Vec<String>>);

impl Courier for Present {
    fn tell(&self, _: &Arc<Device>, notice: &Notice<'_>, receipt: Option<Receipt>) -> Told {
        if let Notice::Command { number, body: domain::CommandBody::Call { method, params }, .. } = notice {
            self.0.lock().push(format!("{number} {method} {params}"));
        }
        receipt.into_iter().for_each(Receipt::delivered);
        Told::Taken
    }

    fn displaced(&self, _: OrgId, _: DeviceId) {}

    fn child_changed(&self, _: OrgId, _: DeviceId, _: &ChildChange<'_>) {}
}

/// A service with the device `a`, which is there or is not.
struct Field {
    service: Arc<Service>,
    uuid: String,
    device: DeviceId,
    present: Option<Arc<Present>>,
}

impl Field {
    async fn new(is_there: bool) -> Field {
        let service = Arc::new(Service::new());
        let uuid = service.add("a", "T1").await;
        let platform = &service.house.shared.platform;
        let device = platform.device_named(service.org, "a").unwrap().id;
        let present = is_there.then(Arc::<Present>::default);
        if let Some(present) = &present {
            platform.set_courier(present.clone());
        }
        Field { service, uuid, device, present }
    }

    /// Asks, and does `meanwhile` until there is an answer.
    async fn asked(&self, path: &str, body: Value, meanwhile: impl Fn()) -> Answer {
        let (service, path) = (self.service.clone(), format!("{path}/{}", self.uuid));
        let asking = tokio::spawn(async move { service.post(&path, body).await });
        while !asking.is_finished() {
            meanwhile();
            tokio::task::yield_now().await;
        }
        asking.await.unwrap()
    }

    /// Asks, and lets the deadline pass.
    async fn too_late(&self, path: &str, body: Value) -> u16 {
        let late_ms: Millis = NOW_MS + 10_000;
        let platform = &self.service.house.shared.platform;
        let answer = self.asked(path, body, || platform.sweep_commands(late_ms)).await;
        assert_eq!(answer.body.len(), 0, "{answer:?}");
        answer.status.as_u16()
    }

    fn told(&self) -> Vec<String> {
        self.present.as_ref().map(|it| it.0.lock().clone()).unwrap_or_default()
    }
}

#[tokio::test]
async fn a_two_way_command_is_answered_with_the_devices_own_json() {
    let field = Field::new(true).await;
    let platform = &field.service.house.shared.platform;
    for (number, (path, answer, status)) in [
        ("/api/rpc/twoway", r#"{"ok":[1, 2.0]}"#, 200),
        ("/api/plugins/rpc/twoway", "\"text\"", 200),
        ("/api/rpc/twoway", "null", 200),
        ("/api/rpc/twoway", "no JSON", 406),
    ]
    .into_iter()
    .enumerate()
    {
        let answer_it =
            || platform.answer_command(field.service.org, field.device, number as i64, answer, NOW_MS);
        let body = json!({ "method": "m", "params": { "pin": 7 }, "timeout": 5_000 });
        let answered = field.asked(path, body, answer_it).await;
        assert_eq!(answered.status.as_u16(), status, "{answer}");
        assert_eq!(answered.body, if status == 200 { answer } else { "" });
        assert_eq!(field.told().last(), Some(&format!(r#"{number} m {{"pin":7}}"#)));
    }
}

#[tokio::test]
async fn a_one_way_command_is_done_when_the_device_has_it() {
    let field = Field::new(true).await;
    for path in ["/api/rpc/oneway", "/api/plugins/rpc/oneway"] {
        let answer = field.asked(path, json!({ "method": "reboot" }), || {}).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }
    assert_eq!(field.told(), ["0 reboot null", "1 reboot null"]);
}

#[tokio::test]
async fn what_is_not_done_in_time_is_told_by_the_status() {
    let absent = Field::new(false).await;
    let body = || json!({ "method": "m" });
    for (path, status) in [
        ("/api/rpc/oneway", 504),
        ("/api/rpc/twoway", 504),
        ("/api/plugins/rpc/oneway", 409),
        ("/api/plugins/rpc/twoway", 409),
    ] {
        assert_eq!(absent.too_late(path, body()).await, status, "{path}");
    }
    let silent = Field::new(true).await;
    assert_eq!(silent.too_late("/api/rpc/twoway", body()).await, 504);
    assert_eq!(silent.too_late("/api/plugins/rpc/twoway", body()).await, 408);
}

#[tokio::test]
async fn a_command_that_is_kept_is_followed_by_its_id() {
    let field = Field::new(false).await;
    let (service, org) = (&field.service, field.service.org);
    let platform = &service.house.shared.platform;
    let body = json!({ "method": "m", "params": [1], "persistent": true, "retries": 2, "additionalInfo": { "x": 1 } });
    let made = service.post(&format!("/api/rpc/twoway/{}", field.uuid), body).await.json();
    let id = made["rpcId"].as_str().unwrap();
    let path = format!("/api/rpc/persistent/{id}");
    let shown = service.get(&path).await.json();
    assert_eq!(shown["id"], json!({ "entityType": "RPC", "id": id }));
    assert_eq!((&shown["status"], &shown["response"]), (&json!("QUEUED"), &Value::Null));
    assert_eq!(shown["request"]["body"], json!({ "method": "m", "params": "[1]" }));
    assert_eq!(shown["request"]["retries"], 2);
    assert_eq!(
        (&shown["deviceId"]["id"], &shown["additionalInfo"]),
        (&json!(field.uuid), &json!({ "x": 1 }))
    );

    platform.set_courier(Arc::<Present>::default());
    platform.deliver_waiting(org, field.device, NOW_MS);
    assert_eq!(service.get(&path).await.json()["status"], "DELIVERED");
    platform.answer_command(org, field.device, 0, r#"{"ok":true}"#, NOW_MS);
    let shown = service.get(&path).await.json();
    assert_eq!((&shown["status"], &shown["response"]), (&json!("SUCCESSFUL"), &json!({ "ok": true })));

    let list = format!("/api/rpc/persistent/device/{}?pageSize=5&page=0", field.uuid);
    assert_eq!(service.get(&list).await.json()["data"], json!([shown]));
    assert_eq!(service.get(&format!("{list}&rpcStatus=QUEUED")).await.json()["totalElements"], 0);
    assert_eq!(refused(&service.ask_as(CUSTOMER, "GET", &path, Value::Null).await), (403, 20));
    assert_eq!(service.delete(&path).await.status, StatusCode::OK);
    assert_eq!(refused(&service.get(&path).await), (404, 32));
}

#[tokio::test]
async fn what_cannot_be_commanded_is_refused() {
    let field = Field::new(true).await;
    let service = &field.service;
    let body = || json!({ "method": "m" });
    let unknown = service.post("/api/rpc/oneway/784f394c-42b6-435a-983c-b7beff2784f9", body()).await;
    assert_eq!(unknown.status.as_u16(), 404);
    assert_eq!(unknown.body, "Device with requested id wasn't found!");
    let path = format!("/api/rpc/oneway/{}", field.uuid);
    assert_eq!(refused(&service.post(&path, json!({ "params": 1 })).await), (400, 31));
    assert_eq!(refused(&service.post("/api/rpc/oneway/1", body()).await), (400, 31));
    assert_eq!(refused(&service.ask_as(CUSTOMER, "POST", &path, body()).await), (403, 20));
    let large = json!({ "method": "m", "params": "x".repeat(70_000) });
    assert_eq!(refused(&service.post(&path, large).await), (413, 31));
    assert_eq!(field.told(), [""; 0]);
}
