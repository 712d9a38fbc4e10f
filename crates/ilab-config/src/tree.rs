//! The typed configuration: names and defaults of the Python original, keys in alphabetical order as it writes them.
//!
//! Defaults depend on where files are kept, so there is no `Default`: [`Config::defaults`] takes the directories.

use std::path::PathBuf;

use ilab_base::dirs::Dirs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The chat model's file name under the models directory.
const CHAT_MODEL: &str = "granite-7b-lab-Q4_K_M.gguf";
/// The teacher model's file name under the models directory.
const TEACHER_MODEL: &str = "mistral-7b-instruct-v0.2.Q4_K_M.gguf";
/// The Hugging Face name of the model that is trained.
const STUDENT_MODEL: &str = "instructlab/granite-7b-lab";
/// The Hugging Face name of the model that judges answers.
const JUDGE_MODEL: &str = "prometheus-eval/prometheus-8x7b-v2.0";
/// The revision that a taxonomy is compared with.
const TAXONOMY_BASE: &str = "origin/main";

/// The whole configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `ilab model chat`.
    pub chat: Chat,
    /// `ilab model evaluate`.
    pub evaluate: Evaluate,
    /// Every command.
    pub general: General,
    /// `ilab data generate`.
    pub generate: Generate,
    /// The hardware that a profile is for.
    pub metadata: Metadata,
    /// Models that can be named by an id.
    pub models: Vec<NamedModel>,
    /// Retrieval-augmented generation.
    pub rag: Rag,
    /// `ilab model serve`.
    pub serve: Serve,
    /// `ilab model train`.
    pub train: Train,
    /// The version of this file's format.
    pub version: String,
}

/// `ilab model chat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Chat {
    pub context: String,
    pub logs_dir: Option<PathBuf>,
    pub max_tokens: Option<u32>,
    pub model: String,
    pub session: Option<PathBuf>,
    pub temperature: f64,
    pub vi_mode: bool,
    pub visible_overflow: bool,
}

/// `ilab model evaluate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Evaluate {
    pub base_branch: Option<String>,
    pub base_model: String,
    pub branch: Option<String>,
    pub dk_bench: DkBench,
    pub gpus: Option<u32>,
    pub mmlu: Mmlu,
    pub mmlu_branch: MmluBranch,
    pub model: Option<String>,
    pub mt_bench: MtBench,
    pub mt_bench_branch: MtBenchBranch,
    pub system_prompt: Option<String>,
    pub temperature: f64,
}

/// Settings of DK-Bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct DkBench {
    pub input_questions: Option<PathBuf>,
    pub judge_model: String,
    pub output_dir: PathBuf,
    pub output_file_formats: String,
}

/// Settings of MMLU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Mmlu {
    /// `auto` or a number.
    pub batch_size: Value,
    pub few_shots: u32,
}

/// Settings of MMLU over the questions of a taxonomy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct MmluBranch {
    pub tasks_dir: PathBuf,
}

/// Settings of MT-Bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct MtBench {
    pub judge_model: String,
    /// `auto` or a number.
    pub max_workers: Value,
    pub output_dir: PathBuf,
}

/// Settings of MT-Bench over the questions of a taxonomy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct MtBenchBranch {
    pub judge_model: String,
    pub output_dir: PathBuf,
    pub taxonomy_path: PathBuf,
}

/// Every command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct General {
    pub debug_level: u8,
    pub log_format: String,
    pub log_level: String,
    pub student_model_id: Option<String>,
    pub teacher_model_id: Option<String>,
    pub use_legacy_tmpl: bool,
}

/// `ilab data generate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Generate {
    pub batch_size: u32,
    pub chunk_word_count: u32,
    pub max_num_tokens: Option<u32>,
    pub model: String,
    pub num_cpus: u32,
    pub num_instructions: Option<i64>,
    pub output_dir: PathBuf,
    pub pipeline: Option<String>,
    pub sdg_scale_factor: Option<u32>,
    pub taxonomy_base: String,
    pub taxonomy_path: PathBuf,
    pub teacher: Serve,
}

/// The hardware that a profile is for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Metadata {
    pub cpu_info: Option<String>,
    pub gpu_count: Option<u32>,
    pub gpu_family: Option<String>,
    pub gpu_manufacturer: Option<String>,
    pub gpu_sku: Option<Vec<String>>,
}

/// A model that can be named by its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedModel {
    /// The id.
    pub id: String,
    /// The prompt family: granite, mixtral, …
    pub family: String,
    /// File or folder.
    pub path: PathBuf,
    /// System prompt of conversations with it.
    #[serde(default)]
    pub system_prompt: Option<String>,
}

