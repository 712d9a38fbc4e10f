//! W + s·B·A, a row at a time.

use super::{Adapter, AdapterError, LoraModule};

impl LoraModule {
    /// Adds `scale` times one row of B·A to the same row of the frozen matrix, in f32.
    ///
    /// # Shape
    /// `weights`: `[n_inputs]`.
    pub fn add_row(&self, scale: f32, row: usize, weights: &mut [f32]) {
        let b_row = &self.b[row * self.rank..][..self.rank];
        for (b, a_row) in b_row.iter().zip(self.a.chunks_exact(self.n_inputs)) {
            let factor = scale * b;
            for (weight, a) in weights.iter_mut().zip(a_row) {
                *weight += factor * a;
            }
        }
    }
}

impl Adapter {
    /// Holds every module against the model's tensors, given by their names and shapes.
    ///
    /// # Errors
    /// [`AdapterError::OtherModel`].
    pub fn check_model(&self, tensors: &[(String, Vec<usize>)]) -> Result<(), AdapterError> {
        for module in &self.modules {
            let weight = format!("{}.weight", module.name);
            let tensor = tensors.iter().find(|(name, _)| *name == weight);
            let expected = [module.n_outputs, module.n_inputs];
            let model = match tensor {
                None => "no such layer".to_owned(),
                Some((_, shape)) if *shape != expected => format!("{shape:?}"),
                Some(_) => continue,
            };
            return Err(AdapterError::OtherModel {
                module: module.name.clone(),
                adapter: expected,
                model,
            });
        }
        Ok(())
    }
}
