//! Writing another question about a text, as the prompt of grounded skills asks.

use ilab_base::seed::Rng;
use ilab_sdg::prompt::PromptError;

use crate::starter::document::{self, QuestionAnswer};
use crate::starter::draw::Draw as _;
use crate::starter::fact::{AnswerStyle, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::lexicon::Lexicon;
use crate::starter::prompt::Prompts;
use crate::starter::sample::Sample;
use crate::starter::{name, number};

const TASKS: &[&str] = &[
    "answer questions about a text",
    "find facts in a notice",
    "read a short report",
    "look something up in a list",
    "answer from meeting notes",
    "pick out details of a description",
    "read a timetable",
    "find names and numbers in a text",
    "answer a customer from a manual",
    "extract information from a message",
];

/// The prompt about a document or a timetable, answered with a new question.
pub fn sample(rng: &mut Rng, grammar: &Grammar, prompts: &Prompts) -> Result<Sample, PromptError> {
    let style = AnswerStyle::draw(rng);
    let (text, mut questions) = if rng.chance(0.5) {
        timetable(rng, &grammar.lexicon)
    } else {
        let n_facts = rng.between(3, 7);
        let document = document::any(rng, grammar, n_facts);
        let questions = document.questions(rng, style, Wording::Free);
        (document.text, questions)
    };
    let mut sample = Sample {
        unmask: rng.chance(0.15),
        ..Sample::default()
    };
    let Some(seed) = questions.pop() else {
        return Ok(sample);
    };
    let prompt = prompts.grounded(rng.pick::<&str>(TASKS), &text, &seed)?;
    let n = if rng.chance(0.5) {
        1
    } else {
        rng.between(2, 3)
    };
    for (i, target) in questions.iter().take(n).enumerate() {
        let request = if i == 0 {
            prompt.clone()
        } else {
            "Another one, please.".to_owned()
        };
        sample.exchange(request, target.joined());
    }
    Ok(sample)
}

/// Lines that each say who does what, where and when.
fn timetable(rng: &mut Rng, lexicon: &Lexicon) -> (String, Vec<QuestionAnswer>) {
    let n = rng.between(3, 5);
    let layout = rng.between(0, 3);
    let (mut lines, mut questions, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    while lines.len() < n {
        let what = rng.pick(&lexicon.activities).clone();
        let who = name::person(rng, lexicon).0;
        let room = format!("room {}", rng.between(1, 99));
        let when = number::time(rng);
        if seen.contains(&what) {
            continue;
        }
        seen.push(what.clone());
        lines.push(match layout {
            0 => format!("- {what}: {who}, {room}, at {when}"),
            1 => format!("{who} does {what} in {room} at {when}."),
            2 => format!("At {when} there is {what} with {who} in {room}."),
            _ => format!("{room} | {what} | {who} | {when}"),
        });
        questions.push(pair(format!("Who does {what}?"), who));
        questions.push(pair(
            format!("In which room is {what}?"),
            format!("In {room}"),
        ));
        questions.push(pair(
            format!("At what time is {what}?"),
            format!("At {when}"),
        ));
    }
    rng.shuffle_all(&mut questions);
    (lines.join("\n"), questions)
}

fn pair(question: String, answer: String) -> QuestionAnswer {
    QuestionAnswer {
        question,
        value: answer.clone(),
        answer: crate::starter::fact::ended(&answer),
    }
}
