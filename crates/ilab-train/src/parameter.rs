//! One weight of a model: its values in the form in which they are kept, and its gradient where it is trained.

use std::borrow::Cow;

use candle_core::Tensor;
use ilab_kernels::factor::Factor;
use ilab_kernels::matrix::{Format, Matrix};

use crate::device::{Device, DeviceError};
use crate::parameter::on_device::DeviceValues;

pub(crate) mod on_device;

/// A weight.
///
/// Trained weights and those of one axis are f32; matrices of a frozen base are kept in fewer bits, and are read by products
/// as they are. On a device all of it is in the memory of the device alone.
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
    OnDevice(DeviceValues),
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
        match &self.values {
            Values::F32(_) | Values::Frozen(_) => self.gradient.is_some(),
            Values::OnDevice(values) => values.is_trained(),
        }
    }

    /// Memory that the values and the gradient take.
    pub fn size_bytes(&self) -> usize {
        let values = match &self.values {
            Values::F32(values) => size_of_val(values.as_slice()),
            Values::Frozen(matrix) => matrix.size_bytes(),
            Values::OnDevice(values) => values.size_bytes(),
        };
        values + size_of_val(self.gradient.as_deref().unwrap_or_default())
    }

    /// The matrix for a product; a weight of one axis is a matrix of one row.
    pub(crate) fn factor(&self) -> Factor<'_> {
        self.values.factor(&self.shape)
    }

    /// All values, row-major, whatever form they are kept in.
    ///
    /// # Errors
    /// A device that does not hand them over.
    pub fn to_f32(&self) -> Result<Cow<'_, [f32]>, DeviceError> {
        Ok(match &self.values {
            Values::F32(values) => values.into(),
            Values::Frozen(matrix) => matrix.to_f32().into(),
            Values::OnDevice(values) => values.to_f32()?.into(),
        })
    }

    /// Shows the values as bytes, for a fingerprint: those of a frozen matrix widened, row by row.
    pub(crate) fn visit_bytes(&self, mut visit: impl FnMut(&[u8])) -> Result<(), DeviceError> {
        match &self.values {
            Values::F32(values) => visit(bytemuck::cast_slice(values)),
            Values::Frozen(matrix) => {
                let mut row = vec![0.0f32; matrix.n_columns()];
                for index in 0..matrix.n_rows() {
                    matrix.as_factor().read_row(index, &mut row);
                    visit(bytemuck::cast_slice(&row));
                }
            }
            Values::OnDevice(values) => visit(bytemuck::cast_slice(&values.to_f32()?)),
        }
        Ok(())
    }

    /// The values of a weight of one axis, or of one that is trained, for the kernels of this processor; of a frozen matrix
    /// there are none to see.
    pub(crate) fn as_slice(&self) -> &[f32] {
        self.values.as_slice()
    }

    /// Replaces the values of a weight that is trained, or of one axis.
    ///
    /// # Errors
    /// A device that does not take them.
    ///
    /// # Panics
    /// When there are more or fewer values.
    pub fn set(&mut self, values: &[f32]) -> Result<(), DeviceError> {
        assert_eq!(values.len(), self.len(), "values of `{}`", self.name);
        match &mut self.values {
            Values::F32(own) => own.copy_from_slice(values),
            Values::Frozen(_) => {}
            Values::OnDevice(own) => own.set(values)?,
        }
        Ok(())
    }

    /// The gradient, where the weight is trained.
    ///
    /// # Errors
    /// A device that does not hand it over.
    pub fn gradient(&self) -> Result<Option<Cow<'_, [f32]>>, DeviceError> {
        Ok(match &self.values {
            Values::OnDevice(values) => values.gradient_to_f32()?.map(Cow::Owned),
            Values::F32(_) | Values::Frozen(_) => self.gradient.as_deref().map(Cow::Borrowed),
        })
    }

    /// Sets the gradient to zero, where the weight is trained.
    pub(crate) fn clear_gradient(&mut self) {
        match &mut self.values {
            Values::OnDevice(values) => values.gradient = None,
            Values::F32(_) | Values::Frozen(_) => {
                if let Some(gradient) = &mut self.gradient {
                    gradient.fill(0.0);
                }
            }
        }
    }

    /// Moves the weight to a device; its gradient is zero there.
    pub(crate) fn move_to(
        &mut self,
        device: Device,
        opened: &candle_core::Device,
    ) -> Result<(), DeviceError> {
        let is_trained = self.is_trained();
        let moved = match &self.values {
            Values::F32(values) => {
                DeviceValues::from_f32(values, &self.shape, is_trained, device, opened)?
            }
            Values::Frozen(matrix) => {
                DeviceValues::from_bf16(&matrix.to_f32(), &self.shape, device, opened)?
            }
            Values::OnDevice(_) => return Ok(()),
        };
        self.values = Values::OnDevice(moved);
        self.gradient = None;
        Ok(())
    }

    /// Values and gradient on the device; `None` where the weight is in the memory of this processor.
    pub(crate) fn on_device(&self) -> Option<&DeviceValues> {
        match &self.values {
            Values::OnDevice(values) => Some(values),
            Values::F32(_) | Values::Frozen(_) => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn on_device_mut(&mut self) -> Option<&mut DeviceValues> {
        match &mut self.values {
            Values::OnDevice(values) => Some(values),
            Values::F32(_) | Values::Frozen(_) => None,
        }
    }

    /// The values on the device.
    ///
    /// # Panics
    /// When the weight is in the memory of this processor: a model is moved as a whole.
    pub(crate) fn tensor(&self) -> &Tensor {
        match &self.values {
            Values::OnDevice(values) => &values.tensor,
            Values::F32(_) | Values::Frozen(_) => unreachable!("`{}` is on no device", self.name),
        }
    }

    /// The matrix for a product, and the gradient to add to where the weight is trained.
    pub(crate) fn split(&mut self) -> (Factor<'_>, Option<&mut [f32]>) {
        (
            self.values.factor(&self.shape),
            self.gradient.as_deref_mut(),
        )
    }

    /// The values of a weight of one axis, and the gradient to add to where it is trained.
    pub(crate) fn split_slice(&mut self) -> (&[f32], Option<&mut [f32]>) {
        (self.values.as_slice(), self.gradient.as_deref_mut())
    }

    /// Lets `change` see the values and the gradient of a trained weight and replace them, wherever they are; a frozen weight
    /// stays as it is.
    pub(crate) fn change(
        &mut self,
        change: impl FnOnce(&mut [f32], &mut [f32]),
    ) -> Result<(), DeviceError> {
        match &mut self.values {
            Values::F32(values) => {
                if let Some(gradient) = &mut self.gradient {
                    change(values, gradient);
                }
            }
            Values::Frozen(_) => {}
            Values::OnDevice(on_device) => {
                if let Some(mut gradient) = on_device.gradient_to_f32()? {
                    let mut values = on_device.to_f32()?;
                    change(&mut values, &mut gradient);
                    on_device.set(&values)?;
                }
            }
        }
        Ok(())
    }
}

impl Values {
    fn factor(&self, shape: &[usize]) -> Factor<'_> {
        match self {
            Self::F32(values) => dense(shape, values),
            Self::Frozen(matrix) => matrix.as_factor(),
            Self::OnDevice(_) => unreachable!("the kernels compute on weights of this processor"),
        }
    }

    fn as_slice(&self) -> &[f32] {
        match self {
            Self::F32(values) => values,
            Self::Frozen(_) => &[],
            Self::OnDevice(_) => unreachable!("the kernels compute on weights of this processor"),
        }
    }
}

fn dense<'a>(shape: &[usize], values: &'a [f32]) -> Factor<'a> {
    match shape {
        [n_rows, n_columns] => Factor::dense(values, *n_rows, *n_columns),
        _ => Factor::dense(values, 1, values.len()),
    }
}
