//! Topic aliases: numbers that stand for topics on one connection, each side choosing its own (5.0 section 3.3.2.3.4).
//!
//! Both tables end with the connection [MQTT-3.3.2-7 of 5.0] and own nothing before the first alias. What the client
//! says is checked here and learned; what we say is decided here: the first topics of a connection get the numbers,
//! which costs nothing to decide and is right for clients that hear few topics again and again. It never looks at
//! anything but topics.

use std::sync::Arc;

use crate::Reason;
use crate::codec::Violation;
use crate::limits::TOPIC_ALIAS_COUNT_MAX;
use crate::packet::Publish;

const BEYOND_MAXIMUM: Violation = Violation::new(
    Reason::TOPIC_ALIAS_INVALID,
    "5.0 § 3.3.2.3.4",
    "a client used a topic alias beyond the maximum announced",
);
const UNKNOWN: Violation =
    Violation::protocol("5.0 § 3.3.2.3.4", "a client used a topic alias that stands for no topic yet");

/// Topics by number, from 1; one pointer for the many clients without any.
type Topics<T> = Option<Box<Numbered<T>>>;

#[derive(Debug)]
struct Numbered<T>(Vec<T>);

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered(Vec::new())
    }
}

/// What the client's numbers stand for.
#[derive(Debug)]
pub(super) struct Heard {
    topics: Topics<Option<Arc<str>>>,
    count_max: u16,
}

impl Heard {
    /// A table for so many numbers; our bound holds where more were announced.
    pub(super) fn new(count_max: u16) -> Self {
        Heard { topics: None, count_max: count_max.min(TOPIC_ALIAS_COUNT_MAX) }
    }

    /// Learns the alias of a PUBLISH, or checks that it is known.
    pub(super) fn take(&mut self, publish: &Publish<'_>) -> Result<(), Violation> {
        let Some(alias) = publish.properties.topic_alias() else { return Ok(()) };
        if alias == 0 || alias > self.count_max {
            return Err(BEYOND_MAXIMUM);
        }
        let at = usize::from(alias) - 1;
        if publish.topic.is_empty() {
            return self.at(at).map(|_| ()).ok_or(UNKNOWN);
        }
        let Numbered(topics) = &mut **self.topics.get_or_insert_default();
        if topics.len() <= at {
            topics.resize(at + 1, None);
        }
        if let Some(topic) = topics.get_mut(at).filter(|it| it.as_deref() != Some(publish.topic)) {
            *topic = Some(publish.topic.into());
        }
        Ok(())
    }

    /// The topic that the alias of a PUBLISH stands for.
    pub(super) fn topic(&self, publish: &Publish<'_>) -> Option<Arc<str>> {
        let at = usize::from(publish.properties.topic_alias()?).checked_sub(1)?;
        self.at(at).cloned()
    }

    fn at(&self, at: usize) -> Option<&Arc<str>> {
        self.topics.as_ref()?.0.get(at)?.as_ref()
    }
}

/// What our numbers stand for.
#[derive(Debug)]
pub(super) struct Told {
    topics: Topics<Box<str>>,
    count_max: u16,
}

impl Told {
    /// A table for so many numbers as the client takes, within our bound.
    pub(super) fn new(count_max: u16) -> Self {
        Told { topics: None, count_max: count_max.min(TOPIC_ALIAS_COUNT_MAX) }
    }

    /// The number of a topic that the client has heard with it.
    pub(super) fn known(&self, topic: &str) -> Option<u16> {
        let at = self.topics.as_ref()?.0.iter().position(|it| **it == *topic)?;
        u16::try_from(at + 1).ok()
    }

    /// The number that the next topic will get, if there is one left.
    pub(super) fn free(&self) -> Option<u16> {
        let told_count = self.topics.as_ref().map_or(0, |it| it.0.len());
        let next = u16::try_from(told_count + 1).ok()?;
        (next <= self.count_max).then_some(next)
    }

    /// The client is being told that the number that was free stands for this topic.
    pub(super) fn tell(&mut self, topic: &str) {
        if self.free().is_some() {
            self.topics.get_or_insert_default().0.push(topic.into());
        }
    }
}
