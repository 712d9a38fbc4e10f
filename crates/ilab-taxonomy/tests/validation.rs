//! From the text of a qna.yaml to what is told about it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_taxonomy::{DocumentSource, LeafKind, Selection, Taxonomy, read};
use insta::assert_snapshot;

/// Writes `text` as the qna.yaml of a leaf and reads the taxonomy.
fn taxonomy(folder: &Path, leaf: &str, text: &str) -> Taxonomy {
    let leaf = folder.join(leaf);
    std::fs::create_dir_all(&leaf).unwrap();
    std::fs::write(leaf.join("qna.yaml"), text).unwrap();
    read(&Selection::new(folder, "empty")).unwrap()
}

/// Everything told about `text`, one finding a line.
fn told(leaf: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let taxonomy = taxonomy(folder.path(), leaf, text);
    let lines = taxonomy.files[0].diagnostics.iter().map(|one| {
        let severity = if one.is_error() { "error" } else { "warning" };
        let marked = taxonomy.files[0].text[one.span.start..one.span.end].replace('\r', "CR");
        let help = one.help.as_deref().unwrap_or("-");
        format!(
            "{severity} {}:{} [{marked}] {} ({help})",
            one.line, one.column, one.message
        )
    });
    let mut lines: Vec<_> = lines.collect();
    if taxonomy.files[0].leaf.is_some() {
        lines.push("leaf".to_owned());
    }
    lines
        .join("\n")
        .replace(&folder.path().display().to_string(), "TAXONOMY")
}

fn skill_examples(count: usize) -> String {
    (1..=count)
        .map(|index| format!("- question: What rhymes with {index}?\n  answer: Nothing does.\n"))
        .collect()
}

fn knowledge_examples(count: usize) -> String {
    (1..=count)
        .map(|index| {
            let pairs: String = (1..=3)
                .map(|pair| {
                    format!("  - question: Question {index}.{pair}?\n    answer: Answer.\n")
                })
                .collect();
            format!("- context: Part {index} of the document.\n  questions_and_answers:\n{pairs}")
        })
        .collect()
}

fn knowledge(document: &str) -> String {
    format!(
        "version: 3\ncreated_by: me\ndomain: astronomy\ndocument_outline: The moons of Vell\n{document}seed_examples:\n{}",
        knowledge_examples(5)
    )
}

const REPOSITORY: &str =
    "document:\n  repo: https://example.com/docs.git\n  commit: 0a1b2c\n  patterns: [\"*.md\"]\n";

#[test]
fn valid_files_of_every_version_become_leaves() {
    let skill = |head: &str, count: usize| {
        let text = format!(
            "{head}created_by: me\ntask_description: rhyme\nseed_examples:\n{}",
            skill_examples(count)
        );
        told("compositional_skills/writing", &text)
    };
    assert_eq!(skill("", 1), "leaf");
    assert_eq!(skill("version: 1\n", 1), "leaf");
    assert_eq!(skill("version: 2\n", 5), "leaf");
    assert_eq!(skill("version: 3\n", 5), "leaf");
    assert_eq!(told("knowledge/science", &knowledge(REPOSITORY)), "leaf");
}

#[test]
fn a_leaf_keeps_every_text_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 3\ncreated_by: me\ntask_description: \" spaced \"\nseed_examples:\n\
         - context: |\n    two\n    lines\n  question: \"Wie heißt es?\"\n  answer: Yes\n{}",
        skill_examples(4)
    );
    let taxonomy = taxonomy(
        folder.path(),
        "compositional_skills/writing/freeform_a",
        &text,
    );
    let leaf = taxonomy.leaves().next().unwrap();
    assert_eq!(leaf.leaf_path, "compositional_skills->writing->freeform_a");
    assert_eq!(
        leaf.leaf_node_path,
        "compositional_skills_writing_freeform_a"
    );
    let LeafKind::Skill(skill) = &leaf.kind else {
        panic!("{leaf:?}")
    };
    assert_eq!(skill.task_description, " spaced ");
    assert_eq!(
        skill.seed_examples[0].context.as_deref(),
        Some("two\nlines\n")
    );
    assert_eq!(skill.seed_examples[0].question, "Wie heißt es?");
    assert_eq!(skill.seed_examples[0].answer, "Yes");
    assert_eq!(skill.seed_examples[1].context, None);
}

