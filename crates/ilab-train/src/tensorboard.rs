//! The record of a run for TensorBoard: scalars in its event files.
//!
//! An event file is a row of TFRecords, each a protobuf message `Event`. Three small messages are used, so they are written
//! by hand: a library of protobuf would bring a compiler of schemas along.
//!
//! # Source
//! The messages: [`event.proto`] and [`summary.proto`]; the frame of a record: [`record_writer.py`].
//!
//! [`event.proto`]: https://github.com/tensorflow/tensorboard/blob/2.21.0/tensorboard/compat/proto/event.proto
//! [`summary.proto`]: https://github.com/tensorflow/tensorboard/blob/2.21.0/tensorboard/compat/proto/summary.proto
//! [`record_writer.py`]: https://github.com/tensorflow/tensorboard/blob/2.21.0/tensorboard/summary/writer/record_writer.py

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilab_base::io::{IoError, WithPath, create_dir_all};

use crate::metrics::{StepMetrics, ValidationMetrics};

/// What every file begins with.
const FILE_VERSION: &str = "brain.Event:2";
/// `SessionLog.START`: a reader forgets what it has of this step and of later ones.
const SESSION_START: u64 = 1;

/// An open event file.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in `folder` for a run of which `n_steps_done` steps are done. A run that goes on writes a file of its
    /// own; TensorBoard then forgets the later steps of those before. `host` is part of the name.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn create(folder: &Path, host: &str, n_steps_done: u64) -> Result<Self, IoError> {
        create_dir_all(folder)?;
        let now = since_1970();
        let path = unused_path(folder, host, now);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.with_path("create", &path)?;
        let mut events = Self { path, file };
        let seconds = now.as_secs_f64();
        events.write(&event(seconds, n_steps_done, &Content::FileVersion))?;
        if n_steps_done > 0 {
            events.write(&event(seconds, n_steps_done + 1, &Content::SessionStart))?;
        }
        Ok(events)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what happened in a step, under the names that the metrics file has for it.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append_step(&mut self, step: &StepMetrics) -> Result<(), IoError> {
        let scalars = [
            ("avg_loss", step.avg_loss),
            ("lr", step.lr),
            ("gradnorm", step.gradnorm),
            ("overall_throughput", step.overall_throughput),
            ("tokens_per_second", step.tokens_per_second),
            ("epoch", step.epoch as f64),
            ("samples_seen", step.samples_seen as f64),
        ];
        self.append(step.step, &scalars)
    }

    /// Adds a validation.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append_validation(&mut self, validation: &ValidationMetrics) -> Result<(), IoError> {
        self.append(validation.step, &[("val_loss", validation.val_loss)])
    }

    /// Adds values measured after `step` steps.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), IoError> {
        let seconds = since_1970().as_secs_f64();
        self.write(&event(seconds, step, &Content::Scalars(scalars)))
    }

    fn write(&mut self, event: &[u8]) -> Result<(), IoError> {
        self.file
            .write_all(&record(event))
            .with_path("write", &self.path)
    }
}

/// A clock before 1970 is as good as none.
fn since_1970() -> Duration {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.unwrap_or_default()
}

/// Files are read in the order of their names, which begin with the time; the number tells those of one second apart.
fn unused_path(folder: &Path, host: &str, now: Duration) -> PathBuf {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let host: String = host
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let stem = format!(
        "events.out.tfevents.{:010}.{host}.{}",
        now.as_secs(),
        std::process::id()
    );
    let mut number = 0;
    loop {
        let path = folder.join(format!("{stem}.{number}"));
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

/// What an event tells.
#[derive(Debug)]
enum Content<'a> {
    FileVersion,
    SessionStart,
    Scalars(&'a [(&'a str, f64)]),
}

/// The message `Event`; `seconds` since 1970.
fn event(seconds: f64, step: u64, content: &Content<'_>) -> Vec<u8> {
    let mut event = Vec::new();
    put_double(&mut event, 1, seconds);
    put_number(&mut event, 2, step);
    match content {
        Content::FileVersion => put_bytes(&mut event, 3, FILE_VERSION.as_bytes()),
        Content::Scalars(scalars) => put_bytes(&mut event, 5, &summary(scalars)),
        Content::SessionStart => {
            let mut session = Vec::new();
            put_number(&mut session, 1, SESSION_START);
            put_bytes(&mut event, 7, &session);
        }
    }
    event
}

/// The message `Summary`: one `Value` with `tag` and `simple_value` for each scalar.
fn summary(scalars: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, scalar) in scalars {
        let mut value = Vec::new();
        put_bytes(&mut value, 1, tag.as_bytes());
        put_float(&mut value, 2, *scalar as f32);
        put_bytes(&mut summary, 1, &value);
    }
    summary
}

/// A message in its frame: length, checksum of the length, message, checksum of the message.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked_crc32c(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked_crc32c(message).to_le_bytes());
    record
}

/// The wire types of protobuf; the default value of a field is left out.
fn put_number(message: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        message.push(field << 3);
        put_varint(message, value);
    }
}

fn put_double(message: &mut Vec<u8>, field: u8, value: f64) {
    if value.to_bits() != 0 {
        message.push(field << 3 | 1);
        message.extend(value.to_le_bytes());
    }
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// Of a choice between fields, which is written whatever its value.
fn put_float(message: &mut Vec<u8>, field: u8, value: f32) {
    message.push(field << 3 | 5);
    message.extend(value.to_le_bytes());
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// A checksum of data that may hold checksums itself.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, bit by bit: a step is a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (carry * 0x82f6_3b78);
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What TensorBoard's own writer makes of the same events; `goldens/tensorboard/gen.py` wrote it and read it back.
    const GOLDEN: &[u8] = include_bytes!("../../../goldens/tensorboard/resumed.tfevents");

    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        let events = [
            event(1_700_000_000.5, 2, &Content::FileVersion),
            event(1_700_000_000.5, 3, &Content::SessionStart),
            event(
                1_700_000_001.25,
                3,
                &Content::Scalars(&[("avg_loss", 2.25), ("lr", 1e-5)]),
            ),
            event(
                1_700_000_002.0,
                300,
                &Content::Scalars(&[("val_loss", 0.0), ("größe", -1.5e30)]),
            ),
        ];
        let bytes: Vec<u8> = events.iter().flat_map(|event| record(event)).collect();
        assert_eq!(bytes, GOLDEN);
    }

    /// RFC 3720, appendix B.4.
    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn each_run_has_a_file_of_its_own_and_a_resumed_one_says_where_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = EventFile::create(folder.path(), "../a host", 0).unwrap();
        let second = EventFile::create(folder.path(), "../a host", 7).unwrap();
        assert_ne!(first.path(), second.path());
        let name = first.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
        assert!(name.contains(".---a-host."), "{name}");
        first.append_step(&StepMetrics::default()).unwrap();
        first
            .append_validation(&ValidationMetrics::default())
            .unwrap();
        let bytes = |file: &EventFile| std::fs::read(file.path()).unwrap();
        let contains = |bytes: &[u8], text: &str| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        for tag in ["avg_loss", "lr", "gradnorm", "val_loss", FILE_VERSION] {
            assert!(contains(&bytes(&first), tag), "{tag}");
        }
        // Field 2 is 8, field 7 holds two bytes: field 1 is 1.
        assert!(
            bytes(&second)
                .windows(6)
                .any(|window| window == [0x10, 8, 0x3a, 2, 0x08, 1])
        );
    }
}
