//! The inputs to start from, read from the lists in `seeds/`.

use mqtt::Version;

#[path = "../../tests/clauses/notation.rs"]
mod notation;

pub(crate) use notation::hex;

/// The lines of a list, without its comments.
fn lines(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
}

/// Inputs of the targets that read packets: how to read them, how they are cut, the packet.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let input = |(version, packet): (&str, &str)| {
        let version = match version {
            "31" => Version::V31,
            "311" => Version::V311,
            "5" => Version::V5,
            other => panic!("{other} is no version"),
        };
        let mut input = vec![version as u8, 1];
        input.extend(notation::bytes(packet));
        input
    };
    lines(include_str!("../seeds/packets.txt")).map(input).collect()
}

/// What was found before in a target.
pub(crate) fn regressions(target: &str) -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/regressions.txt"))
        .filter(|(name, _)| *name == target)
        .map(|(_, bytes)| notation::bytes(bytes))
        .collect()
}
