//! Hugging Face config.json, safetensors and GGUF files.
