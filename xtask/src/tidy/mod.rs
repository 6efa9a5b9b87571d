//! `cargo xtask tidy`: the house rules that neither rustc nor clippy can check.
//!
//! Each rule is a function from text to findings, in a file of its own with tests of its own; this file collects the
//! sources, runs every rule and prints what they found: place, rule, what is wrong, what to do. A *note* is worth
//! reading and a *fault* fails the run. Nothing here changes a file.

mod bans;
mod edges;
mod length;
mod names;
mod source;
mod todo;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use source::Source;

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// Worth a look; the run passes.
    Note,
    /// The run fails.
    Fault,
}

/// One thing that a rule found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// The rule's name, in brackets in the report.
    pub(crate) rule: &'static str,
    /// Path relative to the workspace root.
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong, as a sentence without its full stop.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Note => "note",
            Weight::Fault => "FAULT",
        };
        let Finding { rule, line, what, remedy, .. } = self;
        write!(f, "{}:{line}: {weight} [{rule}] {what}\n    remedy: {remedy}", self.file.display())
    }
}

/// Runs every rule over the workspace at `root`, prints the report, and returns the number of faults.
///
/// # Errors
///
/// A source or manifest that cannot be read or parsed.
pub(crate) fn run(root: &Path) -> Result<usize> {
    let sources = collect(root)?;
    let manifests = edges::read_manifests(root)?;

    let mut findings = edges::check(&manifests);
    findings.extend(pure_lints_agree(root)?);
    for source in &sources {
        findings.extend(names::check(source));
        findings.extend(todo::check(source));
        findings.extend(bans::check(source));
        findings.extend(length::check(source));
    }
    findings.sort_by(|a, b| (a.weight as u8, &a.file, a.line).cmp(&(b.weight as u8, &b.file, b.line)));

    print!("{}", edges::picture(&manifests));
    for finding in &findings {
        println!("{finding}");
    }
    let faults = findings.iter().filter(|it| it.weight == Weight::Fault).count();
    println!("tidy: {} files, {} notes, {faults} faults", sources.len(), findings.len() - faults);
    Ok(faults)
}

/// Every file of ours that a rule reads, in path order.
fn collect(root: &Path) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for top in ["crates", "xtask", "tests"] {
        walk(&root.join(top), &mut paths)?;
    }
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        sources.push(Source::new(relative, text));
    }
    Ok(sources)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules", "__pycache__"];
    const EXTENSIONS: &[&str] = &["rs", "py", "js", "sh", "toml"];
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_dir() && !SKIPPED_FOLDERS.contains(&name) {
            walk(&path, found)?;
        } else if path.extension().and_then(|it| it.to_str()).is_some_and(|it| EXTENSIONS.contains(&it)) {
            found.push(path);
        }
    }
    Ok(())
}

/// The pure crates carry the same `clippy.toml`, since clippy reads only the nearest one.
fn pure_lints_agree(root: &Path) -> Result<Vec<Finding>> {
    let mut first: Option<String> = None;
    let mut findings = Vec::new();
    for name in edges::PURE {
        let file = Path::new("crates").join(name).join("clippy.toml");
        let text =
            std::fs::read_to_string(root.join(&file)).with_context(|| format!("{}", file.display()))?;
        if first.get_or_insert_with(|| text.clone()) != &text {
            let what = format!("differs from crates/{}/clippy.toml", edges::PURE[0]);
            let remedy = "copy one over the other, so that the pure crates keep one list";
            findings.push(Finding { weight: Weight::Fault, rule: "pure-lints", file, line: 1, what, remedy });
        }
    }
    Ok(findings)
}
