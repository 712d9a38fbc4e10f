//! The optimiser: gradients of a step, their norm, and AdamW over f32 weights.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Var};
use ilab_kernels::adamw::{AdamW, Schedule, sum_of_squares};
use ilab_kernels::muon::Muon;
use ilab_kernels::residual;
use rayon::prelude::*;

use crate::ops::slice_mut;

/// Gradients added up over the batches of one step.
#[derive(Debug, Default)]
pub struct Gradients {
    sums: BTreeMap<String, Vec<f32>>,
}

impl Gradients {
    /// Adds the gradients of one batch.
    pub fn add(&mut self, gradients: BTreeMap<String, Vec<f32>>) {
        for (name, gradient) in gradients {
            match self.sums.get_mut(&name) {
                Some(sum) => residual::add(sum, &gradient),
                None => {
                    self.sums.insert(name, gradient);
                }
            }
        }
    }

    /// The Euclidean norm of all gradients together.
    pub fn norm(&self) -> f64 {
        self.sums
            .values()
            .map(|sum| sum_of_squares(sum))
            .sum::<f64>()
            .sqrt()
    }

    /// One weight's gradient.
    pub fn of(&self, name: &str) -> Option<&[f32]> {
        self.sums.get(name).map(Vec::as_slice)
    }
}

/// AdamW with its two moments for every weight, or Muon for the matrices of the layers. Weights of one axis (norms) are
/// not decayed.
#[derive(Debug)]
pub struct Optimiser {
    adamw: AdamW,
    muon: Option<Muon>,
    moments: BTreeMap<String, Mutex<Moments>>,
    n_steps: u64,
}

#[derive(Debug)]
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Optimiser {
    /// Starts with both moments at zero.
    pub fn new(adamw: AdamW, muon: Option<Muon>, weights: &BTreeMap<String, Var>) -> Self {
        let moments = weights.iter().map(|(name, weight)| {
            let n = weight.elem_count();
            (
                name.clone(),
                Mutex::new(Moments {
                    first: vec![0.0; n],
                    second: vec![0.0; n],
                }),
            )
        });
        Self {
            adamw,
            muon,
            moments: moments.collect(),
            n_steps: 0,
        }
    }

    /// One step with the gradients, of norm `norm`, scaled down to `max_norm` where that is smaller.
    ///
    /// # Errors
    /// A weight that is not a contiguous f32 tensor of the CPU.
    pub fn step(
        &mut self,
        weights: &BTreeMap<String, Var>,
        gradients: &Gradients,
        norm: f64,
        lr: f64,
        max_norm: f64,
    ) -> Result<()> {
        self.n_steps += 1;
        #[allow(clippy::cast_possible_truncation)]
        let schedule = Schedule {
            lr: lr as f32,
            gradient_scale: if norm > max_norm {
                (max_norm / (norm + 1e-6)) as f32
            } else {
                1.0
            },
            step: self.n_steps,
        };
        weights
            .par_iter()
            .try_for_each(|(name, weight)| self.update(name, weight, gradients, schedule))
    }

    fn update(
        &self,
        name: &str,
        weight: &Var,
        gradients: &Gradients,
        schedule: Schedule,
    ) -> Result<()> {
        let (Some(gradient), Some(moments)) = (gradients.of(name), self.moments.get(name)) else {
            return Ok(());
        };
        let is_of_layer = name.starts_with("model.layers.") && weight.rank() == 2;
        let rule = match self.muon {
            Some(muon) if is_of_layer => Rule::Muon {
                muon,
                n_columns: weight.dims2()?.1,
            },
            _ if weight.rank() > 1 => Rule::AdamW(self.adamw),
            _ => Rule::AdamW(AdamW {
                weight_decay: 0.0,
                ..self.adamw
            }),
        };
        weight.inplace_op1(&Update {
            rule,
            gradient,
            moments,
            schedule,
        })
    }
}

/// How a weight is updated. Muon keeps its momentum in the first moment and has no use for the size of a gradient.
enum Rule {
    AdamW(AdamW),
    Muon { muon: Muon, n_columns: usize },
}

/// An update of the storage of one weight.
struct Update<'a> {
    rule: Rule,
    gradient: &'a [f32],
    moments: &'a Mutex<Moments>,
    schedule: Schedule,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimiser"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let Moments { first, second } = &mut *moments;
        let weight = slice_mut(storage, layout)?;
        match self.rule {
            Rule::AdamW(adamw) => adamw.step(weight, first, second, self.gradient, self.schedule),
            Rule::Muon { muon, n_columns } => {
                muon.step(weight, first, self.gradient, n_columns, self.schedule.lr);
            }
        }
        Ok(())
    }
}
