//! Questions and answers out of what a teacher wrote, in whatever form it wrote them.

use std::collections::HashSet;

use serde::Deserialize;

use super::Pair;

/// Adds what `answer` holds and is not there yet.
pub(super) fn add_pairs(answer: &str, pairs: &mut Vec<Pair>) {
    let mut seen: HashSet<String> = pairs.iter().map(|pair| folded(&pair.question)).collect();
    let found = from_json(answer).unwrap_or_else(|| from_lines(answer));
    for pair in found {
        let is_text = |text: &str| text.chars().any(char::is_alphanumeric);
        if is_text(&pair.question) && is_text(&pair.answer) && seen.insert(folded(&pair.question)) {
            pairs.push(pair);
        }
    }
}

fn folded(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

#[derive(Deserialize)]
struct JsonPair {
    question: String,
    answer: String,
}

fn from_json(answer: &str) -> Option<Vec<Pair>> {
    let list = answer.get(answer.find('[')?..=answer.rfind(']')?)?;
    let pairs: Vec<JsonPair> = serde_json::from_str(list).ok()?;
    let pair = |pair: JsonPair| Pair {
        question: pair.question.trim().to_owned(),
        answer: pair.answer.trim().to_owned(),
    };
    Some(pairs.into_iter().map(pair).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Question,
    Answer,
}

/// What stands behind labels such as `Question:`, `**Q1.**` and `2) Answer:`, up to the next label.
fn from_lines(answer: &str) -> Vec<Pair> {
    let mut parts: Vec<(Label, String)> = Vec::new();
    for line in answer.lines() {
        if let Some((label, text)) = labelled(line) {
            parts.push((label, text.to_owned()));
        } else if let Some((_, text)) = parts.last_mut() {
            text.push('\n');
            text.push_str(line);
        }
    }
    let pairs = parts.windows(2).filter_map(|two| match two {
        [(Label::Question, question), (Label::Answer, answer)] => Some(Pair {
            question: cleaned(question),
            answer: cleaned(answer),
        }),
        _ => None,
    });
    pairs.collect()
}

/// Characters that models put around labels and that say nothing.
fn is_decoration(letter: char) -> bool {
    letter.is_whitespace() || "*#->_[]()`.".contains(letter)
}

fn labelled(line: &str) -> Option<(Label, &str)> {
    let is_number = |letter: char| letter.is_ascii_digit() || is_decoration(letter);
    let start = line.trim_start_matches(is_number);
    let labels = [
        ("question", Label::Question),
        ("answer", Label::Answer),
        ("q", Label::Question),
        ("a", Label::Answer),
    ];
    labels.into_iter().find_map(|(word, label)| {
        let head = start.get(..word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        let rest = &start[word.len()..];
        let text = rest.trim_start_matches(is_number);
        // A word that goes on is no label, and a short one is none without its mark.
        let mark = rest.len() - text.len();
        match text.strip_prefix([':', '：']) {
            Some(text) => Some((label, text.trim_start_matches(is_decoration))),
            // `a) the red one` and `A. Smith` are text.
            None if word.len() == 1 => {
                let has_number = rest.starts_with(|letter: char| letter.is_ascii_digit());
                let is_marked = rest[..mark].contains(['.', ')']);
                (has_number && is_marked).then_some((label, text))
            }
            None => {
                let is_alone = text.is_empty() || rest[..mark].contains([']', ')']);
                is_alone.then_some((label, text))
            }
        }
    })
}

/// Without the marks of Markdown and rules between pairs.
fn cleaned(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !(line.len() >= 3 && line.chars().all(|letter| letter == '-' || letter == '*'))
    });
    let lines: Vec<_> = lines.map(str::trim).collect();
    let text = lines.join("\n");
    text.trim().trim_matches('*').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        add_pairs(answer, &mut pairs);
        let pairs = pairs.into_iter();
        pairs.map(|pair| (pair.question, pair.answer)).collect()
    }

    #[test]
    fn many_forms_are_read() {
        let expected = [
            ("What is a brill?".to_owned(), "An animal.".to_owned()),
            ("Where is it?".to_owned(), "In a bowl.\nOf clay.".to_owned()),
        ];
        for answer in [
            "Question: What is a brill?\nAnswer: An animal.\n\nQuestion: Where is it?\nAnswer: In a bowl.\nOf clay.\n",
            "Here they are:\n\n**Question 1:** What is a brill?\n**Answer:** An animal.\n---\n**Question 2:** Where is it?\n**Answer:** In a bowl.\nOf clay.",
            "1. Question: What is a brill?\n   Answer: An animal.\n2. Question: Where is it?\n   Answer: In a bowl.\n   Of clay.",
            "Q1: What is a brill?\nA1: An animal.\nQ2: Where is it?\nA2: In a bowl.\nOf clay.",
            "[QUESTION]\nWhat is a brill?\n[ANSWER]\nAn animal.\n[QUESTION]\nWhere is it?\n[ANSWER]\nIn a bowl.\nOf clay.",
            "### Question 1\nWhat is a brill?\n### Answer 1\nAn animal.\n### Question 2\nWhere is it?\n### Answer 2\nIn a bowl.\nOf clay.",
            "```json\n[{\"question\": \"What is a brill?\", \"answer\": \"An animal.\"}, {\"question\": \"Where is it?\", \"answer\": \"In a bowl.\\nOf clay.\"}]\n```",
        ] {
            assert_eq!(read(answer), expected, "{answer}");
        }
    }

    #[test]
    fn lists_and_initials_are_part_of_an_answer() {
        let answer = "Question: Which kinds are there?\nAnswer: Two:\na) the red one\nb) the blue one\nQuestion: Who found it?\nAnswer: It was\nA. Smith in 1901.";
        let expected = [
            (
                "Which kinds are there?",
                "Two:\na) the red one\nb) the blue one",
            ),
            ("Who found it?", "It was\nA. Smith in 1901."),
        ];
        let expected = expected.map(|(question, answer)| (question.to_owned(), answer.to_owned()));
        assert_eq!(read(answer), expected);
    }

    #[test]
    fn what_is_no_pair_is_left_out() {
        assert_eq!(read("A brill is an animal. Questions are good."), []);
        assert_eq!(read("Question: ...\nAnswer: ...\nQuestion: Who?"), []);
        let twice = "Question: Who?\nAnswer: I.\nQuestion: who?\nAnswer: You.";
        assert_eq!(read(twice), [("Who?".to_owned(), "I.".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "(Question|Answer|q|A|é|[0-9:.*\\[\\]() \n]){0,24}") {
            read(&answer);
        }
    }
}
