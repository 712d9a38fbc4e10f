//! The loop over the words of a tile, written once for all vector registers.

/// Rows of a tile.
pub(super) const ROWS: usize = 6;

/// Defines a function that computes a [`super::kernel::Tile`] of six rows and `columns` registers.
///
/// `ops` is a module with the vector instructions. Rows and registers are written out, because a loop that is unrolled
/// late leaves the sums in memory.
macro_rules! tile_kernel {
    ($name:ident, $features:literal, $ops:ident, $($column:literal)*) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(tile: &$crate::product::kernel::Tile) {
            use $ops::{LANES, broadcast, dot, load, prefetch, store, zero};
            use $crate::product::tile_kernel::ROWS;
            const REGISTERS: usize = [$($column),*].len();
            const WIDTH: usize = REGISTERS * LANES;
            // SAFETY: the caller vouches for the extents that the tile names; rows beyond the last read the last again.
            unsafe {
                let row = |row: usize| tile.left.add(row.min(tile.n_rows - 1) * tile.left_stride);
                let (row0, row1, row2) = (row(0), row(1), row(2));
                let (row3, row4, row5) = (row(3), row(4), row(5));
                for row in 0..tile.n_rows {
                    let out = tile.out.add(row * tile.out_stride);
                    $(prefetch(out.wrapping_add($column * LANES));)*
                }
                let mut sums0 = [zero(); REGISTERS];
                let mut sums1 = [zero(); REGISTERS];
                let mut sums2 = [zero(); REGISTERS];
                let mut sums3 = [zero(); REGISTERS];
                let mut sums4 = [zero(); REGISTERS];
                let mut sums5 = [zero(); REGISTERS];
                for word in 0..tile.n_words {
                    let right = tile.right.add(word * WIDTH);
                    let columns = [$(load(right.add($column * LANES))),*];
                    let left = broadcast(row0.add(word * 4));
                    sums0 = [$(dot(sums0[$column], left, columns[$column])),*];
                    let left = broadcast(row1.add(word * 4));
                    sums1 = [$(dot(sums1[$column], left, columns[$column])),*];
                    let left = broadcast(row2.add(word * 4));
                    sums2 = [$(dot(sums2[$column], left, columns[$column])),*];
                    let left = broadcast(row3.add(word * 4));
                    sums3 = [$(dot(sums3[$column], left, columns[$column])),*];
                    let left = broadcast(row4.add(word * 4));
                    sums4 = [$(dot(sums4[$column], left, columns[$column])),*];
                    let left = broadcast(row5.add(word * 4));
                    sums5 = [$(dot(sums5[$column], left, columns[$column])),*];
                }
                if tile.n_rows == ROWS && tile.n_columns == WIDTH {
                    let (keep, scale) = (tile.keep, tile.scale);
                    let out = |row: usize| tile.out.add(row * tile.out_stride);
                    $(
                        store(out(0).add($column * LANES), sums0[$column], keep, scale);
                        store(out(1).add($column * LANES), sums1[$column], keep, scale);
                        store(out(2).add($column * LANES), sums2[$column], keep, scale);
                        store(out(3).add($column * LANES), sums3[$column], keep, scale);
                        store(out(4).add($column * LANES), sums4[$column], keep, scale);
                        store(out(5).add($column * LANES), sums5[$column], keep, scale);
                    )*
                } else {
                    let mut edge = [0.0f32; ROWS * WIDTH];
                    let at = |row: usize| edge.as_mut_ptr().wrapping_add(row * WIDTH);
                    let at: [*mut f32; ROWS] = { let mut at = at; [at(0), at(1), at(2), at(3), at(4), at(5)] };
                    $(
                        store(at[0].add($column * LANES), sums0[$column], 0.0, 1.0);
                        store(at[1].add($column * LANES), sums1[$column], 0.0, 1.0);
                        store(at[2].add($column * LANES), sums2[$column], 0.0, 1.0);
                        store(at[3].add($column * LANES), sums3[$column], 0.0, 1.0);
                        store(at[4].add($column * LANES), sums4[$column], 0.0, 1.0);
                        store(at[5].add($column * LANES), sums5[$column], 0.0, 1.0);
                    )*
                    tile.store(&edge, WIDTH);
                }
            }
        }
    };
}
pub(super) use tile_kernel;
