use crate::error::CommandResult;
use crate::settings::TaxonomyDiffSettings;
use crate::ui::Ui;

pub(crate) fn run(_settings: &TaxonomyDiffSettings, _ui: Ui) -> CommandResult {
    Ok(())
}
