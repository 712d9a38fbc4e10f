//! `ilab data generate`.

use std::path::PathBuf;

use ilab_config::Generate;
use ilab_openai::client::{Budget, Frame};
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{CHUNK_TOKENS, DefaultRecipes, Work};
use ilab_taxonomy::{LayoutRules, Selection};

use crate::cli::data::GenerateArgs;
use crate::commands::process::record::RecordSettings;
use crate::error::{CommandError, Kind};
use crate::settings::Invocation;
use crate::settings::access::Access;
use crate::settings::layout_rules::layout_rules;
use crate::settings::named_model;
use crate::settings::pipelines::{default_recipes, pipeline};
use crate::settings::process::record;
use crate::settings::selection::selection;
use crate::settings::serve::{EngineSettings, n_gpu_layers};

/// Who writes the data.
#[derive(Debug)]
pub(crate) enum TeacherSettings {
    /// An OpenAI-compatible API; without a name, the first model that it serves.
    Endpoint {
        url: String,
        access: Access,
        model: Option<String>,
        budget: Budget,
        /// For an endpoint that only continues texts; without one, by the model's name.
        frame: Option<Frame>,
    },
    /// A GGUF file in this process.
    Local(EngineSettings),
}

/// What is told before a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ahead {
    Nothing,
    /// How much it would ask for, and no run.
    DryRun(Prices),
    /// So many samples.
    Preview(usize),
}

/// Prices of a million tokens, in any currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    pub(crate) input: Option<f64>,
    pub(crate) output: Option<f64>,
}

impl Prices {
    /// What so much work costs; `None` where no price was given.
    pub(crate) fn cost(self, work: Work) -> Option<f64> {
        let of =
            |price: Option<f64>, n_tokens: u64| price.map(|price| price * n_tokens as f64 / 1e6);
        let input = of(self.input, work.n_prompt_tokens);
        let output = of(self.output, work.n_answer_tokens);
        (input.is_some() || output.is_some())
            .then(|| input.unwrap_or_default() + output.unwrap_or_default())
    }
}

/// What `ilab data generate` needs.
#[derive(Debug)]
pub(crate) struct GenerateSettings {
    pub(crate) selection: Selection,
    /// Rules for the layout of its files.
    pub(crate) rules: LayoutRules,
    pub(crate) pipeline: PipelineSource,
    /// What is mixed into the training files.
    pub(crate) recipes: DefaultRecipes,
    pub(crate) teacher: TeacherSettings,
    pub(crate) output_dir: PathBuf,
    /// Where git repositories with documents are kept.
    pub(crate) repositories: PathBuf,
    /// Longest chunk of a document.
    pub(crate) chunk_tokens: usize,
    pub(crate) chunk_overlap_tokens: usize,
    pub(crate) scale_factor: u32,
    /// Longest answer; `None` leaves it to the pipeline.
    pub(crate) max_tokens: Option<u32>,
    pub(crate) max_in_flight: usize,
    pub(crate) ahead: Ahead,
    /// Whether a teacher that is nearly always wrong is asked all the same.
    pub(crate) keeps_going: bool,
    /// How alike two samples may be.
    pub(crate) max_similarity: Option<f64>,
    /// Whether answers of earlier runs are left aside.
    pub(crate) is_fresh: bool,
    pub(crate) seed: u64,
    /// The system turn of training samples.
    pub(crate) system_prompt: String,
    pub(crate) is_quiet: bool,
    pub(crate) is_json: bool,
    /// How the run is registered.
    pub(crate) record: RecordSettings,
}

