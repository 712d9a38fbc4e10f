//! `ilab data pipelines`.

use insta::assert_snapshot;

use crate::program::Program;

#[test]
fn pipelines_are_listed_shown_and_copied() {
    let program = Program::new();
    program.write(
        ".local/share/instructlab/sdg/pipelines/mine/knowledge.yaml",
        "version: '1.0'\n",
    );
    assert_snapshot!(program.run(&["data", "pipelines", "list"]), @"
    exit code: 0
    ----- stdout -----
    mine    [FOLDER]/.local/share/instructlab/sdg/pipelines/mine
    simple  built in
    full    built in
    ----- stderr -----
    ");
    let json = program.run(&["data", "pipelines", "list", "--json"]);
    assert!(json.contains(r#""name": "simple""#), "{json}");

    let shown = program.run(&["data", "pipelines", "show", "simple"]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let first = shown.find("# freeform_skills.yaml").unwrap();
    assert!(first < shown.find("# knowledge/simple_generate_qa.yaml").unwrap());

    assert_snapshot!(program.run(&["data", "pipelines", "export", "full", "own"]), @r"
    exit code: 0
    ----- stdout -----
    [FOLDER]/own
    ----- stderr -----
    19 files; change them and run `ilab data generate --pipeline [FOLDER]/own`
    ");
    let again = program.run(&["data", "pipelines", "export", "own", "copy"]);
    assert!(again.starts_with("exit code: 0"), "{again}");
    for file in ["knowledge.yaml", "skills/contexts.yaml"] {
        let text = |folder: &str| std::fs::read_to_string(program.path(folder).join(file)).unwrap();
        assert_eq!(text("own"), text("copy"));
    }
    assert_snapshot!(program.run(&["data", "pipelines", "export", "full", "own"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `own` exists already
    hint: name a folder that does not exist yet
    ");
    assert_snapshot!(program.run(&["data", "pipelines", "show", "nowhere"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no pipeline `nowhere`: it is not built in and no such folder exists
    hint: pass `--pipeline full`, `--pipeline simple`, or the folder of your own pipeline
    ");
}
