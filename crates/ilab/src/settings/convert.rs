//! `ilab model convert`.

use std::path::{Path, PathBuf};

use ilab_infer::quantize::QuantKind;
use ilab_weights::file_name::MLX_ADAPTER;

use crate::cli::model::ConvertArgs;

/// What `ilab model convert` needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConvertSettings {
    /// A Hugging Face folder, or a GGUF file.
    pub(crate) model: PathBuf,
    pub(crate) tokenizer_dir: Option<PathBuf>,
    pub(crate) adapter: Option<PathBuf>,
    /// Whether the adapter is converted by itself.
    pub(crate) is_adapter_only: bool,
    pub(crate) output: PathBuf,
    /// Where the model goes as a Hugging Face folder as well.
    pub(crate) hf_dir: Option<PathBuf>,
    pub(crate) kind: QuantKind,
    pub(crate) imatrix: Option<PathBuf>,
    pub(crate) skips_check: bool,
    pub(crate) is_json: bool,
    /// Whether an existing file is replaced.
    pub(crate) replaces: bool,
}

impl ConvertSettings {
    pub(crate) fn resolve(args: ConvertArgs) -> Self {
        let kind = if args.skip_quantize {
            QuantKind::F16
        } else {
            args.quantize
        };
        // As in the original, an adapter that lies in the model's folder is meant.
        let beside = args.model_dir.join(MLX_ADAPTER);
        let adapter = args
            .adapter_file
            .or_else(|| beside.is_file().then_some(beside));
        let model = std::path::absolute(&args.model_dir).unwrap_or(args.model_dir.clone());
        let name = args.model_name.unwrap_or_else(|| model_name(&model));
        let file_name = if args.adapter_only {
            format!("{name}-adapter.gguf")
        } else if adapter.is_some() && args.skip_quantize {
            format!("{name}.gguf")
        } else {
            format!("{name}-{kind}.gguf")
        };
        let output = match args.output {
            // The original's folder, in the current one.
            None if adapter.is_some() => PathBuf::from(format!("{name}-trained")).join(file_name),
            None => model.parent().unwrap_or(Path::new(".")).join(file_name),
            // An adapter of PEFT is a folder.
            Some(folder) if args.adapter_only && !folder.is_dir() => folder,
            Some(folder) if folder.is_dir() || is_named_as_folder(&folder) => {
                folder.join(file_name)
            }
            Some(file) => file,
        };
        Self {
            model: args.model_dir,
            tokenizer_dir: args.tokenizer_dir,
            adapter,
            is_adapter_only: args.adapter_only,
            output,
            hf_dir: args.hf_dir,
            kind,
            imatrix: args.imatrix,
            skips_check: args.skip_check,
            is_json: args.json,
            replaces: args.force,
        }
    }
}

/// The folder's name without what the original calls its quantised MLX folders by; of a file, the name without its ending.
fn model_name(model: &Path) -> String {
    let name = if model.is_file() {
        model.file_stem()
    } else {
        model.file_name()
    };
    let name = name.map_or_else(|| "model".into(), |name| name.to_string_lossy());
    name.strip_suffix("-mlx-q").unwrap_or(&name).to_owned()
}

/// A file cannot be called so.
fn is_named_as_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.last()
        .is_some_and(|last| std::path::is_separator(char::from(*last)))
}
