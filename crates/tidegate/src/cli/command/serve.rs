//! `tidegate serve`: a server until it is told to stop, or until its store fails.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result};
use platform::{NewKey, Platform};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::Store;
use tokio::signal::unix::{SignalKind, signal};

use super::print::print;
use crate::cli::token;
use crate::cli::welcome::{First, Welcome, welcome};
use crate::clock::Clock;
use crate::config::Config;
use crate::serve::{Running, open_platform, open_store, start_on};

/// Files that are open beside the connections: the store's, listeners, workers' own.
const OTHER_FILES_COUNT: usize = 1_000;

/// Runs a server. Returns when it was told to stop; the error is why it could not start, or had to stop.
pub(super) async fn serve(config: Config) -> Result<()> {
    // Asked for first, so that a signal during a long start is not lost.
    let stop = stop_signal()?;
    let mut hangup = signal(SignalKind::hangup())?;
    raise_open_files_limit(config.limits.connection_count_max);
    let store = open_store(&config)?;
    make_first_org(&config, &store)?;
    let running = start_on(config.clone(), store).await?;
    let first = make_first_key(&running.platform)?;
    let orgs: Vec<String> = running.platform.orgs().iter().map(|it| it.id.to_string()).collect();
    let welcome = welcome(&Welcome {
        addresses: &running.addresses,
        data: &config.data.path,
        domain: &config.server.domain,
        ca_file: running.ca_file.as_deref(),
        orgs: &orgs,
        first: first.as_ref(),
    });
    if let Err(fault) = print(&welcome) {
        tracing::warn!(%fault, "The welcome could not be shown");
    }
    let refresh = running.refresh_certificates();
    let refreshing = tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            refresh.notify_one();
        }
    });
    let outcome = run_until(running, stop).await;
    refreshing.abort();
    outcome
}

/// A connection is an open file: as many are allowed as the system lets us allow ourselves.
fn raise_open_files_limit(connection_count_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "The limit of open files could not be raised");
            limit.current
        }
    };
    let wanted = (connection_count_max + OTHER_FILES_COUNT) as u64;
    if let Some(current) = current.filter(|it| *it < wanted) {
        tracing::warn!(
            open_files_max = current,
            connection_count_max,
            "The limit of open files is lower than the number of connections: raise it (ulimit -n, LimitNOFILE of \
             systemd), or further clients wait until others leave"
        );
    }
}

/// Lets a server run until it is told to stop or fails, then takes it down.
pub(crate) async fn run_until(running: Running, stop: impl Future<Output = ()>) -> Result<()> {
    tokio::select! {
        () = stop => {
            tracing::info!("Stopping");
            running.shutdown().await
        }
        // What is not stored any more must not look as if it were: no farewell, no acknowledgement, an error.
        fault = running.failed() => Err(fault).context("the server had to stop"),
    }
}

/// Ends with the first Ctrl-C or SIGTERM.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Where there is no organisation yet: makes one, before the certificate is made that names it.
fn make_first_org(config: &Config, store: &Arc<dyn Store>) -> Result<()> {
    // A platform of its own for this is opened only where there is nothing yet: with many devices that takes long.
    if !store.orgs()?.is_empty() {
        return Ok(());
    }
    let clock = Clock::start();
    let platform = open_platform(config, store.clone(), clock)?;
    let (_, ticket) = platform.create_org(None, "", clock.wall_ms())?;
    store.wait(ticket)?;
    Ok(())
}

/// Where the only organisation is untouched: makes an API key, once the server is there to show it.
fn make_first_key(platform: &Platform) -> Result<Option<First>> {
    let orgs = platform.orgs();
    let [org] = &orgs[..] else { return Ok(None) };
    if !platform.keys(org.id).is_empty() || !platform.types(org.id).is_empty() {
        return Ok(None);
    }
    let draft = NewKey { comment: "made on first start".to_owned(), ..NewKey::default() };
    let (key, token, ticket) = platform.create_key(org.id, draft, Clock::start().wall_ms())?;
    platform.store().wait(ticket)?;
    Ok(Some(First { org: org.id.to_string(), key: key.key, token, gateway_token: token::random()? }))
}
