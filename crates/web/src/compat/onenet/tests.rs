//! OneNET's API, request by request.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod access;
mod commands;
mod devices;
mod files;
mod keys;
mod points;
mod register;
mod streams;
mod topics;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use dialects::onenet::http::points::Readings;
use dialects::onenet::time::Zone;
use domain::{Class, Device, DeviceId, DeviceInfo, OrgId, ProductNumber};
use parking_lot::Mutex;
use platform::{NewProduct, NewType, Ticket};
use serde_json::{Value, json};
use store::memory::MemoryStore;
use store::{Change, Changes, Store};

use super::{OneNet, Ways, router};
use crate::testing::{Answer, House, NOW_MS, ask};

/// [`NOW_MS`] on Beijing's clocks.
const NOW: &str = "2024-05-01 18:20:30";
const MASTER: &str = "MasterKeyOfProduct77001=ABCD";
const OTHER_MASTER: &str = "MasterKeyOfProduct77002=ABCD";
const CODE: &str = "RegisterCode7700";

/// What is measured is stored, and goes nowhere else; what is pushed is kept for the test.
struct TestWays {
    store: Arc<MemoryStore>,
    pushed: Pushed,
}

/// Topics and payloads.
type Pushed = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

impl Ways for TestWays {
    fn measured(&self, device: &Device, readings: Readings, _: &str) -> Ticket {
        let change = |(at_ms, points): (Option<u64>, domain::Points)| {
            let at_ms = at_ms.unwrap_or(NOW_MS);
            Change::Points { org: device.org, device: device.id, at_ms, points }
        };
        self.store.commit(Changes { list: readings.into_iter().map(change).collect(), waiter: None })
    }

    fn push(&self, _: OrgId, device_type: &str, topic: &str, payload: &[u8]) {
        self.pushed.lock().push((format!("{device_type}: {topic}"), payload.to_owned()));
    }

    fn topics_of(&self, _: &Device) -> Vec<String> {
        vec!["in/use".to_owned()]
    }

    fn subscribed(&self, _: OrgId, _: &str, _: &str) -> Vec<DeviceId> {
        self.pushed
            .lock()
            .iter()
            .filter_map(|(_, it)| Some(DeviceId(std::str::from_utf8(it).ok()?.parse().ok()?)))
            .collect()
    }

    fn topics_in_use(&self, _: OrgId, _: &str, count_max: usize) -> Vec<String> {
        vec!["in/use".to_owned(); 1.min(count_max)]
    }
}

/// The API over what is in a house.
fn api(house: &House, pushed: &Pushed) -> OneNet {
    let ways = Arc::new(TestWays { store: Arc::clone(&house.store), pushed: Arc::clone(pushed) });
    let node: SocketAddr = "127.0.0.1:6002".parse().unwrap();
    OneNet {
        shared: house.shared.clone(),
        ways,
        zone: Zone::BEIJING,
        access_node: Arc::new(OnceLock::from(node)),
    }
}

/// Its routes.
pub(crate) fn router_over(house: &House) -> Router {
    router(api(house, &Pushed::default()))
}

/// The organisation `abc123` with the products 77001 and 77002, and the API.
struct Service {
    house: House,
    org: OrgId,
    router: Router,
    pushed: Pushed,
}

impl Service {
    fn new() -> Service {
        let house = House::new();
        let org = OrgId::parse("abc123").unwrap();
        let platform = &house.shared.platform;
        platform.create_org(Some(org), "Test", 1).unwrap();
        for (name, number, master, code) in
            [("sensor", 77_001, MASTER, CODE), ("pump", 77_002, OTHER_MASTER, "RegisterCode7702")]
        {
            let draft = NewType {
                name: name.into(),
                class: Class::Device,
                description: None,
                info: DeviceInfo::default(),
                metadata: None,
            };
            platform.create_type(org, draft, 1).unwrap();
            let product = NewProduct {
                number: ProductNumber::new(number),
                master_key: Some(master.to_owned()),
                register_code: Some(code.to_owned()),
            };
            platform.set_product(org, name, product, 1).unwrap();
        }
        let pushed = Pushed::default();
        let router = router(api(&house, &pushed));
        Service { house, org, router, pushed }
    }

    /// Asks with a key, or without one.
    async fn send(&self, key: &str, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = if key.is_empty() { request } else { request.header("API-Key", key) };
        let answer = ask(&self.router, request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        answer
    }

    /// The answer's text.
    async fn text(&self, key: &str, method: &str, path: &str, body: &str) -> String {
        let answer = self.send(key, method, path, body.to_owned()).await;
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// The data of an answer that says that it is well.
    async fn data_as(&self, key: &str, method: &str, path: &str, body: &str) -> Value {
        let answer: Value = serde_json::from_str(&self.text(key, method, path, body).await).unwrap();
        assert_eq!(
            (&answer["errno"], &answer["error"]),
            (&json!(0), &json!("succ")),
            "{method} {path}: {answer}"
        );
        answer["data"].clone()
    }

    async fn data(&self, method: &str, path: &str, body: &str) -> Value {
        self.data_as(MASTER, method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.data("GET", path, "").await
    }

    /// Number and text of a refusal.
    async fn refused_as(&self, key: &str, method: &str, path: &str, body: &str) -> (u64, String) {
        let answer: Value = serde_json::from_str(&self.text(key, method, path, body).await).unwrap();
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
        (answer["errno"].as_u64().unwrap(), answer["error"].as_str().unwrap().to_owned())
    }

    async fn refused(&self, method: &str, path: &str, body: &str) -> (u64, String) {
        self.refused_as(MASTER, method, path, body).await
    }

    /// Makes a device and gives its number.
    async fn add(&self, title: &str) -> String {
        let made = self.data("POST", "/devices", &json!({ "title": title }).to_string()).await;
        made["device_id"].as_str().unwrap().to_owned()
    }

    /// Makes a key that may do this with a device, or one of its streams.
    async fn key(&self, methods: &[&str], device: &str, stream: Option<&str>) -> String {
        let resource = json!({ "dev_id": device, "ds_id": stream });
        let body = json!({
            "title": "share", "permissions": [{ "access_methods": methods, "resources": [resource] }],
        });
        self.data("POST", "/keys", &body.to_string()).await["key"].as_str().unwrap().to_owned()
    }
}

fn error(errno: u64, text: &str) -> (u64, String) {
    (errno, text.to_owned())
}
