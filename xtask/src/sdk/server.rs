//! One Tidegate for all the scripts: started with empty data, an organisation, keys and a device, stopped at the end.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{HOST_NAMES, Place, output};

const ORG: &str = "abc123";
/// A device for plain MQTT, as type and name. Watson's are registered by the scripts.
const DEVICE: [&str; 2] = ["pump", "p1"];
/// The words with which the server says that it is ready.
const READY_WORDS: &str = "Tidegate is listening";
const START_SECONDS_MAX: u64 = 30;
const STOP_SECONDS_MAX: u64 = 20;
/// Lines of output that may wait to be looked at; more are in the log file only.
const OUTPUT_LINES_MAX: usize = 1000;

/// The running server.
pub(super) struct Server {
    child: Child,
    /// The server's lines; closed when it has closed its output, which is when it ends.
    lines: Receiver<String>,
    data: PathBuf,
    /// What the scripts log in with.
    logins: Logins,
}

#[derive(Default)]
struct Logins {
    /// An API key that may do everything.
    key: Login,
    /// One that may subscribe to `open/#` only.
    limited: Login,
    /// The token of [`DEVICE`].
    device_token: String,
}

/// An API key and its token.
#[derive(Default)]
struct Login {
    key: String,
    token: String,
}

impl Server {
    /// Starts it on empty data and waits until it listens; then makes the organisation and the key.
    pub(super) fn start(place: &Place) -> Result<Server> {
        let data = place.work.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot empty {}", data.display()))?;
        }
        std::fs::create_dir_all(&data)?;
        let config = place.work.join("tidegate.toml");
        std::fs::write(&config, configuration())?;

        let mut child = Command::new(&place.binary)
            .args(["serve", "--data"])
            .arg(&data)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(place.work.join("server.log"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", place.binary.display()))?;
        let output_file = std::fs::File::create(place.work.join("server.out"))?;
        let lines = follow(child.stdout.take().context("the server has no output")?, output_file);
        let mut server = Server { child, lines, data, logins: Logins::default() };
        server.wait_until_ready()?;
        server.logins = server.furnish(place)?;
        Ok(server)
    }

    /// Makes the organisation, its keys and its device.
    fn furnish(&self, place: &Place) -> Result<Logins> {
        let text = |made: &Value, name: &str| {
            let part = made.get(name).and_then(Value::as_str);
            part.map(str::to_owned).with_context(|| format!("no {name} in {made}"))
        };
        let key = |rights: &[&str]| {
            let made = self.admin(place, &[&["key", "add", "--org", ORG], rights].concat())?;
            anyhow::Ok(Login { key: text(&made, "key")?, token: text(&made, "token")? })
        };
        self.admin(place, &["org", "add", ORG])?;
        self.admin(place, &["type", "add", "--org", ORG, DEVICE[0]])?;
        let device = self.admin(place, &["device", "add", "--org", ORG, &DEVICE.join("/")])?;
        Ok(Logins {
            key: key(&[])?,
            limited: key(&["--subscribe", "open/#"])?,
            device_token: text(&device, "token")?,
        })
    }

    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(READY_WORDS) => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("the server was not ready in {START_SECONDS_MAX} s"),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended before it was ready"),
            }
        }
    }

    /// A command to the running server, and its answer.
    fn admin(&self, place: &Place, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&place.binary);
        command.args(arguments).arg("--data").arg(&self.data).arg("--json");
        let text = output(&mut command)?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} did not answer with JSON: {text}"))
    }

    /// What the test scripts have to know.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let authority = self.data.join("tls/ca.pem").to_string_lossy().into_owned();
        vec![
            ("TIDEGATE_ORG", ORG.to_owned()),
            ("TIDEGATE_DOMAIN", "iot.test".to_owned()),
            ("TIDEGATE_API_KEY", self.logins.key.key.clone()),
            ("TIDEGATE_API_TOKEN", self.logins.key.token.clone()),
            ("TIDEGATE_LIMITED_KEY", self.logins.limited.key.clone()),
            ("TIDEGATE_LIMITED_TOKEN", self.logins.limited.token.clone()),
            ("TIDEGATE_DEVICE", format!("{ORG}/{}", DEVICE.join("/"))),
            ("TIDEGATE_DEVICE_TOKEN", self.logins.device_token.clone()),
            ("TIDEGATE_CA", authority.clone()),
            ("REQUESTS_CA_BUNDLE", authority.clone()),
            ("NODE_EXTRA_CA_CERTS", authority),
        ]
    }

    /// Asks it to stop, and wants it to do so in time and without complaint.
    pub(super) fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        output(Command::new("kill").args(["-TERM", &id]))?;
        let status = self.wait_until_ended()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }

    fn wait_until_ended(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
                Err(RecvTimeoutError::Timeout) => bail!("the server did not stop in {STOP_SECONDS_MAX} s"),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill; after a failure nothing must stay behind.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Copies the server's output to a file and hands its lines on.
fn follow(from: impl std::io::Read + Send + 'static, mut to: std::fs::File) -> Receiver<String> {
    let (sender, receiver) = sync_channel(OUTPUT_LINES_MAX);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            writeln!(to, "{line}").ok();
            // A full channel means that nobody waits for a line; the file has it.
            sender.try_send(line).ok();
        }
    });
    receiver
}

fn configuration() -> String {
    let names: Vec<String> = HOST_NAMES.iter().map(|it| format!("{it:?}")).collect();
    format!(
        "[server]\ndomain = \"iot.test\"\n\n\
         [listen]\nmqtt = \"127.0.0.1:1883\"\nmqtts = \"127.0.0.1:8883\"\n\
         http = \"127.0.0.1:8080\"\nhttps = \"127.0.0.1:443\"\n\n\
         [tls]\nnames = [{}]\n",
        names.join(", ")
    )
}
