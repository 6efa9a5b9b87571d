//! Words that a place must not contain: clocks in the pure crates, global state in libraries, sleeps in tests.
//!
//! Clippy checks what it can resolve (`clippy.toml`); this is for the rules that depend on the crate or on whether the
//! code is a test, and for words that clippy has no lint for. A word is looked for outside comments and strings.

use super::edges::PURE;
use super::source::Source;
use super::{Finding, Weight};

/// Where a ban holds.
#[derive(Clone, Copy)]
enum Place {
    /// `mqtt`, `domain` and `dialects`, except their tests.
    Pure,
    /// Every crate but the binary and xtask, except tests.
    Library,
    /// The library crates and also `tidegate`, except tests.
    Product,
    /// Tests of every crate, and the scripts in `tests/`.
    Tests,
}

struct Ban {
    place: Place,
    word: &'static str,
    remedy: &'static str,
}

const fn ban(place: Place, word: &'static str, remedy: &'static str) -> Ban {
    Ban { place, word, remedy }
}

const TIME: &str = "take the time as an argument; only `tidegate` reads a clock";
const RUNTIME: &str = "return an effect or a value; only `tidegate` waits, spawns and does input and output";
const GLOBAL: &str = "make it a field of the value that needs it: two servers run in one test process";
const LOG: &str = "return a `Refusal` or an effect; the server records it";
const WAIT: &str =
    "wait for the condition itself with a deadline: a channel, a notification, a line of output";

#[rustfmt::skip] // A table.
const BANS: &[Ban] = &[
    ban(Place::Pure,    "Instant::now",       TIME),
    ban(Place::Pure,    "SystemTime",         TIME),
    ban(Place::Pure,    "std::thread",        RUNTIME),
    ban(Place::Pure,    "std::net",           RUNTIME),
    ban(Place::Pure,    "std::fs",            RUNTIME),
    ban(Place::Pure,    "std::env",           RUNTIME),
    ban(Place::Pure,    "tokio",              RUNTIME),
    ban(Place::Pure,    "async",              RUNTIME),
    ban(Place::Pure,    ".await",             RUNTIME),
    ban(Place::Pure,    "impl Future",        RUNTIME),
    ban(Place::Pure,    "tracing",            LOG),
    ban(Place::Library, "println!",           LOG),
    ban(Place::Library, "eprintln!",          LOG),
    ban(Place::Library, "static mut",         GLOBAL),
    ban(Place::Library, "thread_local!",      GLOBAL),
    ban(Place::Library, "lazy_static!",       GLOBAL),
    ban(Place::Product, "unbounded_channel",  "use a bounded channel; the bound belongs in limits.rs"),
    ban(Place::Tests,   "thread::sleep",      WAIT),
    ban(Place::Tests,   "time::sleep",        WAIT),
    ban(Place::Tests,   "time.sleep",         WAIT),
    ban(Place::Tests,   "#[ignore",           "make the test pass, or delete it and open an issue"),
    ban(Place::Tests,   "unittest.skip",      "make the test pass, or delete it and open an issue"),
];

/// Types that make a `static` mutable.
const CELLS: &[&str] =
    &["OnceLock", "LazyLock", "OnceCell", "LazyCell", "Mutex", "RwLock", "Atomic", "RefCell", "UnsafeCell"];

/// Every banned word at a place where it is banned.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, code) in source.code_lines() {
        for it in BANS.iter().filter(|it| holds(it.place, source, line) && has_word(code, it.word)) {
            findings.push(finding(source, line, format!("`{}` has no place here", it.word), it.remedy));
        }
        if holds(Place::Library, source, line) && is_mutable_static(code) {
            findings.push(finding(source, line, "a `static` that can change".to_owned(), GLOBAL));
        }
    }
    findings
}

fn finding(source: &Source, line: usize, what: String, remedy: &'static str) -> Finding {
    Finding { weight: Weight::Fault, rule: "bans", file: source.path.clone(), line, what, remedy }
}

fn holds(place: Place, source: &Source, line: usize) -> bool {
    let (name, test) = (source.crate_name(), source.is_test(line));
    if !source.is_rust() {
        return matches!(place, Place::Tests) && source.path.starts_with("tests");
    }
    match place {
        Place::Pure => !test && name.is_some_and(|it| PURE.contains(&it)),
        Place::Library => !test && name.is_some_and(|it| it != "tidegate" && it != "xtask"),
        Place::Product => !test && name.is_some_and(|it| it != "xtask"),
        Place::Tests => test,
    }
}

/// Is `word` there, and not only as a part of a longer name?
fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    code.match_indices(word).any(|(at, _)| {
        let starts_name = word.starts_with(|it: char| it.is_alphanumeric());
        let ends_name = word.ends_with(|it: char| it.is_alphanumeric());
        let longer_before = starts_name && part_of_name(code[..at].chars().next_back());
        let longer_behind = ends_name && part_of_name(code[at + word.len()..].chars().next());
        !longer_before && !longer_behind
    })
}

/// `static NAME: …Mutex<…>…`, but not the lifetime `'static`.
fn is_mutable_static(code: &str) -> bool {
    let mut words = code.split_whitespace().skip_while(|it| it.starts_with("pub"));
    words.next() == Some("static") && CELLS.iter().any(|it| code.contains(it))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(Path::new(path), text.to_owned())).iter().map(|it| it.line).collect()
    }

    #[test]
    fn a_pure_crate_reads_no_clock() {
        let text = "let a = Instant::now();\nuse std::time::SystemTime;\nasync fn b() {}\n// Instant::now\n";
        assert_eq!(lines("crates/mqtt/src/a.rs", text), [1, 2, 3]);
        assert_eq!(lines("crates/tidegate/src/a.rs", text), [0; 0]);
    }

    #[test]
    fn the_tests_of_a_pure_crate_may() {
        assert_eq!(lines("crates/mqtt/tests/a.rs", "let a = Instant::now();\n"), [0; 0]);
    }

    #[test]
    fn libraries_have_no_global_state() {
        let text = "static A: OnceLock<u8> = OnceLock::new();\nstatic NAMES: &[&str] = &[];\nlet a: &'static Mutex<u8>;\n\
                    pub(crate) static B: AtomicU64 = AtomicU64::new(0);\nthread_local! {}\n";
        assert_eq!(lines("crates/store/src/a.rs", text), [1, 4, 5]);
    }

    #[test]
    fn tests_wait_for_conditions() {
        assert_eq!(
            lines("crates/store/tests/a.rs", "std::thread::sleep(t);\n#[ignore]\nfn a() {}\n"),
            [1, 2]
        );
        assert_eq!(lines("tests/sdk/python/test_a.py", "time.sleep(1)\n"), [1]);
        assert_eq!(lines("crates/tidegate/src/a.rs", "tokio::time::sleep(t).await;\n"), [0; 0]);
    }

    #[test]
    fn a_part_of_a_name_is_not_the_word() {
        assert_eq!(lines("crates/mqtt/src/a.rs", "let asynchronous = tokio_like;\n"), [0; 0]);
    }
}
