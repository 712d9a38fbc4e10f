//! Zip archives whose entries are stored as they are: the container of `torch.save` and of npz files.
//!
//! Only what is stored uncompressed is read, so an archive never unpacks to more than its own size. Entries may not overlap,
//! and every offset lies inside the file. Zip64 is read, because weights are larger than 4 GiB.
//!
//! Specification: APPNOTE 6.3.10, <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3 and 4.5.3.

use std::collections::HashSet;
use std::ops::Range;

use ilab_base::hint::Hint;

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipDefect {
    /// No end-of-directory record: another kind of file, or a part of one.
    #[error("it has no zip directory at its end")]
    NoDirectory,
    /// A record is missing, cut short or points outside.
    #[error("at byte {offset}: the {record} is damaged")]
    Damaged {
        /// Where it begins, or should.
        offset: usize,
        /// Which record.
        record: &'static str,
    },
    /// An entry is compressed or encrypted.
    #[error("the entry `{entry}` is compressed, and only stored entries are read")]
    Compressed {
        /// The entry.
        entry: String,
    },
    /// Two entries have the same name, or share bytes.
    #[error("the entry `{entry}` occurs twice or overlaps another")]
    Overlap {
        /// The entry.
        entry: String,
    },
}

impl Hint for ZipDefect {
    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Compressed { .. } => {
                "save it again without compression: numpy.savez, not savez_compressed".to_owned()
            }
            _ => "the file is probably cut short: download or copy it again".to_owned(),
        }]
    }
}

/// One stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Its bytes in the archive.
    pub(crate) bytes: Range<usize>,
}

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";
const DIRECTORY_END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCAL_HEADER_BYTES: usize = 30;
const DIRECTORY_ENTRY_BYTES: usize = 46;
const DIRECTORY_END_BYTES: usize = 22;
const DIRECTORY_END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;
/// The id of the extra field that holds sizes beyond 32 bits.
const EXTRA_64: u16 = 1;

/// The entries of an archive, in the order of its directory.
pub(crate) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, ZipDefect> {
    let directory = directory(bytes)?;
    let mut entries = Vec::new();
    let mut names = HashSet::new();
    let mut at = directory.start;
    while at < directory.end {
        let (entry, next) = directory_entry(bytes, at, directory.clone())?;
        if !names.insert(entry.name.clone()) {
            return Err(ZipDefect::Overlap { entry: entry.name });
        }
        entries.push(entry);
        at = next;
    }
    let mut by_place: Vec<&Entry> = entries.iter().collect();
    by_place.sort_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    for pair in by_place.windows(2) {
        if pair[1].bytes.start < pair[0].bytes.end {
            return Err(ZipDefect::Overlap {
                entry: pair[1].name.clone(),
            });
        }
    }
    Ok(entries)
}

/// Where the directory lies.
fn directory(bytes: &[u8]) -> Result<Range<usize>, ZipDefect> {
    let last = bytes
        .len()
        .checked_sub(DIRECTORY_END_BYTES)
        .ok_or(ZipDefect::NoDirectory)?;
    // A comment of up to 65,535 bytes may follow the record.
    let end = (last.saturating_sub(usize::from(u16::MAX))..=last)
        .rev()
        .find(|at| {
            bytes[*at..].starts_with(DIRECTORY_END)
                && number::<2>(bytes, at + 20) == Some((last - at) as u64)
        })
        .ok_or(ZipDefect::NoDirectory)?;
    let (mut size, mut begin) = (number::<4>(bytes, end + 12), number::<4>(bytes, end + 16));
    let locator = end.checked_sub(LOCATOR_64_BYTES);
    if let Some(locator) = locator.filter(|at| bytes[*at..].starts_with(LOCATOR_64)) {
        let damaged = ZipDefect::Damaged {
            offset: locator,
            record: "zip64 directory",
        };
        let record = number::<8>(bytes, locator + 8)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|at| at.saturating_add(DIRECTORY_END_64_BYTES) <= locator)
            .filter(|at| bytes[*at..].starts_with(DIRECTORY_END_64))
            .ok_or(damaged)?;
        (size, begin) = (
            number::<8>(bytes, record + 40),
            number::<8>(bytes, record + 48),
        );
    }
    range(begin, size)
        .filter(|range| range.end <= end)
        .ok_or(ZipDefect::Damaged {
            offset: end,
            record: "end of the directory",
        })
}

/// One entry of the directory, and where the next one begins.
fn directory_entry(
    bytes: &[u8],
    at: usize,
    directory: Range<usize>,
) -> Result<(Entry, usize), ZipDefect> {
    let damaged = |record| ZipDefect::Damaged { offset: at, record };
    let header = bytes[at..directory.end]
        .get(..DIRECTORY_ENTRY_BYTES)
        .filter(|header| header.starts_with(DIRECTORY_ENTRY))
        .ok_or_else(|| damaged("directory entry"))?;
    let short = |at| number::<2>(header, at).unwrap_or_default();
    let long = |at| number::<4>(header, at).unwrap_or_default();
    let (flags, method) = (short(8), short(10));
    let name_begin = at + DIRECTORY_ENTRY_BYTES;
    let extra_begin = name_begin + short(28) as usize;
    let comment_begin = extra_begin + short(30) as usize;
    let next = comment_begin + short(32) as usize;
    if next > directory.end {
        return Err(damaged("directory entry"));
    }
    let name = std::str::from_utf8(&bytes[name_begin..extra_begin])
        .map_err(|_| damaged("name of an entry"))?
        .to_owned();
    let mut sizes = [long(24), long(20), long(42)];
    read_extra_64(&bytes[extra_begin..comment_begin], &mut sizes)
        .ok_or_else(|| damaged("zip64 field"))?;
    let [size, stored_size, local] = sizes;
    // Bit 0: encrypted.
    if method != 0 || flags & 1 != 0 || size != stored_size {
        return Err(ZipDefect::Compressed { entry: name });
    }
    let begin = data_begin(bytes, local, directory.start)
        .ok_or_else(|| damaged("local header of an entry"))?;
    let data = range(Some(begin as u64), Some(size))
        .filter(|data| data.end <= directory.start)
        .ok_or_else(|| damaged("size of an entry"))?;
    Ok((Entry { name, bytes: data }, next))
}

