//! Causal attention over packed segments: a row sees the rows of its own segment up to itself.
//!
//! Scores are held for some query rows at a time, so memory grows with the length of a segment, not with its
//! square; the backward pass computes them again.
//!
//! # Source
//! Vaswani et al. 2017, equation 1: <https://arxiv.org/abs/1706.03762>; grouped queries: Ainslie et al. 2023,
//! <https://arxiv.org/abs/2305.13245>.

use std::ops::Range;

use rayon::prelude::*;

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};
use crate::product::{self, Right, Target};
use crate::scratch;
use crate::simd::widest;
use crate::softmax;

/// Query rows whose scores are held at one time.
const ROWS_PER_BLOCK: usize = 64;

/// How heads are laid out in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// `H`, query heads.
    pub n_query: usize,
    /// `K`, key and value heads; divides `n_query`.
    pub n_kv: usize,
    /// `D`, width of a head.
    pub width: usize,
}

/// Queries, keys and values of all rows, and how they are multiplied.
///
/// # Shape
/// `q: [N, H · D]`, `k` and `v: [N, K · D]`.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Queries, in f32 or bf16.
    pub q: Factor<'a>,
    /// Keys, in f32 or bf16.
    pub k: Factor<'a>,
    /// Values, in f32 or bf16.
    pub v: Factor<'a>,
    /// Factor on the scores before the softmax: `1/√D` unless the model has its own.
    pub scale: f32,
    /// How many rows a row sees, itself included; all of its segment up to itself without.
    pub window: Option<usize>,
    /// In which precision they are multiplied.
    pub precision: Precision,
}

/// One key/value head of one segment: the unit of parallel work.
#[derive(Debug, Clone, Copy)]
struct Task {
    start: usize,
    length: usize,
    kv_head: usize,
}

impl Task {
    /// Rows among all segments, and columns, of the keys and values.
    fn place(&self, heads: Heads) -> (Range<usize>, Range<usize>) {
        (
            self.start..self.start + self.length,
            self.kv_head * heads.width..(self.kv_head + 1) * heads.width,
        )
    }

    fn keys<'a>(&self, data: Factor<'a>, heads: Heads) -> Factor<'a> {
        let (rows, columns) = self.place(heads);
        data.block(rows, columns)
    }
}

impl Heads {
    fn group_size(self) -> usize {
        self.n_query / self.n_kv
    }

    /// The query heads that share the key/value head of a task.
    fn query_heads(self, task: Task) -> Range<usize> {
        let n = self.group_size();
        task.kv_head * n..(task.kv_head + 1) * n
    }

    fn tasks(self, segments: &[usize]) -> Vec<Task> {
        let bounds = segments
            .windows(2)
            .map(|bounds| (bounds[0], bounds[1] - bounds[0]));
        let mut tasks: Vec<_> = bounds
            .flat_map(|(start, length)| {
                (0..self.n_kv).map(move |kv_head| Task {
                    start,
                    length,
                    kv_head,
                })
            })
            .collect();
        // Long segments first, so that no thread is left alone with one at the end.
        tasks.sort_by_key(|task| std::cmp::Reverse(task.length));
        tasks
    }
}

impl Inputs<'_> {
    fn check(&self, heads: Heads, segments: &[usize]) {
        let n = segments.last().copied().unwrap_or(0);
        for (name, factor, n_heads) in [
            ("q", self.q, heads.n_query),
            ("k", self.k, heads.n_kv),
            ("v", self.v, heads.n_kv),
        ] {
            assert_eq!(
                [factor.n_rows(), factor.n_columns()],
                [n, n_heads * heads.width],
                "shape of {name}"
            );
        }
    }

    /// The first row of its segment that row `row` sees.
    fn first_seen(&self, row: usize) -> usize {
        self.window
            .map_or(0, |window| (row + 1).saturating_sub(window))
    }
}

/// Some query rows of one head, and the rows that any of them sees.
#[derive(Debug, Clone)]
struct Block {
    /// Within the segment.
    queries: Range<usize>,
    /// Within the segment.
    keys: Range<usize>,
    task: Task,
    query_head: usize,
}

