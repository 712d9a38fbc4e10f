//! Writing a question with its answer about a document, as the knowledge prompt of the `simple` pipeline asks.

use ilab_base::seed::Rng;
use ilab_sdg::prompt::PromptError;

use crate::starter::document::{self, Document, QuestionAnswer};
use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::fact::{AnswerStyle, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::prompt::Prompts;
use crate::starter::sample::Sample;
use crate::starter::word;

/// One prompt; sometimes the user goes on asking for more.
pub fn sample(rng: &mut Rng, grammar: &Grammar, prompts: &Prompts) -> Result<Sample, PromptError> {
    let n_facts = rng.between(3, 9);
    let style = AnswerStyle::draw(rng);
    // A question in the words of the sentence is one that the document answers; a small writer strays with others.
    let wording = if rng.chance(0.6) {
        Wording::Close
    } else {
        Wording::Free
    };
    let (document, mut targets) = loop {
        let document = document::any(rng, grammar, n_facts);
        let mut targets = document.questions(rng, style, wording);
        targets.retain(QuestionAnswer::is_question);
        if targets.len() >= 2 {
            break (document, targets);
        }
    };
    let examples = examples(rng, grammar, &document, (style, wording), &mut targets);
    let outline = outline(rng, &document.subjects[0].entity);
    let domain = domain(rng, grammar, document.kind());
    let prompt = prompts.knowledge(&domain, &outline, &document.text, &examples)?;

    let mut sample = Sample {
        unmask: rng.chance(0.12),
        ..Sample::default()
    };
    // A pipeline asks once; more questions about the same text are lessons at little cost.
    let n_targets = if rng.chance(0.1) {
        1
    } else {
        rng.between(3, 7)
    };
    for (i, target) in targets.iter().take(n_targets).enumerate() {
        let request = if i == 0 {
            prompt.clone()
        } else {
            another(rng).to_owned()
        };
        sample.exchange(request, target.joined());
    }
    Ok(sample)
}

fn another(rng: &mut Rng) -> &'static str {
    rng.pick::<&str>(&[
        "Another one, please.",
        "Another one.",
        "One more, please.",
        "Ask about something else.",
    ])
}

/// Questions of the author: mostly about the same thing, as in a real leaf, then taken out of what is left to ask.
fn examples(
    rng: &mut Rng,
    grammar: &Grammar,
    document: &Document<'_>,
    (style, wording): (AnswerStyle, Wording),
    targets: &mut Vec<QuestionAnswer>,
) -> [QuestionAnswer; 3] {
    let n_own = match rng.weighted(&[0.4, 0.2, 0.4]) {
        0 => 0,
        1 => rng.between(1, 3),
        _ => 3,
    };
    let mut examples: Vec<QuestionAnswer> = Vec::new();
    while examples.len() < n_own && targets.len() > 1 {
        examples.extend(targets.pop());
    }
    let is_about_same = rng.chance(0.3);
    while examples.len() < 3 {
        let other = document::of_kind(rng, grammar, document.kind(), 3);
        let entity = if is_about_same {
            &document.subjects[0].entity
        } else {
            &other.subjects[0].entity
        };
        let facts = other.subjects[0].facts.iter().filter(|f| f.is_askable());
        let asked: Vec<QuestionAnswer> = facts
            .map(|f| document::ask(rng, f, entity, style, wording))
            .filter(QuestionAnswer::is_question)
            .collect();
        let missing = 3 - examples.len();
        examples.extend(asked.into_iter().take(missing));
    }
    rng.shuffle_all(&mut examples);
    let mut examples = examples.into_iter();
    std::array::from_fn(|_| examples.next().expect("the loop above filled three places"))
}

fn outline(rng: &mut Rng, entity: &Entity) -> String {
    let name = entity.mention();
    match rng.weighted(&[0.25, 0.2, 0.15, 0.15, 0.15, 0.1]) {
        0 => word::capitalised(&name),
        1 => format!("Information about {name}"),
        2 => format!("Facts about {name}"),
        3 => format!("An overview of {name}"),
        4 => format!("{}, a {}", word::capitalised(&name), entity.head),
        _ => format!("Details on {name}, its history and use"),
    }
}

fn domain(rng: &mut Rng, grammar: &Grammar, kind: &str) -> String {
    let names: &[&str] = match kind {
        "place" => &["geography", "places", "travel", "towns"],
        "building" => &["architecture", "buildings", "engineering"],
        "organisation" => &["organisations", "business", "society"],
        "festival" | "custom" | "event" => &["culture", "history", "traditions", "festivals"],
        "person" => &["people", "history", "biography"],
        "animal" => &["animals", "wildlife", "zoology", "biology", "nature"],
        "plant" => &["plants", "botany", "gardening", "nature"],
        "machine" | "vehicle" => &["machines", "technology", "engineering", "transport"],
        "food" | "drink" => &["food", "cooking", "drinks"],
        "game" => &["games", "sports"],
        "book" | "song" => &["literature", "music", "arts"],
        "substance" | "star" => &["science", "chemistry", "astronomy", "materials"],
        _ => &["objects", "things", "museums", "history"],
    };
    match rng.weighted(&[0.8, 0.12, 0.08]) {
        0 => (*rng.pick(names)).to_owned(),
        1 => (*rng.pick(&[
            "general knowledge",
            "local history",
            "inventions",
            "education",
            "hobbies",
        ]))
        .to_owned(),
        _ => rng.pick(&grammar.lexicon.nouns).plural.clone(),
    }
}
