//! The fuzz targets: what has to hold for any bytes at all.
//!
//! Each is a plain function that takes bytes and panics where something does not hold. They run in two ways: briefly,
//! from the seeds, with every test run (`tests/fuzz.rs`), and for as long as one likes under libFuzzer
//! (`cargo xtask fuzz`, `fuzz/main.rs`). No target reads anything but its bytes, so that every finding repeats.

pub(crate) mod codecs;
mod decode;
mod peer;
mod router;
pub(crate) mod seeds;
mod session;

/// One target.
pub(crate) struct Target {
    /// What it is called on a command line and in the list of regressions.
    pub(crate) name: &'static str,
    /// Panics at a finding.
    pub(crate) run: fn(&[u8]),
    /// Inputs to start from.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "codecs", run: codecs::run, seeds: seeds::packets },
    Target { name: "decode", run: decode::run, seeds: seeds::packets },
    Target { name: "peer", run: peer::run, seeds: peer::seeds },
    Target { name: "router", run: router::run, seeds: router::seeds },
    Target { name: "session", run: session::run, seeds: session::seeds },
];

/// The target of that name.
pub(crate) fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|it| it.name == name)
}

impl Target {
    /// The seeds, and what was found before.
    pub(crate) fn inputs(&self) -> Vec<Vec<u8>> {
        let mut inputs = (self.seeds)();
        inputs.extend(seeds::regressions(self.name));
        inputs
    }
}
