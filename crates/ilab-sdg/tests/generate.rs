//! Whole runs against a scripted teacher: what is asked, what is kept, what is written, and that nothing depends on the
//! order in which answers arrive.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ahead;
mod blocks;
mod mixing;
mod report;
mod scheduling;
mod scripted;
mod taxonomy;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_base::hint::Hint;
use ilab_openai::completer::{CompletionError, FinishReason};
use ilab_sdg::drops::DropReason;
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{
    DefaultRecipes, GenerateError, GenerateOptions, RunName, Summary, generate, read_documents,
};
use ilab_taxonomy::TaxonomyLeaf;

use scripted::{Answer, Scripted, answer};

fn options(folder: &Path) -> GenerateOptions {
    GenerateOptions {
        leaves: taxonomy::sources(folder),
        pipeline: PipelineSource::from_argument("simple"),
        recipes: DefaultRecipes::default(),
        output_dir: folder.join("datasets"),
        started: run_name(1),
        scale_factor: 10,
        temperature: None,
        max_tokens: None,
        chunk_tokens: 500,
        chunk_overlap_tokens: 0,
        count_tokens: Arc::new(ilab_documents::chunk::estimated_tokens),
        max_in_flight: 4,
        keeps_going: true,
        max_similarity: None,
        seed: 7,
        system_prompt: "Be brief.".to_owned(),
        teacher_identity: None,
    }
}

fn run_name(second: u32) -> RunName {
    RunName {
        directory: format!("2026-01-02_03040{second}"),
        suffix: format!("2026-01-02T03_04_0{second}"),
    }
}

fn run(options: &GenerateOptions, teacher: &Arc<Scripted>) -> Result<Summary, GenerateError> {
    run_until(options, teacher, &Cancel::new())
}

fn run_until(
    options: &GenerateOptions,
    teacher: &Arc<Scripted>,
    cancel: &Cancel,
) -> Result<Summary, GenerateError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let teacher = Arc::clone(teacher);
    runtime.block_on(async { generate(options, teacher, &(), cancel).await })
}

