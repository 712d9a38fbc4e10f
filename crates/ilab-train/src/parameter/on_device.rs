//! Values and gradient of a weight in the memory of a device.

use candle_core::{D, DType, Tensor};
use half::bf16;

use crate::device::{Device, DeviceError, Purpose};

/// What a device holds of one weight.
#[derive(Debug)]
pub(crate) struct DeviceValues {
    device: Device,
    pub(crate) tensor: Tensor,
    is_trained: bool,
    /// Absent where it is zero.
    pub(crate) gradient: Option<Tensor>,
}

impl DeviceValues {
    /// Values in full precision.
    pub(crate) fn from_f32(
        values: &[f32],
        shape: &[usize],
        is_trained: bool,
        device: Device,
        opened: &candle_core::Device,
    ) -> Result<Self, DeviceError> {
        let tensor = Tensor::from_slice(values, shape, opened);
        Ok(Self {
            tensor: tensor.map_err(|source| DeviceError::new(device, Purpose::Weights, source))?,
            device,
            is_trained,
            gradient: None,
        })
    }

    /// Frozen values of a matrix that was rounded to bf16 before.
    pub(crate) fn from_bf16(
        values: &[f32],
        shape: &[usize],
        device: Device,
        opened: &candle_core::Device,
    ) -> Result<Self, DeviceError> {
        let rounded: Vec<bf16> = values.iter().copied().map(bf16::from_f32).collect();
        let tensor = Tensor::from_vec(rounded, shape, opened);
        Ok(Self {
            tensor: tensor.map_err(|source| DeviceError::new(device, Purpose::Weights, source))?,
            device,
            is_trained: false,
            gradient: None,
        })
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    pub(crate) fn is_trained(&self) -> bool {
        self.is_trained
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        of(&self.tensor) + self.gradient.as_ref().map_or(0, of)
    }

    fn weights_error(&self, source: candle_core::Error) -> DeviceError {
        DeviceError::new(self.device, Purpose::Weights, source)
    }

    /// All values, row-major.
    pub(crate) fn to_f32(&self) -> Result<Vec<f32>, DeviceError> {
        read(&self.tensor).map_err(|source| self.weights_error(source))
    }

    /// Replaces all values.
    pub(crate) fn set(&mut self, values: &[f32]) -> Result<(), DeviceError> {
        let replace = || -> candle_core::Result<Tensor> {
            let tensor = Tensor::from_slice(values, self.tensor.shape(), self.tensor.device())?;
            tensor.to_dtype(self.tensor.dtype())
        };
        self.tensor = replace().map_err(|source| self.weights_error(source))?;
        Ok(())
    }

    /// The gradient, row-major, where the weight is trained.
    pub(crate) fn gradient_to_f32(&self) -> Result<Option<Vec<f32>>, DeviceError> {
        match (&self.gradient, self.is_trained) {
            (_, false) => Ok(None),
            (None, true) => Ok(Some(vec![0.0; self.tensor.elem_count()])),
            (Some(gradient), true) => read(gradient)
                .map(Some)
                .map_err(|source| self.weights_error(source)),
        }
    }

    /// Adds to the gradient of a trained weight; `gradient` is computed for no other.
    pub(crate) fn add_gradient(
        &mut self,
        gradient: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<()> {
        if self.is_trained {
            let gradient = gradient()?.to_dtype(DType::F32)?;
            self.gradient = Some(match self.gradient.take() {
                None => gradient,
                Some(sum) => sum.add(&gradient)?,
            });
        }
        Ok(())
    }

    /// The sum of the squares of all gradients: those of a weight in f32, along its rows first, and all weights in f64.
    pub(crate) fn sum_of_squares(weights: &[&Self]) -> Result<f64, DeviceError> {
        let with_gradient = weights.iter().filter_map(|values| values.gradient.as_ref());
        let sums = with_gradient
            .map(|gradient| gradient.sqr()?.sum(D::Minus1)?.sum_all())
            .collect::<candle_core::Result<Vec<Tensor>>>();
        let read = |sums: Vec<Tensor>| match sums.is_empty() {
            true => Ok(Vec::new()),
            false => Tensor::stack(&sums, 0)?.to_vec1::<f32>(),
        };
        let device = weights.first().map_or(Device::Cpu, |values| values.device);
        let sums = sums
            .and_then(read)
            .map_err(|source| DeviceError::new(device, Purpose::Update, source))?;
        Ok(sums.into_iter().map(f64::from).sum())
    }
}

fn read(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
