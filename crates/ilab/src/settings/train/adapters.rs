//! The `--lora-…` flags.

use ilab_train::method::{BaseFormat, LINEAR_MODULES, LoraOptions, Method};

use super::Additional;
use crate::cli::train::LoraArgs;
use crate::error::{CommandError, Kind};

/// The rank of the original's `simple` pipeline.
const SIMPLE_RANK: u32 = 4;

/// What is trained: every weight, or adapters by flags, then the configuration, then the original's defaults.
pub(super) fn method(
    args: &LoraArgs,
    rank: Option<u32>,
    quantisation: Option<&str>,
    additional: &Additional,
    is_simple: bool,
    random_seed: Option<u64>,
) -> Result<Method, CommandError> {
    let rank = match (rank.unwrap_or_default(), is_simple) {
        (0, true) => SIMPLE_RANK,
        (0, false) => return every_weight(args),
        (rank, _) => rank,
    };
    let quantisation = match (args.lora_quantize_dtype.as_deref(), args.four_bit_quant) {
        (_, true) => "nf4",
        (Some(form), _) => form,
        (None, _) if is_simple => "none",
        (None, _) => quantisation.unwrap_or("none"),
    };
    let base = match quantisation {
        "nf4" => BaseFormat::Nf4,
        "int8" => BaseFormat::Q8,
        _ => BaseFormat::Bf16,
    };
    let defaults = LoraOptions::new(rank as usize, base);
    let named = match (&args.lora_target_modules, &additional.lora_target_modules) {
        (flags, Some(configured)) if flags.is_empty() => configured,
        (flags, _) => flags,
    };
    Ok(Method::Lora(LoraOptions {
        alpha: (args.lora_alpha)
            .or(additional.lora_alpha)
            .unwrap_or(defaults.alpha),
        dropout: (args.lora_dropout)
            .or(additional.lora_dropout)
            .unwrap_or(defaults.dropout),
        target_modules: target_modules(named, &defaults)?,
        random_seed: random_seed.unwrap_or_default(),
        ..defaults
    }))
}

/// No adapter: refuses flags that only mean something with one.
fn every_weight(args: &LoraArgs) -> Result<Method, CommandError> {
    let is_asked = args.lora_alpha.is_some()
        || args.lora_dropout.is_some()
        || !args.lora_target_modules.is_empty()
        || args.lora_quantize_dtype.is_some()
        || args.four_bit_quant;
    match is_asked {
        false => Ok(Method::Full),
        true => Err(CommandError::message(
            Kind::Usage,
            "options of adapters without an adapter: LoRA is disabled (rank=0)",
            "pass `--lora-rank`, such as 8, or leave out the other `--lora-…` flags",
        )),
    }
}

/// The modules that were named, each once, or the defaults where none was.
fn target_modules(named: &[String], defaults: &LoraOptions) -> Result<Vec<String>, CommandError> {
    let mut modules = match named {
        [] => defaults.target_modules.clone(),
        named => named.to_vec(),
    };
    modules.sort();
    modules.dedup();
    let is_known = |name: &&String| LINEAR_MODULES.contains(&name.as_str());
    match modules.iter().find(|name| !is_known(name)) {
        None => Ok(modules),
        Some(unknown) => Err(CommandError::message(
            Kind::Usage,
            format!("no linear layer is called `{unknown}`"),
            format!(
                "`--lora-target-modules` takes {}",
                LINEAR_MODULES.join(", ")
            ),
        )),
    }
}
