//! `--yaml-rules`.

use std::path::Path;

use ilab_taxonomy::LayoutRules;

use crate::error::CommandError;
use crate::ui::Ui;

/// The rules of the file that was named, else those of the program. What the file asks for in vain is told.
pub(super) fn layout_rules(file: Option<&Path>, ui: Ui) -> Result<LayoutRules, CommandError> {
    let Some(file) = file else {
        return Ok(LayoutRules::default());
    };
    let loaded = LayoutRules::load(file).map_err(CommandError::usage)?;
    ui.findings(file, &loaded.text, &loaded.warnings);
    Ok(loaded.rules)
}
