//! `config.yaml`: the tree of keys with their defaults, reading with located problems, and the commented file.
//!
//! Deliberately absent: command line flags and their precedence (the binary resolves them) and the environment, which
//! callers pass in as a snapshot.

mod error;
mod expand;
mod keys;
mod load;
mod lookup;
mod read_keys;
mod shape;
mod tree;
mod write;

pub use error::ConfigError;
pub use expand::expand;
pub use load::{Loaded, Variables, load, parse};
pub use lookup::lookup;
pub use tree::{
    Chat, Config, DkBench, DocumentStore, EmbeddingModel, Evaluate, General, Generate, LlamaCpp,
    Metadata, Mmlu, MmluBranch, MtBench, MtBenchBranch, NamedModel, Rag, RagConvert, Retriever,
    Serve, Server, Train, Vllm,
};
pub use write::{Comments, part_to_yaml, to_json, to_yaml};

/// The taxonomy that `ilab config init` offers to clone.
pub const TAXONOMY_REPOSITORY: &str = "https://github.com/instructlab/taxonomy.git";
