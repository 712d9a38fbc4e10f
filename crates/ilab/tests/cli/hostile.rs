//! `ilab data generate` against an endpoint with a bad day.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use serde_json::Value;

use crate::generate::{arguments, program, teach};

/// The identity of a request among those of one run.
fn key(request: &Value) -> String {
    format!("{}", request["seed"])
}

/// Limits, failures, answers that break off and garbage: one in five requests meets one of them, and one request fails always.
#[test]
fn every_row_is_kept_or_explained_and_nothing_is_asked_twice_after_it_succeeded() {
    let program = program();
    let n_seen = AtomicUsize::new(0);
    let answered: &'static Mutex<HashMap<String, usize>> = Box::leak(Box::default());
    let cursed: &'static Mutex<Option<String>> = Box::leak(Box::default());
    let teacher = FakeTeacher::start(move |request| {
        if request["seed"].is_null() {
            return Reply::answer("I am well.");
        }
        let number = n_seen.fetch_add(1, Ordering::SeqCst);
        let is_cursed = number == 12 || cursed.lock().unwrap().as_ref() == Some(&key(request));
        if is_cursed {
            *cursed.lock().unwrap() = Some(key(request));
            return Reply::error(500, "this one I cannot").with_header("Retry-After", "0.1");
        }
        match number % 20 {
            5 => return Reply::error(429, "slow down").with_header("Retry-After", "0.2"),
            8 => return Reply::error(503, "loading"),
            11 => return teach(request).cut_after(40),
            17 => return Reply::raw(200, "<html>a proxy is tired</html>"),
            _ => {}
        }
        *answered.lock().unwrap().entry(key(request)).or_default() += 1;
        teach(request).after(Duration::from_millis(40))
    });
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "24", "--num-cpus", "3", "--json"]);
    let shown = program.run(&generate);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let report = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    let count = |leaf: &Value, name: &str| leaf[name].as_u64().unwrap();
    for leaf in report["leaves"].as_array().unwrap() {
        let rows = count(leaf, "n_rows");
        assert_eq!(count(leaf, "n_answers"), rows * 24);
        assert_eq!(
            count(leaf, "n_samples") + count(leaf, "n_dropped"),
            rows * 24,
            "{leaf}"
        );
    }
    // The one request with its eight answers is the only one that was refused for good.
    let refused = report["drops"]
        .as_array()
        .unwrap()
        .iter()
        .find(|drop| drop["reason"] == "rejected");
    assert_eq!(
        refused.map(|drop| count(drop, "n_samples")),
        Some(8),
        "{report}"
    );
    let answered = answered.lock().unwrap();
    assert!(answered.values().all(|n| *n == 1), "{answered:?}");
    assert_eq!(answered.len(), 20 * 3 - 1);
}
