//! Hugging Face checkpoints to GGUF, streamed tensor by tensor.
