//! `ilab model convert`.

use std::path::Path;

use ilab_base::atomic::StagedDir;
use ilab_base::cancel::Cancel;
use ilab_convert::{ConvertError, Converted, OutputType, convert, lossless_type};
use ilab_infer::quantize::{QuantKind, quantize};

use crate::commands::stop::cancel_on_signal;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{ConvertSettings, Target};
use crate::ui::Ui;

/// Converts, and quantizes where that is asked for; says how large the result is.
pub(crate) fn run(settings: &ConvertSettings, ui: Ui) -> CommandResult {
    let output = &settings.output;
    if output.exists() && !settings.replaces {
        return Err(CommandError::message(
            Kind::User,
            format!("`{}` exists already", output.display()),
            "pass `--force` to replace it, or another file with `--output`",
        ));
    }
    let cancel = Cancel::new();
    let _listening = cancel_on_signal(&cancel)?;
    let converted = match settings.target {
        Target::Plain(output_type) => {
            write_gguf(&settings.model_dir, output, output_type, &cancel, ui)?
        }
        Target::Q4KM => write_quantized(&settings.model_dir, output, &cancel, ui)?,
    };
    let size_bytes = std::fs::metadata(output).map_or(converted.tensor_bytes, |file| file.len());
    ui.status(format!(
        "{} parameters in {} tensors: {} as {}",
        converted.n_parameters,
        converted.n_tensors,
        megabytes(size_bytes),
        settings.target.name()
    ));
    ui.data(output.display().to_string());
    Ok(())
}

/// By way of a file that keeps every weight, in a hidden folder that goes away in any case.
fn write_quantized(
    model_dir: &Path,
    output: &Path,
    cancel: &Cancel,
    ui: Ui,
) -> Result<Converted, CommandError> {
    let staged = StagedDir::new(output.with_added_extension("convert"))?;
    let full = staged.path().join("full.gguf");
    let output_type = lossless_type(model_dir)?;
    let converted = write_gguf(model_dir, &full, output_type, cancel, ui)?;
    ui.status(format!(
        "quantizing {} of {output_type} to Q4_K_M",
        megabytes(converted.tensor_bytes)
    ));
    let quantized = staged.path().join("quantized.gguf");
    quantize(&full, &quantized, QuantKind::Q4KM, 0)?;
    // llama.cpp cannot be stopped while it quantizes.
    cancel.check().map_err(|_| interrupted())?;
    ilab_base::io::WithPath::with_path(std::fs::rename(&quantized, output), "write", output)?;
    Ok(converted)
}

fn write_gguf(
    model_dir: &Path,
    output: &Path,
    output_type: OutputType,
    cancel: &Cancel,
    ui: Ui,
) -> Result<Converted, CommandError> {
    let mut progress = ui.progress("converting", 0, "tensors");
    let result = convert(model_dir, output, output_type, &mut |step| {
        cancel.check()?;
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

fn interrupted() -> CommandError {
    CommandError::interrupted("nothing was written; run the same command again")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
