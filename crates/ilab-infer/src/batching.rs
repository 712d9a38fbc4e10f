//! How sequences share the steps of the model.
//!
//! A sum of floating-point numbers depends on the order of its terms, and llama.cpp picks the order by the shape of a
//! step: one row or several, few or many. Where every token is always computed in a step of the same kind, its numbers do
//! not depend on what else is being computed. That takes three rules, which [`Batching::Reproducible`] follows:
//!
//! - A step either decodes one token of every slot, idle ones included, or a piece of one prompt.
//! - Pieces end at positions that only the length of the prompt decides, and none is short.
//! - A prompt goes on from another's cache only where it would have computed the same there.

/// Products of a few rows and of this many or more are computed by different kernels; those of many take groups of it.
const ROW_GROUP: usize = 4;
/// Attention to a prompt's piece of at least this many tokens is computed in tiles, to a shorter one row by row.
const MIN_PIECE_TOKENS: usize = 64;

/// Which sequences are computed together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Batching {
    /// As many tokens as fit: an answer may change in the last bits, and so now and then in a word, with what else is
    /// being answered.
    #[default]
    Fastest,
    /// So that an answer on the CPU depends on its prompt, its seed, and the number of threads only. An engine with idle
    /// places wastes some work on them.
    Reproducible,
}

impl Batching {
    /// How many slots an engine for `n_sequences` has.
    pub(crate) fn n_slots(self, n_sequences: u32) -> u32 {
        match self {
            Self::Fastest => n_sequences,
            Self::Reproducible => n_sequences.next_multiple_of(ROW_GROUP as u32),
        }
    }

    /// How many tokens a step has room for.
    pub(crate) fn n_batch_tokens(self, n_batch_tokens: u32, n_slots: u32) -> u32 {
        let n_batch_tokens = n_batch_tokens.max(n_slots);
        match self {
            Self::Fastest => n_batch_tokens,
            Self::Reproducible => n_batch_tokens
                .max(2 * MIN_PIECE_TOKENS as u32)
                .next_multiple_of(ROW_GROUP as u32),
        }
    }

    /// How many of the `n_common` first tokens of a prompt of `n_tokens` may come from the cache of a sequence whose own
    /// prompt has `n_cached_prompt` tokens.
    pub(crate) fn n_shareable(
        self,
        n_common: usize,
        n_cached_prompt: usize,
        n_tokens: usize,
        n_batch_tokens: usize,
    ) -> usize {
        if self == Self::Fastest {
            return n_common;
        }
        if n_cached_prompt < MIN_PIECE_TOKENS {
            return 0;
        }
        let n = n_common
            .min(n_cached_prompt)
            .min(n_tokens.saturating_sub(MIN_PIECE_TOKENS));
        let n = n - n % ROW_GROUP;
        let end = self.piece_end(n, n_tokens, n_batch_tokens);
        // Too close to the end of its piece, the rest of that would be short.
        if end - n < MIN_PIECE_TOKENS {
            end.saturating_sub(MIN_PIECE_TOKENS)
        } else {
            n
        }
    }

    /// Where the piece of a prompt ends that begins at `start`, which is below `n_tokens`.
    pub(crate) fn piece_end(self, start: usize, n_tokens: usize, n_batch_tokens: usize) -> usize {
        if self == Self::Fastest {
            return n_tokens.min(start + n_batch_tokens);
        }
        let end = (start / n_batch_tokens + 1) * n_batch_tokens;
        if end >= n_tokens {
            return n_tokens;
        }
        if n_tokens - end >= MIN_PIECE_TOKENS {
            return end;
        }
        let early = n_tokens - MIN_PIECE_TOKENS;
        let early = early - early % ROW_GROUP;
        if start < early { early } else { n_tokens }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(start: usize, n_tokens: usize, n_batch_tokens: usize) -> Vec<usize> {
        let mut ends = vec![start];
        while ends[ends.len() - 1] < n_tokens {
            let end =
                Batching::Reproducible.piece_end(ends[ends.len() - 1], n_tokens, n_batch_tokens);
            ends.push(end);
        }
        ends
    }

    #[test]
    fn no_piece_is_short_or_too_long_and_shared_prompts_end_at_the_same_places() {
        for n_batch_tokens in [128, 256, 512] {
            for n_tokens in 1..1500 {
                let all = pieces(0, n_tokens, n_batch_tokens);
                let short = |piece: &[usize]| piece[1] - piece[0] < MIN_PIECE_TOKENS;
                assert!(
                    n_tokens < MIN_PIECE_TOKENS || !all.windows(2).any(short),
                    "{all:?}"
                );
                assert!(
                    all.windows(2)
                        .all(|piece| piece[1] - piece[0] <= n_batch_tokens),
                    "{all:?}"
                );
                for n_common in (0..n_tokens).step_by(37) {
                    let start = Batching::Reproducible.n_shareable(
                        n_common,
                        n_common,
                        n_tokens,
                        n_batch_tokens,
                    );
                    assert!(
                        start <= n_common && start.is_multiple_of(ROW_GROUP),
                        "{start} of {n_common}"
                    );
                    let rest = pieces(start, n_tokens, n_batch_tokens);
                    assert!(start == 0 || !rest.windows(2).any(short), "{rest:?}");
                    assert!(
                        rest[1..].iter().all(|end| all.contains(end)),
                        "{rest:?} of {all:?}"
                    );
                }
            }
        }
    }
}