/// Every file of a run by its path, with the time of the run taken out of names and recipes.
fn dataset(directory: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, suffix: &str, files: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, suffix, files);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace(suffix, "TIME");
                files.insert(
                    name,
                    std::fs::read_to_string(&path)
                        .unwrap()
                        .replace(suffix, "TIME"),
                );
            }
        }
    }
    let name = directory.file_name().unwrap().to_str().unwrap();
    let suffix = format!(
        "{}T{}_{}_{}",
        &name[..10],
        &name[11..13],
        &name[13..15],
        &name[15..17]
    );
    let mut files = BTreeMap::new();
    walk(directory, directory, &suffix, &mut files);
    files
}

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_run_writes_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(answer);
    let summary = run(&options(folder.path()), &teacher).unwrap();
    let files = dataset(&summary.files.directory);
    let names: Vec<_> = files.keys().cloned().collect();
    insta::assert_snapshot!(names.join("\n"), @r"
    drops_TIME.json
    generated_TIME/compositional_skills_opposites.jsonl
    generated_TIME/compositional_skills_rewriting.jsonl
    generated_TIME/knowledge_animals_brill.jsonl
    knowledge_recipe_TIME.yaml
    knowledge_train_msgs_TIME.jsonl
    messages_TIME.jsonl
    node_datasets_TIME/compositional_skills_opposites.jsonl
    node_datasets_TIME/compositional_skills_rewriting.jsonl
    node_datasets_TIME/knowledge_animals_brill_p07.jsonl
    node_datasets_TIME/knowledge_animals_brill_p10.jsonl
    preprocessed_TIME/compositional_skills_opposites.jsonl
    preprocessed_TIME/compositional_skills_rewriting.jsonl
    preprocessed_TIME/documents/knowledge_animals_brill/brill.md
    preprocessed_TIME/knowledge_animals_brill.jsonl
    provenance_TIME.jsonl
    report_TIME.html
    skills_recipe_TIME.yaml
    skills_train_msgs_TIME.jsonl
    test_TIME.jsonl
    train_TIME.jsonl
    ");
    insta::assert_snapshot!(files["knowledge_recipe_TIME.yaml"], @r#"
    datasets:
    - path: "node_datasets_TIME/knowledge_animals_brill_p07.jsonl"
      sampling_size: 1.0
    metadata:
      sys_prompt: "Be brief."
    "#);
    insta::assert_snapshot!(files["skills_recipe_TIME.yaml"], @r#"
    datasets:
    - path: "node_datasets_TIME/knowledge_animals_brill_p10.jsonl"
      sampling_size: 1.0
    - path: "node_datasets_TIME/compositional_skills_rewriting.jsonl"
      sampling_size: 30
    - path: "node_datasets_TIME/compositional_skills_opposites.jsonl"
      sampling_size: 30
    metadata:
      sys_prompt: "Be brief."
    "#);
    let first = |name: &str| files[name].lines().next().unwrap().to_owned();
    insta::assert_snapshot!(first("preprocessed_TIME/knowledge_animals_brill.jsonl"), @r#"{"document": "The brill\nThe brill is a small animal of the hills. It has six legs.", "icl_document": "The brill has fact 1.", "document_outline": "The brill", "domain": "animals", "leaf_node_type": "knowledge", "icl_query_1": "How many legs has a brill?", "icl_response_1": "Six.", "icl_query_2": "What does it eat?", "icl_response_2": "Moss.", "icl_query_3": "Where is it?", "icl_response_3": "Hills.", "leaf_node_path": "knowledge_animals_brill"}"#);
    insta::assert_snapshot!(first("generated_TIME/compositional_skills_rewriting.jsonl"), @r#"{"task_description": "answer from the text", "seed_context": "Numbers such as 1 have an opposite.", "seed_question": "What is the opposite of 1?", "seed_response": "Minus 1.", "leaf_node_type": "grounded_skill", "leaf_node_path": "compositional_skills_rewriting", "output": "What about of number 1602335135? It is 4807005405."}"#);
    insta::assert_snapshot!(first("node_datasets_TIME/compositional_skills_rewriting.jsonl"), @r#"{"task_description":"answer from the text","seed_context":"Numbers such as 1 have an opposite.","seed_question":"What is the opposite of 1?","seed_response":"Minus 1.","leaf_node_type":"grounded_skill","leaf_node_path":"compositional_skills_rewriting","output":"What about of number 1602335135? It is 4807005405.","id":"7abd9f19-4151-883d-bc73-266d78f75e9e","messages":[{"content":"Be brief.","role":"system"},{"content":"What about of number 1602335135?\nNumbers such as 1 have an opposite.","role":"user"},{"content":"It is 4807005405.","role":"assistant"}],"unmask":false}"#);
    insta::assert_snapshot!(first("test_TIME.jsonl"), @r#"{"system": "Be brief.", "user": "How many legs has a brill?\nThe brill has fact 1.", "assistant": "Six."}"#);
    insta::assert_snapshot!(files["train_TIME.jsonl"].lines().last().unwrap(), @r#"{"system": "Be brief.", "user": "What about of number 1014859112?", "assistant": "It is 3044577336."}"#);
    insta::assert_snapshot!(first("messages_TIME.jsonl"), @r#"{"messages": [{"content": "What about hills. number 1745180285?", "role": "user"}, {"content": "It is 5235540855.", "role": "assistant"}], "metadata": "{\"system\": \"Be brief.\"}"}"#);
    insta::assert_snapshot!(first("knowledge_train_msgs_TIME.jsonl"), @r#"{"messages":[{"content":"Be brief.","role":"system"},{"content":"The brill\nThe brill is a small animal of the hills. It has six legs.\n\nWhat about hills. number 1745180285?","role":"user"},{"content":"It is 5235540855.","role":"assistant"}],"metadata":"{\"sdg_document\": \"The brill\\nThe brill is a small animal of the hills. It has six legs.\", \"domain\": \"animals\", \"dataset\": \"document_knowledge_qa\"}","id":"856f146f-0ba1-8dbd-ae45-323547f5273e","unmask":true}"#);
    for name in [
        "knowledge_train_msgs_TIME.jsonl",
        "skills_train_msgs_TIME.jsonl",
    ] {
        for record in lines(&files[name]) {
            let mut keys: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            assert_eq!(keys, ["id", "messages", "metadata", "unmask"]);
            assert_eq!(record["messages"][0]["role"], "system");
        }
    }
    let ids = |name: &str| {
        lines(&files[name])
            .iter()
            .map(|record| record["id"].to_string())
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = ids("knowledge_train_msgs_TIME.jsonl")
        .into_iter()
        .chain(ids("skills_train_msgs_TIME.jsonl"))
        .collect();
    let unique: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(unique.len(), all.len(), "ids are unique");
}

#[test]
fn every_answer_is_kept_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(|prompt, seed| match seed % 8 {
        0 => Ok((String::new(), FinishReason::Stop)),
        1 => Ok(("no question".to_owned(), FinishReason::Stop)),
        2 => Ok(("Is this cut? It is".to_owned(), FinishReason::Length)),
        3 => Ok((
            "How many legs has a brill? Six.".to_owned(),
            FinishReason::Stop,
        )),
        4 => Err(CompletionError::Rejected {
            status: 400,
            message: "bad words".to_owned(),
        }),
        5 => Err(CompletionError::ContextOverflow {
            n_prompt_tokens: 9,
            n_context_tokens: 8,
        }),
        _ => answer(prompt, seed),
    });
    let summary = run(&options(folder.path()), &teacher).unwrap();
    for leaf in &summary.leaves {
        assert_eq!(leaf.n_answers, leaf.n_samples + leaf.n_dropped, "{leaf:?}");
    }
    let reasons: Vec<_> = summary.drops.by_reason().into_keys().collect();
    use DropReason::{
        ContextOverflow, CutOff, Duplicate, EmptyAnswer, NoQuestionMark, Rejected, SameAsSeed,
    };
    assert_eq!(
        reasons,
        [
            Rejected,
            ContextOverflow,
            CutOff,
            EmptyAnswer,
            Duplicate,
            NoQuestionMark,
            SameAsSeed
        ]
    );
    let report = std::fs::read_to_string(&summary.files.drops).unwrap();
    let report: Vec<serde_json::Value> = serde_json::from_str(&report).unwrap();
    assert_eq!(report.len(), summary.drops.0.len());
}

#[test]
fn the_order_of_answers_and_the_name_of_the_run_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = run(
        &GenerateOptions {
            max_in_flight: 1,
            ..options(folder.path())
        },
        &Scripted::new(answer),
    )
    .unwrap();
    let many = GenerateOptions {
        output_dir: folder.path().join("elsewhere"),
        started: run_name(2),
        max_in_flight: 64,
        ..options(folder.path())
    };
    let many = run(&many, &Scripted::new(answer).with_jitter()).unwrap();
    assert_eq!(
        dataset(&one.files.directory),
        dataset(&many.files.directory)
    );
    let other_seed = GenerateOptions {
        seed: 8,
        output_dir: folder.path().join("third"),
        ..options(folder.path())
    };
    let other_seed = run(&other_seed, &Scripted::new(answer)).unwrap();
    assert_ne!(
        dataset(&one.files.directory),
        dataset(&other_seed.files.directory)
    );
}

#[test]
fn a_second_run_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(answer);
    let first = run(&options(folder.path()), &teacher).unwrap();
    let n_requests = teacher.n_requests();
    // Three chunks of five examples, and five examples for each skill; ten answers are two requests.
    assert_eq!(n_requests, first.n_requests);
    let again = run(
        &GenerateOptions {
            started: run_name(2),
            ..options(folder.path())
        },
        &teacher,
    )
    .unwrap();
    assert_eq!(teacher.n_requests(), n_requests);
    assert_eq!(
        dataset(&first.files.directory),
        dataset(&again.files.directory)
    );
    let other = GenerateOptions {
        teacher_identity: Some("another file".to_owned()),
        ..options(folder.path())
    };
    run(&other, &teacher).unwrap();
    assert_eq!(
        teacher.n_requests(),
        2 * n_requests,
        "another model of the same name is another teacher"
    );
}

#[test]
fn a_failing_teacher_stops_the_run_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let failing = Scripted::new(answer).failing_after(9, || CompletionError::RateLimited {
        url: "http://teacher".to_owned(),
        retry_after: None,
        message: "quota".to_owned(),
    });
    let error = run(&options, &failing).unwrap_err();
    assert!(
        matches!(error, GenerateError::Teacher { n_kept, .. } if n_kept >= 5),
        "{error:?}"
    );
    let visible = std::fs::read_dir(&options.output_dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        visible
            .into_iter()
            .all(|name| name.starts_with("journal.sqlite"))
    );
    let teacher = Scripted::new(answer);
    let resumed = run(&options, &teacher).unwrap();
    assert!(
        teacher.n_requests() < resumed.n_requests,
        "kept answers are not asked for again"
    );
    let undisturbed = GenerateOptions {
        output_dir: folder.path().join("undisturbed"),
        ..options.clone()
    };
    let undisturbed = run(&undisturbed, &Scripted::new(answer)).unwrap();
    assert_eq!(
        dataset(&resumed.files.directory),
        dataset(&undisturbed.files.directory)
    );
}

#[test]
fn a_cancelled_run_ends_while_the_teacher_still_thinks() {
    let folder = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    let cancelling = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        cancelling.cancel();
    });
    let error = run_until(
        &options(folder.path()),
        &Scripted::new(answer).hanging(),
        &cancel,
    )
    .unwrap_err();
    assert!(matches!(error, GenerateError::Cancelled), "{error:?}");
}

#[test]
fn equal_requests_are_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    // The same leaf under another name asks the same questions.
    options.leaves.truncate(1);
    let mut copy = options.leaves[0].clone();
    copy.leaf.leaf_path = "knowledge->copy".to_owned();
    options.leaves.push(copy);
    let teacher = Scripted::new(answer).with_jitter();
    let summary = run(&options, &teacher).unwrap();
    assert_eq!(teacher.n_requests(), teacher.n_distinct_requests());
    assert_eq!(summary.leaves[0].n_samples, summary.leaves[1].n_samples);
    let generated = summary
        .files
        .directory
        .join("generated_2026-01-02T03_04_01");
    assert_eq!(
        std::fs::read_dir(generated).unwrap().count(),
        2,
        "equal names are told apart"
    );
}

#[test]
fn what_the_options_say_takes_the_place_of_what_the_pipeline_says() {
    let asked = |temperature, max_tokens| {
        let folder = tempfile::tempdir().unwrap();
        let options = GenerateOptions {
            temperature,
            max_tokens,
            ..options(folder.path())
        };
        let teacher = Scripted::new(answer);
        run(&options, &teacher).unwrap();
        teacher.requests()
    };
    for (temperature, max_tokens, expected) in [
        (
            Some(0.25),
            Some(9),
            ["\"temperature\":0.25", "\"max_tokens\":9"],
        ),
        (None, None, ["\"temperature\":0.7", "\"max_tokens\":"]),
    ] {
        let requests = asked(temperature, max_tokens);
        assert!(!requests.is_empty());
        for request in requests {
            for part in expected {
                assert!(request.contains(part), "`{part}` is not in {request}");
            }
        }
    }
}

#[test]
fn nothing_usable_is_an_error_with_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(|_, _| Ok(("I do not know.".to_owned(), FinishReason::Stop)));
    let error = run(&options(folder.path()), &teacher).unwrap_err();
    let GenerateError::NothingKept { drops } = error else {
        panic!("{error:?}")
    };
    assert!(drops.by_reason().contains_key(&DropReason::NoQuestionMark));
}

#[test]
fn a_teacher_that_does_not_follow_the_prompts_is_noticed_early() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        keeps_going: false,
        scale_factor: 30,
        ..options(folder.path())
    };
    let said = "As a language model I like questions.";
    let teacher = Scripted::new(move |_, _| Ok((said.to_owned(), FinishReason::Stop)));
    let error = run(&options, &teacher).unwrap_err();
    let GenerateError::Unfit {
        block,
        n_kept,
        n_judged,
        examples,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (block.as_str(), *n_kept, examples.0.len()),
        ("checks", 0, 3)
    );
    assert!((40..=80).contains(n_judged), "{n_judged}");
    assert!(examples.0.iter().all(|drop| drop.text == said));
    let n_rows = 15 + 5 + 5;
    assert!(
        teacher.n_requests() < n_rows * 4,
        "{}",
        teacher.n_requests()
    );
    let hints = error.hints().join("; ");
    assert!(
        hints.contains("larger teacher") && hints.contains("--keep-going"),
        "{hints}"
    );
    // What was asked is kept, also for a run that goes on all the same.
    let n_requests = teacher.n_requests();
    let going_on = GenerateOptions {
        keeps_going: true,
        max_similarity: None,
        ..options
    };
    assert!(matches!(
        run(&going_on, &teacher),
        Err(GenerateError::NothingKept { .. })
    ));
    assert_eq!(teacher.n_distinct_requests(), teacher.n_requests());
    assert!(teacher.n_requests() > n_requests);
}

