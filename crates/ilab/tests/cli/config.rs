//! `ilab config`.

use insta::assert_snapshot;

use crate::program::Program;

/// What was shown, without the parts that change from run to run.
fn steady(shown: &str) -> String {
    let lines = shown
        .lines()
        .map(|line| match line.split_once("config.yaml.20") {
            Some((before, _)) => format!("{before}config.yaml.[TIME].bak"),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// A folder that is no repository, so that cloning fails without a network.
const NO_REPOSITORY: &str = "--repository=/nowhere/taxonomy.git";

#[test]
fn init_writes_a_file_once_and_never_replaces_one_unsaved() {
    let program = Program::new();
    let init = |flags: &[&str]| {
        let mut arguments = vec!["config", "init", "--non-interactive", NO_REPOSITORY];
        arguments.extend(flags);
        steady(&program.run(&arguments))
    };
    assert_snapshot!(init(&[]), @"");
    assert_snapshot!(init(&[]), @"");
    assert_snapshot!(init(&["--model-path", "/models/mine.gguf", "--taxonomy-base", "empty"]), @"");
    let shown = program.run(&["config", "show", "-k", "chat.model"]);
    assert_snapshot!(shown, @"");
    assert_snapshot!(program.run(&["config", "show", "--key", "generate.taxonomy_base", "--json"]), @"");
    let folder = program.path(".config/instructlab");
    let names = std::fs::read_dir(folder).unwrap();
    assert_eq!(names.count(), 2);
}

#[test]
fn init_clones_a_taxonomy_where_there_is_none() {
    let program = Program::new();
    let repository = program.path("public");
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .arg("-C")
            .arg(&repository);
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.com"]);
        assert!(git.args(arguments).status().unwrap().success());
    };
    program.write("public/knowledge/README.md", "facts\n");
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    let url = repository.display().to_string();
    let shown = program.run(&["config", "init", "--non-interactive", "--repository", &url]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let cloned = program.path(".local/share/instructlab/taxonomy/knowledge/README.md");
    assert!(cloned.exists(), "{shown}");
}

#[test]
fn interactive_init_asks_and_can_be_declined() {
    let program = Program::new();
    let init = |answers: &str| steady(&program.run_with_input(&["config", "init"], answers));
    assert_snapshot!(init("~/taxonomy\nmaybe\nn\n/models/mine.gguf\n"), @"");
    assert_snapshot!(init("n\n"), @"");
    assert_snapshot!(init(""), @"");
    let shown = program.run(&["config", "show", "-k", "serve.model_path"]);
    assert!(shown.contains("/models/mine.gguf"), "{shown}");
}

#[test]
fn a_profile_keeps_its_own_values() {
    let program = Program::new();
    let text = "serve:\n  model_path: /models/own\ngenerate:\n  taxonomy_base: empty\n";
    let profile = program.write("profile.yaml", text);
    let profile = profile.display().to_string();
    program.run(&[
        "config",
        "init",
        "--non-interactive",
        NO_REPOSITORY,
        "--profile",
        &profile,
    ]);
    let shown = program.run(&["config", "show", "-wc"]);
    assert!(
        shown.contains("model_path: /models/own") && shown.contains("taxonomy_base: empty"),
        "{shown}"
    );
    assert!(!shown.contains('#'), "{shown}");
}

#[test]
fn mistakes_in_the_file_are_drawn_and_exit_with_2() {
    let program = Program::new();
    let show = |text: &str| {
        let file = program.write("broken.yaml", text);
        program.run(&[
            "config",
            "show",
            "-k",
            "chat.model",
            "--config",
            &file.display().to_string(),
        ])
    };
    assert_snapshot!(show("chat:\n  model: a: b\n"), @"");
    assert_snapshot!(show("serve:\n  server:\n    port: \"8000\"\n"), @"");
    assert_snapshot!(show("chat:\n  modle: a\n  model: mine\n"), @"");
}

#[test]
fn what_is_not_there_exits_with_2() {
    let program = Program::new();
    assert_snapshot!(program.run(&["config", "show", "-k", "serve.sever"]), @"");
    assert_snapshot!(program.run(&["--config=nonexistent.yaml", "config", "show"]), @"");
    assert_snapshot!(program.run(&["config", "shwo"]), @"");
    assert_snapshot!(program.run(&["--version"]), @"");
    let help = program.run(&["--config=nonexistent.yaml", "config", "show", "--help"]);
    assert!(
        help.starts_with("exit code: 0") && help.contains("Usage: ilab config show [OPTIONS]"),
        "{help}"
    );
}
