//! What was measured, as a table or as JSON.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ilab_kernels::matmul::Precision;

/// How long one kernel is repeated.
const TIME_PER_KERNEL: Duration = Duration::from_millis(700);
/// Repetitions at least.
const MIN_RUNS: usize = 3;

/// Every kernel timed so far.
pub(crate) struct Report {
    is_json: bool,
    /// Parts of the names of the kernels to time; all when there are none.
    wanted: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    /// Of the fastest run.
    seconds: f64,
    /// 1e9 units of work a second.
    rate: f64,
    unit: &'static str,
}

impl Report {
    pub(crate) fn new(is_json: bool, wanted: Vec<String>) -> Self {
        Self {
            is_json,
            wanted,
            rows: Vec::new(),
        }
    }

    pub(crate) fn is_wanted(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|part| name.contains(part.as_str()))
    }

    /// Times `run`, which does `work` of a unit.
    pub(crate) fn time(
        &mut self,
        name: &str,
        work: f64,
        unit: &'static str,
        mut run: impl FnMut(),
    ) {
        if !self.is_wanted(name) {
            return;
        }
        run();
        let start = Instant::now();
        let mut seconds = f64::INFINITY;
        let mut n_runs = 0;
        while n_runs < MIN_RUNS || start.elapsed() < TIME_PER_KERNEL {
            let before = Instant::now();
            run();
            seconds = seconds.min(before.elapsed().as_secs_f64());
            n_runs += 1;
        }
        let rate = work / seconds / 1e9;
        if !self.is_json {
            println!("{name:<52} {:>10.3} ms {rate:>8.1} {unit}", seconds * 1e3);
        }
        self.rows.push(Row {
            name: name.to_owned(),
            seconds,
            rate,
            unit,
        });
    }

    /// Prints the JSON, if that is wanted.
    pub(crate) fn finish(&self) {
        if !self.is_json {
            return;
        }
        let rows: Vec<String> = self
            .rows
            .iter()
            .map(|row| {
                format!(
                    r#"    {{"name": "{}", "seconds": {:e}, "rate": {:.3}, "unit": "{}"}}"#,
                    row.name, row.seconds, row.rate, row.unit
                )
            })
            .collect();
        println!(
            "{{\n  \"threads\": {},\n  \"f32\": \"{}\",\n  \"bf16\": \"{}\",\n  \"kernels\": [\n{}\n  ]\n}}",
            rayon::current_num_threads(),
            Precision::F32.instructions(),
            Precision::Bf16.instructions(),
            rows.join(",\n")
        );
    }
}

/// Numbers in [-1, 1) that look random and are always the same.
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Refuses to go on when a kernel differs from its naive form; NaN differs.
///
/// # Panics
/// When it does.
pub(crate) fn check(name: &str, found: f32, expected: f64, tolerance: f64) {
    let found = f64::from(found);
    let is_close = (found - expected).abs() <= tolerance;
    assert!(
        is_close,
        "{name} is not timed, it is wrong: {found}, expected {expected}"
    );
}
