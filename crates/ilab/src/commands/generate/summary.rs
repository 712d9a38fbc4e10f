//! What a run tells when it is over.

use std::path::Path;

use ilab_sdg::Summary;
use ilab_sdg::drops::Drops;
use serde_json::json;

use crate::ui::Ui;

/// Dropped samples that are shown for each reason.
const EXAMPLES_PER_REASON: usize = 1;
/// Characters of a dropped sample that are shown.
const EXAMPLE_LENGTH: usize = 100;
/// Characters of an answer that is shown because nearly all were like it.
const ANSWER_LENGTH: usize = 1_000;

/// The files, or everything as JSON.
pub(super) fn tell(summary: &Summary, is_json: bool, ui: Ui) {
    if is_json {
        let drops = summary
            .drops
            .by_reason()
            .into_iter()
            .map(|(reason, n)| json!({"reason": reason, "n_samples": n}));
        ui.data(
            json!({
                "n_samples": summary.n_samples(),
                "n_requests": summary.n_requests,
                "leaves": summary.leaves,
                "drops": drops.collect::<Vec<_>>(),
                "files": summary.files,
            })
            .to_string(),
        );
        return;
    }
    for leaf in &summary.leaves {
        ui.status(format!(
            "{}: {} samples of {} answers, {} left out",
            leaf.leaf_path, leaf.n_samples, leaf.n_answers, leaf.n_dropped
        ));
    }
    tell_drops(&summary.drops, ui);
    ui.status(format!(
        "every sample and what was left out: {}",
        shown(&summary.files.report)
    ));
    ui.status("ᕦ(òᴗóˇ)ᕤ Data generate completed successfully! ᕦ(òᴗóˇ)ᕤ");
    ui.data(shown(&summary.files.directory));
}

/// What was left out, by reason.
pub(super) fn tell_drops(drops: &Drops, ui: Ui) {
    for (reason, n_samples) in drops.by_reason() {
        ui.status(format!(
            "left out: {n_samples:>5}  {}",
            reason.description()
        ));
        for drop in drops
            .0
            .iter()
            .filter(|drop| drop.reason == reason)
            .take(EXAMPLES_PER_REASON)
        {
            let text: String = drop.text.chars().take(EXAMPLE_LENGTH).collect();
            ui.status(format!("                 such as {text:?}"));
        }
    }
}

/// A few answers of a teacher as they came.
pub(super) fn tell_answers(examples: &Drops, ui: Ui) {
    for drop in &examples.0 {
        ui.status(format!(
            "{}, {}: {}",
            drop.leaf,
            drop.block,
            drop.reason.description()
        ));
        let text: String = drop.text.chars().take(ANSWER_LENGTH).collect();
        for line in text.lines() {
            ui.status(format!("    {line}"));
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
