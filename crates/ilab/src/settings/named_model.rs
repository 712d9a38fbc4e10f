//! Models that the configuration lists under `models`, by their ids.

use ilab_config::NamedModel;

use crate::error::{CommandError, Kind};
use crate::settings::Invocation;

/// The teacher that the flag or else the configuration names.
///
/// # Errors
/// An id that is not in the list.
pub(super) fn teacher(
    flag: Option<String>,
    invocation: &Invocation,
) -> Result<Option<NamedModel>, CommandError> {
    let config = invocation.config()?;
    let id = flag.or(config.general.teacher_model_id);
    id.map(|id| named_model(&config.models, &id)).transpose()
}

/// The model that data is for, which the flag or else the configuration names.
///
/// # Errors
/// An id that is not in the list.
pub(super) fn student(
    flag: Option<String>,
    invocation: &Invocation,
) -> Result<Option<NamedModel>, CommandError> {
    let config = invocation.config()?;
    let id = flag.or(config.general.student_model_id);
    id.map(|id| named_model(&config.models, &id)).transpose()
}

fn named_model(models: &[NamedModel], id: &str) -> Result<NamedModel, CommandError> {
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
