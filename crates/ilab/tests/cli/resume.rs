//! `ilab data generate`, killed: nothing is lost and nothing comes out differently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ilab_testkit::fake_teacher::FakeTeacher;
use serde_json::Value;

use crate::generate::{arguments, program, teach};
use crate::program::Program;
use crate::silent_endpoint::SilentEndpoint;

/// Every file of a run by its name, with the time taken out.
fn dataset(directory: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, paths)
            } else {
                paths.push(path)
            }
        }
    }
    let mut paths = Vec::new();
    walk(directory, &mut paths);
    let train = paths.iter().find_map(|path| {
        path.file_name()?
            .to_str()?
            .strip_prefix("train_")?
            .strip_suffix(".jsonl")
    });
    let time = train.unwrap().to_owned();
    let steady = |text: &str| text.replace(&time, "TIME");
    let relative = |path: &Path| {
        PathBuf::from(steady(
            path.strip_prefix(directory).unwrap().to_str().unwrap(),
        ))
    };
    paths
        .iter()
        .map(|path| {
            (
                relative(path),
                steady(&std::fs::read_to_string(path).unwrap()),
            )
        })
        .collect()
}

/// The datasets below a folder, without the journal.
fn datasets(folder: &Path) -> Vec<BTreeMap<PathBuf, String>> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_run = |path: &PathBuf| {
        path.is_dir() && !path.file_name().unwrap().to_str().unwrap().starts_with('.')
    };
    entries.filter(is_run).map(|path| dataset(&path)).collect()
}

/// Starts the program `n_times` and kills it, each time after at most `max_ms` milliseconds.
fn kill(program: &Program, arguments: &[&str], n_times: usize, max_ms: u64) {
    let mut n_killed = 0;
    // Moments spread by a linear congruential generator: at start-up, in the middle of answers, between them.
    let mut random = 20_260_101_u32;
    for _ in 0..n_times {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut child = program
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(random >> 16) % max_ms));
        child.kill().unwrap();
        n_killed += usize::from(child.wait().unwrap().code().is_none());
    }
    assert!(
        n_killed * 2 >= n_times,
        "only {n_killed} runs were killed before they ended"
    );
}

/// All runs of the killed program left the dataset of the undisturbed one.
fn assert_same_datasets(program: &Program) {
    let undisturbed = datasets(&program.path("undisturbed"));
    assert_eq!(undisturbed.len(), 1);
    let disturbed = datasets(&program.path("disturbed"));
    assert!(!disturbed.is_empty());
    for disturbed in disturbed {
        assert_eq!(disturbed, undisturbed[0]);
    }
}

#[test]
fn a_run_killed_fifty_times_gives_the_dataset_of_an_undisturbed_one() {
    let program = program();
    let slow = |request: &Value| teach(request).after(Duration::from_millis(30));
    let flags = [
        "--sdg-scale-factor",
        "400",
        "--num-cpus",
        "4",
        "--seed",
        "11",
    ];

    let teacher = FakeTeacher::start(slow);
    let url = teacher.url();
    let shown = program.run(&[arguments(&url, "undisturbed"), flags.to_vec()].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let n_needed = teacher.n_requests();

    let teacher = FakeTeacher::start(slow);
    let url = teacher.url();
    let arguments = [arguments(&url, "disturbed"), flags.to_vec()].concat();
    kill(&program, &arguments, 50, 250);
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert_same_datasets(&program);
    // Only what was under way when the program was killed is asked for again.
    let n_asked = teacher.n_requests();
    assert!(
        n_asked <= n_needed + 50 * 4,
        "{n_asked} requests instead of {n_needed}"
    );
    assert!(n_needed >= 500);
}

/// The batches of the engine are other ones in every run: with other neighbours, an answer must stay the same.
#[test]
fn a_run_with_the_model_in_process_killed_ten_times_gives_the_same_dataset() {
    let program = program();
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/starter");
    let convert = [
        "model",
        "convert",
        "--model-dir",
        starter,
        "-o",
        "teacher.gguf",
    ];
    let shown = program.run(&[&convert[..], &["--type", "f16"]].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let arguments = |output| {
        let mut arguments = vec![
            "data",
            "generate",
            "--pipeline",
            "simple",
            "--model",
            "teacher.gguf",
        ];
        arguments.extend(["--taxonomy-path", "taxonomy", "--taxonomy-base", "empty"]);
        arguments.extend([
            "--sdg-scale-factor",
            "8",
            "--max-num-tokens",
            "64",
            "--output-dir",
            output,
        ]);
        arguments
    };
    let shown = program.run(&arguments("undisturbed"));
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    kill(&program, &arguments("disturbed"), 10, 1_000);
    let shown = program.run(&arguments("disturbed"));
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert_same_datasets(&program);
}

/// Starts the program, sends it `signal` once `is_time`, and gives its exit code and what it said.
pub fn interrupt(
    program: &Program,
    arguments: &[&str],
    signal: &str,
    is_time: impl Fn() -> bool,
) -> (Option<i32>, String) {
    let mut child = program
        .command(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !is_time() {
        if child.try_wait().unwrap().is_some() {
            panic!("it ended by itself: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([signal, &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

const INTERRUPTED: &str =
    "error: interrupted\nhint: run the same command again: finished requests are kept\n";

#[test]
fn an_interrupted_run_says_so_and_goes_on_when_it_is_run_again() {
    let program = program();
    let slow = |request: &Value| teach(request).after(Duration::from_millis(50));
    let teacher = FakeTeacher::start(slow);
    let url = teacher.url();
    let flags = ["--sdg-scale-factor", "8", "--num-cpus", "2"];
    let arguments = [arguments(&url, "out"), flags.to_vec()].concat();
    let (code, said) = interrupt(&program, &arguments, "-INT", || teacher.n_requests() >= 6);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.ends_with(INTERRUPTED), "{said}");
    let n_before = teacher.n_requests();
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    // One request a chunk or skill and example, and those that were under way again.
    let n_needed = 3 * 5 + 5;
    assert!(n_before < n_needed, "{n_before}");
    assert!(teacher.n_requests() <= n_needed + 2);
}

#[test]
fn a_run_can_be_stopped_while_the_teacher_is_reached_and_while_documents_are_cloned() {
    let program = program();
    let endpoint = SilentEndpoint::start();
    let address = endpoint.address();
    let is_reached = || endpoint.is_reached();
    let url = format!("http://{address}/v1");
    let (code, said) = interrupt(&program, &arguments(&url, "out"), "-TERM", is_reached);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.ends_with(INTERRUPTED), "{said}");

    let source = format!("repo: git://{address}/docs.git\n  commit: main");
    let file = "taxonomy/knowledge/brill/qna.yaml";
    let text = std::fs::read_to_string(program.path(file)).unwrap();
    program.write(file, text.replace("path: documents", &source));
    let (code, said) = interrupt(&program, &arguments(&url, "out"), "-INT", is_reached);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.ends_with(INTERRUPTED), "{said}");
    assert!(said.starts_with("Cloning git://"), "{said}");
}
