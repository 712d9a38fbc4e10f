//! A configuration file of yamllint: <https://yamllint.readthedocs.io/en/stable/configuration.html>.

use std::path::Path;

use ilab_base::diagnostic::Diagnostic;
use ilab_base::io;
use ilab_base::yaml::{self, Node, Value, nearest};

use super::options::{self, Setting, Written};
use super::{
    COLONS, COMMAS, EMPTY_LINES, HYPHENS, INDENTATION, Inside, LayoutRules, LineEnd, LoadedRules,
    Rule, RulesError,
};

/// What yamllint knows and is not looked at here.
const UNCHECKED: [&str; 12] = [
    "comments",
    "comments-indentation",
    "document-end",
    "document-start",
    "empty-values",
    "float-values",
    "key-ordering",
    "line-length",
    "octal-values",
    "quoted-strings",
    "truthy",
    "anchors",
];
/// A file that breaks this one is no valid taxonomy file, whatever the rules of layout are.
const KEY_DUPLICATES: &str = "key-duplicates";
const CHECKED: [&str; 10] = [
    "trailing-spaces",
    "new-lines",
    "new-line-at-end-of-file",
    "empty-lines",
    "hyphens",
    "colons",
    "commas",
    "braces",
    "brackets",
    "indentation",
];
/// Keys that choose files. Which files are read is up to the taxonomy.
const OTHER_KEYS: [&str; 4] = ["ignore", "ignore-from-file", "yaml-files", "locale"];

pub(super) fn load(path: &Path) -> Result<LoadedRules, RulesError> {
    let text = io::read_to_string(path)?;
    match read(&text) {
        Ok((rules, warnings)) => Ok(LoadedRules {
            rules,
            text,
            warnings,
        }),
        Err(diagnostic) => Err(RulesError::Invalid {
            path: path.to_owned(),
            diagnostic,
        }),
    }
}

fn read(text: &str) -> Result<(LayoutRules, Vec<Diagnostic>), Box<Diagnostic>> {
    let root = yaml::parse(text)?.root;
    if !matches!(root.value, Value::Mapping(_)) {
        let message = format!(
            "a file of layout rules must be a mapping, not {}",
            root.kind()
        );
        return Err(Box::new(
            Diagnostic::error(text, root.span, message)
                .with_help("start with `extends: relaxed`, then `rules:`"),
        ));
    }
    let mut reader = Reader {
        text,
        rules: profile(text, &root)?,
        warnings: Vec::new(),
    };
    for (key, value) in root.entries() {
        match key.key_text().as_str() {
            "extends" => {}
            "rules" => reader.rules(value)?,
            other if OTHER_KEYS.contains(&other) => reader.warn(
                key,
                format!("`{other}` changes nothing: the taxonomy says which files are checked"),
                None,
            ),
            other => {
                let known = ["extends", "rules"].into_iter().chain(OTHER_KEYS);
                let meant = nearest(other, known);
                reader.warn(key, format!("yamllint has no key `{other}`"), meant);
            }
        }
    }
    Ok((reader.rules, reader.warnings))
}

