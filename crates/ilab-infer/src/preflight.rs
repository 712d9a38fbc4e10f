//! What is checked in a GGUF file before llama.cpp sees it.
//!
//! llama.cpp reports most unusable files, but asserts a few properties, and a failed assertion ends the process. The format
//! itself (magic, counts, sizes, offsets, truncation) is checked by [`ilab_weights::gguf`]; this module checks the asserted
//! properties of the metadata.
//!
//! # Source
//! `GGML_ASSERT`s of `llama_model_base::load_hparams`, `llama_vocab::impl::load` and `token_to_byte` in the llama.cpp of
//! `llama-cpp-sys-2` 0.1.161.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_weights::gguf::{Array, GgufError, GgufFile, Metadata};

/// `LLAMA_MAX_LAYERS`.
const MAX_LAYERS: u64 = 512;
/// `LLAMA_MAX_EXPERTS`.
const MAX_EXPERTS: u64 = 1024;
/// Numbers that llama.cpp hands out as `int32_t`.
const MAX_I32: u64 = i32::MAX as u64;
/// `LLAMA_TOKEN_TYPE_BYTE`.
const TOKEN_TYPE_BYTE: i32 = 6;

/// A file that must not reach llama.cpp.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// It cannot be read or is no well-formed GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// It is well-formed but no model that can generate text.
    #[error("`{}` is not a usable language model", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        defect: ModelDefect,
    },
}

/// Why well-formed metadata describes no usable model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelDefect {
    /// A key that every model has is absent or of the wrong type.
    #[error("the metadata has no usable `{key}`")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A number outside its range.
    #[error("`{key}` is {got}, expected {min} to {max}")]
    OutOfRange {
        /// The key.
        key: String,
        /// The value found.
        got: u64,
        /// The least that is accepted.
        min: u64,
        /// The most that is accepted.
        max: u64,
    },
    /// Groups of unequal size.
    #[error("`{key}` is {got}, which does not divide {whole}")]
    NotDivisible {
        /// The key.
        key: String,
        /// The number of groups.
        got: u64,
        /// What they should divide.
        whole: u64,
    },
    /// A fraction that cannot be computed with.
    #[error(
        "`{key}` is {got}, expected a finite number, and for an epsilon one that is not negative"
    )]
    NotComputable {
        /// The key.
        key: String,
        /// The value found, as text because NaN equals nothing.
        got: String,
    },
    /// A choice that does not exist.
    #[error("`{key}` is `{got}`, expected one of {expected}")]
    UnknownChoice {
        /// The key.
        key: String,
        /// The value found.
        got: String,
        /// The values that exist.
        expected: &'static str,
    },
    /// The file holds weights only.
    #[error("the file has no vocabulary")]
    NoVocabulary,
    /// Two tokens with one text.
    #[error("the vocabulary has the token `{}` twice", token.escape_debug())]
    DuplicateToken {
        /// The token.
        token: String,
    },
    /// A token that stands for a byte but does not name it.
    #[error(
        "the vocabulary's byte token {id} is written `{}`, expected `<0x00>` to `<0xFF>`",
        token.escape_debug()
    )]
    ByteToken {
        /// Its id.
        id: usize,
        /// Its text.
        token: String,
    },
}

impl Hint for PreflightError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Gguf(error) => error.hints(),
            Self::Unusable { .. } => {
                vec!["convert the model again, or use another file".to_owned()]
            }
        }
    }
}

/// Reads a file's header and checks what llama.cpp would assert.
///
/// # Errors
/// The first reason why the file must not be loaded.
pub fn check(path: &Path) -> Result<GgufFile, PreflightError> {
    let file = GgufFile::open(path)?;
    let checked =
        check_hyperparameters(file.metadata()).and_then(|()| check_vocabulary(file.metadata()));
    match checked {
        Ok(()) => Ok(file),
        Err(defect) => Err(PreflightError::Unusable {
            path: path.to_owned(),
            defect,
        }),
    }
}

fn check_hyperparameters(metadata: &Metadata) -> Result<(), ModelDefect> {
    let Some(architecture) = metadata.text("general.architecture") else {
        return Err(missing("general.architecture"));
    };
    let key = |name: &str| format!("{architecture}.{name}");
    required_range(metadata, &key("context_length"), 1, MAX_I32)?;
    let n_layers = required_range(metadata, &key("block_count"), 1, MAX_LAYERS)?;
    optional_range(metadata, &key("nextn_predict_layers"), 0, n_layers)?;
    check_experts(metadata, architecture, key)?;
    check_fractions(metadata, &key(""))?;
    check_rope_scaling(metadata, key("rope.scaling.type"))
}

