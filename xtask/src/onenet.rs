//! The C sample of OneNET's maker against our server.
//!
//! It is fetched by whoever wants to run it; `crates/dialects/src/onenet/README.md` says from where.
//! `tests/onenet/sample.py` builds it and does with it what there is to do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::server::Build;
use crate::steps::{Steps, call, within_seconds};

/// It takes some seconds; the rest is for building it.
const SECONDS_MAX: &str = "300";

/// Runs the sample of the SDK in this folder, a clone of the maker's repository.
pub(crate) fn run(root: &Path, sdk: &Path) -> Result<bool> {
    let sdk = sdk.canonicalize().with_context(|| format!("no such folder: {}", sdk.display()))?;
    let build = Build::find()?;
    build.make(root)?;
    let mut steps = Steps::default();
    steps.run("OneNET's C sample", || {
        let mut command = Command::new("python3");
        command.arg("-B").arg(root.join("tests/onenet/sample.py"));
        command.arg(&sdk).arg(&build.binary).arg(build.target.join("onenet"));
        call(&mut within_seconds(SECONDS_MAX, &command))
    });
    Ok(steps.finish())
}
