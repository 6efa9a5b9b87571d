//! HTTP on a connection of a worker: the worker moves the bytes, the main runtime does what they ask for.
//!
//! A request for a WebSocket is answered here, and the connection is MQTT's from then on, or an API's. Everything else
//! goes to the router, where the port serves the API; see [`HttpUse`].

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use domain::Code;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tower::ServiceExt;
use web::RemoteAddress;
use web::compat::thingsboard::ThingsBoard;

use crate::api_socket;
use crate::hub::Hub;
use crate::limits;
use crate::transport::Stream;
use crate::websocket::upgrade;

/// What a port does with HTTP requests that do not ask for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpUse {
    /// The API is served.
    Api,
    /// The API is served to this machine, and to others over TLS: keys travel in it.
    ApiIfPrivate,
    /// The port is not for that.
    None,
}

/// Who answers requests.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) router: Router,
    /// Those that ask for its WebSocket.
    pub(crate) thingsboard: ThingsBoard,
    /// The runtime that requests are answered on.
    pub(crate) runtime: Handle,
}

/// Why a request is not answered by the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// This port serves no API.
    NotHere,
    /// Keys would be sent unencrypted.
    NotPrivate,
}

impl Closed {
    fn hint(self) -> &'static str {
        match self {
            Closed::NotHere => {
                "this port serves MQTT only; the HTTP API is on the ports of `http` and `https`"
            }
            Closed::NotPrivate => {
                "the HTTP API is served over TLS here, because keys travel in it: use https, a port of `http`, or \
                 set `http_on_mqtt = true` in [listen]"
            }
        }
    }
}

/// What a connection has become. Its frames are next.
pub(crate) enum Upgraded {
    /// A WebSocket that carries MQTT.
    Mqtt(Stream),
    /// A WebSocket of the API.
    Api(Stream, api_socket::Wanted),
}

/// Serves requests until the client leaves or the server closes, or the connection has become a WebSocket. `record` is
/// told what is refused: what was asked, and why not.
pub(crate) async fn serve(
    hub: &Hub,
    desk: &Desk,
    closed: Option<Closed>,
    remote: IpAddr,
    stream: Stream,
    record: &dyn Fn(&'static str, Code, &str),
) -> Option<Upgraded> {
    let upgraded = Cell::new(false);
    let api = Cell::new(None);
    let service = service_fn(|mut request: Request<Incoming>| -> Answering {
        request.extensions_mut().insert(RemoteAddress(remote));
        let is_upgrade = upgrade::is_wanted(&request);
        let of_api = if is_upgrade { api_socket::Wanted::of(&request) } else { None };
        if is_upgrade && (of_api.is_none() || closed.is_none()) {
            api.set(of_api);
            let answer = upgrade::answer(&request);
            upgraded.set(answer.is_ok());
            let answer = answer.unwrap_or_else(|refused| {
                record("http", Code::Malformed, &refused.hint);
                refused.into_response()
            });
            return Box::pin(async { Ok(answer) });
        }
        if let Some(closed) = closed {
            record("http", Code::NotServed, closed.hint());
            return Box::pin(async move { Ok(forbidden(closed)) });
        }
        Box::pin(answer(desk.clone(), request))
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(limits::HTTP_HEAD_BYTES_MAX)
        // A client that was in use looks for `Content-Length` as it is written here (spec onenet 8.1).
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let outcome = tokio::select! {
        outcome = poll_fn(|cx| connection.poll_without_shutdown(cx)) => outcome,
        () = hub.closed() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    match &outcome {
        Err(error) if error.is_parse() => {
            record("connect", Code::Malformed, &format!("this is not HTTP: {error}"));
        }
        Err(error) => tracing::debug!(%error, "An HTTP connection ended early"),
        Ok(()) => {}
    }
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if outcome.is_ok() && upgraded.get() {
        stream.put_back(&parts.read_buf);
        return Some(match api.take() {
            None => Upgraded::Mqtt(stream),
            Some(wanted) => Upgraded::Api(stream, wanted),
        });
    }
    if stream.shutdown().await.is_err() {
        tracing::trace!("The HTTP client was gone before the end");
    }
    None
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

/// Has the router answer, on the main runtime: what it asks of the store must not hold up a worker.
async fn answer(desk: Desk, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let answer = desk.runtime.spawn(desk.router.oneshot(request.map(Body::new))).await;
    answer.unwrap_or_else(|error| {
        tracing::error!(%error, "A request was not answered");
        let mut failed = Response::new(Body::empty());
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok(failed)
    })
}

fn forbidden(closed: Closed) -> Response<Body> {
    let mut answer = Response::new(Body::from(format!("{}\n", closed.hint())));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer
}
