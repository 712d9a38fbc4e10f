//! `ilab model convert`.

use std::path::{Path, PathBuf};

use ilab_convert::OutputType;

use crate::cli::model::{ConvertArgs, WeightType};

/// What `ilab model convert` needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConvertSettings {
    pub(crate) model_dir: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) target: Target,
    /// Whether an existing file is replaced.
    pub(crate) replaces: bool,
}

/// How the weights end up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// As the converter writes them.
    Plain(OutputType),
    /// Quantized by llama.cpp in a second step.
    Q4KM,
}

impl Target {
    /// As it stands in file names.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Plain(output_type) => output_type.to_string(),
            Self::Q4KM => "Q4_K_M".to_owned(),
        }
    }
}

impl ConvertSettings {
    pub(crate) fn resolve(args: ConvertArgs) -> Self {
        let target = match args.weight_type {
            _ if args.skip_quantize => Target::Plain(OutputType::F16),
            WeightType::F32 => Target::Plain(OutputType::F32),
            WeightType::F16 => Target::Plain(OutputType::F16),
            WeightType::Bf16 => Target::Plain(OutputType::Bf16),
            WeightType::Q8_0 => Target::Plain(OutputType::Q8_0),
            WeightType::Q4KM => Target::Q4KM,
        };
        let folder = std::path::absolute(&args.model_dir).unwrap_or(args.model_dir.clone());
        let name = args.model_name.unwrap_or_else(|| {
            folder.file_name().map_or_else(
                || "model".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            )
        });
        let file_name = format!("{name}-{}.gguf", target.name());
        let output = match args.output {
            None => folder.parent().unwrap_or(Path::new(".")).join(file_name),
            Some(folder) if folder.is_dir() || is_named_as_folder(&folder) => {
                folder.join(file_name)
            }
            Some(file) => file,
        };
        Self {
            model_dir: args.model_dir,
            output,
            target,
            replaces: args.force,
        }
    }
}

/// A file cannot be called so.
fn is_named_as_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.last()
        .is_some_and(|last| std::path::is_separator(char::from(*last)))
}
