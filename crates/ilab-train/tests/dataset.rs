//! Training files, read as a whole: the order, the account, and what is written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_text::tokenizer::Tokenizer;
use ilab_train::dataset::{Dataset, LeftOut, LeftOutCounts, ReadOptions, ReadProgress, Reason};
use ilab_train::error::TrainError;
use serde_json::json;

/// A tokenizer of `a`, `b` and a space, whose answers end with `<e>`.
fn tokenizer(folder: &Path) -> Tokenizer {
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
    let special = json!({"id": 0, "content": "<e>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true});
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [special],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {"<e>": 0, "a": 1, "b": 2, "Ġ": 3}, "merges": []},
    });
    let template = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<e>{% endif %}{% endfor %}";
    let config = json!({"eos_token": "<e>", "chat_template": template});
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
    Tokenizer::from_dir(folder).unwrap()
}

struct Place {
    folder: tempfile::TempDir,
    tokenizer: Tokenizer,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = tokenizer(folder.path());
        Self { folder, tokenizer }
    }

    fn write(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join("train.jsonl");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, path: &Path, max_seq_len: usize) -> Result<Dataset, TrainError> {
        Dataset::read(path, &self.tokenizer, max_seq_len, &Cancel::new())
    }
}

fn row(user: &str, assistant: &str) -> String {
    format!("{}\n", json!({"user": user, "assistant": assistant}))
}

#[test]
fn a_sample_may_be_as_long_as_the_limit() {
    let place = Place::new();
    // With the token at the end: 4, 5 and 6 tokens.
    let path = place.write([row("a", "bb"), row("a", "bbb"), row("a", "bbbb")].concat());
    let dataset = place.read(&path, 5).unwrap();
    assert_eq!(dataset.source_lines, [1, 2]);
    assert_eq!(dataset.samples[1].input_ids, [1, 2, 2, 2, 0]);
    assert_eq!(
        dataset.samples[1].is_learned,
        [false, true, true, true, true]
    );
    let too_long = Reason::TooLong {
        n_tokens: 6,
        max_seq_len: 5,
    };
    let expected = LeftOut {
        line: 3,
        reason: too_long,
    };
    assert_eq!(dataset.left_out, [expected]);
}

#[test]
fn many_lines_keep_their_order_and_numbers() {
    let place = Place::new();
    let line = |number: usize| match number % 5 {
        0 => "\n".to_owned(),
        1 => row("a", &"b".repeat(number % 70)),
        2 => row("", " "),
        3 => "{}\n".to_owned(),
        _ => format!("{}\n", json!({"document": "ab".repeat(number % 9)})),
    };
    let text: String = (1..=5000).map(line).collect();
    let path = place.write(&text);
    let options = ReadOptions {
        max_seq_len: 8,
        skips_invalid: true,
    };
    let mut steps: Vec<ReadProgress> = Vec::new();
    let mut progress = |progress| steps.push(progress);
    let read = Dataset::read_with(
        &path,
        &place.tokenizer,
        options,
        &mut progress,
        &Cancel::new(),
    );
    let dataset = read.unwrap();
    assert!(dataset.source_lines.is_sorted());
    assert!(dataset.left_out.is_sorted_by_key(|left_out| left_out.line));
    let is_document = |line: usize| line % 5 == 4;
    for (sample, line) in dataset.samples.iter().zip(&dataset.source_lines) {
        let is_chat = line % 5 == 1 && sample.input_ids.len() == line % 70 + 2;
        assert!(is_chat || is_document(*line), "{line}");
        assert!(sample.input_ids.len() <= 8);
    }
    // Every line that is not blank is a sample or has a reason.
    let mut lines: Vec<usize> = dataset.source_lines.clone();
    lines.extend(dataset.left_out.iter().map(|left_out| left_out.line));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(
        lines,
        (1..=5000).filter(|line| line % 5 != 0).collect::<Vec<_>>()
    );
    // A document whose repeats are none has no text.
    let n_empty_documents = (1..=5000)
        .filter(|line| is_document(*line) && line % 9 == 0)
        .count();
    let counts = LeftOutCounts {
        too_long: (1..=5000)
            .filter(|line| line % 5 == 1 && line % 70 + 2 > 8)
            .count(),
        nothing_to_learn: 0,
        empty: 1000 + n_empty_documents,
        invalid: 1000,
    };
    assert_eq!(dataset.counts(), counts);
    assert!(steps.len() > 1);
    let last = steps.last().unwrap();
    assert_eq!(
        (last.n_bytes_read, last.n_bytes),
        (text.len() as u64, text.len() as u64)
    );
    assert_eq!(last.n_samples, dataset.samples.len());
}

#[test]
fn what_is_written_is_read_as_it_is() {
    let place = Place::new();
    let path = place.write([row("a", "b"), "{\"document\": \"abab\"}\n".to_owned()].concat());
    let dataset = place.read(&path, 9).unwrap();
    let processed = place.folder.path().join("data.jsonl");
    dataset.write_processed(&processed).unwrap();
    assert_eq!(
        std::fs::read_to_string(&processed).unwrap(),
        "{\"input_ids\":[1,2,0],\"labels\":[-100,2,0],\"len\":3,\"num_loss_counted_tokens\":2}\n\
         {\"input_ids\":[1,2,1,2,0],\"labels\":[1,2,1,2,0],\"len\":5,\"num_loss_counted_tokens\":4}\n"
    );
    let again = place.read(&processed, 9).unwrap();
    assert_eq!(again.samples, dataset.samples);
}

#[test]
fn a_cancelled_run_ends() {
    let place = Place::new();
    let path = place.write(row("a", "b"));
    let cancel = Cancel::new();
    cancel.cancel();
    let read = Dataset::read(&path, &place.tokenizer, 9, &cancel);
    assert!(matches!(read, Err(TrainError::Cancelled(_))));
}

#[test]
fn foreign_bytes_are_named_with_their_line() {
    let place = Place::new();
    let error = |bytes: &[u8]| place.read(&place.write(bytes), 9).unwrap_err().to_string();
    for bytes in [
        &b"\xff\xfe"[..],
        b"\0",
        b"{\"messages\": 3}",
        b"[{\"messages\": []}]",
        b"{\"messages\": [{\"role\": \"user\", \"content\": \"\xc3\"}]}",
    ] {
        let shown = error(bytes);
        assert!(
            shown.ends_with("train.jsonl` line 1 is not a conversation"),
            "{shown}"
        );
    }
    for bytes in [&b""[..], b"\n\n"] {
        let shown = error(bytes);
        assert!(
            shown.contains("has nothing to learn from: of 0 samples"),
            "{shown}"
        );
    }
}
