//! Who may name whom: the edges between our crates, and what the pure crates may take from outside.
//!
//! Read from the `Cargo.toml` files, since a crate that is not a dependency cannot be named at all. Development
//! dependencies are free, for tests may use what they need; the picture lists them so that they stay few.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Finding, Weight};

/// The crates that do no input or output and never read a clock.
pub(crate) const PURE: &[&str] = &["mqtt", "domain", "dialects"];

/// Our crates and the ones of ours that each may depend on. `ARCHITECTURE.md` draws the same picture.
const EDGES: &[(&str, Allowed)] = &[
    ("mqtt", Allowed::Only(&[])),
    ("domain", Allowed::Only(&[])),
    ("dialects", Allowed::Only(&["mqtt", "domain"])),
    ("platform", Allowed::Only(&["domain", "store"])),
    ("store", Allowed::Only(&["domain"])),
    ("fabric", Allowed::Only(&["domain"])),
    ("web", Allowed::Only(&["platform", "dialects", "domain"])),
    ("sim", Allowed::Only(&["mqtt", "domain"])),
    ("tidegate", Allowed::All),
    ("xtask", Allowed::Only(&[])),
];

/// What a pure crate may use that is not ours.
const OUTSIDE: &[(&str, &[&str])] =
    &[("mqtt", &["bytes"]), ("domain", &[]), ("dialects", &["serde", "serde_json"])];

enum Allowed {
    Only(&'static [&'static str]),
    All,
}

/// One crate's manifest: its dependencies by package name, with the line that names each.
pub(crate) struct Manifest {
    name: String,
    file: PathBuf,
    uses: BTreeMap<String, usize>,
    uses_in_tests: BTreeMap<String, usize>,
}

impl Manifest {
    /// # Errors
    ///
    /// Text that is not TOML, or has no package name.
    fn parse(file: &Path, text: &str) -> Result<Manifest> {
        let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", file.display()))?;
        let name = table
            .get("package")
            .and_then(|it| it.get("name"))
            .and_then(toml::Value::as_str)
            .with_context(|| format!("{} has no package name", file.display()))?
            .to_owned();
        let mut manifest =
            Manifest { name, file: file.to_owned(), uses: BTreeMap::new(), uses_in_tests: BTreeMap::new() };
        manifest.add_tables(&table, text);
        // `[target.'cfg(…)'.dependencies]` counts like the plain table.
        if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
            for target in targets.values().filter_map(toml::Value::as_table) {
                manifest.add_tables(target, text);
            }
        }
        Ok(manifest)
    }

    fn add_tables(&mut self, table: &toml::Table, text: &str) {
        for key in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let into = if key == "dev-dependencies" { &mut self.uses_in_tests } else { &mut self.uses };
            let Some(entries) = table.get(key).and_then(toml::Value::as_table) else { continue };
            for (alias, spec) in entries {
                let package = spec.get("package").and_then(toml::Value::as_str).unwrap_or(alias);
                into.insert(package.to_owned(), line_naming(text, key, alias));
            }
        }
    }
}

/// The line of `alias` below the header `[…key]`; 1 if it is written in another way.
fn line_naming(text: &str, key: &str, alias: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            let header = line.trim_matches(['[', ']', ' ']);
            inside = header.ends_with(key);
            if header.ends_with(&format!("{key}.{alias}")) {
                return index + 1;
            }
        } else if inside && line.split(['.', '=', ' ']).next() == Some(alias) {
            return index + 1;
        }
    }
    1
}

/// Reads the manifest of every crate of the workspace.
///
/// # Errors
///
/// A manifest that cannot be read or parsed.
pub(crate) fn read_manifests(root: &Path) -> Result<Vec<Manifest>> {
    let crates = root.join("crates");
    let mut folders = vec![PathBuf::from("xtask")];
    for entry in std::fs::read_dir(&crates).with_context(|| format!("cannot list {}", crates.display()))? {
        folders.push(Path::new("crates").join(entry?.file_name()));
    }
    folders.sort();
    let mut manifests = Vec::new();
    for file in folders.into_iter().map(|it| it.join("Cargo.toml")).filter(|it| root.join(it).is_file()) {
        let text =
            std::fs::read_to_string(root.join(&file)).with_context(|| format!("{}", file.display()))?;
        manifests.push(Manifest::parse(&file, &text)?);
    }
    Ok(manifests)
}

