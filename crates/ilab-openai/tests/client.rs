//! The HTTP client against a scripted endpoint: good answers, and every kind of bad one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use ilab_base::hint::Hint;
use ilab_openai::client::{
    ApiKey, Endpoint, EndpointOptions, Frame, HttpCompleter, RetryListener, RetryPolicy,
    list_models,
};
use ilab_openai::completer::{
    ChatMessage, Completer, Completion, CompletionError, FinishReason, Prompt, Request, Sampling,
    StreamEvent, Streamer,
};
use ilab_openai::constraint::Constraint;
use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use serde_json::{Value, json};

const KEY: &str = "sk-very-secret";

fn endpoint(url: &str) -> Endpoint {
    let mut options = EndpointOptions::new(url, Some(ApiKey::new(KEY)));
    options.retry = RetryPolicy {
        n_attempts: 3,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(5),
    };
    Endpoint::new(options).unwrap()
}

fn completer(teacher: &FakeTeacher) -> HttpCompleter {
    HttpCompleter::new(endpoint(&teacher.url()), "granite")
}

fn chat(n: u32) -> Request {
    Request {
        prompt: Prompt::Chat(vec![ChatMessage::user("hello")]),
        sampling: Sampling {
            n,
            ..Sampling::default()
        },
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn ask(teacher: &FakeTeacher, request: Request) -> Result<Completion, CompletionError> {
    wait(completer(teacher).complete(request))
}

fn texts(completion: &Completion) -> Vec<&str> {
    completion
        .choices
        .iter()
        .map(|choice| choice.text.as_str())
        .collect()
}

#[test]
fn a_chat_carries_model_messages_sampling_and_key() {
    let teacher = FakeTeacher::start(|_| Reply::answer("hi there"));
    let request = Request {
        prompt: Prompt::Chat(vec![
            ChatMessage::new("system", "be brief"),
            ChatMessage::user("hello"),
        ]),
        sampling: Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            top_k: Some(40),
            min_p: Some(0.05),
            seed: Some(42),
            stop: vec!["END".to_owned()],
            max_tokens: Some(16),
            n: 1,
            ..Sampling::default()
        },
    };
    let completion = ask(&teacher, request).unwrap();
    assert_eq!(texts(&completion), ["hi there"]);
    assert_eq!(completion.usage.prompt_tokens, 1);
    let request = &teacher.requests()[0];
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(
        request.body,
        json!({
            "model": "granite",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hello"},
            ],
            "temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": 42,
            "stop": ["END"], "max_tokens": 16,
        })
    );
}

#[test]
fn a_text_goes_to_completions() {
    let teacher = FakeTeacher::start(|_| Reply::answer(" world"));
    let request = Request {
        prompt: Prompt::Text("hello".to_owned()),
        sampling: Sampling::default(),
    };
    assert_eq!(texts(&ask(&teacher, request).unwrap()), [" world"]);
    let request = &teacher.requests()[0];
    assert_eq!(request.path, "/v1/completions");
    assert_eq!(request.body, json!({"model": "granite", "prompt": "hello"}));
}

