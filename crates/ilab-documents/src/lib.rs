//! Documents to chunks that keep their headings.
