//! Prints the rate of the matrix products of a linear layer.
#![allow(clippy::print_stdout)]
use ilab_kernels::matmul::{LinearShape, Precision, linear, linear_backward};
use std::time::Instant;
fn main() {
    for (n, i, o) in [
        (4096, 256, 768),
        (4096, 768, 256),
        (4096, 256, 256),
        (2048, 1024, 1024),
        (256, 256, 2048),
    ] {
        let (x, w, dy) = (
            vec![0.5f32; n * i],
            vec![0.5f32; o * i],
            vec![0.5f32; n * o],
        );
        let flops = 2.0 * (n * i * o) as f64;
        let time = |f: &mut dyn FnMut()| {
            f();
            let t = Instant::now();
            for _ in 0..20 {
                f()
            }
            t.elapsed().as_secs_f64() / 20.0
        };
        for precision in [Precision::F32, Precision::Bf16] {
            let shape = LinearShape {
                n,
                input: i,
                output: o,
            };
            let fwd = time(&mut || {
                std::hint::black_box(linear(&x, &w, shape, precision));
            });
            let bwd = time(&mut || {
                std::hint::black_box(linear_backward(&x, &w, &dy, shape, precision));
            });
            println!(
                "{precision:?} {n}x{i}x{o}: forward {:.0} GFLOP/s, backward {:.0} GFLOP/s",
                flops / fwd / 1e9,
                2.0 * flops / bwd / 1e9
            );
        }
    }
}
