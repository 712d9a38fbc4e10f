//! `ilab model convert`.

mod adapter;
mod modelfile;
mod quality;

use std::path::{Path, PathBuf};

use ilab_base::atomic::StagedDir;
use ilab_base::cancel::{Cancel, Cancelled};
use ilab_base::io::{WithPath, create_dir_all};
use ilab_convert::{
    ConvertError, Converted, OutputType, Source, Step, convert_source, lossless_type, write_folder,
};
use ilab_infer::quantize::{QuantKind, QuantizeOptions, quantize_with};
use ilab_weights::adapter::Adapter;
use ilab_weights::config::ModelConfig;
use ilab_weights::importance::ImportanceMatrix;
use serde_json::{Value, json};

use crate::commands::stop::cancel_on_signal;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::ConvertSettings;
use crate::ui::Ui;
use quality::Quality;

/// Converts, and quantizes where that is asked for; checks the result and says how large it is.
pub(crate) fn run(settings: &ConvertSettings, ui: Ui) -> CommandResult {
    refuse_to_overwrite(settings)?;
    let cancel = Cancel::new();
    let _listening = cancel_on_signal(&cancel)?;
    let adapter = settings.adapter.as_deref().map(Adapter::open).transpose()?;
    if let (Some(path), Some(adapter)) = (&settings.adapter, &adapter) {
        let n_layers = adapter.modules.len();
        ui.status(format!("adapter `{}` of {n_layers} layers", path.display()));
    }
    let source = Source {
        model: &settings.model,
        tokenizer: settings.tokenizer_dir.as_deref(),
        adapter: adapter.as_ref(),
    };
    if settings.is_adapter_only {
        return adapter::write(&source, settings, ui);
    }
    let work = Work {
        source,
        settings,
        cancel: &cancel,
        ui,
    };
    if let Some(folder) = &settings.hf_dir {
        work.progress("writing the folder", |observer| {
            write_folder(&source, folder, observer)
        })?;
        ui.status(format!("Hugging Face folder: `{}`", folder.display()));
    }
    let result = work.write_gguf()?;
    let modelfile = modelfile::write(&settings.output)?;
    work.tell(&result, &modelfile);
    Ok(())
}

fn refuse_to_overwrite(settings: &ConvertSettings) -> CommandResult {
    let output = &settings.output;
    let is_source = |path: &Path| match (path.canonicalize(), settings.model.canonicalize()) {
        (Ok(path), Ok(model)) => path == model,
        _ => false,
    };
    for path in [Some(output), settings.hf_dir.as_ref()]
        .into_iter()
        .flatten()
    {
        if is_source(path) {
            return Err(CommandError::message(
                Kind::User,
                format!("`{}` is the model that is to be read", path.display()),
                "give another place",
            ));
        }
    }
    if output.exists() && !settings.replaces {
        return Err(CommandError::message(
            Kind::User,
            format!("`{}` exists already", output.display()),
            "pass `--force` to replace it, or another file with `--output`",
        ));
    }
    match &settings.hf_dir {
        Some(folder) if folder.exists() && !settings.replaces => Err(CommandError::message(
            Kind::User,
            format!("`{}` exists already", folder.display()),
            "pass `--force` to replace it, or another folder with `--hf-dir`",
        )),
        _ => Ok(()),
    }
}

/// One conversion to GGUF.
struct Work<'a> {
    source: Source<'a>,
    settings: &'a ConvertSettings,
    cancel: &'a Cancel,
    ui: Ui,
}

/// What came of it.
struct Outcome {
    converted: Converted,
    quality: Option<Quality>,
}