/// The rules that the file starts from.
fn profile(text: &str, root: &Node) -> Result<LayoutRules, Box<Diagnostic>> {
    let Some(value) = root.get("extends") else {
        return Ok(LayoutRules::nothing());
    };
    match value.as_text() {
        Some("default") => Ok(LayoutRules::strict()),
        Some("relaxed") => Ok(LayoutRules::relaxed()),
        _ => {
            let option = Written {
                text,
                name: "extends",
                value,
            };
            let refusal = option.refusal("`default` or `relaxed`");
            Err(Box::new(refusal.with_help(
                "copy the rules of the other file into this one",
            )))
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rules: LayoutRules,
    warnings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn warn(&mut self, key: &Node, message: String, meant: Option<&str>) {
        let warning = Diagnostic::warning(self.text, key.span, message);
        self.warnings.push(match meant {
            Some(meant) => warning.with_help(format!("did you mean `{meant}`?")),
            None => warning,
        });
    }

    fn rules(&mut self, rules: &Node) -> Result<(), Box<Diagnostic>> {
        if !matches!(rules.value, Value::Mapping(_) | Value::Null) {
            let option = Written {
                text: self.text,
                name: "rules",
                value: rules,
            };
            return Err(option.refusal("a mapping from rules to their options"));
        }
        for (key, value) in rules.entries() {
            self.rule(key, value)?;
        }
        Ok(())
    }

    fn rule(&mut self, key: &Node, value: &Node) -> Result<(), Box<Diagnostic>> {
        let mut rules = self.rules.clone();
        let written = (key, value);
        match key.key_text().as_str() {
            "trailing-spaces" => {
                self.set(&mut rules.trailing_spaces, (), written, options::none)?;
            }
            "new-line-at-end-of-file" => {
                let rule = &mut rules.new_line_at_end_of_file;
                self.set(rule, (), written, options::none)?;
            }
            "new-lines" => {
                let unix = LineEnd::Unix;
                self.set(&mut rules.new_lines, unix, written, options::new_lines)?;
            }
            "empty-lines" => {
                let rule = &mut rules.empty_lines;
                self.set(rule, EMPTY_LINES, written, options::empty_lines)?;
            }
            "hyphens" => self.set(&mut rules.hyphens, HYPHENS, written, options::hyphens)?,
            "colons" => self.set(&mut rules.colons, COLONS, written, options::colons)?,
            "commas" => self.set(&mut rules.commas, COMMAS, written, options::commas)?,
            "braces" => self.set(
                &mut rules.braces,
                Inside::up_to(0),
                written,
                options::inside,
            )?,
            "brackets" => {
                let rule = &mut rules.brackets;
                self.set(rule, Inside::up_to(0), written, options::inside)?;
            }
            "indentation" => {
                let rule = &mut rules.indentation;
                self.set(rule, INDENTATION, written, options::indentation)?;
            }
            other => self.other_rule(other, key, value),
        }
        self.rules = rules;
        Ok(())
    }

    /// A rule that is not among those of layout.
    fn other_rule(&mut self, name: &str, key: &Node, value: &Node) {
        let is_off = is_off(value);
        if name == KEY_DUPLICATES && is_off {
            let message =
                "a key that stands twice is an error all the same: its first value is lost";
            self.warn(key, message.to_owned(), None);
        } else if UNCHECKED.contains(&name) && !is_off {
            self.warn(key, format!("`{name}` is not checked here"), None);
        } else if name != KEY_DUPLICATES && !UNCHECKED.contains(&name) {
            let known = CHECKED.into_iter().chain(UNCHECKED);
            let meant = nearest(name, known);
            self.warn(key, format!("yamllint has no rule `{name}`"), meant);
        }
    }

    /// Changes one rule by what the file writes of it.
    fn set<Limits>(
        &mut self,
        rule: &mut Option<Rule<Limits>>,
        defaults: Limits,
        (key, value): (&Node, &Node),
        set: impl Fn(&mut Limits, Written<'_>) -> Setting,
    ) -> Result<(), Box<Diagnostic>> {
        let name = key.key_text();
        let written = Written {
            text: self.text,
            name: &name,
            value,
        };
        if is_off(value) {
            *rule = None;
            return Ok(());
        }
        let is_on = value.as_text() == Some("enable");
        if !is_on && !matches!(value.value, Value::Mapping(_)) {
            return Err(written.refusal("`enable`, `disable` or a mapping of options"));
        }
        let rule = rule.get_or_insert_with(|| Rule::warning(defaults));
        for (key, value) in value.entries() {
            let option = key.key_text();
            let written = Written {
                name: &option,
                value,
                ..written
            };
            match option.as_str() {
                "level" => rule.severity = written.severity()?,
                _ if set(&mut rule.limits, written)? => {}
                _ => {
                    let message = format!("`{option}` of `{name}` is not checked here");
                    self.warn(key, message, None);
                }
            }
        }
        Ok(())
    }
}

fn is_off(value: &Node) -> bool {
    value.as_text() == Some("disable") || value.value == Value::Boolean(false)
}

#[cfg(test)]
mod tests {
    use super::super::{Blanks, Sequences};
    use super::*;
    use ilab_base::diagnostic::Severity;

    #[test]
    fn a_file_replaces_the_rules() {
        let (rules, warnings) = read("extends: relaxed\n").unwrap();
        assert_eq!((rules, warnings), (LayoutRules::default(), Vec::new()));
        let (rules, _) = read("rules: {colons: enable}\n").unwrap();
        let only = LayoutRules {
            colons: Some(Rule::warning(COLONS)),
            ..LayoutRules::nothing()
        };
        assert_eq!(rules, only, "without a profile only what is named holds");
    }

    #[test]
    fn levels_and_limits_change_what_a_profile_says_and_leave_the_rest() {
        let text = "extends: default\nrules:\n  hyphens: {max-spaces-after: 3, level: error}\n  colons: {max-spaces-before: -1}\n  commas: disable\n  indentation:\n    spaces: 4\n    indent-sequences: false\n    check-multi-line-strings: false\n  new-lines: {type: dos}\n";
        let (rules, warnings) = read(text).unwrap();
        assert_eq!(warnings, []);
        let hyphens = rules.hyphens.unwrap();
        assert_eq!(hyphens.severity, Severity::Error);
        assert_eq!(hyphens.limits.after, Blanks::up_to(3));
        let colons = rules.colons.unwrap();
        assert_eq!(colons.severity, Severity::Warning);
        assert_eq!(colons.limits.before.max, None);
        assert_eq!(colons.limits.after, COLONS.after);
        assert_eq!(rules.commas, None);
        let indentation = rules.indentation.unwrap().limits;
        assert_eq!(indentation.spaces, Some(4));
        assert_eq!(indentation.sequences, Sequences::Flush);
        assert_eq!(rules.new_lines.unwrap().limits, LineEnd::Windows);
        assert_eq!(rules.braces, LayoutRules::strict().braces);
    }

    #[test]
    fn what_is_not_checked_is_named_with_its_line() {
        let text = "extends: relaxed\nlocale: de\nruels: 1\nrules:\n  line-length: disable\n  truthy: enable\n  tralling-spaces: enable\n  braces: {forbid: true}\n  key-duplicates: disable\n";
        let (_, warnings) = read(text).unwrap();
        let told: Vec<_> = warnings
            .iter()
            .map(|one| {
                let help = one.help.as_deref().unwrap_or_default();
                format!("{}:{} {} {help}", one.line, one.column, one.message)
            })
            .collect();
        assert_eq!(
            told,
            [
                "2:1 `locale` changes nothing: the taxonomy says which files are checked ",
                "3:1 yamllint has no key `ruels` did you mean `rules`?",
                "6:3 `truthy` is not checked here ",
                "7:3 yamllint has no rule `tralling-spaces` did you mean `trailing-spaces`?",
                "8:12 `forbid` of `braces` is not checked here ",
                "9:3 a key that stands twice is an error all the same: its first value is lost ",
            ]
        );
    }

    #[test]
    fn what_cannot_be_followed_is_an_error_at_its_place() {
        for (text, line, column, message) in [
            ("a: [", 1, 5, "this is not YAML"),
            ("", 1, 1, "must be a mapping, not nothing"),
            ("- a\n", 1, 1, "must be a mapping, not a list"),
            ("extends: ../mine.yaml\n", 1, 10, "not `../mine.yaml`"),
            ("rules: [colons]\n", 1, 8, "`rules` must be a mapping"),
            ("rules:\n  colons: on\n", 2, 11, "`enable`, `disable`"),
            ("rules:\n  colons: {level: fatal}\n", 2, 19, "not `fatal`"),
            (
                "rules:\n  hyphens: {max-spaces-after: -2}\n",
                2,
                31,
                "-1 for no limit",
            ),
            (
                "rules:\n  empty-lines: {max: x}\n",
                2,
                22,
                "a whole number up to 100",
            ),
            (
                "rules:\n  indentation: {spaces: 0}\n",
                2,
                25,
                "from 1 to 16",
            ),
            (
                "rules:\n  commas: {min-spaces-after: 99999999999}\n",
                2,
                30,
                "up to 100",
            ),
            ("rules:\n  new-lines: {type: mac}\n", 2, 21, "`dos`"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text}: {error:?}"
            );
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
    }
}
