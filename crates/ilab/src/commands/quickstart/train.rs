//! Training data to a trained checkpoint.

use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_train::trainer::TrainOptions;

use crate::commands::quickstart::folder::Folder;
use crate::commands::train::{Trained, train};
use crate::error::CommandError;
use crate::settings::TrainSettings;
use crate::ui::Ui;

/// The longest sample: a question with its answer.
const MAX_SEQ_LEN: usize = 256;

/// A small model learns by heart with a high rate and some repetition.
fn options() -> TrainOptions {
    TrainOptions {
        num_epochs: 20,
        effective_batch_size: 16,
        max_batch_len: 4096,
        learning_rate: 3e-4,
        warmup_steps: 10,
        ..TrainOptions::default()
    }
}

/// Trains the model in `student` on `training_data` and writes it below `checkpoints/`.
pub(super) fn run(
    student: &Path,
    training_data: &Path,
    folder: &Folder,
    ui: Ui,
    cancel: &Cancel,
) -> Result<Trained, CommandError> {
    let settings = TrainSettings::of_last_checkpoint(
        student.to_owned(),
        training_data.to_owned(),
        folder.join("checkpoints"),
        MAX_SEQ_LEN,
        options(),
    );
    train(&settings, ui, cancel)
}
