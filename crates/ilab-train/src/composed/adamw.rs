//! AdamW in the memory of a device; the arithmetic is that of `ilab_kernels::adamw`.

use candle_core::{DType, Result, Tensor};
use ilab_kernels::adamw::{AdamW, Schedule};

use crate::device::{Device, DeviceError, Purpose};
use crate::parameter::on_device::DeviceValues;

/// Both moments of a weight. They are zero, and take no memory, before the first step.
#[derive(Debug)]
pub(crate) struct DeviceMoments {
    device: Device,
    opened: candle_core::Device,
    shape: candle_core::Shape,
    moments: Option<[Tensor; 2]>,
}

impl DeviceMoments {
    /// Nothing is remembered yet.
    pub(crate) fn of(values: &DeviceValues) -> Self {
        Self {
            device: values.device(),
            opened: values.tensor.device().clone(),
            shape: values.tensor.shape().clone(),
            moments: None,
        }
    }

    /// How many numbers each moment has.
    pub(crate) fn len(&self) -> usize {
        self.shape.elem_count()
    }

    fn error(&self, source: candle_core::Error) -> DeviceError {
        DeviceError::new(self.device, Purpose::Update, source)
    }

    /// The first and the second moment.
    pub(crate) fn to_f32(&self) -> std::result::Result<[Vec<f32>; 2], DeviceError> {
        let read = |tensor: &Tensor| -> Result<Vec<f32>> { tensor.flatten_all()?.to_vec1() };
        match &self.moments {
            None => Ok([vec![0.0; self.len()], vec![0.0; self.len()]]),
            Some([first, second]) => read(first)
                .and_then(|first| Ok([first, read(second)?]))
                .map_err(|source| self.error(source)),
        }
    }

    /// The moments of the same weight at another time.
    pub(crate) fn with(
        &self,
        first: Vec<f32>,
        second: Vec<f32>,
    ) -> std::result::Result<Self, DeviceError> {
        let tensor = |values| Tensor::from_vec(values, self.shape.clone(), &self.opened);
        let moments = tensor(first).and_then(|first| Ok([first, tensor(second)?]));
        Ok(Self {
            device: self.device,
            opened: self.opened.clone(),
            shape: self.shape.clone(),
            moments: Some(moments.map_err(|source| self.error(source))?),
        })
    }

    /// One step: replaces the values and both moments.
    pub(crate) fn step(
        &mut self,
        adamw: AdamW,
        values: &mut DeviceValues,
        schedule: Schedule,
    ) -> std::result::Result<(), DeviceError> {
        let (tensor, moments) = self
            .stepped(adamw, values, schedule)
            .map_err(|source| self.error(source))?;
        values.tensor = tensor;
        self.moments = Some(moments);
        Ok(())
    }

    fn stepped(
        &self,
        adamw: AdamW,
        values: &DeviceValues,
        schedule: Schedule,
    ) -> Result<(Tensor, [Tensor; 2])> {
        let zeros = || Tensor::zeros(self.shape.clone(), DType::F32, &self.opened);
        let [first, second] = match &self.moments {
            Some(moments) => moments.clone(),
            None => [zeros()?, zeros()?],
        };
        let gradient = match &values.gradient {
            Some(gradient) => gradient.affine(f64::from(schedule.gradient_scale), 0.0)?,
            None => zeros()?,
        };
        let (beta1, beta2) = (f64::from(adamw.beta1), f64::from(adamw.beta2));
        let exponent = i32::try_from(schedule.step).unwrap_or(i32::MAX);
        let lr = f64::from(schedule.lr);
        let step_size = lr / (1.0 - beta1.powi(exponent));
        let inverse_root = 1.0 / (1.0 - beta2.powi(exponent)).sqrt();
        let keep = 1.0 - lr * f64::from(adamw.weight_decay);

        let share = gradient.affine(1.0 - beta1, 0.0)?;
        let first = first.affine(beta1, 0.0)?.add(&share)?;
        let share = gradient.sqr()?.affine(1.0 - beta2, 0.0)?;
        let second = second.affine(beta2, 0.0)?.add(&share)?;
        let denominator = second.sqrt()?.affine(inverse_root, f64::from(adamw.eps))?;
        let change = first.div(&denominator)?.affine(step_size, 0.0)?;
        let tensor = values.tensor.affine(keep, 0.0)?.sub(&change)?;
        Ok((tensor, [first, second]))
    }
}
