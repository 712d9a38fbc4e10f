use crate::error::CommandResult;
use crate::settings::ConfigInitSettings;
use crate::ui::Ui;

pub(crate) fn run(_settings: &ConfigInitSettings, _ui: Ui) -> CommandResult {
    Ok(())
}
