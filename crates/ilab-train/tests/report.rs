//! The page about a training.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_train::metrics::{History, StepMetrics, ValidationMetrics};
use ilab_train::report::{
    ComparedAnswer, DataAccount, Exam, JudgedAnswer, Report, SavedCheckpoint, page,
};

fn answer(question: &str, before: (&str, bool), after: (&str, bool)) -> ComparedAnswer {
    let judged = |(text, is_right): (&str, bool)| JudgedAnswer {
        text: text.to_owned(),
        is_right,
    };
    ComparedAnswer {
        question: question.to_owned(),
        expected: "In the hills of Orvany.".to_owned(),
        before: judged(before),
        after: judged(after),
    }
}

/// Twenty epochs of twelve steps, noisy as a real one.
fn history() -> History {
    let steps = (1..=240u64).map(|step| {
        let noise = ((step * 7919) % 97) as f64 / 97.0 - 0.5;
        let done = step as f64 / 240.0;
        StepMetrics {
            epoch: (step as usize - 1) / 12,
            step,
            tokens_per_second: 5_200.0 + 400.0 * noise,
            lr: 3e-4 * (step as f64 / 24.0).min(1.0) * (1.0 + (done * 3.1).cos()) / 2.0,
            num_loss_counted_tokens: 300,
            num_tokens_rank0: 900,
            batch_size: 16,
            num_minibatches: 1,
            avg_loss: 0.2 + 3.4 * (-4.0 * done).exp() * (1.0 + 0.25 * noise),
            gradnorm: 0.4 + 2.0 * (-3.0 * done).exp() * (1.0 + noise),
            total_samples: 190,
            num_epoch_steps: 12,
            num_steps: 240,
            is_epoch_end: step % 12 == 0,
            ..StepMetrics::default()
        }
    });
    let validations = (1..=20u64).map(|epoch| ValidationMetrics {
        epoch: epoch as usize - 1,
        step: 12 * epoch,
        val_loss: 0.9 + 2.2 * (-0.3 * epoch as f64).exp(),
        val_num_tokens: 400,
        ..ValidationMetrics::default()
    });
    History {
        steps: steps.collect(),
        validations: validations.collect(),
        ..History::default()
    }
}

fn report() -> Report {
    let mut answers = vec![
        answer(
            "Where does the mirrel live?",
            ("In a house by the sea.", false),
            ("In the hills of Orvany.", true),
        ),
        answer(
            "What does it eat?",
            ("", false),
            ("Beetles and moss, mostly at night.", true),
        ),
        answer(
            "How long is it?",
            ("It is long.", false),
            ("It is 40 centimetres.", false),
        ),
    ];
    answers.extend((0..6).map(|index| {
        let question = format!("Question {index}?");
        let after = ("In Orvany.", index % 3 > 0);
        answer(&question, ("I do not know.", false), after)
    }));
    let settings = [
        ("num_epochs", "20"),
        ("learning_rate", "0.0003"),
        ("effective_batch_size", "16"),
        ("random_seed", "42"),
    ];
    let left_out = [("longer than 256 tokens", 3), ("no learnable token", 1)];
    Report {
        model: "starter".to_owned(),
        data_file: "datasets/2026-11-26_135501/knowledge_train_msgs_2026-11-26T13_55_01.jsonl"
            .to_owned(),
        finished_at: "2026-11-26 14:20".to_owned(),
        seconds: 61.3,
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        history: history(),
        data: DataAccount {
            lengths: (0..190)
                .map(|index| 30 + (index * index * 31) % 170)
                .collect(),
            n_learned_tokens: 4_211,
            n_validation_samples: 10,
            left_out: left_out
                .map(|(reason, n_samples)| (reason.to_owned(), n_samples))
                .to_vec(),
        },
        exam: Some(Exam { answers }),
        checkpoints: vec![SavedCheckpoint {
            path: "checkpoints/hf_format/samples_3800".to_owned(),
            step: 240,
            n_bytes: 48_123_456,
        }],
    }
}

#[test]
fn the_page_says_what_was_learned_and_needs_no_other_file() {
    let page = page(&report());
    // To look at: `target/tmp/report.html`.
    let shown = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    std::fs::write(shown, &page).unwrap();
    for expected in [
        r#"<p class="verdict good">Learned 67 % (+67)</p>"#,
        "6 of 9 questions are answered right, 0 were before. The held-out loss fell from 2.53 to 0.91.",
        "<dt>tokens per second</dt><dd>5,19",
        "left out: longer than 256 tokens",
        "48.1 MB",
        "(empty)",
        "expected: In the hills of Orvany.",
        r#"<figure id="gradnorm">"#,
        "3 more",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    for external in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(external), "{external}");
    }
}

/// Names, answers and reasons come from files and models.
#[test]
fn nothing_from_outside_is_markup() {
    let evil = r#"</script><script>alert(1)</script><img src=x onerror="alert(2)">&'{{ 7 * 7 }}"#;
    let mut report = report();
    report.model = evil.to_owned();
    report.data_file = evil.to_owned();
    report.finished_at = evil.to_owned();
    report.settings = vec![(evil.to_owned(), evil.to_owned())];
    report.data.left_out = vec![(evil.to_owned(), 1)];
    report.exam = Some(Exam {
        answers: vec![ComparedAnswer {
            expected: evil.to_owned(),
            ..answer(evil, (evil, false), (evil, true))
        }],
    });
    report.checkpoints[0].path = evil.to_owned();
    let page = page(&report);
    assert_eq!(page.matches("<script").count(), 2, "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains("onerror=\""), "{page}");
    assert!(page.contains("{{ 7 * 7 }}"));
}

#[test]
fn a_run_without_anything_has_a_page_as_well() {
    let page = page(&Report::default());
    let verdict = r#"<p class="verdict open">Nothing was trained</p>"#;
    assert!(page.contains(verdict), "{page}");
    assert!(page.contains("None was saved."));
    assert!(!page.contains("<svg"));
}

#[test]
fn numbers_that_are_none_break_nothing() {
    let mut report = report();
    for step in &mut report.history.steps {
        step.avg_loss = f64::NAN;
        step.gradnorm = f64::INFINITY;
        step.tokens_per_second = -0.0;
    }
    report.history.steps[3].step = u64::MAX;
    report.data.lengths = vec![0, usize::MAX / 4];
    let page = page(&report);
    for svg in page.split("<svg").skip(1) {
        let svg = svg.split("</svg>").next().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn what_was_not_learned_is_explained() {
    let mut report = report();
    let empty = || answer("Where?", ("Here.", false), (" ", false));
    report.exam = Some(Exam {
        answers: (0..4).map(|_| empty()).collect(),
    });
    let page = page(&report);
    let verdict = r#"<p class="verdict bad">Not learned: 0 % (+0)</p>"#;
    assert!(page.contains(verdict), "{page}");
    assert!(page.contains("<li>4 of 4 answers are empty<br>"), "{page}");
}