#[test]
fn missing_choices_are_asked_for_again_with_their_own_seeds() {
    let teacher = FakeTeacher::start(|_| Reply::answers(["a", "b"]));
    let mut request = chat(5);
    request.sampling.seed = Some(10);
    let completion = ask(&teacher, request).unwrap();
    assert_eq!(texts(&completion), ["a", "b", "a", "b", "a"]);
    let asked: Vec<(Value, Value)> = teacher
        .requests()
        .into_iter()
        .map(|request| (request.body["n"].clone(), request.body["seed"].clone()))
        .collect();
    let expected = [
        (json!(5), json!(10)),
        (json!(3), json!(12)),
        (Value::Null, json!(14)),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_server_that_refuses_n_is_asked_one_by_one() {
    let teacher = FakeTeacher::start(|request| {
        if request["n"].is_null() {
            Reply::answer("one")
        } else {
            Reply::error(400, "only one completion choice is allowed")
        }
    });
    let completion = ask(&teacher, chat(3)).unwrap();
    assert_eq!(texts(&completion), ["one", "one", "one"]);
    assert_eq!(teacher.n_requests(), 4, "n is tried once only");
}

#[test]
fn a_server_that_refuses_a_form_is_asked_without_it() {
    let form = |sampling: &mut Sampling| {
        sampling.constraint = Some(Constraint::Regex("YES|NO".to_owned()));
    };
    let knows = FakeTeacher::start(|_| Reply::answer("YES"));
    let mut request = chat(1);
    form(&mut request.sampling);
    request
        .sampling
        .extra
        .insert("min_tokens".to_owned(), json!(2));
    ask(&knows, request.clone()).unwrap();
    let body = &knows.requests()[0].body;
    assert_eq!(body["guided_regex"], "YES|NO");
    assert_eq!(body["structured_outputs"], json!({"regex": "YES|NO"}));
    assert_eq!(body["min_tokens"], 2);

    let refuses = FakeTeacher::start(|request| match request["guided_regex"].is_null() {
        true => Reply::answer("YES, of course"),
        false => Reply::error(400, "Unrecognized request argument supplied: guided_regex"),
    });
    let completer = completer(&refuses);
    for _ in 0..2 {
        let completion = wait(completer.complete(request.clone())).unwrap();
        assert_eq!(texts(&completion), ["YES, of course"]);
    }
    assert_eq!(refuses.n_requests(), 3, "the form is tried once only");
}

#[test]
fn a_server_of_texts_only_gets_chats_written_out() {
    let teacher = FakeTeacher::start(|request| match request["messages"].is_null() {
        true => Reply::answer("hi"),
        false => Reply::error(404, "Not Found"),
    });
    let completer =
        HttpCompleter::new(endpoint(&teacher.url()), "fake-teacher").with_frame(Frame::Granite);
    for _ in 0..2 {
        let completion = wait(completer.complete(chat(1))).unwrap();
        assert_eq!(texts(&completion), ["hi"]);
    }
    let paths: Vec<_> = teacher
        .requests()
        .iter()
        .map(|request| request.path.clone())
        .collect();
    let chats = paths
        .iter()
        .filter(|path| path.ends_with("chat/completions"));
    assert_eq!(chats.count(), 1, "{paths:?}");
    assert_eq!(
        teacher.requests().last().unwrap().body["prompt"],
        "<|user|>\nhello\n<|assistant|>\n"
    );
}

#[test]
fn a_limited_endpoint_is_waited_for() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::error(429, "slow down").with_header("Retry-After", "1"),
        1 => Reply::error(503, "loading"),
        _ => Reply::answer("at last"),
    });
    let started = Instant::now();
    assert_eq!(texts(&ask(&teacher, chat(1)).unwrap()), ["at last"]);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(teacher.n_requests(), 3);
}

#[test]
fn garbage_among_answers_is_asked_for_again() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        1 => Reply::raw(200, "<html>busy</html>"),
        2 => Reply::raw(200, r#"{"choices": []}"#),
        _ => Reply::answer("fine"),
    });
    let completer = completer(&teacher);
    for _ in 0..2 {
        let completion = wait(completer.complete(chat(1))).unwrap();
        assert_eq!(texts(&completion), ["fine"]);
    }
    assert_eq!(teacher.n_requests(), 4);
}

#[test]
fn garbage_before_the_first_answer_is_an_exception_once_the_endpoint_is_well() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::raw(200, "<html>starting</html>"),
        _ => Reply::answer("fine"),
    });
    assert_eq!(texts(&ask(&teacher, chat(1)).unwrap()), ["fine"]);
}

/// Overload and broken connections are the endpoint's own, however well it answers right after.
#[test]
fn an_endpoint_that_comes_back_has_lost_no_request() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0..3 => Reply::error(503, "loading"),
        _ => Reply::answer("fine"),
    });
    let error = ask(&teacher, chat(1)).unwrap_err();
    assert!(error.is_fatal(), "{error:?}");
    assert_eq!(teacher.n_requests(), 3);
}

/// One request makes the server fail whenever it is sent; a simple one is answered.
#[test]
fn a_request_that_fails_alone_is_no_reason_to_stop() {
    let teacher = FakeTeacher::start(|request| match request["seed"].as_u64() {
        Some(13) => Reply::error(500, "cannot"),
        _ => Reply::answer("fine"),
    });
    let mut request = chat(1);
    request.sampling.seed = Some(13);
    let error = ask(&teacher, request).unwrap_err();
    assert!(
        matches!(error, CompletionError::Unanswered { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("cannot"), "{error}");
    assert!(!error.is_fatal());
    let requests = teacher.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3].body["max_tokens"], 1);
}

