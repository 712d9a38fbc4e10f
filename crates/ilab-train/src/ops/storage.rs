//! Access to the f32 values behind a CPU tensor.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The values of a contiguous f32 argument.
pub(super) fn slice<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
    op: &'static str,
) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("{op} needs contiguous tensors")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// The values of a contiguous f32 tensor that is changed in place.
pub(crate) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("an update needs a contiguous tensor")
    };
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => bail!("an update needs an f32 tensor"),
    }
}

/// Calls `read` with the values of a CPU tensor, made contiguous first where it is not.
pub(crate) fn with_slice<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(slice(storage, layout, "reading")?)),
        _ => bail!("this operation runs on the CPU only"),
    }
}
