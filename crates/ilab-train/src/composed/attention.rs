//! Causal attention over packed segments, tile by tile: no matrix of all rows with all rows is ever made, and scores are
//! computed again for the backward pass.

use candle_core::{D, DType, Result, Tensor};
use ilab_kernels::attention::Heads;

use crate::composed::tiles::Tile;

/// What attention reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// `[N, H · D]`, in the type of the factors.
    pub(crate) q: &'a Tensor,
    /// `[N, K · D]`.
    pub(crate) k: &'a Tensor,
    /// `[N, K · D]`.
    pub(crate) v: &'a Tensor,
    pub(crate) heads: Heads,
    /// Factor on `q · k`.
    pub(crate) scale: f32,
    pub(crate) tiles: &'a [(Tile, Tensor)],
}

/// The factors of a tile. Query heads of one key head lie behind one another, so that no key is repeated.
struct Factors {
    /// `[K, G · queries, D]`, where G query heads share a key head.
    q: Tensor,
    /// `[K, keys, D]`.
    k: Tensor,
    /// `[K, keys, D]`.
    v: Tensor,
    /// `[K, G · queries, keys]`, in f32.
    probabilities: Tensor,
}

impl Inputs<'_> {
    /// Rows of queries as `[K, G · rows, D]`.
    fn grouped(&self, rows: &Tensor, tile: &Tile) -> Result<Tensor> {
        let Heads {
            n_query,
            n_kv,
            width,
        } = self.heads;
        let n = tile.queries.len();
        let rows = rows.narrow(0, tile.queries.start, n)?;
        let rows = rows.reshape((n, n_kv, n_query / n_kv, width))?;
        let grouped = rows.permute((1, 2, 0, 3))?.contiguous()?;
        grouped.reshape((n_kv, n_query / n_kv * n, width))
    }

    /// `[K, G · rows, D]` as rows `[rows, H · D]`.
    fn ungrouped(&self, grouped: &Tensor) -> Result<Tensor> {
        let Heads {
            n_query,
            n_kv,
            width,
        } = self.heads;
        let (_, n, _) = grouped.dims3()?;
        let n = n / (n_query / n_kv);
        let rows = grouped.reshape((n_kv, n_query / n_kv, n, width))?;
        rows.permute((2, 0, 1, 3))?
            .contiguous()?
            .reshape((n, n_query * width))
    }

    /// Rows of keys or values as `[K, keys, D]`.
    fn keys(&self, rows: &Tensor, tile: &Tile) -> Result<Tensor> {
        let Heads { n_kv, width, .. } = self.heads;
        let n = tile.keys.len();
        let rows = rows.narrow(0, tile.keys.start, n)?;
        rows.reshape((n, n_kv, width))?
            .transpose(0, 1)?
            .contiguous()
    }

    fn factors(&self, tile: &Tile, mask: &Tensor) -> Result<Factors> {
        let Heads { n_query, n_kv, .. } = self.heads;
        let q = self.grouped(self.q, tile)?;
        let (k, v) = (self.keys(self.k, tile)?, self.keys(self.v, tile)?);
        let scores = q.matmul(&k.t()?)?.to_dtype(DType::F32)?;
        let scores = scores.affine(f64::from(self.scale), 0.0)?;
        let (_, n_grouped, n_keys) = scores.dims3()?;
        let of_heads = (n_query, n_grouped * n_kv / n_query, n_keys);
        let masked = scores
            .reshape(of_heads)?
            .broadcast_add(&widened(mask, n_keys)?)?;
        let probabilities = softmax(&masked)?.reshape((n_kv, n_grouped, n_keys))?;
        Ok(Factors {
            q,
            k,
            v,
            probabilities,
        })
    }
}

/// A mask of the last keys as one of all `n_keys`.
fn widened(mask: &Tensor, n_keys: usize) -> Result<Tensor> {
    let (n_queries, n_masked) = mask.dims2()?;
    if n_masked == n_keys {
        return Ok(mask.clone());
    }
    let seen = Tensor::zeros((n_queries, n_keys - n_masked), mask.dtype(), mask.device())?;
    Tensor::cat(&[&seen, mask], 1)
}

/// What each row takes from those that it sees.
///
/// # Shape
/// Result `[N, H · D]`, in f32.
pub(crate) fn attention(inputs: Inputs<'_>) -> Result<Tensor> {
    let attended = inputs.tiles.iter().map(|(tile, mask)| {
        let Factors {
            v, probabilities, ..
        } = inputs.factors(tile, mask)?;
        let attended = probabilities.to_dtype(v.dtype())?.matmul(&v)?;
        inputs.ungrouped(&attended)?.to_dtype(DType::F32)
    });
    Tensor::cat(&attended.collect::<Result<Vec<_>>>()?, 0)
}

