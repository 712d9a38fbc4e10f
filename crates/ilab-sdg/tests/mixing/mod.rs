//! Datasets of others, mixed into the training files by recipes.

use std::path::Path;

use ilab_sdg::{DefaultRecipes, GenerateError, GenerateOptions};

use crate::scripted::{Scripted, answer};
use crate::{lines, options, run};

/// A recipe over a dataset of `n` samples beside it.
fn recipes(folder: &Path, n: usize, size: &str) -> DefaultRecipes {
    let records: String = (0..n)
        .map(|index| format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"old {index}\"}}, {{\"role\": \"assistant\", \"content\": \"A\"}}], \"group\": \"old\"}}\n"))
        .collect();
    std::fs::create_dir_all(folder.join("recipes/data")).unwrap();
    std::fs::write(folder.join("recipes/data/old.jsonl"), records).unwrap();
    let recipe = folder.join("recipes/skills.yaml");
    std::fs::write(
        &recipe,
        format!("datasets:\n- path: data/old.jsonl\n  sampling_size: {size}\nmetadata: {{}}\n"),
    )
    .unwrap();
    DefaultRecipes {
        skills: Some(recipe),
        ..DefaultRecipes::default()
    }
}

#[test]
fn a_recipe_comes_before_ones_own_data() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        recipes: recipes(folder.path(), 40, "0.5"),
        ..options(folder.path())
    };
    let summary = run(&options, &Scripted::new(answer)).unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mixed = lines(&read(
        summary.files.skills_train_messages.as_deref().unwrap(),
    ));
    let is_old = |sample: &&serde_json::Value| sample["metadata"] == r#"{"group": "old"}"#;
    assert_eq!(mixed.iter().filter(is_old).count(), 20);
    assert!(mixed[..20].iter().all(|sample| is_old(&sample)));
    assert!(
        mixed
            .iter()
            .all(|sample| sample["messages"][0]["role"] == "system")
    );
    // The first phase has none of it.
    let first = read(summary.files.knowledge_train_messages.as_deref().unwrap());
    assert!(!first.contains("old 1"));
    // The recipe of the run can be used again from where it is.
    let written = read(
        &summary
            .files
            .directory
            .join("skills_recipe_2026-01-02T03_04_01.yaml"),
    );
    let old = folder.path().join("recipes/data/old.jsonl");
    assert!(
        written.starts_with(&format!(
            "datasets:\n- path: \"{}\"\n  sampling_size: 0.5\n",
            old.display()
        )),
        "{written}"
    );
}

/// Three of a hundred at least: 15 rows with 10 answers, twice, are fewer than 3 % of 12,000.
#[test]
fn little_knowledge_is_repeated_beside_many_skills() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        recipes: recipes(folder.path(), 12_000, "1.0"),
        ..options(folder.path())
    };
    let summary = run(&options, &Scripted::new(answer)).unwrap();
    let recipe = summary
        .files
        .directory
        .join("skills_recipe_2026-01-02T03_04_01.yaml");
    let recipe = std::fs::read_to_string(recipe).unwrap();
    assert!(
        recipe.contains("_p10.jsonl\"\n  sampling_size: 360\n"),
        "{recipe}"
    );
    let mixed = std::fs::read_to_string(summary.files.skills_train_messages.unwrap()).unwrap();
    assert_eq!(mixed.lines().count(), 12_000 + 360 + 30 + 30);
}

#[test]
fn a_recipe_that_cannot_be_used_stops_a_run_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        recipes: recipes(folder.path(), 3, "1.0"),
        ..options(folder.path())
    };
    std::fs::remove_file(folder.path().join("recipes/data/old.jsonl")).unwrap();
    let teacher = Scripted::new(answer);
    let error = run(&options, &teacher).unwrap_err();
    assert!(matches!(error, GenerateError::Recipe(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("skills.yaml:2: there is no dataset"),
        "{error}"
    );
    assert_eq!(teacher.n_requests(), 0);
}
