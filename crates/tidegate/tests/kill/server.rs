//! The real `tidegate` binary as a child process on a folder of its own, to be killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How long a start may take, recovery included. A debug build reads its journal again slowly on a busy machine.
const START_MS_MAX: u64 = 60_000;
/// The line of the welcome that says where MQTT is spoken.
const MQTT_LINE: &str = "  MQTT  ";
/// Lines of the server's log that are shown after a failure.
const LOG_LINES_SHOWN: usize = 40;
const SIGKILL: i32 = 9;

/// A folder with settings, data and the server's log.
pub(crate) struct Folder(TempDir);

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it speaks MQTT.
    pub(crate) address: SocketAddr,
    /// From the start of the process until it was ready.
    pub(crate) started_within: Duration,
}

impl Folder {
    /// A new folder with settings: free ports on the loopback address, two workers.
    pub(crate) fn new() -> Folder {
        let folder = Folder(TempDir::with_prefix("tidegate-kill-").unwrap());
        let settings = "[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"off\"\nhttp = \"off\"\nhttps = \"off\"\nonenet = \"off\"\n\
                        [server]\nworker_count = 2\n[log]\nlevel = \"info\"\n";
        std::fs::write(folder.settings(), settings).unwrap();
        folder
    }

    /// Where the store lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn settings(&self) -> PathBuf {
        self.0.path().join("tidegate.toml")
    }

    /// The last lines of the log.
    pub(crate) fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Runs a command of the command line and returns the JSON it prints.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> Value {
        let output = self.command().arg("--json").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tidegate {}: {}: {said}", arguments.join(" "), output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("--config").arg(self.settings()).arg("--data").arg(self.data()).stdin(Stdio::null());
        command
    }

    fn spawn(&self) -> (Child, oneshot::Receiver<SocketAddr>) {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command();
        let mut child = command.arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (ready, address) = oneshot::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || read_welcome(stdout, ready));
        (child, address)
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(&self) -> Server {
        let started_at = Instant::now();
        let (mut child, address) = self.spawn();
        match timeout(Duration::from_millis(START_MS_MAX), address).await {
            Ok(Ok(address)) => Server { child, address, started_within: started_at.elapsed() },
            outcome => {
                child.kill().unwrap();
                panic!("no start within {START_MS_MAX} ms: {outcome:?}\n{}", self.log_end());
            }
        }
    }

    /// Starts a server and kills it after so long, ready or not.
    pub(crate) async fn start_and_kill(&self, after: Duration) {
        let (mut child, address) = self.spawn();
        let address = timeout(after, address).await;
        assert!(!matches!(address, Ok(Err(_))), "the server ended by itself while it started");
        kill(&mut child);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.disable_cleanup(true);
            println!("the data are kept in {}", self.0.path().display());
        }
    }
}

impl Server {
    /// `kill -9`. It must have been running until now.
    pub(crate) fn kill(mut self) {
        kill(&mut self.child);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failed test nothing may stay behind; after a kill there is nobody left.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(SIGKILL), "the server had ended before it was killed: {status}");
}

/// Finds the address in what the server says when it is ready, then reads on so that it can always write.
fn read_welcome(stdout: ChildStdout, ready: oneshot::Sender<SocketAddr>) {
    let mut ready = Some(ready);
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let address = line.strip_prefix(MQTT_LINE).and_then(|it| it.trim().parse().ok());
        if let Some((ready, address)) = ready.take_if(|_| address.is_some()).zip(address) {
            // Nobody waits any more when the server was killed meanwhile.
            ready.send(address).ok();
        }
    }
}