/// Replaces each of the sizes that is given as "see the extra field".
fn read_extra_64(mut extra: &[u8], sizes: &mut [u64; 3]) -> Option<()> {
    let is_elsewhere = |size: u64| size == u64::from(u32::MAX);
    while !extra.is_empty() && sizes.iter().any(|size| is_elsewhere(*size)) {
        let (id, length) = (number::<2>(extra, 0)?, number::<2>(extra, 2)? as usize);
        let field = extra.get(4..4 + length)?;
        if id == u64::from(EXTRA_64) {
            let mut at = 0;
            for size in sizes.iter_mut().filter(|size| is_elsewhere(**size)) {
                *size = number::<8>(field, at)?;
                at += 8;
            }
            return Some(());
        }
        extra = &extra[4 + length..];
    }
    Some(())
}

/// Where the bytes of an entry begin, behind its local header.
fn data_begin(bytes: &[u8], local: u64, limit: usize) -> Option<usize> {
    let local = usize::try_from(local).ok()?;
    let header = bytes[..limit].get(local..)?.get(..LOCAL_HEADER_BYTES)?;
    if !header.starts_with(LOCAL_HEADER) {
        return None;
    }
    let (name, extra) = (number::<2>(header, 26)?, number::<2>(header, 28)?);
    local.checked_add(LOCAL_HEADER_BYTES + (name + extra) as usize)
}

fn range(begin: Option<u64>, size: Option<u64>) -> Option<Range<usize>> {
    let begin = usize::try_from(begin?).ok()?;
    let size = usize::try_from(size?).ok()?;
    Some(begin..begin.checked_add(size)?)
}

/// The little-endian number of N bytes at an offset.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(N)?)?;
    let mut value = [0; 8];
    value[..N].copy_from_slice(field);
    Some(u64::from_le_bytes(value))
}

/// An archive of stored entries.
///
/// Dates are those of the format's beginning, so that the same content gives the same bytes. For archives under 4 GiB.
pub(crate) fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let begin = bytes.len() as u32;
        let header = entry_header(name, content);
        bytes.extend(LOCAL_HEADER);
        bytes.extend(&header);
        bytes.extend(name.as_bytes());
        bytes.extend(content);
        directory.extend(DIRECTORY_ENTRY);
        // Made by version 2.0, for MS-DOS attributes.
        directory.extend(20_u16.to_le_bytes());
        directory.extend(&header);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(begin.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (begin, n_entries) = (bytes.len() as u32, entries.len() as u16);
    bytes.extend(&directory);
    bytes.extend(DIRECTORY_END);
    bytes.extend([0; 4]);
    bytes.extend(n_entries.to_le_bytes());
    bytes.extend(n_entries.to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(begin.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// What the local header and the directory have in common: versions, date, checksum and sizes.
fn entry_header(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    // Version 2.0, no flags, stored, midnight of 1 January 1980.
    for field in [20_u16, 0, 0, 0, 0x21] {
        header.extend(field.to_le_bytes());
    }
    header.extend(crc32(content).to_le_bytes());
    header.extend((content.len() as u32).to_le_bytes());
    header.extend((content.len() as u32).to_le_bytes());
    header.extend((name.len() as u16).to_le_bytes());
    header.extend([0; 2]);
    header
}

/// The checksum of zip: CRC-32 with the reflected polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (value, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8).fold(value, |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)));
    }
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (crc >> 8) ^ table[usize::from(crc as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        archive(&[
            ("a.npy".to_owned(), b"first".to_vec()),
            ("b.npy".to_owned(), b"second one".to_vec()),
        ])
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample();
        let found: Vec<(String, &[u8])> = entries(&bytes)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, &bytes[entry.bytes]))
            .collect();
        assert_eq!(
            found,
            [
                ("a.npy".to_owned(), &b"first"[..]),
                ("b.npy".to_owned(), b"second one")
            ]
        );
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(entries(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn compressed_and_overlapping_entries_are_refused() {
        let directory = |bytes: &[u8]| {
            let is_entry = |window: &[u8]| window == DIRECTORY_ENTRY;
            bytes.windows(4).position(is_entry).unwrap()
        };
        let mut compressed = sample();
        let at = directory(&compressed);
        compressed[at + 10] = 8;
        assert!(matches!(
            entries(&compressed),
            Err(ZipDefect::Compressed { entry }) if entry == "a.npy"
        ));
        // Both entries claim the bytes of the second one.
        let mut overlapping = sample();
        let second = LOCAL_HEADER_BYTES + 5 + 5;
        overlapping[at + 42] = second as u8;
        overlapping[at + 20] = 5;
        assert!(matches!(
            entries(&overlapping),
            Err(ZipDefect::Overlap { .. })
        ));
    }

    #[test]
    fn no_changed_byte_makes_it_panic() {
        let bytes = sample();
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Ok(found) = entries(&changed) {
                    assert!(found.iter().all(|entry| entry.bytes.end <= changed.len()));
                }
            }
        }
    }
}
