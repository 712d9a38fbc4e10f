//! A model in this process: finding its file, fitting it into memory, loading it.

use std::error::Error;
use std::path::{Path, PathBuf};

use ilab_base::io;
use ilab_infer::{Batching, Engine, EngineOptions, preflight};
use ilab_text::template::ChatTemplate;
use ilab_weights::gguf::GgufFile;

use crate::error::{CommandError, Kind};
use crate::settings::EngineSettings;
use crate::ui::Ui;

/// The most memory that the caches of all sequences together may take: a model that leaves room for one sequence only is
/// still served.
const MAX_CACHE_BYTES: u64 = 2 << 30;
/// The most requests that are computed at once; more wait.
const MAX_PARALLEL_SEQUENCES: u32 = 16;

/// The GGUF file that `path` means: itself, or in a folder the smallest one, which is the quantised one.
/// `flag` is what the user gives it with.
pub(crate) fn find_gguf(path: &Path, flag: &str, ui: Ui) -> Result<PathBuf, CommandError> {
    if !path.exists() {
        return Err(CommandError::message(
            Kind::User,
            format!("the model `{}` does not exist", path.display()),
            format!("give the path of a GGUF file with `{flag}`, or name it in the configuration"),
        ));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let is_gguf = |file: &PathBuf| {
        file.extension()
            .is_some_and(|extension| extension == "gguf")
    };
    let size = |file: &PathBuf| file.metadata().map_or(u64::MAX, |metadata| metadata.len());
    let found = io::read_dir_sorted(path)?
        .into_iter()
        .filter(is_gguf)
        .min_by_key(size);
    let Some(file) = found else {
        return Err(CommandError::message(
            Kind::User,
            format!("the folder `{}` has no GGUF file in it", path.display()),
            format!(
                "make one with `ilab model convert --model-dir {}`",
                path.display()
            ),
        ));
    };
    ui.status(format!(
        "`{}` is a folder: using `{}` in it",
        path.display(),
        file.display()
    ));
    Ok(file)
}

/// Loads `file`, for one sequence or for as many as [`n_sequences_that_fit`].
pub(crate) fn load(
    file: &Path,
    settings: &EngineSettings,
    n_parallel_sequences: u32,
    batching: Batching,
) -> Result<Engine, CommandError> {
    let mut options = EngineOptions::new(file);
    options.n_context_tokens = settings.n_context_tokens;
    options.n_parallel_sequences = n_parallel_sequences;
    options.batching = batching;
    options.n_threads = settings.n_threads;
    options.n_gpu_layers = settings.n_gpu_layers;
    options.chat_template = settings
        .chat_template
        .as_deref()
        .map(read_template)
        .transpose()?;
    Ok(Engine::load(options)?)
}

/// A template that does not compile is told now, not when the first client chats.
fn read_template(path: &Path) -> Result<String, CommandError> {
    let source = io::read_to_string(path)?;
    match ChatTemplate::new(&source, "", "") {
        Ok(_) => Ok(source),
        Err(error) => Err(CommandError::message(
            Kind::User,
            format!(
                "the chat template in `{}` cannot be used: {}",
                path.display(),
                error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string)
            ),
            "correct it, or take the model's own with `--chat-template auto`",
        )),
    }
}

/// How many sequences of `n_context_tokens` may be computed at once without their caches filling the memory.
pub(crate) fn n_sequences_that_fit(
    file: &Path,
    n_context_tokens: u32,
) -> Result<u32, CommandError> {
    let file = preflight::check(file)?;
    let bytes = cache_bytes_per_token(&file).saturating_mul(u64::from(n_context_tokens));
    let n_sequences = MAX_CACHE_BYTES / bytes.max(1);
    Ok(u32::try_from(n_sequences)
        .unwrap_or(u32::MAX)
        .clamp(1, MAX_PARALLEL_SEQUENCES))
}

/// Keys and values of 16 bits for every layer. Models that describe themselves in another way count as the largest.
fn cache_bytes_per_token(file: &GgufFile) -> u64 {
    let metadata = file.metadata();
    let architecture = file.architecture().unwrap_or_default();
    let number = |key: &str| metadata.unsigned(&format!("{architecture}.{key}"));
    let width = || {
        let n_heads = number("attention.head_count")?;
        let n_kv_heads = number("attention.head_count_kv").unwrap_or(n_heads);
        let key_width =
            number("attention.key_length").or(number("embedding_length")?.checked_div(n_heads))?;
        n_kv_heads.checked_mul(key_width)
    };
    let bytes = |width: u64| {
        number("block_count")?
            .checked_mul(width)?
            .checked_mul(2 * 2)
    };
    width().and_then(bytes).unwrap_or(u64::MAX)
}
