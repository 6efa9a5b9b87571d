//! The way from a command to the API: the socket of the running server, or the data folder itself.
//!
//! The server that owns a data folder listens on `admin.sock` inside it; whoever may write there may do anything. When
//! nobody listens there, the folder is opened in this process and the same router answers, so that a command means the
//! same with and without a running server. Only the live tail needs one.

mod folder;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt;

pub(crate) use folder::{Absent, Folder};

use crate::config::Config;

/// The name of the socket inside the data folder.
pub(crate) const SOCKET_NAME: &str = "admin.sock";

/// Bytes of an answer that is read at once.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A way to the API.
pub(crate) enum Api {
    /// A server runs and listens here.
    Socket(PathBuf),
    /// No server runs: the folder is ours until the command ends.
    Folder(Folder),
}

impl Api {
    /// Finds the server of the data folder that the settings name, or opens the folder.
    pub(crate) async fn open(config: &Config, absent: Absent) -> Result<Api> {
        let socket = config.data.path.join(SOCKET_NAME);
        match UnixStream::connect(&socket).await {
            Ok(_) => Ok(Api::Socket(socket)),
            Err(it) if matches!(it.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(Api::Folder(Folder::open(config, absent)?))
            }
            Err(it) => Err(it).with_context(|| {
                format!(
                    "cannot talk to the server through {}: run this as the server's user",
                    socket.display()
                )
            }),
        }
    }

    /// Lets go of a folder that was opened.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Api::Socket(_) => Ok(()),
            Api::Folder(folder) => folder.close(),
        }
    }

    /// Refuses to go on without a running server; `what` is what only that has.
    pub(crate) fn needs_server(&self, what: &str) -> Result<()> {
        match self {
            Api::Socket(_) => Ok(()),
            Api::Folder(folder) => bail!(
                "no server runs on {0}, and only a running server has {what}: start one with \
                 `tidegate serve --data {0}`",
                folder.path().display()
            ),
        }
    }

    /// One request and its answer; a refusal of the API is an error with its message.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        read(self.send(method, path, body).await?).await
    }

    /// The same for a body of bytes.
    pub(crate) async fn upload(&self, path: &str, bytes: Vec<u8>) -> Result<Value> {
        let request = Request::builder().method(Method::POST).uri(path).header("host", "tidegate");
        read(self.deliver(request.body(Body::from(bytes))?).await?).await
    }

    /// Begins an answer that goes on as long as the server does.
    pub(crate) async fn stream(&self, path: &str) -> Result<Body> {
        let answer = self.send(Method::GET, path, None).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await?;
        bail!(refusal(status, &serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Body>> {
        let request = Request::builder().method(method).uri(path).header("host", "tidegate");
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(serde_json::to_vec(body)?))?,
            None => request.body(Body::empty())?,
        };
        self.deliver(request).await
    }

    async fn deliver(&self, request: Request<Body>) -> Result<Response<Body>> {
        match self {
            Api::Socket(socket) => send_to(socket, request).await,
            Api::Folder(folder) => answer_of(folder.router(), request).await,
        }
    }
}

/// Reads an answer to its end.
async fn read(answer: Response<Body>) -> Result<Value> {
    let status = answer.status();
    let bytes = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let bytes = bytes.map_err(anyhow::Error::from_boxed).context("the answer broke off")?.to_bytes();
    if bytes.is_empty() && status.is_success() {
        return Ok(Value::Null);
    }
    let value = serde_json::from_slice(&bytes);
    match value {
        Ok(value) if status.is_success() => Ok(value),
        Ok(value) => bail!(refusal(status, &value)),
        Err(_) => bail!("{status}: {}", String::from_utf8_lossy(&bytes).trim()),
    }
}

async fn answer_of(router: Router, request: Request<Body>) -> Result<Response<Body>> {
    match router.oneshot(request).await {
        Ok(answer) => Ok(answer),
        Err(never) => match never {},
    }
}

/// One connection for one request: commands are few.
async fn send_to(socket: &Path, request: Request<Body>) -> Result<Response<Body>> {
    let stream =
        UnixStream::connect(socket).await.with_context(|| format!("connecting to {}", socket.display()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.context("the server closed the connection")?;
    Ok(answer.map(Body::new))
}

/// The API's own words for a refusal.
fn refusal(status: StatusCode, answer: &Value) -> String {
    match answer.pointer("/error/hint").and_then(Value::as_str) {
        Some(hint) => hint.to_owned(),
        None => format!("{status}: {answer}"),
    }
}

/// A text as one segment of a path or one value of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
