//! The project's own chores, run as `cargo xtask <chore>`.
//!
//! `test` is the one that matters: it is what a contributor runs before a change and what CI runs after it. The others
//! are its parts, for a quicker look, and the long versions of some tests. Nothing here is part of the product.

mod chores;
mod fuzz;
mod onenet;
mod paho;
mod sdk;
mod server;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Tidegate's own chores",
    after_help = "Examples:\n  \
        cargo xtask test               everything CI runs; installs what it needs below target/\n  \
        cargo xtask tidy               the house rules only (seconds)\n  \
        cargo xtask sdk gateway        tests of SDKs and clients whose name contains `gateway`\n  \
        cargo xtask clauses            MQTT clauses that no test covers yet\n  \
        cargo xtask fuzz decode        any bytes to the MQTT decoder, for ten minutes\n  \
        cargo xtask paho --suite DIR   Eclipse Paho's interoperability suites, fetched to DIR\n  \
        cargo xtask onenet --sdk DIR   the C sample of OneNET's maker, fetched to DIR\n  \
        cargo xtask crash --seeds 1000 the store under a thousand crashes\n  \
        cargo xtask kill --rounds 20   the server killed twenty times under load"
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything: format, lints, tests, house rules, the vendors' SDKs, other clients. What CI runs.
    Test {
        /// Run the SDK tests in this network: the four host names resolve and ports 1883, 8883, 8080 and 443 are free.
        #[arg(long)]
        here: bool,
    },
    /// The house rules: who may name whom, what pure crates may not do, lengths, names.
    Tidy,
    /// Prints the normative MQTT clauses that no row of the clause table covers.
    Clauses,
    /// The fuzz targets of the MQTT crate, guided by coverage.
    Fuzz {
        /// Only this one.
        target: Option<String>,
        /// For how long, each.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: u32,
    },
    /// The store's crash test with many seeds, in the release profile.
    Crash {
        /// How many seeds; each is one crash at another point.
        #[arg(long, default_value_t = 1000)]
        seeds: u32,
    },
    /// The server killed with `kill -9` in the middle of load, again and again.
    Kill {
        /// How many times.
        #[arg(long, default_value_t = 20)]
        rounds: u32,
    },
    /// Unmodified official SDKs and widely used MQTT clients against the server.
    Sdk {
        /// Only tests whose name contains this.
        filter: Option<String>,
        /// Run in this network: the four host names resolve and ports 1883, 8883, 8080 and 443 are free.
        #[arg(long)]
        here: bool,
    },
    /// Eclipse Paho's interoperability suites for 3.1.1 and 5.0, each case by itself; docs/conformance.md says more.
    Paho {
        /// Where the suites are: a clone of Paho's repository, or the folder `interoperability` of it.
        #[arg(long)]
        suite: PathBuf,
        /// How often each case is run.
        #[arg(long, default_value_t = 1)]
        rounds: usize,
        /// Only cases whose name contains this.
        filter: Option<String>,
    },
    /// The C sample of OneNET's maker, unmodified, built with the C compiler and driven through all that it can do.
    Onenet {
        /// Where it is: a clone of github.com/cm-heclouds/MQTT.
        #[arg(long)]
        sdk: PathBuf,
    },
    /// The part of `sdk` that runs inside the private network.
    #[command(hide = true)]
    SdkInside {
        filter: Option<String>,
        #[arg(long)]
        here: bool,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does the chore; `false` if it found something wrong and has said so.
fn run(cli: &Cli) -> Result<bool> {
    let root = root()?;
    match &cli.chore {
        Chore::Test { here } => chores::test(&root, sdk::Network::from_flag(*here)),
        Chore::Tidy => Ok(tidy::run(&root)? == 0),
        Chore::Clauses => chores::clauses(&root),
        Chore::Fuzz { target, minutes } => fuzz::run(&root, target.as_deref(), *minutes),
        Chore::Crash { seeds } => chores::crash(&root, *seeds),
        Chore::Kill { rounds } => chores::kill(&root, *rounds),
        Chore::Sdk { filter, here } => chores::sdk(&root, sdk::Network::from_flag(*here), filter.as_deref()),
        Chore::Paho { suite, rounds, filter } => {
            paho::run(&root, &paho::Choice { suite, filter: filter.as_deref(), rounds: *rounds })
        }
        Chore::Onenet { sdk } => onenet::run(&root, sdk),
        Chore::SdkInside { filter, here } => {
            sdk::inside(&root, sdk::Network::from_flag(*here), filter.as_deref())
        }
    }
}

/// The workspace root: the folder above this crate.
fn root() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder above it")?;
    Ok(folder.to_owned())
}