#[test]
fn a_teacher_that_is_right_one_time_in_ten_may_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        keeps_going: false,
        ..options(folder.path())
    };
    let teacher = Scripted::new(|prompt, seed| {
        let text = match seed % 10 {
            0 => format!("What is {seed} in {}? It is so.", prompt.len()),
            _ => "Hm.".to_owned(),
        };
        Ok((text, FinishReason::Stop))
    });
    assert!(run(&options, &teacher).unwrap().n_samples() > 5);
}

#[test]
fn what_to_do_about_nothing_usable_follows_from_the_main_reason() {
    let hints = |answer: fn(&str, u64) -> Answer| {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&options(folder.path()), &Scripted::new(answer)).unwrap_err();
        assert!(
            matches!(error, GenerateError::NothingKept { .. }),
            "{error:?}"
        );
        error.hints().join("; ")
    };
    let refused = hints(|_, _| {
        Err(CompletionError::Refused {
            url: "http://teacher".to_owned(),
            status: 400,
            message: "no".to_owned(),
        })
    });
    assert!(refused.contains("refused"), "{refused}");
    let cut_off = hints(|_, _| Ok(("Is this cut? It is".to_owned(), FinishReason::Length)));
    assert!(cut_off.contains("--max-num-tokens"), "{cut_off}");
    let unformatted = hints(|_, _| Ok(("I do not know.".to_owned(), FinishReason::Stop)));
    assert!(unformatted.contains("larger teacher"), "{unformatted}");
}

