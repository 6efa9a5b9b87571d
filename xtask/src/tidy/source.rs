//! A source file as the rules see it: the text, the text without comments and strings, and which lines are tests.
//!
//! The masked text has the same length in lines and the same columns as the original; comments and the insides of
//! string and character literals are blank in it, and a string keeps a quote at either end. So a rule can look for a
//! word without being fooled by prose. This is a small lexer and not a parser: it is right for code that rustfmt has
//! formatted.

use std::path::{Path, PathBuf};

/// One file of the project.
pub(crate) struct Source {
    /// Relative to the workspace root, with `/`.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// `text` with comments and literals blanked; equal to `text` for files that are not Rust.
    pub(crate) code: String,
    /// For each line (from 0): inside a `#[cfg(test)]` item, or in a file that only tests use.
    test_lines: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Source {
        let rust = path.extension().is_some_and(|it| it == "rs");
        let code = if rust { mask(&text) } else { text.clone() };
        let test_lines =
            if is_test_file(path) { vec![true; text.lines().count()] } else { test_lines(&code) };
        Source { path: path.to_owned(), text, code, test_lines }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|it| it == "rs")
    }

    /// The crate this file belongs to: `crates/<name>/…`, or `xtask`.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.iter().filter_map(|it| it.to_str());
        match parts.next() {
            Some("crates") => parts.next(),
            Some("xtask") => Some("xtask"),
            _ => None,
        }
    }

    /// Is the line (from 1) test code?
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line.saturating_sub(1)).copied().unwrap_or(false)
    }

    /// Lines of the masked text, counted from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Integration tests, benches, fuzz targets, examples and the `tests.rs` of a module are tests from end to end.
fn is_test_file(path: &Path) -> bool {
    const TEST_FOLDERS: &[&str] = &["tests", "benches", "fuzz", "examples"];
    let in_test_folder = path.iter().filter_map(|it| it.to_str()).any(|it| TEST_FOLDERS.contains(&it));
    let stem = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
    in_test_folder || stem == "tests" || stem.ends_with("_tests")
}

/// Marks the lines of every item below a `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.lines().count()];
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(code, start);
        let (first, last) = (line_of(code, start), line_of(code, end));
        for mark in &mut marks[first - 1..last.min(code.lines().count())] {
            *mark = true;
        }
        from = end.max(start + 1);
    }
    marks
}

/// Where the item that begins at or after `start` ends: at its closing brace, or at the `;` of one without a body.
pub(crate) fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut braces = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && depth == 0 {
                    return offset;
                }
            }
            b';' if depth == 0 && braces == 0 => return offset,
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

/// The line (from 1) of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|it| **it == b'\n').count()
}

/// Blanks comments and the contents of literals.
fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).max(at + 1);
        let keep = end == at + 1;
        let string = matches!(chars[at], '"' | 'r');
        for (index, &it) in chars[at..end].iter().enumerate() {
            let edge = index == 0 || at + index + 1 == end;
            masked.push(match it {
                it if keep || it == '\n' => it,
                _ if string && edge => '"',
                _ => ' ',
            });
        }
        at = end;
    }
    masked
}

/// If a comment or a literal starts at `at`, where it ends; otherwise `at`.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    match (chars[at], next(1)) {
        ('/', '/') => chars[at..].iter().position(|it| *it == '\n').map_or(chars.len(), |it| at + it),
        ('/', '*') => block_comment_end(chars, at),
        ('"', _) => string_end(chars, at + 1),
        ('r', '"' | '#') if !follows_word(chars, at) => raw_string_end(chars, at),
        ('\'', '\\') => {
            chars.get(at + 3..).and_then(|it| it.iter().position(|c| *c == '\'')).map_or(at, |it| at + 4 + it)
        }
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn follows_word(chars: &[char], at: usize) -> bool {
    // `br"…"` is a raw string as well, any other letter before `r` makes it part of a name.
    at > 0 && (chars[at - 1].is_alphanumeric() && chars[at - 1] != 'b' || chars[at - 1] == '_')
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = at;
    while index + 1 < chars.len() {
        match (chars[index], chars[index + 1]) {
            ('/', '*') => (depth, index) = (depth + 1, index + 2),
            ('*', '/') => {
                (depth, index) = (depth - 1, index + 2);
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut index = from;
    while index < chars.len() {
        match chars[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|it| **it == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at; // A raw identifier such as `r#type`.
    }
    let mut index = open + 1;
    while index < chars.len() {
        let closing = chars[index] == '"'
            && chars[index + 1..].iter().take(hashes).filter(|it| **it == '#').count() == hashes;
        index += 1;
        if closing {
            return index + hashes;
        }
    }
    chars.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_columns_stay() {
        let text = "let a = \"x // y\"; // tail\nlet c = '{'; let l: &'static str = r#\"a\"b\"#;\n/* a /* b */ c */ end";
        let masked = mask(text);
        assert_eq!(masked.len(), text.len());
        assert_eq!(masked.lines().next(), Some("let a = \"      \";        "));
        assert_eq!(masked.lines().nth(1), Some("let c =    ; let l: &'static str = \"      \";"));
        assert!(masked.ends_with(" end") && !masked.contains("/*"), "{masked:?}");
    }

    #[test]
    fn escaped_quotes_do_not_end_a_literal() {
        assert_eq!(mask(r#"("\"{" '\'' b"\\")x"#), r#"("   "      b"  ")x"#);
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        let text = "fn a<'a>(r#type: &'a str) -> &'a str {}";
        assert_eq!(mask(text), text);
    }

    #[test]
    fn items_below_cfg_test_are_tests() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let source = Source::new(Path::new("crates/x/src/lib.rs"), text.to_owned());
        let tests: Vec<usize> = (1..=9).filter(|it| source.is_test(*it)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 7, 8]);
    }

    #[test]
    fn files_of_integration_tests_are_tests() {
        for (path, test) in [
            ("crates/x/tests/a.rs", true),
            ("crates/x/src/session/tests.rs", true),
            ("crates/x/src/a.rs", false),
        ] {
            assert_eq!(Source::new(Path::new(path), "fn a() {}\n".to_owned()).is_test(1), test, "{path}");
        }
    }
}