/// The same of a server that knows no chats: what it is asked to prove that it is well is a text too.
#[test]
fn a_request_that_fails_alone_at_a_server_of_texts_only_is_no_reason_to_stop() {
    let teacher = FakeTeacher::start(|request| {
        match (request["messages"].is_null(), request["seed"].as_u64()) {
            (false, _) => Reply::error(404, "Not Found"),
            (true, Some(13)) => Reply::error(500, "cannot"),
            (true, _) => Reply::answer("fine"),
        }
    });
    let completer =
        HttpCompleter::new(endpoint(&teacher.url()), "fake-teacher").with_frame(Frame::Granite);
    assert_eq!(texts(&wait(completer.complete(chat(1))).unwrap()), ["fine"]);
    let mut request = chat(1);
    request.sampling.seed = Some(13);
    let error = wait(completer.complete(request)).unwrap_err();
    assert!(
        matches!(error, CompletionError::Unanswered { .. }),
        "{error:?}"
    );
}

#[test]
fn an_overloaded_endpoint_gets_fewer_requests_at_a_time() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(Mutex::new(Vec::new()));
    let (counter, seen) = (Arc::clone(&in_flight), Arc::clone(&most));
    let teacher = FakeTeacher::start(move |_| {
        let now = counter.fetch_add(1, Ordering::SeqCst) + 1;
        seen.lock().unwrap().push(now);
        std::thread::sleep(Duration::from_millis(20));
        counter.fetch_sub(1, Ordering::SeqCst);
        match now > 4 {
            true => Reply::error(429, "too many"),
            false => Reply::answer("fine"),
        }
    });
    let mut options = EndpointOptions::new(teacher.url(), None);
    options.retry = RetryPolicy {
        n_attempts: 30,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
    };
    let completer = HttpCompleter::new(Endpoint::new(options).unwrap(), "m");
    let answers = wait(futures::future::join_all(
        (0..64).map(|_| completer.complete(chat(1))),
    ));
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let most = most.lock().unwrap();
    // At first all come at once; in the end no more than the server takes, give or take the one that probes.
    let late = &most[most.len() - 16..];
    assert!(late.iter().all(|n| *n <= 6), "{most:?}");
}

#[test]
fn attempts_come_to_an_end() {
    let teacher = FakeTeacher::start(|_| Reply::error(500, "it broke"));
    let error = ask(&teacher, chat(1)).unwrap_err();
    let url = teacher.url();
    assert_eq!(
        error.to_string(),
        format!("`{url}` did not answer after 3 attempts: HTTP 500: it broke")
    );
    // The last one asks something simple: is it the request or the endpoint?
    assert_eq!(teacher.n_requests(), 3 + 1);
}

#[test]
fn a_wait_beyond_patience_fails_at_once() {
    let teacher =
        FakeTeacher::start(|_| Reply::error(429, "quota").with_header("Retry-After", "86400"));
    let error = ask(&teacher, chat(1)).unwrap_err();
    assert!(
        matches!(&error, CompletionError::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 86400),
        "{error:?}"
    );
    assert_eq!(teacher.n_requests(), 1);
}

#[test]
fn a_refused_key_is_not_tried_again_and_not_shown() {
    for status in [401, 403] {
        let teacher =
            FakeTeacher::start(move |_| Reply::error(status, &format!("wrong key {KEY}")));
        let error = ask(&teacher, chat(1)).unwrap_err();
        assert!(
            matches!(&error, CompletionError::Unauthorized { message, .. } if message == "wrong key ***"),
            "{error:?}"
        );
        assert!(!format!("{error:?} {error} {:?}", completer(&teacher)).contains(KEY));
        assert_eq!(teacher.n_requests(), 1);
        assert!(error.is_fatal());
    }
}

