//! Quantised rows against gguf-py and bitsandbytes: see `goldens/kernels/gen.py`.

use ilab_kernels::matrix::{Format, Matrix, Values};
use ilab_kernels::nf4::LEVELS;

/// The values of one line of the file.
fn golden<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> Vec<T> {
    include_str!("../../../goldens/kernels/quantised.txt")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .expect("the file has this line")
        .split(' ')
        .map(|value| value.parse().expect("the file holds numbers"))
        .collect()
}

fn input() -> Vec<f32> {
    (0..128)
        .map(|i| ((i * 7919 % 1013 - 506) as f64 / 400.0) as f32)
        .collect()
}

#[test]
fn blocks_of_eight_bits_are_those_of_gguf() {
    let matrix = Matrix::rounded(&input(), 1, 128, Format::Q8);
    let Values::Q8(blocks) = matrix.values() else {
        panic!("another format")
    };
    let bytes = blocks.iter().flat_map(|block| {
        let values = block.values.iter().map(|value| value.cast_unsigned());
        block.scale.to_le_bytes().into_iter().chain(values)
    });
    assert_eq!(bytes.collect::<Vec<u8>>(), golden::<u8>("q8_0"));
}

#[test]
fn levels_of_four_bits_and_their_choice_are_those_of_bitsandbytes() {
    for (found, expected) in LEVELS.iter().zip(golden::<f32>("nf4_levels")) {
        assert!(
            (found - expected).abs() <= 6e-8,
            "{found}, expected {expected}"
        );
    }
    let found = Matrix::rounded(&input(), 2, 64, Format::Nf4).to_f32();
    let expected = golden::<f32>("nf4");
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // The magnitude of a block is f16 here and f32 there.
        let limit = expected.abs() / 2048.0;
        assert!(
            (found - expected).abs() <= limit,
            "{index}: {found}, expected {expected}"
        );
    }
}