impl Block {
    fn of_head(inputs: &Inputs<'_>, task: Task, query_head: usize) -> impl Iterator<Item = Self> {
        (0..task.length).step_by(ROWS_PER_BLOCK).map(move |from| {
            let to = (from + ROWS_PER_BLOCK).min(task.length);
            Self {
                queries: from..to,
                keys: inputs.first_seen(from) / Right::ALIGNMENT * Right::ALIGNMENT..to,
                task,
                query_head,
            }
        })
    }

    /// Rows among all segments, and columns, of the queries.
    fn query_place(&self, heads: Heads) -> [Range<usize>; 2] {
        [
            self.task.start + self.queries.start..self.task.start + self.queries.end,
            self.query_head * heads.width..(self.query_head + 1) * heads.width,
        ]
    }

    /// Rows among all segments, and columns, of the keys and values.
    fn key_place(&self, heads: Heads) -> [Range<usize>; 2] {
        let kv_head = self.task.kv_head;
        [
            self.task.start + self.keys.start..self.task.start + self.keys.end,
            kv_head * heads.width..(kv_head + 1) * heads.width,
        ]
    }

    fn queries<'a>(&self, data: Factor<'a>, heads: Heads) -> Factor<'a> {
        let [rows, columns] = self.query_place(heads);
        data.block(rows, columns)
    }
}

/// `softmax(scale · q · kᵀ) · v` for every head and segment.
///
/// `segments` are the first rows of the packed segments and the number of rows, ascending: `[0, …, N]`.
///
/// # Shape
/// Result `[N, H · D]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn attention(inputs: Inputs<'_>, heads: Heads, segments: &[usize]) -> Vec<f32> {
    let mut out = vec![0.0; inputs.q.n_rows() * heads.n_query * heads.width];
    attention_into(&mut out, inputs, heads, segments);
    out
}

/// [`attention`] into memory that is there already.
///
/// # Panics
/// When the shapes do not fit.
pub fn attention_into(out: &mut [f32], inputs: Inputs<'_>, heads: Heads, segments: &[usize]) {
    inputs.check(heads, segments);
    let width = heads.n_query * heads.width;
    assert_eq!(
        out.len(),
        inputs.q.n_rows() * width,
        "numbers of the result"
    );
    let target = Target::dense(out, width);
    heads.tasks(segments).into_par_iter().for_each(|task| {
        let keys = Right::new(inputs.precision, task.keys(inputs.k, heads).transposed());
        let values = Right::new(inputs.precision, task.keys(inputs.v, heads));
        for query_head in heads.query_heads(task) {
            for block in Block::of_head(&inputs, task, query_head) {
                let [rows, columns] = block.query_place(heads);
                // SAFETY: every block has rows or columns of its own.
                #[allow(unsafe_code)]
                let mut out = unsafe { target.part(rows, columns) };
                let n_keys = block.keys.len();
                let mut weights = scratch::floats(block.queries.len() * n_keys);
                let mut factors = scratch::floats(block.queries.len());
                unscaled_weights(&mut weights, &mut factors, &inputs, &keys, heads, &block);
                let weights = Factor::dense(&weights, block.queries.len(), n_keys);
                values.multiply(
                    &out,
                    [0.0, 1.0],
                    weights,
                    block.keys.clone(),
                    0..heads.width,
                );
                widest(|| {
                    for (row, factor) in factors.iter().enumerate() {
                        softmax::scale(out.row_mut(row), *factor);
                    }
                });
            }
        }
    });
}

/// Attention weights of the queries of a block on its keys, and the factor that makes those of a query sum to 1; zero where
/// a query does not see the key.
fn unscaled_weights(
    weights: &mut [f32],
    factors: &mut [f32],
    inputs: &Inputs<'_>,
    keys: &Right,
    heads: Heads,
    block: &Block,
) {
    let n_keys = block.keys.len();
    let queries = block.queries(inputs.q, heads);
    let target = Target::dense(weights, n_keys);
    keys.multiply(
        &target,
        [0.0, inputs.scale],
        queries,
        0..heads.width,
        block.keys.clone(),
    );
    widest(|| {
        for ((row, weights), factor) in block
            .queries
            .clone()
            .zip(weights.chunks_exact_mut(n_keys))
            .zip(factors)
        {
            let seen = inputs.first_seen(row) - block.keys.start..row + 1 - block.keys.start;
            weights[..seen.start].fill(0.0);
            weights[seen.end..].fill(0.0);
            *factor = softmax::unscaled(&mut weights[seen]);
        }
    });
}

