//! Who receives what: subscriptions by filter, retained messages by topic.
//!
//! A [`Router`] answers "which subscriptions match this topic" and a [`Retained`] answers "which topics match this
//! filter". Both are plain data structures: the owner decides what a receiver is, puts a lock around them where it
//! needs one, and keeps answers beside its connections. Neither copies a message, knows a session or checks a right.
//! Filters and topics are taken as valid (see [`topic`](crate::topic)); a malformed one matches oddly but breaks
//! nothing.

mod retained;
mod share;
mod trie;

use std::collections::HashMap;
use std::sync::Arc;

pub use retained::Retained;
pub use share::Group;
use trie::{NodeId, Trie};

/// Subscriptions by filter.
///
/// A subscription is identified by its filter and an `id` that the caller chooses (one per session, for example). A
/// client whose filters overlap is found once for each of them.
#[derive(Debug)]
pub struct Router<T> {
    /// Filters without wildcards, which are topics, are found with one look.
    exact: HashMap<Box<str>, Audience<T>>,
    wild: Trie<Stop<T>>,
    subscription_count: usize,
}

/// What a topic was found to be wanted by.
#[derive(Debug)]
pub enum Match<'a, T> {
    /// A subscription of its own.
    One(&'a T),
    /// A share group, of which one member receives the message.
    Group(&'a Arc<Group<T>>),
}

/// The subscriptions that end at a node of the trie.
#[derive(Debug)]
struct Stop<T> {
    /// Filters that end with the node's own level.
    here: Audience<T>,
    /// Filters that go on with `#`.
    below: Audience<T>,
}

/// Everyone who subscribed to one filter.
#[derive(Debug)]
struct Audience<T> {
    /// Sorted by id; ids usually grow, so a new one usually goes to the end.
    ones: Vec<(u64, T)>,
    groups: Vec<Arc<Group<T>>>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Router { exact: HashMap::new(), wild: Trie::default(), subscription_count: 0 }
    }
}

impl<T> Router<T> {
    /// A router without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many subscriptions there are, members of share groups included.
    pub fn len(&self) -> usize {
        self.subscription_count
    }

    /// Whether nobody subscribed to anything.
    pub fn is_empty(&self) -> bool {
        self.subscription_count == 0
    }

    /// Calls `each` for every subscription and every share group whose filter matches `topic`, in no particular order.
    ///
    /// A filter that starts with a wildcard does not match a topic that starts with `$` [MQTT-4.7.2-1].
    pub fn matching<'a>(&'a self, topic: &str, mut each: impl FnMut(Match<'a, T>)) {
        if let Some(audience) = self.exact.get(topic) {
            audience.visit(&mut each);
        }
        if self.wild.is_empty() {
            return;
        }
        let mut pending = Pending::default();
        let mut next = Some((NodeId::ROOT, Some(topic)));
        while let Some((at, rest)) = next.take().or_else(|| pending.pop()) {
            let is_hidden = at == NodeId::ROOT && topic.starts_with('$');
            if let Some(stop) = self.wild.value(at).filter(|_| !is_hidden) {
                stop.below.visit(&mut each); // `#` includes the level it follows
                if rest.is_none() {
                    stop.here.visit(&mut each);
                }
            }
            let Some(rest) = rest else { continue };
            let (level, rest) = first_level(rest);
            next = self.wild.literal(at, level).map(|child| (child, rest));
            if let Some(plus) = self.wild.plus(at).filter(|_| !is_hidden) {
                match next {
                    Some(_) => pending.push((plus, rest)),
                    None => next = Some((plus, rest)),
                }
            }
        }
    }

    fn audience_mut(&mut self, filter: &str) -> Option<&mut Audience<T>> {
        if !has_wildcard(filter) {
            return self.exact.get_mut(filter);
        }
        let (path, end) = path_of(filter);
        let at = self.find(path)?;
        self.wild.value_mut(at).as_mut().map(|stop| stop.at_mut(end))
    }

    fn find(&self, path: Option<&str>) -> Option<NodeId> {
        path.map_or(Some(NodeId::ROOT), |path| self.wild.find(path))
    }

    fn ensure_audience(&mut self, filter: &str) -> &mut Audience<T> {
        if !has_wildcard(filter) {
            return self.exact.entry(filter.into()).or_default();
        }
        let (path, end) = path_of(filter);
        let at = path.map_or(NodeId::ROOT, |path| self.wild.ensure(path));
        self.wild.value_mut(at).get_or_insert_default().at_mut(end)
    }

    /// Forgets a filter that has lost its last subscription.
    fn prune(&mut self, filter: &str) {
        if !has_wildcard(filter) {
            self.exact.remove(filter);
            return;
        }
        let (path, _) = path_of(filter);
        let Some(at) = self.find(path) else { return };
        let value = self.wild.value_mut(at);
        if value.as_ref().is_some_and(|stop| stop.here.is_empty() && stop.below.is_empty()) {
            *value = None;
        }
        self.wild.prune(at, path.unwrap_or_default());
    }
}

impl<T: Clone> Router<T> {
    /// Adds a subscription; one with the same filter and id is replaced and returned.
    pub fn insert(&mut self, filter: &str, id: u64, value: T) -> Option<T> {
        let replaced = self.ensure_audience(filter).insert(id, value);
        self.subscription_count += usize::from(replaced.is_none());
        replaced
    }

