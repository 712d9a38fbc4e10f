use crate::error::CommandResult;
use crate::settings::ConfigShowSettings;
use crate::ui::Ui;

pub(crate) fn run(_settings: &ConfigShowSettings, _ui: Ui) -> CommandResult {
    Ok(())
}