#[test]
fn a_model_that_is_not_there_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(|_, _| {
        Err(CompletionError::NotFound {
            url: "http://teacher".to_owned(),
            status: 404,
            message: "no such model".to_owned(),
            served: Vec::new(),
        })
    });
    let error = run(&options(folder.path()), &teacher).unwrap_err();
    assert!(
        matches!(error, GenerateError::Teacher { n_kept: 0, .. }),
        "{error:?}"
    );
    assert!(teacher.n_requests() <= 4, "only what was under way");
}

#[test]
fn what_stops_a_run_is_found_without_a_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let leaves: Vec<TaxonomyLeaf> = options
        .leaves
        .into_iter()
        .map(|source| source.leaf)
        .collect();
    let check = |leaves: &[TaxonomyLeaf], pipeline: &PipelineSource| {
        ilab_sdg::check(leaves, pipeline, &DefaultRecipes::default())
    };
    check(&leaves, &options.pipeline).unwrap();
    assert!(matches!(
        check(&[], &options.pipeline),
        Err(GenerateError::NoLeaves)
    ));
    let pipeline = PipelineSource::Directory(folder.path().join("nowhere"));
    assert!(matches!(
        check(&leaves, &pipeline),
        Err(GenerateError::Pipeline(_))
    ));
}

