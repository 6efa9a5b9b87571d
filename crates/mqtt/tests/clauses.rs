//! The clause table: one row or more for every normative statement of MQTT 3.1.1 and of MQTT 5.0.
//!
//! `clauses/mqtt-3.1.1.txt` and `clauses/mqtt-5.0.txt` list the statements. The rows stand in the files beside them, by
//! chapter, those of 5.0 below `clauses/v5/`. A statement that one packet can show is a row of bytes and a verdict; one
//! about a session is a dialogue with it; one that only a whole server can show names the test that does. To see which
//! statements lack a row: `cargo test -p mqtt --test clauses every_statement_has_a_row`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

#[path = "clauses/fields.rs"]
mod fields;
#[path = "clauses/notation.rs"]
mod notation;
#[path = "clauses/operation.rs"]
mod operation;
#[path = "clauses/packets.rs"]
mod packets;
#[path = "clauses/row.rs"]
mod row;
#[path = "clauses/session.rs"]
mod session;
#[path = "clauses/v5.rs"]
mod v5;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use row::{Row, Verdict};

/// One edition of the standard.
struct Standard {
    name: &'static str,
    /// One line each: id, then what it asks.
    statements: &'static str,
    /// How many the edition itself numbers.
    statement_count: usize,
    rows: &'static [&'static [Row]],
}

const STANDARDS: [Standard; 2] = [
    Standard {
        name: "3.1.1",
        statements: include_str!("clauses/mqtt-3.1.1.txt"),
        statement_count: 141,
        rows: &[fields::ROWS, packets::ROWS, operation::ROWS, session::ROWS],
    },
    Standard {
        name: "5.0",
        statements: include_str!("clauses/mqtt-5.0.txt"),
        statement_count: 251,
        rows: v5::ROWS,
    },
];

impl Standard {
    /// The ids of the statements.
    fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.statements.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
            let (id, text) = line.split_once(' ').expect("an id and a text");
            assert!(text.ends_with('.'), "{id} is not followed by a sentence");
            id
        })
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().copied().flatten()
    }
}

/// The rows of all editions.
fn rows() -> impl Iterator<Item = &'static Row> {
    STANDARDS.iter().flat_map(Standard::rows)
}

/// The tests of a whole server that rows name.
fn named_tests() -> BTreeSet<&'static str> {
    rows().filter_map(|row| if let Verdict::Server(test) = row.verdict { Some(test) } else { None }).collect()
}

#[test]
fn every_statement_is_listed_once() {
    for standard in &STANDARDS {
        let mut counts = BTreeMap::new();
        for id in standard.ids() {
            *counts.entry(id).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), standard.statement_count, "statements of {}", standard.name);
        assert!(counts.values().all(|count| *count == 1), "listed twice in {}: {counts:?}", standard.name);
    }
}

#[test]
fn every_statement_has_a_row() {
    for standard in &STANDARDS {
        let covered: BTreeSet<&str> = standard.rows().map(|row| row.id).collect();
        let missing: Vec<&str> = standard.ids().filter(|id| !covered.contains(id)).collect();
        let (count, name) = (missing.len(), standard.name);
        assert!(missing.is_empty(), "{count} statements of {name} without a row:\n{}", missing.join("\n"));
    }
}

#[test]
fn every_row_names_a_statement() {
    for standard in &STANDARDS {
        let known: BTreeSet<&str> = standard.ids().collect();
        let unknown: Vec<&str> = standard.rows().map(|row| row.id).filter(|id| !known.contains(id)).collect();
        assert!(unknown.is_empty(), "rows of statements that {} does not have: {unknown:?}", standard.name);
    }
    assert!(v5::RULES.iter().all(|row| row.id.starts_with("5.0 § ")), "rules of 5.0 name its sections");
}

#[test]
fn every_row_holds() {
    let faults: Vec<String> = rows().chain(v5::RULES).filter_map(Row::fault).collect();
    assert!(faults.is_empty(), "{} rows do not hold:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_row_about_others_says_why() {
    for row in rows() {
        if let Verdict::Peer(why) | Verdict::Absent(why) = row.verdict {
            assert!(why.len() > 10, "{} gives no reason", row.id);
        }
    }
}

#[test]
fn every_test_that_a_row_names_exists() {
    let sources = server_test_sources();
    let is_written = |test: &str| sources.contains(&format!("fn {test}("));
    let (named, waiting) = (named_tests(), BTreeSet::from_iter(v5::TO_BE_WRITTEN.iter().copied()));
    let missing: Vec<&&str> = named.difference(&waiting).filter(|test| !is_written(test)).collect();
    assert!(missing.is_empty(), "tests of the server that do not exist: {missing:?}");
    let done: Vec<&&str> = waiting.iter().filter(|test| is_written(test) || !named.contains(*test)).collect();
    assert!(done.is_empty(), "written, or named by no row, and so no more to be written: {done:?}");
}

/// All test files of the server, one behind the other.
fn server_test_sources() -> String {
    let (mut folders, mut sources) =
        (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidegate/tests")], String::new());
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}
