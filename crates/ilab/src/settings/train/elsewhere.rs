//! Flags of the original for several devices or machines and for other trainers: refused where the run would be another, told
//! where they mean nothing here.

use crate::cli::train::ElsewhereArgs;
use crate::error::{CommandError, Kind};

/// Refuses what this program does not do, with the reason.
pub(super) fn check(
    args: &ElsewhereArgs,
    pipeline: &str,
    device: &str,
) -> Result<(), CommandError> {
    if args.strategy.is_some() && pipeline != "accelerated" {
        return Err(CommandError::message(
            Kind::Usage,
            "Multi Phase and Skills Only training is only supported with `--pipeline accelerated`",
            "leave out `--strategy`: each phase is a run of its own, the second with `--model-path` at the first's checkpoint",
        ));
    }
    let hint = match (pipeline, device) {
        ("simple" | "full", "cpu" | "cuda" | "mps") => None,
        ("accelerated", _) => Some(
            "this version trains on one device: `--pipeline full` learns the same, `--lora-rank` and `--optimize-memory` make it smaller",
        ),
        _ => Some("Intel Gaudi is not supported: pass `--device cpu`"),
    };
    if let Some(hint) = hint {
        return Err(CommandError::message(
            Kind::User,
            format!("Unable to train with device={device} and pipeline={pipeline}"),
            hint,
        ));
    }
    let several = [
        ("--gpus", args.gpus.unwrap_or(1)),
        ("--nnodes", args.nnodes.unwrap_or(1)),
    ];
    if let Some((flag, n)) = several.into_iter().find(|(_, n)| *n > 1) {
        return Err(CommandError::message(
            Kind::User,
            format!("`{flag} {n}`: this version trains on one device of one machine"),
            format!("leave out `{flag}`"),
        ));
    }
    Ok(())
}

/// What to say about flags that were passed and change nothing.
pub(super) fn notes(args: &ElsewhereArgs, is_simple: bool) -> Vec<String> {
    let phased = args.phased_base_dir.is_some()
        || args.phased_phase1_data.is_some()
        || args.phased_phase2_data.is_some()
        || args.phased_phase1_num_epochs.is_some()
        || args.phased_phase2_num_epochs.is_some()
        || args.phased_phase1_samples_per_save.is_some()
        || args.phased_phase2_samples_per_save.is_some()
        || args.phased_phase1_learning_rate.is_some()
        || args.phased_phase2_learning_rate.is_some()
        || args.phased_phase1_effective_batch_size.is_some()
        || args.phased_phase2_effective_batch_size.is_some()
        || args.phased_mt_bench_judge.is_some()
        || args.training_journal.is_some()
        || args.force_clear_phased_cache
        || args.skip_user_confirm
        || args.enable_serving_output;
    let sharded = args.distributed_backend.is_some()
        || args.deepspeed_cpu_offload_optimizer.is_some()
        || args.deepspeed_cpu_offload_optimizer_ratio.is_some()
        || args.deepspeed_cpu_offload_optimizer_pin_memory.is_some()
        || args.fsdp_cpu_offload_optimizer.is_some();
    let joined = args.node_rank.is_some() || args.rdzv_id.is_some() || args.rdzv_endpoint.is_some();
    let notes = [
        (
            phased,
            "flags of phased training have no effect without `--strategy`",
        ),
        (
            sharded,
            "flags of DeepSpeed and FSDP have no effect on one device",
        ),
        (
            joined,
            "flags that join machines have no effect on one machine",
        ),
        (
            args.is_padding_free.is_some(),
            "`--is-padding-free` has no effect: samples are always packed without padding",
        ),
        (
            args.disable_flash_attn,
            "`--disable-flash-attn` has no effect: attention never holds a whole matrix of scores",
        ),
        (
            args.iters.is_some(),
            "`--iters` has no effect: `--num-epochs` says how long to train",
        ),
        (
            args.skip_preprocessing || args.local,
            "`--skip-preprocessing` and `--local` have no effect: files are read as they are",
        ),
        (
            is_simple && !args.local,
            "`--pipeline simple` trains a small adapter; `--pipeline full --lora-rank` is the same with every setting open",
        ),
    ];
    let passed = notes.into_iter().filter(|(is_passed, _)| *is_passed);
    passed.map(|(_, note)| note.to_owned()).collect()
}
