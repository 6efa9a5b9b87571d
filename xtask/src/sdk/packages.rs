//! The clients' packages as published, pinned, in folders below `target/sdk` so that the machine stays as it is.
//!
//! Each folder of scripts has its own: for Python a virtual environment, for Node a `node_modules`. They are made anew
//! when the list of packages changes. Programs that are missing are installed with apt when that is possible, as on a
//! bare Debian.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Place;
use crate::steps::{CannotRun, answers, call};

/// What a suite's scripts are written in.
#[derive(Clone, Copy)]
pub(super) enum Language {
    Python,
    Node,
}

/// The packages of one folder of test scripts, and how to run the scripts with them.
pub(super) struct Packages {
    language: Language,
    scripts: PathBuf,
    home: PathBuf,
}

impl Packages {
    /// Scripts in `folder` below `tests`, packages in a folder of theirs.
    pub(super) fn new(place: &Place, language: Language, folder: &str) -> Packages {
        let home = place.work.join(folder.replace('/', "-"));
        Packages { language, scripts: place.scripts.join(folder), home }
    }

    /// Installs what is missing.
    ///
    /// # Errors
    ///
    /// [`CannotRun`] if a registry cannot be reached.
    pub(super) fn install(&self) -> Result<()> {
        let (name, done) = match self.language {
            Language::Python => ("Python", self.install_python()),
            Language::Node => ("Node", self.install_node()),
        };
        done.map_err(|error| CannotRun(format!("no {name} packages: {error:#}")).into())
    }

    fn install_python(&self) -> Result<()> {
        let list = self.scripts.join("requirements.txt");
        let stamp = Stamp::new(self.home.join("installed.txt"), std::slice::from_ref(&list))?;
        if stamp.holds() {
            return Ok(());
        }
        call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&self.home))?;
        let pip = self.home.join("bin/pip");
        call(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list))?;
        stamp.set()
    }

    fn install_node(&self) -> Result<()> {
        let lists = ["package.json", "package-lock.json"].map(|it| self.scripts.join(it));
        let stamp = Stamp::new(self.home.join("installed.txt"), &lists)?;
        if stamp.holds() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.home)?;
        for list in &lists {
            let name = list.file_name().context("a list of packages has no name")?;
            std::fs::copy(list, self.home.join(name))?;
        }
        call(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
                .current_dir(&self.home),
        )?;
        stamp.set()
    }

    /// All tests, or those whose name contains `filter`.
    ///
    /// # Errors
    ///
    /// The scripts' folder cannot be listed.
    pub(super) fn tests(&self, filter: Option<&str>) -> Result<Command> {
        match self.language {
            Language::Python => Ok(self.python(filter)),
            Language::Node => self.node(filter),
        }
    }

    fn python(&self, filter: Option<&str>) -> Command {
        let mut command = Command::new(self.home.join("bin/python"));
        command.args([
            "-B",
            "-W",
            "ignore::DeprecationWarning",
            "-m",
            "unittest",
            "discover",
            "--verbose",
            "--pattern",
            "test_*.py",
        ]);
        if let Some(filter) = filter {
            command.arg("-k").arg(filter);
        }
        command.current_dir(&self.scripts);
        command
    }

    fn node(&self, filter: Option<&str>) -> Result<Command> {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=spec"]);
        if let Some(filter) = filter {
            command.arg(format!("--test-name-pattern={filter}"));
        }
        let mut scripts: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&self.scripts)? {
            scripts.push(entry?.path());
        }
        scripts.retain(|it| it.to_string_lossy().ends_with(".test.js"));
        scripts.sort();
        command.args(scripts).env("NODE_PATH", self.home.join("node_modules")).current_dir(&self.scripts);
        Ok(command)
    }
}

/// Makes sure of the programs that every run needs.
///
/// # Errors
///
/// [`CannotRun`] if one is missing and cannot be installed.
pub(super) fn need_programs() -> Result<()> {
    need("unshare", &["--version"], "util-linux")?;
    need("ip", &["-Version"], "iproute2")?;
    need("python3", &["-c", "import venv, ensurepip"], "python3-venv")?;
    need("node", &["--version"], "nodejs")?;
    need("npm", &["--version"], "npm")
}

/// Remembers for which lists of packages a folder was made.
struct Stamp {
    file: PathBuf,
    text: String,
}

impl Stamp {
    fn new(file: PathBuf, lists: &[PathBuf]) -> Result<Stamp> {
        let mut text = String::new();
        for list in lists {
            text +=
                &std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        }
        Ok(Stamp { file, text })
    }

    fn holds(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|it| it == self.text)
    }

    fn set(&self) -> Result<()> {
        Ok(std::fs::write(&self.file, &self.text)?)
    }
}

/// Makes sure that a program answers, with apt if need be.
fn need(program: &str, arguments: &[&str], package: &str) -> Result<()> {
    if answers(program, arguments) {
        return Ok(());
    }
    let without_questions = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        call(&mut apt)
    };
    let installed = without_questions(&["update", "--quiet"])
        .and_then(|()| without_questions(&["install", "--yes", "--no-install-recommends", package]));
    if installed.is_ok() && answers(program, arguments) {
        return Ok(());
    }
    let why =
        format!("`{program}` is missing and could not be installed; as root: apt-get install {package}");
    Err(CannotRun(why).into())
}
