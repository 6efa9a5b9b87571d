//! Topic names and topic filters (section 4.7): what is well formed, what matches, what is shared.
//!
//! Called by the codec for everything that arrives, by the router, and by dialects. Nothing here allocates or recurses;
//! texts are walked level by level.

use std::fmt;

use crate::limits::{TOPIC_BYTES_MAX, TOPIC_LEVEL_COUNT_MAX};

/// Why a text is not a topic name or a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicFault {
    /// It has no character. [MQTT-4.7.3-1]
    Empty,
    /// It has U+0000. [MQTT-4.7.3-2]
    Nul,
    /// It is longer than [`TOPIC_BYTES_MAX`].
    TooLong,
    /// It has more levels than [`TOPIC_LEVEL_COUNT_MAX`].
    TooDeep,
    /// A topic name has `+` or `#`. [MQTT-3.3.2-2]
    Wildcard,
    /// `#` is not the last level, or not alone in it. [MQTT-4.7.1-2]
    MultiLevelWildcard,
    /// `+` is not alone in its level. [MQTT-4.7.1-3]
    SingleLevelWildcard,
    /// `$share/` is not followed by a group without wildcards, a `/` and a filter (5.0 section 4.8.2).
    Share,
}

impl TopicFault {
    /// The clause that forbids it; for our own bounds the name of the bound.
    pub fn clause(self) -> &'static str {
        match self {
            TopicFault::Empty => "MQTT-4.7.3-1",
            TopicFault::Nul => "MQTT-4.7.3-2",
            TopicFault::TooLong => "TOPIC_BYTES_MAX",
            TopicFault::TooDeep => "TOPIC_LEVEL_COUNT_MAX",
            TopicFault::Wildcard => "MQTT-3.3.2-2",
            TopicFault::MultiLevelWildcard => "MQTT-4.7.1-2",
            TopicFault::SingleLevelWildcard => "MQTT-4.7.1-3",
            TopicFault::Share => "5.0 § 4.8.2",
        }
    }

    /// What is wrong, as the end of a sentence.
    pub fn what(self) -> &'static str {
        match self {
            TopicFault::Empty => "a topic has no character",
            TopicFault::Nul => "a topic contains U+0000",
            TopicFault::TooLong => "a topic is longer than this server takes",
            TopicFault::TooDeep => "a topic has more levels than this server takes",
            TopicFault::Wildcard => "a topic name contains a wildcard",
            TopicFault::MultiLevelWildcard => "'#' is not the whole last level of a topic filter",
            TopicFault::SingleLevelWildcard => "'+' is not a whole level of a topic filter",
            TopicFault::Share => "a shared subscription lacks its group or its filter",
        }
    }
}

impl fmt::Display for TopicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.what(), self.clause())
    }
}

impl std::error::Error for TopicFault {}

/// Checks that a text is a topic name: what a message can be published to.
pub fn check_name(name: &str) -> Result<(), TopicFault> {
    if check_text(name)?.has_wildcard { Err(TopicFault::Wildcard) } else { Ok(()) }
}

/// Checks that a text is a topic filter: what can be subscribed to. The parts of a shared subscription are not looked
/// at; see [`share`].
pub fn check_filter(filter: &str) -> Result<(), TopicFault> {
    check_text(filter)?;
    let mut levels = levels(filter);
    while let Some(level) = levels.next() {
        if level.len() > 1 && level.contains('#') || level == "#" && levels.next().is_some() {
            return Err(TopicFault::MultiLevelWildcard);
        }
        if level.len() > 1 && level.contains('+') {
            return Err(TopicFault::SingleLevelWildcard);
        }
    }
    Ok(())
}

/// What names and filters have in common.
fn check_text(text: &str) -> Result<Scan, TopicFault> {
    if text.is_empty() {
        return Err(TopicFault::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicFault::TooLong);
    }
    let scan = Scan::of(text);
    if scan.has_nul {
        return Err(TopicFault::Nul);
    }
    if scan.level_count > TOPIC_LEVEL_COUNT_MAX { Err(TopicFault::TooDeep) } else { Ok(scan) }
}

/// What one pass over a text finds. Every message pays for it, so it goes in blocks whose counts fit a byte and has no
/// branches: the compiler then does many bytes at a time.
struct Scan {
    level_count: usize,
    has_nul: bool,
    has_wildcard: bool,
}

impl Scan {
    fn of(text: &str) -> Scan {
        const BLOCK_BYTES: usize = 64;
        let mut scan = Scan { level_count: 1, has_nul: false, has_wildcard: false };
        for block in text.as_bytes().chunks(BLOCK_BYTES) {
            let (mut separators, mut nuls, mut wildcards) = (0u8, 0u8, 0u8);
            for &byte in block {
                separators += u8::from(byte == b'/');
                nuls |= u8::from(byte == 0);
                wildcards |= u8::from(byte == b'+') | u8::from(byte == b'#');
            }
            scan.level_count += usize::from(separators);
            scan.has_nul |= nuls != 0;
            scan.has_wildcard |= wildcards != 0;
        }
        scan
    }
}

/// The levels of a topic name or filter, empty ones included: `/a` has two.
pub fn levels(topic: &str) -> impl Iterator<Item = &str> {
    topic.split('/')
}

/// Whether a message published to `topic` is for subscribers of `filter`. A topic that starts with `$` is not matched
/// by a filter that starts with a wildcard. [MQTT-4.7.2-1]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut wanted, mut given) = (levels(filter), levels(topic));
    loop {
        match (wanted.next(), given.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(want), Some(have)) if want == have => {}
            _ => return false,
        }
    }
}

/// A shared subscription taken apart: each message goes to one member of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<'a> {
    /// The name after `$share/`.
    pub group: &'a str,
    /// What the group subscribes to.
    pub filter: &'a str,
}

/// Takes `$share/group/filter` apart; `None` for a filter that is not shared (5.0 section 4.8.2).
///
/// In 5.0 the codec has refused what is no such filter. Before it the form is a filter like any other, so a server that
/// offers shared subscriptions to older clients too may meet a fault here, and refuses that one filter in SUBACK.
pub fn share(filter: &str) -> Result<Option<Share<'_>>, TopicFault> {
    let Some(shared) = filter.strip_prefix("$share/") else {
        return Ok(None);
    };
    match shared.split_once('/') {
        Some((group, filter)) if !group.is_empty() && !group.contains(['+', '#']) && !filter.is_empty() => {
            Ok(Some(Share { group, filter }))
        }
        _ => Err(TopicFault::Share),
    }
}
