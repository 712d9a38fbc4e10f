//! The corpus: a stream of samples of all tasks, the same for the same seed.

use std::io::Write as _;
use std::path::Path;

use ilab_base::atomic;
use ilab_base::seed::{Rng, rng};
use ilab_sdg::prompt::PromptError;

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

/// How far the lessons have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// Short texts and copying only: a model that can copy learns the rest faster.
    First,
    /// Plain sentences: finding the one that answers, and asking about one.
    Plain,
    /// All tasks.
    Full,
}

/// Share of all tokens that a task gets, and the mean length of its samples in tokens, measured.
type Mix = &'static [(Task, f64, f64)];

const FIRST: Mix = &[
    (Task::Reading, 0.45, 130.0),
    (Task::Drill, 0.35, 118.0),
    (Task::Memorise, 0.20, 200.0),
];
const LATER: Mix = &[
    (Task::Knowledge, 0.38, 330.0),
    (Task::Reading, 0.24, 300.0),
    (Task::ClosedBook, 0.18, 140.0),
    (Task::Drill, 0.07, 110.0),
    (Task::Memorise, 0.04, 200.0),
    (Task::Freeform, 0.04, 150.0),
    (Task::Grounded, 0.03, 220.0),
    (Task::Language, 0.01, 173.0),
    (Task::SmallTalk, 0.01, 83.0),
];

impl Stage {
    fn mix(self) -> Mix {
        match self {
            Self::First => FIRST,
            Self::Plain | Self::Full => LATER,
        }
    }

    /// Longer samples are drawn again: training takes samples of some 512 tokens, and a token is some 3.1 bytes.
    fn max_bytes(self) -> usize {
        match self {
            Self::First => 700,
            Self::Plain => 1_600,
            Self::Full => 1_850,
        }
    }

    /// Facts of the longest text for reading.
    fn max_facts(self) -> usize {
        match self {
            Self::First => 3,
            Self::Plain => 8,
            Self::Full => 9,
        }
    }
}

/// Which corpus to write.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many samples.
    pub n_samples: usize,
    /// The same seed gives the same corpus.
    pub seed: u64,
    /// The frames to write from.
    pub split: Split,
    /// The lessons.
    pub stage: Stage,
    /// Only this task.
    pub only: Option<Task>,
}

/// What samples are made from.
#[derive(Debug)]
pub struct Corpus<'g> {
    grammar: &'g Grammar,
    stage: Stage,
    world: World<'g>,
    skills: Vec<Skill>,
    prompts: Prompts,
}

impl<'g> Corpus<'g> {
    /// Prepares the fixed parts.
    pub fn new(grammar: &'g Grammar, stage: Stage, rng: &mut Rng) -> Result<Self, StarterError> {
        Ok(Self {
            grammar,
            stage,
            world: World::new(rng, grammar),
            skills: freeform::embedded(),
            prompts: Prompts::embedded()?,
        })
    }

    /// The next sample.
    pub fn sample(&mut self, rng: &mut Rng) -> Result<(Task, Sample), StarterError> {
        let mix = self.stage.mix();
        let weights: Vec<f64> = mix
            .iter()
            .map(|(_, share, tokens)| share / tokens)
            .collect();
        let (task, ..) = mix[rng.weighted(&weights)];
        Ok((task, self.of_task(rng, task)?))
    }

    /// A sample of one task that is not too long.
    pub fn of_task(&mut self, rng: &mut Rng, task: Task) -> Result<Sample, PromptError> {
        loop {
            let sample = self.of_any_length(rng, task)?;
            if (1..=self.stage.max_bytes()).contains(&sample.n_bytes()) {
                return Ok(sample);
            }
        }
    }

    fn of_any_length(&mut self, rng: &mut Rng, task: Task) -> Result<Sample, PromptError> {
        Ok(match task {
            Task::Reading => reading::sample(rng, self.grammar, self.stage.max_facts()),
            Task::Knowledge => knowledge::sample(rng, self.grammar, &self.prompts)?,
            Task::Freeform => freeform::sample(rng, self.grammar, &self.skills, &self.prompts)?,
            Task::Grounded => grounded::sample(rng, self.grammar, &self.prompts)?,
            Task::Language => language::sample(rng, self.grammar),
            Task::Drill => drill::sample(rng, &self.grammar.lexicon),
            Task::Memorise => memorise::sample(rng, self.grammar),
            Task::ClosedBook => {
                if self.world.is_over() {
                    self.world = World::new(rng, self.grammar);
                }
                self.world.sample(rng)
            }
            Task::SmallTalk => small_talk::sample(rng),
        })
    }

    /// One sample of the plan; held-out frames have no closed-book world that anybody could know.
    fn planned(&mut self, rng: &mut Rng, plan: &Plan) -> Result<Sample, StarterError> {
        if let Some(task) = plan.only {
            return Ok(self.of_task(rng, task)?);
        }
        loop {
            let (task, sample) = self.sample(rng)?;
            if plan.split == Split::Train || task != Task::ClosedBook {
                return Ok(sample);
            }
        }
    }
}

/// Writes the JSON lines of a plan.
pub fn write(path: &Path, plan: &Plan) -> Result<(), StarterError> {
    let mut grammar = Grammar::embedded(plan.split)?;
    if plan.stage == Stage::Plain {
        grammar = grammar.plain();
    }
    let mut rng = rng(plan.seed, "starter corpus");
    let mut corpus = Corpus::new(&grammar, plan.stage, &mut rng)?;
    let mut failed = None;
    atomic::write_with(path, |file| {
        for _ in 0..plan.n_samples {
            match corpus.planned(&mut rng, plan) {
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
