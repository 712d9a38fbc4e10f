//! How a model of the Hugging Face kind lies in a GGUF file: the architecture's name and the order of rows.
//!
//! # Source
//! `convert_hf_to_gguf.py` of llama.cpp: which class writes which `model_arch`, and `undo_permute`.

/// llama.cpp's architecture for a `model_type` of config.json. What is not known goes by its own name.
pub fn architecture(model_type: &str) -> &str {
    match model_type {
        // Mistral is a Llama to llama.cpp, whose `mistral3` and `mistral4` are other models.
        "mistral" => "llama",
        other => other,
    }
}

/// The order of a matrix's rows in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRows {
    /// As in Hugging Face's files.
    AsStored,
    /// Within each head, the first half's rows alternate with the second half's.
    ///
    /// Hugging Face rotates dimension i of a head together with i + D/2. llama.cpp's `llama` and `granite` rotate 2i with
    /// 2i + 1; queries and keys are stored for the one and used by the other.
    Interleaved {
        /// Rows of a head.
        head_dim: usize,
    },
}

impl HeadRows {
    /// Which of Hugging Face's rows comes at this place of the file.
    pub fn hugging_face_row(self, row: usize) -> usize {
        match self {
            Self::AsStored => row,
            Self::Interleaved { head_dim } => {
                let (head, within) = (row / head_dim, row % head_dim);
                head * head_dim + (within % 2) * (head_dim / 2) + within / 2
            }
        }
    }
}

/// The order in which an architecture of llama.cpp has the rows of a tensor or layer, by its Hugging Face name.
pub fn head_rows(architecture: &str, name: &str, head_dim: usize) -> HeadRows {
    let is_rotated = name.contains(".self_attn.q_proj") || name.contains(".self_attn.k_proj");
    if is_rotated && matches!(architecture, "llama" | "granite") {
        HeadRows::Interleaved { head_dim }
    } else {
        HeadRows::AsStored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaving_keeps_heads_apart() {
        let order = HeadRows::Interleaved { head_dim: 6 };
        let rows: Vec<usize> = (0..12).map(|row| order.hugging_face_row(row)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }

    #[test]
    fn only_what_is_rotated_is_interleaved() {
        let interleaved = HeadRows::Interleaved { head_dim: 64 };
        for (architecture, name, expected) in [
            (
                "llama",
                "model.layers.3.self_attn.q_proj.weight",
                interleaved,
            ),
            ("granite", "model.layers.3.self_attn.k_proj", interleaved),
            (
                "llama",
                "model.layers.3.self_attn.v_proj.weight",
                HeadRows::AsStored,
            ),
            (
                "qwen2",
                "model.layers.3.self_attn.q_proj.bias",
                HeadRows::AsStored,
            ),
        ] {
            assert_eq!(head_rows(architecture, name, 64), expected, "{name}");
        }
    }
}
