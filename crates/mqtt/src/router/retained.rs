//! Retained messages: the last one of each topic, found by filter.
//!
//! A tree of the topics' own levels, so that a subscription to one device's events does not look at the other devices.
//! It keeps whatever the owner calls a message and never decides what is retained or for how long.

use super::first_level;
use super::trie::{NodeId, Trie};

/// The last message of each topic.
#[derive(Debug)]
pub struct Retained<M> {
    topics: Trie<Entry<M>>,
    count: usize,
}

#[derive(Debug)]
struct Entry<M> {
    topic: Box<str>,
    message: M,
}

/// A node to visit and what the filter still asks for there.
enum Step<'f> {
    /// The filter ends here.
    Here(NodeId),
    /// The filter goes on.
    Along(NodeId, &'f str),
    /// The filter ended with `#`: this node and all below it.
    All(NodeId),
}

impl<M> Default for Retained<M> {
    fn default() -> Self {
        Retained { topics: Trie::default(), count: 0 }
    }
}

impl<M> Retained<M> {
    /// No retained message for any topic.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many topics have a message.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no topic has a message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sets the message of a topic and returns the one it replaces [MQTT-3.3.1-5].
    pub fn set(&mut self, topic: &str, message: M) -> Option<M> {
        let at = self.topics.ensure(topic);
        match self.topics.value_mut(at) {
            Some(entry) => Some(std::mem::replace(&mut entry.message, message)),
            empty => {
                *empty = Some(Box::new(Entry { topic: topic.into(), message }));
                self.count += 1;
                None
            }
        }
    }

    /// Removes the message of a topic and returns it.
    pub fn remove(&mut self, topic: &str) -> Option<M> {
        let at = self.topics.find(topic)?;
        let entry = self.topics.value_mut(at).take()?;
        self.topics.prune(at, topic);
        self.count -= 1;
        Some(entry.message)
    }

    /// The message of a topic.
    pub fn get(&self, topic: &str) -> Option<&M> {
        let at = self.topics.find(topic)?;
        self.topics.value(at).map(|entry| &entry.message)
    }

    /// Calls `each` with every topic that matches `filter` and its message, in no particular order.
    ///
    /// A filter that starts with a wildcard does not match a topic that starts with `$` [MQTT-4.7.2-1].
    pub fn matching<'a>(&'a self, filter: &str, mut each: impl FnMut(&'a str, &'a M)) {
        let mut pending = vec![Step::Along(NodeId::ROOT, filter)];
        while let Some(step) = pending.pop() {
            match step {
                Step::Here(at) => self.visit(at, &mut each),
                Step::All(at) => {
                    self.visit(at, &mut each);
                    pending.extend(self.children(at).map(Step::All));
                }
                Step::Along(at, rest) => {
                    let (level, rest) = first_level(rest);
                    let onward = |child| rest.map_or(Step::Here(child), |rest| Step::Along(child, rest));
                    match level {
                        // The root itself is no topic, so `#` may start at it like at any other node.
                        "#" => pending.push(Step::All(at)),
                        "+" => pending.extend(self.children(at).map(onward)),
                        level => pending.extend(self.topics.literal(at, level).map(onward)),
                    }
                }
            }
        }
    }

    fn visit<'a>(&'a self, at: NodeId, each: &mut impl FnMut(&'a str, &'a M)) {
        if let Some(entry) = self.topics.value(at) {
            each(&entry.topic, &entry.message);
        }
    }

    /// The children that a wildcard reaches.
    fn children(&self, at: NodeId) -> impl Iterator<Item = NodeId> {
        let is_root = at == NodeId::ROOT;
        let is_hidden = move |level: &str| is_root && level.starts_with('$');
        self.topics.literals(at).filter(move |(level, _)| !is_hidden(level)).map(|(_, child)| child)
    }
}
