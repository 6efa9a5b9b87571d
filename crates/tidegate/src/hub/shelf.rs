//! What is retained in one topic space.
//!
//! Clients' messages are bounded in number and bytes; what the server keeps under system topics is not counted. Holds
//! messages and finds them; who may retain what, and what is stored of it, is decided by the callers.

use std::collections::HashMap;

use domain::{Millis, Retained};
use mqtt::router;

/// How much clients may have retained in one topic space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShelfBounds {
    /// Messages.
    pub(crate) count_max: usize,
    /// Bytes of them, topics included.
    pub(crate) bytes_max: usize,
}

/// Retained messages by topic.
#[derive(Default)]
pub(crate) struct Shelf {
    topics: router::Retained<Retained>,
    /// The topics of wills that go when their clients come back, by their sessions' keys.
    wills: HashMap<Box<str>, Box<str>>,
    count: usize,
    bytes: usize,
}

impl Shelf {
    /// Messages of clients.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether a message may become the retained one of its topic.
    pub(crate) fn has_room(&self, retained: &Retained, bounds: ShelfBounds) -> bool {
        let topic = retained.message.topic();
        let replaced = self.topics.get(topic).map(cost_bytes);
        let count = self.count + usize::from(replaced.is_none());
        let bytes = self.bytes - replaced.unwrap_or(0) + cost_bytes(retained);
        is_system(topic) || (count <= bounds.count_max && bytes <= bounds.bytes_max)
    }

    /// Retains a message.
    pub(crate) fn put(&mut self, retained: Retained) {
        let topic = retained.message.topic().to_owned();
        let bytes = cost_bytes(&retained);
        let will_of = retained.will_of.clone();
        let replaced = self.topics.set(&topic, retained);
        self.forget_will(replaced.as_ref());
        self.wills.extend(will_of.map(|key| (key, topic.as_str().into())));
        if !is_system(&topic) {
            self.bytes = self.bytes - replaced.as_ref().map_or(0, cost_bytes) + bytes;
            self.count += usize::from(replaced.is_none());
        }
    }

    /// Forgets what is retained under a topic; false when there was nothing.
    pub(crate) fn remove(&mut self, topic: &str) -> bool {
        let Some(removed) = self.topics.remove(topic) else { return false };
        self.forget_will(Some(&removed));
        if !is_system(topic) {
            self.bytes -= cost_bytes(&removed);
            self.count -= 1;
        }
        true
    }

    /// A message is not what its topic retains any more, nor anybody's will.
    fn forget_will(&mut self, gone: Option<&Retained>) {
        let Some((key, gone)) = gone.and_then(|it| Some((it.will_of.as_ref()?, it))) else { return };
        if self.wills.get(key).is_some_and(|topic| **topic == *gone.message.topic()) {
            self.wills.remove(key);
        }
    }

    /// The topic that retains the will of a session, where one does.
    pub(crate) fn will_of(&self, key: &str) -> Option<&str> {
        self.wills.get(key).map(|it| &**it)
    }

    /// What is retained under a topic.
    pub(crate) fn get(&self, topic: &str) -> Option<&Retained> {
        self.topics.get(topic)
    }

    /// What is retained under topics that match the filter and is still worth delivering.
    pub(crate) fn matching(&self, filter: &str, now_ms: Millis) -> Vec<Retained> {
        let mut found = Vec::new();
        self.topics.matching(filter, |_, it| {
            if it.expires_ms == 0 || it.expires_ms > now_ms {
                found.push(it.clone());
            }
        });
        found
    }

    /// The topics whose message is past its time.
    pub(crate) fn expired(&self, now_ms: Millis) -> Vec<String> {
        let mut found = Vec::new();
        self.topics.matching("#", |topic, it| {
            if it.expires_ms != 0 && it.expires_ms <= now_ms {
                found.push(topic.to_owned());
            }
        });
        found
    }
}

fn cost_bytes(retained: &Retained) -> usize {
    retained.message.cost_bytes()
}

fn is_system(topic: &str) -> bool {
    topic.starts_with('$')
}

#[cfg(test)]
mod tests {
    use domain::{Message, QoS};

    use super::*;

    fn message(topic: &str, payload: &str, expires_ms: Millis) -> Retained {
        let message = Message::shared(topic, b"", payload.as_bytes());
        Retained { message, qos: QoS::AtLeastOnce, expires_ms, will_of: None }
    }

    #[test]
    fn clients_messages_are_bounded_and_the_servers_are_not() {
        let mut shelf = Shelf::default();
        let one = message("a", "12345", 0);
        let bounds = ShelfBounds { count_max: 2, bytes_max: 2 * cost_bytes(&one) };
        for topic in ["a", "b", "$SYS/x"] {
            let it = message(topic, "12345", 0);
            assert!(shelf.has_room(&it, bounds), "{topic}");
            shelf.put(it);
        }
        assert_eq!(shelf.count(), 2);
        assert!(!shelf.has_room(&message("c", "", 0), bounds), "one too many");
        assert!(!shelf.has_room(&message("a", "123456", 0), bounds), "a byte too many");
        assert!(shelf.has_room(&message("a", "54321", 0), bounds), "in place of another");
        assert!(shelf.remove("a") && !shelf.remove("a") && shelf.remove("$SYS/x"));
        assert!(shelf.has_room(&message("c", "", 0), bounds));
        assert!(shelf.remove("b"));
        assert_eq!((shelf.count, shelf.bytes), (0, 0));
    }

    #[test]
    fn a_will_is_found_by_its_session_until_something_takes_its_place() {
        let mut shelf = Shelf::default();
        let will = |topic, key: &str| Retained { will_of: Some(key.into()), ..message(topic, "gone", 0) };
        shelf.put(will("a", "one"));
        assert_eq!((shelf.will_of("one"), shelf.will_of("two")), (Some("a"), None));
        shelf.put(will("a", "two"));
        assert_eq!((shelf.will_of("one"), shelf.will_of("two")), (None, Some("a")));
        shelf.put(will("b", "two"));
        shelf.put(message("a", "", 0));
        assert_eq!(shelf.will_of("two"), Some("b"));
        assert!(shelf.remove("b"));
        assert_eq!((shelf.will_of("two"), shelf.wills.len()), (None, 0));
        shelf.put(will("b", "two"));
        shelf.put(message("b", "", 0));
        assert_eq!(shelf.wills.len(), 0);
    }

    #[test]
    fn what_is_past_its_time_is_not_found() {
        let mut shelf = Shelf::default();
        for (topic, expires_ms) in [("a", 0), ("b", 10), ("c", 20)] {
            shelf.put(message(topic, "", expires_ms));
        }
        let mut found: Vec<_> =
            shelf.matching("#", 10).iter().map(|it| it.message.topic().to_owned()).collect();
        found.sort();
        assert_eq!((found, shelf.expired(10)), (vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]));
    }
}
