//! The official packages, pinned, in folders below `target/sdk` so that the machine stays as it is.
//!
//! Python has a virtual environment and Node a `node_modules`; both are made anew when the list of packages changes.
//! Programs that are missing are installed with apt when that is possible, as on a bare Debian.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Place;
use crate::steps::{CannotRun, answers, call};

/// The Python and Node packages of one place.
pub(super) struct Packages {
    python_scripts: PathBuf,
    python_home: PathBuf,
    node_scripts: PathBuf,
    node_home: PathBuf,
}

impl Packages {
    pub(super) fn new(place: &Place) -> Packages {
        Packages {
            python_scripts: place.scripts.join("python"),
            python_home: place.work.join("venv"),
            node_scripts: place.scripts.join("node"),
            node_home: place.work.join("node"),
        }
    }

    /// Installs what is missing.
    ///
    /// # Errors
    ///
    /// [`CannotRun`] if a program is missing and cannot be installed, or a registry cannot be reached.
    pub(super) fn install(&self) -> Result<()> {
        need("unshare", &["--version"], "util-linux")?;
        need("ip", &["-Version"], "iproute2")?;
        need("python3", &["-c", "import venv, ensurepip"], "python3-venv")?;
        need("node", &["--version"], "nodejs")?;
        need("npm", &["--version"], "npm")?;
        self.install_python().map_err(|error| CannotRun(format!("no Python packages: {error:#}")))?;
        self.install_node().map_err(|error| CannotRun(format!("no Node packages: {error:#}")))?;
        Ok(())
    }

    fn install_python(&self) -> Result<()> {
        let list = self.python_scripts.join("requirements.txt");
        let stamp = Stamp::new(self.python_home.join("installed.txt"), std::slice::from_ref(&list))?;
        if stamp.holds() {
            return Ok(());
        }
        call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&self.python_home))?;
        let pip = self.python_home.join("bin/pip");
        call(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list))?;
        stamp.set()
    }

    fn install_node(&self) -> Result<()> {
        let lists = ["package.json", "package-lock.json"].map(|it| self.node_scripts.join(it));
        let stamp = Stamp::new(self.node_home.join("installed.txt"), &lists)?;
        if stamp.holds() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.node_home)?;
        for list in &lists {
            let name = list.file_name().context("a list of packages has no name")?;
            std::fs::copy(list, self.node_home.join(name))?;
        }
        call(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
                .current_dir(&self.node_home),
        )?;
        stamp.set()
    }

    /// All Python tests, or those whose name contains `filter`.
    pub(super) fn python(&self, filter: Option<&str>) -> Command {
        let mut command = Command::new(self.python_home.join("bin/python"));
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
        command.current_dir(&self.python_scripts);
        command
    }

    /// All Node tests, or those whose name contains `filter`.
    ///
    /// # Errors
    ///
    /// The scripts' folder cannot be listed.
    pub(super) fn node(&self, filter: Option<&str>) -> Result<Command> {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=spec"]);
        if let Some(filter) = filter {
            command.arg(format!("--test-name-pattern={filter}"));
        }
        let mut scripts: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&self.node_scripts)? {
            scripts.push(entry?.path());
        }
        scripts.retain(|it| it.to_string_lossy().ends_with(".test.js"));
        scripts.sort();
        command
            .args(scripts)
            .env("NODE_PATH", self.node_home.join("node_modules"))
            .current_dir(&self.node_scripts);
        Ok(command)
    }
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
