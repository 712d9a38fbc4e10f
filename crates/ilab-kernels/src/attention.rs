//! Causal attention over packed segments: a row sees the rows of its own segment up to itself.
//!
//! Scores are held for [`ROWS_PER_BLOCK`] query rows at a time, so memory grows with the length of a segment, not with its
//! square; the backward pass computes them again.
//!
//! # Source
//! Vaswani et al. 2017, equation 1: <https://arxiv.org/abs/1706.03762>; grouped queries: Ainslie et al. 2023,
//! <https://arxiv.org/abs/2305.13245>.

use rayon::prelude::*;

use crate::exponential::exp;
use crate::matmul::{Precision, Threads, View};
use crate::simd::{maximum, sum, widest};

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
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
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

impl Heads {
    fn group_size(self) -> usize {
        self.n_query / self.n_kv
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

/// The columns of one head in rows `from..to` of one segment.
fn rows<'a>(
    data: &'a [f32],
    n_heads: usize,
    heads: Heads,
    task: Task,
    head_idx: usize,
    from: usize,
    to: usize,
) -> View<'a> {
    let stride = n_heads * heads.width;
    View::new(
        &data[(task.start + from) * stride + head_idx * heads.width..],
        to - from,
        heads.width,
        stride,
    )
}

/// Copies a dense `[length, D]` result into its columns.
fn scatter(
    out: &mut [f32],
    dense: &[f32],
    n_heads: usize,
    heads: Heads,
    task: Task,
    head_idx: usize,
) {
    let stride = n_heads * heads.width;
    for (row, values) in dense.chunks_exact(heads.width).enumerate() {
        let at = (task.start + row) * stride + head_idx * heads.width;
        out[at..at + heads.width].copy_from_slice(values);
    }
}

/// `softmax(q · kᵀ / √D) · v` for every head and segment.
///
/// `segments` are the first rows of the packed segments and the number of rows, ascending: `[0, …, N]`.
///
/// # Shape
/// Result `[N, H · D]`.
pub fn attention(inputs: Inputs<'_>, heads: Heads, segments: &[usize]) -> Vec<f32> {
    let parts: Vec<(Task, Vec<Vec<f32>>)> = heads
        .tasks(segments)
        .into_par_iter()
        .map(|task| {
            let first = task.kv_head * heads.group_size();
            let outputs = (first..first + heads.group_size()).map(|query_head| {
                let mut output = vec![0.0; task.length * heads.width];
                for_each_block(task, |from, to| {
                    let scores = probabilities(inputs, heads, task, query_head, from, to);
                    let values = rows(inputs.v, heads.n_kv, heads, task, task.kv_head, 0, to);
                    let block = &mut output[from * heads.width..to * heads.width];
                    inputs.precision.matmul(
                        block,
                        0.0,
                        1.0,
                        View::dense(&scores, to - from, to),
                        values,
                        Threads::One,
                    );
                });
                output
            });
            (task, outputs.collect())
        })
        .collect();
    let mut out = vec![0.0; inputs.q.len()];
    for (task, outputs) in parts {
        for (index, output) in outputs.iter().enumerate() {
            scatter(
                &mut out,
                output,
                heads.n_query,
                heads,
                task,
                task.kv_head * heads.group_size() + index,
            );
        }
    }
    out
}

fn for_each_block(task: Task, mut visit: impl FnMut(usize, usize)) {
    for from in (0..task.length).step_by(ROWS_PER_BLOCK) {
        visit(from, (from + ROWS_PER_BLOCK).min(task.length));
    }
}

/// Attention weights of query rows `from..to` on key rows `0..to`; zero where the key lies after the query.
fn probabilities(
    inputs: Inputs<'_>,
    heads: Heads,
    task: Task,
    query_head: usize,
    from: usize,
    to: usize,
) -> Vec<f32> {
    let mut scores = vec![0.0; (to - from) * to];
    let queries = rows(inputs.q, heads.n_query, heads, task, query_head, from, to);
    let keys = rows(inputs.k, heads.n_kv, heads, task, task.kv_head, 0, to);
    let scale = 1.0 / (heads.width as f32).sqrt();
    inputs.precision.matmul(
        &mut scores,
        0.0,
        scale,
        queries,
        keys.transposed(),
        Threads::One,
    );
    widest(|| {
        for (index, row) in scores.chunks_exact_mut(to).enumerate() {
            let (seen, unseen) = row.split_at_mut(from + index + 1);
            softmax(seen);
            unseen.fill(0.0);
        }
    });
    scores
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let highest = maximum(scores);
    for score in scores.iter_mut() {
        *score = exp(*score - highest);
    }
    let scale = 1.0 / sum(scores.len(), |index| scores[index]);
    for score in scores.iter_mut() {
        *score *= scale;
    }
}

