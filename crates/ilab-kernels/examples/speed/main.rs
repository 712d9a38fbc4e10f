//! Times the kernels of a training step, each after it has matched its naive form.
//!
//!     cargo run --release -p ilab-kernels --example speed -- [--json] [PART-OF-A-NAME]...
//!
//! The sizes are those of a model of 134 M parameters at 2,048 tokens. Every kernel is repeated and its fastest run
//! counts, so that what else the machine does matters little.

mod layers;
mod products;
mod report;

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let wanted = arguments
        .into_iter()
        .filter(|argument| !argument.starts_with('-'));
    let mut report = Report::new(is_json, wanted.collect());
    products::linear_layers(&mut report);
    products::adapters(&mut report);
    products::one_thread(&mut report);
    layers::attention_of_a_batch(&mut report);
    layers::loss_head(&mut report);
    layers::rows(&mut report);
    layers::optimiser(&mut report);
    report.finish();
}
