//! What a run would ask for, without asking: requests, tokens, and what is kept already.

use std::ops::AddAssign;
use std::sync::Arc;

use futures::future::BoxFuture;
use ilab_base::cancel::Cancel;
use ilab_base::seed;
use ilab_openai::completer::{Completer, Completion, CompletionError, Request};
use rand::seq::index;
use serde::Serialize;

use crate::block::{Ask, Block, BlockKind};
use crate::error::GenerateError;
use crate::generate::GenerateOptions;
use crate::journal::Journal;
use crate::observer::Observer;
use crate::prepare::Prepared;
use crate::row::{self, Row};
use crate::run::{Run, changed};
use crate::samples::SeedQuestion;
use crate::scheduler::{self, Limits, Part};
use crate::teacher::Teacher;

/// The shortest answer that is expected, in tokens: a judge's.
const MIN_ANSWER_TOKENS: f64 = 40.0;

/// Prompts of a part that are counted; of more, some stand for all.
const MAX_COUNTED_PROMPTS: usize = 1_000;

/// What a run would ask for.
///
/// Prompts of the first block are counted as they are; later ones hold answers that nobody has given yet. Those are taken to
/// be as long as the seed examples, and all of them to pass: a run usually needs less.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Leaf by leaf, in the order given.
    pub leaves: Vec<LeafForecast>,
    /// Requests whose answers the journal holds.
    pub n_known_requests: usize,
    /// How fast the teacher wrote when it was last asked; `None` when it never was.
    pub tokens_per_second: Option<f64>,
}

/// What a leaf would ask for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeafForecast {
    /// As the taxonomy names it.
    pub leaf_path: String,
    /// Rows that the pipeline starts from.
    pub n_rows: usize,
    /// The work.
    #[serde(flatten)]
    pub work: Work,
}

/// Requests and their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Work {
    /// Requests to the teacher.
    pub n_requests: u64,
    /// Tokens that the teacher reads, each prompt once for all its answers.
    pub n_prompt_tokens: u64,
    /// Tokens that the teacher writes.
    pub n_answer_tokens: u64,
}

impl Forecast {
    /// The work of all leaves.
    pub fn work(&self) -> Work {
        let mut all = Work::default();
        self.leaves.iter().for_each(|leaf| all += leaf.work);
        all
    }

    /// How long the teacher would write, in seconds, where its speed is known. Requests that are known take no time.
    pub fn seconds(&self) -> Option<f64> {
        let n_tokens = self.work().n_answer_tokens as f64 * self.open_share();
        Some(n_tokens / self.tokens_per_second?)
    }

    /// The share of the requests whose answers are not known yet.
    pub fn open_share(&self) -> f64 {
        let work = self.work();
        let n_open = work.n_requests.saturating_sub(self.n_known_requests as u64);
        n_open as f64 / (work.n_requests as f64).max(1.0)
    }
}

/// Counts what [`generate()`](crate::generate()) would ask a teacher of this name for.
///
/// # Errors
/// As [`generate()`](crate::generate()), but for what a teacher says.
pub async fn forecast(
    options: &GenerateOptions,
    model_id: &str,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Forecast, GenerateError> {
    let prepared = Prepared::new(options, observer, cancel)?;
    let journal = Journal::open_if_there(&options.output_dir)?;
    let absent = Arc::new(Absent(model_id.to_owned()));
    let teacher = Teacher::new(options, absent, &journal, &(), cancel);
    let run = Run::new(&teacher, options);
    let parts = || prepared.parts(usize::MAX);
    let asked = parts().into_iter().chain(prepared.exam_parts().1);
    if journal.has_answers()? {
        // Nobody is there to be judged.
        let limits = Limits {
            watch: None,
            ..Limits::of(options)
        };
        scheduler::flow(&run, asked.collect(), limits, &()).await?;
    }
    let parts = parts();
    let counter = Counter {
        run: &run,
        count_tokens: &*options.count_tokens,
    };
    let (examined, exams) = prepared.exam_parts();
    let mut leaves = Vec::with_capacity(prepared.leaves.len());
    for (position, leaf) in prepared.leaves.iter().enumerate() {
        let of_leaf = |part: &&Part<'_>| part.leaf == leaf.name;
        let exam = examined.iter().zip(&exams);
        let exam = exam.filter(|(examined, _)| **examined == position);
        let parts = parts.iter().filter(of_leaf);
        let mut work = Work::default();
        for part in parts.chain(exam.map(|(_, part)| part)) {
            work += counter.part(part, counter.mean_tokens(&leaf.seeds))?;
        }
        leaves.push(LeafForecast {
            leaf_path: leaf.leaf_path.clone(),
            n_rows: leaf.n_rows(),
            work,
        });
    }
    Ok(Forecast {
        leaves,
        n_known_requests: teacher.n_kept(),
        tokens_per_second: teacher.known_speed()?,
    })
}

impl AddAssign for Work {
    fn add_assign(&mut self, more: Self) {
        self.n_requests += more.n_requests;
        self.n_prompt_tokens += more.n_prompt_tokens;
        self.n_answer_tokens += more.n_answer_tokens;
    }
}

/// A teacher that is not there: only what the journal holds is answered.
struct Absent(String);

impl Completer for Absent {
    fn model_id(&self) -> &str {
        &self.0
    }

    fn complete(&self, _request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async {
            Err(CompletionError::Rejected {
                status: 503,
                message: "nobody is asked".to_owned(),
            })
        })
    }
}

