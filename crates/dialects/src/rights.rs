//! What a credential's rules mean for a topic or filter of a topic space.
//!
//! The same for every dialect: whoever publishes or subscribes holds the dialect's answer against them. Called where a
//! topic is not in the connection's cache and for subscriptions, never for each message.
//!
//! A value that stands for `%c` or `%d` must not be able to widen a rule: if it holds `/`, `+` or `#`, a rule that
//! allows allows nothing, and one that denies denies everything.

use domain::{Code, Peer, Refusal, Rights};
use mqtt::topic;

/// What makes a rule one that denies.
const DENIES: char = '!';

/// Checks that every rule is a topic filter, and the bounds.
pub fn check(rights: &Rights) -> Result<(), Refusal> {
    rights.check()?;
    for rule in rights.publish.iter().chain(&rights.subscribe) {
        let filter = rule.strip_prefix(DENIES).unwrap_or(rule);
        topic::check_filter(filter).map_err(|fault| {
            Refusal::new(
                Code::Malformed,
                format!("The rule \"{rule}\" is no topic filter: {}.", fault.what()),
            )
        })?;
    }
    Ok(())
}

/// Whether the peer may publish to a topic of the space.
pub fn may_publish(peer: &Peer, topic: &str) -> Result<(), Refusal> {
    let rules = Rules { list: &peer.rights().publish, peer };
    let denied = rules.denying(|it| topic::matches(it, topic));
    if !denied && rules.allowing(|it| topic::matches(it, topic)) {
        return Ok(());
    }
    Err(not_allowed("publish to", topic))
}

/// Whether the peer may subscribe to a filter of the space. Gives the filters that are denied to it within: what is
/// published there must be withheld.
///
/// One rule has to allow all of the filter, and no rule may deny all of it.
pub fn may_subscribe(peer: &Peer, filter: &str) -> Result<Vec<String>, Refusal> {
    let rules = Rules { list: &peer.rights().subscribe, peer };
    if rules.denying(|it| covers(it, filter)) || !rules.allowing(|it| covers(it, filter)) {
        return Err(not_allowed("subscribe to", filter));
    }
    Ok(rules.denied().flatten().filter(|it| overlaps(it, filter)).collect())
}

fn not_allowed(what: &str, topic: &str) -> Refusal {
    Refusal::new(
        Code::NotAllowed,
        format!("The credential may not {what} {topic}: its rights name other topics."),
    )
}

/// Rules of one kind, with the peer that they are held against.
struct Rules<'a> {
    list: &'a [String],
    peer: &'a Peer,
}

impl Rules<'_> {
    /// The rules that deny; `None` for one whose values cannot stand in it.
    fn denied(&self) -> impl Iterator<Item = Option<String>> {
        self.list.iter().filter_map(|it| it.strip_prefix(DENIES)).map(|it| expanded(it, self.peer))
    }

    fn denying(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.denied().any(|it| it.is_none_or(|it| matches(&it)))
    }

    fn allowing(&self, matches: impl Fn(&str) -> bool) -> bool {
        let mut allowed = self.list.iter().filter(|it| !it.starts_with(DENIES)).peekable();
        allowed.peek().is_none() || allowed.filter_map(|it| expanded(it, self.peer)).any(|it| matches(&it))
    }
}

/// A rule with the peer's values in their places; `None` when it has none or they would change what the rule is.
fn expanded(rule: &str, peer: &Peer) -> Option<String> {
    let mut parts = rule.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('c') {
            text.push_str(one_level(peer.client_id())?);
            text.push_str(rest);
        } else if let Some(rest) = part.strip_prefix('d') {
            let device = peer.device_name()?;
            text.push_str(one_level(device.device_type)?);
            text.push('/');
            text.push_str(one_level(device.name)?);
            text.push_str(rest);
        } else {
            text.push('%');
            text.push_str(part);
        }
    }
    Some(text)
}

fn one_level(value: &str) -> Option<&str> {
    (!value.is_empty() && !value.contains(['/', '+', '#'])).then_some(value)
}

/// Whether every topic that matches `filter` matches `rule`.
fn covers(rule: &str, filter: &str) -> bool {
    if filter.starts_with('$') && rule.starts_with(['+', '#']) {
        return false;
    }
    let (mut wanted, mut given) = (topic::levels(rule), topic::levels(filter));
    loop {
        match (wanted.next(), given.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(want), Some(have)) if want == have => {}
            _ => return false,
        }
    }
}

