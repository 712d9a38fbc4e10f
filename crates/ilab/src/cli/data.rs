//! `ilab data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::cli::access::AccessArgs;
use crate::cli::ignored::IgnoredArgs;
use crate::commands;
use crate::commands::process::start::StartSettings;
use crate::error::CommandResult;
use crate::settings::{GenerateSettings, Invocation, named_pipelines, pipeline};

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Generate training data from a taxonomy
    Generate(Box<GenerateArgs>),
    /// List the datasets of all runs
    List {
        /// A folder of datasets; may be given several times
        #[arg(long, value_name = "DIR")]
        dataset_dirs: Vec<PathBuf>,
        /// Print a JSON list
        #[arg(long)]
        json: bool,
    },
    /// List, read and copy pipelines
    #[command(subcommand)]
    Pipelines(PipelinesCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum PipelinesCommand {
    /// Name the pipelines that `ilab data generate` finds
    List {
        /// Print a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Print all files of a pipeline
    Show {
        /// A name from the list, or a folder
        pipeline: String,
    },
    /// Copy a pipeline to a new folder, to make one of your own of it
    Export {
        /// A name from the list, or a folder
        pipeline: String,
        /// The folder, which is made
        folder: PathBuf,
    },
}

impl PipelinesCommand {
    fn run(self, invocation: &Invocation) -> CommandResult {
        let environment = &invocation.environment;
        let ui = invocation.ui;
        match self {
            Self::List { json } => {
                commands::pipelines::list(&named_pipelines(environment), json, ui)
            }
            Self::Show { pipeline: name } => {
                commands::pipelines::show(&pipeline(Some(name), environment)?, ui)
            }
            Self::Export {
                pipeline: name,
                folder,
            } => commands::pipelines::export(&pipeline(Some(name), environment)?, &folder, ui),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// A pipeline by its name (`ilab data pipelines list`), or its folder
    #[arg(help_heading = "Samples", long, value_name = "NAME|DIR")]
    pub(crate) pipeline: Option<String>,
    /// Teacher: a GGUF file, or the model's name on the endpoint
    #[arg(help_heading = "Teacher", long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Teacher: a model of the list `models` in the configuration, by its id
    #[arg(
        help_heading = "Teacher",
        long,
        value_name = "ID",
        conflicts_with = "model"
    )]
    pub(crate) teacher_model_id: Option<String>,
    /// Model that the data is for, of the same list: its system prompt goes into the samples
    #[arg(help_heading = "Samples", long, value_name = "ID")]
    pub(crate) student_model_id: Option<String>,
    /// URL of an OpenAI-compatible API that is the teacher
    #[arg(help_heading = "Teacher", long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Family of the model, for an endpoint that only continues texts: `granite`, `mixtral`, `llama` or `blank`
    #[arg(help_heading = "Teacher", long, value_name = "FAMILY")]
    pub(crate) model_family: Option<String>,
    /// Context of a teacher in this process, in tokens
    #[arg(help_heading = "Teacher", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) server_ctx_size: Option<u32>,
    /// Taxonomy folder, or one qna.yaml
    #[arg(help_heading = "Taxonomy and documents", long, value_name = "PATH")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Revision to compare with; `empty` takes every file
    #[arg(help_heading = "Taxonomy and documents", long, value_name = "REF")]
    pub(crate) taxonomy_base: Option<String>,
    /// Rules for the layout of qna.yaml, a configuration file of yamllint
    #[arg(help_heading = "Taxonomy and documents", long, value_name = "FILE")]
    pub(crate) yaml_rules: Option<PathBuf>,
    /// Where datasets go, a folder each
    #[arg(help_heading = "Samples", long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Longest chunk of a document in words; never more than 500 tokens
    #[arg(help_heading = "Taxonomy and documents", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk_word_count: Option<u32>,
    /// Longest chunk of a document in tokens of the teacher, in place of words
    #[arg(help_heading = "Taxonomy and documents", long, value_name = "N", conflicts_with = "chunk_word_count", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk_tokens: Option<u32>,
    /// Where a section is cut, tokens that the next chunk says again
    #[arg(
        help_heading = "Taxonomy and documents",
        long,
        value_name = "N",
        default_value_t = 0
    )]
    pub(crate) chunk_overlap: u32,
    /// Answers for each chunk and seed example
    #[arg(help_heading = "Samples", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sdg_scale_factor: Option<u32>,
    /// Requests that wait for an answer at a time
    #[arg(help_heading = "Teacher", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) num_cpus: Option<u32>,
    /// Requests that the endpoint allows in a minute
    #[arg(help_heading = "Teacher", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Tokens that the endpoint allows in a minute, prompts and answers together
    #[arg(help_heading = "Teacher", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tokens_per_minute: Option<u32>,
    /// Longest answer in tokens, in place of what the pipeline says
    #[arg(help_heading = "Samples", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_num_tokens: Option<u32>,
    /// The same seed gives the same dataset
    #[arg(help_heading = "Samples", long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Tell how many requests and tokens a run would take, and ask nothing
    #[arg(help_heading = "Run", long)]
    pub(crate) dry_run: bool,
    /// With `--dry-run`: price of a million prompt tokens
    #[arg(help_heading = "Run", long, value_name = "PRICE", requires = "dry_run")]
    pub(crate) input_price: Option<f64>,
    /// With `--dry-run`: price of a million answer tokens
    #[arg(help_heading = "Run", long, value_name = "PRICE", requires = "dry_run")]
    pub(crate) output_price: Option<f64>,
    /// Show so many finished samples first, then ask whether to go on
    #[arg(help_heading = "Run", long, value_name = "N", conflicts_with = "dry_run", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) preview: Option<u32>,
    /// Go on even when nearly all of the first answers are unusable
    #[arg(help_heading = "Run", long)]
    pub(crate) keep_going: bool,
    /// Leave out samples more alike than this to another of their leaf: from 0 to 1, such as 0.8
    #[arg(help_heading = "Samples", long, value_name = "SHARE", value_parser = share)]
    pub(crate) max_similarity: Option<f64>,
    /// Start over: take no answers from earlier runs
    #[arg(help_heading = "Run", long, conflicts_with = "dry_run")]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) ignored: IgnoredArgs,
    /// Run in the background; `ilab process` shows what becomes of it [short: -dt]
    #[arg(help_heading = "Run", long, conflicts_with_all = ["dry_run", "preview"])]
    pub(crate) detached: bool,
    /// This is a run in the background, and its UUID
    #[arg(long, value_name = "UUID", hide = true, conflicts_with_all = ["detached", "dry_run", "preview"])]
    pub(crate) detached_run: Option<Uuid>,
    /// Say nothing but errors
    #[arg(help_heading = "Run", long)]
    pub(crate) quiet: bool,
    /// Print the result as one JSON object
    #[arg(help_heading = "Run", long)]
    pub(crate) json: bool,
}

impl DataCommand {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        match self {
            Self::Generate(args) => args.run(invocation),
            Self::List { dataset_dirs, json } => {
                let folders = if dataset_dirs.is_empty() {
                    vec![invocation.environment.dirs.datasets()]
                } else {
                    dataset_dirs
                };
                commands::data_list::run(&folders, json, invocation.ui)
            }
            Self::Pipelines(command) => command.run(invocation),
        }
    }
}

impl GenerateArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        if self.detached {
            let settings = StartSettings::resolve(&self, invocation)?;
            return commands::process::start::run(&settings, invocation.ui);
        }
        for note in self.ignored.notes() {
            invocation.ui.warning(note);
        }
        commands::generate::run(&GenerateSettings::resolve(self, invocation)?, invocation.ui)
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err("it must be from 0 to 1".to_owned()),
    }
}