/// Gradients of [`attention`] by queries, keys and values.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// `[N, H · D]`.
    pub dq: Vec<f32>,
    /// `[N, K · D]`.
    pub dk: Vec<f32>,
    /// `[N, K · D]`.
    pub dv: Vec<f32>,
}

/// Gradients of [`attention`]; `dout: [N, H · D]` is that of its result.
///
/// # Panics
/// When the shapes do not fit.
pub fn attention_backward(
    inputs: Inputs<'_>,
    dout: Factor<'_>,
    heads: Heads,
    segments: &[usize],
) -> Gradients {
    let n = inputs.q.n_rows();
    let (width, kv_width) = (heads.n_query * heads.width, heads.n_kv * heads.width);
    let mut gradients = Gradients {
        dq: vec![0.0; n * width],
        dk: vec![0.0; n * kv_width],
        dv: vec![0.0; n * kv_width],
    };
    let Gradients { dq, dk, dv } = &mut gradients;
    attention_backward_into([dq, dk, dv], inputs, dout, heads, segments);
    gradients
}

/// [`attention_backward`] into memory that is there already.
///
/// # Panics
/// When the shapes do not fit.
pub fn attention_backward_into(
    [dq, dk, dv]: [&mut [f32]; 3],
    inputs: Inputs<'_>,
    dout: Factor<'_>,
    heads: Heads,
    segments: &[usize],
) {
    inputs.check(heads, segments);
    let n = inputs.q.n_rows();
    let (width, kv_width) = (heads.n_query * heads.width, heads.n_kv * heads.width);
    assert_eq!(
        [dq.len(), dk.len(), dv.len()],
        [n * width, n * kv_width, n * kv_width],
        "numbers of the gradients"
    );
    let targets = Targets {
        dq: Target::dense(dq, width),
        dk: Target::dense(dk, kv_width),
        dv: Target::dense(dv, kv_width),
    };
    heads.tasks(segments).into_par_iter().for_each(|task| {
        targets.clear_keys(task, heads);
        let keys = task.keys(inputs.k, heads);
        let packed = PackedKeys {
            keys: Right::new(inputs.precision, keys),
            keys_transposed: Right::new(inputs.precision, keys.transposed()),
            values_transposed: Right::new(
                inputs.precision,
                task.keys(inputs.v, heads).transposed(),
            ),
        };
        for query_head in heads.query_heads(task) {
            for block in Block::of_head(&inputs, task, query_head) {
                block_backward(&targets, &inputs, &packed, dout, heads, &block);
            }
        }
    });
}

/// Where the gradients of all heads go.
struct Targets<'a> {
    dq: Target<'a>,
    dk: Target<'a>,
    dv: Target<'a>,
}

impl Targets<'_> {
    /// Sets the gradients of the keys and values of a task to zero.
    fn clear_keys(&self, task: Task, heads: Heads) {
        let (rows, columns) = task.place(heads);
        for target in [&self.dk, &self.dv] {
            // SAFETY: a task has these columns in its segment to itself.
            #[allow(unsafe_code)]
            let mut part = unsafe { target.part(rows.clone(), columns.clone()) };
            for row in 0..rows.len() {
                part.row_mut(row).fill(0.0);
            }
        }
    }
}

/// What all blocks of a task multiply with.
struct PackedKeys {
    keys: Right,
    keys_transposed: Right,
    values_transposed: Right,
}

