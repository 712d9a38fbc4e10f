//! The pipelines that the program carries.

/// Path below `pipelines/` and content of every embedded file.
const FILES: [(&str, &str); 6] = [
    (
        "simple/knowledge.yaml",
        include_str!("../pipelines/simple/knowledge.yaml"),
    ),
    (
        "simple/freeform_skills.yaml",
        include_str!("../pipelines/simple/freeform_skills.yaml"),
    ),
    (
        "simple/grounded_skills.yaml",
        include_str!("../pipelines/simple/grounded_skills.yaml"),
    ),
    (
        "simple/knowledge/simple_generate_qa.yaml",
        include_str!("../pipelines/simple/knowledge/simple_generate_qa.yaml"),
    ),
    (
        "simple/skills/simple_generate_qa_freeform.yaml",
        include_str!("../pipelines/simple/skills/simple_generate_qa_freeform.yaml"),
    ),
    (
        "simple/skills/simple_generate_qa_grounded.yaml",
        include_str!("../pipelines/simple/skills/simple_generate_qa_grounded.yaml"),
    ),
];

/// The embedded pipelines by name.
pub const NAMES: [&str; 1] = ["simple"];

/// An embedded file by its path, such as `simple/knowledge.yaml`.
pub fn file(path: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}
