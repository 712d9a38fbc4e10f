//! What the starter model practises.

pub mod closed_book;
pub mod drill;
pub mod freeform;
pub mod grounded;
pub mod junk;
pub mod knowledge;
pub mod language;
pub mod memorise;
pub mod reading;
pub mod small_talk;
