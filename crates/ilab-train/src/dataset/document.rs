//! Plain text to learn from: a document is tokens, and a long one is several samples.
//!
//! # Differs from upstream
//! The original puts all documents one after the other and cuts the whole into blocks, so that most blocks hold the end of
//! one document and the beginning of another, which is then predicted from it. Here every block is of one document, and
//! begins with the last token of the block before, so that every token but the first of the document is learned once.

use ilab_text::sample::EncodedSample;

/// Cuts a document into samples of at most `max_seq_len` tokens, all of them learned.
pub(super) fn blocks(ids: &[u32], max_seq_len: usize) -> Vec<EncodedSample> {
    // Of two tokens the second is learned; of fewer none.
    let stride = max_seq_len.max(2) - 1;
    let n_learned = ids.len().saturating_sub(1);
    (0..n_learned.div_ceil(stride))
        .map(|block_idx| {
            let start = block_idx * stride;
            let ids = &ids[start..ids.len().min(start + stride + 1)];
            EncodedSample {
                input_ids: ids.to_vec(),
                is_learned: vec![true; ids.len()],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(n_ids: u32, max_seq_len: usize) -> Vec<Vec<u32>> {
        let ids: Vec<u32> = (0..n_ids).collect();
        let blocks = blocks(&ids, max_seq_len);
        blocks.into_iter().map(|block| block.input_ids).collect()
    }

    #[test]
    fn blocks_share_one_token() {
        assert_eq!(shown(6, 3), [vec![0, 1, 2], vec![2, 3, 4], vec![4, 5]]);
        assert_eq!(shown(3, 3), [vec![0, 1, 2]]);
        assert!(shown(1, 3).is_empty());
        assert!(shown(0, 3).is_empty());
    }

    proptest! {
        #[test]
        fn every_token_but_the_first_is_learned_once(n_ids in 0u32..200, max_seq_len in 0usize..20) {
            let blocks = shown(n_ids, max_seq_len);
            prop_assert!(blocks.iter().all(|block| (2..=max_seq_len.max(2)).contains(&block.len())));
            let learned: Vec<u32> = blocks.iter().flat_map(|block| &block[1..]).copied().collect();
            prop_assert_eq!(learned, (1..n_ids).collect::<Vec<_>>());
        }
    }
}
