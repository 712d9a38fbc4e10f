//! What came of a training, in a sentence or two.

use crate::diagnosis::ExamOutcome;
use crate::metrics::History;

/// Whether it is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Open,
    Bad,
}

impl Mood {
    /// The class of its style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }
}

/// The verdict and what it rests on.
pub(super) fn headline(history: &History, exam: Option<ExamOutcome>) -> (Mood, String, String) {
    let losses = losses(history);
    let Some(exam) = exam.filter(|exam| exam.n_questions > 0) else {
        let title = match losses {
            Some(_) => "Not yet examined",
            None => "Nothing was trained",
        };
        let asked = "no questions were asked: `ilab model test` shows what was learned";
        let basis = losses.map_or_else(String::new, |losses| format!("{losses}; {asked}."));
        return (Mood::Open, title.to_owned(), basis);
    };
    let (mood, verdict) = match exam.has_learned() {
        true => (Mood::Good, capitalised(&exam.verdict())),
        false => (Mood::Bad, capitalised(&exam.verdict())),
    };
    let scores = format!(
        "{} of {} questions are answered right, {} were before",
        exam.n_right_after, exam.n_questions, exam.n_right_before
    );
    let basis = losses.map_or_else(
        || format!("{scores}."),
        |losses| format!("{scores}. {losses}."),
    );
    (mood, verdict, basis)
}

/// How the loss went: the held-out one where there is one.
fn losses(history: &History) -> Option<String> {
    let (name, first, last) = match (&history.validations[..], &history.steps[..]) {
        ([first, .., last], _) => ("held-out loss", first.val_loss, last.val_loss),
        ([only], _) => {
            return Some(format!("The held-out loss is {:.2}", only.val_loss));
        }
        ([], [first, .., last]) => ("loss", first.avg_loss, last.avg_loss),
        ([], [only]) => {
            return Some(format!(
                "The loss of the only step was {:.2}",
                only.avg_loss
            ));
        }
        ([], []) => return None,
    };
    let verb = if last < first { "fell" } else { "went" };
    Some(format!("The {name} {verb} from {first:.2} to {last:.2}"))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
