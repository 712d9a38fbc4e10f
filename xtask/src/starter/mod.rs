//! The starter model: the small model that the project carries, so that a first run needs no download.
//!
//! A grammar writes its corpus. `xtask/starter/lexicon` holds plain English words, `xtask/starter/encyclopedia` and
//! `relations` the frames in which facts are stated and asked for, `xtask/starter/skills` patterns of skills. From
//! them come documents about invented things ([`document`]) and the exercises of [`tasks`]: reading with several
//! questions a text, the prompts of the `simple` pipeline exactly as generation sends them, copying drills, facts to
//! remember, small talk. What decides is coverage: every token has to be copied somewhere, every fact has many
//! wordings. Some frames are never trained on;
//! `--split dev` writes a corpus of those alone, to see whether the model reads or only knows the frames.
//!
//! ```text
//! cargo xtask starter corpus --out FILE --samples 60000 --seed 1 [--split train|dev] [--stage first|plain|full]
//! cargo xtask starter tokenizer --corpus FILE --out DIR
//! cargo xtask starter train --corpus FILE --dev FILE --tokenizer DIR --out DIR
//! cargo xtask starter measure --model DIR --corpus FILE
//! ```
//!
//! A line of the corpus is `{"messages": [{"role", "content"}, …], "unmask": bool}`: the loss counts what the assistant
//! says, and with `unmask` what the user says too.

pub mod corpus;
pub mod decoration;
pub mod document;
pub mod draw;
pub mod entity;
pub mod error;
pub mod fact;
pub mod filler_sentence;
pub mod grammar;
pub mod grammar_error;
pub mod intro;
pub mod joining;
pub mod layout;
pub mod lexicon;
pub mod measure;
pub mod name;
pub mod number;
pub mod prompt;
pub mod relation;
pub mod restate;
pub mod sample;
pub mod tasks;
pub mod template;
#[cfg(test)]
mod tests;
pub mod tokenizer;
pub mod train;
pub mod value;
pub mod vocabulary;
pub mod word;

use std::path::PathBuf;

use crate::starter::corpus::{Plan, Stage, Task};
use crate::starter::error::StarterError;
use crate::starter::relation::Split;

/// The steps of making the starter model.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a corpus.
    Corpus {
        /// The JSON lines file to write.
        #[arg(long)]
        out: PathBuf,
        /// How many samples.
        #[arg(long)]
        samples: usize,
        /// The same seed gives the same corpus.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Frames to write from: those of training or those held out.
        #[arg(long, value_enum, default_value_t = Split::Train)]
        split: Split,
        /// Lessons to write: short ones for a model that knows nothing, or all.
        #[arg(long, value_enum, default_value_t = Stage::Full)]
        stage: Stage,
        /// Only this task, to read what it looks like.
        #[arg(long, value_enum)]
        task: Option<Task>,
    },
    /// Train the tokenizer on a corpus.
    Tokenizer {
        /// The corpus.
        #[arg(long)]
        corpus: PathBuf,
        /// The directory to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Train the model.
    Train(train::TrainArgs),
    /// Measure how well a model answers what a corpus asks.
    Measure(measure::MeasureArgs),
}

/// Runs one step.
pub fn run(command: Command) -> Result<(), StarterError> {
    match command {
        Command::Corpus {
            out,
            samples,
            seed,
            split,
            stage,
            task,
        } => {
            let plan = Plan {
                n_samples: samples,
                seed,
                split,
                stage,
                only: task,
            };
            corpus::write(&out, &plan)
        }
        Command::Tokenizer { corpus, out } => tokenizer::write(&corpus, &out),
        Command::Train(args) => train::run(&args),
        Command::Measure(args) => measure::run(&args),
    }
}
