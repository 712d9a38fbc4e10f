//! The corpus: a stream of samples of all tasks, the same for the same seed.

use std::io::Write as _;
use std::path::Path;

use ilab_base::atomic;
use ilab_base::seed::{Rng, rng};
use minijinja::Error as PromptError;

use crate::starter::draw::Draw as _;
use crate::starter::error::StarterError;
use crate::starter::grammar::Grammar;
use crate::starter::prompt::Prompts;
use crate::starter::relation::Split;
use crate::starter::sample::Sample;
use crate::starter::tasks::closed_book::World;
use crate::starter::tasks::freeform::Skill;
use crate::starter::tasks::{
    drill, freeform, grounded, knowledge, language, memorise, reading, small_talk,
};

/// One kind of exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Task {
    Reading,
    Knowledge,
    Freeform,
    Grounded,
    Language,
    Drill,
    Memorise,
    ClosedBook,
    SmallTalk,
}

/// Share of all tokens that a task gets, and the mean length of its samples in tokens, measured.
const MIX: [(Task, f64, f64); 9] = [
    (Task::Reading, 0.40, 330.0),
    (Task::Knowledge, 0.27, 420.0),
    (Task::Freeform, 0.06, 170.0),
    (Task::Grounded, 0.05, 250.0),
    (Task::Language, 0.06, 250.0),
    (Task::Drill, 0.07, 150.0),
    (Task::Memorise, 0.04, 180.0),
    (Task::ClosedBook, 0.04, 150.0),
    (Task::SmallTalk, 0.01, 90.0),
];

/// Longer samples are drawn again: training cuts its sequences at 512 tokens.
const MAX_WORDS: usize = 250;

/// What samples are made from.
pub struct Corpus<'g> {
    grammar: &'g Grammar,
    world: World<'g>,
    skills: Vec<Skill>,
    prompts: Prompts,
}

impl<'g> Corpus<'g> {
    /// Prepares the fixed parts.
    pub fn new(grammar: &'g Grammar) -> Result<Self, StarterError> {
        Ok(Self {
            grammar,
            world: World::new(grammar),
            skills: freeform::embedded(),
            prompts: Prompts::embedded()?,
        })
    }

    /// The next sample.
    pub fn sample(&self, rng: &mut Rng) -> Result<(Task, Sample), StarterError> {
        let weights = MIX.map(|(_, share, tokens)| share / tokens);
        let (task, ..) = MIX[rng.weighted(&weights)];
        loop {
            let sample = self.of_task(rng, task)?;
            if (1..=MAX_WORDS).contains(&sample.n_words()) {
                return Ok((task, sample));
            }
        }
    }

    /// A sample of one task.
    pub fn of_task(&self, rng: &mut Rng, task: Task) -> Result<Sample, PromptError> {
        Ok(match task {
            Task::Reading => reading::sample(rng, self.grammar),
            Task::Knowledge => knowledge::sample(rng, self.grammar, &self.prompts)?,
            Task::Freeform => {
                freeform::sample(rng, &self.grammar.lexicon, &self.skills, &self.prompts)?
            }
            Task::Grounded => grounded::sample(rng, self.grammar, &self.prompts)?,
            Task::Language => language::sample(rng, self.grammar),
            Task::Drill => drill::sample(rng, &self.grammar.lexicon),
            Task::Memorise => memorise::sample(rng, self.grammar),
            Task::ClosedBook => self.world.sample(rng),
            Task::SmallTalk => small_talk::sample(rng),
        })
    }
}

/// Writes `n_samples` JSON lines.
pub fn write(
    path: &Path,
    n_samples: usize,
    seed: u64,
    split: Split,
    only: Option<Task>,
) -> Result<(), StarterError> {
    let grammar = Grammar::embedded(split)?;
    let corpus = Corpus::new(&grammar)?;
    let mut rng = rng(seed, "starter corpus");
    let mut failed = None;
    atomic::write_with(path, |file| {
        for _ in 0..n_samples {
            let drawn = match only {
                Some(task) => corpus.of_task(&mut rng, task).map_err(StarterError::from),
                None => corpus.sample(&mut rng).map(|(_, sample)| sample),
            };
            match drawn {
                Ok(sample) => {
                    serde_json::to_writer(&mut *file, &sample)?;
                    file.write_all(b"\n")?;
                }
                Err(error) => {
                    failed = Some(error);
                    return Err(std::io::Error::other("a sample could not be made"));
                }
            }
        }
        Ok(())
    })
    .map_err(|error| failed.take().unwrap_or(StarterError::Io(error)))
}
