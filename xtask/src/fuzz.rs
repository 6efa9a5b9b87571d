//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, for as long as one likes.
//!
//! Coverage comes from LLVM's own instrumentation, which stable Rust can switch on; what it needs beside Rust is a C++
//! compiler for libFuzzer. The corpus stays below the target folder and grows from run to run. Findings are printed as
//! lines for `crates/mqtt/fuzz/seeds/regressions.txt`, where they become a part of every test run. The short form of
//! the same targets needs none of this: `cargo test -p mqtt --test fuzz`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::chores::cargo;
use crate::steps::{CannotRun, Steps, answers, call};

/// The targets of `crates/mqtt/fuzz/targets/mod.rs`.
const TARGETS: &[&str] = &["codecs", "decode", "peer", "router", "session"];

/// Counters for every edge, and comparisons told to the fuzzer: what libFuzzer steers by.
const INSTRUMENTATION: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// Bytes of the longest input: long runs find what short ones find, more slowly.
const INPUT_BYTES_MAX: usize = 1_024;

/// Runs one target, or all of them one after the other, for so many minutes each.
pub(crate) fn run(root: &Path, target: Option<&str>, minutes: u32) -> Result<bool> {
    let targets = match target {
        None => TARGETS.to_vec(),
        Some(name) if TARGETS.contains(&name) => vec![name],
        Some(name) => bail!("there is no target `{name}`; there are {}", TARGETS.join(", ")),
    };
    let mut steps = Steps::default();
    // This program is `<target>/<profile>/xtask`, whatever the target folder is.
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let folder = own.ancestors().nth(2).context("this program is not in a target folder")?.join("fuzz");
    let mut binary = None;
    steps.run("build with instrumentation", || {
        binary = Some(build(root, &folder)?);
        Ok(())
    });
    if let Some(binary) = binary {
        for name in targets {
            steps.run(&format!("{name} for {minutes} min"), || fuzz(&binary, &folder, name, minutes));
        }
    }
    Ok(steps.finish())
}

fn build(root: &Path, folder: &Path) -> Result<PathBuf> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !answers(&compiler, &["--version"]) {
        let why = format!("libFuzzer is built from C++, and `{compiler}` does not run: install g++ or clang");
        bail!(CannotRun(why));
    }
    let host = host()?;
    call(
        cargo(root)
            .args(["build", "--release", "--manifest-path", "crates/mqtt/fuzz/Cargo.toml"])
            // With a target named, build scripts and macros stay without instrumentation.
            .args(["--target", &host, "--target-dir"])
            .arg(folder)
            .env("RUSTFLAGS", INSTRUMENTATION.join(" ")),
    )?;
    Ok(folder.join(host).join("release").join("fuzz"))
}

/// The platform that rustc builds for when not told otherwise.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

fn fuzz(binary: &Path, folder: &Path, name: &str, minutes: u32) -> Result<()> {
    let (corpus, findings) = (folder.join(name).join("corpus"), folder.join(name).join("findings"));
    for folder in [&corpus, &findings] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let outcome = call(
        Command::new(binary)
            .arg(&corpus)
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .args(["-timeout=10", "-print_final_stats=1"])
            .env("TIDEGATE_FUZZ_TARGET", name)
            .env("TIDEGATE_FUZZ_SEEDS", &corpus),
    );
    let found = findings_of(&findings, name)?;
    if !found.is_empty() {
        println!("findings, as lines for crates/mqtt/fuzz/seeds/regressions.txt:\n{found}");
        bail!("findings are in {}; remove them when they are mended", findings.display());
    }
    outcome
}

/// What libFuzzer left behind, one line each.
fn findings_of(folder: &Path, name: &str) -> Result<String> {
    let mut lines = String::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let input = std::fs::read(entry?.path())?;
        let bytes: Vec<String> = input.iter().map(|byte| format!("{byte:02x}")).collect();
        lines += &format!("{name} {}\n", bytes.join(" "));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn every_target_is_listed() {
        let list = crate::root().unwrap().join("crates/mqtt/fuzz/targets/mod.rs");
        let text = std::fs::read_to_string(list).unwrap();
        let named: Vec<&str> =
            text.split("Target { name: \"").skip(1).filter_map(|it| it.split('"').next()).collect();
        assert_eq!(named, TARGETS);
    }
}
