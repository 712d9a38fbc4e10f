//! How long a file may be.

use crate::tidy::Finding;
use crate::tidy::repository::SourceFile;

/// Lines of a Rust file, tests included.
const MAX_LINES: usize = 800;

/// Files that may be longer, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Checks the length of every Rust file.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let is_exception = |path: &str| EXCEPTIONS.iter().any(|(exception, _)| *exception == path);
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let n_lines = file.text.lines().count();
        if n_lines > MAX_LINES && !is_exception(&file.path) {
            let message =
                format!("{n_lines} lines, at most {MAX_LINES}: split it by what it is about");
            findings.push(Finding::file(&file.path, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_rust_files_are_found() {
        let file = |path: &str, n_lines: usize| SourceFile {
            path: path.to_owned(),
            text: "x\n".repeat(n_lines),
        };
        let files = [
            file("a.rs", MAX_LINES),
            file("b.rs", MAX_LINES + 1),
            file("c.json", 9 * MAX_LINES),
        ];
        let findings = check(&files);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "b.rs");
    }
}
