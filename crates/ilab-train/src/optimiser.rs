//! The optimisers over the trained weights of a model.

use std::collections::BTreeMap;

use ilab_kernels::adafactor::{Adafactor, SecondMoment};
use ilab_kernels::adamw::{AdamW, Schedule, sum_of_squares};
use ilab_kernels::eight_bit;
use ilab_kernels::muon::Muon;
use serde::Serialize;

use crate::composed::adamw::DeviceMoments;
use crate::device::DeviceError;
use crate::model::Model;
use crate::parameter::Parameter;
use crate::parameter::on_device::DeviceValues;

/// Who updates the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum OptimiserKind {
    /// AdamW: 8 bytes a trained weight.
    AdamW,
    /// AdamW with moments in eight bits: 2 bytes a trained weight.
    AdamW8Bit,
    /// Adafactor without momentum: a few bytes a row and a column.
    Adafactor,
    /// Muon for the matrices inside of the layers, AdamW for the rest: fewer steps for a model that learns from nothing.
    Muon,
}

/// An optimiser and what it remembers of each trained weight. Weights of one axis (norms, biases) are not decayed.
#[derive(Debug)]
pub struct Optimiser {
    rules: Rules,
    state: BTreeMap<String, State>,
    n_steps: u64,
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    kind: OptimiserKind,
    adamw: AdamW,
    adafactor: Adafactor,
    muon: Muon,
}

/// What is remembered of one weight.
#[derive(Debug)]
pub(crate) enum State {
    Moments {
        first: Vec<f32>,
        second: Vec<f32>,
    },
    EightBit(eight_bit::Moments),
    SecondMoment(SecondMoment),
    Momentum(Vec<f32>),
    /// Both moments, in the memory of the device.
    OnDevice(DeviceMoments),
}

impl Optimiser {
    /// Starts with nothing remembered.
    pub(crate) fn new(kind: OptimiserKind, adamw: AdamW, model: &Model) -> Self {
        let weight_decay = adamw.weight_decay;
        let rules = Rules {
            kind,
            adamw,
            adafactor: Adafactor {
                weight_decay,
                ..Adafactor::default()
            },
            muon: Muon {
                momentum: 0.95,
                weight_decay,
                precision: model.precision(),
            },
        };
        let trained = model
            .parameters()
            .filter(|parameter| parameter.is_trained());
        let state = trained.map(|parameter| {
            let state = rules.fresh_state(parameter);
            (parameter.name().to_owned(), state)
        });
        Self {
            rules,
            state: state.collect(),
            n_steps: 0,
        }
    }

    /// Updates every trained weight with its gradient, scaled down to `max_norm` where the norm of all is larger.
    ///
    /// On a device AdamW is computed there; for the others weights and gradients travel to this processor and back, and what
    /// they remember stays here.
    pub(crate) fn step(
        &mut self,
        model: &mut Model,
        norm: f64,
        lr: f64,
        max_norm: f64,
    ) -> Result<(), DeviceError> {
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
        for parameter in model.parameters_mut() {
            if let Some(state) = self.state.get_mut(parameter.name()) {
                self.rules.update(parameter, state, schedule)?;
            }
        }
        Ok(())
    }

    /// Steps taken so far.
    pub(crate) fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// What is remembered, by the names of the weights.
    pub(crate) fn state(&self) -> &BTreeMap<String, State> {
        &self.state
    }

    /// Goes on from what another optimiser of the same kind and model remembered.
    pub(crate) fn restore(&mut self, state: BTreeMap<String, State>, n_steps: u64) {
        self.state = state;
        self.n_steps = n_steps;
    }
}

impl Rules {
    fn is_muons(&self, name: &str, shape: &[usize]) -> bool {
        let is_of_layer = name.starts_with("model.layers.") && shape.len() == 2;
        self.kind == OptimiserKind::Muon && is_of_layer
    }

    fn fresh_state(&self, parameter: &Parameter) -> State {
        let (name, shape, n) = (parameter.name(), parameter.shape(), parameter.len());
        match self.kind {
            OptimiserKind::AdamW8Bit => State::EightBit(eight_bit::Moments::new(n)),
            OptimiserKind::Adafactor => State::SecondMoment(SecondMoment::new(shape)),
            OptimiserKind::Muon if self.is_muons(name, shape) => State::Momentum(vec![0.0; n]),
            OptimiserKind::Muon | OptimiserKind::AdamW => match parameter.on_device() {
                Some(values) if self.kind == OptimiserKind::AdamW => {
                    State::OnDevice(DeviceMoments::of(values))
                }
                _ => State::Moments {
                    first: vec![0.0; n],
                    second: vec![0.0; n],
                },
            },
        }
    }

    fn update(
        &self,
        parameter: &mut Parameter,
        state: &mut State,
        schedule: Schedule,
    ) -> Result<(), DeviceError> {
        let (n_axes, n_columns) = (parameter.shape().len(), parameter.shape().last().copied());
        let is_decayed = n_axes > 1;
        let adamw = AdamW {
            weight_decay: if is_decayed {
                self.adamw.weight_decay
            } else {
                0.0
            },
            ..self.adamw
        };
        if let State::OnDevice(moments) = state {
            return match parameter.on_device_mut() {
                Some(values) => moments.step(adamw, values, schedule),
                None => Ok(()),
            };
        }
        parameter.change(|weight, gradient| match state {
            State::Moments { first, second } => {
                adamw.step(weight, first, second, gradient, schedule);
            }
            State::EightBit(moments) => {
                adamw.step_eight_bit(weight, moments, gradient, schedule);
            }
            State::SecondMoment(second) => {
                let adafactor = Adafactor {
                    weight_decay: adamw.weight_decay,
                    ..self.adafactor
                };
                adafactor.step(weight, second, gradient, schedule);
            }
            State::Momentum(momentum) => {
                let n_columns = n_columns.unwrap_or(1);
                self.muon
                    .step(weight, momentum, gradient, n_columns, schedule.lr);
            }
            State::OnDevice(_) => {}
        })
    }
}

/// The Euclidean norm of all gradients together.
pub(crate) fn gradient_norm(model: &Model) -> Result<f64, DeviceError> {
    let mut sum = 0.0;
    let mut on_device = Vec::new();
    for parameter in model.parameters() {
        match parameter.on_device() {
            Some(values) => on_device.push(values),
            None => sum += parameter.gradient()?.as_deref().map_or(0.0, sum_of_squares),
        }
    }
    Ok((sum + DeviceValues::sum_of_squares(&on_device)?).sqrt())
}
