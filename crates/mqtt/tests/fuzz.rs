//! The fuzz targets in short: their seeds, what was found before, and a few seconds of mutations of those.
//!
//! Every run does the same, so a failure repeats; it prints the input as a line for `fuzz/seeds/regressions.txt`. The
//! long form, guided by coverage, is `cargo xtask fuzz`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "fuzz/mutation.rs"]
mod mutation;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use mutation::Mutation;
use targets::seeds::hex;
use targets::target;

/// Inputs to a target beside its seeds.
const MUTATION_COUNT: usize = 100_000;

/// Runs a target, and says which input it was that failed.
fn run(name: &str, count: usize) {
    let target = target(name).unwrap();
    let report = |input: &[u8]| {
        if std::panic::catch_unwind(|| (target.run)(input)).is_err() {
            panic!("a finding; to keep it: {name} {}", hex(input));
        }
    };
    let seeds = target.inputs();
    seeds.iter().for_each(|input| report(input));
    let mut mutation = Mutation::new(&seeds);
    for _ in 0..count {
        report(&mutation.next());
    }
}

#[test]
fn a_session_keeps_its_promises() {
    run("session", 3_000);
}

#[test]
fn a_client_may_do_anything() {
    run("peer", 30_000);
}

#[test]
fn subscriptions_are_found() {
    run("router", 5_000);
}

#[test]
fn another_codec_agrees() {
    run("codecs", MUTATION_COUNT);
}

#[test]
fn every_known_difference_is_there() {
    targets::codecs::check_rows();
}

#[test]
fn any_bytes_can_be_read() {
    run("decode", MUTATION_COUNT);
}
