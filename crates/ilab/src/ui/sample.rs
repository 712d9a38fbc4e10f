//! A sample of training data as the model sees it: what is learned stands out.

use ilab_train::dataset::preview::{Preview, Token};

/// Codes of the terminal.
const DIM: &str = "\u{1b}[2m";
const LEARNED: &str = "\u{1b}[1;32m";
const DIM_SPECIAL: &str = "\u{1b}[2;35m";
const LEARNED_SPECIAL: &str = "\u{1b}[1;35m";
const PLAIN: &str = "\u{1b}[0m";

/// Draws a sample under a line about it. With colour what is learned is bright and special tokens are of their own colour;
/// without it what is learned stands in brackets.
pub(super) fn draw(preview: &Preview, has_colour: bool) -> String {
    let mut text = format!(
        "line {}: {} tokens, {} learned\n",
        preview.line,
        preview.tokens.len(),
        preview.n_learned
    );
    let key = |token: &Token| (token.is_learned, has_colour && token.is_special);
    for run in preview
        .tokens
        .chunk_by(|left, right| key(left) == key(right))
    {
        let said: String = run.iter().map(|token| shown(&token.text)).collect();
        let (begin, end) = match (has_colour, key(&run[0])) {
            (false, (false, _)) => ("", ""),
            (false, (true, _)) => ("⟦", "⟧"),
            (true, (false, false)) => (DIM, PLAIN),
            (true, (true, false)) => (LEARNED, PLAIN),
            (true, (false, true)) => (DIM_SPECIAL, PLAIN),
            (true, (true, true)) => (LEARNED_SPECIAL, PLAIN),
        };
        text.push_str(&format!("{begin}{said}{end}"));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Text that cannot steer the terminal; line ends are shown and kept.
fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("⏎\n"),
            '\t' => safe.push('\t'),
            control if control.is_control() => safe.extend(control.escape_default()),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview() -> Preview {
        let token = |text: &str, is_learned, is_special| Token {
            id: 0,
            text: text.to_owned(),
            is_learned,
            is_special,
        };
        Preview {
            line: 7,
            tokens: vec![
                token("<|u|>", false, true),
                token("\n", false, false),
                token("Hi\u{1b}[31m", false, false),
                token("<|a|>", false, true),
                token("Ho", true, false),
                token("<|e|>", true, true),
            ],
            labels: Vec::new(),
            n_learned: 2,
        }
    }

    #[test]
    fn without_colour_learned_text_stands_in_brackets() {
        insta::assert_snapshot!(draw(&preview(), false), @r"
        line 7: 6 tokens, 2 learned
        <|u|>⏎
        Hi\u{1b}[31m<|a|>⟦Ho<|e|>⟧
        ");
    }

    #[test]
    fn with_colour_every_kind_has_its_own() {
        insta::assert_snapshot!(draw(&preview(), true).replace('\u{1b}', "^"), @r"
        line 7: 6 tokens, 2 learned
        ^[2;35m<|u|>^[0m^[2m⏎
        Hi\u{1b}[31m^[0m^[2;35m<|a|>^[0m^[1;32mHo^[0m^[1;35m<|e|>^[0m
        ");
    }
}
