//! Listening sockets: MQTT ones feed the workers, HTTP ones feed the router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::limits;
use crate::worker::{Accepted, Handover};

/// Pause after the operating system refused to accept: out of file descriptors, as a rule.
const ACCEPT_PAUSE_MS: u64 = 50;
/// Connections that may wait to be accepted.
const BACKLOG_COUNT: i32 = 4_096;

/// Binds an address, with the remedy in the error.
pub(crate) fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).and_then(|()| socket.listen(BACKLOG_COUNT as u32)).with_context(|| {
        format!(
            "cannot listen on {address}: free the port, choose another with `{setting}` in [listen], or turn it \
             off with `{setting} = \"off\"`"
        )
    })
}

/// Accepts MQTT connections and hands them to the workers until told to stop.
pub(crate) async fn accept_mqtt(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    mut workers: Handover,
    mut stop: watch::Receiver<bool>,
) {
    let port = listener.local_addr().map_or(0, |it| it.port());
    let tls = tls.map(TlsAcceptor::from);
    while let Some((stream, remote)) = accept(&listener, &mut stop).await {
        match stream.into_std() {
            Ok(stream) => workers.give(Accepted { stream, remote, port, tls: tls.clone() }).await,
            Err(error) => tracing::debug!(%error, "An accepted socket was gone at once"),
        }
    }
}

/// Serves HTTP until told to stop; requests under way are finished.
pub(crate) async fn serve_http(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let tls = tls.map(TlsAcceptor::from);
    let limit = Duration::from_millis(limits::HTTP_HANDSHAKE_MS_MAX);
    while let Some((stream, _)) = accept(&listener, &mut stop).await {
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            let outcome = match tls {
                None => serve_http_on(TokioIo::new(stream), router, stop).await,
                Some(acceptor) => match tokio::time::timeout(limit, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => serve_http_on(TokioIo::new(stream), router, stop).await,
                    Ok(Err(error)) => Err(error.into()),
                    Err(late) => Err(late.into()),
                },
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "An HTTP connection ended early");
            }
        });
    }
}

async fn serve_http_on<S>(stream: S, router: Router, mut stop: watch::Receiver<bool>) -> Result<()>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(hyper_util::rt::TokioTimer::new())
        .serve_connection(stream, service);
    tokio::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome.map_err(Into::into),
        _ = stop.wait_for(|it| *it) => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(Into::into)
}

/// The next connection; `None` when it is time to stop.
async fn accept(listener: &TcpListener, stop: &mut watch::Receiver<bool>) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|it| *it) => return None,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                tracing::warn!(%error, "Accepting failed; trying again: raise the limit of open files?");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}
