//! `ilab config`.

use insta::assert_snapshot;

use crate::program::Program;

/// What was shown, without the parts that change from run to run.
fn steady(shown: &str) -> String {
    let lines = shown.lines().map(|line| {
        if let Some((before, _)) = line.split_once("config.yaml.20") {
            format!("{before}config.yaml.[TIME].bak")
        } else if let Some((before, _)) = line.split_once("fatal: ") {
            format!("{before}[GIT]")
        } else {
            line.to_owned()
        }
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
    assert_snapshot!(init(&[]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Cloning /nowhere/taxonomy.git...
    warning: Failed to clone taxonomy repo: [GIT]
    Please make sure to manually run `git clone /nowhere/taxonomy.git [FOLDER]/.local/share/instructlab/taxonomy`

    Generating config file:
        [FOLDER]/.config/instructlab/config.yaml

    -------------------------------------------------
        Initialization completed successfully!
      You're ready to start using `ilab`. Enjoy!
    -------------------------------------------------
    ");
    assert_snapshot!(init(&[]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Cloning /nowhere/taxonomy.git...
    warning: Failed to clone taxonomy repo: [GIT]
    Please make sure to manually run `git clone /nowhere/taxonomy.git [FOLDER]/.local/share/instructlab/taxonomy`

    Config file is unchanged:
        [FOLDER]/.config/instructlab/config.yaml

    -------------------------------------------------
        Initialization completed successfully!
      You're ready to start using `ilab`. Enjoy!
    -------------------------------------------------
    ");
    assert_snapshot!(init(&["--model-path", "/models/mine.gguf", "--taxonomy-base", "empty"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Cloning /nowhere/taxonomy.git...
    warning: Failed to clone taxonomy repo: [GIT]
    Please make sure to manually run `git clone /nowhere/taxonomy.git [FOLDER]/.local/share/instructlab/taxonomy`
    The existing config file was saved as:
        [FOLDER]/.config/instructlab/config.yaml.[TIME].bak

    Generating config file:
        [FOLDER]/.config/instructlab/config.yaml

    -------------------------------------------------
        Initialization completed successfully!
      You're ready to start using `ilab`. Enjoy!
    -------------------------------------------------
    ");
    let shown = program.run(&["config", "show", "-k", "chat.model"]);
    assert_snapshot!(shown, @r"
    exit code: 0
    ----- stdout -----
    /models/mine.gguf
    ----- stderr -----
    ");
    assert_snapshot!(program.run(&["config", "show", "--key", "generate.taxonomy_base", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    "empty"
    ----- stderr -----
    "#);
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
    assert_snapshot!(init("~/taxonomy\nmaybe\nn\n/models/mine.gguf\n"), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Welcome to ilab. Press Enter to take the value in brackets.
    Path to taxonomy repo [[FOLDER]/.local/share/instructlab/taxonomy]: `[FOLDER]/taxonomy` seems to not exist or is empty.
    Should I clone https://github.com/instructlab/taxonomy.git for you? [Y/n]: Please answer y or n.
    Should I clone https://github.com/instructlab/taxonomy.git for you? [Y/n]: Path to your model [[FOLDER]/.cache/instructlab/models/granite-7b-lab-Q4_K_M.gguf]: 
    Generating config file:
        [FOLDER]/.config/instructlab/config.yaml

    -------------------------------------------------
        Initialization completed successfully!
      You're ready to start using `ilab`. Enjoy!
    -------------------------------------------------
    ");
    assert_snapshot!(init("n\n"), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Existing config file was found in:
        [FOLDER]/.config/instructlab/config.yaml
    Do you still want to continue? [y/N]:
    ");
    assert_snapshot!(init(""), @r"
    exit code: 130
    ----- stdout -----
    ----- stderr -----
    Existing config file was found in:
        [FOLDER]/.config/instructlab/config.yaml
    Do you still want to continue? [y/N]: 
    error: interrupted
    hint: `--non-interactive` asks nothing and takes the defaults
    ");
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
    assert_snapshot!(show("chat:\n  model: a: b\n"), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
      × this is not YAML: mapping values are not allowed in this context
       ╭─[[FOLDER]/broken.yaml:2:11]
     1 │ chat:
     2 │   model: a: b
       ·           ─
       ╰────
      help: a text with a colon in it needs quotes around it, or a block that starts with `|`

    error: 1 error in `[FOLDER]/broken.yaml`
    hint: put the file right, or run with `--config DEFAULT` to go without it
    ");
    assert_snapshot!(show("serve:\n  server:\n    port: \"8000\"\n"), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
      × `serve.server.port` must be a whole number from 0 to 65535, not `"8000"`
       ╭─[[FOLDER]/broken.yaml:3:11]
     2 │   server:
     3 │     port: "8000"
       ·           ──────
       ╰────
      help: write 8000 without quotes

    error: 1 error in `[FOLDER]/broken.yaml`
    hint: put the file right, or run with `--config DEFAULT` to go without it
    "#);
    assert_snapshot!(show("chat:\n  modle: a\n  model: mine\n"), @r"
    exit code: 0
    ----- stdout -----
    mine
    ----- stderr -----
      ⚠ unknown key `chat.modle`
       ╭─[[FOLDER]/broken.yaml:2:3]
     1 │ chat:
     2 │   modle: a
       ·   ─────
     3 │   model: mine
       ╰────
      help: did you mean `model`?
    ");
}

#[test]
fn what_is_not_there_exits_with_2() {
    let program = Program::new();
    assert_snapshot!(program.run(&["config", "show", "-k", "serve.sever"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no key `serve.sever`
    hint: did you mean `serve.server`?
    hint: `ilab config show` lists every key
    ");
    assert_snapshot!(program.run(&["--config=nonexistent.yaml", "config", "show"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `nonexistent.yaml` does not exist or is not a readable file
    hint: `ilab config init` makes one, or give another with `--config FILE`
    ");
    assert_snapshot!(program.run(&["config", "shwo"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'shwo'

      tip: a similar subcommand exists: 'show'

    Usage: ilab config [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(program.run(&["--version"]), @r"
    exit code: 0
    ----- stdout -----
    ilab, version 0.1.0
    ----- stderr -----
    ");
    let help = program.run(&["--config=nonexistent.yaml", "config", "show", "--help"]);
    assert!(
        help.starts_with("exit code: 0") && help.contains("Usage: ilab config show [OPTIONS]"),
        "{help}"
    );
}

/// The keys of the commented file, each with whether it is said to have no effect. Only keys have a default.
fn keys_with_notes(text: &str) -> Vec<(String, bool)> {
    let mut path: Vec<String> = Vec::new();
    let (mut has_default, mut is_unused) = (false, false);
    let mut keys = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(comment) = trimmed.strip_prefix("# ") {
            has_default |= comment.starts_with("Default: ");
            is_unused |= comment == "Not used by this version yet.";
        } else if let Some((name, _)) = trimmed.split_once(':') {
            path.truncate((line.len() - trimmed.len()) / 2);
            path.push(name.to_owned());
            if std::mem::take(&mut has_default) {
                keys.push((path.join("."), is_unused));
            }
            is_unused = false;
        }
    }
    keys
}

/// The dotted names that the settings of the commands take out of the configuration.
fn names_in_settings() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names = Vec::new();
    // What stands in folders below is of one command's flags.
    for path in entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
    {
        // `config init` writes keys and `config show` shows them; neither heeds them.
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("config_")
        {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let words: Vec<_> = text.split_whitespace().collect();
        // A chain of calls may go on in the next line.
        let text = words.join(" ").replace(" .", ".");
        let section = text
            .split_once("let config = invocation.config()?")
            .map_or("", |(_, rest)| rest.split(';').next().unwrap());
        let section = section.trim_start_matches('.');
        for place in text.split("config.").skip(1) {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
            let name: String = place
                .chars()
                .take_while(|letter| is_name(*letter))
                .collect();
            names.push(format!("{section}.{name}").trim_matches('.').to_owned());
        }
    }
    names
}

#[test]
fn a_key_without_effect_says_so_and_no_other_does() {
    let text = Program::new().run(&["config", "show"]);
    let keys = keys_with_notes(&text);
    assert!(keys.len() > 100, "{}", keys.len());
    let names = names_in_settings();
    for (key, is_unused) in keys {
        let is_taken = names
            .iter()
            .any(|name| *name == key || name.starts_with(&format!("{key}.")));
        assert_eq!(
            is_taken, !is_unused,
            "`{key}`: `ilab-config/src/read_keys.rs` and the settings disagree"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn data_that_cannot_be_written_is_an_error() {
    let program = Program::new();
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = program.command(&["config", "show"]);
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: cannot write to stdout: No space left on device"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_log_of_every_command_starts_with_its_flag() {
    let program = Program::new();
    let said = |flags: &[&str]| {
        let arguments = [
            "chat",
            "-qq",
            "--endpoint-url",
            "http://127.0.0.1:1/v1",
            "hi",
        ];
        program.run(&[&arguments[..], flags].concat())
    };
    assert!(said(&["-v"]).contains("DEBUG"), "{}", said(&["-v"]));
    assert!(!said(&[]).contains("DEBUG"));
}
