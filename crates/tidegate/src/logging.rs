//! Where log lines go: to the standard error, for people or as JSON.
//!
//! The subscriber is the one thing of a process that cannot be handed around; only the command line sets it.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging as the settings say.
pub(crate) fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::builder().parse(&log.level).with_context(|| {
        format!("`level` in [log] is `{}`: write error, warn, info, debug or trace, or part=level", log.level)
    })?;
    // Whoever reads the log may stop reading; complaining about that on the same stream would be a panic.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match log.format {
        LogFormat::Human => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Only what went wrong: for commands whose result is on the standard output.
pub(crate) fn start_quiet() {
    let filter = EnvFilter::new("warn");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_target(false)
        .init();
}
