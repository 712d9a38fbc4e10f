//! Everything that is not a plain product.

use std::hint::black_box;

use ilab_kernels::adamw::{AdamW, Schedule, sum_of_squares};
use ilab_kernels::attention::{
    Heads, Inputs, attention, attention_backward, attention_backward_into, attention_into,
};
use ilab_kernels::cross_entropy::{Scales, linear_cross_entropy};
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::Precision;
use ilab_kernels::residual;
use ilab_kernels::rms_norm::{rms_norm_backward_add, rms_norm_into};
use ilab_kernels::rope::{RopeTable, Turn, rope_in_place};
use ilab_kernels::swiglu::{swiglu_backward_in_place, swiglu_into};

use crate::report::{Report, check, values};

/// Rows of a batch.
const N: usize = 2048;
/// Width of the residual stream.
const C: usize = 768;

/// Four segments of 512 rows, twelve heads of 64.
pub(crate) fn attention_of_a_batch(report: &mut Report) {
    let names = ["attention forward", "attention backward"];
    if !names.iter().any(|name| report.is_wanted(name)) {
        return;
    }
    let heads = Heads {
        n_query: 12,
        n_kv: 12,
        width: 64,
    };
    let segments = [0, 512, 1024, 1536, N];
    let [q, k, v, dout] = [1, 2, 3, 4].map(|seed| values(N * C, seed));
    let inputs = Inputs {
        q: Factor::dense(&q, N, C),
        k: Factor::dense(&k, N, C),
        v: Factor::dense(&v, N, C),
        scale: 0.125,
        window: None,
        precision: Precision::Bf16,
    };
    let dout = Factor::dense(&dout, N, C);
    let mut out = attention(inputs, heads, &segments);
    let mut gradients = attention_backward(inputs, dout, heads, &segments);
    // One query of the third head of the second segment.
    let (row, at) = (700, 2 * heads.width);
    let head = |data: &[f32], row: usize| -> Vec<f64> {
        let head = &data[row * C + at..][..heads.width];
        head.iter().map(|value| f64::from(*value)).collect()
    };
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    let query = head(&q, row);
    let weights: Vec<f64> = (512..=row)
        .map(|key| (0.125 * dot(&query, &head(&k, key))).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let dout_of_row = head(&dout.to_f32(), row);
    let expected: Vec<f64> = (0..heads.width)
        .map(|d| {
            let terms = weights.iter().zip(512..);
            terms
                .map(|(weight, key)| weight / total * head(&v, key)[d])
                .sum()
        })
        .collect();
    let mean = dot(&dout_of_row, &expected);
    for (d, expected) in expected.iter().enumerate() {
        check(names[0], out[row * C + at + d], *expected, 0.01);
        let terms = weights.iter().zip(512..).map(|(weight, key)| {
            let dweight = dot(&dout_of_row, &head(&v, key));
            0.125 * weight / total * (dweight - mean) * head(&k, key)[d]
        });
        check(names[1], gradients.dq[row * C + at + d], terms.sum(), 0.01);
    }
    // Only the scores that are seen count.
    let flops = 4.0 * (4 * C) as f64 * (512.0 * 513.0 / 2.0);
    report.time(names[0], flops, "GFLOP/s", || {
        attention_into(black_box(&mut out), inputs, heads, &segments);
    });
    report.time(names[1], 2.5 * flops, "GFLOP/s", || {
        let ilab_kernels::attention::Gradients { dq, dk, dv } = black_box(&mut gradients);
        attention_backward_into([dq, dk, dv], inputs, dout, heads, &segments);
    });
}

/// A vocabulary of 32,000.
pub(crate) fn loss_head(report: &mut Report) {
    let v = 32000;
    let names = [
        ("loss head, all rows", 1),
        ("loss head, one row in five", 5),
    ];
    if !names.iter().any(|(name, _)| report.is_wanted(name)) {
        return;
    }
    let (hidden, weight) = (values(N * C, 1), values(v * C, 2));
    let mut dweight = vec![0.0; v * C];
    for (name, every) in names {
        let targets: Vec<Option<u32>> = (0..N)
            .map(|row| (row % every == 0).then_some((row * 31 % v) as u32))
            .collect();
        let n_learned = targets.iter().flatten().count();
        let scales = Scales {
            logit: 0.05,
            gradient: 1.0 / n_learned as f32,
        };
        let mut run = |targets: &[Option<u32>]| {
            let weight = Factor::dense(&weight, v, C);
            let hidden = &hidden[..targets.len() * C];
            let dweight = Some(dweight.as_mut_slice());
            linear_cross_entropy(hidden, weight, targets, scales, Precision::Bf16, dweight)
        };
        let logit = |o: usize| -> f64 {
            let terms = hidden[..C].iter().zip(&weight[o * C..]);
            0.05 * terms
                .map(|(x, w)| f64::from(*x) * f64::from(*w))
                .sum::<f64>()
        };
        let expected = (0..v).map(|o| logit(o).exp()).sum::<f64>().ln() - logit(0);
        check(name, run(&targets[..1]).loss_sum as f32, expected, 0.01);
        report.time(name, 6.0 * (n_learned * C * v) as f64, "GFLOP/s", || {
            black_box(run(&targets));
        });
    }
}

/// What is limited by memory: bytes that have to be read and written.
pub(crate) fn rows(report: &mut Report) {
    let (n, wide) = ((N * C) as f64, 2048);
    let (mut x, y, weight) = (values(N * C, 1), values(N * C, 2), values(C, 3));
    let (mut out, mut dweight) = (vec![0.0; N * C], vec![0.0; C]);
    rms_norm_into(&mut out, &x, &weight, 1e-5);
    let mean = x[..C].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / C as f64;
    let expected = f64::from(x[5]) / (mean + 1e-5).sqrt() * f64::from(weight[5]);
    check("rms_norm", out[5], expected, 1e-5);
    report.time("rms_norm forward", 8.0 * n, "GB/s", || {
        rms_norm_into(black_box(&mut out), &x, &weight, 1e-5);
    });
    report.time("rms_norm backward", 16.0 * n, "GB/s", || {
        let dweight = Some(dweight.as_mut_slice());
        rms_norm_backward_add(black_box(&mut out), &x, &weight, &y, 1e-5, dweight);
    });
    report.time("residual", 12.0 * n, "GB/s", || {
        residual::add(black_box(&mut out), &y)
    });
    let frequencies: Vec<f32> = (0..32).map(|index| 0.7f32.powi(index)).collect();
    let table = RopeTable::new(&frequencies, 512);
    let positions: Vec<u32> = (0..N as u32).map(|row| row % 512).collect();
    let before = [x[C], x[C + 32]];
    rope_in_place(&mut x, &positions, &table, Turn::Forward);
    let (sine, cosine) = 1.0f64.sin_cos();
    let expected = f64::from(before[0]) * cosine - f64::from(before[1]) * sine;
    check("rope", x[C], expected, 1e-5);
    report.time("rope", 8.0 * n, "GB/s", || {
        rope_in_place(black_box(&mut x), &positions, &table, Turn::Forward);
    });
    let [gate, up, dy] = [4, 5, 6].map(|seed| values(N * wide, seed));
    let (mut first, mut second) = (vec![0.0; N * wide], vec![0.0; N * wide]);
    swiglu_into(&mut first, &gate, &up);
    let sigmoid = 1.0 / (1.0 + (-f64::from(gate[9])).exp());
    check(
        "swiglu",
        first[9],
        f64::from(gate[9]) * sigmoid * f64::from(up[9]),
        1e-5,
    );
    let n = (N * wide) as f64;
    report.time("swiglu forward", 12.0 * n, "GB/s", || {
        swiglu_into(black_box(&mut first), &gate, &up);
    });
    report.time("swiglu backward", 20.0 * n, "GB/s", || {
        swiglu_backward_in_place(black_box(&mut first), &mut second, &dy);
    });
}

/// One step over 32 Mi parameters, beside a plain copy of as many floats.
pub(crate) fn optimiser(report: &mut Report) {
    let names = ["adamw", "sum of squares", "copy"];
    if !names.iter().any(|name| report.is_wanted(name)) {
        return;
    }
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
        step: 1,
    };
    let (mut weight, gradient) = (values(n, 1), values(n, 2));
    let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
    // The first step is the learning rate in the direction of the sign.
    let expected = f64::from(weight[3]) * (1.0 - 1e-4) - 1e-3 * f64::from(gradient[3].signum());
    adamw.step(&mut weight, &mut first, &mut second, &gradient, schedule);
    check(names[0], weight[3], expected, 1e-6);
    report.time(names[0], 28.0 * n as f64, "GB/s", || {
        adamw.step(
            black_box(&mut weight),
            &mut first,
            &mut second,
            &gradient,
            schedule,
        );
    });
    report.time(names[1], 4.0 * n as f64, "GB/s", || {
        black_box(sum_of_squares(&gradient));
    });
    // By threads as the kernels do it: what the memory gives.
    report.time(names[2], 8.0 * n as f64, "GB/s", || {
        use rayon::prelude::*;
        black_box(&mut first)
            .par_chunks_mut(1 << 15)
            .zip(gradient.par_chunks(1 << 15))
            .for_each(|(to, from)| to.copy_from_slice(from));
    });
}
