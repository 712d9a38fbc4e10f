//! One weight of a model: its values in the form in which they are kept, and its gradient where it is trained.

use std::borrow::Cow;

use ilab_kernels::factor::Factor;
use ilab_kernels::matrix::{Format, Matrix};

/// A weight.
///
/// Trained weights and those of one axis are f32; matrices of a frozen base are kept in fewer bits, and are read by products
/// as they are.
#[derive(Debug)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    values: Values,
    gradient: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    Frozen(Matrix),
}

impl Parameter {
    /// A weight that is trained.
    pub(crate) fn trained(name: String, shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self {
            gradient: Some(vec![0.0; values.len()]),
            values: Values::F32(values),
            name,
            shape,
        }
    }

    /// A weight that stays as it is; of one axis in f32, of two in `format`.
    pub(crate) fn frozen(
        name: String,
        shape: Vec<usize>,
        values: Vec<f32>,
        format: Format,
    ) -> Self {
        let values = match (shape.as_slice(), format) {
            ([n_rows, n_columns], Format::Bf16 | Format::Q8 | Format::Nf4) => {
                Values::Frozen(Matrix::rounded(&values, *n_rows, *n_columns, format))
            }
            _ => Values::F32(values),
        };
        Self {
            name,
            shape,
            values,
            gradient: None,
        }
    }

    /// Its name in Hugging Face checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its axes: `[output, input]` of a matrix.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers it consists of.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no numbers at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether training changes it.
    pub fn is_trained(&self) -> bool {
        self.gradient.is_some()
    }

    /// Memory that the values and the gradient take.
    pub fn size_bytes(&self) -> usize {
        let values = match &self.values {
            Values::F32(values) => size_of_val(values.as_slice()),
            Values::Frozen(matrix) => matrix.size_bytes(),
        };
        values + size_of_val(self.gradient.as_deref().unwrap_or_default())
    }

    /// The matrix for a product; a weight of one axis is a matrix of one row.
    pub(crate) fn factor(&self) -> Factor<'_> {
        match &self.values {
            Values::F32(values) => dense(&self.shape, values),
            Values::Frozen(matrix) => matrix.as_factor(),
        }
    }

    /// All values, row-major, whatever form they are kept in.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.values {
            Values::F32(values) => values.clone(),
            Values::Frozen(matrix) => matrix.to_f32(),
        }
    }

    /// The values as bytes, for a fingerprint: those of a frozen matrix widened.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.values {
            Values::F32(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
            Values::Frozen(matrix) => Cow::Owned(bytemuck::cast_slice(&matrix.to_f32()).to_vec()),
        }
    }

    /// The values of a weight of one axis, or of one that is trained; of a frozen matrix there are none to see.
    pub(crate) fn as_slice(&self) -> &[f32] {
        match &self.values {
            Values::F32(values) => values,
            Values::Frozen(_) => &[],
        }
    }

    /// Replaces the values of a weight that is trained, or of one axis.
    ///
    /// # Panics
    /// When there are more or fewer values.
    pub fn set(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.len(), "values of `{}`", self.name);
        if let Values::F32(own) = &mut self.values {
            own.copy_from_slice(values);
        }
    }

    /// The gradient, where the weight is trained.
    pub fn gradient(&self) -> Option<&[f32]> {
        self.gradient.as_deref()
    }

    /// The matrix for a product, and the gradient to add to where the weight is trained.
    pub(crate) fn split(&mut self) -> (Factor<'_>, Option<&mut [f32]>) {
        let factor = match &self.values {
            Values::F32(values) => dense(&self.shape, values),
            Values::Frozen(matrix) => matrix.as_factor(),
        };
        (factor, self.gradient.as_deref_mut())
    }

    /// The values of a weight of one axis, and the gradient to add to where it is trained.
    pub(crate) fn split_slice(&mut self) -> (&[f32], Option<&mut [f32]>) {
        let values = match &self.values {
            Values::F32(values) => values.as_slice(),
            Values::Frozen(_) => &[],
        };
        (values, self.gradient.as_deref_mut())
    }

    /// Values and gradient of a trained weight, both to be changed.
    pub(crate) fn trained_mut(&mut self) -> Option<(&mut [f32], &mut [f32])> {
        let gradient = self.gradient.as_deref_mut()?;
        match &mut self.values {
            Values::F32(values) => Some((values, gradient)),
            Values::Frozen(_) => None,
        }
    }
}

fn dense<'a>(shape: &[usize], values: &'a [f32]) -> Factor<'a> {
    match shape {
        [n_rows, n_columns] => Factor::dense(values, *n_rows, *n_columns),
        _ => Factor::dense(values, 1, values.len()),
    }
}
