//! The way of a topic, remembered: what publishing to it means and who receives it.
//!
//! A device publishes to few topics again and again. The way is found once through dialect, registry and router, and
//! is good until a subscription changes (the space's generation) or a device is removed (the registry's).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use dialects::Retention;
use domain::DeviceId;
use foldhash::fast::RandomState;

use crate::hub::space::Target;
use crate::limits;

/// What publishing to a topic means.
pub(crate) struct Way {
    /// The space's generation when `targets` was looked up.
    pub(crate) generation: u64,
    /// The registry's generation when the device was.
    pub(crate) registry_generation: u64,
    pub(crate) kind: Kind,
    /// What the sender's retain flag is worth.
    pub(crate) retention: Retention,
    /// The device it is about; `None` for a message about none, or when nobody knows it and that is no obstacle.
    pub(crate) device: Option<DeviceId>,
    /// The name of the event or command, or the operation.
    pub(crate) name: Arc<str>,
    pub(crate) format: Arc<str>,
    /// The topic in the space's own form.
    pub(crate) topic: Box<str>,
    /// Who receives it.
    pub(crate) targets: Arc<[Target]>,
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Command,
    Message,
    /// Its payload says what.
    Asked,
    Manage,
}

/// Ways by the topic as the client writes it. Nothing for a client that only listens.
#[derive(Default)]
pub(crate) struct Topics {
    known: Option<Box<Known>>,
}

#[derive(Default)]
struct Known {
    /// The last that was found: most clients publish to the same topic again and again.
    last: Option<(Box<str>, Rc<Way>)>,
    ways: HashMap<Box<str>, Rc<Way>, RandomState>,
}

impl Topics {
    /// The way of a topic, if it is known and still good.
    pub(crate) fn get(&self, topic: &str, generation: u64, registry_generation: u64) -> Option<Rc<Way>> {
        let known = self.known.as_deref()?;
        let way = match &known.last {
            Some((last, way)) if **last == *topic => way,
            _ => known.ways.get(topic)?,
        };
        let good = way.generation == generation && way.registry_generation == registry_generation;
        good.then(|| way.clone())
    }
    /// Remembers a way, unless its topic is unusually long.
    pub(crate) fn put(&mut self, topic: &str, way: Way) -> Rc<Way> {
        let way = Rc::new(way);
        if topic.len() > limits::TOPIC_CACHE_BYTES_MAX {
            return way;
        }
        let known = self.known.get_or_insert_default();
        if known.ways.len() >= limits::TOPIC_CACHE_COUNT_MAX {
            known.ways.clear();
        }
        known.ways.insert(topic.into(), way.clone());
        known.last = Some((topic.into(), way.clone()));
        way
    }
}
