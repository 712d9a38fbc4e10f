use futures::executor::block_on;
use futures::stream::StreamExt;
use ilab_infer::SpecialTokens;
use ilab_openai::completer::{
    ChatMessage, Completer, CompletionError, FinishReason, Prompt, Streamer,
};

use super::{complete, engine, engine_with, long_text, request, text};

#[test]
fn greedy_answers_follow_the_logits() {
    let engine = engine();
    let mut tokens = engine.tokenize("The lantern fish", SpecialTokens::Add);
    let n_prompt = tokens.len();
    for _ in 0..8 {
        let logits = block_on(engine.logits(&tokens)).unwrap();
        assert_eq!(logits.len(), tokens.len());
        let last = logits.last().unwrap();
        assert_eq!(last.len(), engine.n_vocabulary());
        let most_likely = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b]));
        tokens.push(u32::try_from(most_likely.unwrap()).unwrap());
    }
    let got = text(
        &engine,
        request("The lantern fish", |sampling| sampling.max_tokens = Some(8)),
    );
    assert_eq!(got, engine.detokenize(&tokens[n_prompt..]));
}

#[test]
fn max_tokens_and_the_context_end_an_answer() {
    let engine = engine_with(|options| options.n_context_tokens = 64);
    let limited = complete(
        &engine,
        request("Hello", |sampling| {
            sampling.max_tokens = Some(5);
        }),
    )
    .unwrap();
    assert_eq!(limited.choices[0].finish_reason, FinishReason::Length);
    assert_eq!(limited.usage.completion_tokens, 5);

    // Random weights draw the end token now and then; some seed goes on to the end of the context.
    let is_whole = (0..8).any(|seed| {
        let completion = complete(
            &engine,
            request("Hello", |sampling| {
                sampling.max_tokens = None;
                sampling.temperature = Some(1.0);
                sampling.seed = Some(seed);
            }),
        )
        .unwrap();
        let usage = completion.usage;
        let is_whole = completion.choices[0].finish_reason == FinishReason::Length;
        assert_eq!(
            is_whole,
            usage.prompt_tokens + usage.completion_tokens == 64,
            "{completion:?}"
        );
        is_whole
    });
    assert!(is_whole);
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_with_numbers() {
    let engine = engine_with(|options| options.n_context_tokens = 64);
    let prompt = long_text(60);
    let n_tokens = engine.tokenize(&prompt, SpecialTokens::Add).len();
    match complete(&engine, request(&prompt, |_| {})) {
        Err(CompletionError::ContextOverflow {
            n_prompt_tokens,
            n_context_tokens: 64,
        }) => assert_eq!(n_prompt_tokens, n_tokens),
        other => panic!("{other:?}"),
    }
    let streamed = block_on(engine.stream(request(&prompt, |_| {})).collect::<Vec<_>>());
    assert!(matches!(
        streamed[..],
        [Err(CompletionError::ContextOverflow { .. })]
    ));
}

#[test]
fn the_context_is_at_most_what_the_model_was_trained_on() {
    let engine = engine_with(|options| options.n_context_tokens = 100_000);
    assert_eq!(engine.n_context_tokens(), 512);
}

#[test]
fn stop_texts_end_an_answer_wherever_tokens_end() {
    let engine = engine();
    let full = text(&engine, request("Once upon", |_| {}));
    let middle: Vec<char> = full.chars().collect();
    assert!(middle.len() > 12, "{full:?}");
    for (start, length) in [(3, 1), (4, 3), (5, 6)] {
        let stop: String = middle[start..start + length].iter().collect();
        let got = complete(
            &engine,
            request("Once upon", |sampling| {
                sampling.stop = vec!["never".to_owned(), stop.clone()];
            }),
        )
        .unwrap();
        let expect = full.split(&stop).next().unwrap();
        assert_eq!(got.choices[0].text, expect);
        assert_eq!(got.choices[0].finish_reason, FinishReason::Stop);
    }
}

#[test]
fn log_probabilities_belong_to_the_tokens() {
    let engine = engine();
    let prompt = "Once upon";
    let completion = complete(
        &engine,
        request(prompt, |sampling| {
            sampling.logprobs = Some(3);
            sampling.max_tokens = Some(6);
        }),
    )
    .unwrap();
    let choice = &completion.choices[0];
    assert_eq!(choice.logprobs.len(), 6);
    let tokens = engine.tokenize(prompt, SpecialTokens::Add);
    let logits = block_on(engine.logits(&tokens)).unwrap().pop().unwrap();
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - max).exp()).sum();
    let first = &choice.logprobs[0];
    assert!((first.logprob + sum.ln()).abs() < 1e-4, "{first:?}");
    for entry in &choice.logprobs {
        assert_eq!(entry.top.len(), 3);
        // Greedy: the token is the first alternative.
        assert_eq!(entry.top[0], (entry.token.clone(), entry.logprob));
        assert!(entry.top[0].1 >= entry.top[1].1 && entry.top[1].1 >= entry.top[2].1);
    }
}

#[test]
fn a_template_of_ones_own_takes_the_place_of_the_models() {
    let engine = engine_with(|options| {
        options.chat_template = Some("{{ messages[0]['content'] }}".to_owned());
    });
    let mut asked = request("once upon", |sampling| sampling.max_tokens = Some(4));
    let continued = text(&engine, asked.clone());
    asked.prompt = Prompt::Chat(vec![ChatMessage::user("once upon")]);
    assert_eq!(text(&engine, asked), continued);
}

#[test]
fn messages_are_rendered_by_the_models_template() {
    let engine = engine();
    assert!(engine.chat_template().is_some());
    let mut chat = request("", |_| {});
    chat.prompt = Prompt::Chat(vec![ChatMessage::user("Who lives in the tower?")]);
    let template = ilab_text::template::ChatTemplate::new(
        engine.chat_template().unwrap(),
        ilab_testkit::tiny_llama::SPECIAL_TOKENS[0],
        ilab_testkit::tiny_llama::SPECIAL_TOKENS[0],
    )
    .unwrap();
    let messages = [ilab_text::message::Message::new(
        "user",
        "Who lives in the tower?",
    )];
    let prompt = template.render(&messages, true).unwrap();
    let n_tokens = engine.tokenize(&prompt, SpecialTokens::Omit).len();
    let completion = complete(&engine, chat).unwrap();
    assert_eq!(completion.usage.prompt_tokens as usize, n_tokens);
}

#[test]
fn refused_requests_say_why() {
    let engine = engine();
    let rejected = complete(
        &engine,
        request("Hello", |sampling| {
            sampling.top_p = Some(2.0);
        }),
    );
    assert_eq!(
        rejected.unwrap_err().to_string(),
        "the request was refused: `top_p` is 2, expected 0 to 1"
    );
    assert!(matches!(
        block_on(engine.logits(&[u32::MAX])),
        Err(CompletionError::Rejected { status: 400, .. })
    ));
    assert!(matches!(
        block_on(engine.logits(&[])),
        Err(CompletionError::Rejected { status: 400, .. })
    ));
}

#[test]
fn the_model_is_named_after_its_file() {
    assert_eq!(engine().model_id(), "tiny-llama-f32");
}
