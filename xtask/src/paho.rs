//! Eclipse Paho's interoperability suites against our server.
//!
//! The suites are fetched by whoever wants to run them; `docs/conformance.md` says from where. Each case runs in a
//! process of its own with a time limit, against a server of its own with empty data, so that none can disturb another;
//! several run at a time, because most of what they do is wait.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

use crate::server::{Build, Server};
use crate::steps::{CannotRun, Steps, output, within_seconds};

/// The longest case sleeps for half a minute.
const CASE_SECONDS_MAX: &str = "120";
/// Cases at a time. They are about timing: more would measure the machine.
const CASES_AT_A_TIME: usize = 4;

/// What the suites need: clients without credentials, a filter that may not be subscribed to, and a keep-alive that the
/// server caps. One case publishes before it knows that its other client is subscribed, which only one worker puts in
/// order.
const SETTINGS: &str = r#"[server]
worker_count = 1

[plain]
anonymous = "loopback"
anonymous_subscribe = ["!test/nosubscribe"]

[limits]
keep_alive_s_max = 60
"#;

/// Where: on any free port, so that several servers can run.
const LISTEN: &str = "\n[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"off\"\nhttp = \"off\"\nhttps = \"off\"\nonenet = \"off\"\n";

/// Which of the cases, and how often.
pub(crate) struct Choice<'a> {
    /// The suites' folder: `interoperability`, or the clone that it is in.
    pub(crate) suite: &'a Path,
    /// Only cases whose name contains this.
    pub(crate) filter: Option<&'a str>,
    /// How often each.
    pub(crate) rounds: usize,
}

/// One case: the module and its name.
struct Case {
    module: String,
    name: String,
}

struct Place {
    build: Build,
    script: PathBuf,
    suite: PathBuf,
}

/// Runs the suites and prints how each case went.
///
/// # Errors
///
/// [`CannotRun`] where the suites or Python are not there.
pub(crate) fn run(root: &Path, choice: &Choice<'_>) -> Result<bool> {
    let inner = choice.suite.join("interoperability");
    let suite = if inner.is_dir() { inner } else { choice.suite.to_owned() };
    let suite = suite.canonicalize().with_context(|| format!("no such folder: {}", suite.display()))?;
    let place = Place { build: Build::find()?, script: root.join("tests/paho/case.py"), suite };
    let mut cases = place.cases()?;
    cases.retain(|it| choice.filter.is_none_or(|filter| it.name.contains(filter)));
    place.build.make(root)?;
    let waiting: VecDeque<&Case> = (0..choice.rounds).flat_map(|_| &cases).collect();
    let (waiting, steps) = (Mutex::new(waiting), Mutex::new(Steps::default()));
    std::thread::scope(|scope| {
        for worker in 0..CASES_AT_A_TIME {
            let (place, waiting, steps) = (&place, &waiting, &steps);
            scope.spawn(move || {
                loop {
                    let next = waiting.lock().pop_front();
                    let Some(case) = next else { return };
                    let started_at = Instant::now();
                    let outcome = place.run_case(case, worker);
                    println!("    {}", case.title());
                    steps.lock().record(&case.title(), outcome, started_at.elapsed());
                }
            });
        }
    });
    Ok(steps.into_inner().finish())
}

impl Case {
    fn title(&self) -> String {
        let version = if self.module.ends_with('5') { "5.0  " } else { "3.1.1" };
        format!("{version} {}", self.name)
    }
}

impl Place {
    fn python(&self) -> Command {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&self.script).arg(&self.suite);
        command
    }

    fn cases(&self) -> Result<Vec<Case>> {
        let list = output(&mut self.python()).map_err(|error| {
            CannotRun(format!("{} has no suites of Paho's: {error:#}", self.suite.display()))
        })?;
        let case_of = |line: &str| {
            let (module, name) = line.split_once(' ')?;
            Some(Case { module: module.to_owned(), name: name.to_owned() })
        };
        Ok(list.lines().filter_map(case_of).collect())
    }

    fn run_case(&self, case: &Case, worker: usize) -> Result<()> {
        let folder = self.build.target.join(format!("paho/{worker}"));
        let server = Server::start(&self.build.binary, &folder, &[SETTINGS, LISTEN].concat())?;
        let Some((_, port)) = server.address().rsplit_once(':') else {
            bail!("{:?} has no port", server.address());
        };
        let mut command = self.python();
        command.args([case.module.as_str(), case.name.as_str(), port]);
        output(&mut within_seconds(CASE_SECONDS_MAX, &command))?;
        server.stop()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/conformance.md");

    /// What stands in backticks in one column of the document's tables.
    fn column(number: usize) -> Vec<&'static str> {
        let rows = DOCUMENT.lines().filter(|it| it.starts_with("| `"));
        rows.flat_map(|row| row.split('|').nth(number).unwrap().split('`').skip(1).step_by(2)).collect()
    }

    #[test]
    fn the_document_has_the_settings() {
        assert!(DOCUMENT.contains(SETTINGS));
    }

    #[test]
    fn the_document_names_every_case_and_only_tests_that_exist() {
        // Eight names stand for a case in either suite, two cases have a name of their own in each.
        assert_eq!(column(1).len(), 29);
        let folder = crate::root().unwrap().join("crates/tidegate/tests/server");
        let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_file());
        let sources: String = files.map(|it| std::fs::read_to_string(it).unwrap()).collect();
        for test in column(2) {
            assert!(sources.contains(&format!("async fn {test}()")), "{test} is not there");
        }
    }
}
