//! Server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>, of which the OpenAI API uses the
//! data field only.

/// The data of the event that ends a stream.
pub const DONE: &str = "[DONE]";

/// The most bytes that one event may have.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// An event grew beyond [`MAX_EVENT_BYTES`]: the stream is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event has more than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// Writes one event.
pub fn encode(data: &str) -> String {
    let mut event = String::with_capacity(data.len() + 8);
    for line in lines(data) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

/// Splits at every line end that the format knows: `\r\n`, `\n` and `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .flat_map(|line| line.split('\r'))
}

/// Reads events from bytes as they come, wherever they are cut.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_carriage_return: bool,
    after_start: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes and returns the data of every event that they complete. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// [`EventTooLong`] when an event does not end.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, EventTooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_pair = self.after_carriage_return && byte == b'\n';
            self.after_carriage_return = byte == b'\r';
            match byte {
                _ if ends_pair => {}
                b'\n' | b'\r' => self.end_line(&mut events),
                _ if self.line.len() + self.data.len() >= MAX_EVENT_BYTES => {
                    return Err(EventTooLong);
                }
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.after_start, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let data = std::mem::take(&mut self.data);
                events.push(String::from_utf8_lossy(&data).into_owned());
            }
            return;
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        if field == b"data" {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Vec<String> {
        Decoder::new().push(bytes).unwrap()
    }

    #[test]
    fn reads_events_with_every_line_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["data: one", "", "data: two", "data:more", "", ""].join(end);
            assert_eq!(decode(text.as_bytes()), ["one", "two\nmore"], "{end:?}");
        }
    }

    #[test]
    fn skips_comments_other_fields_and_a_byte_order_mark() {
        let text = "\u{feff}data: a\n\n: ping\n\nevent: x\nid: 1\nretry: 2\n\ndata\n\n";
        assert_eq!(decode(text.as_bytes()), ["a", ""]);
    }

    #[test]
    fn an_event_that_is_not_ended_is_not_reported() {
        assert_eq!(decode(b"data: half"), Vec::<String>::new());
        assert_eq!(decode(b"data: half\n"), Vec::<String>::new());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        assert_eq!(decode(b"data: \xff\xfe\n\n"), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = Decoder::new();
        let block = vec![b'x'; 1024 * 1024];
        let outcome = (0..17).try_for_each(|_| decoder.push(&block).map(drop));
        assert_eq!(outcome, Err(EventTooLong));
    }

    #[test]
    fn an_event_of_endless_lines_is_refused() {
        let mut decoder = Decoder::new();
        let block = [b"data: ".as_slice(), &[b'x'; 1024 * 1024], b"\n"].concat();
        let outcome = (0..17).try_for_each(|_| decoder.push(&block).map(drop));
        assert_eq!(outcome, Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_wherever_it_is_cut(
            texts in prop::collection::vec("(\\PC|\n)*", 0..6),
            piece in 1_usize..9,
        ) {
            let bytes: String = texts.iter().map(|text| encode(text)).collect();
            let mut decoder = Decoder::new();
            let mut events = Vec::new();
            for piece in bytes.as_bytes().chunks(piece) {
                events.extend(decoder.push(piece).unwrap());
            }
            prop_assert_eq!(events, texts);
        }

        #[test]
        fn any_bytes_are_read_the_same_in_one_piece_and_in_many(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..200),
            piece in 1_usize..9,
        ) {
            let whole = decode(&bytes);
            let mut decoder = Decoder::new();
            let mut events = Vec::new();
            for piece in bytes.chunks(piece) {
                events.extend(decoder.push(piece).unwrap());
            }
            prop_assert_eq!(events, whole);
        }
    }
}