#[test]
fn a_refused_request_is_not_tried_again() {
    for status in [400, 422] {
        let teacher = FakeTeacher::start(move |_| Reply::error(status, "bad words"));
        let error = ask(&teacher, chat(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` refused the request (HTTP {status}): bad words",
                teacher.url()
            ),
        );
        assert_eq!(teacher.n_requests(), 1);
        assert!(!error.is_fatal());
    }
}

#[test]
fn a_model_that_is_not_served_is_told_at_once_with_those_that_are() {
    let not_found = json!({"error": {"message": "no such model", "code": "model_not_found"}});
    for status in [400, 404] {
        let answer = not_found.clone();
        let teacher = FakeTeacher::start(move |_| Reply::json(status, &answer));
        let streamed = collect(&teacher).pop().unwrap().unwrap_err();
        for error in [ask(&teacher, chat(3)).unwrap_err(), streamed] {
            assert_eq!(
                error.to_string(),
                format!(
                    "`{}` refused the request (HTTP {status}): no such model",
                    teacher.url()
                ),
            );
            assert_eq!(
                error.hints(),
                ["name one of its models with `--model`: `fake-teacher`"]
            );
            assert!(error.is_fatal());
        }
        assert_eq!(teacher.n_requests(), 2, "neither is sent again");
    }
}

/// A server that answers everything with 404, as one does at a URL that is not that of its API.
fn server_without_api() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = [0; 4096];
            let n_bytes = std::io::Read::read(&mut connection, &mut asked).unwrap();
            assert!(n_bytes > 0);
            let answer =
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone";
            std::io::Write::write_all(&mut connection, answer).unwrap();
        }
    });
    url
}

#[test]
fn a_url_without_its_end_is_told_with_what_is_missing() {
    let url = server_without_api();
    let completer = HttpCompleter::new(endpoint(&url), "granite");
    for error in [
        wait(completer.complete(chat(1))).unwrap_err(),
        wait(list_models(&endpoint(&url))).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            format!("`{url}` refused the request (HTTP 404): \"gone\"")
        );
        assert_eq!(
            error.hints(),
            [format!("the URL usually ends in `/v1`: try `{url}/v1`")]
        );
    }
}

#[test]
fn whoever_waits_is_told_why_and_for_how_long() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::error(429, "slow down").with_header("Retry-After", "1"),
        1 => Reply::error(503, "loading"),
        2 => Reply::answer("half").cut_after(150),
        _ => Reply::answer("at last"),
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = EndpointOptions::new(teacher.url(), None);
    options.retry.first_pause = Duration::from_millis(1);
    options.on_retry = Some(RetryListener::new({
        let told = Arc::clone(&told);
        move |retry| told.lock().unwrap().push(retry.to_string())
    }));
    let completer = HttpCompleter::new(Endpoint::new(options).unwrap(), "granite");
    wait(completer.complete(chat(1))).unwrap();
    let host = teacher.address();
    assert_eq!(
        *told.lock().unwrap(),
        [
            format!("HTTP 429 from {host}, trying again in 1 s"),
            format!("HTTP 503 from {host}, trying again in 1 s"),
            format!("no answer from {host}, trying again in 1 s"),
        ]
    );
}

#[test]
fn a_prompt_that_is_too_long_is_told_with_its_numbers() {
    let teacher = FakeTeacher::start(|_| {
        Reply::json(
            400,
            &json!({"error": {
                "message": "This model's maximum context length is 2048 tokens. However, you requested 5000 tokens.",
                "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
            }}),
        )
    });
    let error = ask(&teacher, chat(1)).unwrap_err();
    assert!(matches!(
        error,
        CompletionError::ContextOverflow {
            n_prompt_tokens: 5000,
            n_context_tokens: 2048
        }
    ));
}

#[test]
fn garbage_is_shown_by_its_first_bytes() {
    let bodies: [&[u8]; 5] = [
        b"<html>Welcome to the router</html>",
        b"",
        b"{\"choices\": []}",
        b"{\"choices\": 7}",
        b"\xff\xfe\x00",
    ];
    for body in bodies {
        let teacher = FakeTeacher::start(move |_| Reply::raw(200, body));
        let error = ask(&teacher, chat(1)).unwrap_err();
        assert!(
            matches!(error, CompletionError::InvalidResponse { .. }),
            "{error:?}"
        );
        assert_eq!(teacher.n_requests(), 1 + 1);
        assert!(!error.hints().is_empty());
    }
    let teacher = FakeTeacher::start(move |_| Reply::raw(200, bodies[0]));
    let text = ask(&teacher, chat(1)).unwrap_err().to_string();
    assert!(
        text.contains("it begins with \"<html>Welcome to the router</html>\""),
        "{text}"
    );
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |_| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::answer("half").cut_after(150),
        _ => Reply::answer("whole"),
    });
    assert_eq!(texts(&ask(&teacher, chat(1)).unwrap()), ["whole"]);
}

#[test]
fn nobody_listening_is_told_with_the_reason() {
    let url = {
        let teacher = FakeTeacher::start(|_| Reply::answer(""));
        teacher.url()
    };
    let completer = HttpCompleter::new(endpoint(&url), "granite");
    let error = wait(completer.complete(chat(1))).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("did not answer after 3 attempts"), "{text}");
    assert!(text.contains("onnection refused"), "{text}");
}

#[test]
fn log_probabilities_are_read_in_both_shapes() {
    let teacher = FakeTeacher::start(|request| {
        let logprobs = if request["messages"].is_array() {
            json!({"content": [{"token": "a", "logprob": -0.5, "bytes": null,
                "top_logprobs": [{"token": "b", "logprob": -1.0, "bytes": null}]}]})
        } else {
            json!({"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"b": -1.0}], "text_offset": [0]})
        };
        Reply::json(
            200,
            &json!({"choices": [{"index": 0, "text": "a", "finish_reason": "length", "logprobs": logprobs,
                "message": {"role": "assistant", "content": "a"}}]}),
        )
    });
    for prompt in [
        Prompt::Text("x".to_owned()),
        Prompt::Chat(vec![ChatMessage::user("x")]),
    ] {
        let sampling = Sampling {
            logprobs: Some(1),
            ..Sampling::default()
        };
        let completion = ask(&teacher, Request { prompt, sampling }).unwrap();
        let choice = &completion.choices[0];
        assert_eq!(choice.finish_reason, FinishReason::Length);
        assert_eq!(choice.logprobs[0].logprob, -0.5);
        assert_eq!(choice.logprobs[0].top, [("b".to_owned(), -1.0)]);
    }
}

fn collect(teacher: &FakeTeacher) -> Vec<Result<StreamEvent, CompletionError>> {
    wait(completer(teacher).stream(chat(1)).collect())
}

#[test]
fn a_stream_gives_its_pieces_and_its_end() {
    let teacher = FakeTeacher::start(|_| Reply::answer("two words"));
    let events: Vec<StreamEvent> = collect(&teacher).into_iter().map(Result::unwrap).collect();
    let text = |text: &str| StreamEvent::Text {
        choice_idx: 0,
        text: text.to_owned(),
        logprobs: Vec::new(),
    };
    let finished = StreamEvent::Finished {
        choice_idx: 0,
        finish_reason: FinishReason::Stop,
    };
    assert_eq!(
        events,
        [
            text("two "),
            text("words"),
            finished,
            StreamEvent::Done(Default::default())
        ]
    );
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_error() {
    let teacher = FakeTeacher::start(|_| {
        Reply::raw(
            200,
            "data: {\"choices\": [{\"delta\": {\"content\": \"half\"}}]}\n\n",
        )
    });
    let events = collect(&teacher);
    assert_eq!(events.len(), 2);
    let error = events.into_iter().nth(1).unwrap().unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
}

#[test]
fn an_error_inside_a_stream_is_reported() {
    let teacher = FakeTeacher::start(|_| {
        Reply::raw(200, "data: {\"error\": {\"message\": \"no memory\"}}\n\n")
    });
    let error = collect(&teacher).pop().unwrap().unwrap_err();
    assert!(error.to_string().contains("no memory"), "{error}");
}

#[test]
fn garbage_in_a_stream_is_reported() {
    let teacher = FakeTeacher::start(|_| Reply::raw(200, "data: {not json\n\n"));
    let error = collect(&teacher).pop().unwrap().unwrap_err();
    assert!(
        matches!(error, CompletionError::InvalidResponse { .. }),
        "{error:?}"
    );
}

#[test]
fn models_are_listed() {
    let teacher = FakeTeacher::start(|_| Reply::answer(""));
    let models = wait(list_models(&endpoint(&teacher.url()))).unwrap();
    assert_eq!(models[0].id, ilab_testkit::fake_teacher::MODEL);
}

#[test]
fn a_url_that_is_none_is_refused_without_its_password() {
    let error = |url: &str| {
        Endpoint::new(EndpointOptions::new(url, None))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("localhost:8000"),
        "`localhost:8000` is not an HTTP URL: it begins with `localhost:`, not `http:` or `https:`"
    );
    assert!(error("nonsense").contains("`nonsense` is not an HTTP URL"));
    assert!(!error("ftp://me:secret@host/v1").contains("secret"));
}

#[test]
fn a_key_that_cannot_be_sent_is_refused_without_showing_it() {
    let options = EndpointOptions::new("http://localhost/v1", Some(ApiKey::new("sk-broken\n")));
    let error = Endpoint::new(options).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("sk-broken"));
}
