//! Which files are selected, in work trees, plain folders and alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use ilab_taxonomy::{Origin, Reason, Selection, Taxonomy, TaxonomyError, read};

/// A small valid skill.
fn skill(task: &str) -> String {
    format!(
        "created_by: me\ntask_description: {task}\nseed_examples:\n- question: Why?\n  answer: So.\n"
    )
}

/// A folder with files that a test writes and commits.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Runs git with settings that no user's configuration reaches.
    fn git(&self, arguments: &[&str]) -> &Self {
        let output = Command::new("git")
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self
    }

    fn commit(&self, message: &str) -> &Self {
        self.git(&["add", "--all"])
            .git(&["commit", "--quiet", "--message", message])
    }

    fn read(&self, base: &str) -> Result<Taxonomy, TaxonomyError> {
        read(&Selection::new(self.path(), base))
    }

    fn selected(&self, base: &str) -> Vec<String> {
        names(&self.read(base).unwrap())
    }
}

fn names(taxonomy: &Taxonomy) -> Vec<String> {
    let files = taxonomy.files.iter();
    files
        .map(|file| file.relative_path.display().to_string())
        .collect()
}

fn left_out(taxonomy: &Taxonomy) -> Vec<(String, Reason)> {
    let left_out = taxonomy.left_out.iter();
    left_out
        .map(|one| (one.path.display().to_string(), one.reason))
        .collect()
}

/// A work tree on branch `main` with two committed skills.
fn work_tree() -> Folder {
    let folder = Folder::new();
    folder
        .git(&["init", "--quiet", "--initial-branch=main"])
        .write("compositional_skills/a/qna.yaml", &skill("a"))
        .write("compositional_skills/b/qna.yaml", &skill("b"))
        .write(".gitignore", "drafts/\n")
        .commit("two skills");
    folder
}

#[test]
fn untracked_modified_staged_and_renamed_files_are_selected_and_deleted_and_ignored_ones_are_not() {
    let folder = work_tree();
    assert_eq!(folder.selected("main"), Vec::<String>::new());
    folder
        .write("compositional_skills/c/qna.yaml", &skill("untracked"))
        .write("knowledge/d/qna.yaml", "staged: true\n")
        .git(&["add", "knowledge"])
        .write("compositional_skills/drafts/qna.yaml", &skill("ignored"))
        .git(&["mv", "compositional_skills/a", "compositional_skills/z"])
        .git(&["rm", "--quiet", "compositional_skills/b/qna.yaml"]);
    let expected = [
        "compositional_skills/c/qna.yaml",
        "compositional_skills/z/qna.yaml",
        "knowledge/d/qna.yaml",
    ];
    assert_eq!(folder.selected("main"), expected);
    let taxonomy = folder.read("main").unwrap();
    let ignored = (
        "compositional_skills/drafts/qna.yaml".to_owned(),
        Reason::Ignored,
    );
    assert!(left_out(&taxonomy).contains(&ignored));
    assert_eq!(folder.selected("empty").len(), 4);
}