/// The gradients of `q`, `k` and `v`, in f32, from that of the result.
pub(crate) fn attention_backward(inputs: Inputs<'_>, dy: &Tensor) -> Result<[Tensor; 3]> {
    let dy = dy.to_dtype(inputs.q.dtype())?;
    let (n, _) = inputs.k.dims2()?;
    let Heads { n_kv, width, .. } = inputs.heads;
    let zeros = || Tensor::zeros((n, n_kv, width), DType::F32, dy.device());
    let (dk, dv) = (zeros()?, zeros()?);
    let mut dq = Vec::with_capacity(inputs.tiles.len());
    for (tile, mask) in inputs.tiles {
        let Factors {
            q,
            k,
            v,
            probabilities,
        } = inputs.factors(tile, mask)?;
        let dattended = inputs.grouped(&dy, tile)?;
        let dprobabilities = dattended.matmul(&v.t()?)?.to_dtype(DType::F32)?;
        let along = dprobabilities.mul(&probabilities)?.sum_keepdim(D::Minus1)?;
        let dscores = dprobabilities.broadcast_sub(&along)?.mul(&probabilities)?;
        let dscores = dscores
            .affine(f64::from(inputs.scale), 0.0)?
            .to_dtype(q.dtype())?;
        let probabilities = probabilities.to_dtype(q.dtype())?;
        dq.push(
            inputs
                .ungrouped(&dscores.matmul(&k)?)?
                .to_dtype(DType::F32)?,
        );
        add_rows(&dk, &dscores.t()?.matmul(&q)?, tile)?;
        add_rows(&dv, &probabilities.t()?.matmul(&dattended)?, tile)?;
    }
    let flat = |rows: Tensor| rows.reshape((n, n_kv * width));
    Ok([Tensor::cat(&dq, 0)?, flat(dk)?, flat(dv)?])
}

/// Adds `[K, keys, D]` to the rows of a tile's keys in `sum: [N, K, D]`.
fn add_rows(sum: &Tensor, of_tile: &Tensor, tile: &Tile) -> Result<()> {
    let of_tile = of_tile.transpose(0, 1)?.to_dtype(DType::F32)?;
    let before = sum.narrow(0, tile.keys.start, tile.keys.len())?;
    let after = before.add(&of_tile)?.contiguous()?;
    sum.slice_set(&after, 0, tile.keys.start)
}

/// Shares of 1 along the last axis; -∞ has none.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let highest = scores.max_keepdim(D::Minus1)?;
    let exponentials = scores.broadcast_sub(&highest)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composed::batch::masked;
    use candle_core::Device;

    /// Result and gradients, one after the other, with tiles of `n_rows`.
    fn computed(n_rows: usize, window: Option<usize>) -> Vec<f32> {
        let segments = [0, 3, 4, 21, 30];
        let heads = Heads {
            n_query: 4,
            n_kv: 2,
            width: 6,
        };
        let values = |seed: usize, width: usize| {
            let values = (0..30 * width).map(|i| ((i * 37 + seed * 11) % 97) as f32 / 97.0 - 0.5);
            Tensor::from_iter(values, &Device::Cpu)
                .unwrap()
                .reshape((30, width))
                .unwrap()
        };
        let (q, k, v, dy) = (values(1, 24), values(2, 12), values(3, 12), values(4, 24));
        let tiles = masked(&segments, window, n_rows, &Device::Cpu).unwrap();
        let inputs = Inputs {
            q: &q,
            k: &k,
            v: &v,
            heads,
            scale: 3.0,
            tiles: &tiles,
        };
        let mut all = vec![attention(inputs).unwrap()];
        all.extend(attention_backward(inputs, &dy).unwrap());
        let numbers = all
            .iter()
            .map(|x| x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        numbers.flatten().collect()
    }

    #[test]
    fn tiles_of_any_size_compute_the_same() {
        for window in [None, Some(5)] {
            let whole = computed(64, window);
            for n_rows in [1, 4, 7, 17] {
                for (index, (found, expected)) in
                    computed(n_rows, window).iter().zip(&whole).enumerate()
                {
                    assert!(
                        (found - expected).abs() <= 1e-6 + 1e-5 * expected.abs(),
                        "{index}: {found} in tiles of {n_rows}, {expected} in one"
                    );
                }
            }
        }
    }
}
