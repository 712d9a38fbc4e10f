//! What is converted: a model's configuration, weights and tokenizer, and an adapter to be merged into it.

use std::path::{Path, PathBuf};

use ilab_weights::adapter::Adapter;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::{GgufFile, Metadata};
use ilab_weights::gguf_model::is_gguf;

use crate::error::ConvertError;
use crate::{hyperparameters, vocabulary};

/// What to convert.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// A Hugging Face folder, or a GGUF file.
    pub model: &'a Path,
    /// The folder with tokenizer.json and tokenizer_config.json; the model itself where it has them.
    pub tokenizer: Option<&'a Path>,
    /// An adapter that is added to the weights.
    pub adapter: Option<&'a Adapter>,
}

impl<'a> Source<'a> {
    /// A model with its own tokenizer and without an adapter.
    pub fn model(model: &'a Path) -> Self {
        Self {
            model,
            tokenizer: None,
            adapter: None,
        }
    }

    /// The configuration, held against what GGUF can say.
    pub(crate) fn config(&self) -> Result<ModelConfig, ConvertError> {
        let config = ModelConfig::from_dir(self.model)?;
        hyperparameters::check(&config, &self.config_path())?;
        Ok(config)
    }

    /// The configuration and the weights; the adapter fits them.
    pub(crate) fn open(&self) -> Result<(ModelConfig, Checkpoint), ConvertError> {
        let config = self.config()?;
        let checkpoint = Checkpoint::open(self.model)?;
        if let Some(adapter) = self.adapter {
            adapter.check_model(&model_tensors(&config))?;
        }
        Ok((config, checkpoint))
    }

    /// The file that messages about the configuration name.
    pub(crate) fn config_path(&self) -> PathBuf {
        if is_gguf(self.model) {
            self.model.to_owned()
        } else {
            self.model.join("config.json")
        }
    }

    /// Where the tokenizer's files lie; `None` where they are in the GGUF file itself.
    pub(crate) fn tokenizer_folder(&self) -> Option<&'a Path> {
        self.tokenizer
            .or_else(|| (!is_gguf(self.model)).then_some(self.model))
    }

    /// Writes the `tokenizer.*` keys: from the tokenizer's files, or those of the GGUF file as they are.
    pub(crate) fn insert_vocabulary(
        &self,
        metadata: &mut Metadata,
        config: &ModelConfig,
    ) -> Result<(), ConvertError> {
        if let Some(folder) = self.tokenizer_folder() {
            return vocabulary::insert(metadata, folder, config);
        }
        let file = GgufFile::open(self.model)?;
        let kept = file.metadata().iter();
        for (key, value) in kept.filter(|(key, _)| key.starts_with("tokenizer.")) {
            metadata.insert(key, value.clone());
        }
        Ok(())
    }
}
