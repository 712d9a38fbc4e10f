//! Short flags of two letters, which the original has and clap does not.

use std::ffi::OsString;

/// Each two-letter flag and the long flag it stands for.
const TWO_LETTER_FLAGS: &[(&str, &str)] = &[
    ("-dt", "--detached"),
    ("-md", "--model-dir"),
    ("-nd", "--no-decoration"),
    ("-qq", "--quick-question"),
    ("-rl", "--release"),
    ("-rp", "--repository"),
    ("-sd", "--skip-de-quantize"),
    ("-sq", "--skip-quantize"),
    ("-wc", "--without-comments"),
];

/// Replaces two-letter flags by their long forms, up to a `--`.
pub(super) fn expand(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut is_after_separator = false;
    arguments
        .map(|argument| {
            is_after_separator |= argument == "--";
            TWO_LETTER_FLAGS
                .iter()
                .find(|(short, _)| !is_after_separator && argument == *short)
                .map_or(argument, |(_, long)| OsString::from(long))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &[&str]) -> Vec<OsString> {
        expand(arguments.iter().map(OsString::from))
    }

    #[test]
    fn two_letter_flags_become_long_ones_before_the_separator_only() {
        assert_eq!(
            expanded(&["ilab", "chat", "-qq", "-v", "why", "--", "-qq"]),
            ["ilab", "chat", "--quick-question", "-v", "why", "--", "-qq"]
        );
    }
}
