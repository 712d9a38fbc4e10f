//! Checkpoints of a run: when they are saved, what is in them, and which of them stay.

use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_base::hint::Hint;
use ilab_base::io::WithPath;
use ilab_convert::{ConvertError, OutputType, Source, convert_source};
use ilab_infer::quantize::{QuantKind, QuantizeError, quantize};
use ilab_train::checkpoint;
use ilab_train::method::Method;
use ilab_train::metrics::StepMetrics;
use ilab_train::report::SavedCheckpoint;
use ilab_train::trainer::Trainer;
use ilab_weights::adapter::{Adapter, AdapterError};
use ilab_weights::safetensors::FloatType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prepare::SavedTokenizer;
use crate::error::{CommandError, CommandResult};
use crate::settings::TrainSettings;
use crate::ui::Ui;

/// A checkpoint is there and its GGUF files are not.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint `{}` is complete, but its GGUF files cannot be written", checkpoint.display())]
struct WithoutGguf {
    checkpoint: PathBuf,
    source: GgufError,
}

/// The GGUF files of a checkpoint cannot be written.
#[derive(Debug, thiserror::Error)]
enum GgufError {
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
}

impl Hint for WithoutGguf {
    fn hints(&self) -> Vec<String> {
        let mut hints = match &self.source {
            GgufError::Convert(error) => error.hints(),
            GgufError::Quantize(error) => error.hints(),
            GgufError::Adapter(error) => error.hints(),
        };
        hints.push(format!(
            "nothing that was learned is lost: `ilab model convert --model-dir {}` writes a GGUF file later",
            self.checkpoint.display()
        ));
        hints
    }
}

/// The folder of checkpoints below that of the run.
pub(super) const FOLDER: &str = "hf_format";

/// The checkpoints of one run.
#[derive(Debug)]
pub(super) struct Checkpoints<'a> {
    settings: &'a TrainSettings,
    tokenizer: SavedTokenizer,
    saved: Vec<Saved>,
    /// Samples that had been learned at the last turn of `--save-samples`.
    n_turns: u64,
}

/// One that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    step: u64,
    /// Below `hf_format`: a run that goes on may be told of the folder in other words.
    name: String,
}

impl<'a> Checkpoints<'a> {
    /// Goes on from earlier notes, or begins without.
    pub(super) fn new(
        settings: &'a TrainSettings,
        tokenizer: SavedTokenizer,
        notes: &Value,
    ) -> Self {
        Self {
            settings,
            tokenizer,
            saved: serde_json::from_value(notes["saved"].clone()).unwrap_or_default(),
            n_turns: notes["n_turns"].as_u64().unwrap_or_default(),
        }
    }

    pub(super) fn notes(&self) -> Value {
        serde_json::json!({"saved": self.saved, "n_turns": self.n_turns})
    }

    /// The folder of the checkpoint after so many samples.
    pub(super) fn destination(settings: &TrainSettings, n_samples_seen: usize) -> PathBuf {
        let name = format!("samples_{n_samples_seen}");
        settings.checkpoint_dir.join(FOLDER).join(name)
    }

    /// Whether a checkpoint is saved after a step.
    pub(super) fn is_due(&mut self, step: &StepMetrics) -> bool {
        let saving = &self.settings.saving;
        // The original saves at exact multiples, which batches of another size never meet.
        let n_turns = (saving.n_samples).map_or(0, |n| step.samples_seen as u64 / n);
        let is_turn = n_turns > self.n_turns;
        self.n_turns = n_turns;
        is_turn || step.step == step.num_steps || (step.is_epoch_end && saving.every_epoch)
    }

    /// Writes `hf_format/samples_N`; it appears when everything in it is complete, if need be without GGUF files.
    pub(super) fn save(&mut self, trainer: &Trainer, step: &StepMetrics) -> CommandResult {
        let destination = Self::destination(self.settings, step.samples_seen);
        if self.saved.iter().any(|saved| saved.step == step.step) {
            return Ok(());
        }
        let (model, tokenizer_dir) = (trainer.model(), &self.tokenizer.folder);
        let staged = match &self.settings.method {
            Method::Full => checkpoint::stage(model, tokenizer_dir, &destination, FloatType::F32)?,
            Method::Lora(options) => {
                let base = &self.settings.model_path;
                checkpoint::stage_adapter(model, options, base, tokenizer_dir, &destination)?
            }
        };
        if let Some(template) = &self.tokenizer.template {
            let path = staged.path().join("chat_template.jinja");
            ilab_base::atomic::write(path, template.as_bytes())?;
        }
        // A merged copy of the base for every state of an adapter would fill the disk: the best gets one at the end.
        let is_whole = self.settings.method == Method::Full;
        let written = match self.settings.saving.writes_gguf && is_whole {
            true => self.write_gguf(&Source::model(staged.path()), staged.path()),
            false => Ok(()),
        };
        let path = staged.commit()?;
        self.saved.push(Saved {
            step: step.step,
            name: format!("samples_{}", step.samples_seen),
        });
        written.map_err(|source| {
            WithoutGguf {
                checkpoint: path,
                source,
            }
            .into()
        })
    }

