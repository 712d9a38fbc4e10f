//! Whole files: the default one, files that load, and files that do not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_base::dirs::Dirs;
use ilab_config::{
    Comments, Config, ConfigError, Loaded, Variables, load, lookup, parse, part_to_yaml, to_yaml,
};
use insta::assert_snapshot;

fn dirs() -> Dirs {
    Dirs {
        config: "/ada/.config/instructlab".into(),
        data: "/ada/.local/share/instructlab".into(),
        cache: "/ada/.cache/instructlab".into(),
    }
}

fn variables() -> Variables {
    let variables = [("HOME", "/ada"), ("MODELS", "/models")];
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn sample(name: &str) -> Result<Loaded, ConfigError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/samples")
        .join(name);
    load(&path, &dirs(), &variables())
}

/// What a loaded sample says differently from the defaults, and what was noticed.
fn differences(name: &str) -> String {
    let loaded = sample(name).unwrap();
    let [ours, defaults] = [&loaded.config, &Config::defaults(&dirs())].map(|config| {
        let text = to_yaml(config, &dirs(), Comments::None);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let changed = ours.into_iter().filter(|line| !defaults.contains(line));
    let warnings = loaded.warnings.iter().map(|one| {
        let help = one.help.as_deref().unwrap_or("-");
        format!(
            "warning {}:{} {} ({help})",
            one.line, one.column, one.message
        )
    });
    changed.chain(warnings).collect::<Vec<_>>().join("\n")
}

/// The problems of a sample that does not load.
fn problems(name: &str) -> String {
    match sample(name) {
        Err(ConfigError::Invalid { diagnostics, .. }) => {
            let lines = diagnostics.iter().map(|one| {
                let help = one.help.as_deref().unwrap_or("-");
                format!("{}:{} {} ({help})", one.line, one.column, one.message)
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_default_file_is_the_golden_one_and_reads_back_as_the_defaults() {
    let defaults = Config::defaults(&dirs());
    let text = to_yaml(&defaults, &dirs(), Comments::Full);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/valid/default.yaml");
    assert_eq!(text, std::fs::read_to_string(golden).unwrap());
    let loaded = sample("valid/default.yaml").unwrap();
    assert_eq!(loaded.config, defaults);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn every_key_and_section_of_the_default_file_has_a_comment() {
    let text = to_yaml(&Config::defaults(&dirs()), &dirs(), Comments::Full);
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        let is_key = !pair[1].trim_start().starts_with('#') && pair[1].contains(':');
        assert!(
            !is_key || pair[0].trim_start().starts_with('#'),
            "no comment above `{}`",
            pair[1]
        );
    }
}

#[test]
fn valid_samples() {
    assert_snapshot!(differences("valid/partial.yaml"), @r#"
          taxonomy_path: /ada/taxonomy
            model_path: /models/teacher.gguf
        models:
          - id: student
            family: granite
            path: /models/student
            system_prompt:
            port: 9000
            vllm_args:
              - "--tensor-parallel-size"
              - "2"
        "#);
    assert_snapshot!(differences("valid/empty-sections.yaml"), @"");
    assert_snapshot!(differences("valid/numbers.yaml"), @r#"
      batch_size: 4
      max_workers: "8"
    log_level: DEBUG
    additional_args:
      warmup_steps: 25
      lora_target_modules:
        - q_proj
        - v_proj
    "#);
    assert_snapshot!(differences("valid/from-the-future.yaml"), @r"
        warning 2:3 unknown key `chat.modle` (did you mean `model`?)
        warning 4:3 unknown key `serve.host_port` (it is not read; remove it)
        warning 5:1 unknown key `telemetry` (it is not read; remove it)
        ");
    let config = sample("valid/partial.yaml").unwrap().config;
    assert_eq!(config.generate.taxonomy_path, Path::new("/ada/taxonomy"));
    assert_eq!(config.models[0].path, Path::new("/models/student"));
}

#[test]
fn invalid_samples() {
    assert_snapshot!(problems("invalid/syntax.yaml"), @"2:11 this is not YAML: mapping values are not allowed in this context (a text with a colon in it needs quotes around it, or a block that starts with `|`)");
    assert_snapshot!(problems("invalid/not-a-mapping.yaml"), @"1:1 the file must be a mapping of keys to values, not a list (`ilab config init` writes a file to start from)");
    assert_snapshot!(problems("invalid/empty.yaml"), @"1:1 the file must be a mapping of keys to values, not nothing (`ilab config init` writes a file to start from)");
    assert_snapshot!(problems("invalid/wrong-kinds.yaml"), @r#"
    2:10 `chat.model` must be text, not `7` (put quotes around it)
    3:16 `chat.temperature` must be a number from 0 to 2, not `hot` (-)
    4:12 `chat.vi_mode` must be `true` or `false`, not `yes` (write `true`)
    5:15 `chat.max_tokens` must be a whole number of at least 0, not `-1` (-)
    7:14 `general.log_level` must be one of `DEBUG`, `INFO`, `WARNING`, `WARN`, `ERROR`, `CRITICAL`, `FATAL`, `NOTSET`, not `TRACE` (-)
    9:13 `generate.num_cpus` must be a whole number of at least 1, not `0` (-)
    12:11 `serve.server.port` must be a whole number from 0 to 65535, not `"8000"` (write 8000 without quotes)
    13:11 `serve.server.host` must be text, not `1` (put quotes around it)
    14:12 `serve.backend` must be one of `llama-cpp`, `vllm`, not `vlm` (did you mean `vllm`?)
    16:16 `serve.vllm.vllm_args` must be a list of texts, not `--tensor-parallel-size` (start each item with `- ` on a line of its own)
    17:1 `train` must be a section of keys, not text (-)
    19:3 a model in `models` needs `path` (-)
    "#);
    assert!(matches!(
        sample("missing.yaml"),
        Err(ConfigError::NotFound { .. })
    ));
}

#[test]
fn keys_are_found_by_their_dotted_names() {
    let config = sample("valid/partial.yaml").unwrap().config;
    let shown = |key: &str| part_to_yaml(&lookup(&config, key).unwrap());
    assert_eq!(shown("serve.server.port"), "9000\n");
    assert_eq!(shown("chat.session"), "\n");
    assert_eq!(shown("models.0.id"), "student\n");
    assert_snapshot!(shown("serve.vllm"), @r#"
    gpus:
    llm_family: ""
    max_startup_attempts: 120
    vllm_args:
      - "--tensor-parallel-size"
      - "2"
    "#);
    assert_snapshot!(shown("models"), @r"
    - id: student
      family: granite
      path: /models/student
      system_prompt:
    ");
    for (key, meant) in [
        ("serve.sever.port", Some("serve.server.port")),
        (
            "taxonomy_path",
            Some("evaluate.mt_bench_branch.taxonomy_path"),
        ),
        ("serve.server.port.x", Some("serve.server.port")),
        ("models.0.id.x", None),
        ("", None),
    ] {
        match lookup(&config, key) {
            Err(ConfigError::UnknownKey { nearest, .. }) => {
                assert_eq!(nearest.as_deref(), meant, "{key}")
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_makes_the_loader_panic(text in "(chat|serve|models|train)?(: |:\n  )?(model|server|id|-|\\[)?(: )?(7|x|~|\\$|\"|é|\\{\\})?\n.{0,20}") {
        // Only that it returns counts here.
        let _ = parse(&text, &dirs(), &variables());
    }

    #[test]
    fn any_text_survives_writing_and_reading(text in "\\PC{0,12}|[-:# \"'\\\\\\[\\]{}&*!|>%@`0-9.e~\t\n]{0,6}|yes|null|1_000|0x1f|2026-11-23|.inf") {
        let mut config = Config::defaults(&dirs());
        config.general.log_format = text.clone();
        config.serve.vllm.vllm_args = Some(vec![text.clone()]);
        config.train.additional_args.insert(text.clone(), text.clone().into());
        let written = to_yaml(&config, &dirs(), Comments::Full);
        let (read, _) = parse(&written, &dirs(), &Variables::new()).unwrap();
        proptest::prop_assert_eq!(read, config);
    }
}
