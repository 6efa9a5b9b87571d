//! From a command that was typed to what it does: runs a server, or asks the API and shows the answer.

mod ask;
pub(crate) mod print;
pub(crate) mod serve;
mod show;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use super::{Cli, Command, Global, bench};
use crate::config::{Config, DEFAULT_FILE};
use crate::{demo, logging};
use print::{ReaderGone, print};

/// Threads that accept connections and serve HTTP; MQTT has workers of its own.
const SERVER_THREAD_COUNT: usize = 2;

/// Does what was typed. A mistake is told on the standard error, and as the exit code 1.
pub(crate) fn run(cli: Cli) -> ExitCode {
    match try_run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if fault.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("tidegate: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Config => print(DEFAULT_FILE),
        Command::Bench(bench) => bench::run(&bench, global.json),
        Command::Serve(serving) => {
            let mut config = settings(&global)?;
            serving.lay_over(&mut config);
            logging::start(&config.log)?;
            server_runtime()?.block_on(serve::serve(config))
        }
        Command::Demo { serving, duration } => {
            let mut config = settings(&global)?;
            demo::prepare(&mut config, global.data.is_some());
            serving.lay_over(&mut config);
            logging::start(&config.log)?;
            server_runtime()?.block_on(demo::demo(config, duration))
        }
        asking => {
            let config = settings(&global)?;
            logging::start_quiet();
            Builder::new_current_thread().enable_all().build()?.block_on(ask::ask(
                asking,
                &config,
                global.json,
            ))
        }
    }
}

fn settings(global: &Global) -> Result<Config> {
    Ok(global.settings(Path::new("."))?)
}

fn server_runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(SERVER_THREAD_COUNT).enable_all().build()?)
}