/// Whether some topic matches both filters.
fn overlaps(one: &str, other: &str) -> bool {
    let hidden = |hidden: &str, wild: &str| hidden.starts_with('$') && wild.starts_with(['+', '#']);
    if hidden(one, other) || hidden(other, one) {
        return false;
    }
    let (mut left, mut right) = (topic::levels(one), topic::levels(other));
    loop {
        match (left.next(), right.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::sync::Arc;

    use domain::{Class, DeviceId, OrgId};

    use super::*;

    fn peer(client_id: &str, publish: &[&str], subscribe: &[&str]) -> Peer {
        let owned = |rules: &[&str]| rules.iter().map(|it| (*it).to_owned()).collect();
        Peer::Device {
            org: OrgId::parse("abc123").unwrap(),
            id: DeviceId(1),
            class: Class::Device,
            device_type: "pump".to_owned(),
            name: "p1".to_owned(),
            client_id: client_id.to_owned(),
            rights: Arc::new(Rights { publish: owned(publish), subscribe: owned(subscribe) }),
        }
    }

    #[test]
    fn rules_allow_and_deny_topics() {
        for (rules, topic, allowed) in [
            (&[][..], "any/thing", true),
            (&["a/#"], "a", true),
            (&["a/#"], "b", false),
            (&["a/#", "!a/b"], "a/b", false),
            (&["!a/b", "a/b"], "a/b", false),
            (&["!a/b"], "c", true),
            (&["in/%c/+"], "in/c1/x", true),
            (&["in/%c/+"], "in/c2/x", false),
            (&["%d/#"], "pump/p1/t", true),
            (&["%d/#"], "pump/p2/t", false),
            (&["100%/x"], "100%/x", true),
        ] {
            assert_eq!(may_publish(&peer("c1", rules, &[]), topic).is_ok(), allowed, "{rules:?} {topic}");
        }
    }

    #[test]
    fn a_client_id_cannot_widen_a_rule() {
        for id in ["+", "#", "x/y", "a+"] {
            assert!(may_publish(&peer(id, &["in/%c"], &[]), "in/x").is_err(), "{id}");
            assert!(may_publish(&peer(id, &["in/%c/y"], &[]), "in/x/y").is_err(), "{id}");
            assert!(may_publish(&peer(id, &["!out/%c"], &[]), "in").is_err(), "{id}");
            assert!(may_subscribe(&peer(id, &[], &["in/%c"]), "in/x").is_err(), "{id}");
        }
    }

    #[test]
    fn a_filter_is_granted_whole_or_with_exceptions() {
        for (rules, filter, expected) in [
            (&[][..], "#", Some(&[][..])),
            (&["a/#"], "a/+/c", Some(&[])),
            (&["a/#"], "#", None),
            (&["a/+"], "a/#", None),
            (&["a/+"], "a/+", Some(&[])),
            (&["a/b"], "a/+", None),
            (&["!test/nosubscribe"], "test/nosubscribe", None),
            (&["!test/nosubscribe"], "#", Some(&["test/nosubscribe"])),
            (&["!test/nosubscribe"], "test/+", Some(&["test/nosubscribe"])),
            (&["!test/nosubscribe"], "other/+", Some(&[])),
            (&["!a/#"], "a", None),
            (&["!#"], "a", None),
            (&["!#"], "$SYS/#", Some(&[])),
            (&["#"], "$SYS/#", None),
            (&["!$SYS/#"], "#", Some(&[])),
            (&["!%d/x"], "pump/+/x", Some(&["pump/p1/x"])),
        ] {
            let granted = may_subscribe(&peer("c1", &[], rules), filter).ok();
            assert_eq!(
                granted.as_deref(),
                expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{rules:?} {filter}"
            );
        }
    }

    #[test]
    fn a_rule_is_a_filter() {
        let rights = |rule: &str| Rights { publish: vec![rule.to_owned()], ..Rights::default() };
        for good in ["a/#", "!a/+", "%c", "+", "$SYS/#"] {
            check(&rights(good)).unwrap();
        }
        for wrong in ["", "!", "a#", "a/#/b", "a+/b"] {
            assert_eq!(check(&rights(wrong)).unwrap_err().code, Code::Malformed, "{wrong}");
        }
    }
}
