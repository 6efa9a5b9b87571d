//! A Tidegate of our own for tests from outside: started with empty data, stopped at the end.
//!
//! Data, settings, log and output lie in a folder below `target/` and stay there for whoever wants to look.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::chores::cargo;
use crate::steps::{call, output};

/// The line with which the server says where MQTT is spoken. It has been listening for a moment then.
const READY_WORD: &str = "MQTT ";
const START_SECONDS_MAX: u64 = 30;
const STOP_SECONDS_MAX: u64 = 20;
/// Lines of output that may wait to be looked at; more are in the log file only.
const OUTPUT_LINES_MAX: usize = 1000;

/// Where this program's own build lies, whatever the target folder is.
pub(crate) struct Build {
    /// The target folder.
    pub(crate) target: PathBuf,
    /// The server's binary, once [`Build::make`] has been called.
    pub(crate) binary: PathBuf,
}

impl Build {
    /// Finds it.
    pub(crate) fn find() -> Result<Build> {
        // This program is `<target>/<profile>/xtask`.
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let profile = own.parent().context("this program has no folder")?;
        let target = profile.parent().context("this program is not in a target folder")?;
        let binary = profile.join(format!("tidegate{}", std::env::consts::EXE_SUFFIX));
        Ok(Build { target: target.to_owned(), binary })
    }

    /// Builds the server.
    pub(crate) fn make(&self, root: &Path) -> Result<()> {
        call(cargo(root).args(["build", "--quiet", "--workspace", "--bin", "tidegate"]))
    }
}

/// The running server.
pub(crate) struct Server {
    binary: PathBuf,
    child: Child,
    /// The server's lines; closed when it has closed its output, which is when it ends.
    lines: Receiver<String>,
    data: PathBuf,
    /// Where MQTT is spoken.
    address: String,
}

impl Server {
    /// Starts it in this folder, on empty data, and waits until it listens.
    pub(crate) fn start(binary: &Path, folder: &Path, settings: &str) -> Result<Server> {
        let data = folder.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot empty {}", data.display()))?;
        }
        std::fs::create_dir_all(&data)?;
        let config = folder.join("tidegate.toml");
        std::fs::write(&config, settings)?;
        let mut child = Command::new(binary)
            .args(["serve", "--data"])
            .arg(&data)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("server.log"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output_file = std::fs::File::create(folder.join("server.out"))?;
        let lines = follow(child.stdout.take().context("the server has no output")?, output_file);
        let mut server = Server { binary: binary.to_owned(), child, lines, data, address: String::new() };
        server.address = server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&self) -> Result<String> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = line.trim().strip_prefix(READY_WORD) {
                        return Ok(address.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("the server was not ready in {START_SECONDS_MAX} s"),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended before it was ready"),
            }
        }
    }

    /// Where MQTT is spoken: address and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A command to the running server, and its answer.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--data").arg(&self.data).arg("--json");
        let text = output(&mut command)?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} did not answer with JSON: {text}"))
    }

    /// Asks it to stop, and wants it to do so in time and without complaint.
    pub(crate) fn stop(mut self) -> Result<()> {
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