impl Work<'_> {
    /// Leaves no empty folder behind where it fails.
    fn write_gguf(&self) -> Result<Outcome, CommandError> {
        let parent = self.settings.output.parent();
        let is_new = parent.is_some_and(|parent| !parent.exists());
        self.write_checked().inspect_err(|_| {
            if let Some(parent) = parent.filter(|_| is_new) {
                // What is not empty, or was not made at all, stays as it is.
                let _ = std::fs::remove_dir(parent);
            }
        })
    }

    /// In a hidden folder that goes away in any case; the file takes its place when it has been checked.
    fn write_checked(&self) -> Result<Outcome, CommandError> {
        let output = &self.settings.output;
        let staged = StagedDir::new(output.with_added_extension("convert"))?;
        let result = staged.path().join("result.gguf");
        let (converted, reference) = match direct_type(self.settings.kind) {
            Some(output_type) => (self.convert(&result, output_type)?, None),
            None => {
                let full = staged.path().join("full.gguf");
                (self.quantize(&full, &result)?, Some(full))
            }
        };
        let quality = if self.settings.skips_check {
            None
        } else {
            Some(quality::measure(&result, reference.as_deref())?)
        };
        self.cancel.check().map_err(|_| interrupted())?;
        if let Some(parent) = output.parent() {
            create_dir_all(parent)?;
        }
        std::fs::rename(&result, output).with_path("write", output)?;
        Ok(Outcome { converted, quality })
    }

    fn convert(&self, path: &Path, output_type: OutputType) -> Result<Converted, CommandError> {
        self.progress("converting", |observer| {
            convert_source(&self.source, path, output_type, observer)
        })
    }

    /// By way of a file that keeps every weight.
    fn quantize(&self, full: &Path, result: &Path) -> Result<Converted, CommandError> {
        let importance = self.settings.imatrix.as_deref();
        let importance = importance.map(ImportanceMatrix::open).transpose()?;
        let options = QuantizeOptions {
            kind: self.settings.kind,
            n_threads: 0,
            importance: importance.as_ref(),
        };
        options.check()?;
        if let Some(importance) = &importance {
            importance.check_config(&ModelConfig::from_dir(self.source.model)?)?;
        }
        let output_type = match self.source.adapter {
            // Sums of weights and an adapter are more precise than the weights were.
            Some(_) => OutputType::F32,
            None => lossless_type(self.source.model)?,
        };
        let converted = self.convert(full, output_type)?;
        self.ui.status(format!(
            "quantizing {} of {output_type} to {}",
            megabytes(converted.tensor_bytes),
            options.kind
        ));
        quantize_with(full, result, &options)?;
        // llama.cpp cannot be stopped while it quantizes.
        self.cancel.check().map_err(|_| interrupted())?;
        Ok(converted)
    }

    fn progress(
        &self,
        what: &str,
        write: impl FnOnce(
            &mut dyn FnMut(&Step<'_>) -> Result<(), Cancelled>,
        ) -> Result<Converted, ConvertError>,
    ) -> Result<Converted, CommandError> {
        let mut progress = self.ui.progress(what, 0, "tensors");
        let result = write(&mut |step| {
            self.cancel.check()?;
            progress.set_total(step.n_tensors as u64);
            let (done, all) = (megabytes(step.bytes_written), megabytes(step.bytes_total));
            progress.set(step.n_written as u64, &format!("{done} of {all}"));
            Ok(())
        });
        progress.finish();
        match result {
            Err(ConvertError::Cancelled(_)) => Err(interrupted()),
            result => Ok(result?),
        }
    }

    fn tell(&self, outcome: &Outcome, modelfile: &Path) {
        let Outcome { converted, quality } = outcome;
        let (settings, ui) = (self.settings, self.ui);
        let output = &settings.output;
        let size_bytes =
            std::fs::metadata(output).map_or(converted.tensor_bytes, |file| file.len());
        if let Some(quality) = quality {
            quality.tell(ui);
        }
        ui.status(format!(
            "{} parameters in {} tensors: {} as {}",
            converted.n_parameters,
            converted.n_tensors,
            megabytes(size_bytes),
            settings.kind
        ));
        if !settings.is_json {
            return ui.data(output.display().to_string());
        }
        let object = json!({
            "output": output,
            "type": settings.kind.name(),
            "size_bytes": size_bytes,
            "parameters": converted.n_parameters,
            "tensors": converted.n_tensors,
            "adapter": settings.adapter,
            "hf_dir": settings.hf_dir,
            "modelfile": modelfile,
            "check": quality.as_ref().map_or(Value::Null, Quality::to_json),
        });
        ui.data(object.to_string());
    }
}

/// The types that the converter itself writes; all others are llama.cpp's work.
fn direct_type(kind: QuantKind) -> Option<OutputType> {
    match kind {
        QuantKind::F32 => Some(OutputType::F32),
        QuantKind::F16 => Some(OutputType::F16),
        QuantKind::Bf16 => Some(OutputType::Bf16),
        _ => None,
    }
}

fn interrupted() -> CommandError {
    CommandError::interrupted("nothing was written; run the same command again")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A path beside another one with the same beginning of the name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_extension(ending)
}
