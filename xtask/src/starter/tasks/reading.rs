//! Several questions about one text.

use ilab_base::seed::Rng;

use crate::starter::document::{self, QuestionAnswer};
use crate::starter::draw::Draw as _;
use crate::starter::fact::{AnswerStyle, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::sample::Sample;

/// A chat about a document.
pub fn sample(rng: &mut Rng, grammar: &Grammar, max_facts: usize) -> Sample {
    let n_facts = rng.between(2.min(max_facts), max_facts);
    let document = document::any(rng, grammar, n_facts);
    let style = AnswerStyle::draw(rng);
    let mut questions = document.questions(rng, style, Wording::Free);
    questions.truncate(8);
    if rng.chance(0.6) {
        // The same facts in other words later on.
        let again = document.questions(rng, style, Wording::Free);
        questions.extend(again.into_iter().take(5));
    }
    let mut sample = Sample {
        unmask: rng.chance(0.12),
        ..Sample::default()
    };
    // Questions and answers as a text: a reader has to see that a question is the same one in other words.
    if rng.chance(0.2) {
        let asked = document.questions(rng, style, Wording::Free);
        let text = listed(rng, &asked);
        ask(rng, &mut sample, &text, &questions);
    } else {
        ask(rng, &mut sample, &document.text, &questions);
    }
    sample
}

/// Questions with their answers, one below the other.
fn listed(rng: &mut Rng, pairs: &[QuestionAnswer]) -> String {
    let layout = rng.between(0, 2);
    let pairs = pairs.iter().map(|pair| match layout {
        0 => pair.joined(),
        1 => format!("Q: {}\nA: {}", pair.question, pair.answer),
        _ => format!("{}\n{}\n", pair.question, pair.answer),
    });
    pairs.collect::<Vec<_>>().join("\n")
}

/// Puts the questions to the model, the text before the first one.
pub fn ask(rng: &mut Rng, sample: &mut Sample, text: &str, questions: &[QuestionAnswer]) {
    let Some((first, rest)) = questions.split_first() else {
        return;
    };
    let QuestionAnswer {
        question, answer, ..
    } = first;
    match rng.weighted(&[0.35, 0.15, 0.12, 0.1, 0.1, 0.18]) {
        0 => sample.exchange(format!("{text}\n\n{question}"), answer),
        1 => sample.exchange(format!("Read this text.\n\n{text}\n\n{question}"), answer),
        2 => sample.exchange(format!("{question}\n\n{text}"), answer),
        3 => sample.exchange(format!("Text:\n{text}\n\nQuestion: {question}"), answer),
        4 => sample.exchange(
            format!("Answer from the text.\n\n{text}\n\n{question}"),
            answer,
        ),
        _ => {
            let done = *rng.pick(&[
                "I have read it.",
                "What do you want to know?",
                "Ask me about it.",
            ]);
            sample.exchange(text, done);
            sample.exchange(question, answer);
        }
    }
    for QuestionAnswer {
        question, answer, ..
    } in rest
    {
        sample.exchange(question, answer);
    }
}