/// Retrieval-augmented generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Rag {
    pub convert: RagConvert,
    pub document_store: DocumentStore,
    pub embedding_model: EmbeddingModel,
    pub enabled: bool,
    pub retriever: Retriever,
}

/// Conversion of documents for retrieval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct RagConvert {
    pub output_dir: PathBuf,
    pub taxonomy_base: String,
    pub taxonomy_path: PathBuf,
}

/// Where embedded documents are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct DocumentStore {
    pub collection_name: String,
    pub uri: String,
}

/// The model that embeds text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct EmbeddingModel {
    pub embedding_model_path: PathBuf,
}

/// Retrieval of documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Retriever {
    pub top_k: u32,
}

/// `ilab model serve`, and the teacher of `ilab data generate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Serve {
    pub backend: Option<String>,
    pub chat_template: Option<String>,
    pub llama_cpp: LlamaCpp,
    pub model_path: PathBuf,
    pub server: Server,
    pub vllm: Vllm,
}

/// The built-in engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct LlamaCpp {
    pub gpu_layers: i32,
    pub llm_family: String,
    pub max_ctx_size: u32,
}

/// The listening server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Server {
    pub backend_type: String,
    pub current_max_ctx_size: u32,
    pub host: String,
    pub port: u16,
}

/// A vLLM server started by `ilab`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Vllm {
    pub gpus: Option<u32>,
    pub llm_family: String,
    pub max_startup_attempts: Option<u32>,
    pub vllm_args: Option<Vec<String>>,
}

/// `ilab model train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each key is described once, in the key table")]
pub struct Train {
    pub additional_args: Map<String, Value>,
    pub checkpoint_at_epoch: bool,
    pub ckpt_output_dir: PathBuf,
    pub data_output_dir: PathBuf,
    pub data_path: PathBuf,
    pub deepspeed_cpu_offload_optimizer: bool,
    pub device: String,
    pub disable_flash_attn: Option<bool>,
    pub distributed_backend: String,
    pub effective_batch_size: u32,
    pub fsdp_cpu_offload_optimizer: bool,
    pub is_padding_free: bool,
    pub lora_quantize_dtype: Option<String>,
    pub lora_rank: Option<u32>,
    pub max_batch_len: u32,
    pub max_seq_len: u32,
    pub model_path: String,
    pub nproc_per_node: u32,
    pub num_epochs: u32,
    pub phased_base_dir: Option<PathBuf>,
    pub phased_mt_bench_judge: Option<String>,
    pub phased_phase1_effective_batch_size: Option<u32>,
    pub phased_phase1_learning_rate: f64,
    pub phased_phase1_num_epochs: Option<u32>,
    pub phased_phase1_samples_per_save: u64,
    pub phased_phase2_effective_batch_size: Option<u32>,
    pub phased_phase2_learning_rate: f64,
    pub phased_phase2_num_epochs: Option<u32>,
    pub phased_phase2_samples_per_save: u64,
    pub pipeline: String,
    pub save_samples: u64,
    pub training_journal: Option<PathBuf>,
}

impl Config {
    /// The configuration of a machine without a file.
    pub fn defaults(dirs: &Dirs) -> Self {
        Self {
            chat: Chat::defaults(dirs),
            evaluate: Evaluate::defaults(dirs),
            general: General::defaults(),
            generate: Generate::defaults(dirs),
            metadata: Metadata::default(),
            models: Vec::new(),
            rag: Rag::defaults(dirs),
            serve: Serve::defaults(dirs, CHAT_MODEL),
            train: Train::defaults(dirs),
            version: "1.0.0".to_owned(),
        }
    }
}

impl Chat {
    fn defaults(dirs: &Dirs) -> Self {
        Self {
            context: "default".to_owned(),
            logs_dir: Some(dirs.chatlogs()),
            max_tokens: None,
            model: dirs.models().join(CHAT_MODEL).display().to_string(),
            session: None,
            temperature: 1.0,
            vi_mode: false,
            visible_overflow: true,
        }
    }
}

