//! The inputs to start from, read from the lists in `seeds/`.

use mqtt::Version;

#[path = "../../tests/clauses/notation.rs"]
mod notation;

pub(crate) use notation::hex;

/// The lines of a list, without its comments.
fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A line of the packets: the version and the bytes.
pub(crate) fn version_and_bytes(line: &str) -> (Version, Vec<u8>) {
    let (version, packet) = line.split_once(' ').unwrap_or((line, ""));
    let version = match version {
        "31" => Version::V31,
        "311" => Version::V311,
        "5" => Version::V5,
        other => panic!("{other} is no version"),
    };
    (version, notation::bytes(packet))
}

/// Inputs of the targets that read packets: how to read them, how they are cut, the packet.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let input = |line| {
        let (version, packet) = version_and_bytes(line);
        [&[version as u8, 1], &*packet].concat()
    };
    lines(include_str!("../seeds/packets.txt")).map(input).collect()
}

/// What was found before in a target.
pub(crate) fn regressions(target: &str) -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/regressions.txt"))
        .filter_map(|line| line.split_once(' ').filter(|(name, _)| *name == target))
        .map(|(_, bytes)| notation::bytes(bytes))
        .collect()
}
