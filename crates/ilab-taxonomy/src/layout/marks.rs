//! Blanks around the marks of YAML: dashes, colons, commas and brackets.

use std::ops::Range;

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::yaml::{Node, Value};

use super::{Finding, found};
use crate::rules::{Around, Blanks, COLONS, COMMAS, HYPHENS, Inside, LayoutRules};

/// What the rules find around marks.
pub(super) fn findings(text: &str, root: &Node, rules: &LayoutRules) -> Vec<Diagnostic> {
    let marks = Marks::of(text, root);
    let around = |limits: &Around, usual: Around, misfits: Vec<Misfit>, usual_message, help| {
        let message = match *limits == usual {
            true => usual_message,
            false => "more or fewer blanks around a mark than the rules allow",
        };
        finding(&misfits, message, help)
    };
    let inside = |limits: &Inside, pair: &[u8; 2]| {
        let message = match limits.filled == Blanks::up_to(1) {
            true => "more than one blank inside brackets",
            false => "more or fewer blanks inside brackets than the rules allow",
        };
        let help = "write `[one, two]` or `{key: value}`";
        finding(&marks.brackets(*limits, pair), message, help)
    };
    let hyphens = found(text, rules.hyphens.as_ref(), |limits| {
        let message = "more than one blank after a dash";
        let misfits = marks.dashes(*limits);
        around(limits, HYPHENS, misfits, message, "write `- item`")
    });
    let colons = found(text, rules.colons.as_ref(), |limits| {
        let message = "a blank before a colon, or more than one after it";
        let misfits = marks.colons(*limits);
        around(limits, COLONS, misfits, message, "write `key: value`")
    });
    let commas = found(text, rules.commas.as_ref(), |limits| {
        let message = "a blank before a comma, or not one after it";
        let misfits = marks.commas(*limits);
        around(limits, COMMAS, misfits, message, "write `[one, two]`")
    });
    let brackets = found(text, rules.brackets.as_ref(), |limits| {
        inside(limits, b"[]")
    });
    let braces = found(text, rules.braces.as_ref(), |limits| inside(limits, b"{}"));
    let found = [hyphens, colons, commas, brackets, braces];
    found.into_iter().flatten().collect()
}

/// One finding for all places that break a rule.
fn finding(misfits: &[Misfit], message: &str, help: &str) -> Option<Finding> {
    let start = misfits.first()?.mark;
    let others = misfits.chunk_by(|one, next| one.mark == next.mark).count();
    let others = match others {
        1 => String::new(),
        n => format!(", {n} times in this file"),
    };
    Some(Finding {
        span: Span {
            start,
            end: start + 1,
        },
        message: format!("{message}{others}"),
        help: help.to_owned(),
    })
}

/// Blanks beside a mark that are too many or too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The place of the mark.
    pub(crate) mark: usize,
    /// The blanks that are there.
    pub(crate) blanks: Range<usize>,
    /// How many there should be.
    pub(crate) n_wanted: usize,
}

/// The text with everything but structure painted over: scalars and comments hold any marks.
pub(crate) struct Marks<'a> {
    text: &'a str,
    structure: Vec<u8>,
    /// Where comments stand, each from its `#` to the end of its line.
    comments: Vec<Range<usize>>,
}

/// What stands for a byte of a scalar or of a comment.
const PAINT: u8 = 0;

impl<'a> Marks<'a> {
    pub(crate) fn of(text: &'a str, root: &Node) -> Self {
        let mut structure = text.as_bytes().to_vec();
        paint_scalars(root, &mut structure);
        let mut comments: Vec<Range<usize>> = Vec::new();
        let mut is_comment = false;
        for (place, byte) in structure.iter_mut().enumerate() {
            match (*byte, is_comment) {
                (b'\n', _) => is_comment = false,
                (b'#', false) => {
                    comments.push(place..place);
                    is_comment = true;
                }
                _ => {}
            }
            if is_comment {
                *byte = PAINT;
                if let Some(comment) = comments.last_mut() {
                    comment.end = place + 1;
                }
            }
        }
        Self {
            text,
            structure,
            comments,
        }
    }

    /// Where comments stand, each from its `#` to the end of its line.
    pub(crate) fn comments(&self) -> &[Range<usize>] {
        &self.comments
    }

    /// Whether a dash of a list stands at `place`.
    pub(crate) fn is_dash(&self, place: usize) -> bool {
        let line = self.structure[..place].rsplit(|&b| b == b'\n').next();
        self.structure.get(place) == Some(&b'-')
            && line.is_some_and(|line| line.iter().all(|b| matches!(b, b' ' | b'-')))
    }

    /// The first dash of a list from `place` on.
    pub(crate) fn next_dash(&self, place: usize) -> Option<usize> {
        (place..self.structure.len()).find(|&place| self.is_dash(place))
    }

    /// Blanks just before a mark; `None` where the mark is the first thing of its line.
    fn n_before(&self, place: usize) -> Option<usize> {
        let before = &self.structure[..place];
        let n_blanks = before.iter().rev().take_while(|&&b| b == b' ').count();
        let is_first = matches!(before.iter().rev().nth(n_blanks), None | Some(b'\n'));
        (!is_first).then_some(n_blanks)
    }

    /// Blanks just after a mark; `None` where nothing but a comment follows on the line.
    fn n_after(&self, place: usize) -> Option<usize> {
        let after = &self.text.as_bytes()[place + 1..];
        let n_blanks = after.iter().take_while(|&&b| b == b' ').count();
        let is_last = matches!(after.get(n_blanks), None | Some(b'\n' | b'\r' | b'#'));
        (!is_last).then_some(n_blanks)
    }

