//! Every key once: its name, what may stand there, and what it means.
//!
//! The table drives the checks when a file is loaded and the comments when one is written.

/// What may stand at a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words in upper case, however it is written.
    WordInAnyCase(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// A whole number of at least this and at most that.
    Integer(i64, i64),
    /// Any number of at least this and at most that.
    Number(f64, f64),
    /// A whole number or the word `auto`.
    IntegerOrAuto,
    /// A list of texts.
    Texts,
    /// A list of named models.
    Models,
    /// A mapping with keys of its own.
    Free,
    /// This, or nothing.
    Optional(&'static Shape),
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Key {
    /// The names from the top, with dots between.
    pub(crate) path: &'static str,
    /// What may stand there.
    pub(crate) shape: Shape,
    /// What it means.
    pub(crate) description: &'static str,
}

/// A section: a mapping of keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Section {
    /// The names from the top, with dots between.
    pub(crate) path: &'static str,
    /// What it is about.
    pub(crate) description: &'static str,
}

const fn key(path: &'static str, shape: Shape, description: &'static str) -> Key {
    Key {
        path,
        shape,
        description,
    }
}

const fn section(path: &'static str, description: &'static str) -> Section {
    Section { path, description }
}

const ANY: Shape = Shape::Integer(i64::MIN, i64::MAX);
const COUNT: Shape = Shape::Integer(0, u32::MAX as i64);
const POSITIVE: Shape = Shape::Integer(1, u32::MAX as i64);
const RATE: Shape = Shape::Number(0.0, f64::MAX);
const BACKENDS: Shape = Shape::Word(&["llama-cpp", "vllm"]);
const LOG_LEVELS: Shape = Shape::WordInAnyCase(&[
    "DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", "NOTSET",
]);

/// A key that may be left empty.
macro_rules! optional {
    ($shape:expr) => {
        Shape::Optional(&const { $shape })
    };
}

pub(crate) const SECTIONS: &[Section] = &[
    section("chat", "Asking a model: `ilab model chat`."),
    section("evaluate", "Measuring a model: `ilab model evaluate`."),
    section(
        "evaluate.dk_bench",
        "DK-Bench: your own questions with reference answers, rated by a judge.",
    ),
    section(
        "evaluate.mmlu",
        "MMLU: multiple-choice questions about 57 subjects.",
    ),
    section(
        "evaluate.mmlu_branch",
        "MMLU with questions made from a taxonomy.",
    ),
    section(
        "evaluate.mt_bench",
        "MT-Bench: conversations of two turns, rated by a judge.",
    ),
    section(
        "evaluate.mt_bench_branch",
        "MT-Bench with questions made from a taxonomy.",
    ),
    section("general", "Every command."),
    section(
        "generate",
        "Generating training data: `ilab data generate`.",
    ),
    section(
        "generate.teacher",
        "The server of the teacher model, started for the time of the generation.",
    ),
    section(
        "metadata",
        "The hardware that a system profile is made for.",
    ),
    section("rag", "Answers from your own documents."),
    section("rag.convert", "Conversion of documents."),
    section(
        "rag.document_store",
        "Where the embedded documents are kept.",
    ),
    section("rag.embedding_model", "The model that embeds text."),
    section("rag.retriever", "The search in the document store."),
    section("serve", "Serving a model: `ilab model serve`."),
    section("train", "Training a model: `ilab model train`."),
];

/// The sections inside `serve` and `generate.teacher`.
pub(crate) const SERVER_SECTIONS: &[Section] = &[
    section("llama_cpp", "The built-in engine, for GGUF files."),
    section("server", "The address to listen on."),
    section("vllm", "A vLLM server, for safetensors on GPUs."),
];

/// The keys inside `serve` and `generate.teacher`.
pub(crate) const SERVER_KEYS: &[Key] = &[
    key(
        "backend",
        optional!(BACKENDS),
        "The engine: `llama-cpp` or `vllm`. Empty: by the kind of model.",
    ),
    key(
        "chat_template",
        optional!(Shape::Text),
        "The chat template: `auto` by the family, `tokenizer` for the model's own, or the path of a Jinja file. Empty: `auto`.",
    ),
    key(
        "llama_cpp.gpu_layers",
        Shape::Integer(-1, i32::MAX as i64),
        "How many layers run on the GPU; -1 for all.",
    ),
    key(
        "llama_cpp.llm_family",
        Shape::Text,
        "The model's prompt family, where it cannot be told from the model.",
    ),
    key(
        "llama_cpp.max_ctx_size",
        POSITIVE,
        "The most tokens that a conversation may have.",
    ),
    key(
        "model_path",
        Shape::Text,
        "The model to serve: a GGUF file or a folder of safetensors.",
    ),
    key(
        "server.backend_type",
        Shape::Text,
        "Written by other programs while a server runs.",
    ),
    key(
        "server.current_max_ctx_size",
        POSITIVE,
        "Written by other programs while a server runs.",
    ),
    key("server.host", Shape::Text, "The host name or address."),
    key(
        "server.port",
        Shape::Integer(0, u16::MAX as i64),
        "The port; 0 takes a free one.",
    ),
    key(
        "vllm.gpus",
        optional!(COUNT),
        "How many GPUs share the model.",
    ),
    key(
        "vllm.llm_family",
        Shape::Text,
        "The model's prompt family, where it cannot be told from the model.",
    ),
    key(
        "vllm.max_startup_attempts",
        optional!(COUNT),
        "How often to look whether vLLM is up before giving up.",
    ),
    key(
        "vllm.vllm_args",
        optional!(Shape::Texts),
        "Further arguments for vLLM.",
    ),
];

/// Where [`SERVER_KEYS`] and [`SERVER_SECTIONS`] stand.
pub(crate) const SERVERS: &[&str] = &["generate.teacher", "serve"];

pub(crate) const KEYS: &[Key] = &[
    key(
        "chat.context",
        Shape::Text,
        "The predefined system prompt: `default` or `cli_helper`.",
    ),
    key(
        "chat.logs_dir",
        optional!(Shape::Text),
        "Where conversations are written down. Empty: nowhere.",
    ),
    key(
        "chat.max_tokens",
        optional!(COUNT),
        "The most tokens of an answer. Empty: as many as fit.",
    ),
    key("chat.model", Shape::Text, "The model to ask."),
    key(
        "chat.session",
        optional!(Shape::Text),
        "A saved conversation to go on with.",
    ),
    key(
        "chat.temperature",
        Shape::Number(0.0, 2.0),
        "How much chance there is in answers: 0 always takes the likeliest word.",
    ),
    key(
        "chat.vi_mode",
        Shape::Boolean,
        "Edit questions with the keys of vi.",
    ),
    key(
        "chat.visible_overflow",
        Shape::Boolean,
        "Show answers that are longer than the screen whole while they arrive.",
    ),
    key(
        "evaluate.base_branch",
        optional!(Shape::Text),
        "The taxonomy branch that the base model was trained on.",
    ),
    key(
        "evaluate.base_model",
        Shape::Text,
        "The model to compare with.",
    ),
    key(
        "evaluate.branch",
        optional!(Shape::Text),
        "The taxonomy branch that the model was trained on.",
    ),
    key(
        "evaluate.dk_bench.input_questions",
        optional!(Shape::Text),
        "The file of questions and reference answers.",
    ),
    key(
        "evaluate.dk_bench.judge_model",
        Shape::Text,
        "The model that rates.",
    ),
    key(
        "evaluate.dk_bench.output_dir",
        Shape::Text,
        "Where results are written.",
    ),
    key(
        "evaluate.dk_bench.output_file_formats",
        Shape::Text,
        "The formats of results, with commas: csv, jsonl, xlsx.",
    ),
    key("evaluate.gpus", optional!(COUNT), "How many GPUs to use."),
    key(
        "evaluate.mmlu.batch_size",
        Shape::IntegerOrAuto,
        "How many questions are scored together, or `auto`.",
    ),
    key(
        "evaluate.mmlu.few_shots",
        COUNT,
        "How many solved questions stand before each question.",
    ),
    key(
        "evaluate.mmlu_branch.tasks_dir",
        Shape::Text,
        "Where the generated questions are.",
    ),
    key(
        "evaluate.model",
        optional!(Shape::Text),
        "The model to measure.",
    ),
    key(
        "evaluate.mt_bench.judge_model",
        Shape::Text,
        "The model that rates.",
    ),
    key(
        "evaluate.mt_bench.max_workers",
        Shape::IntegerOrAuto,
        "How many conversations run together, or `auto`.",
    ),
    key(
        "evaluate.mt_bench.output_dir",
        Shape::Text,
        "Where results are written.",
    ),
    key(
        "evaluate.mt_bench_branch.judge_model",
        Shape::Text,
        "The model that rates.",
    ),
    key(
        "evaluate.mt_bench_branch.output_dir",
        Shape::Text,
        "Where results are written.",
    ),
    key(
        "evaluate.mt_bench_branch.taxonomy_path",
        Shape::Text,
        "The taxonomy whose branches are compared.",
    ),
    key(
        "evaluate.system_prompt",
        optional!(Shape::Text),
        "The system prompt of the measured model in DK-Bench.",
    ),
    key(
        "evaluate.temperature",
        Shape::Number(0.0, 1.0),
        "How much chance there is in the measured model's answers in DK-Bench.",
    ),
    key(
        "general.debug_level",
        Shape::Integer(0, 255),
        "How much is said while debugging: 1 for this program, 2 for everything.",
    ),
    key(
        "general.log_format",
        Shape::Text,
        "The format of log lines, in the Python original's notation.",
    ),
    key(
        "general.log_level",
        LOG_LEVELS,
        "The least important messages that are shown: DEBUG, INFO, WARNING, ERROR.",
    ),
    key(
        "general.student_model_id",
        optional!(Shape::Text),
        "The id, in `models`, of the model that learns.",
    ),
    key(
        "general.teacher_model_id",
        optional!(Shape::Text),
        "The id, in `models`, of the model that generates data.",
    ),
    key(
        "general.use_legacy_tmpl",
        Shape::Boolean,
        "Use the chat template of the first Granite models.",
    ),
    key(
        "generate.batch_size",
        POSITIVE,
        "How many requests are sent to the teacher together.",
    ),
    key(
        "generate.chunk_word_count",
        POSITIVE,
        "The most words in a piece of a document.",
    ),
    key(
        "generate.max_num_tokens",
        optional!(COUNT),
        "The most tokens of an answer of the teacher.",
    ),
    key(
        "generate.model",
        Shape::Text,
        "The original's teacher; here it is `generate.teacher.model_path`.",
    ),
    key("generate.num_cpus", POSITIVE, "How many processors to use."),
    key(
        "generate.num_instructions",
        optional!(ANY),
        "Kept for old files.",
    ),
    key(
        "generate.output_dir",
        Shape::Text,
        "Where datasets are written, each run in a folder of its own.",
    ),
    key(
        "generate.pipeline",
        optional!(Shape::Text),
        "How data is generated: `full`, `simple`, or a pipeline of your own by its name or folder.",
    ),
    key(
        "generate.sdg_scale_factor",
        optional!(POSITIVE),
        "How many samples are generated from each seed example.",
    ),
    key(
        "generate.taxonomy_base",
        Shape::Text,
        "The git revision that a taxonomy is compared with; `empty` takes every file.",
    ),
    key(
        "generate.taxonomy_path",
        Shape::Text,
        "The taxonomy: a folder, or one qna.yaml.",
    ),
    key(
        "metadata.cpu_info",
        optional!(Shape::Text),
        "The processor.",
    ),
    key(
        "metadata.gpu_count",
        optional!(COUNT),
        "The number of GPUs.",
    ),
    key(
        "metadata.gpu_family",
        optional!(Shape::Text),
        "The family of GPUs, such as H100.",
    ),
    key(
        "metadata.gpu_manufacturer",
        optional!(Shape::Text),
        "Who makes the GPUs.",
    ),
    key(
        "metadata.gpu_sku",
        optional!(Shape::Texts),
        "The variants of the GPUs.",
    ),
    key(
        "models",
        Shape::Models,
        "Models with a short name: each has an id, a family, a path and may have a system_prompt.",
    ),
    key(
        "rag.convert.output_dir",
        Shape::Text,
        "Where converted documents are written.",
    ),
    key(
        "rag.convert.taxonomy_base",
        Shape::Text,
        "The git revision that a taxonomy is compared with.",
    ),
    key(
        "rag.convert.taxonomy_path",
        Shape::Text,
        "The taxonomy whose documents are converted.",
    ),
    key(
        "rag.document_store.collection_name",
        Shape::Text,
        "The name of the collection of documents.",
    ),
    key(
        "rag.document_store.uri",
        Shape::Text,
        "The file of the document store.",
    ),
    key(
        "rag.embedding_model.embedding_model_path",
        Shape::Text,
        "The folder of the embedding model.",
    ),
    key(
        "rag.enabled",
        Shape::Boolean,
        "Answer from documents by default.",
    ),
    key(
        "rag.retriever.top_k",
        COUNT,
        "How many pieces of documents are found for a question.",
    ),
    key(
        "train.additional_args",
        Shape::Free,
        "Further settings, by name: learning_rate, warmup_steps and random_seed have an effect.",
    ),
    key(
        "train.checkpoint_at_epoch",
        Shape::Boolean,
        "Write a checkpoint at the end of each epoch.",
    ),
    key(
        "train.ckpt_output_dir",
        Shape::Text,
        "Where checkpoints are written.",
    ),
    key(
        "train.data_output_dir",
        Shape::Text,
        "Where processed training data is written.",
    ),
    key(
        "train.data_path",
        Shape::Text,
        "The training data: a file, or a folder of datasets.",
    ),
    key(
        "train.deepspeed_cpu_offload_optimizer",
        Shape::Boolean,
        "Keep the optimiser in the memory of the CPU, with DeepSpeed.",
    ),
    key(
        "train.device",
        Shape::Word(&["cpu", "mps", "cuda", "hpu"]),
        "What trains: cpu, mps, cuda or hpu.",
    ),
    key(
        "train.disable_flash_attn",
        optional!(Shape::Boolean),
        "Do without Flash Attention.",
    ),
    key(
        "train.distributed_backend",
        Shape::Word(&["fsdp", "deepspeed"]),
        "How several GPUs share the work: fsdp or deepspeed.",
    ),
    key(
        "train.effective_batch_size",
        POSITIVE,
        "How many samples make one step of the optimiser.",
    ),
    key(
        "train.fsdp_cpu_offload_optimizer",
        Shape::Boolean,
        "Keep the optimiser in the memory of the CPU, with FSDP.",
    ),
    key(
        "train.is_padding_free",
        Shape::Boolean,
        "Pack samples without padding.",
    ),
    key(
        "train.lora_quantize_dtype",
        optional!(Shape::Text),
        "The number format of the frozen weights under LoRA.",
    ),
    key(
        "train.lora_rank",
        optional!(COUNT),
        "The rank of LoRA matrices; 0 trains all weights.",
    ),
    key(
        "train.max_batch_len",
        POSITIVE,
        "The most tokens that are computed together on a device.",
    ),
    key(
        "train.max_seq_len",
        POSITIVE,
        "The most tokens of a sample; longer ones are left out.",
    ),
    key(
        "train.model_path",
        Shape::Text,
        "The model to train: a folder of safetensors.",
    ),
    key(
        "train.nproc_per_node",
        POSITIVE,
        "How many processes, one a GPU.",
    ),
    key(
        "train.num_epochs",
        POSITIVE,
        "How often the data is gone through.",
    ),
    key(
        "train.phased_base_dir",
        optional!(Shape::Text),
        "Where phased training works.",
    ),
    key(
        "train.phased_mt_bench_judge",
        optional!(Shape::Text),
        "The model that rates the checkpoints of phased training.",
    ),
    key(
        "train.phased_phase1_effective_batch_size",
        optional!(POSITIVE),
        "Phase 1: how many samples make one step.",
    ),
    key(
        "train.phased_phase1_learning_rate",
        RATE,
        "Phase 1: the learning rate.",
    ),
    key(
        "train.phased_phase1_num_epochs",
        optional!(POSITIVE),
        "Phase 1: how often the data is gone through.",
    ),
    key(
        "train.phased_phase1_samples_per_save",
        COUNT,
        "Phase 1: write a checkpoint after so many samples; 0 only at the end of an epoch.",
    ),
    key(
        "train.phased_phase2_effective_batch_size",
        optional!(POSITIVE),
        "Phase 2: how many samples make one step.",
    ),
    key(
        "train.phased_phase2_learning_rate",
        RATE,
        "Phase 2: the learning rate.",
    ),
    key(
        "train.phased_phase2_num_epochs",
        optional!(POSITIVE),
        "Phase 2: how often the data is gone through.",
    ),
    key(
        "train.phased_phase2_samples_per_save",
        COUNT,
        "Phase 2: write a checkpoint after so many samples; 0 only at the end of an epoch.",
    ),
    key(
        "train.pipeline",
        Shape::Word(&["simple", "full", "accelerated"]),
        "How to train: `simple`, `full` or `accelerated`.",
    ),
    key(
        "train.save_samples",
        COUNT,
        "Write a checkpoint after so many samples; 0 only at the end of an epoch.",
    ),
    key(
        "train.training_journal",
        optional!(Shape::Text),
        "The file in which phased training notes how far it is.",
    ),
    key("version", Shape::Text, "The version of this file's format."),
];

/// The key at `path`, the servers' keys included.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    let server_path = SERVERS
        .iter()
        .find_map(|server| path.strip_prefix(server)?.strip_prefix('.'));
    let (keys, path) = match server_path {
        Some(path) => (SERVER_KEYS, path),
        None => (KEYS, path),
    };
    keys.iter().find(|key| key.path == path)
}

/// What the section at `path` is about, the servers' sections included.
pub(crate) fn find_section(path: &str) -> Option<&'static Section> {
    let server_path = SERVERS
        .iter()
        .find_map(|server| path.strip_prefix(server)?.strip_prefix('.'));
    let (sections, path) = match server_path {
        Some(path) => (SERVER_SECTIONS, path),
        None => (SECTIONS, path),
    };
    sections.iter().find(|section| section.path == path)
}
