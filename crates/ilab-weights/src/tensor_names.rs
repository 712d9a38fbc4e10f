//! How tensors are called in Hugging Face checkpoints and in GGUF files.
//!
//! # Source
//! `gguf-py/gguf/tensor_mapping.py` of llama.cpp.

/// Outside the layers.
const MODEL: &[(&str, &str)] = &[
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
];

/// In each layer, after `model.layers.N.` and `blk.N.`.
const LAYER: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// Which of a pair of names is looked for.
#[derive(Clone, Copy)]
enum Spelling {
    HuggingFace,
    Gguf,
}

/// The GGUF name of a tensor of a checkpoint; `None` for a name that no supported architecture has.
pub fn to_gguf(name: &str) -> Option<String> {
    translate(name, Spelling::HuggingFace)
}

/// The Hugging Face name of a tensor of a GGUF file; `None` for a name that no supported architecture has.
pub fn from_gguf(name: &str) -> Option<String> {
    translate(name, Spelling::Gguf)
}

fn translate(name: &str, from: Spelling) -> Option<String> {
    let (prefix, other_prefix) = match from {
        Spelling::HuggingFace => ("model.layers.", "blk."),
        Spelling::Gguf => ("blk.", "model.layers."),
    };
    let pair = |(hugging_face, gguf): &(&'static str, &'static str)| match from {
        Spelling::HuggingFace => (*hugging_face, *gguf),
        Spelling::Gguf => (*gguf, *hugging_face),
    };
    let find = |table: &[(&'static str, &'static str)], stem: &str| {
        let found = table.iter().map(pair).find(|(this, _)| *this == stem);
        found.map(|(_, other)| other)
    };
    let (stem, kind) = name.rsplit_once('.')?;
    if !matches!(kind, "weight" | "bias") {
        return None;
    }
    if let Some(other) = find(MODEL, stem) {
        return Some(format!("{other}.{kind}"));
    }
    let (layer, stem) = stem.strip_prefix(prefix)?.split_once('.')?;
    let layer: u32 = layer.parse().ok()?;
    let other = find(LAYER, stem)?;
    Some(format!("{other_prefix}{layer}.{other}.{kind}"))
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
            ("model.embed_tokens.weight", "token_embd.weight"),
            (
                "model.layers.17.mlp.down_proj.weight",
                "blk.17.ffn_down.weight",
            ),
            ("model.layers.0.self_attn.q_proj.bias", "blk.0.attn_q.bias"),
            (
                "model.layers.0.self_attn.q_norm.weight",
                "blk.0.attn_q_norm.weight",
            ),
        ] {
            assert_eq!(to_gguf(hugging_face).as_deref(), Some(gguf));
            assert_eq!(from_gguf(gguf).as_deref(), Some(hugging_face));
        }
        for unknown in [
            "model.layers.0.self_attn.qkv_proj.weight",
            "model.layers.x.mlp.down_proj.weight",
            "model.layers.0.mlp.down_proj.scale",
            "model.layers.0",
            "",
        ] {
            assert_eq!(to_gguf(unknown), None, "{unknown}");
            assert_eq!(from_gguf(unknown), None, "{unknown}");
        }
    }
}
