//! Test support: tolerances, golden values, tiny checkpoints and a fake teacher.

pub mod fake_teacher;
pub mod tiny_llama;
pub mod tolerance;
