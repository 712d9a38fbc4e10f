//! `Batching::Reproducible`: the bits of an answer do not depend on what else is being answered.

use futures::executor::block_on;
use futures::future::join_all;
use ilab_infer::quantize::{QuantKind, quantize};
use ilab_infer::{Batching, CachePrecision, Engine};
use ilab_openai::completer::{Completer, Completion, Request};

use super::{MODEL, complete, long_text, options, request};

fn engine(kind: QuantKind) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    quantize(&MODEL, &path, kind, 1).unwrap();
    let mut options = options();
    options.model_path = path;
    options.n_context_tokens = 512;
    options.n_parallel_sequences = 5;
    options.n_batch_tokens = 128;
    options.cache_precision = CachePrecision::F16;
    options.batching = Batching::Reproducible;
    Engine::load(options).unwrap()
}

/// Short and long prompts, some with a common beginning, some longer than a piece.
fn requests() -> Vec<Request> {
    let instruction = long_text(15);
    (0..14)
        .map(|idx| {
            let prompt = match idx % 3 {
                0 => format!("{idx}: {}", long_text(idx * 4)),
                1 => format!("{instruction}{idx}: {}", long_text(idx)),
                _ => format!("{instruction}{} {idx}", long_text(14 + 2 * idx)),
            };
            request(&prompt, |sampling| {
                sampling.temperature = Some(1.0);
                sampling.seed = Some(idx as u64);
                sampling.logprobs = Some(1);
                sampling.max_tokens = Some(10 + 7 * (idx as u32 % 4));
            })
        })
        .collect()
}

/// Text and log-probabilities, exactly.
fn bits(completion: &Completion) -> (String, Vec<u32>) {
    let choice = &completion.choices[0];
    let logprobs = choice.logprobs.iter();
    (
        choice.text.clone(),
        logprobs.map(|token| token.logprob.to_bits()).collect(),
    )
}

#[test]
fn answers_alone_together_and_in_another_order_are_the_same_to_the_last_bit() {
    for kind in [
        QuantKind::F32,
        QuantKind::F16,
        QuantKind::Bf16,
        QuantKind::Q8_0,
        QuantKind::Q4KM,
    ] {
        let requests = requests();
        let alone: Vec<_> = requests
            .iter()
            .map(|request| bits(&complete(&engine(kind), request.clone()).unwrap()))
            .collect();
        assert!(alone.iter().all(|(_, logprobs)| !logprobs.is_empty()));

        let shared = engine(kind);
        let together = block_on(join_all(
            requests
                .iter()
                .map(|request| shared.complete(request.clone())),
        ));
        assert!(shared.counters().n_reused_tokens > 0, "no cache was shared");
        // The same engine again: its places hold what was left in them.
        let backwards = block_on(join_all(
            requests
                .iter()
                .rev()
                .map(|request| shared.complete(request.clone())),
        ));
        for (order, mut completions) in [("together", together), ("backwards", backwards)] {
            if order == "backwards" {
                completions.reverse();
            }
            for (idx, completion) in completions.into_iter().enumerate() {
                let found = bits(&completion.unwrap());
                assert!(found == alone[idx], "{kind}: request {idx} {order}");
            }
        }
    }
}
