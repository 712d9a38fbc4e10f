//! Module names that say nothing.

use crate::tidy::Finding;
use crate::tidy::repository::SourceFile;

const BANNED: [&str; 9] = [
    "common", "core", "helper", "helpers", "manager", "misc", "types", "util", "utils",
];

/// Checks the name of every Rust file and of the folders it lies in.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let path = file.path.trim_end_matches(".rs");
        if let Some(name) = path.split('/').find(|part| BANNED.contains(part)) {
            findings.push(Finding::file(
                &file.path,
                format!("`{name}` does not say what is in it: name it after its main type or verb"),
            ));
        }
        for (line_idx, text) in file.text.lines().enumerate() {
            if let Some(name) = declared_module(text).filter(|name| BANNED.contains(name)) {
                findings.push(Finding::line(
                    &file.path,
                    line_idx,
                    format!("a module must not be called `{name}`"),
                ));
            }
        }
    }
    findings
}

/// The name in `mod name;` or `mod name {`, with or without visibility.
fn declared_module(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first != "mod" && !(first.starts_with("pub") && words.next()? == "mod") {
        return None;
    }
    words.next().map(|name| name.trim_end_matches([';', '{']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&[file]).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn files_folders_and_inline_modules_are_found() {
        assert_eq!(found("crates/a/src/utils.rs", "").len(), 1);
        assert_eq!(found("crates/a/src/common/parse.rs", "").len(), 1);
        assert_eq!(
            found("crates/a/src/lib.rs", "\npub(crate) mod types {\n").len(),
            1
        );
        assert_eq!(found("crates/a/src/lib.rs", "mod misc;\n").len(), 1);
    }

    #[test]
    fn names_that_only_contain_such_a_word_are_not() {
        assert_eq!(
            found("crates/a/src/output_type.rs", "mod tests {\n"),
            [""; 0]
        );
        assert_eq!(
            found("crates/a/src/parse.rs", "use core::fmt;\nlet types = 1;\n"),
            [""; 0]
        );
    }
}