impl Evaluate {
    fn defaults(dirs: &Dirs) -> Self {
        let results = dirs.internal().join("eval_data");
        Self {
            base_branch: None,
            base_model: STUDENT_MODEL.to_owned(),
            branch: None,
            dk_bench: DkBench {
                input_questions: None,
                judge_model: "gpt-4o".to_owned(),
                output_dir: results.join("dk_bench"),
                output_file_formats: "jsonl".to_owned(),
            },
            gpus: None,
            mmlu: Mmlu {
                batch_size: Value::from("auto"),
                few_shots: 5,
            },
            mmlu_branch: MmluBranch {
                tasks_dir: dirs.datasets(),
            },
            model: None,
            mt_bench: MtBench {
                judge_model: JUDGE_MODEL.to_owned(),
                max_workers: Value::from("auto"),
                output_dir: results.join("mt_bench"),
            },
            mt_bench_branch: MtBenchBranch {
                judge_model: JUDGE_MODEL.to_owned(),
                output_dir: results.join("mt_bench_branch"),
                taxonomy_path: dirs.taxonomy(),
            },
            system_prompt: None,
            temperature: 0.0,
        }
    }
}

impl General {
    fn defaults() -> Self {
        Self {
            debug_level: 0,
            log_format: "%(levelname)s %(asctime)s %(name)s:%(lineno)d: %(message)s".to_owned(),
            log_level: "INFO".to_owned(),
            student_model_id: None,
            teacher_model_id: None,
            use_legacy_tmpl: false,
        }
    }
}

impl Generate {
    fn defaults(dirs: &Dirs) -> Self {
        Self {
            batch_size: 8,
            chunk_word_count: 1000,
            max_num_tokens: Some(4096),
            model: dirs.models().join(TEACHER_MODEL).display().to_string(),
            num_cpus: 10,
            num_instructions: Some(-1),
            output_dir: dirs.datasets(),
            pipeline: Some("full".to_owned()),
            sdg_scale_factor: Some(30),
            taxonomy_base: TAXONOMY_BASE.to_owned(),
            taxonomy_path: dirs.taxonomy(),
            teacher: Serve::defaults(dirs, TEACHER_MODEL),
        }
    }
}

impl Rag {
    fn defaults(dirs: &Dirs) -> Self {
        Self {
            convert: RagConvert {
                output_dir: dirs.data.join("converted_documents"),
                taxonomy_base: TAXONOMY_BASE.to_owned(),
                taxonomy_path: dirs.taxonomy(),
            },
            document_store: DocumentStore {
                collection_name: "ilab".to_owned(),
                uri: dirs.data.join("embeddings.db").display().to_string(),
            },
            embedding_model: EmbeddingModel {
                embedding_model_path: dirs
                    .models()
                    .join("ibm-granite/granite-embedding-125m-english"),
            },
            enabled: false,
            retriever: Retriever { top_k: 3 },
        }
    }
}

impl Serve {
    fn defaults(dirs: &Dirs, model: &str) -> Self {
        Self {
            backend: None,
            chat_template: None,
            llama_cpp: LlamaCpp {
                gpu_layers: -1,
                llm_family: String::new(),
                max_ctx_size: 4096,
            },
            model_path: dirs.models().join(model),
            server: Server {
                backend_type: String::new(),
                current_max_ctx_size: 4096,
                host: "127.0.0.1".to_owned(),
                port: 8000,
            },
            vllm: Vllm {
                gpus: None,
                llm_family: String::new(),
                max_startup_attempts: Some(120),
                vllm_args: Some(Vec::new()),
            },
        }
    }
}

impl Train {
    fn defaults(dirs: &Dirs) -> Self {
        Self {
            additional_args: Map::new(),
            checkpoint_at_epoch: true,
            ckpt_output_dir: dirs.checkpoints(),
            data_output_dir: dirs.internal(),
            data_path: dirs.datasets(),
            deepspeed_cpu_offload_optimizer: false,
            device: "cpu".to_owned(),
            disable_flash_attn: Some(false),
            distributed_backend: "fsdp".to_owned(),
            effective_batch_size: 64,
            fsdp_cpu_offload_optimizer: false,
            is_padding_free: false,
            lora_quantize_dtype: Some("nf4".to_owned()),
            lora_rank: Some(0),
            max_batch_len: 5000,
            max_seq_len: 4096,
            model_path: STUDENT_MODEL.to_owned(),
            nproc_per_node: 1,
            num_epochs: 10,
            phased_base_dir: Some(dirs.phased()),
            phased_mt_bench_judge: Some(dirs.models().join(JUDGE_MODEL).display().to_string()),
            phased_phase1_effective_batch_size: Some(128),
            phased_phase1_learning_rate: 2e-5,
            phased_phase1_num_epochs: Some(7),
            phased_phase1_samples_per_save: 0,
            phased_phase2_effective_batch_size: Some(3840),
            phased_phase2_learning_rate: 6e-6,
            phased_phase2_num_epochs: Some(10),
            phased_phase2_samples_per_save: 0,
            pipeline: "full".to_owned(),
            save_samples: 250_000,
            training_journal: None,
        }
    }
}
