//! The pipelines that the program carries.

/// Path below `pipelines/` and content of files.
macro_rules! files {
    ($($name:literal)*) => {
        &[$((
            concat!($name, ".yaml"),
            include_str!(concat!("../pipelines/", $name, ".yaml")),
        )),*]
    };
}

/// Every embedded file.
const FILES: &[(&str, &str)] = files!(
    "simple/knowledge"
    "simple/freeform_skills"
    "simple/grounded_skills"
    "simple/knowledge/simple_generate_qa"
    "simple/skills/simple_generate_qa_freeform"
    "simple/skills/simple_generate_qa_grounded"
    "full/knowledge"
    "full/freeform_skills"
    "full/grounded_skills"
    "full/mmlu_bench"
    "full/eval/multiple_choice"
    "full/knowledge/evaluate_faithfulness"
    "full/knowledge/evaluate_question"
    "full/knowledge/evaluate_relevancy"
    "full/knowledge/generate_questions_responses"
    "full/knowledge/spellcheck"
    "full/skills/contexts"
    "full/skills/evaluate_freeform_pair"
    "full/skills/evaluate_freeform_questions"
    "full/skills/evaluate_grounded_pair"
    "full/skills/evaluate_grounded_questions"
    "full/skills/freeform_questions"
    "full/skills/freeform_responses"
    "full/skills/grounded_questions"
    "full/skills/grounded_responses"
);

/// The embedded pipelines by name.
pub const NAMES: [&str; 2] = ["simple", "full"];

/// An embedded file by its path, such as `simple/knowledge.yaml`.
pub fn file(path: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}

/// The files of an embedded pipeline, by their paths within it.
pub(crate) fn files(pipeline: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| {
        let within = path.strip_prefix(pipeline)?.strip_prefix('/')?;
        Some((within, *text))
    })
}
