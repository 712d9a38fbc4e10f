//! What `ilab data generate` tells before a whole run, and when it does not begin one.

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use insta::assert_snapshot;
use serde_json::Value;

use crate::generate::{arguments, program, steady, teach};

#[test]
fn a_dry_run_counts_and_asks_nothing() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut dry = arguments(&url, "out");
    dry.extend(["--sdg-scale-factor", "10", "--dry-run"]);
    assert_snapshot!(steady(&program.run(&dry), &teacher), @r"
    exit code: 0
    ----- stdout -----
    leaf                                        rows  requests  prompt tokens  answer tokens
    compositional_skills->opposites                5        10            690          2,000
    knowledge->brill                              15        30          4,130          6,000
    in all                                        20        40          4,820          8,000
    kept from before: 0 requests
    time: unknown, as this teacher has not been asked anything yet; `--preview 5` measures it
    ----- stderr -----
    ");
    assert_eq!(teacher.n_requests(), 0);

    assert!(!program.path("out").exists(), "nothing is left behind");
    dry.extend(["--input-price", "0.5", "--output-price", "2", "--json"]);
    let shown = program.run(&dry);
    let report = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    let tokens = |name: &str| report[name].as_f64().unwrap();
    let cost = (tokens("n_prompt_tokens") * 0.5 + tokens("n_answer_tokens") * 2.0) / 1e6;
    assert!((tokens("cost") - cost).abs() < 1e-9, "{report}");
    assert_eq!(report["n_requests"], 40);
    assert!(report["seconds"].is_null());

    // After a run everything is known.
    let mut real = arguments(&url, "out");
    real.extend(["--sdg-scale-factor", "10"]);
    program.run(&real);
    assert_eq!(teacher.n_requests(), 40);
    let shown = program.run(&dry);
    assert!(shown.contains(r#""n_known_requests":40"#), "{shown}");
    assert_eq!(teacher.n_requests(), 40);
}

#[test]
fn a_preview_shows_samples_and_is_no_run() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut preview = arguments(&url, "out");
    preview.extend(["--sdg-scale-factor", "4", "--preview", "3"]);
    assert_snapshot!(steady(&program.run(&preview), &teacher), @r"
    exit code: 0
    ----- stdout -----
    1. compositional_skills->opposites
       question  What is number 1259894029 of 273?
       answer    It is 3779682087.
    2. knowledge->brill
       text      The brill The brill is a small animal of the hills. It has six legs.
       question  What is number 1754574166 of 564?
       answer    It is 5263722498.
    3. compositional_skills->opposites
       question  What is number 1259894030 of 273?
       answer    It is 3779682090.
    ----- stderr -----
    knowledge_brill: 1 document in 3 chunks
    3 samples from 2 of 20 rows
    These answers are kept: the same command without `--preview` goes on from here.
    ");
    assert_eq!(teacher.n_requests(), 2);
    assert!(
        !program
            .path("out")
            .read_dir()
            .unwrap()
            .any(|entry| entry.unwrap().path().is_dir()),
        "no dataset"
    );
    preview.push("--json");
    let shown = program.run(&preview);
    let report: Value =
        serde_json::from_str(shown.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(report["samples"].as_array().unwrap().len(), 3);
    assert_eq!(teacher.n_requests(), 2, "what was shown is kept");
}

#[test]
fn a_teacher_that_is_nearly_always_wrong_is_shown_and_not_asked_further() {
    let program = program();
    let teacher = FakeTeacher::start(|request| {
        let n = request["n"].as_u64().unwrap_or(1);
        Reply::answers((0..n).map(|_| "Sure! Here is\na poem about it."))
    });
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--num-cpus", "1"]);
    assert_snapshot!(steady(&program.run(&generate), &teacher), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Generating synthetic data from 2 leaves with `fake-teacher`
    knowledge_brill: 1 document in 3 chunks
    compositional_skills_opposites, checks: no question mark
        Sure! Here is
        a poem about it.
    compositional_skills_opposites, checks: no question mark
        Sure! Here is
        a poem about it.
    compositional_skills_opposites, checks: no question mark
        Sure! Here is
        a poem about it.
    error: only 0 of the first 60 rows passed `checks`
    hint: a larger teacher model follows the prompts better
    hint: `--keep-going` goes on all the same; answers so far are kept
    ");
    let n_requests = teacher.n_requests();
    assert!(n_requests < 20, "{n_requests}");
    generate.extend(["--keep-going"]);
    let shown = program.run(&generate);
    assert!(shown.contains("all 600 samples were left out"), "{shown}");
}

#[test]
fn starting_over_keeps_the_old_answers_aside() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "2"]);
    program.run(&generate);
    let n_requests = teacher.n_requests();
    generate.push("--fresh");
    let shown = program.run(&generate);
    assert!(
        shown.contains("Starting over: earlier answers are now in `out/journal_2"),
        "{shown}"
    );
    assert_eq!(teacher.n_requests(), 2 * n_requests);
    let journals = program.path("out").read_dir().unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".sqlite")
    });
    assert_eq!(journals.count(), 2);
}

#[test]
fn a_recipe_below_the_data_folder_is_mixed_in() {
    let program = program();
    let recipes = ".local/share/instructlab/sdg/default_data_recipes";
    program.write(
        &format!("{recipes}/skills.yaml"),
        "datasets:\n- path: old.jsonl\n",
    );
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "1", "--json"]);
    assert_snapshot!(program.run(&generate), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: [FOLDER]/.local/share/instructlab/sdg/default_data_recipes/skills.yaml:2: there is no dataset `[FOLDER]/.local/share/instructlab/sdg/default_data_recipes/old.jsonl`
    hint: paths count from the folder of the recipe; put the file there, or take the entry out
    ");
    assert_eq!(teacher.n_requests(), 0);
    let record = r#"{"messages": [{"role": "user", "content": "What was before?"}, {"role": "assistant", "content": "This."}]}"#;
    let empty = r#"{"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": ""}]}"#;
    program.write(
        &format!("{recipes}/old.jsonl"),
        format!("{record}\n{empty}\n"),
    );
    let shown = program.run(&generate);
    assert!(shown.contains("warning: 1 record of `"), "{shown}");
    let report = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    let mixed = program.path(report["files"]["skills_train_messages"].as_str().unwrap());
    let mixed = std::fs::read_to_string(mixed).unwrap();
    assert_eq!(mixed.matches("What was before?").count(), 1);
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    let program = program();
    let mut both = arguments("http://localhost:1", "out");
    both.extend(["--dry-run", "--preview", "3"]);
    let shown = program.run(&both);
    assert!(shown.starts_with("exit code: 2"), "{shown}");
    let mut priced = arguments("http://localhost:1", "out");
    priced.extend(["--input-price", "3"]);
    let shown = program.run(&priced);
    assert!(
        shown.starts_with("exit code: 2") && shown.contains("--dry-run"),
        "{shown}"
    );
}