/// Turns gradients by attention weights into gradients by scores.
#[inline(always)]
fn softmax_backward(dscores: &mut [f32], weights: &[f32]) {
    let n = dscores.len().min(weights.len());
    let (dscores, weights) = (&mut dscores[..n], &weights[..n]);
    let dot = sum(n, |index| dscores[index] * weights[index]);
    for (dscore, weight) in dscores.iter_mut().zip(weights) {
        *dscore = weight * (*dscore - dot);
    }
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

/// The gradients of one task: of each query head that shares the key/value head, and of the latter.
struct TaskGradients {
    task: Task,
    dq: Vec<Vec<f32>>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

/// Gradients of [`attention`]; `dout: [N, H · D]` is that of its result.
pub fn attention_backward(
    inputs: Inputs<'_>,
    dout: &[f32],
    heads: Heads,
    segments: &[usize],
) -> Gradients {
    let parts: Vec<TaskGradients> = heads
        .tasks(segments)
        .into_par_iter()
        .map(|task| {
            let mut dk = vec![0.0; task.length * heads.width];
            let mut dv = vec![0.0; task.length * heads.width];
            let first = task.kv_head * heads.group_size();
            let dq = (first..first + heads.group_size())
                .map(|query_head| {
                    head_backward(inputs, dout, heads, task, query_head, &mut dk, &mut dv)
                })
                .collect();
            TaskGradients { task, dq, dk, dv }
        })
        .collect();
    let mut gradients = Gradients {
        dq: vec![0.0; inputs.q.len()],
        dk: vec![0.0; inputs.k.len()],
        dv: vec![0.0; inputs.v.len()],
    };
    for TaskGradients { task, dq, dk, dv } in parts {
        for (index, dq) in dq.iter().enumerate() {
            let query_head = task.kv_head * heads.group_size() + index;
            scatter(
                &mut gradients.dq,
                dq,
                heads.n_query,
                heads,
                task,
                query_head,
            );
        }
        scatter(
            &mut gradients.dk,
            &dk,
            heads.n_kv,
            heads,
            task,
            task.kv_head,
        );
        scatter(
            &mut gradients.dv,
            &dv,
            heads.n_kv,
            heads,
            task,
            task.kv_head,
        );
    }
    gradients
}

/// One query head of one segment; adds to the gradients of the key/value head that it shares and returns its own.
fn head_backward(
    inputs: Inputs<'_>,
    dout: &[f32],
    heads: Heads,
    task: Task,
    query_head: usize,
    dk: &mut [f32],
    dv: &mut [f32],
) -> Vec<f32> {
    let width = heads.width;
    let scale = 1.0 / (width as f32).sqrt();
    let mut dq = vec![0.0; task.length * width];
    for_each_block(task, |from, to| {
        let weights = probabilities(inputs, heads, task, query_head, from, to);
        let dout = rows(dout, heads.n_query, heads, task, query_head, from, to);
        let queries = rows(inputs.q, heads.n_query, heads, task, query_head, from, to);
        let keys = rows(inputs.k, heads.n_kv, heads, task, task.kv_head, 0, to);
        let values = rows(inputs.v, heads.n_kv, heads, task, task.kv_head, 0, to);

        let seen = to * width;
        inputs.precision.matmul(
            &mut dv[..seen],
            1.0,
            1.0,
            View::dense(&weights, to - from, to).transposed(),
            dout,
            Threads::One,
        );
        let mut dscores = vec![0.0; weights.len()];
        inputs.precision.matmul(
            &mut dscores,
            0.0,
            1.0,
            dout,
            values.transposed(),
            Threads::One,
        );
        widest(|| {
            for (dscores, weights) in dscores.chunks_exact_mut(to).zip(weights.chunks_exact(to)) {
                softmax_backward(dscores, weights);
            }
        });
        let dscores = View::dense(&dscores, to - from, to);
        inputs.precision.matmul(
            &mut dq[from * width..to * width],
            0.0,
            scale,
            dscores,
            keys,
            Threads::One,
        );
        inputs.precision.matmul(
            &mut dk[..seen],
            1.0,
            scale,
            dscores.transposed(),
            queries,
            Threads::One,
        );
    });
    dq
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

    /// Attention as its equation stands.
    fn naive(inputs: Inputs<'_>, heads: Heads, segments: &[usize]) -> Vec<f32> {
        let Heads {
            n_query,
            n_kv,
            width,
        } = heads;
        let mut out = vec![0.0; inputs.q.len()];
        for bounds in segments.windows(2) {
            for row in bounds[0]..bounds[1] {
                for query_head in 0..n_query {
                    let kv_head = query_head / heads.group_size();
                    let q = &inputs.q[(row * n_query + query_head) * width..][..width];
                    let at = |key: usize| (key * n_kv + kv_head) * width;
                    let scores: Vec<f32> = (bounds[0]..=row)
                        .map(|key| {
                            let k = &inputs.k[at(key)..][..width];
                            (q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>()
                                / (width as f32).sqrt())
                            .exp()
                        })
                        .collect();
                    let total: f32 = scores.iter().sum();
                    for (key, score) in (bounds[0]..=row).zip(&scores) {
                        for d in 0..width {
                            out[(row * n_query + query_head) * width + d] +=
                                score / total * inputs.v[at(key) + d];
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn forward_agrees_with_the_naive_form() {
        for (n_query, n_kv, width, segments) in [
            (4, 2, 6, vec![0, 1, 4, 150]),
            (3, 3, 2, vec![0, 7]),
            (2, 1, 24, vec![0, 64, 128, 193]),
        ] {
            let heads = Heads {
                n_query,
                n_kv,
                width,
            };
            let n = segments[segments.len() - 1];
            let (q, k, v) = (
                values(n * n_query * width, 1),
                values(n * n_kv * width, 2),
                values(n * n_kv * width, 3),
            );
            let inputs = Inputs {
                q: &q,
                k: &k,
                v: &v,
                precision: Precision::F32,
            };
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.02)] {
                assert_close(
                    &attention(
                        Inputs {
                            precision,
                            ..inputs
                        },
                        heads,
                        &segments,
                    ),
                    &naive(inputs, heads, &segments),
                    tolerance,
                );
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        let heads = Heads {
            n_query: 4,
            n_kv: 2,
            width: 4,
        };
        let segments = [0, 2, 7];
        let n = 7;
        let (q, k, v) = (values(n * 16, 1), values(n * 8, 2), values(n * 8, 3));
        let dout = values(n * 16, 4);
        let loss = |q: &[f32], k: &[f32], v: &[f32]| {
            let out = attention(
                Inputs {
                    q,
                    k,
                    v,
                    precision: Precision::F32,
                },
                heads,
                &segments,
            );
            out.iter()
                .zip(&dout)
                .map(|(out, dout)| f64::from(*out) * f64::from(*dout))
                .sum::<f64>()
        };
        let gradients = attention_backward(
            Inputs {
                q: &q,
                k: &k,
                v: &v,
                precision: Precision::F32,
            },
            &dout,
            heads,
            &segments,
        );
        check_gradient(&q, &gradients.dq, |q| loss(q, &k, &v));
        check_gradient(&k, &gradients.dk, |k| loss(&q, k, &v));
        check_gradient(&v, &gradients.dv, |v| loss(&q, &k, v));
    }

    #[test]
    fn a_row_does_not_see_other_segments_or_later_rows() {
        let heads = Heads {
            n_query: 1,
            n_kv: 1,
            width: 2,
        };
        let (q, k, v) = (values(12, 1), values(12, 2), values(12, 3));
        let before = attention(
            Inputs {
                q: &q,
                k: &k,
                v: &v,
                precision: Precision::F32,
            },
            heads,
            &[0, 3, 6],
        );
        let mut changed = v.clone();
        changed[8..].fill(9.0);
        let after = attention(
            Inputs {
                q: &q,
                k: &k,
                v: &changed,
                precision: Precision::F32,
            },
            heads,
            &[0, 3, 6],
        );
        assert_eq!(before[..8], after[..8]);
        assert_ne!(before[8..], after[8..]);
    }
}