/// One block: sets the gradient of its queries and adds to those of the keys and values that it sees.
fn block_backward(
    targets: &Targets<'_>,
    inputs: &Inputs<'_>,
    packed: &PackedKeys,
    dout: Factor<'_>,
    heads: Heads,
    block: &Block,
) {
    let (n_queries, n_keys) = (block.queries.len(), block.keys.len());
    let mut weights = scratch::floats(n_queries * n_keys);
    let mut factors = scratch::floats(n_queries);
    unscaled_weights(
        &mut weights,
        &mut factors,
        inputs,
        &packed.keys_transposed,
        heads,
        block,
    );
    let dout = block.queries(dout, heads);
    let mut dscores = scratch::floats(n_queries * n_keys);
    let target = Target::dense(&mut dscores, n_keys);
    let keys = block.keys.clone();
    packed
        .values_transposed
        .multiply(&target, [0.0, 1.0], dout, 0..heads.width, keys.clone());
    widest(|| {
        for ((dscores, weights), factor) in dscores
            .chunks_exact_mut(n_keys)
            .zip(weights.chunks_exact_mut(n_keys))
            .zip(factors.iter())
        {
            softmax::scale(weights, *factor);
            softmax::backward(dscores, weights);
        }
    });
    let weights = Factor::dense(&weights, n_queries, n_keys).transposed();
    let dscores = Factor::dense(&dscores, n_queries, n_keys);
    let [query_rows, query_columns] = block.query_place(heads);
    let [key_rows, key_columns] = block.key_place(heads);
    // SAFETY: a task has the columns of its heads in its segment to itself, and no two parts of one target are alive.
    #[allow(unsafe_code)]
    let (dq, dk, dv) = unsafe {
        (
            targets.dq.part(query_rows, query_columns),
            targets.dk.part(key_rows.clone(), key_columns.clone()),
            targets.dv.part(key_rows, key_columns),
        )
    };
    packed
        .keys
        .multiply(&dq, [0.0, inputs.scale], dscores, keys, 0..heads.width);
    let multiply = |out: Target<'_>, scale: f32, a: Factor<'_>, b: Factor<'_>| {
        product::multiply(inputs.precision, out, 1.0, scale, a, b, Threads::One);
    };
    multiply(dv, 1.0, weights, dout);
    let queries = block.queries(inputs.q, heads);
    multiply(dk, inputs.scale, dscores.transposed(), queries);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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

    /// Every element within `tolerance` of the expected one, relative to its size or to 1; NaN fails.
    pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let limit = tolerance * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= limit,
                "element {index}: {found}, expected {expected}"
            );
        }
    }

    /// A gradient against central differences of the loss.
    pub(crate) fn check_gradient(at: &[f32], gradient: &[f32], loss: impl Fn(&[f32]) -> f64) {
        const STEP: f32 = 1e-2;
        assert_eq!(at.len(), gradient.len());
        for (index, gradient) in gradient.iter().enumerate() {
            let moved = |by: f32| {
                let mut moved = at.to_vec();
                moved[index] += by;
                loss(&moved)
            };
            let difference = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            let limit = 2e-3 * difference.abs().max(1.0);
            assert!(
                (f64::from(*gradient) - difference).abs() <= limit,
                "element {index}: {gradient}, expected {difference}"
            );
        }
    }

    /// Queries, keys and values of `n` rows that look random.
    struct Sample {
        q: Vec<f32>,
        k: Vec<f32>,
        v: Vec<f32>,
        heads: Heads,
        n: usize,
    }

    impl Sample {
        fn new(n_query: usize, n_kv: usize, width: usize, n: usize) -> Self {
            Self {
                q: values(n * n_query * width, 1),
                k: values(n * n_kv * width, 2),
                v: values(n * n_kv * width, 3),
                heads: Heads {
                    n_query,
                    n_kv,
                    width,
                },
                n,
            }
        }

        fn inputs(&self, scale: f32, window: Option<usize>) -> Inputs<'_> {
            let (width, kv_width) = (self.q.len() / self.n, self.k.len() / self.n);
            Inputs {
                q: Factor::dense(&self.q, self.n, width),
                k: Factor::dense(&self.k, self.n, kv_width),
                v: Factor::dense(&self.v, self.n, kv_width),
                scale,
                window,
                precision: Precision::F32,
            }
        }

        /// Attention as its equation stands.
        fn naive(&self, scale: f32, window: Option<usize>, segments: &[usize]) -> Vec<f32> {
            let Heads {
                n_query,
                n_kv,
                width,
            } = self.heads;
            let mut out = vec![0.0; self.q.len()];
            for bounds in segments.windows(2) {
                for row in bounds[0]..bounds[1] {
                    let seen = (bounds[0]..=row)
                        .filter(|key| window.is_none_or(|window| row - key < window));
                    for query_head in 0..n_query {
                        let kv_head = query_head / self.heads.group_size();
                        let q = &self.q[(row * n_query + query_head) * width..][..width];
                        let at = |key: usize| (key * n_kv + kv_head) * width;
                        let score = |key: usize| {
                            let k = &self.k[at(key)..][..width];
                            (scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>()).exp()
                        };
                        let total: f32 = seen.clone().map(score).sum();
                        for key in seen.clone() {
                            for d in 0..width {
                                out[(row * n_query + query_head) * width + d] +=
                                    score(key) / total * self.v[at(key) + d];
                            }
                        }
                    }
                }
            }
            out
        }
    }

    #[test]
    fn forward_agrees_with_the_naive_form() {
        for (n_query, n_kv, width, segments) in [
            (4, 2, 6, vec![0, 1, 4, 150]),
            (3, 3, 2, vec![0, 7]),
            (2, 1, 24, vec![0, 64, 128, 193]),
        ] {
            let sample = Sample::new(n_query, n_kv, width, segments[segments.len() - 1]);
            for (scale, window) in [(0.5, None), (1.0, Some(1)), (0.7, Some(5)), (0.7, Some(70))] {
                for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.03)] {
                    let inputs = Inputs {
                        precision,
                        ..sample.inputs(scale, window)
                    };
                    assert_close(
                        &attention(inputs, sample.heads, &segments),
                        &sample.naive(scale, window, &segments),
                        tolerance,
                    );
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (n, segments, window) in [(7, vec![0, 2, 7], None), (70, vec![0, 70], Some(3))] {
            let sample = Sample::new(4, 2, 2, n);
            let dout = values(sample.q.len(), 4);
            let loss = |sample: &Sample| {
                let out = attention(sample.inputs(0.6, window), sample.heads, &segments);
                out.iter()
                    .zip(&dout)
                    .map(|(out, dout)| f64::from(*out) * f64::from(*dout))
                    .sum::<f64>()
            };
            let gradients = attention_backward(
                sample.inputs(0.6, window),
                Factor::dense(&dout, n, 8),
                sample.heads,
                &segments,
            );
            let with = |q: &[f32], k: &[f32], v: &[f32]| {
                loss(&Sample {
                    q: q.to_vec(),
                    k: k.to_vec(),
                    v: v.to_vec(),
                    ..sample
                })
            };
            check_gradient(&sample.q, &gradients.dq, |q| with(q, &sample.k, &sample.v));
            check_gradient(&sample.k, &gradients.dk, |k| with(&sample.q, k, &sample.v));
            check_gradient(&sample.v, &gradients.dv, |v| with(&sample.q, &sample.k, v));
        }
    }

    #[test]
    fn what_was_in_the_memory_before_is_overwritten() {
        let sample = Sample::new(4, 2, 6, 70);
        let (inputs, segments) = (sample.inputs(0.6, Some(9)), [0, 5, 70]);
        let mut out = vec![f32::NAN; sample.q.len()];
        attention_into(&mut out, inputs, sample.heads, &segments);
        assert_eq!(out, attention(inputs, sample.heads, &segments));
        let dout = Factor::dense(&out, 70, 24);
        let expected = attention_backward(inputs, dout, sample.heads, &segments);
        let mut found = Gradients {
            dq: vec![f32::NAN; sample.q.len()],
            dk: vec![f32::NAN; sample.k.len()],
            dv: vec![f32::NAN; sample.v.len()],
        };
        let Gradients { dq, dk, dv } = &mut found;
        attention_backward_into([dq, dk, dv], inputs, dout, sample.heads, &segments);
        assert_eq!(found, expected);
    }

    #[test]
    fn nan_reaches_the_rows_that_see_it() {
        let mut sample = Sample::new(1, 1, 4, 6);
        sample.k[3 * 4] = f32::NAN;
        let out = attention(sample.inputs(1.0, None), sample.heads, &[0, 5, 6]);
        for (row, out) in out.chunks_exact(4).enumerate() {
            let is_expected = |value: &f32| value.is_nan() == (3..5).contains(&row);
            assert!(out.iter().all(is_expected), "row {row}: {out:?}");
        }
    }

    #[test]
    fn a_row_does_not_see_other_segments_or_later_rows() {
        let mut sample = Sample::new(1, 1, 2, 6);
        let before = attention(sample.inputs(1.0, None), sample.heads, &[0, 3, 6]);
        sample.v[8..].fill(9.0);
        let after = attention(sample.inputs(1.0, None), sample.heads, &[0, 3, 6]);
        assert_eq!(before[..8], after[..8]);
        assert_ne!(before[8..], after[8..]);
    }
}
