//! Flags of the original that its scripts pass and that mean nothing here.

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct IgnoredArgs {
    /// No effect: rows go on one by one
    #[arg(long, hide = true, value_name = "N")]
    batch_size: Option<u32>,
    /// No effect, in the original as well
    #[arg(long, hide = true, value_name = "N", allow_negative_numbers = true)]
    num_instructions: Option<i64>,
    /// No effect: a model in this process is on all GPUs
    #[arg(long, hide = true, value_name = "N")]
    gpus: Option<u32>,
    /// No effect: no server is started
    #[arg(long, hide = true)]
    enable_serving_output: bool,
}

impl IgnoredArgs {
    /// What to say about those that were passed.
    pub(crate) fn notes(&self) -> Vec<&'static str> {
        let notes = [
            (
                self.batch_size.is_some(),
                "`--batch-size` has no effect: rows go on one by one, and `--num-cpus` says how many requests wait at a time",
            ),
            (
                self.num_instructions.is_some(),
                "`--num-instructions` has no effect, as in the original: use `--sdg-scale-factor`",
            ),
            (
                self.gpus.is_some(),
                "`--gpus` has no effect: a model in this process is spread over all GPUs that the program was built for",
            ),
            (
                self.enable_serving_output,
                "`--enable-serving-output` has no effect: the teacher runs in this process, or is a server of its own",
            ),
        ];
        notes
            .into_iter()
            .filter(|(is_passed, _)| *is_passed)
            .map(|(_, note)| note)
            .collect()
    }
}
