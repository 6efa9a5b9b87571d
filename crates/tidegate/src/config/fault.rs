//! What is wrong with a settings file, said so that it can be put right: file, line, key, and the nearest known key.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// One sentence about one mistake in a settings file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigFault(String);

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigFault {}

impl ConfigFault {
    /// The file could not be read at all.
    pub(crate) fn unreadable(name: &str, cause: &std::io::Error) -> ConfigFault {
        ConfigFault(format!("cannot read {name}: {cause}; `tidegate config` prints a file to start from"))
    }
}

/// The file that faults are found in.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: Range<usize>) -> String {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|it| **it == b'\n').count();
        format!("{}:{line}", self.name)
    }

    /// A value that cannot be what its key wants.
    pub(super) fn at(
        &self,
        section: &str,
        key: &Spanned<DeString<'_>>,
        span: Range<usize>,
        hint: &str,
    ) -> ConfigFault {
        ConfigFault(format!("`{}` in [{section}] at {}: {hint}", key.get_ref(), self.place(span)))
    }

    /// A setting whose value does not go with the others.
    pub(super) fn setting(&self, user: &DeTable<'_>, section: &str, key: &str, hint: &str) -> ConfigFault {
        let content = user.get(section).and_then(|it| it.get_ref().as_table());
        match content.and_then(|it| it.get_key_value(key)) {
            Some((key, value)) => self.at(section, key, value.span(), hint),
            None => ConfigFault(format!("`{key}` in [{section}]: {hint}")),
        }
    }

    pub(super) fn syntax(&self, cause: &toml::de::Error) -> ConfigFault {
        let place = self.place(cause.span().unwrap_or_default());
        ConfigFault(format!("{place} is not TOML: {}", cause.message()))
    }

    pub(super) fn not_a_section(&self, name: &Spanned<DeString<'_>>) -> ConfigFault {
        let place = self.place(name.span());
        ConfigFault(format!(
            "`{0}` at {place} is a section: write [{0}] on a line of its own",
            name.get_ref()
        ))
    }

    /// Neither a section, nor (for a key that slipped out of its section) a key of one.
    pub(super) fn unknown_section<'k>(
        &self,
        name: &Spanned<DeString<'_>>,
        sections: impl Iterator<Item = &'k str>,
        known: &DeTable<'_>,
    ) -> ConfigFault {
        let place = self.place(name.span());
        let home = known.iter().find(|(_, it)| {
            it.get_ref().as_table().is_some_and(|it| it.contains_key(name.get_ref().as_ref()))
        });
        match home {
            Some((home, _)) => {
                ConfigFault(format!("`{}` at {place} belongs below [{}]", name.get_ref(), home.get_ref()))
            }
            None => ConfigFault(format!(
                "unknown section `{}` at {place}{}",
                name.get_ref(),
                suggestion(name.get_ref(), sections)
            )),
        }
    }

    pub(super) fn unknown_key<'k>(
        &self,
        section: &str,
        key: &Spanned<DeString<'_>>,
        keys: impl Iterator<Item = &'k str>,
    ) -> ConfigFault {
        let place = self.place(key.span());
        ConfigFault(format!(
            "unknown key `{}` in [{section}] at {place}{}",
            key.get_ref(),
            suggestion(key.get_ref(), keys)
        ))
    }

    pub(super) fn wrong_type(
        &self,
        section: &str,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        expected: &DeValue<'_>,
    ) -> ConfigFault {
        let hint = format!("wants {}, not {}", type_name(expected), type_name(value.get_ref()));
        self.at(section, key, value.span(), &hint)
    }

    /// A value of the right type that its field refused.
    pub(super) fn value(&self, user: &DeTable<'_>, cause: &toml::de::Error) -> ConfigFault {
        let span = cause.span().unwrap_or_default();
        let hint = cause.message().trim_end();
        for (section, content) in user.iter() {
            let keys = content.get_ref().as_table().into_iter().flat_map(DeTable::iter);
            for (key, value) in keys {
                if value.span().start <= span.start && span.end <= value.span().end {
                    return self.at(section.get_ref(), key, span, hint);
                }
            }
        }
        ConfigFault(format!("{}: {hint}", self.place(span)))
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text in quotes",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// The nearest known name where one is near enough to be meant, otherwise all of them.
fn suggestion<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|it| (distance(name, it), *it)).min();
    match nearest {
        Some((distance, nearest)) if distance <= 1 + name.chars().count() / 3 => {
            format!("; did you mean `{nearest}`?")
        }
        _ => format!("; known are {}", known.join(", ")),
    }
}

/// How many letters must be added, removed or replaced to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other_letter) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other_letter);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
