//! A model on a device: the same weights, batches and losses, by tensor operations.

use candle_core::{DType, Result, Tensor};
use ilab_kernels::cross_entropy::Scales;

use crate::composed::batch::DeviceBatch;
use crate::composed::head::{logits, loss_and_gradient, loss_sum, rows_per_chunk};
use crate::composed::layer::{self, Context};
use crate::composed::norm::{rms_norm, rms_norm_backward};
use crate::device::{Device, DeviceError, Purpose};
use crate::layer::Keep;
use crate::linear::Pass;
use crate::method::{BaseFormat, Method};
use crate::model::Model;
use crate::packing::Batch;

/// A device that holds a model.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    device: Device,
    opened: candle_core::Device,
}

impl Opened {
    fn error(&self, batch: &Batch, source: candle_core::Error) -> DeviceError {
        let n_tokens = batch.input_ids.len();
        DeviceError::new(self.device, Purpose::Batch { n_tokens }, source)
    }
}

impl Model {
    /// Moves the model to a device, weight after weight; on [`Device::Cpu`] it stays as it is.
    ///
    /// The thread that moves it has to be the one that trains it: CUDA orders the work of one thread alone.
    ///
    /// # Errors
    /// A device that is absent or too small, or a base in blocks of eight or four bits, which the kernels of the processor
    /// alone can read.
    pub fn on_device(mut self, device: Device) -> std::result::Result<Self, DeviceError> {
        let Some(opened) = device.open()? else {
            return Ok(self);
        };
        if let Method::Lora(options) = &self.method
            && matches!(options.base, BaseFormat::Q8 | BaseFormat::Nf4)
        {
            return Err(DeviceError::Base {
                device,
                base: options.base,
            });
        }
        for parameter in self.parameters_mut() {
            parameter.move_to(device, &opened)?;
        }
        self.opened = Some(Opened { device, opened });
        Ok(self)
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        self.opened
            .as_ref()
            .map_or(Device::Cpu, |opened| opened.device)
    }

    pub(super) fn loss_sum_on(
        &self,
        on: &Opened,
        batch: &Batch,
    ) -> std::result::Result<f64, DeviceError> {
        self.composed_loss_sum(on, batch)
            .map_err(|source| on.error(batch, source))
    }

    pub(super) fn logits_on(
        &self,
        on: &Opened,
        batch: &Batch,
    ) -> std::result::Result<Vec<f32>, DeviceError> {
        self.composed_logits(on, batch)
            .map_err(|source| on.error(batch, source))
    }

    pub(super) fn accumulate_on(
        &mut self,
        on: &Opened,
        batch: &Batch,
        factor: f64,
        dropout_seed: Option<u64>,
    ) -> std::result::Result<f64, DeviceError> {
        self.composed_accumulate(on, batch, factor, dropout_seed)
            .map_err(|source| on.error(batch, source))
    }

    fn device_batch(&self, on: &Opened, batch: &Batch) -> Result<DeviceBatch> {
        let window = self.shape.sliding_window;
        DeviceBatch::new(batch, &self.rope_table, window, &on.opened)
    }

    fn undropped(&self) -> Pass {
        Pass {
            precision: self.precision,
            dropout_seed: None,
        }
    }

    fn composed_loss_sum(&self, on: &Opened, batch: &Batch) -> Result<f64> {
        let batch = self.device_batch(on, batch)?;
        if batch.targets.is_empty() {
            return Ok(0.0);
        }
        let x = self.composed_stream(&batch)?;
        let hidden = rms_norm(&learned(&x, &batch)?, &self.norm, self.shape.eps)?;
        let weight = self.output.as_ref().unwrap_or(&self.embedding);
        let n_rows = rows_per_chunk(self.config.vocab_size);
        let scale = self.logit_scale();
        loss_sum(
            &hidden,
            &batch.targets,
            weight,
            scale,
            self.undropped(),
            n_rows,
        )
    }

