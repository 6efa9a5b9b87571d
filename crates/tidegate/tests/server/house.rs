//! A server to test with: organisation `abc123`, types `gw` (gateways) and `dev`, gateway `gw/g1` and device `dev/d1`
//! with token `secret`, and an API key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dialects::Dialect;
use domain::{Class, DeviceInfo, OrgId, Registrar};
use platform::{NewDevice, NewKey, NewType};
use serde_json::Value;
use sim::{Client, Options, Wire};
use store::memory::MemoryStore;
use tempfile::TempDir;
use tidegate::{Config, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

pub(crate) const ORG: &str = "abc123";
pub(crate) const TOKEN: &str = "secret-token";
pub(crate) const KEY: &str = "a-abc123-0123456789";

/// How long anything that must happen may take. Generous: it is only waited for when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is stopped by [`House::close`].
pub(crate) struct House {
    pub(crate) running: Running,
    folder: TempDir,
}

pub(crate) fn org() -> OrgId {
    OrgId::parse(ORG).unwrap()
}

/// Settings for a server in `folder` on free ports. `listen` is further lines of [listen].
fn settings(folder: &TempDir, listen: &str, more: &str) -> Config {
    // Two workers, unless the test says otherwise: connections meet across threads then.
    let workers = if more.contains("worker_count") { "" } else { "worker_count = 2\n" };
    let text = format!(
        "[data]\npath = {:?}\n[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n\
         https = \"off\"\nonenet = \"127.0.0.1:0\"\n{listen}[server]\n{workers}{more}",
        folder.path().join("data")
    );
    Config::from_toml(&text, "test").unwrap()
}

impl House {
    /// A fresh server with its fixtures.
    pub(crate) async fn open() -> House {
        House::open_with("").await
    }

    /// The same, with further settings.
    pub(crate) async fn open_with(more: &str) -> House {
        House::open_listening("", more).await
    }

    /// The same, with further lines of [listen].
    pub(crate) async fn open_listening(listen: &str, more: &str) -> House {
        let folder = TempDir::new().unwrap();
        let running = tidegate::start(settings(&folder, listen, more)).await.unwrap();
        let house = House { running, folder };
        house.furnish();
        house
    }

    /// A fresh server whose data are in memory, and its store: a test can hold commits back and make them fail.
    pub(crate) async fn open_in_memory(more: &str) -> (House, Arc<MemoryStore>) {
        let store = Arc::new(store::memory::open().unwrap());
        let house = House::start_on(more, store.clone()).await;
        house.furnish();
        (house, store)
    }

    /// A server on a store that holds something already.
    pub(crate) async fn start_on(more: &str, store: Arc<MemoryStore>) -> House {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let running = tidegate::start_on(settings(&folder, "", more), store).await.unwrap();
        House { running, folder }
    }

    /// A fresh server that speaks this dialect and no other, with its data in memory.
    pub(crate) async fn open_speaking(
        more: &str,
        dialect: &'static dyn Dialect,
    ) -> (House, Arc<MemoryStore>) {
        let store = Arc::new(store::memory::open().unwrap());
        let house = House::start_speaking_on(more, store.clone(), dialect).await;
        house.furnish();
        (house, store)
    }

    /// A server that speaks this dialect and no other, on a store that holds something already.
    pub(crate) async fn start_speaking_on(
        more: &str,
        store: Arc<MemoryStore>,
        dialect: &'static dyn Dialect,
    ) -> House {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let config = settings(&folder, "", more);
        let running = tidegate::start_speaking(config, store, vec![dialect]).await.unwrap();
        House { running, folder }
    }

    /// Stops the server and starts it again on the same data.
    pub(crate) async fn reopen(self) -> House {
        let House { running, folder } = self;
        running.shutdown().await.unwrap();
        let running = tidegate::start(settings(&folder, "", "")).await.unwrap();
        House { running, folder }
    }

    /// Stops the server.
    pub(crate) async fn close(self) {
        self.running.shutdown().await.unwrap();
    }

    fn furnish(&self) {
        self.furnish_org(org(), KEY);
    }

    /// Creates an organisation with the fixtures of this file.
    pub(crate) fn furnish_org(&self, org: OrgId, key: &str) {
        let platform = &self.running.platform;
        platform.create_org(Some(org), "Acme", 1).unwrap();
        for (name, class) in [("gw", Class::Gateway), ("dev", Class::Device)] {
            self.add_type_in(org, name, class);
        }
        for (device_type, name) in [("gw", "g1"), ("gw", "g2"), ("dev", "d1")] {
            self.add_device_in(org, device_type, name);
        }
        let key = NewKey { key: Some(key.into()), token: Some(TOKEN.into()), ..NewKey::default() };
        platform.create_key(org, key, 1).unwrap();
    }

    fn add_type_in(&self, org: OrgId, name: &str, class: Class) {
        let draft = NewType {
            name: name.into(),
            class,
            description: None,
            info: DeviceInfo::default(),
            metadata: None,
        };
        self.running.platform.create_type(org, draft, 1).unwrap();
    }

    fn add_device_in(&self, org: OrgId, device_type: &str, name: &str) {
        let draft = NewDevice {
            device_type: device_type.into(),
            name: name.into(),
            class: None,
            token: Some(TOKEN.into()),
            info: DeviceInfo::default(),
            metadata: None,
            location: None,
            gateway: None,
            registrar: Registrar::Operator,
        };
        self.running.platform.register(org, draft, 1).unwrap();
    }

    /// What the administrator's API answers to a GET, over the socket in the data folder.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let mut socket = UnixStream::connect(self.folder.path().join("data/admin.sock")).await.unwrap();
        socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Waits until a member of the statistics, named as a JSON pointer, is at least this large. Returns it.
    pub(crate) async fn stat_reaches(&self, pointer: &str, at_least: u64) -> u64 {
        let look = async {
            loop {
                let stats = self.ask("/v1/stats").await;
                let value = stats.pointer(pointer).and_then(Value::as_u64);
                match value {
                    Some(value) if value >= at_least => return value,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        let late = format!("{pointer} did not reach {at_least}");
        tokio::time::timeout(PATIENCE, look).await.expect(&late)
    }

    /// The refusals on record, newest first.
    pub(crate) async fn refusals(&self) -> Vec<Value> {
        self.ask("/v1/refusals").await["refusals"].as_array().unwrap().clone()
    }

    /// Where MQTT is spoken.
    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.running.addresses.mqtt[0]
    }

    /// Options of a gateway or device of this server.
    pub(crate) fn device(client_id: &str) -> Options {
        Options::new(client_id).login("use-token-auth", TOKEN)
    }

    /// Options of an application of this server.
    pub(crate) fn application(client_id: &str) -> Options {
        Options::new(client_id).login(KEY, TOKEN)
    }

    /// A connection on which nothing was said yet.
    pub(crate) async fn wire(&self, version: mqtt::Version) -> Wire<TcpStream> {
        Wire::new(TcpStream::connect(self.mqtt()).await.unwrap(), version)
    }

    /// Connects with these options.
    pub(crate) async fn client(&self, options: Options) -> Client {
        Client::connect(self.mqtt(), options).await.unwrap()
    }
}
