//! Times the kernels of a training step, each after it has matched its naive twin.
//!
//!     cargo run --release -p ilab-kernels --example speed -- [--json] [NAME-PART]
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use half::bf16;
use ilab_kernels::adamw::{AdamW, Schedule};
use ilab_kernels::attention::{Heads, Inputs, attention, attention_backward};
use ilab_kernels::cross_entropy::{Scales, linear_cross_entropy};
use ilab_kernels::factor::Factor;
use ilab_kernels::linear::{linear_input_gradient_into, linear_into, linear_weight_gradient_add};
use ilab_kernels::matmul::{Precision, Threads};
use ilab_kernels::matrix::{Format, Matrix};
use ilab_kernels::rounding::to_bf16;

/// How long one kernel is repeated.
const TIME_PER_KERNEL: Duration = Duration::from_millis(1500);
/// Repetitions at least.
const MIN_RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut report = Report {
        is_json,
        wanted: wanted.cloned().unwrap_or_default(),
        rows: Vec::new(),
    };
    products(&mut report);
    thin_products(&mut report);
    attention_of_a_batch(&mut report);
    loss_head(&mut report);
    optimiser(&mut report);
    report.finish();
}

/// What was measured.
struct Row {
    name: String,
    /// Of the fastest run.
    seconds: f64,
    /// Units of work a second, 1e9 of them.
    rate: f64,
    unit: &'static str,
}

struct Report {
    is_json: bool,
    wanted: String,
    rows: Vec<Row>,
}

impl Report {
    fn is_wanted(&self, name: &str) -> bool {
        name.contains(&self.wanted)
    }

    /// Times `run`, which does `work` of a unit.
    fn time(&mut self, name: String, work: f64, unit: &'static str, mut run: impl FnMut()) {
        if !self.is_wanted(&name) {
            return;
        }
        run();
        let start = Instant::now();
        let mut fastest = f64::INFINITY;
        let mut n_runs = 0;
        while n_runs < MIN_RUNS || start.elapsed() < TIME_PER_KERNEL {
            let before = Instant::now();
            run();
            fastest = fastest.min(before.elapsed().as_secs_f64());
            n_runs += 1;
        }
        let rate = work / fastest / 1e9;
        if !self.is_json {
            println!("{name:<56} {:>10.3} ms {rate:>8.1} {unit}", fastest * 1e3);
        }
        self.rows.push(Row {
            name,
            seconds: fastest,
            rate,
            unit,
        });
    }

    fn finish(&self) {
        if !self.is_json {
            return;
        }
        let rows: Vec<String> = self
            .rows
            .iter()
            .map(|row| {
                format!(
                    "{{\"name\":\"{}\",\"seconds\":{:e},\"rate\":{:.3},\"unit\":\"{}\"}}",
                    row.name, row.seconds, row.rate, row.unit
                )
            })
            .collect();
        println!("[{}]", rows.join(",\n "));
    }
}

/// Numbers in [-1, 1) that look random and are always the same.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Refuses to go on unless the samples agree; NaN fails.
fn check(name: &str, found: f64, expected: f64, tolerance: f64) {
    let is_close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(is_close, "{name}: {found}, expected {expected}");
}

/// The three products of a linear layer at the sizes of a model of 134 M parameters, 2,048 tokens.
fn products(report: &mut Report) {
    for (n, input, output) in [
        (1024, 1024, 1024),
        (2048, 2048, 2048),
        (2048, 768, 768),
        (2048, 768, 2048),
        (2048, 2048, 768),
        (2048, 768, 32000),
    ] {
        let name = format!("[{n}, {input}] x [{output}, {input}]");
        if !report.is_wanted(&format!("f32 bf16 q8 nf4 forward dx dw {name}"))
            && !name.contains(&report.wanted)
            && !report.wanted.starts_with("f32")
            && !report.wanted.starts_with("bf16")
            && !report.wanted.starts_with("q8")
            && !report.wanted.starts_with("nf4")
        {
            continue;
        }
        let (x, w, dy) = (
            values(n * input, 1),
            values(output * input, 2),
            values(n * output, 3),
        );
        let flops = 2.0 * (n * input * output) as f64;
        let (mut y, mut dx, mut dw) = (
            vec![0.0; n * output],
            vec![0.0; n * input],
            vec![0.0; output * input],
        );
        let dy = to_bf16(&dy);
        let dy = Factor::dense_bf16(&dy, n, output);
        for (precision, formats) in [
            (Precision::F32, &[Format::F32][..]),
            (
                Precision::Bf16,
                &[Format::F32, Format::Bf16, Format::Q8, Format::Nf4][..],
            ),
        ] {
            for format in formats {
                let w = Matrix::rounded(&w, output, input, *format);
                let kind = format!("{precision:?} x {format:?}").to_lowercase();
                if !report.is_wanted(&format!("{kind} forward {name}"))
                    && !report.is_wanted(&format!("{kind} dx {name}"))
                {
                    continue;
                }
                let rounded = to_bf16(&x);
                let x = match precision {
                    Precision::F32 => Factor::dense(&x, n, input),
                    Precision::Bf16 => Factor::dense_bf16(&rounded, n, input),
                };
                linear_into(&mut y, x, w.as_factor(), precision);
                let (row, column) = (n - 7, output - 3);
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter()
                        .zip(b)
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum()
                };
                check(
                    &name,
                    f64::from(y[row * output + column]),
                    dot(&x.row(row), &w.row(column)),
                    0.1,
                );
                report.time(format!("{kind} forward {name}"), flops, "GFLOP/s", || {
                    linear_into(black_box(&mut y), x, w.as_factor(), precision);
                });
                report.time(format!("{kind} dx {name}"), flops, "GFLOP/s", || {
                    linear_input_gradient_into(black_box(&mut dx), w.as_factor(), dy, precision);
                });
                if matches!(format, Format::F32) {
                    report.time(format!("{kind} dw {name}"), flops, "GFLOP/s", || {
                        linear_weight_gradient_add(black_box(&mut dw), x, dy, precision);
                    });
                }
            }
        }
    }
}

