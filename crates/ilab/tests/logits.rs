//! One model, two programs: the trained forward pass and llama.cpp on the exported GGUF give the same logits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ilab_infer::{CachePrecision, Engine, EngineOptions};
use ilab_text::sample::EncodedSample;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::packing::Batch;

/// Largest difference allowed at F32. Logits of the tiny model are below 4 in size; the two programs sum up to 128 products
/// in another order, and 1e-4 is three times what was measured.
const LARGEST_DIFFERENCE: f32 = 1e-4;

#[test]
fn the_exported_gguf_gives_the_logits_of_our_forward_pass() {
    let folder = tempfile::tempdir().unwrap();
    ilab_testkit::tiny_llama::write_hf(folder.path(), 7).unwrap();
    let gguf = folder.path().join("tiny.gguf");
    ilab_convert::convert(
        folder.path(),
        &gguf,
        ilab_convert::OutputType::F32,
        &mut |_| Ok(()),
    )
    .unwrap();
    let tokens: Vec<u32> = (0..200)
        .map(|position| (position * position + 3 * position) % 250)
        .collect();

    let mut model = Model::from_dir(folder.path(), Method::Full, 256).unwrap();
    let sample = EncodedSample {
        is_learned: vec![true; tokens.len()],
        input_ids: tokens.clone(),
    };
    let ours = model.logits(&Batch::pack([&sample])).unwrap();
    let ours: Vec<&[f32]> = ours.chunks_exact(model.config().vocab_size).collect();

    let options = EngineOptions {
        cache_precision: CachePrecision::F32,
        ..EngineOptions::new(&gguf)
    };
    let engine = Engine::load(options).unwrap();
    let theirs = futures::executor::block_on(engine.logits(&tokens)).unwrap();

    assert_eq!(ours.len(), theirs.len());
    let mut largest: f32 = 0.0;
    for (position, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len());
        for (token, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let difference = (ours - theirs).abs();
            assert!(
                difference <= LARGEST_DIFFERENCE,
                "position {position}, token {token}: {ours} and {theirs}"
            );
            largest = largest.max(difference);
        }
    }
    assert!(
        largest > 0.0,
        "two programs never agree to the last bit: something was compared with itself"
    );
}
