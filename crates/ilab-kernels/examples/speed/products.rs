//! Products: of linear layers, of low-rank adapters, and of one thread.

use std::hint::black_box;

use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::{Precision, Threads};
use ilab_kernels::matrix::{Format, Matrix};
use ilab_kernels::rounding::to_bf16;

use crate::report::{Report, check, values};

/// Rows, width of the input, width of the output.
const LAYERS: [[usize; 3]; 6] = [
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [2048, 768, 768],
    [2048, 768, 2048],
    [2048, 2048, 768],
    [2048, 768, 32000],
];
/// The layer that is also timed with quantised weights.
const QUANTISED: [usize; 3] = [2048, 768, 2048];

/// Forward, and both gradients, in every precision and format of the weight.
pub(crate) fn linear_layers(report: &mut Report) {
    for shape in LAYERS {
        layer(report, shape, Precision::F32, Format::F32);
        layer(report, shape, Precision::Bf16, Format::F32);
        layer(report, shape, Precision::Bf16, Format::Bf16);
        if shape == QUANTISED {
            layer(report, shape, Precision::Bf16, Format::Q8);
            layer(report, shape, Precision::Bf16, Format::Nf4);
        }
    }
}

fn layer(
    report: &mut Report,
    [n, input, output]: [usize; 3],
    precision: Precision,
    format: Format,
) {
    let name = |what: &str| {
        format!("{precision:?} {what} [{n}, {input}] x {format:?} [{output}, {input}]")
            .to_lowercase()
    };
    let names = ["forward", "dx", "dw"].map(name);
    if !names.iter().any(|name| report.is_wanted(name)) {
        return;
    }
    // What is saved for the backward pass is bf16 when the products are.
    let kept = match precision {
        Precision::F32 => Format::F32,
        Precision::Bf16 => Format::Bf16,
    };
    let x = Matrix::rounded(&values(n * input, 1), n, input, kept);
    let w = Matrix::rounded(&values(output * input, 2), output, input, format);
    let dy = Matrix::rounded(&values(n * output, 3), n, output, kept);
    let (mut y, mut dx, mut dw) = (
        vec![0.0; n * output],
        vec![0.0; n * input],
        vec![0.0; output * input],
    );
    let [x_factor, w_factor, dy_factor] = [&x, &w, &dy].map(Matrix::as_factor);
    forward(&mut y, x_factor, w_factor, precision);
    input_gradient(&mut dx, w_factor, dy_factor, precision);
    add_weight_gradient(&mut dw, x_factor, dy_factor, precision);

    let (x_values, w_values, dy_values) = (x.to_f32(), w.to_f32(), dy.to_f32());
    let sum = |n: usize, term: &dyn Fn(usize) -> [f32; 2]| -> f64 {
        (0..n)
            .map(|k| term(k).map(f64::from).iter().product::<f64>())
            .sum()
    };
    // Of rounded factors every term is off by 2⁻⁹ or so.
    let tolerance = |k: usize| {
        (k as f64).sqrt()
            * if precision == Precision::F32 {
                1e-5
            } else {
                1e-2
            }
    };
    for sample in 0..64 {
        let [row, i, o] = [sample * 37 % n, sample * 53 % input, sample * 811 % output];
        let expected = sum(input, &|k| {
            [x_values[row * input + k], w_values[o * input + k]]
        });
        check(&names[0], y[row * output + o], expected, tolerance(input));
        let expected = sum(output, &|k| {
            [dy_values[row * output + k], w_values[k * input + i]]
        });
        check(&names[1], dx[row * input + i], expected, tolerance(output));
        let expected = sum(n, &|k| [dy_values[k * output + o], x_values[k * input + i]]);
        check(&names[2], dw[o * input + i], expected, tolerance(n));
    }

    let flops = 2.0 * (n * input * output) as f64;
    report.time(&names[0], flops, "GFLOP/s", || {
        forward(black_box(&mut y), x_factor, w_factor, precision);
    });
    report.time(&names[1], flops, "GFLOP/s", || {
        input_gradient(black_box(&mut dx), w_factor, dy_factor, precision);
    });
    // The gradient of a weight that is not in f32 is that of no weight.
    if format == Format::F32 {
        report.time(&names[2], flops, "GFLOP/s", || {
            add_weight_gradient(black_box(&mut dw), x_factor, dy_factor, precision);
        });
    }
}

/// `y = x · wᵀ`.
fn forward(y: &mut [f32], x: Factor<'_>, w: Factor<'_>, precision: Precision) {
    precision.matmul(y, 0.0, 1.0, x, w.transposed(), Threads::All);
}

/// `dx = dy · w`.
fn input_gradient(dx: &mut [f32], w: Factor<'_>, dy: Factor<'_>, precision: Precision) {
    precision.matmul(dx, 0.0, 1.0, dy, w, Threads::All);
}

/// `dw += dyᵀ · x`.
fn add_weight_gradient(dw: &mut [f32], x: Factor<'_>, dy: Factor<'_>, precision: Precision) {
    precision.matmul(dw, 1.0, 1.0, dy.transposed(), x, Threads::All);
}

/// The products of a low-rank adapter beside a layer of 768 by 768.
pub(crate) fn adapters(report: &mut Report) {
    let (n, width, precision) = (2048, 768, Precision::Bf16);
    for rank in [4, 16, 64] {
        let x = to_bf16(&values(n * width, 1));
        let (a, b) = (values(rank * width, 2), values(width * rank, 3));
        let (mut low, mut y, mut da) = (
            vec![0.0; n * rank],
            vec![0.0; n * width],
            vec![0.0; rank * width],
        );
        let x = Factor::dense_bf16(&x, n, width);
        let (a, b) = (
            Factor::dense(&a, rank, width),
            Factor::dense(&b, width, rank),
        );
        let flops = 2.0 * (n * width * rank) as f64;
        report.time(
            &format!("adapter x·aᵀ rank {rank}"),
            flops,
            "GFLOP/s",
            || {
                forward(black_box(&mut low), x, a, precision);
            },
        );
        report.time(
            &format!("adapter u·bᵀ rank {rank}"),
            flops,
            "GFLOP/s",
            || {
                forward(
                    black_box(&mut y),
                    Factor::dense(&low, n, rank),
                    b,
                    precision,
                );
            },
        );
        report.time(&format!("adapter da rank {rank}"), flops, "GFLOP/s", || {
            let low = Factor::dense(&low, n, rank);
            add_weight_gradient(black_box(&mut da), x, low, precision);
        });
    }
}

/// The scores of a block of queries, inside a parallel loop.
pub(crate) fn one_thread(report: &mut Report) {
    let (q, k) = (values(64 * 64, 1), values(512 * 64, 2));
    let mut scores = vec![0.0; 64 * 512];
    let flops = 2.0 * (64 * 64 * 512) as f64;
    report.time("one thread [64, 64] x [512, 64]", flops, "GFLOP/s", || {
        let (q, k) = (Factor::dense(&q, 64, 64), Factor::dense(&k, 512, 64));
        let scores = black_box(&mut scores);
        Precision::Bf16.matmul(scores, 0.0, 1.0, q, k.transposed(), Threads::One);
    });
}
