//! A batch on a device: what all layers of a pass share.

use candle_core::{Device, Result, Tensor};
use ilab_kernels::rope::RopeTable;

use crate::composed::rotary::Angles;
use crate::composed::tiles::{TILE_ROWS, Tile, tiles};
use crate::packing::Batch;

/// A batch on a device.
#[derive(Debug)]
pub(crate) struct DeviceBatch {
    /// `[N]`.
    pub(crate) input_ids: Tensor,
    pub(crate) angles: Angles,
    /// Tiles of the attention with their masks `[queries, keys]`.
    pub(crate) tiles: Vec<(Tile, Tensor)>,
    /// Rows after which a token is learned.
    pub(crate) learned_rows: Vec<u32>,
    /// The tokens that are learned after these.
    pub(crate) targets: Vec<u32>,
}

impl DeviceBatch {
    /// Moves a batch of at least one token to a device.
    pub(crate) fn new(
        batch: &Batch,
        table: &RopeTable,
        window: Option<usize>,
        device: &Device,
    ) -> Result<Self> {
        let n = batch.input_ids.len();
        let learned = batch.targets.iter().zip(0u32..);
        let learned = learned.filter_map(|(target, row)| target.map(|target| (row, target)));
        let (learned_rows, targets) = learned.unzip();
        Ok(Self {
            input_ids: Tensor::from_slice(&batch.input_ids, n, device)?,
            angles: angles(&batch.positions, table, device)?,
            tiles: masked(&batch.segments, window, TILE_ROWS, device)?,
            learned_rows,
            targets,
        })
    }
}

fn angles(positions: &[u32], table: &RopeTable, device: &Device) -> Result<Angles> {
    let n = positions.len();
    let (mut cosines, mut sines) = (Vec::new(), Vec::new());
    for position in positions {
        let (of_cosine, of_sine) = table.at(*position);
        cosines.extend_from_slice(of_cosine);
        sines.extend_from_slice(of_sine);
    }
    let shape = (n, 1, cosines.len() / n.max(1));
    Ok(Angles {
        cosines: Tensor::from_vec(cosines, shape, device)?,
        sines: Tensor::from_vec(sines, shape, device)?,
    })
}

/// Tiles with their masks.
pub(crate) fn masked(
    segments: &[usize],
    window: Option<usize>,
    n_rows: usize,
    device: &Device,
) -> Result<Vec<(Tile, Tensor)>> {
    let tiles = tiles(segments, window, n_rows).into_iter();
    tiles
        .map(|tile| {
            let shape = (tile.queries.len(), tile.keys.len());
            let mask = Tensor::from_vec(tile.mask(segments, window), shape, device)?;
            Ok((tile, mask))
        })
        .collect()
}
