//! The adapter by itself: for llama.cpp, MLX or PEFT.

use ilab_convert::Source;
use ilab_weights::adapter::{write as write_peft, write_gguf, write_npz};
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::safetensors::FloatType;
use serde_json::json;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::ConvertSettings;
use crate::ui::Ui;

/// Writes the adapter in the layout that the output's name asks for.
pub(super) fn write(source: &Source<'_>, settings: &ConvertSettings, ui: Ui) -> CommandResult {
    let Some(adapter) = source.adapter else {
        return Err(CommandError::message(
            Kind::Usage,
            "there is no adapter to convert",
            "name it with `--adapter-file`",
        ));
    };
    let config = ModelConfig::from_dir(source.model)?;
    adapter.check_model(&model_tensors(&config))?;
    let output = &settings.output;
    let extension = output.extension().unwrap_or_default();
    let layout = if extension == "gguf" {
        let name = output.file_stem().unwrap_or_default().to_string_lossy();
        write_gguf(output, adapter, &config, &name)?;
        "GGUF"
    } else if extension == "npz" {
        write_npz(output, adapter)?;
        "MLX"
    } else {
        write_peft(output, &adapter.config, &adapter.modules, FloatType::F32)?;
        "PEFT"
    };
    let n_layers = adapter.modules.len();
    ui.status(format!("{n_layers} layers in the layout of {layout}"));
    if settings.is_json {
        let object = json!({
            "output": output, "layout": layout, "layers": n_layers, "adapter": settings.adapter
        });
        ui.data(object.to_string());
    } else {
        ui.data(output.display().to_string());
    }
    Ok(())
}