/// A mixture uses some of its experts, and their groups divide them.
fn check_experts(
    metadata: &Metadata,
    architecture: &str,
    key: impl Fn(&str) -> String,
) -> Result<(), ModelDefect> {
    let n_experts = optional_range(metadata, &key("expert_count"), 0, MAX_EXPERTS)?;
    let used_key = key("expert_used_count");
    optional_range(metadata, &used_key, n_experts.min(1), n_experts)?;
    // Dense models of this family name one expert and do not use it.
    let is_mixture = n_experts > 0 && !architecture.starts_with("hunyuan");
    if is_mixture && metadata.value(&used_key).is_none() {
        return Err(missing(&used_key));
    }
    let group_key = key("expert_group_count");
    let n_groups = optional_range(metadata, &group_key, 0, n_experts.saturating_sub(1))?;
    if n_groups > 1 {
        if n_experts % n_groups != 0 {
            return Err(ModelDefect::NotDivisible {
                key: group_key,
                got: n_groups,
                whole: n_experts,
            });
        }
        required_range(metadata, &key("expert_group_used_count"), 1, n_groups - 1)?;
    }
    Ok(())
}

/// Epsilons, scales and frequencies of the architecture.
fn check_fractions(metadata: &Metadata, prefix: &str) -> Result<(), ModelDefect> {
    let of_architecture = metadata.iter().filter(|(key, _)| key.starts_with(prefix));
    for (key, value) in of_architecture {
        if let Some(got) = value.as_f64()
            && (!got.is_finite() || got < 0.0 && key.ends_with("epsilon"))
        {
            return Err(ModelDefect::NotComputable {
                key: key.to_owned(),
                got: got.to_string(),
            });
        }
    }
    Ok(())
}

fn check_rope_scaling(metadata: &Metadata, key: String) -> Result<(), ModelDefect> {
    match metadata.text(&key) {
        None | Some("none" | "linear" | "yarn" | "longrope") => Ok(()),
        Some(got) => Err(ModelDefect::UnknownChoice {
            got: got.to_owned(),
            key,
            expected: "none, linear, yarn, longrope",
        }),
    }
}

fn missing(key: &str) -> ModelDefect {
    ModelDefect::MissingKey {
        key: key.to_owned(),
    }
}

fn required_range(metadata: &Metadata, key: &str, min: u64, max: u64) -> Result<u64, ModelDefect> {
    let got = metadata.unsigned(key).ok_or_else(|| missing(key))?;
    if (min..=max).contains(&got) {
        Ok(got)
    } else {
        Err(ModelDefect::OutOfRange {
            key: key.to_owned(),
            got,
            min,
            max,
        })
    }
}

/// 0 when the key is absent, or an array with a value for each layer.
fn optional_range(metadata: &Metadata, key: &str, min: u64, max: u64) -> Result<u64, ModelDefect> {
    if metadata.unsigned(key).is_some() {
        required_range(metadata, key, min, max)
    } else {
        Ok(0)
    }
}

fn check_vocabulary(metadata: &Metadata) -> Result<(), ModelDefect> {
    const TOKENS: &str = "tokenizer.ggml.tokens";
    match metadata.text("tokenizer.ggml.model") {
        None => return Err(missing("tokenizer.ggml.model")),
        Some("none" | "no_vocab") => return Err(ModelDefect::NoVocabulary),
        Some(_) => {}
    }
    let tokens = metadata
        .array(TOKENS)
        .and_then(Array::as_strings)
        .ok_or_else(|| missing(TOKENS))?;
    if tokens.is_empty() {
        return Err(ModelDefect::NoVocabulary);
    }
    let mut seen = HashSet::with_capacity(tokens.len());
    // llama.cpp gives empty tokens a name of their own.
    for token in tokens.iter().filter(|token| !token.is_empty()) {
        if !seen.insert(token.as_str()) {
            return Err(ModelDefect::DuplicateToken {
                token: token.clone(),
            });
        }
    }
    check_byte_tokens(metadata, tokens)
}

fn check_byte_tokens(metadata: &Metadata, tokens: &[String]) -> Result<(), ModelDefect> {
    let Some(Array::I32(types)) = metadata.array("tokenizer.ggml.token_type") else {
        return Ok(());
    };
    let is_byte_text = |token: &str| {
        token
            .strip_prefix("<0x")
            .and_then(|rest| rest.strip_suffix('>'))
            .is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
    };
    let wrong = tokens
        .iter()
        .zip(types)
        .position(|(token, kind)| *kind == TOKEN_TYPE_BYTE && !is_byte_text(token));
    match wrong {
        None => Ok(()),
        Some(id) => Err(ModelDefect::ByteToken {
            id,
            token: tokens[id].clone(),
        }),
    }
}
