//! What a right answer says, and whether an answer says it.

use serde::Serialize;

use super::words::word_list;

/// Words of a model answer that say nothing about whether another one is right.
const FILLERS: [&str; 56] = [
    "a", "about", "also", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do",
    "does", "for", "from", "had", "has", "have", "he", "her", "his", "in", "into", "is", "it",
    "its", "of", "on", "or", "our", "she", "so", "some", "such", "than", "that", "the", "their",
    "them", "there", "these", "they", "this", "those", "to", "very", "was", "we", "were", "which",
    "who", "with", "you", "your",
];

/// What a right answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Expected {
    /// Any of these texts.
    AnyOf(Vec<String>),
    /// What this answer says, in whatever words.
    Answer(String),
}

impl Expected {
    /// Whether an answer says it.
    ///
    /// One of several texts has to occur, ignoring case. Of a whole answer more than half of the telling words have to
    /// occur, and each of its numbers: telling are the words that neither the question has nor every sentence.
    pub(crate) fn is_met_by(&self, answer: &str, question: &str) -> bool {
        let contains = |expected: &String| answer.to_lowercase().contains(&expected.to_lowercase());
        match self {
            Self::AnyOf(texts) => texts.iter().any(contains),
            Self::Answer(expected) => match word_list(expected) {
                expected_words if expected_words.is_empty() => contains(expected),
                expected_words => agrees(&expected_words, &word_list(answer), question),
            },
        }
    }

    /// For people to read.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::AnyOf(texts) => texts.join(" / "),
            Self::Answer(answer) => answer.clone(),
        }
    }

    /// The answer itself, where there is a whole one.
    pub(crate) fn answer(&self) -> Option<&str> {
        match self {
            Self::AnyOf(_) => None,
            Self::Answer(answer) => Some(answer),
        }
    }
}

fn agrees(expected: &[String], said: &[String], question: &str) -> bool {
    if said.windows(expected.len()).any(|words| words == expected) {
        return true;
    }
    let asked = word_list(question);
    let mut telling = expected.to_vec();
    telling.retain(|word| {
        !asked.iter().any(|other| is_same(word, other)) && !FILLERS.contains(&word.as_str())
    });
    telling.sort_unstable();
    telling.dedup();
    let is_said = |word: &&String| said.iter().any(|other| is_same(word, other));
    let is_number = |word: &&String| word.starts_with(|letter: char| letter.is_ascii_digit());
    let n_said = telling.iter().filter(is_said).count();
    2 * n_said > telling.len() && telling.iter().filter(is_number).all(|word| is_said(&word))
}

/// The same word, or one that differs in its ending: "hill" and "hills", "live" and "lives".
fn is_same(word: &str, other: &str) -> bool {
    let (short, long) = if word.len() < other.len() {
        (word, other)
    } else {
        (other, word)
    };
    let is_long_enough =
        short.chars().count() >= 4 && !short.starts_with(|letter: char| letter.is_ascii_digit());
    long == short
        || long
            .strip_prefix(short)
            .is_some_and(|ending| is_long_enough && matches!(ending, "s" | "es" | "d" | "ed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(expected: &str, answer: &str, question: &str) -> bool {
        Expected::Answer(expected.to_owned()).is_met_by(answer, question)
    }

    #[test]
    fn one_of_several_texts_is_enough() {
        let expected = Expected::AnyOf(vec!["Orvany".to_owned(), "the HILLS".to_owned()]);
        for (answer, is_right) in [
            ("It lives in orvany.", true),
            ("In the hills.", true),
            ("In the hill.", false),
            ("", false),
        ] {
            assert_eq!(expected.is_met_by(answer, "Where?"), is_right, "{answer}");
        }
    }

    #[test]
    fn an_answer_in_other_words_is_right_when_it_tells_the_same() {
        let question = "Where does the mirrel live?";
        let expected = "The mirrel lives in the cold hills of Orvany.";
        for (answer, right) in [
            (expected, true),
            ("In the hills of Orvany.", true),
            ("in a cold hill near orvany", true),
            ("The mirrel lives in the forests of Tamber.", false),
            ("The mirrel lives in the cold.", false),
            ("Where does the mirrel live?", false),
            ("", false),
        ] {
            assert_eq!(is_right(expected, answer, question), right, "{answer}");
        }
    }

    #[test]
    fn every_number_has_to_be_right() {
        let question = "How heavy and how long is it?";
        let expected = "It weighs 1,250 grams and measures 40 centimetres.";
        assert!(is_right(
            expected,
            "It weighs 1250 grams, it measures 40 centimetres",
            question
        ));
        assert!(!is_right(
            expected,
            "It weighs 1,250 grams and measures 4 centimetres.",
            question
        ));
        assert!(!is_right("In 1948.", "In 19480", "When?"));
    }

    #[test]
    fn short_answers_are_taken_at_their_word() {
        assert!(is_right("Yes.", "Yes, it does.", "Does it swim?"));
        assert!(!is_right("Yes.", "No, it does not.", "Does it swim?"));
        // All of its words are fillers: it has to stand there as it is.
        assert!(is_right("To them", "He gave it to them.", "To whom?"));
        assert!(!is_right("To them", "He gave it to her.", "To whom?"));
        assert!(is_right("山の上", "それは山の上にある", "どこ?"));
        assert!(is_right("👍", "👍!", "Well?") && !is_right("👍", "", "Well?"));
    }
}
