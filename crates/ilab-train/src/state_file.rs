//! Trained weights, and what an optimiser remembers of them, as files.

use std::borrow::Cow;
use std::path::Path;

use ilab_kernels::adafactor::SecondMoment;
use ilab_kernels::eight_bit;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::safetensors::{Element, FloatType, StreamedTensor, write_streamed};

use crate::device::DeviceError;
use crate::error::TrainError;
use crate::model::Model;
use crate::optimiser::{Optimiser, State};
use crate::parameter::Parameter;
use crate::resume::{OptimiserState, ResumeError};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";

/// Writes the trained weights of a model, in full precision.
pub(crate) fn write_weights(model: &Model, folder: &Path) -> Result<(), TrainError> {
    let parameters = model.parameters();
    let trained: Vec<_> = parameters
        .filter(|parameter| parameter.is_trained())
        .collect();
    write_parameters(&folder.join(WEIGHTS), &trained, FloatType::F32)
}

/// Writes weights to a file, one after the other.
pub(crate) fn write_parameters(
    path: &Path,
    parameters: &[&Parameter],
    float_type: FloatType,
) -> Result<(), TrainError> {
    let streamed: Vec<_> = parameters
        .iter()
        .map(|parameter| StreamedTensor {
            name: parameter.name().to_owned(),
            shape: parameter.shape().to_vec(),
            element: Element::Float(float_type),
        })
        .collect();
    let mut parameters = parameters.iter();
    write_streamed(path, &streamed, |_, sink| match parameters.next() {
        Some(parameter) => Ok(sink.write(&parameter.to_f32()?)?),
        None => Ok(()),
    })
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

/// Numbers that are remembered of a weight.
enum Part<'a> {
    Floats(Cow<'a, [f32]>),
    Codes(&'a [u8]),
}

/// The parts of what is remembered of a weight, each with the beginning of its name.
fn parts(state: &State) -> Result<Vec<(&'static str, Part<'_>)>, DeviceError> {
    fn floats(values: &[f32]) -> Part<'_> {
        Part::Floats(values.into())
    }
    Ok(match state {
        State::Moments { first, second } => {
            vec![("first", floats(first)), ("second", floats(second))]
        }
        State::EightBit(moments) => vec![
            ("first", Part::Codes(&moments.first)),
            ("first_scales", floats(&moments.first_scales)),
            ("second", Part::Codes(&moments.second)),
            ("second_scales", floats(&moments.second_scales)),
        ],
        State::SecondMoment(SecondMoment::Factored { rows, columns }) => {
            vec![("rows", floats(rows)), ("columns", floats(columns))]
        }
        State::SecondMoment(SecondMoment::Full(second)) => vec![("second", floats(second))],
        State::Momentum(momentum) => vec![("momentum", floats(momentum))],
        State::OnDevice(moments) => {
            let [first, second] = moments.to_f32()?;
            vec![
                ("first", Part::Floats(first.into())),
                ("second", Part::Floats(second.into())),
            ]
        }
    })
}

/// Writes what an optimiser remembers.
pub(crate) fn write_optimiser(optimiser: &Optimiser, folder: &Path) -> Result<(), TrainError> {
    let (mut streamed, mut values) = (Vec::new(), Vec::new());
    for (name, state) in optimiser.state() {
        for (part, numbers) in parts(state)? {
            let (n, element) = match &numbers {
                Part::Floats(values) => (values.len(), Element::Float(FloatType::F32)),
                Part::Codes(bytes) => (bytes.len(), Element::U8),
            };
            streamed.push(StreamedTensor {
                name: format!("{part}:{name}"),
                shape: vec![n],
                element,
            });
            values.push(numbers);
        }
    }
    let mut values = values.iter();
    write_streamed(&folder.join(OPTIMISER), &streamed, |_, sink| {
        match values.next() {
            Some(Part::Floats(values)) => Ok(sink.write(values)?),
            Some(Part::Codes(bytes)) => Ok(sink.write_bytes(bytes)?),
            None => Ok(()),
        }
    })
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
