//! Texts with a place for a connection's number, such as `bench/{n}`.
//!
//! Client ids, user names, passwords, topics and filters are templates, so that the generator fits servers that know
//! their clients by name. `{n}` is the connection's number from 0; in a topic `{child}` is the number of one of the
//! devices that a gateway speaks for.

use std::fmt;
use std::str::FromStr;

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number,
    Child,
}

/// A placeholder that is neither `{n}` nor `{child}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{0}}}` is no placeholder: there are {{n}} and {{child}}")]
pub struct UnknownPlaceholder(String);

impl Template {
    /// A text without placeholders, whatever braces it has: a password, say.
    pub fn literal(text: &str) -> Template {
        Template { parts: vec![Part::Text(text.to_owned())] }
    }

    /// The text for connection `n` and its child.
    pub fn expand(&self, n: usize, child: usize) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(it) => text.push_str(it),
                Part::Number => text.push_str(&n.to_string()),
                Part::Child => text.push_str(&child.to_string()),
            }
        }
        text
    }

    /// Whether different children have different texts.
    pub fn names_children(&self) -> bool {
        self.parts.contains(&Part::Child)
    }
}

impl FromStr for Template {
    type Err = UnknownPlaceholder;

    fn from_str(text: &str) -> Result<Template, UnknownPlaceholder> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            // Without its other half a brace is a character like any other.
            let Some((name, behind)) = after.split_once('}') else { break };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "n" => Part::Number,
                "child" => Part::Child,
                other => return Err(UnknownPlaceholder(other.to_owned())),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(it) => f.write_str(it),
            Part::Number => f.write_str("{n}"),
            Part::Child => f.write_str("{child}"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        let table = [
            ("bench/{n}", "bench/7"),
            ("{n}{n}-{child}", "77-3"),
            ("no place", "no place"),
            ("", ""),
            ("a{b", "a{b"),
            ("a}b", "a}b"),
        ];
        for (text, expected) in table {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.expand(7, 3), expected, "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn a_literal_keeps_its_braces() {
        assert_eq!(Template::literal("a{n}{x}").expand(7, 3), "a{n}{x}");
    }

    #[test]
    fn a_mistyped_placeholder_is_refused() {
        assert_eq!("x/{m}".parse::<Template>(), Err(UnknownPlaceholder("m".into())));
        assert_eq!(
            UnknownPlaceholder("m".into()).to_string(),
            "`{m}` is no placeholder: there are {n} and {child}"
        );
    }

    #[test]
    fn children_are_noticed() {
        assert!("t/{n}-{child}".parse::<Template>().unwrap().names_children());
        assert!(!"t/{n}".parse::<Template>().unwrap().names_children());
    }
}
