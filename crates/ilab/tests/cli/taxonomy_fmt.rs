//! `ilab taxonomy fmt`.

use insta::assert_snapshot;

use crate::program::Program;

const UNTIDY: &str = "created_by:  me \ntask_description: |\n  rhyme  \n\n\n\nseed_examples:\n-   question: Why?\n    answer: So.";
const TIDY: &str = "created_by: me\ntask_description: |\n  rhyme  \n\n\nseed_examples:\n- question: Why?\n  answer: So.\n";

fn program() -> Program {
    let program = Program::new();
    program.write("taxonomy/compositional_skills/a/qna.yaml", UNTIDY);
    program.write("taxonomy/compositional_skills/b/qna.yaml", "a: 1\n");
    program
}

fn text(program: &Program, name: &str) -> String {
    std::fs::read_to_string(program.path(name)).unwrap()
}

#[test]
fn files_are_put_right_once_and_what_cannot_be_is_drawn() {
    let program = program();
    let arguments = [
        "taxonomy",
        "fmt",
        "--taxonomy-path",
        "taxonomy",
        "--taxonomy-base",
        "empty",
    ];
    let check = [&arguments[..], &["--check"]].concat();
    assert_snapshot!(program.run(&check), @r"
    exit code: 1
    ----- stdout -----
    taxonomy/compositional_skills/a/qna.yaml
    ----- stderr -----
    1 file to format, 1 unchanged
    error: 1 file would change
    hint: the same command without `--check` changes them
    ");
    let file = "taxonomy/compositional_skills/a/qna.yaml";
    assert_eq!(text(&program, file), UNTIDY, "`--check` writes nothing");
    assert_snapshot!(program.run(&arguments), @r"
    exit code: 0
    ----- stdout -----
    taxonomy/compositional_skills/a/qna.yaml
    ----- stderr -----
      ⚠ blanks at the end of 1 line
       ╭─[taxonomy/compositional_skills/a/qna.yaml:3:8]
     2 │ task_description: |
     3 │   rhyme  
       ·        ──
     4 │ 
       ╰────
      help: remove them: `sed -i 's/[ \t]*$//' qna.yaml`

    1 file formatted, 1 unchanged
    What is drawn above is left: to change it would change what the files say
    ");
    assert_eq!(text(&program, file), TIDY);
    assert_snapshot!(program.run(&check), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    0 files to format, 2 unchanged
    ");
}

#[test]
fn a_file_that_is_no_yaml_is_left_and_told_and_the_others_are_put_right() {
    let program = program();
    program.write("taxonomy/compositional_skills/c/qna.yaml", "a: [\n");
    program.write("taxonomy/compositional_skills/d/qna.yaml", b"a: \xff\n");
    assert_snapshot!(program.run(&["taxonomy", "fmt", "taxonomy"]), @r"
    exit code: 1
    ----- stdout -----
    taxonomy/compositional_skills/a/qna.yaml
    ----- stderr -----
      ⚠ blanks at the end of 1 line
       ╭─[taxonomy/compositional_skills/a/qna.yaml:3:8]
     2 │ task_description: |
     3 │   rhyme  
       ·        ──
     4 │ 
       ╰────
      help: remove them: `sed -i 's/[ \t]*$//' qna.yaml`

      × this is not YAML: while parsing a node, did not find expected node content
       ╭─[taxonomy/compositional_skills/c/qna.yaml:2:1]
     1 │ a: [
       ╰────

      × the file is not UTF-8 text
       ╭─[taxonomy/compositional_skills/d/qna.yaml:1:4]
     1 │ a: �
       ·    ─
       ╰────
      help: save it as UTF-8: `iconv -f LATIN1 -t UTF-8` converts the most common other encoding

    1 file formatted, 1 unchanged
    What is drawn above is left: to change it would change what the files say
    error: 2 files could not be read
    hint: each place above says what to change
    ");
    assert_eq!(
        text(&program, "taxonomy/compositional_skills/c/qna.yaml"),
        "a: [\n"
    );
}

#[test]
fn files_and_folders_may_be_named() {
    let program = program();
    let folder = "taxonomy/compositional_skills";
    let file = format!("{folder}/b/qna.yaml");
    assert_snapshot!(program.run(&["taxonomy", "fmt", &file]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    0 files formatted, 1 unchanged
    ");
    assert_snapshot!(program.run(&["taxonomy", "fmt", folder]), @r"
    exit code: 0
    ----- stdout -----
    taxonomy/compositional_skills/a/qna.yaml
    ----- stderr -----
      ⚠ blanks at the end of 1 line
       ╭─[taxonomy/compositional_skills/a/qna.yaml:3:8]
     2 │ task_description: |
     3 │   rhyme  
       ·        ──
     4 │ 
       ╰────
      help: remove them: `sed -i 's/[ \t]*$//' qna.yaml`

    1 file formatted, 1 unchanged
    What is drawn above is left: to change it would change what the files say
    ");
    assert_snapshot!(program.run(&["taxonomy", "fmt", "nowhere"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the taxonomy `nowhere` does not exist
    hint: give the folder that holds `knowledge` and `compositional_skills` with `--taxonomy-path`
    hint: `ilab config init` gets the public taxonomy
    ");
    let both = program.run(&["taxonomy", "fmt", folder, "--taxonomy-base", "empty"]);
    assert!(both.starts_with("exit code: 2"), "{both}");
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link_and_a_mode_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let program = program();
    let target = program.write("elsewhere.yaml", "a:  1\n");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::create_dir(program.path("taxonomy/knowledge")).unwrap();
    let link = program.path("taxonomy/knowledge/qna.yaml");
    symlink(&target, &link).unwrap();
    let shown = program.run(&["taxonomy", "fmt", "taxonomy/knowledge"]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(link.is_symlink());
    assert_eq!(text(&program, "elsewhere.yaml"), "a: 1\n");
    let mode = target.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
