//! `ilab config show`: the configuration in effect.

use ilab_config::{lookup, part_to_yaml, to_json, to_yaml};

use crate::error::{CommandError, CommandResult};
use crate::settings::ConfigShowSettings;
use crate::ui::Ui;

pub(crate) fn run(settings: &ConfigShowSettings, ui: Ui) -> CommandResult {
    let part = match &settings.key {
        Some(key) => Some(lookup(&settings.config, key).map_err(CommandError::usage)?),
        None => None,
    };
    let text = match (part, settings.is_json) {
        (Some(part), true) => format!("{part:#}"),
        (None, true) => format!("{:#}", to_json(&settings.config)),
        (Some(part), false) => part_to_yaml(&part),
        (None, false) => to_yaml(&settings.config, &settings.dirs, settings.comments),
    };
    ui.data(text.strip_suffix('\n').unwrap_or(&text));
    Ok(())
}