impl GenerateSettings {
    pub(crate) fn resolve(
        args: GenerateArgs,
        invocation: &Invocation,
    ) -> Result<Self, CommandError> {
        let student = named_model::student(args.student_model_id, invocation)?;
        let teacher_model = match args.model {
            Some(_) => None,
            None => named_model::teacher(args.teacher_model_id, invocation)?,
        };
        let named_path = teacher_model
            .as_ref()
            .map(|model| model.path.display().to_string());
        let frame = match args.model_family {
            Some(family) => Some(frame(&family)?),
            // Families of the original that say nothing here are no mistake in its file.
            None => teacher_model.and_then(|model| Frame::of_family(&model.family)),
        };
        let config = invocation.config()?.generate;
        let budget = Budget {
            requests_per_minute: args.requests_per_minute,
            tokens_per_minute: args.tokens_per_minute,
        };
        let teacher = match args.endpoint_url {
            Some(url) => TeacherSettings::Endpoint {
                url,
                access: Access::resolve(args.access, invocation)?,
                model: args.model.or(named_path),
                frame,
                budget,
            },
            None => local_teacher(args.model.or(named_path), args.server_ctx_size, &config),
        };
        Ok(Self {
            selection: selection(args.taxonomy_path, args.taxonomy_base, invocation)?,
            rules: layout_rules(args.yaml_rules.as_deref(), invocation.ui)?,
            pipeline: pipeline(args.pipeline.or(config.pipeline), &invocation.environment)?,
            recipes: default_recipes(&invocation.environment),
            teacher,
            output_dir: args.output_dir.unwrap_or(config.output_dir),
            repositories: invocation.environment.dirs.cache.join("repositories"),
            chunk_tokens: match args.chunk_tokens {
                Some(n_tokens) => n_tokens as usize,
                None => chunk_tokens(args.chunk_word_count.unwrap_or(config.chunk_word_count)),
            },
            chunk_overlap_tokens: args.chunk_overlap as usize,
            scale_factor: args
                .sdg_scale_factor
                .or(config.sdg_scale_factor)
                .unwrap_or(30),
            max_tokens: args.max_num_tokens.or(config
                .max_num_tokens
                .filter(|n| *n != UNCHANGED_MAX_NUM_TOKENS)),
            max_in_flight: args.num_cpus.unwrap_or(config.num_cpus) as usize,
            ahead: match args.preview {
                Some(n_samples) => Ahead::Preview(n_samples as usize),
                None if args.dry_run => Ahead::DryRun(Prices {
                    input: args.input_price,
                    output: args.output_price,
                }),
                None => Ahead::Nothing,
            },
            keeps_going: args.keep_going,
            max_similarity: args.max_similarity,
            is_fresh: args.fresh,
            seed: args.seed,
            system_prompt: student
                .and_then(|model| model.system_prompt)
                .unwrap_or_else(|| SYSTEM_PROMPT.to_owned()),
            is_quiet: args.quiet,
            is_json: args.json,
            record: record(args.detached_run, &invocation.environment.dirs),
        })
    }
}

fn frame(family: &str) -> Result<Frame, CommandError> {
    Frame::of_family(family).ok_or_else(|| {
        CommandError::message(
            Kind::Usage,
            format!("there is no model family `{family}`"),
            "families are `granite`, `merlinite`, `mixtral`, `mistral`, `llama` and `blank`",
        )
    })
}

/// A GGUF file, by default the one that the configuration names.
pub(super) fn local_teacher(
    model: Option<String>,
    n_context_tokens: Option<u32>,
    config: &Generate,
) -> TeacherSettings {
    let configured = || config.teacher.model_path.clone();
    TeacherSettings::Local(EngineSettings {
        model_path: model.map_or_else(configured, PathBuf::from),
        n_context_tokens: n_context_tokens.unwrap_or(config.teacher.llama_cpp.max_ctx_size),
        n_gpu_layers: n_gpu_layers(config.teacher.llama_cpp.gpu_layers),
        n_threads: None,
        chat_template: None,
    })
}

/// What a chat model is told it is, in training data for it.
const SYSTEM_PROMPT: &str = "You are a helpful assistant. You answer truthfully and to the point.";

/// What every configuration says that nobody edited: the pipeline's own limit then holds, as with the original.
const UNCHANGED_MAX_NUM_TOKENS: u32 = 4096;

/// Four tokens for three words, as an estimate; the original never goes beyond 500 tokens whatever it is told.
fn chunk_tokens(n_words: u32) -> usize {
    (n_words as usize * 4).div_ceil(3).min(CHUNK_TOKENS)
}
