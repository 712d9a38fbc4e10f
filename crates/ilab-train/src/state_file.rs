//! Trained weights, and what an optimiser remembers of them, as files.

use std::path::Path;

use ilab_kernels::adafactor::SecondMoment;
use ilab_kernels::eight_bit;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::tensor_file::{TensorData, TensorValues, write_tensors};

use crate::device::DeviceError;
use crate::error::TrainError;
use crate::model::Model;
use crate::optimiser::{Optimiser, State};
use crate::resume::{OptimiserState, ResumeError};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";

/// Writes the trained weights of a model, in full precision.
pub(crate) fn write_weights(model: &Model, folder: &Path) -> Result<(), TrainError> {
    let trained = model
        .parameters()
        .filter(|parameter| parameter.is_trained());
    let tensors = trained
        .map(|parameter| {
            Ok(TensorData {
                name: parameter.name().to_owned(),
                shape: parameter.shape().to_vec(),
                values: TensorValues::F32(parameter.to_f32()?),
            })
        })
        .collect::<Result<Vec<_>, DeviceError>>()?;
    Ok(write_tensors(&folder.join(WEIGHTS), &tensors)?)
}

/// Reads what [`write_weights`] wrote.
pub(crate) fn read_weights(model: &mut Model, folder: &Path) -> Result<(), TrainError> {
    let checkpoint = Checkpoint::open(folder)?;
    for parameter in model.parameters_mut() {
        if parameter.is_trained() {
            parameter.set(&checkpoint.read_f32(parameter.name(), parameter.shape())?)?;
        }
    }
    Ok(())
}

/// The parts of what is remembered of a weight, each with the ending of its name.
fn parts(state: &State) -> Result<Vec<(&'static str, TensorValues<'_>)>, DeviceError> {
    let floats = |values: &'_ [f32]| TensorValues::F32(values.to_vec().into());
    Ok(match state {
        State::Moments { first, second } => vec![
            ("first", TensorValues::F32(first.into())),
            ("second", TensorValues::F32(second.into())),
        ],
        State::EightBit(moments) => vec![
            ("first", TensorValues::U8(&moments.first)),
            ("first_scales", floats(&moments.first_scales)),
            ("second", TensorValues::U8(&moments.second)),
            ("second_scales", floats(&moments.second_scales)),
        ],
        State::SecondMoment(SecondMoment::Factored { rows, columns }) => {
            vec![("rows", floats(rows)), ("columns", floats(columns))]
        }
        State::SecondMoment(SecondMoment::Full(second)) => vec![("second", floats(second))],
        State::Momentum(momentum) => vec![("momentum", TensorValues::F32(momentum.into()))],
        State::OnDevice(moments) => {
            let [first, second] = moments.to_f32()?;
            vec![
                ("first", TensorValues::F32(first.into())),
                ("second", TensorValues::F32(second.into())),
            ]
        }
    })
}

/// Writes what an optimiser remembers.
pub(crate) fn write_optimiser(optimiser: &Optimiser, folder: &Path) -> Result<(), TrainError> {
    let mut tensors = Vec::new();
    for (name, state) in optimiser.state() {
        for (part, values) in parts(state)? {
            let n = match &values {
                TensorValues::F32(values) | TensorValues::RoundedToBf16(values) => values.len(),
                TensorValues::U8(bytes) => bytes.len(),
            };
            tensors.push(TensorData {
                name: format!("{part}:{name}"),
                shape: vec![n],
                values,
            });
        }
    }
    Ok(write_tensors(&folder.join(OPTIMISER), &tensors)?)
}

/// Reads what [`write_optimiser`] wrote for an optimiser of the same kind.
pub(crate) fn read_optimiser(
    optimiser: &Optimiser,
    folder: &Path,
) -> Result<OptimiserState, TrainError> {
    let checkpoint = Checkpoint::open(folder)?;
    let mut read = OptimiserState::new();
    for (name, state) in optimiser.state() {
        let lost = || ResumeError::Optimiser {
            folder: folder.to_owned(),
            name: name.clone(),
        };
        let floats = |part: &str, n: usize| checkpoint.read_f32(&format!("{part}:{name}"), &[n]);
        let bytes = |part: &str, n: usize| -> Result<Vec<u8>, TrainError> {
            let tensor = format!("{part}:{name}");
            let bytes = checkpoint.tensor(&tensor)?.bytes();
            match bytes.len() == n {
                true => Ok(bytes.to_vec()),
                false => Err(lost().into()),
            }
        };
        let found = match state {
            State::Moments { first, second } => State::Moments {
                first: floats("first", first.len())?,
                second: floats("second", second.len())?,
            },
            State::EightBit(moments) => State::EightBit(eight_bit::Moments {
                first: bytes("first", moments.first.len())?,
                first_scales: floats("first_scales", moments.first_scales.len())?,
                second: bytes("second", moments.second.len())?,
                second_scales: floats("second_scales", moments.second_scales.len())?,
            }),
            State::SecondMoment(SecondMoment::Factored { rows, columns }) => {
                State::SecondMoment(SecondMoment::Factored {
                    rows: floats("rows", rows.len())?,
                    columns: floats("columns", columns.len())?,
                })
            }
            State::SecondMoment(SecondMoment::Full(second)) => {
                State::SecondMoment(SecondMoment::Full(floats("second", second.len())?))
            }
            State::Momentum(momentum) => State::Momentum(floats("momentum", momentum.len())?),
            State::OnDevice(moments) => {
                let n = moments.len();
                State::OnDevice(moments.with(floats("first", n)?, floats("second", n)?)?)
            }
        };
        read.insert(name.clone(), found);
    }
    Ok(read)
}
