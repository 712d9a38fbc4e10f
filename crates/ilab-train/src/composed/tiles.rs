//! Which rows attend to which, in pieces that bound the memory of the scores.

use std::ops::Range;

/// Rows of a tile at most: scores of a tile are `[H, rows, keys]`.
pub(crate) const TILE_ROWS: usize = 256;

/// Some rows of a batch, and the rows that at least one of them sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) queries: Range<usize>,
    pub(crate) keys: Range<usize>,
    /// So many of its last keys are not seen by all of its rows; those before are.
    pub(crate) n_masked: usize,
    /// Whether it is a part of one segment: such tiles of one size have the same mask.
    pub(crate) is_part: bool,
}

/// Tiles that cover the rows of all segments in their order. Short segments share one, so that a batch of many small samples
/// takes few products; long ones are cut.
pub(crate) fn tiles(segments: &[usize], window: Option<usize>, n_rows: usize) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = Vec::new();
    let mut is_open = false;
    for bounds in segments.windows(2) {
        let (start, end) = (bounds[0], bounds[1]);
        if start == end {
            continue;
        }
        if let Some(last) = tiles.last_mut()
            && is_open
            && end - last.queries.start <= n_rows
        {
            last.queries.end = end;
            last.keys.end = end;
            last.n_masked = last.keys.len();
            last.is_part = false;
            continue;
        }
        is_open = end - start <= n_rows;
        for first in (start..end).step_by(n_rows) {
            let next = (first + n_rows).min(end);
            let first_key = window.map_or(start, |window| {
                start.max((first + 1).saturating_sub(window))
            });
            tiles.push(Tile {
                n_masked: next - window.map_or(first, |_| first_key),
                queries: first..next,
                keys: first_key..next,
                is_part: true,
            });
        }
    }
    tiles
}

impl Tile {
    /// Zero where a row sees one of the masked keys, -∞ elsewhere, `[queries, n_masked]`.
    pub(crate) fn mask(&self, segments: &[usize], window: Option<usize>) -> Vec<f32> {
        let first_masked = self.keys.end - self.n_masked;
        let mut mask = vec![f32::NEG_INFINITY; self.queries.len() * self.n_masked];
        let rows = mask.chunks_exact_mut(self.n_masked.max(1));
        for (query, row) in self.queries.clone().zip(rows) {
            let segment = segments.partition_point(|start| *start <= query) - 1;
            let first = window.map_or(0, |window| (query + 1).saturating_sub(window));
            let first = first.max(segments[segment]).max(first_masked);
            row[first - first_masked..=query - first_masked].fill(0.0);
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn short_segments_share_a_tile_and_long_ones_are_cut() {
        let shown = |segments: &[usize], window, n_rows| {
            let tiles = tiles(segments, window, n_rows).into_iter();
            let shown = tiles.map(|tile| {
                let part = if tile.is_part { "part" } else { "whole" };
                let Tile {
                    queries,
                    keys,
                    n_masked,
                    ..
                } = tile;
                format!("{queries:?} sees {keys:?}, masks {n_masked}, {part}")
            });
            shown.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            shown(&[0, 3, 5, 15, 17], None, 5),
            "0..5 sees 0..5, masks 5, whole\n5..10 sees 5..10, masks 5, part\n\
             10..15 sees 5..15, masks 5, part\n15..17 sees 15..17, masks 2, part"
        );
        assert_eq!(
            shown(&[0, 9], Some(3), 4),
            "0..4 sees 0..4, masks 4, part\n4..8 sees 2..8, masks 6, part\n8..9 sees 6..9, masks 3, part"
        );
        assert_eq!(shown(&[0], None, 4), "");
    }

    proptest! {
        #[test]
        fn every_row_sees_its_own_segment_up_to_itself(
            lengths in prop::collection::vec(0usize..20, 0..8),
            window in prop::option::of(1usize..12),
            n_rows in 1usize..12,
        ) {
            let mut segments = vec![0];
            for length in lengths {
                segments.push(segments[segments.len() - 1] + length);
            }
            let (mut next, mut parts) = (0, HashMap::new());
            for tile in tiles(&segments, window, n_rows) {
                prop_assert_eq!(tile.queries.start, next);
                prop_assert!(tile.queries.len() <= n_rows);
                next = tile.queries.end;
                let mask = tile.mask(&segments, window);
                let first_masked = tile.keys.end - tile.n_masked;
                for query in tile.queries.clone() {
                    let start = segments.iter().rev().find(|start| **start <= query);
                    let seen: Vec<usize> = (*start.unwrap()..=query)
                        .filter(|key| window.is_none_or(|window| query - key < window))
                        .collect();
                    let row = &mask[(query - tile.queries.start) * tile.n_masked..][..tile.n_masked];
                    let is_seen = |key: &usize| *key < first_masked || row[key - first_masked] == 0.0;
                    let found: Vec<usize> = tile.keys.clone().filter(is_seen).collect();
                    prop_assert_eq!(found, seen);
                }
                let other = parts.entry((tile.is_part, tile.queries.len(), tile.n_masked));
                let other = other.or_insert_with(|| mask.clone());
                prop_assert!(!tile.is_part || *other == mask);
            }
            prop_assert_eq!(next, segments[segments.len() - 1]);
        }
    }
}
