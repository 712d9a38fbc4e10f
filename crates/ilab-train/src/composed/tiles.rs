//! Which rows attend to which, in pieces that bound the memory of the scores.

use std::ops::Range;

/// Rows of a tile at most: scores of a tile are `[H, rows, keys]`.
pub(crate) const TILE_ROWS: usize = 256;

/// Some rows of a batch, and the rows that at least one of them sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) queries: Range<usize>,
    pub(crate) keys: Range<usize>,
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
            continue;
        }
        is_open = end - start <= n_rows;
        for first in (start..end).step_by(n_rows) {
            let next = (first + n_rows).min(end);
            let first_key = window.map_or(start, |window| {
                start.max((first + 1).saturating_sub(window))
            });
            tiles.push(Tile {
                queries: first..next,
                keys: first_key..next,
            });
        }
    }
    tiles
}

impl Tile {
    /// Zero where a row sees another, -∞ elsewhere, `[queries, keys]`.
    pub(crate) fn mask(&self, segments: &[usize], window: Option<usize>) -> Vec<f32> {
        let mut mask = vec![f32::NEG_INFINITY; self.queries.len() * self.keys.len()];
        let rows = mask.chunks_exact_mut(self.keys.len().max(1));
        for (query, row) in self.queries.clone().zip(rows) {
            let segment = segments.partition_point(|start| *start <= query) - 1;
            let first = segments[segment];
            let first = window.map_or(first, |window| {
                first.max((query + 1).saturating_sub(window))
            });
            row[first - self.keys.start..=query - self.keys.start].fill(0.0);
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_segments_share_a_tile_and_long_ones_are_cut() {
        let tile = |queries, keys| Tile { queries, keys };
        assert_eq!(
            tiles(&[0, 3, 5, 15, 17], None, 5),
            [
                tile(0..5, 0..5),
                tile(5..10, 5..10),
                tile(10..15, 5..15),
                tile(15..17, 15..17)
            ]
        );
        assert_eq!(
            tiles(&[0, 9], Some(3), 4),
            [tile(0..4, 0..4), tile(4..8, 2..8), tile(8..9, 6..9)]
        );
        assert_eq!(tiles(&[0], None, 4), []);
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
            let mut next = 0;
            for tile in tiles(&segments, window, n_rows) {
                prop_assert_eq!(tile.queries.start, next);
                prop_assert!(tile.queries.len() <= n_rows);
                next = tile.queries.end;
                let mask = tile.mask(&segments, window);
                for query in tile.queries.clone() {
                    let start = segments.iter().rev().find(|start| **start <= query);
                    let seen: Vec<usize> = (*start.unwrap()..=query)
                        .filter(|key| window.is_none_or(|window| query - key < window))
                        .collect();
                    let row = &mask[(query - tile.queries.start) * tile.keys.len()..][..tile.keys.len()];
                    let found: Vec<usize> = tile
                        .keys
                        .clone()
                        .zip(row)
                        .filter(|(_, value)| **value == 0.0)
                        .map(|(key, _)| key)
                        .collect();
                    prop_assert_eq!(found, seen);
                }
            }
            prop_assert_eq!(next, segments[segments.len() - 1]);
        }
    }
}
