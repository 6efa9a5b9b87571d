//! Listening sockets. They are all of one kind: every connection goes to a worker, which finds out what it is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::greet::Port;
use crate::worker::{Accepted, Handover};

/// Pause after the operating system refused to accept: out of file descriptors, as a rule.
const ACCEPT_PAUSE_MS: u64 = 50;
/// Connections that may wait to be accepted; the operating system has a bound of its own (`net.core.somaxconn`).
const BACKLOG_COUNT: u32 = 65_535;

/// Binds an address, with the remedy in the error.
pub(crate) fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Sockets inherit it from their listener: that is one call less for each.
    socket.set_nodelay(true)?;
    socket.bind(address).and_then(|()| socket.listen(BACKLOG_COUNT)).with_context(|| {
        format!(
            "cannot listen on {address}: free the port, choose another with `{setting}` in [listen], or turn it \
             off with `{setting} = \"off\"`"
        )
    })
}

/// Accepts connections and hands them to the workers until told to stop.
pub(crate) async fn accept_all(
    listener: TcpListener,
    port: Arc<Port>,
    mut workers: Handover,
    mut stop: watch::Receiver<bool>,
) {
    while let Some((stream, remote)) = accept(&listener, &mut stop).await {
        match stream.into_std() {
            Ok(stream) => workers.give(Accepted { stream, remote, port: port.clone() }).await,
            Err(error) => tracing::debug!(%error, "An accepted socket was gone at once"),
        }
    }
}

/// The next connection; `None` when it is time to stop.
async fn accept(listener: &TcpListener, stop: &mut watch::Receiver<bool>) -> Option<(TcpStream, SocketAddr)> {
    let mut warned = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|it| *it) => return None,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            // A client that gave up while it waited; the next one need not wait for it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !warned {
                    tracing::warn!(%error, "Accepting fails; trying again until it works: raise the limit of open files?");
                    warned = true;
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}
