//! A batch on a device: what all layers of a pass share.

use std::collections::HashMap;

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
    /// Tiles of the attention with their masks `[queries, n_masked]`.
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

/// Tiles with their masks; parts of one size share theirs, so that a long segment takes the memory of one tile.
pub(crate) fn masked(
    segments: &[usize],
    window: Option<usize>,
    n_rows: usize,
    device: &Device,
) -> Result<Vec<(Tile, Tensor)>> {
    let mut of_parts: HashMap<(usize, usize), Tensor> = HashMap::new();
    let mut masked = Vec::new();
    for tile in tiles(segments, window, n_rows) {
        let shape = (tile.queries.len(), tile.n_masked);
        let known = of_parts.get(&shape).filter(|_| tile.is_part);
        let mask = match known {
            Some(mask) => mask.clone(),
            None => Tensor::from_vec(tile.mask(segments, window), shape, device)?,
        };
        if tile.is_part {
            of_parts.insert(shape, mask.clone());
        }
        masked.push((tile, mask));
    }
    Ok(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_segment_share_their_masks_and_nothing_else_does() {
        let masks = masked(&[0, 12, 16, 18, 20], None, 4, &Device::Cpu).unwrap();
        let values = |index: usize| -> Vec<f32> {
            let (_, mask) = &masks[index];
            mask.flatten_all().unwrap().to_vec1().unwrap()
        };
        assert_eq!(masks.len(), 5);
        for part in 1..4 {
            assert_eq!(masks[part].1.id(), masks[0].1.id());
        }
        assert_ne!(values(4), values(0), "two segments of two rows");
    }
}
