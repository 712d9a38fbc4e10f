//! `ilab taxonomy diff`.

use insta::assert_snapshot;

use crate::program::Program;

const SKILL: &str =
    "created_by: me\ntask_description: rhyme\nseed_examples:\n- question: Why?\n  answer: So.\n";

/// A program with a taxonomy of these files.
fn with_files(files: &[(&str, &str)]) -> Program {
    let program = Program::new();
    for (path, text) in files {
        program.write(&format!("taxonomy/{path}"), text);
    }
    program
}

fn diff(program: &Program, flags: &[&str]) -> String {
    let path = program.path("taxonomy").display().to_string();
    let mut arguments = vec!["taxonomy", "diff", "--taxonomy-path", &path];
    arguments.extend(flags);
    program.run(&arguments)
}

#[test]
fn valid_files_are_listed_in_order() {
    let program = with_files(&[
        ("compositional_skills/b/qna.yaml", SKILL),
        ("compositional_skills/a/qna.yaml", SKILL),
        ("compositional_skills/c/qna.yml", SKILL),
    ]);
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @"");
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty", "--quiet"]), @"");
}

#[test]
fn findings_are_drawn_with_place_line_and_fix() {
    let text = SKILL
        .replace("created_by", "createdby")
        .replace("So.", "42 ");
    let program = with_files(&[("compositional_skills/a/qna.yaml", &text)]);
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @"");
    assert_snapshot!(diff(&program, &["--json"]), @"");
    let file = program.path("taxonomy/compositional_skills/a/qna.yaml");
    let shown = program.run(&[
        "taxonomy",
        "diff",
        "--quiet",
        "--taxonomy-path",
        &file.display().to_string(),
    ]);
    assert!(
        shown.starts_with("exit code: 1") && shown.contains("Taxonomy file with errors!"),
        "{shown}"
    );
}

#[test]
fn nothing_selected_is_explained() {
    let program = with_files(&[
        ("foundational_skills/a/qna.yaml", SKILL),
        ("knowledge/a/qna.yml", SKILL),
    ]);
    assert_snapshot!(diff(&program, &[]), @"");
}

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    let program = Program::new();
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @"");
}
