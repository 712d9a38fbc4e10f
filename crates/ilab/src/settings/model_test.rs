//! `ilab model test`.

use std::path::PathBuf;

use crate::cli::model::TestArgs;
use crate::error::CommandError;
use crate::settings::Invocation;
use crate::settings::serve::{EngineSettings, chat_template, n_gpu_layers};

/// What `ilab model test` needs.
#[derive(Debug)]
pub(crate) struct TestSettings {
    pub(crate) questions: Questions,
    /// `--model`.
    pub(crate) model: Option<PathBuf>,
    /// The model before when nothing else says which it is.
    pub(crate) chat_model: PathBuf,
    /// A GGUF file, a checkpoint, or a folder of checkpoints.
    pub(crate) trained: PathBuf,
    pub(crate) is_json: bool,
    /// For both models; the path is each one's own.
    pub(crate) engine: EngineSettings,
    /// What to say about flags without effect.
    pub(crate) notes: Vec<&'static str>,
}

/// Where the questions are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Questions {
    /// In this file.
    File(PathBuf),
    /// In the newest test file below this folder.
    NewestIn(PathBuf),
}

impl TestSettings {
    pub(crate) fn resolve(args: TestArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let notes = notes(&args);
        let config = invocation.config()?;
        // The original's words for a file that does not stand beside the others.
        let of_folder = args.data_dir.map(|folder| folder.join("test.jsonl"));
        let questions = match args.test_file.or(of_folder) {
            Some(file) => Questions::File(file),
            None => Questions::NewestIn(config.generate.output_dir),
        };
        let chat_model = PathBuf::from(config.chat.model);
        Ok(Self {
            questions,
            model: args.model,
            trained: args.model_dir.unwrap_or(config.train.ckpt_output_dir),
            is_json: args.json,
            engine: EngineSettings {
                model_path: chat_model.clone(),
                n_context_tokens: config.serve.llama_cpp.max_ctx_size,
                n_gpu_layers: n_gpu_layers(config.serve.llama_cpp.gpu_layers),
                n_threads: None,
                chat_template: chat_template(config.serve.chat_template),
            },
            chat_model,
            notes,
        })
    }
}

fn notes(args: &TestArgs) -> Vec<&'static str> {
    let is_adapter = |file: &String| !matches!(file.to_lowercase().as_str(), "auto" | "none");
    let notes = [
        (
            args.adapter_file.as_ref().is_some_and(is_adapter),
            "`--adapter-file` has no effect: a trained model is whole, and `--model-dir` names it",
        ),
        (
            args.api_key.is_some(),
            "`--api-key` has no effect: both models are asked in this process",
        ),
        (
            args.model_family.is_some(),
            "`--model-family` has no effect: each model's own chat template is used",
        ),
    ];
    let passed = notes.into_iter().filter(|(is_passed, _)| *is_passed);
    passed.map(|(_, note)| note).collect()
}
