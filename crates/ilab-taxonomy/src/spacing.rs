//! Blanks around the marks of YAML, indentation and empty lines, by the rules of yamllint's `relaxed` profile, which the original
//! applies. Warnings only.
//!
//! Rules and limits: <https://yamllint.readthedocs.io/en/stable/rules.html>.

use ilab_base::diagnostic::{Diagnostic, Span, line_and_column};
use ilab_base::yaml::{Node, Value};

/// More empty lines than this in a row are too many.
const MAX_EMPTY_LINES: usize = 2;

/// One finding a rule, at its first place.
pub(crate) fn warnings(text: &str, root: &Node) -> Vec<Diagnostic> {
    let marks = Marks::of(text, root);
    let found = [
        marks.dashes(),
        marks.colons(),
        marks.commas(),
        marks.brackets(),
        indentation(text, root),
        empty_lines(text),
    ];
    found.into_iter().flatten().collect()
}

/// The text with everything but structure painted over: scalars and comments hold any marks.
struct Marks<'a> {
    text: &'a str,
    structure: Vec<u8>,
}

/// What stands for a byte of a scalar or of a comment.
const PAINT: u8 = 0;

impl<'a> Marks<'a> {
    fn of(text: &'a str, root: &Node) -> Self {
        let mut structure = text.as_bytes().to_vec();
        paint_scalars(root, &mut structure);
        let mut is_comment = false;
        for byte in &mut structure {
            is_comment = *byte != b'\n' && (is_comment || *byte == b'#');
            if is_comment {
                *byte = PAINT;
            }
        }
        Self { text, structure }
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

    /// One finding for all places of these marks that are wrong.
    fn finding(
        &self,
        marks: &[u8],
        is_wrong: impl Fn(usize) -> bool,
        message: &str,
        help: &str,
    ) -> Option<Diagnostic> {
        let mut places = (0..self.structure.len())
            .filter(|&place| marks.contains(&self.structure[place]) && is_wrong(place));
        let start = places.next()?;
        let others = match places.count() {
            0 => String::new(),
            n => format!(", {} times in this file", n + 1),
        };
        let span = Span {
            start,
            end: start + 1,
        };
        Some(Diagnostic::warning(self.text, span, format!("{message}{others}")).with_help(help))
    }

    fn dashes(&self) -> Option<Diagnostic> {
        let is_item = |place: usize| {
            let line = self.structure[..place].rsplit(|&b| b == b'\n').next();
            line.is_some_and(|line| line.iter().all(|b| matches!(b, b' ' | b'-')))
        };
        self.finding(
            b"-",
            |place| is_item(place) && self.n_after(place) > Some(1),
            "more than one blank after a dash",
            "write `- item`",
        )
    }

    fn colons(&self) -> Option<Diagnostic> {
        self.finding(
            b":",
            |place| self.n_before(place) > Some(0) || self.n_after(place) > Some(1),
            "a blank before a colon, or more than one after it",
            "write `key: value`",
        )
    }

    fn commas(&self) -> Option<Diagnostic> {
        let is_spaced = |place| matches!(self.n_after(place), None | Some(1));
        self.finding(
            b",",
            |place| self.n_before(place) > Some(0) || !is_spaced(place),
            "a blank before a comma, or not one after it",
            "write `[one, two]`",
        )
    }

    fn brackets(&self) -> Option<Diagnostic> {
        self.finding(
            b"[]{}",
            |place| match self.structure[place] {
                b'[' | b'{' => self.n_after(place) > Some(1),
                _ => self.n_before(place) > Some(1),
            },
            "more than one blank inside brackets",
            "write `[one, two]` or `{key: value}`",
        )
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

/// Whether nested blocks are all indented as the first one is, and lists either all or none.
fn indentation(text: &str, root: &Node) -> Option<Diagnostic> {
    let mut indents = Indents::default();
    indents.collect(text, root);
    indents.all.sort_by_key(|(_, start)| *start);
    let odd = |found: &[(usize, usize)], is_alike: fn(usize, usize) -> bool| {
        let (first, _) = *found.first()?;
        let (n, start) = *found.iter().find(|(n, _)| !is_alike(*n, first))?;
        Some((first, n, start))
    };
    let indented: Vec<_> = indents
        .all
        .iter()
        .copied()
        .filter(|(n, _)| *n > 0)
        .collect();
    let (first, n, start) = odd(&indented, |n, first| n == first)
        .or_else(|| odd(&indents.sequences, |n, first| (n == 0) == (first == 0)))?;
    let span = Span {
        start,
        end: start + 1,
    };
    let message = format!("indented by {n} here, but by {first} above");
    Some(Diagnostic::warning(text, span, message).with_help("indent all levels alike"))
}

/// How far blocks stand to the right of the mapping that holds them, in columns, with their places.
#[derive(Default)]
struct Indents {
    all: Vec<(usize, usize)>,
    sequences: Vec<(usize, usize)>,
}

impl Indents {
    fn collect(&mut self, text: &str, node: &Node) {
        for item in node.items() {
            self.collect(text, item);
        }
        let column = |place: usize| line_and_column(text, place).1;
        let Some((first_key, _)) = node.entries().first() else {
            return;
        };
        let outer = column(first_key.span.start);
        for (_, value) in node.entries() {
            // An alias stands for a block that is elsewhere, before it or after it.
            let Some(start) =
                block_start(text, value).filter(|&start| start > first_key.span.start)
            else {
                continue;
            };
            let indent = (column(start).saturating_sub(outer), start);
            self.all.push(indent);
            if !value.items().is_empty() {
                self.sequences.push(indent);
            }
            self.collect(text, value);
        }
    }
}

/// Where the first key or the first dash of a block stands; `None` for what is no block.
fn block_start(text: &str, node: &Node) -> Option<usize> {
    if text[node.span.start..].starts_with(['[', '{', '*']) {
        return None;
    }
    let Some(item) = node.items().first() else {
        return node.entries().first().map(|(key, _)| key.span.start);
    };
    let before = &text[..item.span.start];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let blanks = before[line..].len() - before[line..].trim_start_matches(' ').len();
    let first = line + blanks;
    // The dash may stand on a line before its item.
    let is_dash = text[first..].starts_with('-');
    is_dash.then_some(first).or_else(|| before.rfind('-'))
}

/// Too many empty lines in a row, or any at the start or at the end.
fn empty_lines(text: &str) -> Option<Diagnostic> {
    let (mut start, mut n_empty) = (0, 0);
    let warning = |place: usize, message: &str| {
        let span = Span {
            start: place.min(text.len().saturating_sub(1)),
            end: place.min(text.len()),
        };
        Diagnostic::warning(text, span, message).with_help("remove the empty lines")
    };
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches(['\n', '\r']).is_empty() {
            n_empty += 1;
        } else {
            if n_empty > 0 && n_empty == text[..start].lines().count() {
                return Some(warning(0, "the file starts with an empty line"));
            }
            if n_empty > MAX_EMPTY_LINES {
                return Some(warning(start - 1, "more than two empty lines in a row"));
            }
            n_empty = 0;
        }
        start += line.len();
    }
    (n_empty > 0).then(|| warning(text.len() - 1, "the file ends with an empty line"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilab_base::yaml;

    fn told(text: &str) -> Vec<String> {
        let document = yaml::parse(text).unwrap();
        let told = warnings(text, &document.root).into_iter();
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
                warnings(&text, &document.root);
            }
        }
    }
}
