//! A tree of topic levels: the shape that subscriptions and retained messages share.
//!
//! Nodes live in one vector and name each other by index, so that walking, growing and pruning are loops: no recursion
//! on a depth that a peer chooses, and dropping a deep tree is dropping a vector. Called by the
//! [router](super::Router) and the [retained messages](super::Retained) only; it knows nothing of matching beyond
//! keeping the `+` level apart from the ordinary ones. It never looks at what it stores.

use std::collections::HashMap;

/// Where a node lives in its trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// The node of no level at all.
    pub(super) const ROOT: NodeId = NodeId(0);
    /// Stands for "no such node" where an `Option` would double the size of a node.
    const NONE: NodeId = NodeId(u32::MAX);

    fn some(self) -> Option<NodeId> {
        (self != NodeId::NONE).then_some(self)
    }
}

/// A tree keyed by topic levels, with an optional value at every node.
#[derive(Debug)]
pub(super) struct Trie<V> {
    nodes: Vec<Node<V>>,
    /// Pruned nodes, to be used again. The vector itself keeps the size of its busiest day.
    free: Vec<NodeId>,
}

#[derive(Debug)]
struct Node<V> {
    parent: NodeId,
    /// The child for the level `+`, which is asked for on every step of every match.
    plus: NodeId,
    children: Children,
    /// Boxed, because most nodes are only on the way to something.
    value: Option<Box<V>>,
}

/// Most nodes have one child (`iot-2` → `type` → …), a few have very many (`id` → every device).
#[derive(Debug)]
enum Children {
    None,
    One(Box<str>, NodeId),
    #[expect(clippy::box_collection, reason = "most nodes have no map and should not be as large as one")]
    Many(Box<HashMap<Box<str>, NodeId>>),
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Trie { nodes: vec![Node::new(NodeId::NONE)], free: Vec::new() }
    }
}

impl<V> Trie<V> {
    /// Whether there is no value anywhere. (Pruning leaves no empty nodes.)
    pub(super) fn is_empty(&self) -> bool {
        self.node(NodeId::ROOT).is_vacant()
    }

    /// What is kept at a node.
    pub(super) fn value(&self, at: NodeId) -> Option<&V> {
        self.node(at).value.as_deref()
    }

    /// What is kept at a node, to be set or taken; after taking call [`prune`](Trie::prune).
    pub(super) fn value_mut(&mut self, at: NodeId) -> &mut Option<Box<V>> {
        &mut self.node_mut(at).value
    }

    /// The child for an ordinary level; never the one for `+`.
    pub(super) fn literal(&self, at: NodeId, level: &str) -> Option<NodeId> {
        self.node(at).children.get(level)
    }

    /// The child for the level `+`.
    pub(super) fn plus(&self, at: NodeId) -> Option<NodeId> {
        self.node(at).plus.some()
    }

    /// All children for ordinary levels, with their levels, in no particular order.
    pub(super) fn literals(&self, at: NodeId) -> impl Iterator<Item = (&str, NodeId)> {
        let (one, many) = match &self.node(at).children {
            Children::None => (None, None),
            Children::One(level, child) => (Some((&**level, *child)), None),
            Children::Many(map) => (None, Some(map.iter().map(|(level, child)| (&**level, *child)))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The node that a path leads to, level by level, `+` included.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        path.split('/').try_fold(NodeId::ROOT, |at, level| self.child(at, level))
    }

    /// The node that a path leads to, made if it is not there. The caller gives it a value.
    pub(super) fn ensure(&mut self, path: &str) -> NodeId {
        let mut at = NodeId::ROOT;
        for level in path.split('/') {
            at = match self.child(at, level) {
                Some(child) => child,
                None => self.grow(at, level),
            };
        }
        at
    }

    /// Removes the node that `path` leads to if nothing is left at or below it, and then its parents likewise.
    pub(super) fn prune(&mut self, mut at: NodeId, path: &str) {
        for level in path.rsplit('/') {
            if at == NodeId::ROOT || !self.node(at).is_vacant() {
                return;
            }
            let parent = self.node(at).parent;
            match level {
                "+" => self.node_mut(parent).plus = NodeId::NONE,
                level => self.node_mut(parent).children.remove(level),
            }
            self.free.push(at);
            at = parent;
        }
    }

    /// How many nodes are in use, the root not counted.
    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len() - self.free.len() - 1
    }

    fn child(&self, at: NodeId, level: &str) -> Option<NodeId> {
        if level == "+" { self.plus(at) } else { self.literal(at, level) }
    }

    fn grow(&mut self, parent: NodeId, level: &str) -> NodeId {
        let node = Node::new(parent);
        let at = match self.free.pop() {
            Some(at) => {
                *self.node_mut(at) = node;
                at
            }
            None => {
                let at =
                    u32::try_from(self.nodes.len()).expect("memory ends before four thousand million nodes");
                self.nodes.push(node);
                NodeId(at)
            }
        };
        match level {
            "+" => self.node_mut(parent).plus = at,
            level => self.node_mut(parent).children.insert(level, at),
        }
        at
    }

    fn node(&self, at: NodeId) -> &Node<V> {
        &self.nodes[at.0 as usize]
    }

    fn node_mut(&mut self, at: NodeId) -> &mut Node<V> {
        &mut self.nodes[at.0 as usize]
    }
}

impl<V> Node<V> {
    fn new(parent: NodeId) -> Self {
        Node { parent, plus: NodeId::NONE, children: Children::None, value: None }
    }

    fn is_vacant(&self) -> bool {
        self.value.is_none() && self.plus == NodeId::NONE && matches!(self.children, Children::None)
    }
}

impl Children {
    fn get(&self, level: &str) -> Option<NodeId> {
        match self {
            Children::None => None,
            Children::One(only, child) => (**only == *level).then_some(*child),
            Children::Many(map) => map.get(level).copied(),
        }
    }

    fn insert(&mut self, level: &str, child: NodeId) {
        *self = match std::mem::replace(self, Children::None) {
            Children::None => Children::One(level.into(), child),
            Children::One(other, sibling) => {
                Children::Many(Box::new(HashMap::from([(other, sibling), (level.into(), child)])))
            }
            Children::Many(mut map) => {
                map.insert(level.into(), child);
                Children::Many(map)
            }
        };
    }

    fn remove(&mut self, level: &str) {
        let is_empty = match self {
            Children::None => return,
            Children::One(only, _) => **only == *level,
            Children::Many(map) => {
                map.remove(level);
                map.is_empty()
            }
        };
        if is_empty {
            *self = Children::None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn a_pruned_path_leaves_nothing_and_its_nodes_are_used_again() {
        let mut trie = Trie::default();
        for path in ["a/b/c", "a/b/+", "a/x", "/", "+/+"] {
            let at = trie.ensure(path);
            *trie.value_mut(at) = Some(Box::new(path));
        }
        let busiest = trie.nodes.len();
        for path in ["a/b/c", "/", "a/x", "+/+", "a/b/+"] {
            let at = trie.find(path).unwrap();
            assert_eq!(trie.value(at), Some(&path));
            *trie.value_mut(at) = None;
            trie.prune(at, path);
            assert_eq!(trie.find(path), None);
        }
        assert!(trie.is_empty());
        assert_eq!(trie.node_count(), 0);
        trie.ensure("q/w/e/r/t");
        assert_eq!(trie.nodes.len(), busiest);
    }

    #[test]
    fn a_node_is_small() {
        assert!(size_of::<Node<[u64; 100]>>() <= 48, "{} bytes", size_of::<Node<[u64; 100]>>());
    }
}
