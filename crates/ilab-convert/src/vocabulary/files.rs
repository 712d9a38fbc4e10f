//! tokenizer.json, tokenizer_config.json and chat_template.jinja, as far as the conversion needs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ilab_base::io::read_to_string;
use serde::Deserialize;
use serde_json::Value;

use crate::error::ConvertError;

/// tokenizer.json with a BPE model.
#[derive(Debug, Deserialize)]
pub(super) struct TokenizerFile {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    #[serde(default)]
    pub(super) post_processor: Value,
    pub(super) model: BpeModel,
}

/// A token beside the model's own.
#[derive(Debug, Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u64,
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
}

/// The model of tokenizer.json.
#[derive(Debug, Deserialize)]
pub(super) struct BpeModel {
    pub(super) vocab: HashMap<String, u64>,
    pub(super) merges: Vec<Merge>,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
}

/// A merge, in the spelling of old files and of new ones.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Text(String),
    Pair(String, String),
}

/// All files of the tokenizer.
#[derive(Debug)]
pub(super) struct TokenizerFiles {
    pub(super) tokenizer_path: PathBuf,
    pub(super) tokenizer: TokenizerFile,
    pub(super) config_path: PathBuf,
    pub(super) config: Value,
    template_file: Option<String>,
}

impl TokenizerFiles {
    pub(super) fn read(folder: &Path) -> Result<Self, ConvertError> {
        let tokenizer_path = folder.join("tokenizer.json");
        let value = read_json(&tokenizer_path)?;
        let model_type = value["model"]["type"].as_str().unwrap_or("BPE");
        if model_type != "BPE" {
            return Err(ConvertError::UnsupportedTokenizer {
                part: "the model",
                got: model_type.to_owned(),
                supported: "byte-level BPE",
                path: tokenizer_path,
            });
        }
        let tokenizer = serde_json::from_value(value).map_err(|source| ConvertError::Json {
            path: tokenizer_path.clone(),
            source,
        })?;
        let config_path = folder.join("tokenizer_config.json");
        let config = read_json(&config_path)?;
        let template_path = folder.join("chat_template.jinja");
        let template_file = if template_path.exists() {
            Some(read_to_string(template_path)?)
        } else {
            None
        };
        Ok(Self {
            tokenizer_path,
            tokenizer,
            config_path,
            config,
            template_file,
        })
    }

    /// `chat_template.jinja` wins over the configuration, as in transformers; of named templates it is `default`.
    pub(super) fn chat_template(&self) -> Option<&str> {
        let in_config = &self.config["chat_template"];
        let named = in_config
            .as_array()
            .and_then(|list| list.iter().find(|entry| entry["name"] == "default"));
        self.template_file
            .as_deref()
            .or_else(|| in_config.as_str())
            .or_else(|| named.and_then(|entry| entry["template"].as_str()))
    }
}

fn read_json(path: &Path) -> Result<Value, ConvertError> {
    serde_json::from_str(&read_to_string(path)?).map_err(|source| ConvertError::Json {
        path: path.to_owned(),
        source,
    })
}
