//! The server that all the scripts talk to: an organisation, keys and a device.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{HOST_NAMES, Place};
use crate::server::Server;

const ORG: &str = "abc123";
/// A device for plain MQTT, as type and name. Watson's are registered by the scripts.
const DEVICE: [&str; 2] = ["pump", "p1"];

/// The running server, and what the scripts log in with.
pub(super) struct Installation {
    server: Server,
    /// For suites that start a server of their own: its program, and a folder for what they leave behind.
    binary: PathBuf,
    scratch: PathBuf,
    /// An API key that may do everything.
    key: Login,
    /// One that may subscribe to `open/#` only.
    limited: Login,
    /// The token of [`DEVICE`].
    device_token: String,
}

/// An API key and its token.
struct Login {
    key: String,
    token: String,
}

impl Installation {
    /// Starts the server and makes the organisation, its keys and its device.
    pub(super) fn start(place: &Place) -> Result<Installation> {
        let server = Server::start(&place.build.binary, &place.work, &settings())?;
        let text = |made: &Value, name: &str| {
            let part = made.get(name).and_then(Value::as_str);
            part.map(str::to_owned).with_context(|| format!("no {name} in {made}"))
        };
        let key = |rights: &[&str]| {
            let made = server.admin(&[&["key", "add", "--org", ORG], rights].concat())?;
            anyhow::Ok(Login { key: text(&made, "key")?, token: text(&made, "token")? })
        };
        server.admin(&["org", "add", ORG])?;
        server.admin(&["type", "add", "--org", ORG, DEVICE[0]])?;
        let device = server.admin(&["device", "add", "--org", ORG, &DEVICE.join("/")])?;
        let (key, limited) = (key(&[])?, key(&["--subscribe", "open/#"])?);
        let (binary, scratch) = (place.build.binary.clone(), place.work.join("scratch"));
        Ok(Installation { key, limited, device_token: text(&device, "token")?, server, binary, scratch })
    }

    /// What the test scripts have to know.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let authority = self.server.data().join("tls/ca.pem").to_string_lossy().into_owned();
        vec![
            ("TIDEGATE_ORG", ORG.to_owned()),
            ("TIDEGATE_DOMAIN", "iot.test".to_owned()),
            ("TIDEGATE_API_KEY", self.key.key.clone()),
            ("TIDEGATE_API_TOKEN", self.key.token.clone()),
            ("TIDEGATE_LIMITED_KEY", self.limited.key.clone()),
            ("TIDEGATE_LIMITED_TOKEN", self.limited.token.clone()),
            ("TIDEGATE_DEVICE", format!("{ORG}/{}", DEVICE.join("/"))),
            ("TIDEGATE_DEVICE_TOKEN", self.device_token.clone()),
            ("TIDEGATE_ADMIN_SOCKET", self.server.data().join("admin.sock").to_string_lossy().into_owned()),
            ("TIDEGATE_BINARY", self.binary.to_string_lossy().into_owned()),
            ("TIDEGATE_SCRATCH", self.scratch.to_string_lossy().into_owned()),
            ("TIDEGATE_CA", authority.clone()),
            ("REQUESTS_CA_BUNDLE", authority.clone()),
            ("NODE_EXTRA_CA_CERTS", authority),
        ]
    }

    /// Stops the server.
    pub(super) fn stop(self) -> Result<()> {
        self.server.stop()
    }
}

fn settings() -> String {
    let names: Vec<String> = HOST_NAMES.iter().map(|it| format!("{it:?}")).collect();
    format!(
        "[server]\ndomain = \"iot.test\"\n\n\
         [listen]\nmqtt = \"127.0.0.1:1883\"\nmqtts = \"127.0.0.1:8883\"\n\
         http = \"127.0.0.1:8080\"\nhttps = \"127.0.0.1:443\"\n\n\
         [tls]\nnames = [{}]\n",
        names.join(", ")
    )
}
