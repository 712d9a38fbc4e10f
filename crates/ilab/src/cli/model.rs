//! `ilab model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ilab_infer::quantize::{QuantKind, UnknownQuantKind};

use crate::cli::access::AccessArgs;
use crate::cli::train::TrainArgs;
use crate::commands;
use crate::error::CommandResult;
use crate::settings::{ChatSettings, ConvertSettings, Invocation, ServeSettings, TestSettings};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Ask a model questions
    Chat(ChatArgs),
    /// Turn a model, or an adapter, into a GGUF file
    Convert(ConvertArgs),
    /// Serve a model over HTTP
    Serve(ServeArgs),
    /// Ask a model questions before and after its training
    Test(TestArgs),
    /// Train a model on generated data
    Train(Box<TrainArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Question to begin with
    #[arg(value_name = "QUESTION")]
    pub(crate) question: Vec<String>,
    /// Model file, or the model's name on the server
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// System prompt: `default` or `cli_helper`
    #[arg(short, long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Print the answer to the question and leave [short: -qq]
    #[arg(long)]
    pub(crate) quick_question: bool,
    /// Most tokens of an answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: Option<u32>,
    /// URL of an OpenAI-compatible API
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// 0 for the most likely answer, up to 2 for the most surprising
    #[arg(short, long, value_name = "T")]
    pub(crate) temperature: Option<f32>,
    /// Print the answers only, without greeting and timing [short: -nd]
    #[arg(long)]
    pub(crate) no_decoration: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// GGUF file, or a folder with one
    #[arg(long, value_name = "PATH")]
    pub(crate) model_path: Option<PathBuf>,
    /// Layers to put on the GPU; -1 for all
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) gpu_layers: Option<i32>,
    /// Threads to compute with
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) num_threads: Option<u32>,
    /// Tokens that a prompt and its answer may have together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_ctx_size: Option<u32>,
    /// Append the log to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// File with a chat template; `auto` and `tokenizer` take the model's own
    #[arg(long, value_name = "FILE")]
    pub(crate) chat_template: Option<String>,
    /// Address to listen on
    #[arg(short = 'h', long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Port to listen on; 0 picks a free one
    #[arg(short, long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// File with questions and answers, one JSON object a line [default: the newest test_*.jsonl of `ilab data generate`]
    #[arg(short, long = "test_file", value_name = "FILE", alias = "test-file")]
    pub(crate) test_file: Option<PathBuf>,
    /// The model before: a GGUF file, or a folder of a model [default: what the training began with, else the chat model]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) model: Option<PathBuf>,
    /// The trained model: a GGUF file, a checkpoint, or a folder of checkpoints of which the newest is taken
    #[arg(long, value_name = "PATH")]
    pub(crate) model_dir: Option<PathBuf>,
    /// Folder with a test.jsonl to take in place of the newest test file
    #[arg(long, value_name = "DIR", conflicts_with = "test_file")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// No effect: a trained model is whole, there is no adapter beside it
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) adapter_file: Option<String>,
    /// No effect: no server is asked
    #[arg(long, hide = true, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// No effect: the model's own chat template is used
    #[arg(long, hide = true, value_name = "FAMILY")]
    pub(crate) model_family: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Folder of a Hugging Face model, or a GGUF file; it is only read
    #[arg(long, value_name = "PATH")]
    pub(crate) model_dir: PathBuf,
    /// Adapter to merge: a PEFT folder or MLX's adapters.npz [default: adapters.npz in the model's folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) adapter_file: Option<PathBuf>,
    /// Convert the adapter by itself: to .gguf, .npz (MLX) or a folder (PEFT), as the output is named
    #[arg(long, conflicts_with_all = ["quantize", "skip_quantize", "hf_dir"])]
    pub(crate) adapter_only: bool,
    /// Folder with tokenizer.json and tokenizer_config.json, where the model has none
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer_dir: Option<PathBuf>,
    /// File to write, or a folder for it: one that exists, or a name that ends in `/` [default: beside the model; with an adapter, in NAME-trained/]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// How weights are stored: one of llama.cpp's types, such as Q8_0, Q4_K_M, IQ4_XS or F16
    #[arg(
        long,
        visible_alias = "type",
        value_name = "TYPE",
        value_parser = quantization,
        default_value = "Q4_K_M"
    )]
    pub(crate) quantize: QuantKind,
    /// Do not quantize: the same as `--quantize F16` [short: -sq]
    #[arg(long, conflicts_with = "quantize")]
    pub(crate) skip_quantize: bool,
    /// Importance matrix of `llama-imatrix`; the smallest types need one
    #[arg(long, value_name = "FILE")]
    pub(crate) imatrix: Option<PathBuf>,
    /// Write the model, with the adapter in it, as a Hugging Face folder as well
    #[arg(long, value_name = "DIR")]
    pub(crate) hf_dir: Option<PathBuf>,
    /// Name of the model in the default file name [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) model_name: Option<String>,
    /// Do not load the result to see how far it is from the original
    #[arg(long)]
    pub(crate) skip_check: bool,
    /// No effect: weights are always read at full precision
    #[arg(long, hide = true)]
    pub(crate) skip_de_quantize: bool,
    /// Print one JSON object instead of the path
    #[arg(long)]
    pub(crate) json: bool,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,
}

fn quantization(text: &str) -> Result<QuantKind, String> {
    text.parse()
        .map_err(|error: UnknownQuantKind| error.to_string())
}

impl ModelCommand {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        match self {
            Self::Chat(args) => args.run(invocation),
            Self::Convert(args) => args.run(invocation),
            Self::Serve(args) => args.run(invocation),
            Self::Test(args) => args.run(invocation),
            Self::Train(args) => args.run(invocation),
        }
    }
}

impl ChatArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        commands::chat::run(&ChatSettings::resolve(self, invocation)?, invocation.ui)
    }
}

impl ServeArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        commands::serve::run(&ServeSettings::resolve(self, invocation)?, invocation.ui)
    }
}

impl TestArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        commands::model_test::run(&TestSettings::resolve(self, invocation)?, invocation.ui)
    }
}

impl ConvertArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        commands::convert::run(&ConvertSettings::resolve(self), invocation.ui)
    }
}
