//! The tokenizer of a Hugging Face model folder: `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`.

use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, read_to_string};
use serde_json::Value;
use tokenizers::models::ModelWrapper;

use crate::builtin_template::TemplateSource;
use crate::end_of_turn::ends_of_turn;
use crate::template::{ChatTemplate, TemplateError};

/// A tokenizer with its special tokens and chat template.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: ChatTemplate,
    eos_token: String,
    eos_id: u32,
    ends_of_turn: Vec<String>,
}

/// Token ids and where each token stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Byte range of each token in the text; tokens that share a character share its range.
    pub offsets: Vec<(usize, usize)>,
}

/// A tokenizer cannot be loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// `tokenizer_config.json` is not JSON.
    #[error("`{}` is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it breaks.
        #[source]
        source: serde_json::Error,
    },
    /// `tokenizer.json` is not a tokenizer.
    #[error("`{}` is not a tokenizer: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the tokenizer library said.
        message: String,
    },
    /// The model folder has no chat template.
    #[error("`{}` has no chat template", folder.display())]
    NoTemplate {
        /// The model folder.
        folder: PathBuf,
    },
    /// The model folder names no end-of-sequence token, or one that the vocabulary does not hold.
    #[error("`{}` names no end-of-sequence token of its vocabulary (`eos_token`: {eos_token:?})", folder.display())]
    NoEos {
        /// The model folder.
        folder: PathBuf,
        /// What `eos_token` says.
        eos_token: String,
    },
    /// A template from elsewhere ends answers with a token that the vocabulary does not hold.
    #[error("the chat template `{name}` ends answers with `{eos_token}`, which is no token of `{}`", folder.display())]
    ForeignTemplate {
        /// The model folder.
        folder: PathBuf,
        /// Name of the template.
        name: &'static str,
        /// The token.
        eos_token: &'static str,
    },
    /// The chat template does not compile.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A text cannot be encoded or ids cannot be decoded.
    #[error("the tokenizer failed: {message}")]
    Failed {
        /// What the tokenizer library said.
        message: String,
    },
}

impl ilab_base::hint::Hint for TokenizerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) if error.is_not_found() => {
                vec!["pass the folder of a Hugging Face model: one with config.json, tokenizer.json and *.safetensors".to_owned()]
            }
            Self::Io(error) => error.hints(),
            Self::Template(error) => error.hints(),
            Self::Json { .. } | Self::Invalid { .. } => {
                vec!["the file may be cut off: download or copy the model folder again".to_owned()]
            }
            Self::NoTemplate { .. } => {
                vec!["use an instruction-tuned model, or pass a template with `--chat-template`: a Jinja file, or ibm_generic, ibm_legacy or mistral".to_owned()]
            }
            Self::NoEos { .. } => vec!["set `eos_token` in tokenizer_config.json".to_owned()],
            Self::ForeignTemplate { .. } => {
                vec!["pass the template that the model knows with `--chat-template`: a Jinja file, or ibm_generic, ibm_legacy or mistral".to_owned()]
            }
            Self::Failed { .. } => Vec::new(),
        }
    }
}

impl Tokenizer {
    /// Loads the tokenizer of a model folder.
    ///
    /// # Errors
    /// Missing or malformed files, no chat template, no usable `eos_token`.
    pub fn from_dir(folder: &Path) -> Result<Self, TokenizerError> {
        Self::from_dir_with(folder, None)
    }

    /// As [`Tokenizer::from_dir`], with another chat template than the model's own if one is given. The built-in ones bring
    /// their own first and last token.
    ///
    /// # Errors
    /// Missing or malformed files, no chat template, no usable `eos_token`.
    pub fn from_dir_with(
        folder: &Path,
        template: Option<&TemplateSource>,
    ) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer.json");
        let text = read_to_string(&path)?;
        let inner = text
            .parse::<tokenizers::Tokenizer>()
            .and_then(whole_and_repeatable)
            .map_err(|error| TokenizerError::Invalid {
                path,
                message: error.to_string(),
            })?;

