use futures::executor::block_on;
use futures::future::join_all;
use ilab_infer::{Engine, SpecialTokens};
use ilab_openai::completer::{
    ChatMessage, Completer, CompletionError, Prompt, Request, Sampling, Score, ScoreRequest, Scorer,
};
use ilab_testkit::tiny_llama;

use super::{engine, engine_with, long_text};

fn score_request(context: &str, continuation: &str) -> ScoreRequest {
    ScoreRequest {
        context: context.to_owned(),
        continuation: continuation.to_owned(),
    }
}

fn score(engine: &Engine, context: &str, continuation: &str) -> Result<Score, CompletionError> {
    block_on(engine.log_likelihood(score_request(context, continuation)))
}

/// From the logits of the whole text, without the scheduler's choice of positions.
fn expected(engine: &Engine, context: &str, continuation: &str) -> (f64, usize) {
    let n_context = engine.tokenize(context, SpecialTokens::Add).len();
    let tokens = engine.tokenize(&format!("{context}{continuation}"), SpecialTokens::Add);
    let logits = block_on(engine.logits(&tokens)).unwrap();
    let mut sum = 0.0;
    for position in n_context..tokens.len() {
        let row = &logits[position - 1];
        let total: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        sum += f64::from(row[tokens[position] as usize]) - total.ln();
    }
    (sum, tokens.len() - n_context)
}

#[test]
fn a_score_is_the_sum_of_the_log_probabilities() {
    for n_batch_tokens in [512, 16] {
        let engine = engine_with(|options| options.n_batch_tokens = n_batch_tokens);
        for (context, continuation) in [
            ("The capital of Velmora is", " Tarn"),
            ("A", " b c d e f g h"),
            (long_text(40).trim_end(), " and the end"),
        ] {
            let got = score(&engine, context, continuation).unwrap();
            let (sum, n_tokens) = expected(&engine, context, continuation);
            assert_eq!(got.n_tokens as usize, n_tokens);
            assert!(
                (got.log_likelihood - sum).abs() < 1e-3 * n_tokens as f64,
                "{got:?} instead of {sum}"
            );
        }
    }
}

#[test]
fn blanks_at_the_end_of_the_context_are_scored() {
    let engine = engine();
    let got = score(&engine, "The answer is ", "Tarn").unwrap();
    let (sum, n_tokens) = expected(&engine, "The answer is", " Tarn");
    assert_eq!(got.n_tokens as usize, n_tokens);
    assert!(
        (got.log_likelihood - sum).abs() < 1e-3,
        "{got:?} instead of {sum}"
    );
}

#[test]
fn many_scores_at_once_share_their_context() {
    let engine = engine();
    let context = long_text(40);
    let choices = [" A", " B", " C", " D"];
    let alone: Vec<Score> = choices
        .iter()
        .map(|choice| score(&super::engine(), context.trim_end(), choice).unwrap())
        .collect();
    let together =
        block_on(join_all(choices.iter().map(|choice| {
            engine.log_likelihood(score_request(context.trim_end(), choice))
        })));
    for (together, alone) in together.into_iter().zip(&alone) {
        let together = together.unwrap();
        let difference = together.log_likelihood - alone.log_likelihood;
        assert!(difference.abs() < 1e-3, "{together:?} {alone:?}");
    }
    let n_context = engine
        .tokenize(context.trim_end(), SpecialTokens::Add)
        .len() as u64;
    assert!(engine.counters().n_prompt_tokens < n_context + 20);
}

#[test]
fn the_greedy_answer_scores_as_greedy() {
    let engine = engine();
    let prompt = "The lantern fish";
    let answer = super::text(
        &engine,
        super::request(prompt, |sampling| sampling.max_tokens = Some(1)),
    );
    let got = score(&engine, prompt, &answer).unwrap();
    // A token's text may be encoded otherwise; only a one-token answer is the same question.
    if got.n_tokens == 1 {
        assert!(got.is_greedy);
    }
    assert!(
        !score(&engine, prompt, " quite unlikely words")
            .unwrap()
            .is_greedy
    );
}

#[test]
fn edge_cases_have_defined_scores() {
    let engine = engine_with(|options| options.n_context_tokens = 64);
    assert_eq!(
        score(&engine, "Hello", "").unwrap(),
        Score {
            log_likelihood: 0.0,
            n_tokens: 0,
            is_greedy: true
        }
    );
    let without_context = score(&engine, "", "Hello").unwrap();
    assert!(without_context.n_tokens > 0 && without_context.log_likelihood < 0.0);
    assert!(matches!(
        score(&engine, &long_text(60), " end"),
        Err(CompletionError::ContextOverflow {
            n_context_tokens: 64,
            ..
        })
    ));
}
#[test]
fn with_32_bits_the_division_into_batches_does_not_matter() {
    let tokens = engine().tokenize(&long_text(40), SpecialTokens::Add);
    let logits = |n_batch_tokens| {
        let engine = engine_with(|options| options.n_batch_tokens = n_batch_tokens);
        block_on(engine.logits(&tokens)).unwrap()
    };
    let expect = logits(1);
    for n_batch_tokens in [7, 64, 512] {
        let got = logits(n_batch_tokens);
        let worst = got
            .iter()
            .flatten()
            .zip(expect.iter().flatten())
            .map(|(got, expect)| (got - expect).abs())
            .fold(0.0, f32::max);
        // Sums of 32-bit numbers in another order: far below the 0.01 of 16 bits.
        assert!(worst <= 1e-4, "{n_batch_tokens}: {worst}");
    }
}

/// Of two models, one puts a token before every text; of two templates, one writes it as well.
#[test]
fn a_conversation_is_scored_as_it_is_answered() {
    let conversation = [
        ChatMessage::new("system", "Be brief."),
        ChatMessage::user("Where does it live?"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let adds_a_token = tiny_llama::write_gguf_like_llama3(folder.path()).unwrap();
    let template =
        "{{ bos_token }}{% for message in messages %}{{ message.content }}\n{% endfor %}";
    for (model, template) in [
        (None, None),
        (None, Some(template)),
        (Some(&adds_a_token), Some(template)),
    ] {
        let engine = engine_with(|options| {
            options.chat_template = template.map(str::to_owned);
            options.model_path = model.unwrap_or(&options.model_path).clone();
        });
        let request = Request {
            prompt: Prompt::Chat(conversation.to_vec()),
            sampling: Sampling {
                max_tokens: Some(1),
                ..Sampling::default()
            },
        };
        let answered = block_on(engine.complete(request)).unwrap();
        let scored = engine.chat_prompt(&conversation).unwrap();
        let n_tokens = engine.tokenize(&scored, SpecialTokens::Add).len();
        let n_answered = answered.usage.prompt_tokens as usize;
        assert_eq!(n_tokens, n_answered, "{scored:?}");
    }
}
