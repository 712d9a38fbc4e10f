//! Models that the configuration lists under `models`, by their ids.

use ilab_config::NamedModel;

use crate::error::{CommandError, Kind};

/// The model of that id.
///
/// # Errors
/// An id that is not in the list.
pub(super) fn named_model(models: &[NamedModel], id: &str) -> Result<NamedModel, CommandError> {
    let found = models.iter().find(|model| model.id == id);
    found.cloned().ok_or_else(|| {
        let ids: Vec<String> = models
            .iter()
            .map(|model| format!("`{}`", model.id))
            .collect();
        let hint = match ids.is_empty() {
            true => {
                "add it to `models` of the configuration: `- id: ...`, `path: ...`, `family: ...`"
                    .to_owned()
            }
            false => format!("there are {}", ids.join(", ")),
        };
        CommandError::message(
            Kind::Usage,
            format!("the configuration lists no model with the id `{id}`"),
            hint,
        )
    })
}
