//! ThingsBoard's API, request by request.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod device_api;
mod devices;
mod login;
mod rpc;
mod socket;
mod telemetry;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use dialects::thingsboard::http::device::Awaited;
use dialects::thingsboard::http::telemetry::Readings;
use domain::{Device, OrgId, Points, Refusal, Rights};
use parking_lot::Mutex;
use platform::{NewKey, Ticket};
use serde_json::{Value, json};
use store::memory::MemoryStore;
use store::{Change, Changes, Store};
use tokio::sync::oneshot;

use super::watch::{Noticed, Watcher};
use super::{ThingsBoard, Ways, router};
use crate::compat::watson::Watson;
use crate::testing::{Answer, House, NOW_MS, ask};

const KEY: &str = "a-abc123-0123456789";
const CUSTOMER: &str = "a-abc123-customer";
const OTHER: &str = "a-abc123-other";
const TOKEN: &str = "t0ken";

/// What is measured is stored, and goes nowhere else. Requests that wait are told by the test.
struct TestWays {
    store: Arc<MemoryStore>,
    waiting: Waiting,
    watchers: Watchers,
}

impl Ways for TestWays {
    fn measured(&self, device: &Device, readings: Readings, _: &str) -> Ticket {
        let change = |(at_ms, points): (Option<u64>, Points)| {
            let at_ms = at_ms.unwrap_or(NOW_MS);
            Change::Points { org: device.org, device: device.id, at_ms, points }
        };
        self.store.commit(Changes { list: readings.into_iter().map(change).collect(), waiter: None })
    }

    fn show(&self, noticed: Noticed) {
        let noticed = Arc::new(noticed);
        self.watchers.lock().iter().for_each(|it| _ = it.show(&noticed));
    }

    fn watch(&self, _: &Device, watcher: &Arc<Watcher>) -> Result<(), Refusal> {
        let mut watchers = self.watchers.lock();
        if !watchers.iter().any(|it| Arc::ptr_eq(it, watcher)) {
            watchers.push(Arc::clone(watcher));
        }
        Ok(())
    }

    fn next_notice(&self, _: &Device, awaited: Awaited) -> Result<oneshot::Receiver<String>, Refusal> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().push((awaited, sender));
        Ok(receiver)
    }
}

/// Requests that wait for a device's notices.
type Waiting = Arc<Mutex<Vec<(Awaited, oneshot::Sender<String>)>>>;

/// Those who watch a device.
type Watchers = Arc<Mutex<Vec<Arc<Watcher>>>>;

/// The API over what is in a house.
fn api(house: &House, waiting: &Waiting, watchers: &Watchers) -> ThingsBoard {
    let (waiting, watchers) = (Arc::clone(waiting), Arc::clone(watchers));
    let ways = Arc::new(TestWays { store: Arc::clone(&house.store), waiting, watchers });
    ThingsBoard::new(house.shared.clone(), ways)
}

/// The routers of all faces, by their names in the document.
pub(crate) fn all_routers(house: &House) -> Vec<(&'static str, Router)> {
    let watson = Watson { shared: house.shared.clone(), bulk_remove_status: Default::default() };
    vec![
        ("native", crate::api::router(house.shared.clone())),
        ("watson", crate::compat::watson::router(watson)),
        ("thingsboard", router(api(house, &Waiting::default(), &Watchers::default()))),
        ("onenet", crate::compat::onenet::tests::router_over(house)),
    ]
}

/// The organisation `abc123` with one administrator and two customers, and the API for it.
struct Service {
    house: House,
    org: OrgId,
    router: Router,
    waiting: Waiting,
    watchers: Watchers,
    api: ThingsBoard,
}

fn customer_rights() -> Rights {
    Rights { publish: vec!["!#".to_owned()], subscribe: vec!["!#".to_owned()] }
}

impl Service {
    fn new() -> Service {
        Service::at(House::new())
    }

    fn at(house: House) -> Service {
        let org = OrgId::parse("abc123").unwrap();
        house.shared.platform.create_org(Some(org), "Test", 1).unwrap();
        let rights = [Rights::default(), customer_rights(), customer_rights()];
        for (key, rights) in [KEY, CUSTOMER, OTHER].into_iter().zip(rights) {
            let (key, token) = (Some(key.to_owned()), Some(TOKEN.to_owned()));
            let draft = NewKey { key, token, comment: "Acme".to_owned(), rights };
            house.shared.platform.create_key(org, draft, 1).unwrap();
        }
        let (waiting, watchers) = (Waiting::default(), Watchers::default());
        let api = api(&house, &waiting, &watchers);
        Service { house, org, router: router(api.clone()), waiting, watchers, api }
    }

    /// The same organisation, with the clock at another time.
    fn later(&self, now_ms: u64) -> Service {
        let mut shared = self.house.shared.clone();
        shared.clock = Arc::new(move || now_ms);
        self.in_house(House { shared, store: Arc::clone(&self.house.store) })
    }

    /// The same organisation after a restart.
    fn reopened(&self) -> Service {
        self.in_house(self.house.reopened())
    }

    fn in_house(&self, house: House) -> Service {
        let (waiting, watchers) = (Arc::clone(&self.waiting), Arc::clone(&self.watchers));
        let api = api(&house, &waiting, &watchers);
        Service { house, org: self.org, router: router(api.clone()), waiting, watchers, api }
    }

    async fn send(&self, method: &str, path: &str, authorization: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "text/plain");
        let request = match authorization {
            "" => request,
            it => request.header("x-authorization", it),
        };
        ask(&self.router, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn login(&self, key: &str) -> String {
        let body = json!({ "username": key, "password": TOKEN }).to_string();
        let answer = self.send("POST", "/api/auth/login", "", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }

    /// Asks as somebody.
    async fn ask_as(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &self.login(key).await, &body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask_as(KEY, "GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask_as(KEY, "POST", path, body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask_as(KEY, "DELETE", path, Value::Null).await
    }

    /// Makes a device with this token and gives its UUID.
    async fn add(&self, name: &str, token: &str) -> String {
        let answer = self.post(&format!("/api/device?accessToken={token}"), json!({ "name": name })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["id"]["id"].as_str().unwrap().to_owned()
    }
}

/// Status and code of a refusal, whose body has all that belongs to it.
fn refused(answer: &Answer) -> (u16, u64) {
    let body = answer.json();
    assert_eq!(body["status"], answer.status.as_u16(), "{body}");
    assert_eq!(body["timestamp"], NOW_MS, "{body}");
    assert!(body["message"].as_str().is_some_and(|it| !it.is_empty()), "{body}");
    (answer.status.as_u16(), body["errorCode"].as_u64().unwrap())
}
