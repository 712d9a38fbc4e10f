//! First-fit decreasing: longest samples first, each into the first batch that has room.
//!
//! The room of the batches is kept in a tree of maxima, so that a step of a million samples is planned in a moment.

/// Batches of indices into `sorted`, lengths from the longest to the shortest. One that is longer than `limit` is alone.
pub(super) fn first_fit(sorted: &[usize], limit: usize) -> Vec<Vec<usize>> {
    let mut rooms = Rooms::new(sorted.len(), limit);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for (index, length) in sorted.iter().enumerate() {
        let batch = rooms.take((*length).min(limit));
        if batch == batches.len() {
            batches.push(Vec::new());
        }
        batches[batch].push(index);
    }
    batches
}

/// The room left in each batch: leaves of a binary tree whose nodes hold the larger of their two.
struct Rooms {
    tree: Vec<usize>,
    n_leaves: usize,
}

impl Rooms {
    /// As many batches as samples, all empty: there is always one with room.
    fn new(n_samples: usize, limit: usize) -> Self {
        let n_leaves = n_samples.max(1).next_power_of_two();
        Self {
            tree: vec![limit; 2 * n_leaves],
            n_leaves,
        }
    }

    /// The first batch with room for `length`, which it gives up.
    fn take(&mut self, length: usize) -> usize {
        let mut node = 1;
        while node < self.n_leaves {
            node *= 2;
            node += usize::from(self.tree[node] < length);
        }
        self.tree[node] -= length;
        let batch = node - self.n_leaves;
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].max(self.tree[2 * node + 1]);
        }
        batch
    }
}