        let path = folder.join("tokenizer_config.json");
        let config: Value = serde_json::from_str(&read_to_string(&path)?)
            .map_err(|source| TokenizerError::Json { path, source })?;
        let (bos_token, eos_token) = match template {
            Some(TemplateSource::Builtin(builtin)) => {
                (builtin.bos_token.to_owned(), builtin.eos_token.to_owned())
            }
            _ => (
                token_text(&config, "bos_token"),
                token_text(&config, "eos_token"),
            ),
        };
        let eos_id = inner
            .token_to_id(&eos_token)
            .ok_or_else(|| no_eos(folder, template, &eos_token))?;
        let source = match template {
            Some(template) => template.text().to_owned(),
            None => template_source(folder, &config)?,
        };
        let template = ChatTemplate::new(&source, &bos_token, &eos_token)?;
        let ends_of_turn = ends_of_turn(&inner, &template, &eos_token);
        Ok(Self {
            inner,
            template,
            eos_token,
            eos_id,
            ends_of_turn,
        })
    }

    /// How many ids there are, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The end-of-sequence token's id.
    pub fn eos_id(&self) -> u32 {
        self.eos_id
    }

    /// The end-of-sequence token's text.
    pub fn eos_token(&self) -> &str {
        &self.eos_token
    }

    /// The texts of the tokens that end an answer: `eos_token`, and what the template prints after the last answer if that
    /// is another token.
    pub fn ends_of_turn(&self) -> &[String] {
        &self.ends_of_turn
    }

    /// The id of a token, `None` when the text is not one token.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A token as the vocabulary writes it, `None` for an id that is not used.
    pub fn token_of(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The highest id; ids below it may be unused.
    pub fn max_id(&self) -> u32 {
        let ids = self.inner.get_vocab(true).into_values();
        ids.max().unwrap_or_default()
    }

    /// The lowest id that is not below `limit`.
    pub fn first_id_from(&self, limit: u32) -> Option<u32> {
        let ids = self.inner.get_vocab(true).into_values();
        ids.filter(|id| *id >= limit).min()
    }

    /// Whether a token is one of the special ones, which stand for something other than their text.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special)
    }

    /// The chat template.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// Encodes text as it stands; special tokens written in it become their ids, none are added.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn encode(&self, text: &str) -> Result<Encoding, TokenizerError> {
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|error| TokenizerError::Failed {
                message: error.to_string(),
            })?;
        Ok(Encoding {
            ids: encoding.get_ids().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
        })
    }

    /// The ids of a document to learn from: with the tokens that the tokenizer itself puts around a text, and the
    /// end-of-sequence token at the end.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn encode_document(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding =
            self.inner
                .encode_fast(text, true)
                .map_err(|error| TokenizerError::Failed {
                    message: error.to_string(),
                })?;
        let mut ids = encoding.get_ids().to_vec();
        if ids.last() != Some(&self.eos_id) {
            ids.push(self.eos_id);
        }
        Ok(ids)
    }

    /// The text of each token, special ones written out. Where several tokens make up one character, the last of them has
    /// it and the others have none.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn decode_each(&self, ids: &[u32]) -> Result<Vec<String>, TokenizerError> {
        let mut stream = self.inner.decode_stream(false);
        let mut texts = Vec::with_capacity(ids.len());
        let mut n_decoded = 0;
        for id in ids {
            let text = stream.step(*id).map_err(|error| TokenizerError::Failed {
                message: error.to_string(),
            })?;
            texts.push(text.unwrap_or_default());
            if texts.last().is_some_and(|text| !text.is_empty()) {
                n_decoded = texts.len();
            }
        }
        // The text may end within a character.
        if let Some(last) = texts[n_decoded..].last_mut() {
            *last = self.decode(&ids[n_decoded..])?;
        }
        Ok(texts)
    }

    /// Decodes ids; special tokens are written out.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner
            .decode(ids, false)
            .map_err(|error| TokenizerError::Failed {
                message: error.to_string(),
            })
    }
}

fn no_eos(folder: &Path, template: Option<&TemplateSource>, eos_token: &str) -> TokenizerError {
    let folder = folder.to_owned();
    match template {
        Some(TemplateSource::Builtin(builtin)) => TokenizerError::ForeignTemplate {
            folder,
            name: builtin.name,
            eos_token: builtin.eos_token,
        },
        _ => TokenizerError::NoEos {
            folder,
            eos_token: eos_token.to_owned(),
        },
    }
}

/// Takes out what a file may have kept from the training of its tokenizer: cutting and filling up to a length, which
/// transformers resets too, and leaving out merges at random.
fn whole_and_repeatable(
    mut inner: tokenizers::Tokenizer,
) -> tokenizers::Result<tokenizers::Tokenizer> {
    inner.with_truncation(None)?;
    inner.with_padding(None);
    let without_dropout = match inner.get_model() {
        ModelWrapper::BPE(model) if model.dropout.is_some() => {
            let mut model = model.clone();
            model.dropout = None;
            Some(model)
        }
        _ => None,
    };
    if let Some(model) = without_dropout {
        inner.with_model(model);
    }
    Ok(inner)
}

/// A token is written as a string or as an object with `content`; absent and null are empty.
fn token_text(config: &Value, key: &str) -> String {
    let value = &config[key];
    value
        .as_str()
        .or_else(|| value["content"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// `chat_template.jinja` wins over the config, as in transformers; a list of named templates means its `default`.
fn template_source(folder: &Path, config: &Value) -> Result<String, TokenizerError> {
    let path = folder.join("chat_template.jinja");
    if path.exists() {
        return Ok(read_to_string(&path)?);
    }
    let template = &config["chat_template"];
    let named = template
        .as_array()
        .and_then(|list| list.iter().find(|entry| entry["name"] == "default"));
    template
        .as_str()
        .or_else(|| named.and_then(|entry| entry["template"].as_str()))
        .map(str::to_owned)
        .ok_or_else(|| TokenizerError::NoTemplate {
            folder: folder.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn samples_are_neither_cut_nor_filled_and_always_the_same() {
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
        let vocabulary = json!({"<|e|>": 0, "a": 1, "b": 2, "ab": 3});
        let tokenizer = json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 10}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<|e|>"},
            "added_tokens": [],
            "pre_tokenizer": byte_level,
            "decoder": byte_level,
            // No merge is ever made at 1.
            "model": {"type": "BPE", "dropout": 1.0, "vocab": vocabulary, "merges": [["a", "b"]]},
        });
        let config = json!({"eos_token": "<|e|>", "chat_template": "{{ messages }}"});
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        };
        write("tokenizer.json", tokenizer);
        write("tokenizer_config.json", config);
        let tokenizer = Tokenizer::from_dir(folder.path()).unwrap();
        assert_eq!(tokenizer.encode("ababa").unwrap().ids, [3, 3, 1]);
    }
}
