//! Formatting changes the layout and nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ilab_base::yaml::{self, Node};
use ilab_taxonomy::{LayoutRules, format};
use proptest::prelude::*;

fn formatted(text: &str) -> String {
    format(text, &LayoutRules::default()).unwrap().text
}

fn rules(text: &str) -> LayoutRules {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    LayoutRules::load(&path).unwrap().rules
}

#[test]
fn everything_that_is_told_is_put_right() {
    for (text, expected) in [
        ("a: 1  \nb: 2\t\n", "a: 1\nb: 2\n"),
        ("a: 1\r\nb: |\r\n  x\r\n", "a: 1\nb: |\n  x\n"),
        ("a: 1", "a: 1\n"),
        ("\n\na: 1\n\n\n\n\nb: 2\n\n", "a: 1\n\n\nb: 2\n"),
        ("a :   1\n", "a: 1\n"),
        ("a: [  1 ,2,  {   x:   3 }]\n", "a: [ 1, 2, { x: 3 }]\n"),
        (
            "-   a: 1\n    b:\n        c: 2\n",
            "- a: 1\n  b:\n      c: 2\n",
        ),
        (
            "a:\n  b: 1\nc:\n    d:\n      - |\n        x\n         y\n",
            "a:\n  b: 1\nc:\n  d:\n    - |\n      x\n       y\n",
        ),
        (
            "a:\n- 1\nb:\n  - 2\n  -   - 3\n      - 4\n",
            "a:\n- 1\nb:\n- 2\n- - 3\n  - 4\n",
        ),
        (
            "a:\n  - 1\n# of b\nb:\n- x: 1\n  y: 2\n# of c\nc:\n    d: 1\n    # of d\n",
            "a:\n  - 1\n# of b\nb:\n  - x: 1\n    y: 2\n# of c\nc:\n  d: 1\n  # of d\n",
        ),
        (
            "a:\n  b: 1\nc:\n    d: 'one\n      two'\n    e: &x\n      f: 1\n",
            "a:\n  b: 1\nc:\n  d: 'one\n    two'\n  e: &x\n    f: 1\n",
        ),
        (
            "-\n    a: 1\n-   # why\n    b: 1\n",
            "-\n    a: 1\n-   # why\n    b: 1\n",
        ),
    ] {
        let found = format(text, &LayoutRules::default()).unwrap();
        assert_eq!(found.text, expected, "{text:?}");
        assert_eq!(found.left, [], "{text:?}");
    }
}

#[test]
fn what_would_change_the_meaning_is_left_and_told() {
    for (text, expected, left) in [
        (
            "a: |\n  x  \n\n\n\n  y\nb:   c  \n",
            "a: |\n  x  \n\n\n\n  y\nb: c\n",
            vec![
                "2:4 blanks at the end of 1 line",
                "5:1 more than two empty lines in a row",
            ],
        ),
        (
            "a: |+\n  x\n\n\n",
            "a: |+\n  x\n\n\n",
            vec!["4:1 the file ends with an empty line"],
        ),
        (
            "a: |\n  x\n  \nb: |\n  y",
            "a: |\n  x\n\nb: |\n  y",
            vec!["5:3 the last line has no end of line"],
        ),
    ] {
        let found = format(text, &LayoutRules::default()).unwrap();
        assert_eq!(found.text, expected, "{text:?}");
        let told: Vec<_> = found
            .left
            .iter()
            .map(|one| format!("{}:{} {}", one.line, one.column, one.message))
            .collect();
        assert_eq!(told, left, "{text:?}");
    }
}

/// To PyYAML the line break would be part of the value.
#[test]
fn a_block_at_the_end_gets_no_line_break() {
    for text in ["a: 1\nb: |\n  x", "b: >-\n  x\n\n  y", "- |+\n  t\n\n  "] {
        assert_eq!(formatted(text), text);
    }
    assert_eq!(formatted("b: |\n  x\na: 1"), "b: |\n  x\na: 1\n");
}

#[test]
fn marks_in_texts_and_comments_stay() {
    let text = "# a , b :  c\nquestion: one , two\ntext: |\n  a list:\n    -   item , {   }\nquoted: \"x :  y\"\nlist: []  # all ,  of :  it\n";
    assert_eq!(formatted(text), text);
}

#[test]
fn the_rules_of_a_file_are_followed() {
    let text = "a:\n- [1, 2]\nb:\n  c:   1\n";
    let found = format(
        text,
        &rules(
            "extends: default\nrules: {indentation: {spaces: 4}, brackets: {min-spaces-inside: 1, max-spaces-inside: 1}}\n",
        ),
    );
    assert_eq!(found.unwrap().text, "a:\n    - [ 1, 2 ]\nb:\n    c: 1\n");
    let flush = rules("rules: {indentation: {indent-sequences: false}}");
    assert_eq!(format("a:\n  - 1\n", &flush).unwrap().text, "a:\n- 1\n");
    let windows = rules("rules: {new-lines: {type: dos}, new-line-at-end-of-file: enable}");
    assert_eq!(
        format("a: 1\nb: 2", &windows).unwrap().text,
        "a: 1\r\nb: 2\r\n"
    );
    let nothing = rules("rules: {}");
    let text = "a :  1  \n\n\n\n";
    assert_eq!(format(text, &nothing).unwrap().text, text);
}

#[test]
fn rules_that_contradict_each_other_come_to_an_end() {
    let rules = rules("rules: {commas: {min-spaces-after: 1}, brackets: {max-spaces-inside: 0}}");
    let once = format("a: [1, ]\n", &rules).unwrap();
    assert_eq!(format(&once.text, &rules).unwrap(), once);
}

