//! Side by side with the peer, in one run on the same machine: what this program reaches and what the peer does.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, ValueEnum};
use serde_json::{Map, Value, json};

/// Compare with PyTorch, where `ILAB_PEERS` names a virtual environment with `checks/peers.txt` in it.
#[derive(Debug, Parser)]
pub struct BenchArgs {
    /// What to compare.
    name: Name,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Steps of a training.
    #[arg(long, default_value_t = 6)]
    steps: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// 134 M parameters, 4 samples of 512 tokens, all weights.
    Train,
    /// 1.1 B parameters, one sample of 512 tokens, adapters.
    Lora,
    /// Matrix products of a training step.
    Matmul,
}

/// A measurement cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program cannot be started or ends with an error.
    #[error("`{program}` failed: {reason}")]
    Program {
        /// What was started.
        program: String,
        /// Why, or what it wrote last.
        reason: String,
    },
    /// It printed no JSON.
    #[error("`{program}` printed no JSON")]
    Json {
        /// What was started.
        program: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

/// The sizes of TinyLlama 1.1 B.
const BILLION: [&str; 16] = [
    "--layers",
    "22",
    "--width",
    "2048",
    "--feed-forward",
    "5632",
    "--heads",
    "32",
    "--kv-heads",
    "4",
    "--samples",
    "1",
    "--length",
    "512",
    "--lora",
    "8",
];

/// Measures and prints.
pub fn run(args: &BenchArgs) -> Result<(), BenchError> {
    let result = match args.name {
        Name::Train => compare_training(args, &[], &["bf16", "f32", "autocast"])?,
        Name::Lora => compare_training(args, &BILLION, &["bf16", "f32"])?,
        Name::Matmul => {
            let ours = example(
                "ilab-kernels",
                "speed",
                args.threads,
                &["--json".to_owned()],
            )?;
            json!({"ours": ours, "peer": peer("matmul.py", &threads(args))?, "unit": "GFLOP/s"})
        }
    };
    let mut told = Map::new();
    if let Value::Object(result) = result {
        told.extend(result);
    }
    told.insert("machine".to_owned(), machine().into());
    told.insert("commit".to_owned(), commit().into());
    let text = match args.json {
        true => Value::Object(told).to_string(),
        false => format!("{:#}", Value::Object(told)),
    };
    // Nobody is left to tell when stdout itself is gone.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

fn threads(args: &BenchArgs) -> Vec<String> {
    vec!["--threads".to_owned(), args.threads.to_string()]
}

/// The same training by both; the peer in each of its types, the fastest of which counts.
fn compare_training(args: &BenchArgs, sizes: &[&str], types: &[&str]) -> Result<Value, BenchError> {
    let mut flags = threads(args);
    flags.extend(["--steps".to_owned(), args.steps.to_string()]);
    flags.extend(sizes.iter().map(|flag| (*flag).to_owned()));
    let ours = example("ilab-train", "train_speed", args.threads, &flags)?;
    let mut peers = Map::new();
    for name in types {
        let mut flags = flags.clone();
        flags.extend(["--dtype".to_owned(), (*name).to_owned()]);
        if let Some(result) = peer("train.py", &flags)? {
            peers.insert((*name).to_owned(), result);
        }
    }
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);
    let fastest = peers.values().map(|peer| number(peer, "tokens_per_second"));
    let fastest = fastest.fold(f64::NAN, f64::max);
    let memory = peers
        .get("f32")
        .map(|peer| number(&ours, "peak_mib") / number(peer, "peak_mib"));
    Ok(json!({
        "ratio": number(&ours, "tokens_per_second") / fastest,
        "memory_ratio_to_f32": memory,
        "unit": "tokens/s",
        "ours": ours,
        "peer": peers,
    }))
}

/// What an example of this workspace prints, built for release.
fn example(
    package: &str,
    name: &str,
    threads: usize,
    flags: &[String],
) -> Result<Value, BenchError> {
    let mut command = Command::new(env!("CARGO"));
    command.env("RAYON_NUM_THREADS", threads.to_string());
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        package,
        "--example",
        name,
        "--",
    ]);
    printed(command.args(flags))
}

/// What a peer's script prints; `None` without a virtual environment.
fn peer(script: &str, flags: &[String]) -> Result<Option<Value>, BenchError> {
    let Some(environment) = std::env::var_os("ILAB_PEERS") else {
        return Ok(None);
    };
    let mut command = Command::new(PathBuf::from(environment).join("bin/python"));
    command.arg(repository().join("checks/peers").join(script));
    printed(command.args(flags)).map(Some)
}

fn printed(command: &mut Command) -> Result<Value, BenchError> {
    let program = format!("{command:?}");
    let failed = |reason: String| BenchError::Program {
        program: program.clone(),
        reason,
    };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(failed(text.lines().last().unwrap_or_default().to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    let whole = serde_json::from_str(&text);
    whole
        .or_else(|_| serde_json::from_str(line))
        .map_err(|source| BenchError::Json { program, source })
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The processor's name and its number of cores.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", name.unwrap_or("unknown"))
}

fn commit() -> String {
    let mut command = Command::new("git");
    let output = command
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(repository())
        .output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