    fn before(&self, mark: usize, allowed: Blanks) -> Option<Misfit> {
        let n_blanks = self.n_before(mark)?;
        let n_wanted = allowed.nearest(n_blanks);
        (n_wanted != n_blanks).then_some(Misfit {
            mark,
            blanks: mark - n_blanks..mark,
            n_wanted,
        })
    }

    fn after(&self, mark: usize, allowed: Blanks) -> Option<Misfit> {
        let n_blanks = self.n_after(mark)?;
        let n_wanted = allowed.nearest(n_blanks);
        (n_wanted != n_blanks).then_some(Misfit {
            mark,
            blanks: mark + 1..mark + 1 + n_blanks,
            n_wanted,
        })
    }

    fn places(&self, marks: &[u8]) -> impl Iterator<Item = usize> {
        let is_mark = |place: &usize| marks.contains(&self.structure[*place]);
        (0..self.structure.len()).filter(is_mark)
    }

    fn around(&self, mark: u8, limits: Around) -> Vec<Misfit> {
        let marks = [mark];
        let misfits = self.places(&marks).flat_map(|place| {
            let before = self.before(place, limits.before);
            before.into_iter().chain(self.after(place, limits.after))
        });
        misfits.collect()
    }

    pub(crate) fn dashes(&self, limits: Around) -> Vec<Misfit> {
        let dashes = self.places(b"-").filter(|&place| self.is_dash(place));
        dashes
            .filter_map(|place| self.after(place, limits.after))
            .collect()
    }

    pub(crate) fn colons(&self, limits: Around) -> Vec<Misfit> {
        self.around(b':', limits)
    }

    pub(crate) fn commas(&self, limits: Around) -> Vec<Misfit> {
        self.around(b',', limits)
    }

    pub(crate) fn brackets(&self, limits: Inside, pair: &[u8; 2]) -> Vec<Misfit> {
        let [open, close] = *pair;
        let misfits = self.places(pair).filter_map(|place| {
            if self.structure[place] == open {
                let n_blanks = self.n_after(place)?;
                let is_empty = self.structure.get(place + 1 + n_blanks) == Some(&close);
                let allowed = if is_empty {
                    limits.empty()
                } else {
                    limits.filled
                };
                return self.after(place, allowed);
            }
            let n_blanks = self.n_before(place)?;
            let opener = place.checked_sub(n_blanks + 1);
            let is_empty = opener.is_some_and(|place| self.structure[place] == open);
            // The blanks of an empty pair are those after its opener.
            (!is_empty).then(|| self.before(place, limits.filled))?
        });
        misfits.collect()
    }
}

fn paint_scalars(node: &Node, structure: &mut [u8]) {
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| paint_scalars(item, structure)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                paint_scalars(key, structure);
                paint_scalars(value, structure);
            }
        }
        _ => {
            let scalar = &mut structure[node.span.start..node.span.end];
            // The parser counts the blanks behind a quoted scalar as its own.
            let length = scalar.trim_ascii_end().len();
            scalar[..length].fill(PAINT);
        }
    }
}
#[cfg(test)]
mod tests {
    use crate::layout::findings;
    use crate::rules::LayoutRules;
    use ilab_base::yaml;

    fn told(text: &str) -> Vec<String> {
        let document = yaml::parse(text).unwrap();
        let told = findings(text, &document.root, &LayoutRules::default()).into_iter();
        told.map(|one| format!("{}:{} {}", one.line, one.column, one.message))
            .collect()
    }

    /// Every line was checked against yamllint 1.38 with the profile `relaxed`: it warns where this does.
    #[test]
    fn each_rule_warns_once_at_its_first_place() {
        for (text, expected) in [
            ("a:\n  -  b\n", "2:3 more than one blank after a dash"),
            (
                "a: 1\nb:  2\nc : 3\n",
                "2:2 a blank before a colon, or more than one after it, 2 times in this file",
            ),
            (
                "a: [1 , 2]\n",
                "1:7 a blank before a comma, or not one after it",
            ),
            (
                "a: [1,2]\n",
                "1:6 a blank before a comma, or not one after it",
            ),
            ("a: [\"x\"  ]\n", "1:10 more than one blank inside brackets"),
            ("a: {  x: 1}\n", "1:4 more than one blank inside brackets"),
            (
                "a:\n  b: 1\nc:\n    d: 1\n",
                "4:5 indented by 4 here, but by 2 above",
            ),
            (
                "a:\n  - b\nc:\n    d: 1\n",
                "4:5 indented by 4 here, but by 2 above",
            ),
            (
                "a:\n- b\nc:\n  - d\n",
                "4:3 indented by 2 here, but by 0 above",
            ),
            (
                "a:\n- [1]\nb:\n  - {x: 1}\n",
                "4:3 indented by 2 here, but by 0 above",
            ),
            ("\na: 1\n", "1:1 the file starts with an empty line"),
            ("a: 1\n\n", "2:1 the file ends with an empty line"),
            (
                "a: 1\n\n\n\nb: 2\n",
                "4:1 more than two empty lines in a row",
            ),
        ] {
            assert_eq!(told(text), [expected], "{text}");
        }
    }

    #[test]
    fn marks_in_texts_and_comments_are_words() {
        let text = "# a , b :  c\nquestion: one , two\ntext: |\n  a list:\n    -   item , {   }\nquoted: \"x :  y\"\nlist: []\n";
        assert_eq!(told(text), [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_rules_panic(text in "([a-cé]:|- |\\[|\\]|\\{|\\}|,|  |\n|#|\\*a|&a |\"|\\||é|\r\n|~){0,24}") {
            if let Ok(document) = yaml::parse(&text) {
                findings(&text, &document.root, &LayoutRules::default());
            }
        }
    }
}
