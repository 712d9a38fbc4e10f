//! Habits of the text: documentation of crates, notes, ignored tests, lint exceptions, paths of somebody's machine.

use crate::tidy::Finding;
use crate::tidy::repository::{Crate, SourceFile};

/// Checks all files and crates.
pub(super) fn check(files: &[SourceFile], crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in crates {
        let root = files.iter().find(|file| file.path == krate.root_file);
        if !root.is_some_and(|file| file.text.starts_with("//!")) {
            let message = "the crate does not say in its first line what it is (`//!`)";
            findings.push(Finding::file(&krate.root_file, message));
        }
    }
    for file in files {
        for (line_idx, line) in file.text.lines().enumerate() {
            for message in faults(file, line) {
                findings.push(Finding::line(&file.path, line_idx, message));
            }
        }
    }
    findings
}

fn faults(file: &SourceFile, line: &str) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if names_a_machine_path(line) {
        faults.push("the path of somebody's machine");
    }
    if !file.is_rust() {
        return faults;
    }
    if has_unnumbered_note(line) {
        faults.push(concat!(
            "a note for later needs the number of its issue: `TO",
            "DO(#12)`"
        ));
    }
    let attribute = line.trim_start();
    if attribute.starts_with(concat!("#[", "ignore")) {
        faults.push("a test must not be ignored: make it run or delete it");
    }
    let is_expectation = attribute.starts_with("#[expect(") || attribute.starts_with("#![expect(");
    if is_expectation && attribute.trim_end().ends_with(")]") && !attribute.contains("reason") {
        faults.push("an `expect` attribute needs a `reason`");
    }
    faults
}

/// Whether a note for later stands in a comment without the number of an issue.
fn has_unnumbered_note(line: &str) -> bool {
    let Some((_, comment)) = line.split_once("//") else {
        return false;
    };
    [concat!("TO", "DO"), concat!("FIX", "ME")]
        .iter()
        .filter_map(|word| comment.split_once(word))
        .any(|(_, rest)| !rest.trim_start_matches(['(', ' ']).starts_with('#'))
}

/// The made-up user of examples and tests.
const EXAMPLE_USER: &str = "ada";

/// Whether an absolute path below a home or work directory occurs. A path that goes on to the left is another one.
fn names_a_machine_path(line: &str) -> bool {
    let roots = [
        concat!("/", "root/"),
        concat!("/", "work/"),
        concat!("/", "home/"),
        concat!("/", "Users/"),
    ];
    roots.iter().any(|root| {
        line.match_indices(root).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let rest = &line[start + root.len()..];
            let name = rest
                .split(|character: char| !character.is_alphanumeric())
                .next()
                .unwrap_or_default();
            !before.is_some_and(|before| before.is_alphanumeric() || "._-}~>*/".contains(before))
                && !name.is_empty()
                && name != EXAMPLE_USER
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> usize {
        let file = SourceFile {
            path: path.to_owned(),
            text: line.to_owned(),
        };
        check(&[file], &[]).len()
    }

    #[test]
    fn machine_paths_are_found_everywhere_and_parts_of_others_are_not() {
        let path = |root: &str| format!("see \"/{root}/grace/notes\"");
        for root in ["root", "home", "work", "Users"] {
            assert_eq!(found("docs/LOG.md", &path(root)), 1, "{root}");
        }
        for fine in [
            "https://example.org/work/of",
            "a/root/b",
            "$HOME/work/x",
            "/rooted/x",
            "`/root/`",
            concat!("/", "home/ada/notes"),
        ] {
            assert_eq!(found("docs/LOG.md", fine), 0, "{fine}");
        }
    }

    #[test]
    fn notes_need_the_number_of_an_issue() {
        let note = concat!("TO", "DO");
        assert_eq!(found("a.rs", &format!("x(); // {note}: later")), 1);
        assert_eq!(found("a.rs", &format!("x(); // {note}(#12): later")), 0);
        assert_eq!(found("a.rs", &format!("let {note} = 1;")), 0);
    }

    #[test]
    fn ignored_tests_and_unexplained_exceptions_are_found() {
        assert_eq!(found("a.rs", concat!("    #[", "ignore]")), 1);
        assert_eq!(found("a.rs", concat!("    #[", "ignore = \"slow\"]")), 1);
        assert_eq!(found("a.rs", "#[expect(clippy::too_many_lines)]"), 1);
        let explained = "#[expect(clippy::too_many_lines, reason = \"a table\")]";
        assert_eq!(found("a.rs", explained), 0);
    }

    #[test]
    fn a_crate_without_documentation_is_found() {
        let krate = Crate {
            name: "a".to_owned(),
            root_file: "a.rs".to_owned(),
            manifest: String::new(),
            imports: Vec::new(),
        };
        let file = SourceFile {
            path: "a.rs".to_owned(),
            text: "mod b;\n".to_owned(),
        };
        assert_eq!(check(&[file], &[krate]).len(), 1);
    }
}
