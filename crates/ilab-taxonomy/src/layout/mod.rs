//! Layout: what makes a file harder to review and changes nothing of what it teaches.
//!
//! Every rule is told once a file, at its first place: a hundred lines with the same habit are one thing to change.

pub(crate) mod indentation;
pub(crate) mod lines;
pub(crate) mod marks;

use ilab_base::diagnostic::{Diagnostic, Severity, Span};
use ilab_base::yaml::Node;

use crate::rules::{LayoutRules, Rule};

/// What `rules` find in `text`, which `root` was parsed from.
pub(crate) fn findings(text: &str, root: &Node, rules: &LayoutRules) -> Vec<Diagnostic> {
    let lines = [
        found(text, rules.trailing_spaces.as_ref(), |()| {
            lines::trailing_blanks(text)
        }),
        found(text, rules.new_lines.as_ref(), |end| {
            lines::other_line_ends(text, *end)
        }),
        found(text, rules.new_line_at_end_of_file.as_ref(), |()| {
            lines::missing_final_newline(text)
        }),
        found(text, rules.indentation.as_ref(), |limits| {
            indentation::odd_one(text, root, *limits)
        }),
        found(text, rules.empty_lines.as_ref(), |limits| {
            lines::empty_lines(text, *limits)
        }),
    ];
    let mut findings: Vec<_> = lines.into_iter().flatten().collect();
    findings.extend(marks::findings(text, root, rules));
    findings
}

/// A broken rule before its severity is known.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: String,
}

fn found<Limits>(
    text: &str,
    rule: Option<&Rule<Limits>>,
    find: impl Fn(&Limits) -> Option<Finding>,
) -> Option<Diagnostic> {
    let rule = rule?;
    let Finding {
        span,
        message,
        help,
    } = find(&rule.limits)?;
    let diagnostic = match rule.severity {
        Severity::Error => Diagnostic::error(text, span, message),
        Severity::Warning => Diagnostic::warning(text, span, message),
    };
    Some(diagnostic.with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilab_base::yaml;

    fn told(text: &str, rules: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        std::fs::write(&path, rules).unwrap();
        let rules = LayoutRules::load(&path).unwrap().rules;
        let root = yaml::parse(text).unwrap().root;
        let told = findings(text, &root, &rules).into_iter();
        told.map(|one| {
            format!(
                "{:?} {}:{} {}",
                one.severity, one.line, one.column, one.message
            )
        })
        .collect()
    }

    /// Every line was checked against yamllint 1.38 with the same rules: it warns where this does.
    #[test]
    fn a_file_of_rules_says_what_is_told_and_how_bad_it_is() {
        assert_eq!(told("x :  1  ", "rules: {}"), [""; 0]);
        for (text, rules, expected) in [
            (
                "a: 1 \n",
                "rules: {trailing-spaces: {level: error}}",
                "Error 1:5 blanks at the end of 1 line",
            ),
            (
                "a: 1\nb: 2\r\n",
                "rules: {new-lines: {type: dos}}",
                "Warning 1:5 Unix line ends (LF) on 1 line",
            ),
            (
                "- a\n-   b\n-    c\n",
                "rules: {hyphens: {max-spaces-after: 3}}",
                "Warning 3:1 more or fewer blanks around a mark than the rules allow",
            ),
            (
                "a : 1\nb:  2\n",
                "rules: {colons: {max-spaces-before: -1}}",
                "Warning 2:2 more or fewer blanks around a mark than the rules allow",
            ),
            (
                "a: [1,2]\nb: [1,  2]\n",
                "rules: {commas: {min-spaces-after: 0, max-spaces-after: 0}}",
                "Warning 2:6 more or fewer blanks around a mark than the rules allow",
            ),
            (
                "a: [ 1]\nb: {x: 1}\nc: {}\n",
                "rules: {brackets: {max-spaces-inside: -1}, braces: {min-spaces-inside: 1, max-spaces-inside: 1, min-spaces-inside-empty: 0}}",
                "Warning 2:4 more or fewer blanks inside brackets than the rules allow, 2 times in this file",
            ),
            (
                "a: []\nb: [ ]\n",
                "rules: {brackets: {max-spaces-inside-empty: 0, max-spaces-inside: 1}}",
                "Warning 2:4 more than one blank inside brackets",
            ),
            (
                "a:\n  b:\n    c: 1\n",
                "rules: {indentation: {spaces: 4}}",
                "Warning 2:3 indented by 2 here, and the rules ask for 4",
            ),
            (
                "a:\n- 1\n",
                "extends: default",
                "Warning 2:1 the list is not indented, and the rules ask for it",
            ),
            (
                "a:\n  - 1\n",
                "rules: {indentation: {indent-sequences: false}}",
                "Warning 2:3 the list is indented, and the rules ask for none that is",
            ),
            (
                "a: 1\n\n\nb: 2\n",
                "rules: {empty-lines: {max: 1}}",
                "Warning 3:1 more than one empty line in a row",
            ),
            (
                "\n\na: 1\n",
                "rules: {empty-lines: {max-start: 1}}",
                "Warning 1:1 the file starts with more than one empty line",
            ),
        ] {
            assert_eq!(told(text, rules), [expected], "{text:?} {rules}");
        }
        let either = "a:\n- 1\nb:\n  - 2\n";
        let rules = "rules: {indentation: {indent-sequences: whatever}}";
        assert_eq!(told(either, rules), [""; 0]);
    }
}