    /// Adds a member to the group `group` at `filter` (the part behind `$share/<group>/`); a member with the same id is
    /// replaced and returned.
    pub fn insert_shared(&mut self, filter: &str, group: &str, id: u64, value: T) -> Option<T> {
        let replaced = self.ensure_audience(filter).insert_shared(group, id, value);
        self.subscription_count += usize::from(replaced.is_none());
        replaced
    }

    /// Removes a subscription and returns it.
    pub fn remove(&mut self, filter: &str, id: u64) -> Option<T> {
        let audience = self.audience_mut(filter)?;
        let removed = audience.remove(id);
        self.after_removal(filter, removed)
    }

    /// Removes a member of a share group and returns it.
    pub fn remove_shared(&mut self, filter: &str, group: &str, id: u64) -> Option<T> {
        let audience = self.audience_mut(filter)?;
        let removed = audience.remove_shared(group, id);
        self.after_removal(filter, removed)
    }

    fn after_removal(&mut self, filter: &str, removed: Option<T>) -> Option<T> {
        if removed.is_some() {
            self.subscription_count -= 1;
            if self.audience_mut(filter).is_some_and(|it| it.is_empty()) {
                self.prune(filter);
            }
        }
        removed
    }
}

impl<T> Default for Stop<T> {
    fn default() -> Self {
        Stop { here: Audience::default(), below: Audience::default() }
    }
}

impl<T> Stop<T> {
    fn at_mut(&mut self, end: End) -> &mut Audience<T> {
        match end {
            End::Here => &mut self.here,
            End::Below => &mut self.below,
        }
    }
}

impl<T> Default for Audience<T> {
    fn default() -> Self {
        Audience { ones: Vec::new(), groups: Vec::new() }
    }
}

impl<T> Audience<T> {
    fn is_empty(&self) -> bool {
        self.ones.is_empty() && self.groups.is_empty()
    }

    fn visit<'a>(&'a self, each: &mut impl FnMut(Match<'a, T>)) {
        for (_, value) in &self.ones {
            each(Match::One(value));
        }
        for group in &self.groups {
            each(Match::Group(group));
        }
    }

    fn insert(&mut self, id: u64, value: T) -> Option<T> {
        match self.ones.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => self.ones.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                if self.ones.is_empty() {
                    self.ones.reserve_exact(1); // most filters have one subscriber for ever
                }
                self.ones.insert(at, (id, value));
                None
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<T> {
        let at = self.ones.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.ones.remove(at).1)
    }
}

impl<T: Clone> Audience<T> {
    fn insert_shared(&mut self, name: &str, id: u64, value: T) -> Option<T> {
        if let Some(group) = self.groups.iter_mut().find(|it| it.name() == name) {
            return Arc::make_mut(group).insert(id, value);
        }
        let mut group = Group::new(name);
        group.insert(id, value);
        self.groups.push(Arc::new(group));
        None
    }

    fn remove_shared(&mut self, name: &str, id: u64) -> Option<T> {
        let at = self.groups.iter().position(|it| it.name() == name && it.contains(id))?;
        let group = self.groups.get_mut(at)?;
        let removed = Arc::make_mut(group).remove(id);
        if group.is_empty() {
            self.groups.remove(at);
        }
        removed
    }
}

/// How a filter ends at its node.
#[derive(Clone, Copy)]
enum End {
    Here,
    Below,
}

/// A filter as the path to its node (none is the root) and how it ends there.
fn path_of(filter: &str) -> (Option<&str>, End) {
    match filter.strip_suffix('#') {
        Some("") => (None, End::Below),
        Some(path) => (Some(path.strip_suffix('/').unwrap_or(path)), End::Below),
        None => (Some(filter), End::Here),
    }
}

fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// The first level of a topic and, if there is a separator behind it, what follows.
fn first_level(topic: &str) -> (&str, Option<&str>) {
    match topic.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (topic, None),
    }
}

/// A node to visit with the levels of the topic that are left (none when the topic ends there).
type Step<'t> = (NodeId, Option<&'t str>);

/// The turns not taken yet; at most one for each level of the topic, so nearly always within the array.
struct Pending<'t> {
    near: [Step<'t>; PENDING_NEAR_COUNT],
    near_count: usize,
    far: Vec<Step<'t>>,
}

/// Pending turns that need no allocation.
const PENDING_NEAR_COUNT: usize = 12;

impl Default for Pending<'_> {
    fn default() -> Self {
        Pending { near: [(NodeId::ROOT, None); PENDING_NEAR_COUNT], near_count: 0, far: Vec::new() }
    }
}

impl<'t> Pending<'t> {
    fn push(&mut self, step: Step<'t>) {
        match self.near.get_mut(self.near_count) {
            Some(slot) => {
                *slot = step;
                self.near_count += 1;
            }
            None => self.far.push(step),
        }
    }

    fn pop(&mut self) -> Option<Step<'t>> {
        if let Some(step) = self.far.pop() {
            return Some(step);
        }
        self.near_count = self.near_count.checked_sub(1)?;
        self.near.get(self.near_count).copied()
    }
}
