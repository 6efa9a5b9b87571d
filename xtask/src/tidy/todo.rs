//! Notes to do something later name the issue in which it will be done.

use super::source::Source;
use super::{Finding, Weight};

/// The words that promise later work.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];

/// Every such word without an issue number (`#12`) on its line.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, (text, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
        let Some(mark) = MARKS.iter().find(|it| has_word(text, it)) else { continue };
        // In Rust a mark in a string is data; in a comment, both the text and its masked form tell.
        let in_literal = source.is_rust() && !text.contains("//") && !has_word(code, mark);
        let in_table_of_marks = source.is_rust() && text.contains(&format!("\"{mark}\""));
        if in_literal || in_table_of_marks || has_issue(text) {
            continue;
        }
        findings.push(Finding {
            weight: Weight::Fault,
            rule: "todo",
            file: source.path.clone(),
            line: index + 1,
            what: format!("`{mark}` without an issue number"),
            remedy: "open an issue and write its number, as in `TODO #12: …`, or do it now",
        });
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let part_of_name = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
        !part_of_name(before) && !part_of_name(after)
    })
}

fn has_issue(text: &str) -> bool {
    text.split('#').skip(1).any(|it| it.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(Path::new(path), text.to_owned())).iter().map(|it| it.line).collect()
    }

    #[test]
    fn a_promise_names_its_issue() {
        assert_eq!(lines("a.rs", "// TODO: later\n// TODO #7: later\nlet x = 1; // FIXME\n"), [1, 3]); // TODO #1: sample
        assert_eq!(lines("a.py", "# TODO later\n"), [1]); // TODO #1: sample
    }

    #[test]
    fn names_and_data_are_not_promises() {
        assert_eq!(lines("a.rs", "let TODOS = \"TODO\";\n"), [0; 0]); // TODO #1: sample
    }
}
