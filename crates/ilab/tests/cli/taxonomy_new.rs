//! `ilab taxonomy new`.

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use insta::assert_snapshot;
use serde_json::Value;

use crate::program::Program;

const FOLDER: &str = "taxonomy/knowledge/animals/brill";

fn program() -> Program {
    let program = Program::new();
    let parts = ["legs", "food", "home", "voice", "young"];
    let sections = parts.map(|part| {
        format!("## Its {part}\n\nThe {part} of the brill: seen by few, and  \nwritten down by none.\n\n")
    });
    program.write("brill.md", format!("# The brill\n\n{}", sections.concat()));
    program
}

/// Pairs that name the passage, one of them twice, in a form that is not the one asked for.
fn teach(request: &Value) -> Reply {
    let prompt = request["messages"][0]["content"].as_str().unwrap();
    let words = prompt.split("Its ").nth(1).unwrap();
    let part = words.split_whitespace().next().unwrap();
    let seed = request["seed"].as_u64().unwrap();
    Reply::answer(format!(
        "Sure!\n\n**Question 1:** What is known of the {part}: much?\n**Answer:** Little.\n\n**Question 2:** What is known of the {part}: much?\n**Answer:** Little.\n\n**Question 3:** Who has seen the {part} {seed} times?\n**Answer:** Few.\n"
    ))
}

fn text(program: &Program, name: &str) -> String {
    std::fs::read_to_string(program.path(name)).unwrap()
}

fn new(program: &Program, flags: &[&str]) -> String {
    program.run(
        &[
            &["taxonomy", "new", FOLDER, "--document", "brill.md"],
            flags,
        ]
        .concat(),
    )
}

#[test]
fn a_leaf_is_drafted_and_valid() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let flags = ["--endpoint-url", &teacher.url(), "--created-by", "ann"];
    assert_snapshot!(new(&program, &flags), @r"
    exit code: 0
    ----- stdout -----
    taxonomy/knowledge/animals/brill/qna.yaml
    ----- stderr -----
    Asking `fake-teacher` about 5 passages
    The draft is valid. Read it before it is used: its first lines say what to look for
    ");
    assert_eq!(
        teacher.n_requests(),
        10,
        "each passage was asked about again for its third question"
    );
    let leaf = text(&program, &format!("{FOLDER}/qna.yaml"));
    let (start, rest) = leaf.split_at(leaf.find("  - context").unwrap());
    assert_snapshot!(start, @r"
    # A draft: `fake-teacher` wrote the questions and answers, and nobody has read them yet. Before you use it:
    # - Read every answer against its context: is it true, whole, and nothing but what the text says?
    # - Is each question clear to somebody who does not see the context?
    # - Do the contexts show what matters in the document? Replace those that do not.
    # - Are `created_by`, `domain` and `document_outline` right? Is `attribution.txt` filled in?
    # Then `ilab taxonomy diff` checks the file. Remove this comment when you are done.
    version: 3
    created_by: ann
    domain: animals
    document_outline: The brill
    seed_examples:
    ");
    let second = rest.match_indices("  - context").nth(1).unwrap().0;
    assert_snapshot!(rest[..second].to_owned(), @r"
    - context: |
        The brill
        Its legs
        The legs of the brill: seen by few, and
        written down by none.
      questions_and_answers:
        - question: |
            What is known of the legs: much?
          answer: |
            Little.
        - question: |
            Who has seen the legs 42 times?
          answer: |
            Few.
        - question: |
            Who has seen the legs 43 times?
          answer: |
            Few.
    ");
    assert_snapshot!(leaf[leaf.find("document:").unwrap()..].to_owned(), @r"
    document:
      path: documents
      patterns:
        - brill.md
    ");
    assert_snapshot!(text(&program, &format!("{FOLDER}/attribution.txt")), @r"
    Title of work: brill.md
    Link to work:
    Revision:
    License of the work:
    Creator names:
    ");
    let copied = text(&program, &format!("{FOLDER}/documents/brill.md"));
    assert_eq!(copied, text(&program, "brill.md"));

    let diff = ["taxonomy", "diff", "--taxonomy-path", "taxonomy"];
    assert_snapshot!(program.run(&diff), @r"
    exit code: 0
    ----- stdout -----
    knowledge/animals/brill/qna.yaml
    ----- stderr -----
    taxonomy is in no git work tree: every file is taken
    Taxonomy in taxonomy is valid :)
    ");
    assert_snapshot!(program.run(&["taxonomy", "fmt", "--check", "taxonomy"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    0 files to format, 1 unchanged
    ");
    assert_snapshot!(new(&program, &flags), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `taxonomy/knowledge/animals/brill` exists already
    hint: name a folder that is new; an existing leaf is never overwritten
    ");
}

#[test]
fn a_teacher_that_cannot_write_questions_is_named_and_nothing_is_written() {
    let program = program();
    let teacher = FakeTeacher::start(|_| Reply::answer("I like brills."));
    assert_snapshot!(new(&program, &["--endpoint-url", &teacher.url()]), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Asking `fake-teacher` about 5 passages
    error: `fake-teacher` wrote 0 of 3 questions about a passage in 4 attempts; its last answer: "I like brills."
    hint: name a stronger teacher with `--model` or `--endpoint-url`
    hint: `--blank` writes the passages and leaves the questions to you
    "#);
    assert!(!program.path("taxonomy/knowledge").exists());
}

#[test]
fn without_a_teacher_the_questions_are_left_open_and_pointed_at() {
    let program = program();
    assert_snapshot!(new(&program, &["--blank"]), @r"
    exit code: 0
    ----- stdout -----
    taxonomy/knowledge/animals/brill/qna.yaml
    ----- stderr -----
    Fill in the questions and answers; `ilab taxonomy diff` points at those that are missing
    ");
    let diff = program.run(&["taxonomy", "diff", "--taxonomy-path", "taxonomy"]);
    let n_open = |key: &str| diff.matches(&format!("`{key}` has no value")).count();
    assert_eq!((n_open("question"), n_open("answer")), (15, 15), "{diff}");
}

#[test]
fn a_skill_is_drafted_from_a_document_too() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let folder = "taxonomy/compositional_skills/reading";
    let shown = program.run(&[
        "taxonomy",
        "new",
        folder,
        "--document",
        "brill.md",
        "--endpoint-url",
        &teacher.url(),
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let leaf = text(&program, &format!("{folder}/qna.yaml"));
    assert!(
        leaf.contains("task_description: Answer a question about a text such as"),
        "{leaf}"
    );
    assert!(!program.path(folder).join("documents").exists());
    let diff = program.run(&["taxonomy", "diff", "--taxonomy-path", "taxonomy"]);
    assert!(diff.contains("is valid :)"), "{diff}");
}

#[test]
fn what_cannot_be_drafted_from_is_told() {
    let program = program();
    program.write("short.md", "# A brill\n");
    let new = |document: &str| {
        program.run(&["taxonomy", "new", FOLDER, "--blank", "--document", document])
    };
    assert_snapshot!(new("nowhere.md"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `nowhere.md`
      caused by: No such file or directory (os error 2)
    hint: check the path; a relative one starts at the current folder
    ");
    assert_snapshot!(new("short.md"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the documents hold 0 different passages, and a leaf needs 5
    hint: add documents about the same subject with `--document`
    ");
    program.write("brill.xyz", "x");
    assert_snapshot!(new("brill.xyz"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: none of the files that `brill.xyz` matches in `.` can be read; there are: brill.xyz
    hint: Markdown, text, HTML, .docx, .pptx and PDF can be read: convert the documents first
    ");
}