    fn composed_logits(&self, on: &Opened, batch: &Batch) -> Result<Vec<f32>> {
        if batch.input_ids.is_empty() {
            return Ok(Vec::new());
        }
        let x = self.composed_stream(&self.device_batch(on, batch)?)?;
        let hidden = rms_norm(&x, &self.norm, self.shape.eps)?;
        let weight = self.output.as_ref().unwrap_or(&self.embedding);
        let logits = logits(&hidden, weight, self.logit_scale(), self.undropped())?;
        logits.flatten_all()?.to_vec1()
    }

    /// The residual stream before the last normalisation, `[N, C]`, with nothing left out.
    fn composed_stream(&self, batch: &DeviceBatch) -> Result<Tensor> {
        let context = Context {
            shape: &self.shape,
            batch,
            pass: self.undropped(),
        };
        let mut x = self.composed_embed(batch)?;
        for of_layer in &self.layers {
            (x, _) = layer::forward(of_layer, x, Keep::Input, context)?;
        }
        Ok(x)
    }

    fn composed_accumulate(
        &mut self,
        on: &Opened,
        batch: &Batch,
        factor: f64,
        dropout_seed: Option<u64>,
    ) -> Result<f64> {
        let batch = self.device_batch(on, batch)?;
        if batch.targets.is_empty() {
            return Ok(0.0);
        }
        let pass = Pass {
            precision: self.precision,
            dropout_seed,
        };
        let context = Context {
            shape: &self.shape,
            batch: &batch,
            pass,
        };
        let mut x = self.composed_embed(&batch)?;
        let mut saved = Vec::with_capacity(self.layers.len());
        for of_layer in &self.layers {
            let (y, of_layer) = layer::forward(of_layer, x, self.keep, context)?;
            saved.push(of_layer);
            x = y;
        }
        let scales = Scales {
            logit: self.logit_scale(),
            #[allow(clippy::cast_possible_truncation)]
            gradient: factor as f32,
        };
        let eps = self.shape.eps;
        let rows = learned(&x, &batch)?;
        let hidden = rms_norm(&rows, &self.norm, eps)?;
        let weight = self.output.as_mut().unwrap_or(&mut self.embedding);
        let n_rows = rows_per_chunk(self.config.vocab_size);
        let (loss, dhidden) =
            loss_and_gradient(&hidden, &batch.targets, weight, scales, pass, n_rows)?;
        let drows = rms_norm_backward(&rows, &mut self.norm, &dhidden, eps)?;
        let mut dx = x
            .zeros_like()?
            .index_add(&learned_rows(&x, &batch)?, &drows, 0)?;
        drop((x, rows, hidden, dhidden, drows));
        for (of_layer, saved) in self.layers.iter_mut().zip(saved).rev() {
            dx = layer::backward(of_layer, saved, &dx, context)?;
        }
        self.composed_embed_backward(&batch, &dx)?;
        Ok(loss * factor)
    }

    fn composed_embed(&self, batch: &DeviceBatch) -> Result<Tensor> {
        let rows = self.embedding.tensor().index_select(&batch.input_ids, 0)?;
        let multiplier = f64::from(self.embedding_multiplier());
        rows.to_dtype(DType::F32)?.affine(multiplier, 0.0)
    }

    fn composed_embed_backward(&mut self, batch: &DeviceBatch, dx: &Tensor) -> Result<()> {
        let multiplier = f64::from(self.embedding_multiplier());
        let Some(values) = self.embedding.on_device_mut() else {
            return Ok(());
        };
        let shape = values.tensor.shape().clone();
        values.add_gradient(|| {
            let zeros = Tensor::zeros(shape, DType::F32, dx.device())?;
            zeros.index_add(&batch.input_ids, &dx.affine(multiplier, 0.0)?, 0)
        })
    }
}

/// The rows after which something is learned, `[L, C]`.
fn learned(x: &Tensor, batch: &DeviceBatch) -> Result<Tensor> {
    x.index_select(&learned_rows(x, batch)?, 0)
}

fn learned_rows(x: &Tensor, batch: &DeviceBatch) -> Result<Tensor> {
    Tensor::from_slice(&batch.learned_rows, batch.learned_rows.len(), x.device())
}
