//! Low-rank adapters: `y += α/r · dropout(x) · Aᵀ · Bᵀ`, with `A` and `B` trained and the weight beside them frozen.
//!
//! # Source
//! Hu et al. 2021, section 4.1: <https://arxiv.org/abs/2106.09685>; dropout on the input as in PEFT 0.18.

use ilab_base::seed;
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::{Precision, Threads};
use rand::RngExt;

use crate::linear::Pass;
use crate::parameter::Parameter;
use crate::workspace::Workspace;

/// The adapter of one linear layer.
#[derive(Debug)]
pub(crate) struct Adapter {
    /// `A: [r, input]`.
    pub(crate) down: Parameter,
    /// `B: [output, r]`.
    pub(crate) up: Parameter,
    /// `α / r`.
    pub(crate) scale: f32,
    /// The share of the input that is left out, in [0, 1).
    pub(crate) dropout: f32,
}

impl Adapter {
    /// An adapter that changes nothing yet: `A` uniform in ±1/√input, `B` zero.
    ///
    /// # Source
    /// `reset_lora_parameters` of PEFT: Kaiming's uniform distribution with a = √5.
    pub(crate) fn new(
        module: &str,
        [output, input]: [usize; 2],
        rank: usize,
        scale: f32,
        dropout: f32,
        random_seed: u64,
    ) -> Self {
        let (down, up) = Self::names(module);
        let mut rng = seed::rng(random_seed, &down);
        let bound = 1.0 / (input as f32).sqrt();
        let values = (0..rank * input).map(|_| rng.random_range(-bound..bound));
        Self {
            down: Parameter::trained(down, vec![rank, input], values.collect()),
            up: Parameter::trained(up, vec![output, rank], vec![0.0; output * rank]),
            scale,
            dropout,
        }
    }

    /// How the two matrices of a module are called in PEFT's files, without the prefix that these have.
    pub(crate) fn names(module: &str) -> (String, String) {
        (
            format!("{module}.lora_A.weight"),
            format!("{module}.lora_B.weight"),
        )
    }

    /// The width.
    pub(crate) fn rank(&self) -> usize {
        self.down.shape()[0]
    }

    /// Adds `scale · α/r · dropout(x) · Aᵀ · Bᵀ` to `y`.
    pub(crate) fn add(
        &self,
        x: Factor<'_>,
        y: &mut [f32],
        scale: f32,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let precision = pass.precision;
        let dropped = self.dropped(x, pass.dropout_seed, work);
        let input = dropped.as_ref().map_or(x, |dropped| dropped.factor());
        let narrow = self.narrowed(input, precision, work);
        let n = x.n_rows();
        let narrow_view = Factor::dense(&narrow, n, self.rank());
        let up = self.up.factor().transposed();
        precision.matmul(y, 1.0, scale * self.scale, narrow_view, up, Threads::All);
        work.give(narrow);
        if let Some(dropped) = dropped {
            work.give(dropped.values);
        }
    }

    /// Adds the gradients of both matrices, and that of the input to `dx`.
    pub(crate) fn backward(
        &mut self,
        x: Factor<'_>,
        dy: Factor<'_>,
        dx: &mut [f32],
        scale: f32,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let precision = pass.precision;
        let dropped = self.dropped(x, pass.dropout_seed, work);
        let input = dropped.as_ref().map_or(x, |dropped| dropped.factor());
        let (n, rank) = (x.n_rows(), self.rank());
        let narrow = self.narrowed(input, precision, work);
        let scale = scale * self.scale;

        let (up, up_gradient) = self.up.split();
        let mut dnarrow = work.take(n * rank);
        precision.matmul(&mut dnarrow, 0.0, scale, dy, up, Threads::All);
        if let Some(gradient) = up_gradient {
            let narrow = Factor::dense(&narrow, n, rank);
            precision.matmul(gradient, 1.0, scale, dy.transposed(), narrow, Threads::All);
        }
        let dnarrow_view = Factor::dense(&dnarrow, n, rank);
        let (down, down_gradient) = self.down.split();
        if let Some(gradient) = down_gradient {
            precision.matmul(
                gradient,
                1.0,
                1.0,
                dnarrow_view.transposed(),
                input,
                Threads::All,
            );
        }
        match &dropped {
            None => precision.matmul(dx, 1.0, 1.0, dnarrow_view, down, Threads::All),
            Some(dropped) => {
                let mut ddropped = work.take(dx.len());
                precision.matmul(&mut ddropped, 0.0, 1.0, dnarrow_view, down, Threads::All);
                drop_out(&mut ddropped, dropped.seed, self.dropout);
                ilab_kernels::residual::add(dx, &ddropped);
                work.give(ddropped);
            }
        }
        work.give(narrow);
        work.give(dnarrow);
        if let Some(dropped) = dropped {
            work.give(dropped.values);
        }
    }

    /// `x · Aᵀ`, `[n, r]`.
    fn narrowed(&self, x: Factor<'_>, precision: Precision, work: &mut Workspace) -> Vec<f32> {
        let mut narrow = work.take(x.n_rows() * self.rank());
        let down = self.down.factor().transposed();
        precision.matmul(&mut narrow, 0.0, 1.0, x, down, Threads::All);
        narrow
    }

