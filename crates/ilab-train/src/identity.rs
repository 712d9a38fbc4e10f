//! What a run is made of, so that nobody goes on with another run's state unnoticed.

use ilab_text::sample::EncodedSample;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::device::DeviceError;
use crate::error::TrainError;
use crate::model::Model;
use crate::parameter::Parameter;

/// Fingerprints of model and data, and the settings by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    model: String,
    data: String,
    settings: Map<String, Value>,
}

impl Identity {
    /// That of a run that has not begun: the model is as it was read.
    ///
    /// # Errors
    /// Settings that are no JSON, or a device that does not hand the weights over.
    pub fn new(
        model: &Model,
        samples: &[EncodedSample],
        settings: &impl Serialize,
    ) -> Result<Self, TrainError> {
        let settings = match serde_json::to_value(settings).map_err(TrainError::Settings)? {
            Value::Object(settings) => settings,
            other => Map::from_iter([("settings".to_owned(), other)]),
        };
        Ok(Self {
            model: of_model(model)?,
            data: of_samples(samples),
            settings,
        })
    }

    /// What differs between the state of a run and this one: `model`, `data`, and settings with both values.
    pub(crate) fn differences(&self, now: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.model != now.model {
            differences.push("model".to_owned());
        }
        if self.data != now.data {
            differences.push("data set".to_owned());
        }
        let names = self.settings.keys().chain(now.settings.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort();
        names.dedup();
        for name in names {
            let (then, now) = (self.settings.get(name), now.settings.get(name));
            if then != now {
                let shown =
                    |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
                differences.push(format!("{name} ({} then, {} now)", shown(then), shown(now)));
            }
        }
        differences
    }
}

fn of_model(model: &Model) -> Result<String, DeviceError> {
    let parameters: Vec<&Parameter> = model.parameters().collect();
    let digests: Vec<_> = parameters
        .par_iter()
        .map(|parameter| {
            let mut hash = Sha256::new();
            hash.update(parameter.name());
            hash.update(format!("{:?}", parameter.shape()));
            // Frozen matrices are widened: the same model has the same fingerprint on every device.
            parameter.visit_bytes(|bytes| hash.update(bytes))?;
            Ok(hash.finalize())
        })
        .collect::<Result<_, DeviceError>>()?;
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(model.config()).unwrap_or_default());
    for digest in digests {
        hash.update(digest);
    }
    Ok(hex(&hash.finalize()))
}

fn of_samples(samples: &[EncodedSample]) -> String {
    let mut hash = Sha256::new();
    for sample in samples {
        hash.update((sample.input_ids.len() as u64).to_le_bytes());
        for (id, is_learned) in sample.input_ids.iter().zip(&sample.is_learned) {
            hash.update(id.to_le_bytes());
            hash.update([u8::from(*is_learned)]);
        }
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