    fn write_gguf(&self, source: &Source<'_>, folder: &Path) -> Result<(), GgufError> {
        let full = folder.join("pytorch_model.gguf");
        let output_type = match source.adapter {
            None => OutputType::F32,
            Some(_) => OutputType::F16,
        };
        convert_source(source, &full, output_type, &mut |_| Ok(()))?;
        if self.settings.saving.quantises {
            let quantised = folder.join("pytorch_model-Q4_K_M.gguf");
            quantize(&full, &quantised, QuantKind::Q4KM, 0)?;
        }
        Ok(())
    }

    /// Removes checkpoints that are neither the best nor the last.
    pub(super) fn retain(&mut self, best_step: Option<u64>, ui: Ui) -> CommandResult {
        let last = self.last_step();
        if self.settings.saving.keeps_all {
            return Ok(());
        }
        let stays = |saved: &Saved| saved.step == last || Some(saved.step) == best_step;
        for saved in self.saved.iter().filter(|saved| !stays(saved)) {
            let path = self.path(saved);
            match std::fs::remove_dir_all(&path).with_path("remove", &path) {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => ui.warning(format!("an older checkpoint stays: {error}")),
            }
        }
        self.saved.retain(stays);
        Ok(())
    }

    /// The step of the newest checkpoint; 0 before the first.
    pub(super) fn last_step(&self) -> u64 {
        let steps = self.saved.iter().map(|saved| saved.step);
        steps.max().unwrap_or_default()
    }

    /// The newest checkpoint.
    pub(super) fn last(&self) -> Option<PathBuf> {
        let newest = self.saved.iter().max_by_key(|saved| saved.step);
        newest.map(|saved| self.path(saved))
    }

    fn path(&self, saved: &Saved) -> PathBuf {
        self.settings.checkpoint_dir.join(FOLDER).join(&saved.name)
    }

    /// The checkpoint of a step, or the newest.
    pub(super) fn best(&self, step: Option<u64>) -> PathBuf {
        let best = self.saved.iter().find(|saved| Some(saved.step) == step);
        let best = best.map(|saved| self.path(saved));
        best.or(self.last()).unwrap_or_default()
    }

    /// What the run leaves beside its best checkpoint: an adapter's merged model, and the file of the `simple` pipeline.
    pub(super) fn complete(&self, best: &Path, ui: Ui, cancel: &Cancel) -> CommandResult {
        cancel
            .check()
            .map_err(ilab_train::error::TrainError::from)?;
        let failed = |source| {
            CommandError::from(WithoutGguf {
                checkpoint: best.to_owned(),
                source,
            })
        };
        let saving = &self.settings.saving;
        if self.settings.method != Method::Full && saving.writes_gguf {
            ui.status("merging the adapter into a GGUF file");
            let adapter = Adapter::open(best).map_err(|error| failed(error.into()))?;
            let source = Source {
                model: &self.settings.model_path,
                tokenizer: Some(&self.tokenizer.folder),
                adapter: Some(&adapter),
            };
            self.write_gguf(&source, best).map_err(failed)?;
        }
        if let Some(path) = &saving.final_gguf {
            let full = best.join("pytorch_model.gguf");
            ilab_base::atomic::write_with(path, |file| {
                let mut source = std::fs::File::open(&full)?;
                std::io::copy(&mut source, file).map(|_| ())
            })?;
            ui.status(format!("the model as one file: `{}`", path.display()));
        }
        Ok(())
    }

    /// What is there, for the page.
    pub(super) fn shown(&self) -> Vec<SavedCheckpoint> {
        let shown = |saved: &Saved| SavedCheckpoint {
            path: self.path(saved).display().to_string(),
            step: saved.step,
            n_bytes: n_bytes(&self.path(saved)),
        };
        self.saved.iter().map(shown).collect()
    }
}

/// Bytes of all files in a folder and below.
pub(super) fn n_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => n_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