/// The products of a low-rank adapter, and one of attention by one thread.
fn thin_products(report: &mut Report) {
    let (n, width) = (2048, 768);
    for rank in [4, 16, 64] {
        let (x, a) = (to_bf16(&values(n * width, 1)), values(rank * width, 2));
        let x = Factor::dense_bf16(&x, n, width);
        let a = Factor::dense(&a, rank, width);
        let flops = 2.0 * (n * width * rank) as f64;
        let mut low = vec![0.0; n * rank];
        report.time(
            format!("lora x·Aᵀ rank {rank}"),
            flops,
            "GFLOP/s",
            || {
                linear_into(black_box(&mut low), x, a, Precision::Bf16);
            },
        );
        let b = values(width * rank, 3);
        let mut y = vec![0.0; n * width];
        report.time(
            format!("lora u·Bᵀ rank {rank}"),
            flops,
            "GFLOP/s",
            || {
                let low = Factor::dense(&low, n, rank);
                linear_into(
                    black_box(&mut y),
                    low,
                    Factor::dense(&b, width, rank),
                    Precision::Bf16,
                );
            },
        );
        let mut da = vec![0.0; rank * width];
        report.time(format!("lora dA rank {rank}"), flops, "GFLOP/s", || {
            linear_weight_gradient_add(
                black_box(&mut da),
                x,
                Factor::dense(&low, n, rank),
                Precision::Bf16,
            );
        });
    }
    let (q, k) = (values(64 * 64, 1), values(512 * 64, 2));
    let mut scores = vec![0.0; 64 * 512];
    report.time(
        "one thread scores [64, 64] x [512, 64]".to_owned(),
        2.0 * (64 * 64 * 512) as f64,
        "GFLOP/s",
        || {
            let k = Factor::dense(&k, 512, 64).transposed();
            Precision::Bf16.matmul(
                black_box(&mut scores),
                0.0,
                1.0,
                Factor::dense(&q, 64, 64),
                k,
                Threads::One,
            );
        },
    );
}

fn attention_of_a_batch(report: &mut Report) {
    let heads = Heads {
        n_query: 12,
        n_kv: 12,
        width: 64,
    };
    let segments = [0, 512, 1024, 1536, 2048];
    let (n, width) = (2048, 768);
    let (q, k, v, dout) = (
        values(n * width, 1),
        values(n * width, 2),
        values(n * width, 3),
        values(n * width, 4),
    );
    let inputs = Inputs {
        q: Factor::dense(&q, n, width),
        k: Factor::dense(&k, n, width),
        v: Factor::dense(&v, n, width),
        scale: 0.125,
        window: None,
        precision: Precision::Bf16,
    };
    // Only the scores that are seen count.
    let flops = 4.0 * (4 * 12 * 64) as f64 * (512.0 * 513.0 / 2.0);
    report.time(
        "attention forward 4 x 512, 12 x 64".to_owned(),
        flops,
        "GFLOP/s",
        || {
            black_box(attention(inputs, heads, &segments));
        },
    );
    report.time(
        "attention backward 4 x 512, 12 x 64".to_owned(),
        2.5 * flops,
        "GFLOP/s",
        || {
            black_box(attention_backward(
                inputs,
                Factor::dense(&dout, n, width),
                heads,
                &segments,
            ));
        },
    );
}

fn loss_head(report: &mut Report) {
    let (n, c, v) = (2048, 768, 32000);
    let (hidden, weight) = (values(n * c, 1), values(v * c, 2));
    let mut dweight = vec![0.0; v * c];
    for (name, every) in [("all rows", 1), ("one row in five", 5)] {
        let targets: Vec<Option<u32>> = (0..n)
            .map(|row| (row % every == 0).then_some((row * 31 % v) as u32))
            .collect();
        let n_learned = targets.iter().flatten().count();
        let scales = Scales {
            logit: 0.05,
            gradient: 1.0 / n_learned as f32,
        };
        let flops = 6.0 * (n_learned * c * v) as f64;
        report.time(format!("loss head {name}"), flops, "GFLOP/s", || {
            let weight = Factor::dense(&weight, v, c);
            black_box(linear_cross_entropy(
                &hidden,
                weight,
                &targets,
                scales,
                Precision::Bf16,
                Some(&mut dweight),
            ));
        });
    }
}

fn optimiser(report: &mut Report) {
    let n = 1 << 25;
    let adamw = AdamW {
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.1,
    };
    let schedule = Schedule {
        lr: 1e-3,
        gradient_scale: 1.0,
        step: 3,
    };
    let (mut weight, mut first, mut second, gradient) =
        (values(n, 1), vec![0.0; n], vec![0.0; n], values(n, 2));
    report.time(
        "adamw 32 Mi parameters".to_owned(),
        28.0 * n as f64,
        "GB/s",
        || {
            adamw.step(&mut weight, &mut first, &mut second, &gradient, schedule);
        },
    );
    let mut copy = vec![0.0f32; n];
    report.time(
        "copy 32 Mi floats".to_owned(),
        8.0 * n as f64,
        "GB/s",
        || {
            copy.copy_from_slice(black_box(&weight));
        },
    );
    let _rounded: Vec<bf16> = Vec::new();
}
