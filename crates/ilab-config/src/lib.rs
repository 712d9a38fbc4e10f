//! `config.yaml`: the tree of keys with their defaults, reading with located problems, and the commented file.
//!
//! Deliberately absent: command line flags and their precedence (the binary resolves them) and the environment, which
//! callers pass in as a snapshot.

mod tree;

pub use tree::{
    Chat, Config, DkBench, DocumentStore, EmbeddingModel, Evaluate, General, Generate, LlamaCpp,
    Metadata, Mmlu, MmluBranch, MtBench, MtBenchBranch, NamedModel, Rag, RagConvert, Retriever,
    Serve, Server, Train, Vllm,
};

/// The taxonomy that `ilab config init` offers to clone.
pub const TAXONOMY_REPOSITORY: &str = "https://github.com/instructlab/taxonomy.git";
