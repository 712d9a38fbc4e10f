//! Reading of primitive values from a stream of known size; nothing is allocated that the stream cannot fill.

use std::io::Read;

use crate::gguf::error::{Defect, DefectKind};

/// Why a header could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The stream failed.
    Io(std::io::Error),
    /// The content is wrong.
    Defect(Defect),
}

impl From<Defect> for ReadError {
    fn from(defect: Defect) -> Self {
        Self::Defect(defect)
    }
}

/// A reader that knows its position and how much is left.
pub(crate) struct Bounded<R> {
    inner: R,
    position: u64,
    size: u64,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, size: u64) -> Self {
        Self {
            inner,
            position: 0,
            size,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.size - self.position
    }

    /// Refuses what begins at `offset`.
    pub(crate) fn defect<T>(&self, offset: u64, kind: DefectKind) -> Result<T, ReadError> {
        Err(ReadError::Defect(Defect { offset, kind }))
    }

    fn require(&self, what: &'static str, needed: u64) -> Result<(), ReadError> {
        if needed <= self.remaining() {
            return Ok(());
        }
        self.defect(
            self.position,
            DefectKind::CutShort {
                what,
                needed,
                available: self.remaining(),
            },
        )
    }

    pub(crate) fn bytes<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], ReadError> {
        self.require(what, N as u64)?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(ReadError::Io)?;
        self.position += N as u64;
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, ReadError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, ReadError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// As many bytes as the file says, after a look at how many there are.
    pub(crate) fn block(&mut self, what: &'static str, length: u64) -> Result<Vec<u8>, ReadError> {
        self.require(what, length)?;
        let length = usize::try_from(length).map_err(|_| {
            ReadError::Defect(Defect {
                offset: self.position,
                kind: DefectKind::TooLong {
                    what,
                    got: length,
                    limit: usize::MAX as u64,
                },
            })
        })?;
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes).map_err(ReadError::Io)?;
        self.position += length as u64;
        Ok(bytes)
    }

    /// A count of things of which each takes at least `min_bytes`.
    pub(crate) fn count(&mut self, what: &'static str, min_bytes: u64) -> Result<u64, ReadError> {
        let offset = self.position;
        let got = self.u64(what)?;
        self.check_count(what, offset, got, min_bytes)
    }

    /// Holds a count that was read at `offset` against what is left.
    pub(crate) fn check_count(
        &self,
        what: &'static str,
        offset: u64,
        got: u64,
        min_bytes: u64,
    ) -> Result<u64, ReadError> {
        let available = self.remaining();
        let limit = available / min_bytes;
        if got <= limit {
            return Ok(got);
        }
        self.defect(
            offset,
            DefectKind::Count {
                what,
                got,
                limit,
                available,
            },
        )
    }

    pub(crate) fn string(&mut self, what: &'static str, limit: u64) -> Result<String, ReadError> {
        let offset = self.position;
        let length = self.u64(what)?;
        // A lying length is first of all a file that is too short; the limit matters for files that are long enough.
        self.require(what, length)?;
        if length > limit {
            let kind = DefectKind::TooLong {
                what,
                got: length,
                limit,
            };
            return self.defect(offset, kind);
        }
        let bytes = self.block(what, length)?;
        String::from_utf8(bytes).or_else(|_| self.defect(offset, DefectKind::NotUtf8 { what }))
    }
}
