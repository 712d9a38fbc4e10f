//! How tensors are called in Hugging Face checkpoints and in GGUF files.
//!
//! # Source
//! `gguf-py/gguf/tensor_mapping.py` of llama.cpp.

/// Outside the layers.
const MODEL: &[(&str, &str)] = &[
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];

/// In each layer, after `model.layers.N.` and `blk.N.`.
const LAYER: &[(&str, &str)] = &[
    ("input_layernorm.weight", "attn_norm.weight"),
    ("self_attn.q_proj.weight", "attn_q.weight"),
    ("self_attn.k_proj.weight", "attn_k.weight"),
    ("self_attn.v_proj.weight", "attn_v.weight"),
    ("self_attn.o_proj.weight", "attn_output.weight"),
    ("post_attention_layernorm.weight", "ffn_norm.weight"),
    ("mlp.gate_proj.weight", "ffn_gate.weight"),
    ("mlp.up_proj.weight", "ffn_up.weight"),
    ("mlp.down_proj.weight", "ffn_down.weight"),
];

/// The GGUF name of a Llama tensor; `None` for a name that Llama does not have.
pub fn llama_to_gguf(name: &str) -> Option<String> {
    if let Some((_, gguf)) = MODEL.iter().find(|(hugging_face, _)| *hugging_face == name) {
        return Some((*gguf).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let layer: u32 = layer.parse().ok()?;
    LAYER
        .iter()
        .find(|(hugging_face, _)| *hugging_face == rest)
        .map(|(_, gguf)| format!("blk.{layer}.{gguf}"))
}

/// Whether a tensor of the checkpoint is recomputed by every reader, so that it is rightly left out.
pub fn is_redundant(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (hugging_face, gguf) in [
            ("model.embed_tokens.weight", Some("token_embd.weight")),
            (
                "model.layers.17.mlp.down_proj.weight",
                Some("blk.17.ffn_down.weight"),
            ),
            ("model.layers.0.self_attn.q_norm.weight", None),
            ("model.layers.x.mlp.down_proj.weight", None),
            ("model.layers.0", None),
            ("", None),
        ] {
            assert_eq!(llama_to_gguf(hugging_face).as_deref(), gguf);
        }
    }
}