#[test]
fn what_is_no_yaml_is_an_error_at_its_place() {
    let error = format("a: [\n", &LayoutRules::default()).unwrap_err();
    assert!(error.message.starts_with("this is not YAML"), "{error:?}");
}

/// Values without their places.
fn values(text: &str) -> String {
    fn show(node: &Node, shown: &mut String) {
        let value = format!("{:?}", node.to_json());
        shown.push_str(&value);
        node.items().iter().for_each(|item| show(item, shown));
        for (key, value) in node.entries() {
            show(key, shown);
            show(value, shown);
        }
    }
    let mut shown = String::new();
    show(&yaml::parse(text).unwrap().root, &mut shown);
    shown
}

/// What a random file is drawn from, one number a choice.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % n)
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn blanks(&mut self) -> String {
        " ".repeat([1, 1, 1, 2, 4][self.below(5)])
    }

    fn end(&mut self) -> &'static str {
        self.of(&[
            "\n",
            "\n",
            "\n",
            "\n",
            "  \n",
            "\n\n",
            "\n\n\n\n",
            "  # a , note:  1\n",
            "\n# b\n",
            "\r\n",
            "\n    # c\n",
        ])
    }

    /// What stands behind a key or a dash at `column`; ends its line.
    fn value(&mut self, column: usize, depth: usize) -> String {
        let inner = column + 1 + self.below(4);
        let pad = " ".repeat(inner);
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 | 1 => format!(
                "{}{}{}",
                self.blanks(),
                self.of(&["x", "1", "yes", "~", "é b", ".nan", "a,b"]),
                self.end()
            ),
            2 => format!(
                "{}{}{}",
                self.blanks(),
                self.of(&["[1 ,2]", "{a:   1 , b: []}", "[  ]", "{}", "[ 'x',  y ]"]),
                self.end()
            ),
            3 => format!(
                "{}'one{}{pad}two'{}",
                self.blanks(),
                self.of(&["\n", "  \n", "\n\n\n\n"]),
                self.end()
            ),
            4 => {
                let head = self.of(&["|", ">", "|-", "|+", ">+", "|  # why"]);
                let text = self.of(&["x", "x  ", "- a:  b ,c", "# no comment"]);
                let more = self.of(&["", "\n\n\n\n", "\n", "   "]);
                format!(
                    "{}{head}\n{pad}{text}\n{more}\n{pad} y\n{}",
                    self.blanks(),
                    self.of(&["", "\n", "\n\n\n"])
                )
            }
            5 => format!("{}one\n{pad}two{}", self.blanks(), self.end()),
            6 => format!("{}{}", self.end(), self.mapping(inner, depth - 1, "")),
            7 => format!("{}{}", self.end(), self.list(inner, depth - 1, "")),
            _ => format!(
                "{}{}",
                self.of(&["\n", "\n", " &x\n", " !t\n"])
                    .replace("&x", "&anchor"),
                self.mapping(inner, depth - 1, "")
            ),
        }
    }

    /// A mapping whose first line is begun by `head`, if that is anything.
    fn mapping(&mut self, column: usize, depth: usize, head: &str) -> String {
        let mut text = String::new();
        for index in 0..1 + self.below(3) {
            let start = if index == 0 && !head.is_empty() {
                head.to_owned()
            } else {
                " ".repeat(column)
            };
            let key = self.of(&["k", "key", "'q r'", "é"]);
            let before = self.of(&["", "", "", " "]);
            if depth > 0 && self.below(4) == 0 {
                // A list may stand as far to the left as its key.
                text.push_str(&format!(
                    "{start}{key}{index}:\n{}",
                    self.list(column, depth - 1, "")
                ));
            } else {
                let value = self.value(column, depth);
                text.push_str(&format!(
                    "{start}{}{before}:{value}",
                    key.replace("q r", &format!("q{index}"))
                ));
            }
        }
        text
    }

    fn list(&mut self, column: usize, depth: usize, head: &str) -> String {
        let mut text = String::new();
        for index in 0..1 + self.below(3) {
            let start = if index == 0 && !head.is_empty() {
                head.to_owned()
            } else {
                " ".repeat(column)
            };
            if depth > 0 && self.below(2) == 0 {
                let start = format!("{start}-{}", self.blanks());
                let inner = start.len();
                let nested = match self.below(2) {
                    0 => self.mapping(inner, depth - 1, &start),
                    _ => self.list(inner, depth - 1, &start),
                };
                text.push_str(&nested);
            } else {
                let value = self.value(column, depth);
                text.push_str(&format!("{start}-{value}"));
            }
        }
        text
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_files_keep_their_meaning_and_are_done_after_once(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut choices = Choices(bytes.iter());
        let text = choices.mapping(0, 4, "");
        if let Ok(once) = format(&text, &LayoutRules::default()) {
            prop_assert_eq!(values(&text), values(&once.text), "{:?}\n{:?}", text, once.text);
            let twice = format(&once.text, &LayoutRules::default()).unwrap();
            prop_assert_eq!(&twice, &once, "{:?}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_say_something_else(text in "([a-cé]:|- |\\[|\\]|\\{|\\}|,|  |\n|#|\\*a|&a |\"|\\||é|\r\n|\r|\t|~|\u{feff}|---|\\? |: ){0,24}") {
        if let Ok(once) = format(&text, &LayoutRules::default()) {
            prop_assert_eq!(values(&text), values(&once.text));
            let twice = format(&once.text, &LayoutRules::default()).unwrap();
            prop_assert_eq!(twice, once);
        }
    }
}
