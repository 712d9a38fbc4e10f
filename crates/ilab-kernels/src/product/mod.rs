//! How products are computed.

mod target;

pub(crate) use target::Target;

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};

pub(crate) fn multiply(
    _precision: Precision,
    out: Target<'_>,
    keep: f32,
    scale: f32,
    a: Factor<'_>,
    b: Factor<'_>,
    _threads: Threads,
) {
    let (m, k, n) = (a.n_rows(), a.n_columns(), b.n_columns());
    let strides = |f: Factor<'_>| -> (isize, isize) {
        let s = f.n_stored_columns() as isize;
        if f.is_transposed() { (1, s) } else { (s, 1) }
    };
    let (aw, bw) = (a.to_f32(), b.to_f32());
    let (ar, ac) = strides(a);
    let (br, bc) = strides(b);
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.start(),
            1,
            out.stride() as isize,
            keep != 0.0,
            aw.as_ptr(),
            ac,
            ar,
            bw.as_ptr(),
            bc,
            br,
            keep,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
