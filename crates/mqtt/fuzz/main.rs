//! The fuzz targets under libFuzzer, which keeps those inputs that reach new code and goes on from them.
//!
//! `cargo xtask fuzz` builds this with the instrumentation, and says by two variables which target runs and which
//! folder gets its seeds; the other settings are libFuzzer's own.

#![no_main]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "not a part of the pure crate it stands in"
)]

#[path = "targets/mod.rs"]
mod targets;

use std::path::PathBuf;
use std::sync::LazyLock;

use targets::Target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("TIDEGATE_FUZZ_TARGET").expect("TIDEGATE_FUZZ_TARGET is set");
    let names: Vec<&str> = targets::TARGETS.iter().map(|it| it.name).collect();
    targets::target(&name).unwrap_or_else(|| panic!("`{name}` is none of {names:?}"))
});

/// Writes the seeds to where libFuzzer will look for them. Ten minutes against a list that is out of date are lost.
fn prepare() {
    targets::codecs::check_rows();
    let Some(folder) = std::env::var_os("TIDEGATE_FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (number, input) in TARGET.inputs().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), input).expect("a seed can be written");
    }
}

libfuzzer_sys::fuzz_target!(init: prepare(), |data: &[u8]| (TARGET.run)(data));
