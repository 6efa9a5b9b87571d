//! Functions fit a screen, files have one job, lines fit the page.
//!
//! A function over 70 lines or a file over 600 is noted; over 100 and 800 it fails. Tables of data are meant to be
//! long: test files are only noted, and a line with a string literal or an address in it may be long. Code has the
//! width that rustfmt gives it, comments a little more.

use super::source::{Source, item_end, line_of};
use super::{Finding, Weight};

const FUNCTION_LINES_NOTED: usize = 70;
const FUNCTION_LINES_MAX: usize = 100;
const FILE_LINES_NOTED: usize = 600;
const FILE_LINES_MAX: usize = 800;
const CODE_CHARS_MAX: usize = 110;
const COMMENT_CHARS_MAX: usize = 120;

/// Long functions, files and lines of a Rust source.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    if !source.is_rust() {
        return Vec::new();
    }
    let mut findings = functions(source);
    findings.extend(file(source));
    findings.extend(lines(source));
    findings
}

fn functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (start, name) in function_starts(&source.code) {
        let line = line_of(&source.code, start);
        let count = line_of(&source.code, item_end(&source.code, start)) - line + 1;
        let Some(mut weight) = weigh(count, FUNCTION_LINES_NOTED, FUNCTION_LINES_MAX) else { continue };
        if source.is_test(line) {
            weight = Weight::Note;
        }
        findings.push(Finding {
            weight,
            rule: "function-length",
            file: source.path.clone(),
            line,
            what: format!("`{name}` has {count} lines; a screen holds {FUNCTION_LINES_NOTED}"),
            remedy: "keep the decisions here and move the work of each branch into a function that computes and returns",
        });
    }
    findings
}

/// Byte offset and name of every `fn` with a name.
fn function_starts(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|it| it.is_alphanumeric() || it == '_') {
            continue;
        }
        let name: String =
            code[at + 3..].chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
        if !name.is_empty() {
            found.push((at, name));
        }
    }
    found
}

fn file(source: &Source) -> Option<Finding> {
    let count = source.text.lines().count();
    let mut weight = weigh(count, FILE_LINES_NOTED, FILE_LINES_MAX)?;
    if source.is_test(1) {
        weight = Weight::Note;
    }
    Some(Finding {
        weight,
        rule: "file-length",
        file: source.path.clone(),
        line: count,
        what: format!("the file has {count} lines; {FILE_LINES_NOTED} are enough for one job"),
        remedy: "split it along the second job that it does",
    })
}

fn lines(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, (text, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
        let count = text.chars().count();
        let comment = text.contains("//") && !code.contains("//");
        let max = if comment { COMMENT_CHARS_MAX } else { CODE_CHARS_MAX };
        let data = code.contains('"') || text.contains("://") || text.trim_start().starts_with("//! |");
        if count <= max || data || in_string(text, code) || in_table(text) {
            continue;
        }
        findings.push(Finding {
            weight: Weight::Fault,
            rule: "line-length",
            file: source.path.clone(),
            line: index + 1,
            what: format!("the line has {count} characters; {max} fit"),
            remedy: "break it; rustfmt breaks code, comments are broken by hand",
        });
    }
    findings
}

/// The middle of a string over several lines: blank in the code, and no comment.
fn in_string(text: &str, code: &str) -> bool {
    code.trim().is_empty() && !text.trim_start().starts_with("//")
}

/// A row of a table in a comment.
fn in_table(text: &str) -> bool {
    text.trim_start().starts_with("///") && text.matches('|').count() > 2
}

fn weigh(count: usize, noted: usize, max: usize) -> Option<Weight> {
    match count {
        it if it > max => Some(Weight::Fault),
        it if it > noted => Some(Weight::Note),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn found(text: &str) -> Vec<(Weight, &'static str, usize)> {
        let source = Source::new(Path::new("crates/x/src/a.rs"), text.to_owned());
        check(&source).iter().map(|it| (it.weight, it.rule, it.line)).collect()
    }

    #[test]
    fn long_functions_are_noted_and_longer_ones_fail() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
        assert_eq!(found(&function(70)), []);
        assert_eq!(found(&function(71)), [(Weight::Note, "function-length", 1)]);
        assert_eq!(found(&function(101)), [(Weight::Fault, "function-length", 1)]);
    }

    #[test]
    fn declarations_and_function_types_have_no_length() {
        let text =
            format!("trait A {{\n    fn a(&self, it: [u8; 4]);\n}}\ntype F = fn (u8);\n{}", "\n".repeat(90));
        assert_eq!(found(&text), []);
    }

    #[test]
    fn long_files_are_noted_and_longer_ones_fail() {
        assert_eq!(found(&"a;\n".repeat(601)), [(Weight::Note, "file-length", 601)]);
        assert_eq!(found(&"a;\n".repeat(801)), [(Weight::Fault, "file-length", 801)]);
    }

    #[test]
    fn long_lines_fail_unless_they_are_data() {
        let comment = format!("// {}\n", "word ".repeat(30));
        assert_eq!(found(&comment), [(Weight::Fault, "line-length", 1)]);
        assert_eq!(found(&format!("const A: &str = \"{}\";\n", "x".repeat(120))), []);
        assert_eq!(found(&format!("// https://example.com/{}\n", "x".repeat(120))), []);
    }
}
