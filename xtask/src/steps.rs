//! Steps of a chore: run one after the other, timed, and summed up at the end.
//!
//! A step that fails does not stop the others, so that one run shows everything that is wrong. A step that could not
//! run at all is told apart from one that failed, and fails the chore as well: a check that nobody made is not a pass.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How a step ended.
enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

/// Why a step could not even start, as opposed to having found something wrong.
#[derive(Debug)]
pub(crate) struct CannotRun(pub(crate) String);

impl std::fmt::Display for CannotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRun {}

/// The steps of one chore so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    /// Runs one step and remembers how it went and how long it took.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        println!("\n=== {name}");
        let started_at = Instant::now();
        let outcome = step();
        self.record(name, outcome, started_at.elapsed());
    }

    /// Remembers a step that has been run.
    pub(crate) fn record(&mut self, name: &str, outcome: Result<()>, took: Duration) {
        let outcome = match outcome {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<CannotRun>() => Outcome::NotRun(format!("{error:#}")),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        match &outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => println!("--- {name} FAILED: {why}"),
            Outcome::NotRun(why) => println!("--- {name} COULD NOT RUN: {why}"),
        }
        self.done.push((name.to_owned(), outcome, took));
    }

    /// Prints what ran, and returns whether all of it passed.
    pub(crate) fn finish(self) -> bool {
        let mut text = String::from("\n=== summary\n");
        for (name, outcome, took) in &self.done {
            let (word, why) = match outcome {
                Outcome::Passed => ("passed", ""),
                Outcome::Failed(why) => ("FAILED", why.as_str()),
                Outcome::NotRun(why) => ("NOT RUN", why.as_str()),
            };
            text += &format!("{word:<8}{:>7.1} s  {name}\n", took.as_secs_f32());
            for line in why.lines() {
                text += &format!("                   {line}\n");
            }
        }
        let total: Duration = self.done.iter().map(|it| it.2).sum();
        let passed = self.done.iter().all(|it| matches!(it.1, Outcome::Passed));
        let verdict = if passed { "all passed" } else { "NOT all passed" };
        text += &format!("{:>15.1} s  {verdict}\n", total.as_secs_f32());
        print!("{text}");
        passed
    }
}

/// Runs a command in the foreground; its command line is printed first.
///
/// # Errors
///
/// The program cannot be started or exits with a status other than 0.
pub(crate) fn call(command: &mut Command) -> Result<()> {
    call_allowing(command, &[])
}

/// The same, where these statuses are as good as 0.
///
/// # Errors
///
/// The program cannot be started or exits with another status.
pub(crate) fn call_allowing(command: &mut Command, statuses: &[i32]) -> Result<()> {
    println!("$ {}{}", variables(command), line(command));
    let status =
        command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() && !status.code().is_some_and(|it| statuses.contains(&it)) {
        bail!("`{}`: {status}", line(command));
    }
    Ok(())
}

/// The command under `timeout`, which ends it and everything that it has started.
pub(crate) fn within_seconds(seconds: &str, command: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=10", seconds]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded
}

/// What a command prints. Where it fails, its own words are the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("`{}`: {}\n{words}", line(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Is there such a program? Asked by running it with the arguments, without its output.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    let quiet = std::process::Stdio::null;
    let status =
        Command::new(program).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    status.is_ok_and(|it| it.success())
}

/// The variables that the command sets, as a shell would take them.
fn variables(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    set.map(|(name, value)| format!("{name}={value} ")).collect()
}

/// The command as a person would type it.
fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|it| it.to_string_lossy().into_owned()));
    words.join(" ")
}
