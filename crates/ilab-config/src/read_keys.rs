//! Which keys have an effect.
//!
//! The file has every key of the original, so that both programs can share it. This version does not read them all, and a
//! key without effect must not look as if it had one.

/// Every key that a command reads. A test of the program compares the list with what the commands' settings take.
const READ_KEYS: &[&str] = &[
    "chat.context",
    "chat.max_tokens",
    "chat.model",
    "chat.temperature",
    "chat.vi_mode",
    "general.student_model_id",
    "general.teacher_model_id",
    "generate.chunk_word_count",
    "generate.max_num_tokens",
    "generate.num_cpus",
    "generate.output_dir",
    "generate.pipeline",
    "generate.sdg_scale_factor",
    "generate.taxonomy_base",
    "generate.taxonomy_path",
    "generate.teacher.llama_cpp.gpu_layers",
    "generate.teacher.llama_cpp.max_ctx_size",
    "generate.teacher.model_path",
    "models",
    "serve.chat_template",
    "serve.llama_cpp.gpu_layers",
    "serve.llama_cpp.max_ctx_size",
    "serve.model_path",
    "serve.server.host",
    "serve.server.port",
    "train.additional_args",
    "train.checkpoint_at_epoch",
    "train.ckpt_output_dir",
    "train.data_output_dir",
    "train.data_path",
    "train.device",
    "train.effective_batch_size",
    "train.lora_quantize_dtype",
    "train.lora_rank",
    "train.max_batch_len",
    "train.max_seq_len",
    "train.model_path",
    "train.num_epochs",
    "train.pipeline",
    "train.save_samples",
];

/// What is written above every other key.
pub(crate) const NOT_READ: &str = "Not used by this version yet.";

/// Whether a command reads the key at `path`.
pub(crate) fn is_read(path: &str) -> bool {
    READ_KEYS.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn every_key_that_is_read_exists() {
        for path in READ_KEYS {
            assert!(keys::find(path).is_some(), "{path}");
        }
    }
}