    /// The input with some of it left out; `None` where all of it is used.
    fn dropped(&self, x: Factor<'_>, seed: Option<u64>, work: &mut Workspace) -> Option<Dropped> {
        let seed = seed.filter(|_| self.dropout > 0.0)?;
        let mut values = work.take(x.n_rows() * x.n_columns());
        x.read_into(&mut values);
        drop_out(&mut values, seed, self.dropout);
        Some(Dropped {
            values,
            columns: x.n_columns(),
            seed,
        })
    }
}

struct Dropped {
    values: Vec<f32>,
    columns: usize,
    seed: u64,
}

impl Dropped {
    fn factor(&self) -> Factor<'_> {
        Factor::dense(&self.values, self.values.len() / self.columns, self.columns)
    }
}

/// Numbers that one thread takes at a time.
const NUMBERS_PER_TASK: usize = 1 << 14;

/// Sets a share of the numbers to zero and scales the others up. Which ones depends on the seed and their place alone, so
/// that the backward pass finds the same again.
fn drop_out(values: &mut [f32], seed: u64, share: f32) {
    let keep = 1.0 / (1.0 - share);
    draw(values, seed, share, |value, is_dropped| {
        *value = if is_dropped { 0.0 } else { *value * keep };
    });
}

/// Which of `n` numbers [`drop_out`] keeps: 1 for those, 0 for the others.
pub(crate) fn kept(n: usize, seed: u64, share: f32) -> Vec<u8> {
    let mut kept = vec![0; n];
    draw(&mut kept, seed, share, |value, is_dropped| {
        *value = u8::from(!is_dropped);
    });
    kept
}

/// Tells `apply` of each value whether it is left out.
fn draw<T: Send>(values: &mut [T], seed: u64, share: f32, apply: impl Fn(&mut T, bool) + Sync) {
    use rayon::prelude::*;
    let limit = (f64::from(share) * 2f64.powi(32)) as u64;
    values
        .par_chunks_mut(NUMBERS_PER_TASK)
        .enumerate()
        .for_each(|(task, values)| {
            for (index, value) in values.iter_mut().enumerate() {
                let place = (task * NUMBERS_PER_TASK + index) as u64;
                let is_dropped = mixed(seed.wrapping_add(place)) >> 32 < limit;
                apply(value, is_dropped);
            }
        });
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014) on a multiple of its increment.
fn mixed(place: u64) -> u64 {
    let z = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [-1, 1) that look random and are always the same.
    fn values(n: u64, seed: u64) -> Vec<f32> {
        let number = |index| (mixed(seed << 32 | index) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..n).map(number).collect()
    }

    fn adapter() -> Adapter {
        let mut adapter = Adapter::new("layer", [5, 6], 2, 0.7, 0.4, 3);
        adapter.up.set(&values(10, 1)).unwrap();
        adapter
    }

    /// `Σ dy · y` of what the adapter adds to a zero, with a scale of 1.5 and a seed of 9.
    fn loss(adapter: &Adapter, x: &[f32], dy: &[f32]) -> f64 {
        let pass = pass();
        let mut y = vec![0.0; 4 * 5];
        let x = Factor::dense(x, 4, 6);
        adapter.add(x, &mut y, 1.5, pass, &mut Workspace::default());
        y.iter().zip(dy).map(|(y, dy)| f64::from(y * dy)).sum()
    }

    fn pass() -> Pass {
        Pass {
            precision: Precision::F32,
            dropout_seed: Some(9),
        }
    }

    #[test]
    fn gradients_with_dropout_agree_with_differences() {
        const STEP: f32 = 1e-2;
        let (x, dy) = (values(24, 2), values(20, 3));
        let mut adapter = adapter();
        let mut dx = vec![0.0; 24];
        let (input, gradient) = (Factor::dense(&x, 4, 6), Factor::dense(&dy, 4, 5));
        adapter.backward(
            input,
            gradient,
            &mut dx,
            1.5,
            pass(),
            &mut Workspace::default(),
        );
        let check = |what: &str, found: &[f32], moved: &dyn Fn(usize, f32) -> f64| {
            for (index, found) in found.iter().enumerate() {
                let difference = (moved(index, STEP) - moved(index, -STEP)) / f64::from(2.0 * STEP);
                let is_near = (f64::from(*found) - difference).abs() < 1e-3;
                assert!(is_near, "{what}[{index}]: {found}, expected {difference}");
            }
        };
        check("dx", &dx, &|index, by| {
            let mut x = x.clone();
            x[index] += by;
            loss(&adapter, &x, &dy)
        });
        assert!(dx.contains(&0.0), "what is left out has no gradient");
        for (what, of) in [("A", true), ("B", false)] {
            let parameter = if of { &adapter.down } else { &adapter.up };
            let gradient = parameter.gradient().unwrap().unwrap();
            check(what, &gradient, &|index, by| {
                let mut moved = self::adapter();
                let parameter = if of { &mut moved.down } else { &mut moved.up };
                let mut values = parameter.to_f32().unwrap().into_owned();
                values[index] += by;
                parameter.set(&values).unwrap();
                loss(&moved, &x, &dy)
            });
        }
    }

    #[test]
    fn the_share_that_is_left_out_is_that_which_was_asked_for() {
        let mut dropped = vec![1.0f32; 100_000];
        drop_out(&mut dropped, 5, 0.3);
        let n_kept = dropped.iter().filter(|value| **value != 0.0).count();
        assert!((69_000..71_000).contains(&n_kept), "{n_kept}");
        assert!(
            dropped
                .iter()
                .all(|value| *value == 0.0 || *value == 1.0 / 0.7)
        );
    }
}
