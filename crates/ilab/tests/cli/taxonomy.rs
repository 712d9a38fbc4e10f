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
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @r"
    exit code: 0
    ----- stdout -----
    compositional_skills/a/qna.yaml
    compositional_skills/b/qna.yaml
    ----- stderr -----
    warning: `compositional_skills/c/qna.yml` is not checked: taxonomy files are named `qna.yaml`
    Taxonomy in [FOLDER]/taxonomy is valid :)
    ");
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty", "--quiet"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: `compositional_skills/c/qna.yml` is not checked: taxonomy files are named `qna.yaml`
    ");
}

#[test]
fn findings_are_drawn_with_place_line_and_fix() {
    let text = SKILL
        .replace("created_by", "createdby")
        .replace("So.", "42 ");
    let program = with_files(&[("compositional_skills/a/qna.yaml", &text)]);
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @r#"
    exit code: 1
    ----- stdout -----
    compositional_skills/a/qna.yaml
    ----- stderr -----
      × `created_by` is missing in the file
       ╭─[[FOLDER]/taxonomy/compositional_skills/a/qna.yaml:1:1]
     1 │ createdby: me
       · ─────────
     2 │ task_description: rhyme
       ╰────
      help: add `created_by:` with your name or handle

      × `createdby` is not a key of a compositional skill
       ╭─[[FOLDER]/taxonomy/compositional_skills/a/qna.yaml:1:1]
     1 │ createdby: me
       · ─────────
     2 │ task_description: rhyme
       ╰────
      help: did you mean `created_by`?

      × `answer` must be text, not a whole number
       ╭─[[FOLDER]/taxonomy/compositional_skills/a/qna.yaml:5:11]
     4 │ - question: Why?
     5 │   answer: 42 
       ·           ──
       ╰────
      help: put quotes around it: "42"

      ⚠ blanks at the end of 1 line
       ╭─[[FOLDER]/taxonomy/compositional_skills/a/qna.yaml:5:13]
     4 │ - question: Why?
     5 │   answer: 42 
       ·             ─
       ╰────
      help: remove them: `sed -i 's/[ \t]*$//' qna.yaml`

    error: Reading taxonomy failed with the following error: 3 total errors found across 1 taxonomy files!
    hint: each place above says what to change
    "#);
    assert_snapshot!(diff(&program, &["--json"]), @r#"
    exit code: 1
    ----- stdout -----
    {"taxonomy":"[FOLDER]/taxonomy","base":null,"valid":false,"errors":3,"warnings":1,"files":[{"path":"compositional_skills/a/qna.yaml","leaf":null,"diagnostics":[{"severity":"error","message":"`created_by` is missing in the file","help":"add `created_by:` with your name or handle","span":{"start":0,"end":9},"line":1,"column":1},{"severity":"error","message":"`createdby` is not a key of a compositional skill","help":"did you mean `created_by`?","span":{"start":0,"end":9},"line":1,"column":1},{"severity":"error","message":"`answer` must be text, not a whole number","help":"put quotes around it: \"42\"","span":{"start":80,"end":82},"line":5,"column":11},{"severity":"warning","message":"blanks at the end of 1 line","help":"remove them: `sed -i 's/[ \\t]*$//' qna.yaml`","span":{"start":82,"end":83},"line":5,"column":13}]}],"left_out":[]}
    ----- stderr -----
    "#);
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
    assert_snapshot!(diff(&program, &[]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    [FOLDER]/taxonomy is in no git work tree: every file is taken
    warning: `knowledge/a/qna.yml` is not checked: taxonomy files are named `qna.yaml`
    No taxonomy file was found: they are named `qna.yaml` and lie under `knowledge` or `compositional_skills`.
      knowledge/a/qna.yml: must be named `qna.yaml`
      foundational_skills/a/qna.yaml: outside `knowledge` and `compositional_skills`
    Taxonomy in [FOLDER]/taxonomy is valid :)
    ");
}

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    let program = Program::new();
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the taxonomy `[FOLDER]/taxonomy` does not exist
    hint: give the folder that holds `knowledge` and `compositional_skills` with `--taxonomy-path`
    hint: `ilab config init` gets the public taxonomy
    ");
}

#[test]
fn a_document_that_generation_would_refuse_is_drawn_at_its_pattern() {
    let mut text = "version: 3\ncreated_by: me\ndomain: animals\ndocument_outline: The brill\ndocument:\n  path: .\n  patterns:\n  - '*.md'\n  - '***'\nseed_examples:\n".to_owned();
    for number in 1..=5 {
        text.push_str(&format!(
            "- context: Fact {number}.\n  questions_and_answers:\n"
        ));
        for word in ["Who", "Why", "How"] {
            text.push_str(&format!(
                "  - question: {word} is {number}?\n    answer: So.\n"
            ));
        }
    }
    let program = with_files(&[
        ("knowledge/brill/qna.yaml", &text),
        ("knowledge/brill/brill.md", "# The brill\n"),
    ]);
    assert_snapshot!(diff(&program, &["--taxonomy-base", "empty", "--quiet"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
      × `***` is not a file pattern: wildcards are either regular `*` or recursive `**`
        ╭─[[FOLDER]/taxonomy/knowledge/brill/qna.yaml:9:5]
      8 │   - '*.md'
      9 │   - '***'
        ·     ─────
     10 │ seed_examples:
        ╰────
      help: patterns are like `docs/*.md` or `**/*.md`

    error: Reading taxonomy failed with the following error: 1 total errors found across 1 taxonomy files!
    hint: each place above says what to change
    ");
}

#[test]
fn a_file_of_rules_replaces_those_of_the_program() {
    let text = SKILL.replace("created_by: me", "created_by:   me ");
    let program = with_files(&[("compositional_skills/a/qna.yaml", &text)]);
    program.write(
        "rules.yaml",
        "rules:\n  trailing-spaces: {level: error}\n  line-length: enable\n",
    );
    let flags = ["--taxonomy-base", "empty", "--yaml-rules", "rules.yaml"];
    assert_snapshot!(diff(&program, &flags), @r"
    exit code: 1
    ----- stdout -----
    compositional_skills/a/qna.yaml
    ----- stderr -----
      ⚠ `line-length` is not checked here
       ╭─[rules.yaml:3:3]
     2 │   trailing-spaces: {level: error}
     3 │   line-length: enable
       ·   ───────────
       ╰────

      × blanks at the end of 1 line
       ╭─[[FOLDER]/taxonomy/compositional_skills/a/qna.yaml:1:17]
     1 │ created_by:   me 
       ·                 ─
     2 │ task_description: rhyme
       ╰────
      help: remove them: `sed -i 's/[ \t]*$//' qna.yaml`

    error: Reading taxonomy failed with the following error: 1 total errors found across 1 taxonomy files!
    hint: each place above says what to change
    ");
    program.write(
        "rules.yaml",
        "extends: relaxed\nrules: {colons: {max-spaces-after: 3}, trailing-spaces: disable}\n",
    );
    assert_snapshot!(diff(&program, &flags), @r"
    exit code: 0
    ----- stdout -----
    compositional_skills/a/qna.yaml
    ----- stderr -----
    Taxonomy in [FOLDER]/taxonomy is valid :)
    ");
}

#[test]
fn rules_that_cannot_be_followed_are_told_before_anything_is_checked() {
    let program = with_files(&[("compositional_skills/a/qna.yaml", SKILL)]);
    let flags = ["--taxonomy-base", "empty", "--yaml-rules", "rules.yaml"];
    assert_snapshot!(diff(&program, &flags), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read `rules.yaml`
      caused by: No such file or directory (os error 2)
    hint: check the path; a relative one starts at the current folder
    ");
    program.write(
        "rules.yaml",
        "extends: relaxed\nrules: {colons: {level: fatal}}\n",
    );
    assert_snapshot!(diff(&program, &flags), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: rules.yaml:2:25: `level` must be `warning` or `error`, not `fatal`
    ");
    let generate = program.run(&["data", "generate", "--yaml-rules", "rules.yaml"]);
    assert_snapshot!(generate, @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: rules.yaml:2:25: `level` must be `warning` or `error`, not `fatal`
    ");
}

#[test]
fn in_a_workflow_of_github_findings_are_annotations() {
    let text = SKILL.replace("So.", "42 ");
    let program = with_files(&[("compositional_skills/a,b/qna.yaml", &text)]);
    let path = program.path("taxonomy").display().to_string();
    let arguments = [
        "taxonomy",
        "diff",
        "--taxonomy-path",
        &path,
        "--taxonomy-base",
        "empty",
    ];
    let diff = |flags: &[&str], variables: &[&str]| {
        let mut command = program.command(&[&arguments[..], flags].concat());
        command.envs(variables.iter().map(|name| (name, "true")));
        program.show(&command.output().unwrap())
    };
    let told = diff(&[], &["GITHUB_ACTIONS", "GITHUB_WORKFLOW"]);
    assert_snapshot!(told, @r#"
    exit code: 1
    ----- stdout -----
    compositional_skills/a,b/qna.yaml
    ::error file=[FOLDER]/taxonomy/compositional_skills/a%2Cb/qna.yaml,line=5,col=11::`answer` must be text, not a whole number%0Ahelp: put quotes around it: "42"
    ::warning file=[FOLDER]/taxonomy/compositional_skills/a%2Cb/qna.yaml,line=5,col=13::blanks at the end of 1 line%0Ahelp: remove them: `sed -i 's/[ \t]*$//' qna.yaml`
    ----- stderr -----
    error: Reading taxonomy failed with the following error: 1 total errors found across 1 taxonomy files!
    hint: each place above says what to change
    "#);
    assert_eq!(diff(&["--message-format", "github"], &[]), told);
    let drawn = diff(&[], &["GITHUB_ACTIONS"]);
    assert!(
        drawn.contains("╭─[") && !drawn.contains("::error"),
        "{drawn}"
    );
    let both = ["GITHUB_ACTIONS", "GITHUB_WORKFLOW"];
    assert_eq!(diff(&["--message-format", "standard"], &both), drawn);
}