#[test]
fn a_local_folder_of_documents_is_resolved_and_must_hold_a_match() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = folder.path().join("knowledge/moons");
    std::fs::create_dir_all(leaf.join("documents")).unwrap();
    let text = knowledge("document:\n  path: documents\n  patterns: [\"*.md\"]\n");
    let read = || taxonomy(folder.path(), "knowledge/moons", &text);
    let message = read().files[0].diagnostics[0].message.clone();
    assert!(message.contains("matches no file in"), "{message}");

    std::fs::write(leaf.join("documents/vell.md"), "# Vell\n").unwrap();
    let taxonomy = read();
    let leaf_kind = &taxonomy.leaves().next().unwrap().kind;
    let LeafKind::Knowledge(knowledge) = leaf_kind else {
        panic!("{leaf_kind:?}")
    };
    let expected = DocumentSource::Folder {
        path: leaf.join("documents"),
        patterns: vec!["*.md".to_owned()],
    };
    assert_eq!(knowledge.documents, expected);
    assert_snapshot!(told("knowledge/x", &text), @"error 6:9 [documents] the folder of documents `TAXONOMY/knowledge/x/documents` does not exist (the path is relative to the folder of this file)");
}

/// What generation would refuse is told by the check, at the pattern that is the cause.
#[test]
fn documents_that_generation_cannot_read_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("knowledge/moons/documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (name, bytes) in [
        ("vell.md", &b"# Vell\n"[..]),
        ("bad.txt", b"x\xff"),
        (".hidden.md", b"# Hidden\n"),
        ("old.doc", b""),
    ] {
        std::fs::write(documents.join(name), bytes).unwrap();
    }
    let big = std::fs::File::create(documents.join("big.pdf")).unwrap();
    big.set_len(500_000_000).unwrap();
    let told = |patterns: &str| {
        let text = knowledge(&format!(
            "document:\n  path: documents\n  patterns: [{patterns}]\n"
        ));
        let taxonomy = taxonomy(folder.path(), "knowledge/moons", &text);
        let file = &taxonomy.files[0];
        let lines = file.diagnostics.iter().map(|one| {
            let marked = &file.text[one.span.start..one.span.end];
            format!("{}:{} [{marked}] {}", one.line, one.column, one.message)
        });
        let told = lines.collect::<Vec<_>>().join("\n");
        told.replace(&documents.display().to_string(), "DOCUMENTS")
    };
    assert_eq!(told("vell.md"), "");
    assert_snapshot!(told("vell.md, '*.html', '../documents/*.md', '?hidden.md', '***'"), @"
    7:23 ['*.html'] the pattern `*.html` matches no file in `DOCUMENTS`; there are: .hidden.md, bad.txt, big.pdf, old.doc, vell.md
    7:33 ['../documents/*.md'] the pattern `../documents/*.md` matches no file in `DOCUMENTS`; there are: .hidden.md, bad.txt, big.pdf, old.doc, vell.md
    7:54 ['?hidden.md'] the pattern `?hidden.md` matches no file in `DOCUMENTS`; there are: .hidden.md, bad.txt, big.pdf, old.doc, vell.md
    7:68 ['***'] `***` is not a file pattern: wildcards are either regular `*` or recursive `**`
    ");
    assert_snapshot!(told("'*.doc', '*.txt', '*.pdf'"), @"
    7:14 ['*.doc'] none of the files that `*.doc` matches in `DOCUMENTS` can be read; there are: old.doc
    7:23 ['*.txt'] `bad.txt` in `DOCUMENTS` is not UTF-8 text: byte 1 is wrong
    7:32 ['*.pdf'] `big.pdf` in `DOCUMENTS` has 500 MB; documents of up to 200 MB are read
    ");
}

#[test]
fn misspelt_and_missing_keys_point_at_each_other() {
    let text = "createdby: me\nversion: 2\nseed_examples:\n- question: Why?\n  answer: 42\n- question: ''\n  anwser: x\n";
    assert_snapshot!(told("compositional_skills/a", text), @r#"
    error 1:1 [createdby] `created_by` is missing in the file (add `created_by:` with your name or handle)
    error 1:1 [createdby] `task_description` is missing in the file (add `task_description:` with one line that says what the skill does)
    error 1:1 [createdby] `createdby` is not a key of a compositional skill (did you mean `created_by`?)
    error 3:1 [seed_examples] `seed_examples` has 2 of at least 5 items (add 3 more)
    error 5:11 [42] `answer` must be text, not a whole number (put quotes around it: "42")
    error 6:3 [question] `answer` is missing in item 2 of `seed_examples` (add `answer:`)
    error 6:13 [''] `question` is empty (write some text, or remove it where it is optional)
    error 7:3 [anwser] `anwser` is not a key of item 2 of `seed_examples` (did you mean `answer`?)
    "#);
}

#[test]
fn knowledge_rules() {
    let text = knowledge(REPOSITORY)
        .replace("domain: astronomy\n", "task_description: no\n")
        .replace("Question 2.2", "Question 2.1")
        .replace("commit: 0a1b2c", "commit: 12");
    assert_snapshot!(told("knowledge/a", &text), @r#"
    error 1:1 [version] `domain` is missing in the file (add `domain:` with the field of knowledge, such as `astronomy`)
    error 3:1 [task_description] `task_description` is not a key of knowledge (remove it; the keys are `version`, `created_by`, `domain`, `document_outline`, `document`, `seed_examples`)
    error 7:11 [12] `commit` must be text, not a whole number (put quotes around it: "12")
    error 22:5 [question] item 2 of `questions_and_answers` repeats item 1 (change or remove one of them: every item must teach something new)
    "#);
    let text = knowledge("document: docs\n");
    assert_snapshot!(told("knowledge/a", &text), @"error 5:11 [docs] `document` must be a mapping, not text (-)");
}

#[test]
fn versions_that_are_not_read() {
    let examples = skill_examples(5);
    let text =
        |version: &str| format!("created_by: me\nversion: {version}\nseed_examples:\n{examples}");
    assert_snapshot!(told("knowledge/a", &text("2")), @"error 2:10 [2] version 2 is not supported for knowledge: the minimum is 3 (rewrite it as version 3: contexts with questions_and_answers, domain, document_outline and document)");
    assert_snapshot!(told("knowledge/a", "created_by: me\n"), @"error 1:1 [created_by: me] version 1 is not supported for knowledge: the minimum is 3 (rewrite it as version 3: contexts with questions_and_answers, domain, document_outline and document)");
    assert_snapshot!(told("compositional_skills/a", &text("4")), @"error 2:10 [4] version 4 is not known (the newest version is 3: write `version: 3`)");
    assert_snapshot!(told("compositional_skills/a", &text("\"3\"")), @r#"
    error 1:1 [created_by] `task_description` is missing in the file (add `task_description:` with one line that says what the skill does)
    error 2:10 ["3"] `version` must be 3 (write `version: 3`, without quotes)
    "#);
}

#[test]
fn files_that_are_no_mapping_or_no_yaml() {
    assert_snapshot!(told("knowledge/a", "[a, b]\n"), @"error 1:1 [[a, b]] the file must be a mapping of keys to values, not a list (start with `version: 3`, and write one key a line)");
    assert_snapshot!(told("knowledge/a", "just text\n"), @"error 1:1 [just text] the file must be a mapping of keys to values, not text (start with `version: 3`, and write one key a line)");
    assert_snapshot!(told("knowledge/a", "# nothing\n"), @"warning 1:1 [# nothing] the file is empty and teaches nothing (write the seed examples, or remove the file)");
    assert_snapshot!(told("knowledge/a", "a: b: c\n"), @"error 1:5 [:] this is not YAML: mapping values are not allowed in this context (a text with a colon in it needs quotes around it, or a block that starts with `|`)");
    assert_snapshot!(told("knowledge/a", "seed_examples:xx\n- a: b\n"), @"error 2:4 [:] this is not YAML: mapping values are not allowed in this context (a key ends with a colon and a blank: `key: value`)");
}

#[test]
fn style_is_a_warning_and_the_leaf_is_usable() {
    let text = format!(
        "created_by: me  \ntask_description: rhyme\nseed_examples:\r\n{}",
        skill_examples(1)
    );
    assert_snapshot!(told("compositional_skills/a", text.trim_end()), @r"
    warning 1:15 [  ] blanks at the end of 1 line (remove them: `sed -i 's/[ \t]*$//' qna.yaml`)
    warning 3:15 [CR] Windows line ends (CR LF) on 1 line (write LF alone: `sed -i 's/\r$//' qna.yaml`)
    warning 5:23 [.] the last line has no end of line (end the file with a newline)
    leaf
    ");
}

#[test]
fn a_key_that_stands_twice_would_lose_a_value() {
    let text = format!(
        "created_by: me\ntask_description: rhyme\ncreated_by: you\nseed_examples:\n{}",
        skill_examples(1)
    );
    assert_snapshot!(told("compositional_skills/a", &text), @"error 3:1 [created_by] `created_by` stands here again, first on line 1 (keep one of them: only the last would be read)");
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = folder.path().join("knowledge/a");
    std::fs::create_dir_all(&leaf).unwrap();
    std::fs::write(leaf.join("qna.yaml"), b"created_by: Andr\xe9\n").unwrap();
    let taxonomy = read(&Selection::new(folder.path(), "empty")).unwrap();
    let diagnostic = &taxonomy.files[0].diagnostics[0];
    assert_eq!((diagnostic.line, diagnostic.column), (1, 17));
    assert_eq!(taxonomy.n_errors(), 1);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_validator_panic(
        lines in proptest::collection::vec(
            "(- |  )?(version|created_by|document|seed_examples|question|context|path|patterns|questions_and_answers)(: |:)(3|x|\\[\\]|\\{\\}|é \"|\\||&a|\\*a)?",
            0..12,
        ),
    ) {
        told("knowledge/a", &lines.join("\n"));
    }
}
