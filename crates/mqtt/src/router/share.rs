//! Share groups: subscriptions of which each message goes to one member only.
//!
//! A group is handed out as an [`Arc`](std::sync::Arc) so that a publisher may keep it beside its topic; a change of
//! membership makes a new group and leaves the kept one as it was. A group never looks into its members: whether one is
//! fit to receive is asked of the caller.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The members of one share group at one filter, in the order they subscribed.
#[derive(Debug)]
pub struct Group<T> {
    name: Box<str>,
    members: Vec<(u64, T)>,
    /// How often a member was asked; its remainder is whose turn it is.
    cursor: AtomicUsize,
}

impl<T> Group<T> {
    pub(super) fn new(name: &str) -> Self {
        Group { name: name.into(), members: Vec::new(), cursor: AtomicUsize::new(0) }
    }

    /// The name between `$share/` and the filter.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many members there are; a group that a router hands out has at least one.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the last member has left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in the order they subscribed.
    pub fn members(&self) -> impl Iterator<Item = &T> {
        self.members.iter().map(|(_, member)| member)
    }

    /// The member whose turn it is, by itself: round robin.
    pub fn next(&self) -> Option<&T> {
        self.pick(|_| true)
    }

    /// The next member in turn that is `alive`; each member is asked at most once.
    ///
    /// Members that are passed over use up their turn, so that the load of a dead one spreads over the others instead
    /// of falling on its neighbour.
    pub fn pick(&self, mut alive: impl FnMut(&T) -> bool) -> Option<&T> {
        let count = self.members.len();
        // Another thread may turn the cursor meanwhile and make us ask a member twice, so the turns start from one
        // reading and the cursor is moved by as many as were used.
        let first = self.cursor.fetch_add(1, Ordering::Relaxed);
        for turn in 0..count {
            let (_, member) = self.members.get(first.wrapping_add(turn) % count)?;
            if alive(member) {
                self.cursor.fetch_add(turn, Ordering::Relaxed);
                return Some(member);
            }
        }
        None
    }

    pub(super) fn insert(&mut self, id: u64, value: T) -> Option<T> {
        match self.members.iter_mut().find(|(it, _)| *it == id) {
            Some((_, member)) => Some(std::mem::replace(member, value)),
            None => {
                self.members.push((id, value));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let at = self.members.iter().position(|(it, _)| *it == id)?;
        Some(self.members.remove(at).1)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.members.iter().any(|(it, _)| *it == id)
    }
}

impl<T: Clone> Clone for Group<T> {
    fn clone(&self) -> Self {
        Group {
            name: self.name.clone(),
            members: self.members.clone(),
            cursor: AtomicUsize::new(self.cursor.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn group(members: &[char]) -> Group<char> {
        let mut group = Group::new("workers");
        for (id, member) in members.iter().enumerate() {
            group.insert(id as u64, *member);
        }
        group
    }

    #[test]
    fn members_take_turns() {
        let group = group(&['a', 'b', 'c']);
        let turns: String = (0..7).filter_map(|_| group.next()).collect();
        assert_eq!(turns, "abcabca");
    }

    #[test]
    fn the_load_of_a_dead_member_is_spread_over_the_others() {
        let group = group(&['a', 'b', 'c']);
        let turns: Vec<char> = (0..400).filter_map(|_| group.pick(|it| *it != 'b').copied()).collect();
        let of_a = turns.iter().filter(|it| **it == 'a').count();
        assert_eq!((turns.len(), of_a), (400, 200));
    }

    #[test]
    fn nobody_is_picked_when_nobody_is_alive() {
        let mut asked = 0;
        assert_eq!(
            group(&['a', 'b']).pick(|_| {
                asked += 1;
                false
            }),
            None
        );
        assert_eq!(asked, 2);
        assert_eq!(group(&[]).next(), None);
    }
}
