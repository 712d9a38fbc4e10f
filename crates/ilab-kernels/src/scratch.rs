//! Memory for intermediate results that every thread keeps, so that small products allocate nothing.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

/// Words of a cache line.
const LINE: usize = 16;
/// Buffers a thread keeps at most.
const N_KEPT: usize = 8;

/// One cache line; vectors that cross lines take two loads.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; LINE]);

// SAFETY: an array of plain numbers without padding.
#[allow(unsafe_code)]
unsafe impl Zeroable for Line {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Pod for Line {}

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Words that start a cache line; what they hold is left over from earlier uses.
pub(crate) struct Words {
    lines: Vec<Line>,
    n_words: usize,
}

/// Floats that start a cache line; what they hold is left over from earlier uses.
pub(crate) struct Floats(Words);

/// A buffer of the calling thread, or a new one when all are in use.
pub(crate) fn words(n_words: usize) -> Words {
    let n_lines = n_words.div_ceil(LINE);
    let kept = KEPT.with_borrow_mut(|kept| {
        let smallest = (0..kept.len()).min_by_key(|index| {
            let len = kept[*index].len();
            (len < n_lines, len.abs_diff(n_lines))
        });
        smallest.map(|index| kept.swap_remove(index))
    });
    let mut lines = kept.unwrap_or_default();
    if lines.len() < n_lines {
        // What is there need not be copied into the larger allocation.
        lines.clear();
        lines.resize(n_lines, Line([0; LINE]));
    }
    Words { lines, n_words }
}

/// [`words`] as floats.
pub(crate) fn floats(n: usize) -> Floats {
    Floats(words(n))
}

impl Drop for Words {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that is ending has no buffers any more.
        let _ended = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < N_KEPT {
                kept.push(lines);
            }
        });
    }
}

impl Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &bytemuck::cast_slice(&self.lines)[..self.n_words]
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.n_words]
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_it_is_free() {
        let first = floats(100);
        let second = floats(100);
        let (start, other) = (first.as_ptr(), second.as_ptr());
        assert_ne!(start, other);
        assert_eq!(start as usize % 64, 0);
        drop(first);
        assert_eq!(words(90).as_ptr().cast(), start);
    }
}
