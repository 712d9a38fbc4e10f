use futures::executor::block_on;
use futures::future::{join, join_all};
use futures::stream::StreamExt;
use ilab_infer::{CachePrecision, Engine, SpecialTokens};
use ilab_openai::completer::{Completer, FinishReason, Request, StreamEvent, Streamer};

use super::{complete, engine, engine_with, long_text, request, text};

#[test]
fn a_prompt_longer_than_one_batch_gives_the_same_answer() {
    let prompt = long_text(60);
    let whole = engine();
    let in_pieces = engine_with(|options| options.n_batch_tokens = 16);
    let n_tokens = whole.tokenize(&prompt, SpecialTokens::Add).len();
    assert!(n_tokens > 8 * 16, "{n_tokens}");
    let expect = text(&whole, request(&prompt, |_| {}));
    assert_eq!(text(&in_pieces, request(&prompt, |_| {})), expect);
    assert_eq!(in_pieces.counters().n_prompt_tokens, n_tokens as u64);
}

#[test]
fn an_answer_does_not_depend_on_its_neighbours() {
    let engine = engine_with(|options| options.n_batch_tokens = 32);
    let prompts: Vec<String> = (1..12).map(|n| long_text(n * 4)).collect();
    let alone: Vec<String> = prompts
        .iter()
        .map(|prompt| text(&engine, request(prompt, |_| {})))
        .collect();
    // Eleven sequences in four places: they queue, join and leave.
    let together = block_on(join_all(
        prompts
            .iter()
            .map(|prompt| engine.complete(request(prompt, |_| {}))),
    ));
    let together: Vec<String> = together
        .into_iter()
        .map(|completion| completion.unwrap().choices.remove(0).text)
        .collect();
    assert_eq!(together, alone);
}

#[test]
fn choices_equal_separate_requests_and_share_the_prompt() {
    let prompt = long_text(30);
    let seeded = |seed| {
        request(&prompt, |sampling| {
            sampling.temperature = Some(0.7);
            sampling.seed = Some(seed);
        })
    };
    let separate = engine();
    let expect: Vec<String> = (40..46).map(|seed| text(&separate, seeded(seed))).collect();

    let shared = engine();
    let mut all = seeded(40);
    all.sampling.n = 6;
    let completion = complete(&shared, all).unwrap();
    let got: Vec<String> = completion
        .choices
        .into_iter()
        .map(|choice| choice.text)
        .collect();
    assert_eq!(got, expect);
    assert_ne!(got[0], got[1]);

    let n_prompt = u64::from(completion.usage.prompt_tokens);
    let counters = shared.counters();
    assert_eq!(counters.n_prompt_tokens, n_prompt + 5, "{counters:?}");
    assert_eq!(counters.n_reused_tokens, 5 * (n_prompt - 1), "{counters:?}");
}

#[test]
fn a_following_turn_goes_on_from_the_cache() {
    let engine = engine();
    let first = long_text(30);
    let answer = text(&engine, request(&first, |_| {}));
    let before = engine.counters();
    let second = format!("{first}{answer} and then");
    let expect = text(&engine_with(|_| {}), request(&second, |_| {}));
    assert_eq!(text(&engine, request(&second, |_| {})), expect);
    let after = engine.counters();
    assert!(after.n_reused_tokens > before.n_reused_tokens + 60);
    assert!(after.n_prompt_tokens < before.n_prompt_tokens + 60);
}

/// Tens of thousands of tokens when nothing stops it.
fn endless() -> Request {
    request("Once upon a time", |sampling| {
        sampling.max_tokens = None;
        sampling.temperature = Some(1.0);
        sampling.seed = Some(0);
        sampling.n = 128;
    })
}

#[test]
fn a_dropped_stream_frees_its_place() {
    let engine = engine_with(|options| options.n_parallel_sequences = 1);
    let mut stream = engine.stream(endless());
    assert!(matches!(
        block_on(stream.next()),
        Some(Ok(StreamEvent::Text { .. }))
    ));
    drop(stream);
    check_is_free(&engine);
}

#[test]
fn a_dropped_future_frees_its_place_and_leaves_the_queue() {
    let engine = engine_with(|options| options.n_parallel_sequences = 1);
    block_on(async {
        // Both start when they are polled, and go away unfinished.
        let both = join(engine.complete(endless()), engine.complete(endless()));
        assert!(futures::poll!(std::pin::pin!(both)).is_pending());
    });
    check_is_free(&engine);
}

/// The only place serves the next request, and little of the dropped ones was computed.
fn check_is_free(engine: &Engine) {
    assert!(!text(engine, request("Hello", |_| {})).is_empty());
    wait_until_idle(engine);
    let counters = engine.counters();
    assert!(counters.n_generated_tokens < 3000, "{counters:?}");
}

fn wait_until_idle(engine: &Engine) {
    for _ in 0..1000 {
        let counters = engine.counters();
        if counters.n_active_sequences == 0 && counters.n_queued_sequences == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("sequences are left: {:?}", engine.counters());
}

#[test]
fn a_stream_brings_the_same_answers_as_a_completion() {
    let engine = engine();
    let request = request(&long_text(5), |sampling| {
        sampling.temperature = Some(1.0);
        sampling.seed = Some(3);
        sampling.n = 3;
        sampling.logprobs = Some(2);
    });
    let completion = complete(&engine, request.clone()).unwrap();
    let mut texts = vec![String::new(); 3];
    let mut logprobs = vec![Vec::new(); 3];
    let mut n_finished = 0;
    let mut usage = None;
    for event in block_on(engine.stream(request).collect::<Vec<_>>()) {
        match event.unwrap() {
            StreamEvent::Text {
                choice_idx,
                text,
                logprobs: more,
            } => {
                texts[choice_idx].push_str(&text);
                logprobs[choice_idx].extend(more);
            }
            StreamEvent::Finished { finish_reason, .. } => {
                assert!(matches!(
                    finish_reason,
                    FinishReason::Length | FinishReason::Stop
                ));
                n_finished += 1;
            }
            StreamEvent::Done(done) => usage = Some(done),
        }
    }
    for ((choice, text), logprobs) in completion.choices.iter().zip(texts).zip(logprobs) {
        assert_eq!(choice.text, text);
        assert_eq!(choice.logprobs.len(), logprobs.len());
    }
    assert_eq!(n_finished, 3);
    assert_eq!(usage, Some(completion.usage));
}

#[test]
fn the_engine_is_shared_by_threads() {
    let engine = engine_with(|options| options.cache_precision = CachePrecision::F16);
    let expect = text(&engine, request("Hello", |_| {}));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(text(&engine.clone(), request("Hello", |_| {})), expect));
        }
    });
}
