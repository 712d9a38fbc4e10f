//! Its weights, as the bytes of a safetensors file.

use ilab_base::seed::rng;
use rand::Rng as _;
use serde_json::{Map, Value, json};

use super::{HIDDEN_SIZE, INTERMEDIATE_SIZE, N_HEADS, N_KV_HEADS, N_LAYERS};

/// Names and shapes, as `LlamaForCausalLM` has them.
pub(super) fn tensors(
    vocab_size: usize,
    head_dim: usize,
    has_lm_head: bool,
) -> Vec<(String, Vec<usize>)> {
    let (q_size, kv_size) = (head_dim * N_HEADS, head_dim * N_KV_HEADS);
    let mut tensors = vec![
        (
            "model.embed_tokens.weight".to_owned(),
            vec![vocab_size, HIDDEN_SIZE],
        ),
        ("model.norm.weight".to_owned(), vec![HIDDEN_SIZE]),
    ];
    if has_lm_head {
        tensors.push(("lm_head.weight".to_owned(), vec![vocab_size, HIDDEN_SIZE]));
    }
    for layer in 0..N_LAYERS {
        for (name, shape) in [
            ("input_layernorm", vec![HIDDEN_SIZE]),
            ("self_attn.q_proj", vec![q_size, HIDDEN_SIZE]),
            ("self_attn.k_proj", vec![kv_size, HIDDEN_SIZE]),
            ("self_attn.v_proj", vec![kv_size, HIDDEN_SIZE]),
            ("self_attn.o_proj", vec![HIDDEN_SIZE, q_size]),
            ("post_attention_layernorm", vec![HIDDEN_SIZE]),
            ("mlp.gate_proj", vec![INTERMEDIATE_SIZE, HIDDEN_SIZE]),
            ("mlp.up_proj", vec![INTERMEDIATE_SIZE, HIDDEN_SIZE]),
            ("mlp.down_proj", vec![HIDDEN_SIZE, INTERMEDIATE_SIZE]),
        ] {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    tensors
}

/// Norms lie around one, matrices keep the size of what they are applied to.
fn values(seed: u64, name: &str, shape: &[usize]) -> impl Iterator<Item = f32> {
    let (centre, spread) = match shape {
        [_, columns] => (0.0, (3.0 / *columns as f32).sqrt()),
        _ => (1.0, 0.2),
    };
    let mut rng = rng(seed, name);
    (0..shape.iter().product()).map(move |_| {
        // The upper 24 bits, which an f32 holds exactly.
        let unit = (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0;
        centre + spread * unit
    })
}

/// A whole file: length of the header, header, tensors.
pub(super) fn safetensors(seed: u64, tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut data: Vec<u8> = Vec::new();
    for (name, shape) in tensors {
        let begin = data.len();
        data.extend(values(seed, name, shape).flat_map(f32::to_le_bytes));
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}
