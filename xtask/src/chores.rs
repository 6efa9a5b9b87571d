//! The chores that call cargo: the whole test, its parts and the long versions of some tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::sdk::{self, Network};
use crate::steps::{Steps, answers, call};
use crate::tidy;

/// Everything that CI runs.
pub(crate) fn test(root: &Path, network: Network) -> Result<bool> {
    let mut steps = Steps::default();
    steps.run("format", || {
        need_component("rustfmt", "fmt")?;
        call(cargo(root).args(["fmt", "--all", "--check"]))
    });
    steps.run("house rules", || match tidy::run(root)? {
        0 => Ok(()),
        faults => bail!("{faults} faults"),
    });
    steps.run("lints", || {
        need_component("clippy", "clippy")?;
        call(cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    steps.run("tests", || call(&mut tests(root)));
    steps.run("documentation tests", || call(cargo(root).args(["test", "--workspace", "--doc", "--quiet"])));
    steps.run("SDKs and clients", || sdk::run(root, network, None));
    Ok(steps.finish())
}

/// Only the vendors' SDKs and the other clients.
pub(crate) fn sdk(root: &Path, network: Network, filter: Option<&str>) -> Result<bool> {
    let mut steps = Steps::default();
    steps.run("SDKs and clients", || sdk::run(root, network, filter));
    Ok(steps.finish())
}

/// Prints the MQTT clauses without a row.
pub(crate) fn clauses(root: &Path) -> Result<bool> {
    let mut steps = Steps::default();
    steps.run("MQTT clauses", || {
        // Its failure names every statement that has no row, and every row that does not hold.
        call(cargo(root).args(["test", "--quiet", "-p", "mqtt", "--test", "clauses"]))?;
        println!("no statement of MQTT 3.1.1 or 5.0 is without a row");
        Ok(())
    });
    Ok(steps.finish())
}

/// The store's crash test with many seeds.
pub(crate) fn crash(root: &Path, seeds: u32) -> Result<bool> {
    let mut steps = Steps::default();
    steps.run(&format!("{seeds} crashes"), || {
        call(
            cargo(root)
                .args(["test", "--release", "-p", "store", "crash", "--", "--nocapture"])
                .env("TIDEGATE_CRASH_SEEDS", seeds.to_string()),
        )
    });
    Ok(steps.finish())
}

/// The server killed under load.
pub(crate) fn kill(root: &Path, rounds: u32) -> Result<bool> {
    let mut steps = Steps::default();
    steps.run(&format!("{rounds} kills"), || {
        call(
            cargo(root)
                .args(["test", "-p", "tidegate", "--test", "kill", "--", "--nocapture"])
                .env("TIDEGATE_KILL_ROUNDS", rounds.to_string()),
        )
    });
    Ok(steps.finish())
}

/// cargo in the workspace root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    command
}

/// nextest where it is installed: it runs the tests of all crates side by side and names the slow ones.
fn tests(root: &Path) -> Command {
    let mut command = cargo(root);
    if answers("cargo", &["nextest", "--version"]) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        command.args(["test", "--workspace", "--no-fail-fast"]);
    }
    command
}

/// A minimal toolchain comes without rustfmt and clippy; rustup adds them.
fn need_component(component: &str, subcommand: &str) -> Result<()> {
    if answers("cargo", &[subcommand, "--version"]) {
        return Ok(());
    }
    call(Command::new("rustup").args(["component", "add", component]))
}
