//! The clause table: one row or more for every normative statement of MQTT 3.1.1, and for rules that only 5.0 has.
//!
//! `clauses/mqtt-3.1.1.txt` lists the statements. The rows stand in the files beside it, by chapter. A statement that
//! one packet can show is a row of bytes and a verdict; one about a session is a dialogue with it; one that only a
//! whole server can show names the test that does. To see which statements lack a row:
//! `cargo test -p mqtt --test clauses every_statement_has_a_row`.

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

const STATEMENTS: &str = include_str!("clauses/mqtt-3.1.1.txt");

fn statements() -> impl Iterator<Item = &'static str> {
    STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (id, text) = line.split_once(' ').expect("an id and a text");
        assert!(text.ends_with('.'), "{id} is not followed by a sentence");
        id
    })
}

/// The rows of 3.1.1.
fn rows() -> impl Iterator<Item = &'static Row> {
    [fields::ROWS, packets::ROWS, operation::ROWS, session::ROWS].into_iter().flatten()
}

#[test]
fn every_statement_is_listed_once() {
    let mut counts = BTreeMap::new();
    for id in statements() {
        *counts.entry(id).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 141, "statements of the standard");
    assert!(counts.values().all(|count| *count == 1), "listed twice: {counts:?}");
}

#[test]
fn every_statement_has_a_row() {
    let covered: BTreeSet<&str> = rows().map(|row| row.id).collect();
    let missing: Vec<&str> = statements().filter(|id| !covered.contains(id)).collect();
    assert!(missing.is_empty(), "{} statements without a row:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn every_row_names_a_statement() {
    let known: BTreeSet<&str> = statements().collect();
    let unknown: Vec<&str> = rows().map(|row| row.id).filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "rows of statements that are not listed: {unknown:?}");
    assert!(v5::ROWS.iter().all(|row| row.id.starts_with("5.0 § ")), "rows of 5.0 name its sections");
}

#[test]
fn every_row_holds() {
    let faults: Vec<String> = rows().chain(v5::ROWS).filter_map(Row::fault).collect();
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
    let named: BTreeSet<&str> = rows()
        .filter_map(|row| if let Verdict::Server(test) = row.verdict { Some(test) } else { None })
        .collect();
    let sources = server_test_sources();
    let missing: Vec<&&str> = named.iter().filter(|test| !sources.contains(&format!("fn {test}("))).collect();
    assert!(missing.is_empty(), "tests of the server that do not exist: {missing:?}");
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
