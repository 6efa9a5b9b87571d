//! A server to test with: organisation `abc123`, types `gw` (gateways) and `dev`, gateway `gw/g1` and device `dev/d1`
//! with token `secret`, and an API key.

use std::net::SocketAddr;

use domain::{Class, DeviceInfo, OrgId, Registrar};
use platform::{NewDevice, NewKey, NewType};
use sim::{Client, Options};
use tempfile::TempDir;
use tidegate::{Config, Running};

pub(crate) const ORG: &str = "abc123";
pub(crate) const TOKEN: &str = "secret-token";
pub(crate) const KEY: &str = "a-abc123-0123456789";

/// A server that is stopped by [`House::close`].
pub(crate) struct House {
    pub(crate) running: Running,
    folder: TempDir,
}

pub(crate) fn org() -> OrgId {
    OrgId::parse(ORG).unwrap()
}

/// Settings for a server in `folder` on free ports.
fn settings(folder: &TempDir, more: &str) -> Config {
    let text = format!(
        "[data]\npath = {:?}\n[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n\
         https = \"off\"\n[server]\nworker_count = 2\n{more}",
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
        let folder = TempDir::new().unwrap();
        let running = tidegate::start(settings(&folder, more)).await.unwrap();
        let house = House { running, folder };
        house.furnish();
        house
    }

    /// Stops the server and starts it again on the same data.
    pub(crate) async fn reopen(self) -> House {
        let House { running, folder } = self;
        running.shutdown().await.unwrap();
        let running = tidegate::start(settings(&folder, "")).await.unwrap();
        House { running, folder }
    }

    /// Stops the server.
    pub(crate) async fn close(self) {
        self.running.shutdown().await.unwrap();
    }

    fn furnish(&self) {
        let platform = &self.running.platform;
        platform.create_org(Some(org()), "Acme", 1).unwrap();
        for (name, class) in [("gw", Class::Gateway), ("dev", Class::Device)] {
            self.add_type(name, class);
        }
        self.add_device("gw", "g1");
        self.add_device("gw", "g2");
        self.add_device("dev", "d1");
        let key = NewKey { key: Some(KEY.into()), token: Some(TOKEN.into()), comment: String::new() };
        platform.create_key(org(), key, 1).unwrap();
    }

    pub(crate) fn add_type(&self, name: &str, class: Class) {
        let draft = NewType {
            name: name.into(),
            class,
            description: None,
            info: DeviceInfo::default(),
            metadata: None,
        };
        self.running.platform.create_type(org(), draft, 1).unwrap();
    }

    pub(crate) fn add_device(&self, device_type: &str, name: &str) {
        let draft = NewDevice {
            device_type: device_type.into(),
            name: name.into(),
            token: Some(TOKEN.into()),
            info: DeviceInfo::default(),
            metadata: None,
            location: None,
            gateway: None,
            registrar: Registrar::Operator,
        };
        self.running.platform.register(org(), draft, 1).unwrap();
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

    /// Connects with these options.
    pub(crate) async fn client(&self, options: Options) -> Client {
        Client::connect(self.mqtt(), options).await.unwrap()
    }
}
