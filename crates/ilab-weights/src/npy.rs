//! NumPy's `.npy`: one array of floating-point numbers.
//!
//! Specification: <https://numpy.org/doc/2.3/reference/generated/numpy.lib.format.html>, versions 1 and 2.

use half::f16;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The header is padded so that values begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// What is wrong with an array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpyDefect {
    /// Another kind of file, or its beginning is cut off.
    #[error("it is no npy array of version 1 or 2")]
    NotNpy,
    /// The header does not say what it has to.
    #[error("its header has no usable `{key}`")]
    Header {
        /// The missing key.
        key: &'static str,
    },
    /// A type that is not read.
    #[error("its type is `{got}`; readable are `<f4` and `<f2`")]
    Type {
        /// The type.
        got: String,
    },
    /// The values do not fill the shape.
    #[error("its shape {shape:?} does not fit {n_bytes} bytes")]
    Size {
        /// The shape.
        shape: Vec<usize>,
        /// The bytes behind the header.
        n_bytes: usize,
    },
}

/// Shape and values, row-major.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>), NpyDefect> {
    let (header, data) = split(bytes).ok_or(NpyDefect::NotNpy)?;
    let value = |key| value_of(header, key).ok_or(NpyDefect::Header { key });
    let descr = value("descr")?;
    let type_name = descr.split(['\'', '"']).nth(1).unwrap_or_default();
    let is_fortran = match value("fortran_order")? {
        text if text.starts_with("True") => true,
        text if text.starts_with("False") => false,
        _ => {
            return Err(NpyDefect::Header {
                key: "fortran_order",
            });
        }
    };
    let shape = shape(value("shape")?).ok_or(NpyDefect::Header { key: "shape" })?;
    let value_bytes = match type_name {
        "<f4" => 4,
        "<f2" => 2,
        got => {
            return Err(NpyDefect::Type {
                got: got.chars().take(40).collect(),
            });
        }
    };
    let expected = shape.iter().try_fold(value_bytes, |product: usize, size| {
        product.checked_mul(*size)
    });
    if expected != Some(data.len()) {
        return Err(NpyDefect::Size {
            shape,
            n_bytes: data.len(),
        });
    }
    let values: Vec<f32> = if value_bytes == 4 {
        let (chunks, _) = data.as_chunks();
        chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect()
    } else {
        let (chunks, _) = data.as_chunks();
        chunks
            .iter()
            .map(|chunk| f16::from_le_bytes(*chunk).to_f32())
            .collect()
    };
    match *shape.as_slice() {
        // Column after column.
        [rows, columns] if is_fortran => {
            let row_major = (0..rows).flat_map(|row| {
                let values = &values;
                (0..columns).map(move |column| values[column * rows + row])
            });
            Ok((vec![rows, columns], row_major.collect()))
        }
        _ => Ok((shape, values)),
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (u16::from_le_bytes([*low, *high]) as usize, rest),
        [2, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return None,
    };
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// What follows a key of the header, which is the text of a Python dictionary.
fn value_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted = format!("'{key}'");
    let (_, rest) = header.split_once(&quoted)?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn shape(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let sizes = inside
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty());
    sizes.map(|size| size.parse().ok()).collect()
}

/// An array of f32, version 1.
pub(crate) fn write(shape: [usize; 2], values: &[f32]) -> Vec<u8> {
    let [rows, columns] = shape;
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let prefix = MAGIC.len() + 4;
    let end = (prefix + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', end - 1 - prefix - header.len()));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let values = [1.5, -2.0, 3.0, 4.0, 5.0, 6.25];
        let bytes = write([2, 3], &values);
        assert_eq!((bytes.len() - 24) % ALIGNMENT, 0);
        assert_eq!(read(&bytes), Ok((vec![2, 3], values.to_vec())));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn columns_first_and_half_precision() {
        let halves: Vec<u8> = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
            .iter()
            .flat_map(|value| f16::from_f32(*value).to_le_bytes())
            .collect();
        let bytes = array("<f2", "True", "(2, 3)", &halves);
        let expected = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(read(&bytes), Ok((vec![2, 3], expected)));
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let check = |bytes: Vec<u8>, expected: &str| {
            assert_eq!(read(&bytes).unwrap_err().to_string(), expected);
        };
        check(
            array("|O", "False", "(1,)", &[0; 4]),
            "its type is `|O`; readable are `<f4` and `<f2`",
        );
        check(
            array("<f4", "False", "(2, 2)", &[0; 12]),
            "its shape [2, 2] does not fit 12 bytes",
        );
        check(
            array("<f4", "False", "(4294967296, 4294967296)", &[0; 4]),
            "its shape [4294967296, 4294967296] does not fit 4 bytes",
        );
        check(
            array("<f4", "maybe", "(1,)", &[0; 4]),
            "its header has no usable `fortran_order`",
        );
        check(
            array("<f4", "False", "(-1,)", &[0; 4]),
            "its header has no usable `shape`",
        );
    }
}