/// Every edge that the tables above do not have.
pub(crate) fn check(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifests {
        let fault = |line: usize, what: String, remedy: &'static str| Finding {
            weight: Weight::Fault,
            rule: "edges",
            file: manifest.file.clone(),
            line,
            what,
            remedy,
        };
        let name = manifest.name.as_str();
        let Some((_, allowed)) = EDGES.iter().find(|(it, _)| *it == name) else {
            let what = format!("the crate `{name}` has no place in the picture of who may name whom");
            findings.push(fault(1, what, "give it a row in xtask/src/tidy/edges.rs and in ARCHITECTURE.md"));
            continue;
        };
        for (used, &line) in &manifest.uses {
            let ours = EDGES.iter().any(|(it, _)| it == used);
            let outside = OUTSIDE.iter().find(|(it, _)| *it == name).map(|(_, list)| *list);
            if ours && matches!(allowed, Allowed::Only(list) if !list.contains(&used.as_str())) {
                let what = format!("`{name}` may not depend on `{used}`");
                let remedy = "move the code to the crate that may know both (ARCHITECTURE.md, \"The map of the code\"), or pass \
                              a value of `domain`";
                findings.push(fault(line, what, remedy));
            } else if !ours && outside.is_some_and(|list| !list.contains(&used.as_str())) {
                let what = format!("the pure crate `{name}` may not depend on `{used}`");
                findings.push(fault(
                    line,
                    what,
                    "do the work in `tidegate`, and hand the pure crate plain values",
                ));
            }
        }
    }
    findings
}

/// The edges as text, one crate a line.
pub(crate) fn picture(manifests: &[Manifest]) -> String {
    let ours = |uses: &BTreeMap<String, usize>| -> Vec<String> {
        uses.keys().filter(|it| EDGES.iter().any(|(name, _)| name == it)).cloned().collect()
    };
    let mut text = String::new();
    for manifest in manifests {
        let (uses, in_tests) = (ours(&manifest.uses), &manifest.uses_in_tests);
        let uses = if uses.is_empty() { "none of ours".to_owned() } else { uses.join(", ") };
        text += &format!("{:<9}→ {uses}", manifest.name);
        if !in_tests.is_empty() {
            let in_tests: Vec<&str> = in_tests.keys().map(String::as_str).collect();
            text += &format!(" · in tests also {}", in_tests.join(", "));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    fn faults(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let manifest = Manifest::parse(Path::new("Cargo.toml"), &text).unwrap();
        check(&[manifest]).iter().map(|it| format!("{}: {}", it.line, it.what)).collect()
    }

    #[test]
    fn the_allowed_edges_pass() {
        assert_eq!(
            faults("dialects", "[dependencies]\nmqtt.workspace = true\nserde_json = \"1\"\n"),
            [""; 0]
        );
        assert_eq!(faults("fabric", "[dependencies]\ndomain.workspace = true\ntokio = \"1\"\n"), [""; 0]);
        assert_eq!(
            faults("tidegate", "[dependencies]\nstore.workspace = true\nweb.workspace = true\n"),
            [""; 0]
        );
    }

    #[test]
    fn an_extra_edge_is_a_fault_at_its_line() {
        let found = faults("platform", "[dependencies]\ndomain.workspace = true\nmqtt.workspace = true\n");
        assert_eq!(found, ["5: `platform` may not depend on `mqtt`"]);
        let found = faults("store", "[dependencies.platform]\nworkspace = true\n");
        assert_eq!(found, ["3: `store` may not depend on `platform`"]);
    }

    #[test]
    fn renaming_and_target_tables_hide_nothing() {
        let found =
            faults("domain", "[dependencies]\nshelf = { package = \"store\", path = \"../store\" }\n");
        assert_eq!(found, ["4: `domain` may not depend on `store`"]);
        let found = faults("mqtt", "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n");
        assert_eq!(found, ["4: the pure crate `mqtt` may not depend on `tokio`"]);
    }

    #[test]
    fn tests_may_use_what_they_need() {
        assert_eq!(faults("mqtt", "[dev-dependencies]\nproptest = \"1\"\n"), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_row_is_a_fault() {
        assert_eq!(faults("helper", "").len(), 1);
    }
}
