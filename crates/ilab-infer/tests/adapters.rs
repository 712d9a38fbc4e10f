//! GGUF adapters in llama.cpp: the base model with the adapter beside it is the merged model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::path::Path;

use ilab_testkit::tiny_llama::{self, Family};
use ilab_weights::adapter::{Adapter, AdapterConfig, LoraModule, write_gguf};
use ilab_weights::config::{ModelConfig, model_tensors};
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

const RANK: usize = 3;

/// An adapter of every projection of a model, with values around 0.1.
fn adapter_for(config: &ModelConfig) -> Adapter {
    let mut state = 7_u32;
    let mut values = |n: usize| -> Vec<f32> {
        let value = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 0.4
        };
        (0..n).map(value).collect()
    };
    let mut modules: Vec<LoraModule> = model_tensors(config)
        .into_iter()
        .filter_map(|(name, shape)| {
            let name = name.strip_suffix("_proj.weight")?.to_owned() + "_proj";
            let (n_outputs, n_inputs) = (shape[0], shape[1]);
            Some(LoraModule {
                name,
                rank: RANK,
                n_inputs,
                n_outputs,
                a: values(RANK * n_inputs),
                b: values(n_outputs * RANK),
            })
        })
        .collect();
    modules.sort_by(|one, other| one.name.cmp(&other.name));
    Adapter {
        config: AdapterConfig::new(RANK, 5.0, vec!["q_proj".to_owned()]),
        modules,
    }
}

/// The logits after the last of some tokens.
fn logits(backend: &LlamaBackend, model: &Path, adapter: Option<&Path>) -> Vec<f32> {
    let mut model =
        LlamaModel::load_from_file(backend, model, &LlamaModelParams::default()).unwrap();
    let mut adapter = adapter.map(|path| model.lora_adapter_init(path).unwrap());
    let parameters = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(64))
        .with_n_threads(1)
        .with_n_threads_batch(1)
        .with_type_k(KvCacheType::F32)
        .with_type_v(KvCacheType::F32);
    let mut context = model.new_context(backend, parameters).unwrap();
    if let Some(adapter) = &mut adapter {
        context.lora_adapter_set(adapter, 1.0).unwrap();
    }
    let mut batch = LlamaBatch::new(64, 1);
    for position in 0..40 {
        let token = LlamaToken((position * position + 3 * position) % 250);
        batch.add(token, position, &[0], position == 39).unwrap();
    }
    context.decode(&mut batch).unwrap();
    context.get_logits_ith(39).to_vec()
}

fn largest_difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let pairs = one.iter().zip(other);
    pairs.fold(0.0, |largest: f32, (one, other)| {
        let difference = (one - other).abs();
        assert!(difference.is_finite());
        largest.max(difference)
    })
}

#[test]
fn an_adapter_beside_the_model_is_the_merged_model() {
    let backend = LlamaBackend::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut sources = vec![folder.path().join("plain")];
    tiny_llama::write_hf(&sources[0], 0).unwrap();
    for family in Family::ALL {
        let path = folder.path().join(family.name());
        tiny_llama::write_hf_of(family, &path, 0).unwrap();
        sources.push(path);
    }
    for folder in sources {
        let config = ModelConfig::from_dir(&folder).unwrap();
        let adapter = adapter_for(&config);
        let base = tiny_llama::write_gguf_of(&folder).unwrap();
        let (merged, beside) = (folder.join("merged.gguf"), folder.join("adapter.gguf"));
        tiny_llama::write_merged_gguf(&folder, &adapter, &merged).unwrap();
        write_gguf(&beside, &adapter, &config, "tiny").unwrap();

        let plain = logits(&backend, &base, None);
        let merged = logits(&backend, &merged, None);
        let beside = logits(&backend, &base, Some(&beside));
        let name = folder.display();
        let effect = largest_difference(&plain, &merged);
        assert!(effect > 0.02, "{name}: {effect}");
        // The same sums in another order, through two layers.
        let difference = largest_difference(&merged, &beside);
        assert!(
            difference <= 1e-3 * effect,
            "{name}: {difference} of {effect}"
        );
    }
}
