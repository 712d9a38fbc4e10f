//! Sentences with slots.

use std::collections::HashSet;

/// A sentence frame, split at its slots.
#[derive(Debug, Clone)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Slot(String),
}

/// What stands around a slot, for a value that looks different after "the" than alone.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The text before the slot.
    pub before: &'a str,
    /// The literal text after the slot.
    pub after: &'a str,
}

impl Template {
    /// Splits `text` at its `{slots}`; an unclosed brace is text.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}').map(|i| open + i) else {
                break;
            };
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            pieces.push(Piece::Slot(rest[open + 1..close].to_owned()));
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self { pieces }
    }

    /// The names of its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Slot(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// How many words of this frame the other one has too, slots included; "eats" and "eat" are the same word.
    pub fn n_shared_words(&self, other: &Self) -> usize {
        let theirs = other.stems();
        self.stems().intersection(&theirs).count()
    }

    /// The first letters of its words but the smallest, and its slots.
    fn stems(&self) -> HashSet<String> {
        let pieces = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Slot(name)
                if ["do", "does", "did", "done", "doing"].contains(&name.as_str()) =>
            {
                vec!["{do}".to_owned()]
            }
            Piece::Slot(name) => vec![format!("{{{name}}}")],
            Piece::Text(text) => text
                .split(|letter: char| !letter.is_alphanumeric())
                .filter(|word| word.len() > 2)
                .map(|word| word.to_lowercase().chars().take(4).collect())
                .collect(),
        });
        pieces.collect()
    }

    /// The text with its slots filled and nothing else done to it.
    pub fn expand(&self, mut fill: impl FnMut(&str) -> String) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Slot(name) => fill(name),
            })
            .collect()
    }

    /// The sentence with its slots filled: "a" becomes "an" where the value asks for it, and sentences start with a capital.
    pub fn render(&self, mut fill: impl FnMut(&str, Context<'_>) -> String) -> String {
        let mut out = String::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => push_text(&mut out, text),
                Piece::Slot(name) => {
                    let after = match self.pieces.get(i + 1) {
                        Some(Piece::Text(text)) => text.as_str(),
                        _ => "",
                    };
                    let value = fill(
                        name,
                        Context {
                            before: &out,
                            after,
                        },
                    );
                    let value = without_second_article(&out, &value);
                    fix_article(&mut out, value);
                    if starts_sentence(&out) {
                        out.push_str(&crate::starter::word::capitalised(value));
                    } else {
                        out.push_str(value);
                    }
                }
            }
        }
        out
    }
}

/// "the" and "the dry season" are one "the".
fn without_second_article<'v>(before: &str, value: &'v str) -> &'v str {
    let last = before.rsplit([' ', '\n']).nth(1).unwrap_or("");
    match value.strip_prefix("the ") {
        Some(bare)
            if before.ends_with(' ')
                && ["the", "The", "a", "an", "A", "every", "each"].contains(&last) =>
        {
            bare
        }
        _ => value,
    }
}

/// A value that ends like the text that follows must not double the stop.
fn push_text(out: &mut String, text: &str) {
    if text.starts_with('.') && out.ends_with('.') {
        out.push_str(&text[1..]);
    } else {
        out.push_str(text);
    }
}

fn starts_sentence(before: &str) -> bool {
    before.is_empty()
        || [". ", "? ", "! ", "\n", "\n- "]
            .iter()
            .any(|end| before.ends_with(end))
}

/// Whether "an" goes before this word.
pub fn takes_an(value: &str) -> bool {
    let lower = value.to_lowercase();
    let vowel = lower.starts_with(['a', 'e', 'i', 'o', 'u', 'é', 'ä', 'ö', 'ü', 'ø', 'å', '8'])
        || ["11", "18"].iter().any(|n| {
            lower
                .strip_prefix(n)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        || ["hour", "honest", "heir"]
            .iter()
            .any(|h| lower.starts_with(h));
    let consonant_sound = ["uni", "use", "usu", "eu", "one", "once", "uti", "ur-"]
        .iter()
        .any(|start| lower.starts_with(start))
        && !lower.starts_with("unim")
        && !lower.starts_with("onec");
    vowel && !consonant_sound
}

fn fix_article(out: &mut String, value: &str) {
    for (wrong, right, an) in [
        ("a ", "an ", true),
        ("A ", "An ", true),
        ("an ", "a ", false),
        ("An ", "A ", false),
    ] {
        let Some(stem) = out.strip_suffix(wrong) else {
            continue;
        };
        let whole_word = stem.is_empty() || stem.ends_with([' ', '\n', '"', '(']);
        if whole_word && takes_an(value) == an {
            out.truncate(stem.len());
            out.push_str(right);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, value: &str, expect: &str) {
        let template = Template::parse(template);
        assert_eq!(template.render(|_, _| value.to_owned()), expect);
    }

    #[test]
    fn articles_capitals_and_stops() {
        check("It is a {V}.", "apple", "It is an apple.");
        check("It is an {V}.", "pear", "It is a pear.");
        check("{V} came.", "the fox", "The fox came.");
        check("It fell. {V} came.", "the fox", "It fell. The fox came.");
        check("At {V}.", "7 p.m.", "At 7 p.m.");
        check("A {V} sings.", "uniform", "A uniform sings.");
        check(
            "a {V}",
            "8-year plan",
            "An 8-year plan".replace("An", "an").as_str(),
        );
        check("Panama {V}", "apple", "Panama apple");
        check(
            "In the {V} issue",
            "the dry season",
            "In the dry season issue",
        );
        check("Bathe {V}", "the dog", "Bathe the dog");
    }

    #[test]
    fn broken_braces_are_text() {
        check("{V", "x", "{V");
        check("}{", "x", "}{");
        check("{}", "x", "X");
    }
}