#[test]
fn a_base_may_be_a_branch_a_remote_branch_a_tag_or_any_commit() {
    let folder = work_tree();
    folder
        .git(&["tag", "v1"])
        .git(&["update-ref", "refs/remotes/origin/main", "main"])
        .git(&["switch", "--quiet", "--create", "feature-main"])
        .write("compositional_skills/a/qna.yaml", &skill("changed"))
        .commit("change");
    let changed = ["compositional_skills/a/qna.yaml"];
    for base in ["main", "origin/main", "v1", "HEAD~1", "HEAD^"] {
        assert_eq!(folder.selected(base), changed, "{base}");
    }
    // What others committed on the branch meanwhile is not one's own change.
    folder
        .git(&["switch", "--quiet", "main"])
        .write("compositional_skills/b/qna.yaml", &skill("by others"))
        .commit("others")
        .git(&["switch", "--quiet", "feature-main"]);
    assert_eq!(folder.selected("main"), changed);
    assert_eq!(folder.selected("feature-main"), Vec::<String>::new());
    match folder.read("HEAD").unwrap().origin {
        Origin::Git { base, commit } => assert_eq!((base.as_str(), commit.len()), ("HEAD", 40)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn line_ends_that_git_converts_are_no_change() {
    let folder = work_tree();
    folder.write(
        "compositional_skills/a/qna.yaml",
        &skill("a").replace('\n', "\r\n"),
    );
    assert_eq!(folder.selected("main"), Vec::<String>::new());
}

#[test]
fn a_taxonomy_may_lie_deeper_in_a_work_tree() {
    let folder = work_tree();
    folder.write("project/taxonomy/knowledge/x/qna.yaml", "a: b\n");
    let taxonomy = read(&Selection::new(
        folder.path().join("project/taxonomy"),
        "main",
    ))
    .unwrap();
    assert_eq!(names(&taxonomy), ["knowledge/x/qna.yaml"]);
}

#[test]
fn every_file_of_a_plain_folder_is_selected() {
    let folder = Folder::new();
    folder
        .write("knowledge/a/qna.yaml", "a: b\n")
        .write("foundational_skills/a/qna.yaml", "a: b\n");
    let taxonomy = folder.read("origin/main").unwrap();
    assert_eq!(taxonomy.origin, Origin::PlainFolder);
    assert_eq!(names(&taxonomy), ["knowledge/a/qna.yaml"]);
}

#[test]
fn when_nothing_is_selected_every_candidate_has_its_reason() {
    let folder = work_tree();
    folder
        .write("compositional_skills/c/QNA.yaml", "")
        .write("knowledge/c/qna.yml", "")
        .write("knowledge/c/other.yaml", "")
        .write("foundational_skills/a/qna.yaml", "")
        .write("qna.yaml", "");
    let expected = [
        ("compositional_skills/c/QNA.yaml", Reason::Misspelt),
        ("knowledge/c/other.yaml", Reason::OtherName),
        ("knowledge/c/qna.yml", Reason::Misspelt),
        ("compositional_skills/a/qna.yaml", Reason::Unchanged),
        ("compositional_skills/b/qna.yaml", Reason::Unchanged),
        ("foundational_skills/a/qna.yaml", Reason::Outside),
        ("qna.yaml", Reason::Outside),
    ];
    let expected = expected.map(|(path, reason)| (path.to_owned(), reason));
    assert_eq!(left_out(&folder.read("main").unwrap()), expected);
}

#[test]
fn a_single_file_is_selected_wherever_it_lies() {
    let folder = Folder::new();
    folder
        .write(
            "knowledge/x/compositional_skills/rhymes/qna.yaml",
            &skill("rhyme"),
        )
        .write("alone/qna.yaml", &skill("alone"))
        .write("alone/other.yaml", "");
    let leaf = |path: &str| {
        let taxonomy = read(&Selection::new(folder.path().join(path), "origin/main")).unwrap();
        taxonomy.leaves().next().unwrap().leaf_path.clone()
    };
    assert_eq!(
        leaf("knowledge/x/compositional_skills/rhymes/qna.yaml"),
        "compositional_skills->rhymes"
    );
    assert_eq!(leaf("alone/qna.yaml"), "alone");
    let error = read(&Selection::new(
        folder.path().join("alone/other.yaml"),
        "empty",
    ))
    .unwrap_err();
    assert!(matches!(error, TaxonomyError::WrongName { .. }), "{error}");
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let folder = work_tree();
    match folder.read("origin/main").unwrap_err() {
        TaxonomyError::UnknownBase { base, branches, .. } => {
            assert_eq!(
                (base.as_str(), branches),
                ("origin/main", vec!["main".to_owned()])
            );
        }
        other => panic!("{other}"),
    }
    for base in [
        "",
        "no such",
        "main..HEAD",
        "main:compositional_skills",
        "@{-1}",
        ":/x",
        "\u{0}",
    ] {
        let error = folder.read(base).unwrap_err();
        assert!(
            matches!(error, TaxonomyError::UnknownBase { .. }),
            "{base:?}: {error}"
        );
    }
    folder
        .git(&["switch", "--quiet", "--orphan", "island"])
        .write("knowledge/a/qna.yaml", "a: b\n")
        .commit("island");
    let error = folder.read("main").unwrap_err();
    assert!(
        matches!(error, TaxonomyError::UnrelatedBase { .. }),
        "{error}"
    );

    let fresh = Folder::new();
    fresh.git(&["init", "--quiet"]);
    assert!(fresh.read("HEAD").is_err());
    let missing = read(&Selection::new(fresh.path().join("missing"), "empty")).unwrap_err();
    assert!(
        matches!(missing, TaxonomyError::NotFound { .. }),
        "{missing}"
    );
}

#[test]
fn a_repository_that_cannot_be_used_is_not_taken_for_none() {
    let folder = Folder::new();
    folder
        .write("compositional_skills/a/qna.yaml", &skill("a"))
        .git(&["init", "--quiet", "--initial-branch=main"])
        .commit("first");
    folder.write(".git/config", "[core\n");
    let error = folder.read("main").unwrap_err();
    let TaxonomyError::Git { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert_ne!(source.to_string(), "");
}
