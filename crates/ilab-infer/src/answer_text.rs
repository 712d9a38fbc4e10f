//! From the bytes of tokens to the text of an answer.
//!
//! Tokens end anywhere: inside a UTF-8 character, inside a stop text. Bytes are held back until it is certain that they
//! are text and that no stop text begins in them.

/// The text of one answer while it is generated.
#[derive(Debug)]
pub(crate) struct AnswerText {
    stops: Vec<Vec<u8>>,
    held: Vec<u8>,
    n_emitted_bytes: usize,
}

/// What one token added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Emitted {
    /// Text that will not change any more; may be empty.
    pub(crate) text: String,
    /// Where that text ends, in bytes of all tokens so far.
    pub(crate) end: usize,
    /// Whether a stop text was met: the answer is complete.
    pub(crate) is_stopped: bool,
}

impl AnswerText {
    /// An empty answer that ends at any of `stops`; an empty stop text would end it before it begins and counts for nothing.
    pub(crate) fn new(stops: &[String]) -> Self {
        Self {
            stops: stops
                .iter()
                .filter(|stop| !stop.is_empty())
                .map(|stop| stop.clone().into_bytes())
                .collect(),
            held: Vec::new(),
            n_emitted_bytes: 0,
        }
    }

    /// How many bytes all tokens so far have.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_emitted_bytes + self.held.len()
    }

    /// Adds the bytes of a token.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Emitted {
        self.held.extend_from_slice(piece);
        if let Some(start) = self.first_stop() {
            self.held.truncate(start);
            return self.emit(start, true);
        }
        let n_certain = self.held.len() - self.n_possible_stop_bytes();
        let n_whole = n_certain - n_partial_character_bytes(&self.held[..n_certain]);
        self.emit(n_whole, false)
    }

    /// What was held back, now that no token follows.
    pub(crate) fn finish(&mut self) -> Emitted {
        self.emit(self.held.len(), false)
    }

    fn emit(&mut self, n_bytes: usize, is_stopped: bool) -> Emitted {
        let text = String::from_utf8_lossy(&self.held[..n_bytes]).into_owned();
        self.held.drain(..n_bytes);
        self.n_emitted_bytes += n_bytes;
        Emitted {
            text,
            end: self.n_emitted_bytes,
            is_stopped,
        }
    }

    /// Where the first stop text begins in the held bytes.
    fn first_stop(&self) -> Option<usize> {
        self.stops
            .iter()
            .filter_map(|stop| {
                self.held
                    .windows(stop.len())
                    .position(|window| window == stop)
            })
            .min()
    }

    /// How many of the last held bytes could be the beginning of a stop text.
    fn n_possible_stop_bytes(&self) -> usize {
        let begins_stop = |n: usize| {
            let tail = &self.held[self.held.len() - n..];
            self.stops
                .iter()
                .any(|stop| stop.len() > n && stop.starts_with(tail))
        };
        let longest = self.stops.iter().map(Vec::len).max().unwrap_or(0);
        (1..=self.held.len().min(longest.saturating_sub(1)))
            .rev()
            .find(|n| begins_stop(*n))
            .unwrap_or(0)
    }
}

/// How many of the last bytes begin a UTF-8 character that is not complete. Bytes that can never become text do not count.
fn n_partial_character_bytes(bytes: &[u8]) -> usize {
    let start = bytes
        .iter()
        .rposition(|byte| byte & 0b1100_0000 != 0b1000_0000)
        .unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[start..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - start,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The emitted texts, separated by `|`, with `#` where a stop text ended the answer.
    #[track_caller]
    fn check(stops: &[&str], pieces: &[&[u8]], expect: &str) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut answer = AnswerText::new(&stops);
        let mut emitted = Vec::new();
        for piece in pieces {
            let Emitted {
                text, is_stopped, ..
            } = answer.push(piece);
            emitted.push(text);
            if is_stopped {
                assert_eq!(emitted.join("|") + "#", expect);
                return;
            }
        }
        emitted.push(answer.finish().text);
        assert_eq!(emitted.join("|"), expect);
    }

    #[test]
    fn plain_tokens_pass_through() {
        check(&[], &[b"Hello", b" world"], "Hello| world|");
    }

    #[test]
    fn a_stop_text_is_found_inside_a_token_and_across_tokens() {
        check(&["END"], &[b"one END two"], "one #");
        check(&["END"], &[b"one E", b"N", b"D two"], "one ||#");
        check(&["END"], &[b"one E", b"NT", b"ER"], "one |ENT|ER|");
        check(&["END"], &[b"one EN"], "one |EN");
    }

    #[test]
    fn the_first_of_several_stop_texts_wins() {
        check(&["world", "lo"], &[b"hello world"], "hel#");
        check(&["aab"], &[b"a", b"a", b"a", b"b"], "||a|#");
        check(&["", "x"], &[b"ab", b"x"], "ab|#");
    }

    #[test]
    fn characters_are_never_cut() {
        check(&[], &[b"\xF0\x9F", b"\x98", b"\x80!"], "||\u{1F600}!|");
        check(&[], &["é".as_bytes()], "é|");
        check(&["é"], &[b"caf\xC3", b"\xA9"], "caf|#");
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        check(&[], &[b"a\xFF", b"b"], "a\u{FFFD}|b|");
        check(&[], &[b"a\xF0\x9F"], "a|\u{FFFD}");
        check(&[], &[b"\x80", b"\x80"], "\u{FFFD}|\u{FFFD}|");
    }

    proptest! {
        #[test]
        fn splitting_does_not_change_the_text(
            text in "[a-cé😀\\n]{0,40}",
            stop in "[a-cé]{1,3}",
            cuts in proptest::collection::vec(0_usize..160, 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut answer = AnswerText::new(std::slice::from_ref(&stop));
            let mut got = String::new();
            let mut is_stopped = false;
            for cut in cuts.windows(2) {
                let emitted = answer.push(&bytes[cut[0]..cut[1]]);
                prop_assert!(!emitted.text.contains(&stop));
                got += &emitted.text;
                is_stopped = emitted.is_stopped;
                if is_stopped {
                    break;
                }
            }
            if !is_stopped {
                got += &answer.finish().text;
            }
            let expect = text.split(&stop).next().unwrap_or_default();
            prop_assert_eq!(got, expect);
            prop_assert_eq!(is_stopped, text.contains(&stop));
        }
    }
}
