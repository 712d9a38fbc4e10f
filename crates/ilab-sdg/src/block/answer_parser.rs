//! From the text of an answer to the values of columns.

use fancy_regex::Regex;

use crate::prompt::Tags;

/// How an answer is read.
#[derive(Debug, Clone)]
pub(crate) enum AnswerParser {
    /// A pair of tags around each value; two empty tags mean the whole answer.
    Tags(Vec<Tags>),
    /// Groups of a pattern.
    Pattern {
        regex: Regex,
        /// Texts that are removed from the values.
        cleanup: Vec<String>,
    },
}

impl AnswerParser {
    /// Whether it looks for parts of an answer, so that those before the end are whole wherever the answer was cut.
    pub(crate) fn finds_parts(&self) -> bool {
        match self {
            Self::Tags(tags) => tags.iter().all(|tags| !tags.end.is_empty()),
            Self::Pattern { .. } => true,
        }
    }

    /// Whether the last part may be taken without its end.
    pub(crate) fn may_end_open(&self) -> bool {
        matches!(self, Self::Pattern { .. })
    }

    /// The rows that an answer gives: the values of `n_columns` columns in order. An answer that lacks a column gives none.
    pub(crate) fn parse(&self, answer: &str, n_columns: usize) -> Vec<Vec<String>> {
        match self {
            Self::Tags(tags) => zip(tags.iter().map(|tags| between(answer, tags)).collect()),
            Self::Pattern { regex, cleanup } => by_pattern(regex, cleanup, answer, n_columns),
        }
    }
}

fn between(answer: &str, tags: &Tags) -> Vec<String> {
    if tags.start.is_empty() && tags.end.is_empty() {
        return vec![answer.trim().to_owned()];
    }
    let mut values = Vec::new();
    let mut rest = answer;
    while let Some(start) = rest.find(&tags.start) {
        let value = &rest[start + tags.start.len()..];
        if tags.end.is_empty() {
            values.push(value.trim().to_owned());
            break;
        }
        let Some(end) = value.find(&tags.end) else {
            break;
        };
        values.push(value[..end].trim().to_owned());
        rest = &value[end + tags.end.len()..];
    }
    values
}

fn by_pattern(
    regex: &Regex,
    cleanup: &[String],
    answer: &str,
    n_columns: usize,
) -> Vec<Vec<String>> {
    let clean = |text: &str| {
        let cleaned = cleanup
            .iter()
            .fold(text.to_owned(), |text, tag| text.replace(tag, ""));
        cleaned.trim().to_owned()
    };
    // Without groups the whole match is the value, as with Python's `findall`.
    let n_groups = regex.captures_len() - 1;
    regex
        .captures_iter(answer)
        // A pattern that takes too many steps on an answer finds nothing more in it.
        .map_while(Result::ok)
        .map(|captures| {
            let group = |index: usize| captures.get(index).map_or("", |group| group.as_str());
            match n_groups {
                0 => vec![clean(group(0))],
                _ => (1..=n_groups)
                    .map(|index| clean(group(index)))
                    .collect::<Vec<_>>(),
            }
        })
        .filter(|values| values.len() >= n_columns)
        .map(|mut values| {
            values.truncate(n_columns);
            values
        })
        .collect()
}

/// Columns of values to rows, as many as the shortest column has.
fn zip(columns: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let n_rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    (0..n_rows)
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> AnswerParser {
        let tags = pairs.iter().map(|(start, end)| Tags {
            start: (*start).into(),
            end: (*end).into(),
        });
        AnswerParser::Tags(tags.collect())
    }

    #[test]
    fn empty_tags_take_the_whole_answer() {
        assert_eq!(
            tags(&[("", "")]).parse(" What? That.\n", 1),
            [["What? That."]]
        );
    }

    #[test]
    fn tagged_values_are_paired_to_the_shortest_column() {
        let parser = tags(&[("[Q]", "[/Q]"), ("[A]", "[/A]")]);
        assert_eq!(
            parser.parse("[Q]1\n?[/Q] [A] x [/A][Q]2[/Q]", 2),
            [["1\n?", "x"]]
        );
        assert_eq!(parser.parse("nothing here", 2), Vec::<Vec<String>>::new());
        assert_eq!(
            tags(&[("Answer:", "")]).parse("Answer: a\nb", 1),
            [["a\nb"]]
        );
    }

    #[test]
    fn groups_of_a_pattern_fill_the_columns() {
        let regex = Regex::new(r"(?s)\[Q\](.*?)\[A\](.*?)(?:\[END\]|$)").unwrap();
        let parser = AnswerParser::Pattern {
            regex,
            cleanup: vec!["[END]".into()],
        };
        assert_eq!(
            parser.parse("[Q] one\n? [A] 1 [END] [Q]two?[A]2", 2),
            [["one\n?", "1"], ["two?", "2"]]
        );
        assert_eq!(parser.parse("[Q] one", 2), Vec::<Vec<String>>::new());
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_a_parser_panic(answer in "[\\[\\]QA/é \\n]{0,40}") {
            for values in tags(&[("[Q]", "[/Q]"), ("é", "é")]).parse(&answer, 2) {
                proptest::prop_assert_eq!(values.len(), 2);
            }
        }
    }
}
