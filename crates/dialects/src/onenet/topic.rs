//! Topics: what a publish is, and what may be subscribed to (spec onenet 5.1, 5.2). Nothing here knows wildcards: a
//! filter is one topic.

use domain::{Code, Refusal};

use crate::limits::ONENET_TOPIC_BYTES_MAX;

/// The topic that data points are uploaded to.
pub const DATA_POINTS: &str = "$dp";
/// What stands before a command's id in the topic of its answer.
const RESPONSE: &str = "$crsp/";

/// What was published, by its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Published<'a> {
    /// Data points, which the payload holds: see [`read`](super::upload::read).
    DataPoints,
    /// The answer to a command, by the command's id; whether there is such a command is not said.
    Response {
        /// Never empty.
        command: &'a str,
    },
    /// A message for those who subscribe to its topic.
    Message,
}

/// What publishing to a topic is. `topic` is a valid MQTT topic name.
///
/// # Errors
///
/// The platform's own topics are reserved: whoever publishes to them is disconnected.
pub fn published(topic: &str) -> Result<Published<'_>, Refusal> {
    if !topic.starts_with('$') {
        return Ok(Published::Message);
    }
    if topic == DATA_POINTS {
        return Ok(Published::DataPoints);
    }
    match topic.strip_prefix(RESPONSE).filter(|it| !it.is_empty()) {
        Some(command) => Ok(Published::Response { command }),
        None => {
            let hint = format!(
                "{topic} is one of the platform's own topics: publish to $dp, to $crsp/ and the id of a command, or \
                 to a topic that does not begin with $."
            );
            Err(Refusal::new(Code::TopicReserved, hint))
        }
    }
}

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscribed<'a> {
    /// A topic.
    Topic,
    /// A topic to which the data points of one stream come, beside what is published to it.
    Stream {
        /// The device's number: decimal digits, of which there may be too many for any device.
        device: &'a str,
        /// The stream. Not empty.
        stream: &'a str,
    },
}

/// What subscribing to a filter is worth. `filter` is a valid MQTT topic filter.
///
/// # Errors
///
/// Reserved topics, wildcards, and characters that no topic may have: SUBACK says 0x80 for each.
pub fn subscribed(filter: &str) -> Result<Subscribed<'_>, Refusal> {
    let refused = |code, why| Err(Refusal::new(code, format!("Nobody can subscribe to {filter}: {why}.")));
    if filter.starts_with('$') {
        return refused(Code::TopicReserved, "topics that begin with $ are the platform's own");
    }
    if filter.contains(['+', '#']) {
        return refused(Code::TopicInvalid, "there are no wildcards, subscribe to each topic by itself");
    }
    if filter.len() > ONENET_TOPIC_BYTES_MAX {
        return refused(Code::TopicInvalid, "a topic has at most 1,024 characters");
    }
    if let Some((device, stream)) = stream(filter) {
        return Ok(Subscribed::Stream { device, stream });
    }
    if !filter.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'/' | b'_' | b'-')) {
        return refused(Code::TopicInvalid, "topics are made of letters, digits, / _ and -");
    }
    Ok(Subscribed::Topic)
}

/// The device and stream in `/<device>/<stream>`.
fn stream(topic: &str) -> Option<(&str, &str)> {
    let (device, stream) = topic.strip_prefix('/')?.split_once('/')?;
    let is_number = !device.is_empty() && device.bytes().all(|it| it.is_ascii_digit());
    (is_number && !stream.is_empty()).then_some((device, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_something_or_reserved() {
        const RESERVED: Result<Published<'_>, Code> = Err(Code::TopicReserved);
        let id = "81572aae-fc34-5deb-8f06-ab45d73cb12b";
        for (topic, expected) in [
            ("$dp", Ok(Published::DataPoints)),
            ("$crsp/81572aae-fc34-5deb-8f06-ab45d73cb12b", Ok(Published::Response { command: id })),
            ("$crsp/x/y", Ok(Published::Response { command: "x/y" })),
            ("$crsp/", RESERVED),
            ("$crsp", RESERVED),
            ("$creq/x", RESERVED),
            ("$dp/", RESERVED),
            ("$dpx", RESERVED),
            ("$DP", RESERVED),
            ("$SYS/x", RESERVED),
            ("$", RESERVED),
            ("dp", Ok(Published::Message)),
            ("a/b", Ok(Published::Message)),
            ("/9278/9527", Ok(Published::Message)),
            ("温度 1", Ok(Published::Message)),
            ("a$", Ok(Published::Message)),
        ] {
            assert_eq!(published(topic).map_err(|it| it.code), expected, "{topic}");
        }
    }

    #[test]
    fn each_filter_is_one_topic() {
        const RESERVED: Result<Subscribed<'_>, Code> = Err(Code::TopicReserved);
        const INVALID: Result<Subscribed<'_>, Code> = Err(Code::TopicInvalid);
        let stream = |device, stream| Ok(Subscribed::Stream { device, stream });
        let long = "t".repeat(ONENET_TOPIC_BYTES_MAX);
        let longer = format!("{long}t");
        for (filter, expected) in [
            ("topic", Ok(Subscribed::Topic)),
            ("/topic_test", Ok(Subscribed::Topic)),
            ("A/b-9//", Ok(Subscribed::Topic)),
            ("/9278/9527", stream("9278", "9527")),
            ("/9278/温度 (1)", stream("9278", "温度 (1)")),
            ("/9278/a/b", stream("9278", "a/b")),
            ("/99999999999999999999/x", stream("99999999999999999999", "x")),
            ("9278/9527", Ok(Subscribed::Topic)),
            ("/9278/", Ok(Subscribed::Topic)),
            ("/9278", Ok(Subscribed::Topic)),
            ("//x.y", INVALID),
            ("/9278x/x.y", INVALID),
            ("/9278/a+", INVALID),
            ("/9278/#", INVALID),
            ("a/+", INVALID),
            ("#", INVALID),
            ("a b", INVALID),
            ("a.b", INVALID),
            ("温度", INVALID),
            ("a\\b", INVALID),
            ("$dp", RESERVED),
            ("$creq", RESERVED),
            ("$creq/x", RESERVED),
            ("$sys/x", RESERVED),
            ("$share/g/#", RESERVED),
            (&long, Ok(Subscribed::Topic)),
            (&longer, INVALID),
        ] {
            assert_eq!(subscribed(filter).map_err(|it| it.code), expected, "{filter}");
        }
    }
}
