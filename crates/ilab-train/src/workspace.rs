//! Buffers that are used again: a large vector that is freed goes back to the operating system, and its pages are zeroed
//! when the next one is made, which costs more than many of the operations that fill it.

use half::bf16;

/// Buffers that nobody uses at the moment.
#[derive(Debug, Default)]
pub struct Workspace {
    f32: Vec<Vec<f32>>,
    bf16: Vec<Vec<bf16>>,
}

impl Workspace {
    /// A buffer of `n` numbers, which are whatever was left in it.
    pub(crate) fn take(&mut self, n: usize) -> Vec<f32> {
        take(&mut self.f32, n, 0.0)
    }

    /// The same with every number at zero.
    pub(crate) fn take_zeroed(&mut self, n: usize) -> Vec<f32> {
        let mut buffer = self.take(n);
        buffer.fill(0.0);
        buffer
    }

    /// A buffer of `n` rounded numbers, which are whatever was left in it.
    pub(crate) fn take_bf16(&mut self, n: usize) -> Vec<bf16> {
        take(&mut self.bf16, n, bf16::ZERO)
    }

    /// Hands a buffer back.
    pub(crate) fn give(&mut self, buffer: Vec<f32>) {
        self.f32.push(buffer);
    }

    /// Hands a buffer back.
    pub(crate) fn give_bf16(&mut self, buffer: Vec<bf16>) {
        self.bf16.push(buffer);
    }
}

/// The smallest buffer that is large enough, or a new one.
fn take<T: Copy>(free: &mut Vec<Vec<T>>, n: usize, zero: T) -> Vec<T> {
    let fitting = (0..free.len())
        .filter(|index| free[*index].capacity() >= n && free[*index].capacity() / 4 <= n)
        .min_by_key(|index| free[*index].capacity());
    let mut buffer = match fitting {
        Some(index) => free.swap_remove(index),
        None => {
            // The largest that is too small gives way: buffers of smaller batches would pile up otherwise.
            let small = (0..free.len()).filter(|index| free[*index].capacity() < n);
            if let Some(index) = small.max_by_key(|index| free[*index].capacity()) {
                free.swap_remove(index);
            }
            Vec::with_capacity(n)
        }
    };
    buffer.resize(n, zero);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_what_fits_it() {
        let mut workspace = Workspace::default();
        let buffer = workspace.take(100);
        let address = buffer.as_ptr();
        workspace.give(buffer);
        let small = workspace.take(10);
        assert_ne!(small.as_ptr(), address, "a waste");
        let again = workspace.take(90);
        assert_eq!((again.as_ptr(), again.len()), (address, 90));
    }

    /// Batches that become larger and larger leave no buffers behind that only the smaller ones used.
    #[test]
    fn growing_batches_hold_what_the_largest_needs() {
        let mut workspace = Workspace::default();
        for n in (100..1000).chain([300, 900]) {
            let taken: Vec<Vec<f32>> = (0..5).map(|_| workspace.take(n)).collect();
            for buffer in taken {
                workspace.give(buffer);
            }
        }
        let held: usize = workspace.f32.iter().map(Vec::capacity).sum();
        assert_eq!(held, 5 * 999);
    }

    #[test]
    fn zeroed_buffers_are_zero() {
        let mut workspace = Workspace::default();
        workspace.give(vec![7.0; 9]);
        assert_eq!(workspace.take_zeroed(8), [0.0; 8]);
    }
}