#[test]
fn a_word_document_is_converted_once_and_kept_beside_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    let leaves = taxonomy::leaves(folder.path());
    let documents = folder
        .path()
        .join("taxonomy/knowledge/animals/brill/documents");
    let word =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ilab-documents/tests/documents/brill.docx");
    std::fs::copy(word, documents.join("brill.docx")).unwrap();
    options.leaves = read_documents(leaves, folder.path(), &(), &Cancel::new()).unwrap();
    std::fs::remove_dir_all(folder.path().join("taxonomy")).unwrap();

    let summary = run(&options, &Scripted::new(answer)).unwrap();
    let files = dataset(&summary.files.directory);
    let kept = &files["preprocessed_TIME/documents/knowledge_animals_brill/brill.docx.md"];
    assert!(kept.contains("### Food\n\n- moss"), "{kept}");
    let provenance = &files["provenance_TIME.jsonl"];
    assert!(
        provenance.contains("\"document\":\"brill.docx\""),
        "{provenance}"
    );
}

#[test]
fn a_pipeline_of_several_blocks_runs() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline");
    taxonomy::write_judging_pipeline(&pipeline);
    let options = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder.path())
    };
    let teacher = Scripted::new(|prompt, seed| match prompt.strip_prefix("Judge:") {
        Some(pair) => Ok((
            format!("[Score] {} [/Score]", pair.len() % 3),
            FinishReason::Stop,
        )),
        None => Ok((
            format!("[Q]What is number {seed}?[/Q][A]Answer {seed}[/A]"),
            FinishReason::Stop,
        )),
    });
    let summary = run(&options, &teacher).unwrap();
    let reasons: Vec<_> = summary.drops.by_reason().into_keys().collect();
    assert_eq!(reasons, [DropReason::Filtered, DropReason::Duplicate]);
    let first = std::fs::read_to_string(&summary.files.train).unwrap();
    assert!(first.contains("What is number"), "{first}");
}

#[test]
fn documents_that_match_nothing_name_the_leaf() {
    let folder = tempfile::tempdir().unwrap();
    let leaves = taxonomy::leaves(folder.path());
    std::fs::remove_file(
        folder
            .path()
            .join("taxonomy/knowledge/animals/brill/documents/brill.md"),
    )
    .unwrap();
    let error = read_documents(leaves, folder.path(), &(), &Cancel::new()).unwrap_err();
    let GenerateError::Documents { leaf, source } = &error else {
        panic!("{error:?}")
    };
    assert!(leaf.ends_with("brill/qna.yaml"), "{leaf}");
    assert!(source.to_string().contains("matches no file"), "{source}");
}
