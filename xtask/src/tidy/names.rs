//! File names that say nothing, and files that open without saying what they are.

use super::source::Source;
use super::{Finding, Weight};

/// A thing lives with the noun it belongs to; these names are nobody's noun.
const BANNED_STEMS: &[&str] = &["utils", "util", "common", "types", "helpers", "helper", "misc"];

/// Banned file names anywhere; a missing module paragraph in `src/`.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fault = |rule, what: String, remedy| {
        let file = source.path.clone();
        findings.push(Finding { weight: Weight::Fault, rule, file, line: 1, what, remedy });
    };
    let stem = source.path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
    let folder =
        source.path.parent().and_then(|it| it.file_name()).and_then(|it| it.to_str()).unwrap_or_default();
    for name in [stem, folder] {
        if BANNED_STEMS.contains(&name) {
            let what = format!("`{name}` names no thing");
            fault(
                "names",
                what,
                "put each item beside the noun it belongs to, or name the file after that noun",
            );
        }
    }
    if source.is_rust() && !source.is_test(1) && !source.text.trim_start().starts_with("//!") {
        let what = "the file does not open with a paragraph of prose".to_owned();
        fault("opening", what, "say in `//!` what this is, who calls it and what it never does");
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Source::new(Path::new(path), text.to_owned())).iter().map(|it| it.rule).collect()
    }

    #[test]
    fn empty_names_are_faults() {
        assert_eq!(rules("crates/x/src/utils.rs", "//! A.\n"), ["names"]);
        assert_eq!(rules("crates/x/src/common/mod.rs", "//! A.\n"), ["names"]);
        assert_eq!(rules("tests/sdk/python/helpers.py", ""), ["names"]);
        assert_eq!(rules("crates/x/src/registry.rs", "//! A.\n"), [""; 0]);
    }

    #[test]
    fn a_module_opens_with_prose() {
        assert_eq!(rules("crates/x/src/a.rs", "use b;\n"), ["opening"]);
        assert_eq!(rules("crates/x/tests/a.rs", "use b;\n"), [""; 0]);
    }
}