/// Follows a typical row through a pipeline.
struct Counter<'c> {
    run: &'c Run<'c>,
    count_tokens: &'c (dyn Fn(&str) -> usize + Send + Sync),
}

/// Rows that are alike, on their way.
struct Typical {
    row: Row,
    /// How many there are.
    n_rows: f64,
    n_requests: f64,
    n_prompt_tokens: f64,
    n_answer_tokens: f64,
    /// Tokens of a seed question with its answer.
    sample_tokens: f64,
}

impl Counter<'_> {
    /// The work of the rows of a part.
    fn part(&self, part: &Part<'_>, sample_tokens: f64) -> Result<Work, GenerateError> {
        let Some(first) = part.rows.first() else {
            return Ok(Work::default());
        };
        let mut typical = Typical {
            row: first.clone(),
            n_rows: part.rows.len() as f64,
            n_requests: 0.0,
            n_prompt_tokens: 0.0,
            n_answer_tokens: 0.0,
            sample_tokens,
        };
        let mut real_rows = &part.rows[..];
        for block in &part.pipeline.blocks {
            typical.n_rows *= f64::from(block.n_iterations);
            self.block(block, real_rows, &mut typical)?;
            if !matches!(block.kind, BlockKind::Filter(_)) {
                real_rows = &[];
            }
        }
        Ok(Work {
            n_requests: typical.n_requests as u64,
            n_prompt_tokens: typical.n_prompt_tokens as u64,
            n_answer_tokens: typical.n_answer_tokens as u64,
        })
    }

    fn block(
        &self,
        block: &Block,
        real_rows: &[Row],
        typical: &mut Typical,
    ) -> Result<(), GenerateError> {
        let (n_answers, n_rows) = self.run.expected(block);
        match &block.kind {
            BlockKind::Ask(ask) => {
                let n_pieces = ask.pieces(self.run.settings).len() as f64;
                typical.n_requests += typical.n_rows * n_pieces;
                let prompt_tokens = self.prompt_tokens(ask, real_rows, &typical.row)?;
                typical.n_prompt_tokens += typical.n_rows * n_pieces * prompt_tokens;
                let answer = self.answer_tokens(ask, typical.sample_tokens);
                typical.n_answer_tokens += typical.n_rows * f64::from(n_answers) * answer;
                let text = "word ".repeat(typical.sample_tokens as usize * 3 / 4);
                for column in &ask.output_columns {
                    typical.row.insert(column.clone(), text.trim_end().into());
                }
            }
            BlockKind::Messages(chat) => {
                typical.n_requests += typical.n_rows;
                let text = row::text(&typical.row, &chat.input_column);
                let prompt_tokens = (self.count_tokens)(&text) as f64;
                typical.n_prompt_tokens += typical.n_rows * prompt_tokens;
                let answer = typical.sample_tokens.max(MIN_ANSWER_TOKENS);
                typical.n_answer_tokens += typical.n_rows * f64::from(n_answers) * answer;
                typical
                    .row
                    .insert(chat.output_column.clone(), "word".into());
            }
            BlockKind::Flatten(flatten) => {
                if let Some(first) = flatten.apply(&typical.row).into_iter().next() {
                    typical.row = first;
                }
            }
            other => changed(other, &mut typical.row).map_or((), drop),
        }
        typical.n_rows *= f64::from(n_rows);
        let dropped = &block.drop_columns;
        typical.row.retain(|column, _| !dropped.contains(column));
        Ok(())
    }

    /// The mean over the rows that are known; else over the typical one, for which any prompt of the block will do.
    fn prompt_tokens(
        &self,
        ask: &Ask,
        real_rows: &[Row],
        typical: &Row,
    ) -> Result<f64, GenerateError> {
        let mut n_tokens = Vec::new();
        // Drawn, not at equal distances: rows repeat with the seed examples and the lengths of documents.
        let n_counted = real_rows.len().min(MAX_COUNTED_PROMPTS);
        let mut rng = seed::rng(self.run.seed, "forecast");
        for position in index::sample(&mut rng, real_rows.len(), n_counted) {
            n_tokens.extend(
                ask.prompt(&real_rows[position])?
                    .map(|prompt| (self.count_tokens)(&prompt)),
            );
        }
        if n_tokens.is_empty() {
            let rendered = ask.prompts.all().map(|prompt| prompt.render(typical));
            let rendered = rendered.filter_map(Result::ok);
            n_tokens.extend(rendered.map(|prompt| (self.count_tokens)(&prompt)));
        }
        let total: usize = n_tokens.iter().sum();
        Ok(total as f64 / n_tokens.len().max(1) as f64)
    }

    /// As long as the samples that it stands for, and never longer than the block allows.
    fn answer_tokens(&self, ask: &Ask, sample_tokens: f64) -> f64 {
        let expected = sample_tokens * f64::from(ask.n_parts());
        let longest = self.run.settings.max_tokens.or(ask.sampling.max_tokens);
        expected
            .max(MIN_ANSWER_TOKENS)
            .min(longest.map_or(f64::INFINITY, f64::from))
    }

    fn mean_tokens(&self, seeds: &[SeedQuestion]) -> f64 {
        let of_seed = |seed: &SeedQuestion| {
            (self.count_tokens)(&seed.question) + (self.count_tokens)(&seed.answer)
        };
        let total: usize = seeds.iter().map(of_seed).sum();
        total as f64 / seeds.len().max(1) as f64
    }
}
