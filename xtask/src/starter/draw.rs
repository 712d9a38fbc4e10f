//! Shorthand for drawing from the project's generator.

use ilab_base::seed::Rng;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

/// What a grammar asks of a generator, in words that keep the rules short.
pub trait Draw {
    /// One element of a list that is never empty.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T;
    /// True with this probability.
    fn chance(&mut self, probability: f64) -> bool;
    /// A whole number from `low` to `high`, both included.
    fn between(&mut self, low: usize, high: usize) -> usize;
    /// An index drawn with these weights.
    fn weighted(&mut self, weights: &[f64]) -> usize;
    /// The list in another order.
    fn shuffle_all<T>(&mut self, items: &mut [T]);
}

impl Draw for Rng {
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.random_range(0..items.len())]
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random_bool(probability)
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        self.random_range(low..=high)
    }

    fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.random_range(0.0..weights.iter().sum::<f64>());
        for (i, weight) in weights.iter().enumerate() {
            if left < *weight {
                return i;
            }
            left -= weight;
        }
        weights.len() - 1
    }

    fn shuffle_all<T>(&mut self, items: &mut [T]) {
        items.shuffle(self);
    }
}
