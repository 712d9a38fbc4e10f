//! The operations that training spends its time in, forward and backward, on plain f32 slices.
//!
//! Every function is threaded with rayon and knows nothing of tensors, models or files. The naive form of each stands in
//! the tests beside it. Axis letters: `N` rows (tokens of all packed segments), `C` width of the residual stream,
//! `H` query heads, `K` key/value heads, `D` width of a head, `V` vocabulary.

pub mod adafactor;
pub mod adamw;
pub mod attention;
pub mod bias;
pub mod cross_entropy;
pub mod eight_bit;
pub mod exponential;
pub mod factor;
pub mod matmul;
pub mod matrix;
pub mod muon;
pub mod nf4;
mod product;
pub mod q8;
pub mod residual;
pub mod rms_norm;
pub mod rope;
pub mod rounding;
mod scratch;
mod simd;
mod softmax;
pub mod swiglu;

/// Rows that one thread takes at a time where the work is a plain loop over rows.
const ROWS_PER_TASK: usize = 64;
