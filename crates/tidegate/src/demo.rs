//! `tidegate demo`: a server, a small plant that speaks to it through real sockets, and what an application sees.
//!
//! The server is the one that `serve` runs; the plant knows nothing of it but an address. Whatever the demo shows came
//! out of a socket.

mod furnish;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use sim::watson::{Parts, Plant, Seen};
use tokio::sync::oneshot;

use crate::cli::line::Line;
use crate::cli::{print, run_until, stop_signal};
use crate::clock::Clock;
use crate::config::{Addresses, Config};
use crate::serve;
use furnish::Furnished;

/// Where the demo keeps its data unless told otherwise.
const DATA_PATH: &str = "demo-data";
/// How often each machine of the plant speaks.
const PACE: Duration = Duration::from_millis(1_500);

/// Turns the settings of a server into those of a demo: on this machine only, in its own folder, quiet, and beside a
/// server that has the usual ports already. Options of the command line are laid over it afterwards.
pub(crate) fn prepare(config: &mut Config, data_was_named: bool) {
    if !data_was_named {
        config.data.path = PathBuf::from(DATA_PATH);
    }
    config.log.level = "warn".to_owned();
    config.listen.mqtt = free_address(1883);
    config.listen.mqtts = free_address(8883);
    config.listen.http = free_address(8080);
    config.listen.https = free_address(8443);
    config.listen.onenet = free_address(6002);
}

/// The usual port where it is free, any free port otherwise.
fn free_address(port: u16) -> Addresses {
    let usual = SocketAddr::from(([127, 0, 0, 1], port));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Addresses(vec![if TcpListener::bind(usual).is_ok() { usual } else { any }])
}

/// Runs the demo until it is told to stop, or for so many seconds.
pub(crate) async fn demo(config: Config, duration_s: Option<u64>) -> Result<()> {
    let stop = stop_signal()?;
    let data = config.data.path.clone();
    let running = serve::start(config).await?;
    let mqtt = running.addresses.mqtt.first().copied();
    let addr = mqtt.context("the demo's plant speaks plain MQTT: leave --mqtt on")?;
    let clock = Clock::start();
    let furnished = Furnished::make(&running.platform, clock.wall_ms())?;
    print(&furnish::introduction(&furnished, &running.addresses, &data))?;
    let plant = furnished.plant(addr, PACE);
    let enough = async {
        match duration_s {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let ended = async {
        tokio::select! {
            () = stop => Ok(()),
            () = enough => Ok(()),
            fault = run_plant(&plant, clock) => Err(fault),
        }
    };
    // The plant's end is the demo's end; what it ended with is told after the server has closed its data.
    let mut outcome = Ok(());
    Box::pin(run_until(running, async { outcome = ended.await })).await?;
    outcome?;
    print(&format!(
        "\nThe demo's data stay in {0}; look at them with `tidegate --data {0} device list`.\n",
        data.display()
    ))
}

/// Runs the plant and shows what its clients see, until the plant fails or nobody looks any more.
async fn run_plant(plant: &Plant, clock: Clock) -> anyhow::Error {
    let (failed, mut failure) = oneshot::channel();
    let mut failed = Some(failed);
    let show = |seen: Seen<'_>| {
        if let Err(fault) = print(&line(seen, clock.wall_ms()))
            && let Some(failed) = failed.take()
        {
            failed.send(fault).ok();
        }
    };
    tokio::select! {
        Err(fault) = plant.run(show) => anyhow::Error::new(fault).context("the plant lost its server"),
        Ok(fault) = &mut failure => fault,
    }
}

fn line(seen: Seen<'_>, at_ms: domain::Millis) -> String {
    let of = |parts: Parts<'_>, payload: &[u8], is_command| {
        let (device, payload) =
            (format!("{}/{}", parts.device_type, parts.name), String::from_utf8_lossy(payload));
        Line { at_ms, device: &device, is_command, name: parts.event, payload: &payload }.to_string()
    };
    let line = match seen {
        Seen::Event { parts, payload } => of(parts, payload, false),
        Seen::Command { parts, payload } => of(parts, payload, true),
        Seen::Notice { payload } => {
            let payload = String::from_utf8_lossy(payload);
            Line { at_ms, device: "the gateway", is_command: false, name: "is told", payload: &payload }
                .to_string()
        }
    };
    line + "\n"
}
