//! The API over a fake model, asked by a real client over a real socket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use ilab_openai::client::{Endpoint, EndpointOptions, HttpCompleter, RetryPolicy, list_models};
use ilab_openai::completer::{
    ChatMessage, Completer, Completion, CompletionError, FinishReason, Prompt, Request, Sampling,
    StreamEvent, Streamer, TokenLogprob, Usage,
};
use ilab_server::{ServeError, ServedModel, bind, serve};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers every prompt with its last words, piece by piece; some prompts make it misbehave.
#[derive(Clone, Default)]
struct Parrot {
    n_dropped: Arc<AtomicUsize>,
    is_stuck: Arc<AtomicBool>,
}

/// Notices when a generation is dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Completer for Parrot {
    fn model_id(&self) -> &str {
        "parrot"
    }

    fn complete(&self, _request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        unreachable!("the server streams everything")
    }
}

impl Streamer for Parrot {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<StreamEvent, CompletionError>> {
        let text = match &request.prompt {
            Prompt::Chat(messages) => messages.last().map_or("", |message| &message.content),
            Prompt::Text(text) => text,
        };
        match text {
            "too long" => {
                return stream::iter([Err(CompletionError::ContextOverflow {
                    n_prompt_tokens: 5000,
                    n_context_tokens: 4096,
                })])
                .boxed();
            }
            "crash" => {
                return stream::iter([Err(CompletionError::Engine {
                    message: "secret internals".to_owned(),
                })])
                .boxed();
            }
            "break" => {
                return stream::iter([
                    Ok(text_event(0, "half", None)),
                    Err(CompletionError::Cancelled),
                ])
                .boxed();
            }
            "endless" => return self.endless(),
            _ => {}
        }
        let n_choices = request.sampling.n_choices() as usize;
        let mut events = Vec::new();
        for choice_idx in 0..n_choices {
            for word in text.split_inclusive(' ') {
                events.push(Ok(text_event(choice_idx, word, request.sampling.logprobs)));
            }
            events.push(Ok(StreamEvent::Finished {
                choice_idx,
                finish_reason: FinishReason::Length,
            }));
        }
        events.push(Ok(StreamEvent::Done(Usage {
            prompt_tokens: 3,
            completion_tokens: n_choices as u32,
        })));
        stream::iter(events).boxed()
    }
}

impl Parrot {
    fn endless(&self) -> BoxStream<'static, Result<StreamEvent, CompletionError>> {
        let guard = Guard(Arc::clone(&self.n_dropped));
        let is_stuck = self.is_stuck.load(Ordering::SeqCst);
        stream::unfold(guard, move |guard| async move {
            let pause = if is_stuck { 3600 * 1000 } else { 5 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            Some((Ok(text_event(0, "more ", None)), guard))
        })
        .boxed()
    }
}

fn text_event(choice_idx: usize, text: &str, logprobs: Option<u32>) -> StreamEvent {
    let token = |_| TokenLogprob {
        token: text.to_owned(),
        logprob: -0.5,
        top: vec![("other".to_owned(), -1.5)],
    };
    StreamEvent::Text {
        choice_idx,
        text: text.to_owned(),
        logprobs: logprobs.map(token).into_iter().collect(),
    }
}

/// A server on a free port and what stops it.
struct Server {
    port: u16,
    parrot: Parrot,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), ServeError>>,
}

async fn start() -> Server {
    let parrot = Parrot::default();
    let listener = bind("127.0.0.1", 0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let model = ServedModel::new(
        Arc::new(parrot.clone()),
        ["models/parrot.gguf".to_owned()],
        4096,
    );
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(serve(listener, model, async {
        stopped.await.unwrap();
    }));
    Server {
        port,
        parrot,
        stop,
        task,
    }
}

impl Server {
    fn endpoint(&self) -> Endpoint {
        let mut options = EndpointOptions::new(format!("http://127.0.0.1:{}/v1", self.port), None);
        options.retry = RetryPolicy::never();
        Endpoint::new(options).unwrap()
    }

    fn completer(&self) -> HttpCompleter {
        HttpCompleter::new(self.endpoint(), "parrot")
    }

    /// One request as plain bytes: the status and the body.
    async fn send(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, String) {
        let body = body.as_ref();
        let mut connection = self.connect().await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer[9..12].parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.send("POST", path, body.to_string()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// The message of a refused request, which must be one.
    async fn refusal(&self, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        let (status, body) = self.send("POST", path, body).await;
        let mut body: Value = serde_json::from_str(&body).unwrap();
        (status, body["error"].take())
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }
}

fn chat(text: &str, n: u32) -> Request {
    Request {
        prompt: Prompt::Chat(vec![ChatMessage::user(text)]),
        sampling: Sampling {
            n,
            ..Sampling::default()
        },
    }
}

fn chat_body(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}

/// Fields that differ from run to run.
fn steady(mut value: Value) -> Value {
    value["id"] = json!("ID");
    value["created"] = json!(0);
    value
}

#[tokio::test]
async fn the_projects_own_client_is_answered() {
    let server = start().await;
    let completion = server
        .completer()
        .complete(chat("two words", 2))
        .await
        .unwrap();
    assert_eq!(completion.choices.len(), 2);
    assert_eq!(completion.choices[1].text, "two words");
    assert_eq!(completion.choices[1].finish_reason, FinishReason::Length);
    assert_eq!(completion.usage.prompt_tokens, 3);
    let text = Request {
        prompt: Prompt::Text("go on".to_owned()),
        sampling: Sampling {
            logprobs: Some(1),
            ..Sampling::default()
        },
    };
    let completion = server.completer().complete(text).await.unwrap();
    assert_eq!(completion.choices[0].text, "go on");
    assert_eq!(
        completion.choices[0].logprobs[1].top,
        [("other".to_owned(), -1.5)]
    );
}

#[tokio::test]
async fn the_projects_own_client_streams() {
    let server = start().await;
    let events: Vec<_> = server
        .completer()
        .stream(chat("two words", 2))
        .map(Result::unwrap)
        .collect()
        .await;
    let text = |choice_idx, text| text_event(choice_idx, text, None);
    let finished = |choice_idx| StreamEvent::Finished {
        choice_idx,
        finish_reason: FinishReason::Length,
    };
    let done = StreamEvent::Done(Usage {
        prompt_tokens: 3,
        completion_tokens: 2,
    });
    let expected = [
        text(0, "two "),
        text(0, "words"),
        finished(0),
        text(1, "two "),
        text(1, "words"),
        finished(1),
        done,
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_chat_answer_has_the_shape_of_the_api() {
    let server = start().await;
    let mut body = chat_body("hi");
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(1);
    let (status, answer) = server.post("/v1/chat/completions", &body).await;
    assert_eq!(status, 200);
    assert_json_snapshot!(steady(answer), @r#"
    {
      "id": "ID",
      "object": "chat.completion",
      "created": 0,
      "model": "parrot",
      "choices": [
        {
          "index": 0,
          "message": {
            "role": "assistant",
            "content": "hi"
          },
          "logprobs": {
            "content": [
              {
                "token": "hi",
                "logprob": -0.5,
                "bytes": [
                  104,
                  105
                ],
                "top_logprobs": [
                  {
                    "token": "other",
                    "logprob": -1.5,
                    "bytes": [
                      111,
                      116,
                      104,
                      101,
                      114
                    ]
                  }
                ]
              }
            ]
          },
          "finish_reason": "length"
        }
      ],
      "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "total_tokens": 4
      }
    }
    "#);
}

#[tokio::test]
async fn several_prompts_are_answered_in_order() {
    let server = start().await;
    let body = json!({"prompt": ["a b", "c"], "n": 2, "logprobs": 1});
    let (status, answer) = server.post("/v1/completions", &body).await;
    assert_eq!(status, 200);
    let texts: Vec<&Value> = answer["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| &choice["text"])
        .collect();
    assert_eq!(texts, ["a b", "a b", "c", "c"]);
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10})
    );
    assert_json_snapshot!(answer["choices"][0], @r#"
    {
      "index": 0,
      "text": "a b",
      "logprobs": {
        "tokens": [
          "a ",
          "b"
        ],
        "token_logprobs": [
          -0.5,
          -0.5
        ],
        "top_logprobs": [
          {
            "other": -1.5
          },
          {
            "other": -1.5
          }
        ],
        "text_offset": [
          0,
          2
        ]
      },
      "finish_reason": "length"
    }
    "#);
}

#[tokio::test]
async fn a_stream_opens_with_the_role_and_ends_with_usage_and_done() {
    let server = start().await;
    let mut body = chat_body("hi");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let mut connection = server.connect().await;
    let text = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    connection
        .write_all((head + &text).as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("content-type: text/event-stream\r\n"));
    let events: Vec<&str> = answer
        .split("\r\n\r\n")
        .nth(1)
        .unwrap()
        .split_terminator("\n\n")
        .map(|event| event.strip_prefix("data: ").unwrap())
        .collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let pieces: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|event| steady(serde_json::from_str(event).unwrap()))
        .collect();
    let choices: Vec<&Value> = pieces.iter().map(|piece| &piece["choices"]).collect();
    assert_eq!(
        choices,
        [
            &json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}]),
            &json!([{"index": 0, "delta": {"content": "hi"}, "logprobs": null, "finish_reason": null}]),
            &json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "length"}]),
            &json!([]),
        ]
    );
    assert_eq!(pieces[3]["usage"]["total_tokens"], 4);
}

#[tokio::test]
async fn models_health_and_greeting() {
    let server = start().await;
    let models = list_models(&server.endpoint()).await.unwrap();
    let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(names, ["parrot", "models/parrot.gguf"]);
    assert_eq!(models[0].max_model_len, Some(4096));
    assert_eq!(
        server.send("GET", "/health", "").await,
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    let greeting =
        r#"{"message":"Hello from InstructLab! Visit us at https://instructlab.ai"}"#.to_owned();
    assert_eq!(server.send("GET", "/", "").await, (200, greeting));
}

#[tokio::test]
async fn every_wrong_field_is_named_with_its_value_and_limit() {
    let server = start().await;
    let cases = [
        (json!({"temperature": 3}), "temperature"),
        (json!({"temperature": "warm"}), "temperature"),
        (json!({"temperature": "NaN"}), "temperature"),
        (json!({"top_p": -0.1}), "top_p"),
        (json!({"top_k": -2}), "top_k"),
        (json!({"min_p": 1.5}), "min_p"),
        (json!({"n": 0}), "n"),
        (json!({"n": 129}), "n"),
        (json!({"n": "two"}), "n"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": 99999999999_u64}), "max_tokens"),
        (json!({"seed": 1.5}), "seed"),
        (json!({"stop": [""]}), "stop"),
        (json!({"stop": vec!["x"; 17]}), "stop"),
        (json!({"stop": 7}), "stop"),
        (json!({"stream": "yes"}), "stream"),
        (
            json!({"logprobs": true, "top_logprobs": 21}),
            "top_logprobs",
        ),
        (json!({"messages": []}), "messages"),
        (json!({"messages": "hi"}), "messages"),
        (
            json!({"messages": [{"role": "robot", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            "messages",
        ),
        (json!({"presence_penalty": 1}), "presence_penalty"),
        (json!({"tools": [{}]}), "tools"),
        (
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
        ),
        (json!({"model": 7}), "model"),
    ];
    let mut messages = Vec::new();
    for (fields, param) in cases {
        let mut body = chat_body("hi");
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, error) = server
            .refusal("/v1/chat/completions", body.to_string())
            .await;
        assert_eq!(status, 400, "{fields}: {error}");
        assert_eq!(error["param"], param, "{fields}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        messages.push(error["message"].as_str().unwrap().to_owned());
    }
    insta::assert_snapshot!(messages.join("\n"), @r#"
    `temperature` is 3; it must be from 0 to 2
    `temperature`: invalid value: string "warm", expected a number
    `temperature` is NaN; it must be from 0 to 2
    `top_p` is -0.1; it must be from 0 to 1
    `top_k` is -2; it must be from -1 to 4294967295
    `min_p` is 1.5; it must be from 0 to 1
    `n` is 0; it must be from 1 to 128
    `n` is 129; it must be from 1 to 128
    `n`: invalid type: string "two", expected a whole number
    `max_tokens` is 0; it must be from 1 to 4294967295
    `max_tokens` is 99999999999; it must be from 1 to 4294967295
    `seed`: invalid type: floating point `1.5`, expected a whole number
    `stop` has an empty text, which would end every answer at once
    `stop` has 17 texts; it may have 16
    `stop`: invalid type: integer `7`, expected a text or a list of texts
    `stream`: invalid type: string "yes", expected a boolean
    `top_logprobs` is 21; it must be from 0 to 20
    `messages` has 0 messages; it must have at least 1
    `messages`: invalid type: string "hi", expected a list
    the role of message 0 is `robot`; it must be `system`, `user` or `assistant`
    `messages`: content parts of type `image_url` are not supported, only `text`
    `presence_penalty` is not supported by this server
    `tools` is not supported by this server
    `response_format` is not supported by this server
    `model`: invalid type: integer `7`, expected a string
    "#);
}

#[tokio::test]
async fn what_clients_send_without_meaning_it_is_taken() {
    let server = start().await;
    let mut body = chat_body("hi");
    for (name, value) in json!({
        "temperature": "1.0", "top_p": 0, "top_k": -1, "presence_penalty": 0, "frequency_penalty": 0.0,
        "logit_bias": {}, "tools": [], "response_format": {"type": "text"}, "user": "me", "stop": null,
        "seed": -1, "n": null, "logprobs": null, "stream": null, "stream_options": null, "model": "models/parrot.gguf",
        "messages": [{"role": "developer", "content": null}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    })
    .as_object()
    .unwrap()
    {
        body[name] = value.clone();
    }
    let (status, answer) = server.post("/v1/chat/completions", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["model"], "models/parrot.gguf");
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused_as_json() {
    let server = start().await;
    let deep = "[".repeat(100_000);
    for body in ["", "{", "nonsense", "[]", "null", "\u{feff}{}", &deep] {
        let (status, error) = server.refusal("/v1/chat/completions", body).await;
        assert_eq!(status, 400);
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("the body is not"),
            "{error}"
        );
    }
    let (status, error) = server
        .refusal("/v1/completions", b"{\"prompt\": \"\xff\"}")
        .await;
    assert_eq!(status, 400, "{error}");
    let (status, error) = server.refusal("/v1/completions", "{}").await;
    assert_eq!((status, &error["param"]), (400, &json!("prompt")));
    let tokens = json!({"prompt": [1, 2, 3]}).to_string();
    let (status, error) = server.refusal("/v1/completions", tokens).await;
    assert_eq!((status, &error["param"]), (400, &json!("prompt")));
    let many = json!({"prompt": vec!["x"; 65], "n": 2}).to_string();
    let (status, error) = server.refusal("/v1/completions", many).await;
    assert_eq!((status, &error["param"]), (400, &json!("prompt")));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = start().await;
    let mut connection = server.connect().await;
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        ilab_server::MAX_BODY_BYTES + 1
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let n_bytes = connection.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..n_bytes]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn unknown_models_paths_and_methods_are_named() {
    let server = start().await;
    let mut body = chat_body("hi");
    body["model"] = json!("gpt-9");
    let (status, error) = server
        .refusal("/v1/chat/completions", body.to_string())
        .await;
    assert_eq!(status, 404);
    assert_json_snapshot!(error, @r#"
    {
      "message": "the model `gpt-9` is not served here; there is `parrot`, `models/parrot.gguf`",
      "type": "invalid_request_error",
      "param": "model",
      "code": "model_not_found"
    }
    "#);
    let (status, error) = server.refusal("/v1/embeddings", "{}").await;
    assert_eq!((status, &error["code"]), (404, &json!("unknown_url")));
    assert_eq!(error["message"], "there is no `POST /v1/embeddings` here");
    let (status, error) = server.refusal("/v1/models", "{}").await;
    assert_eq!(status, 405);
    assert_eq!(error["message"], "`/v1/models` does not take `POST`");
}

#[tokio::test]
async fn what_the_model_refuses_has_a_status_even_when_streamed() {
    let server = start().await;
    for stream in [false, true] {
        let mut body = chat_body("too long");
        body["stream"] = json!(stream);
        let (status, error) = server
            .refusal("/v1/chat/completions", body.to_string())
            .await;
        assert_eq!(status, 400);
        assert_eq!(error["code"], "context_length_exceeded");
        body["messages"][0]["content"] = json!("crash");
        let (status, error) = server
            .refusal("/v1/chat/completions", body.to_string())
            .await;
        assert_eq!(status, 500);
        assert!(!error["message"].as_str().unwrap().contains("secret"));
    }
    let error = server
        .completer()
        .complete(chat("too long", 1))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            CompletionError::ContextOverflow {
                n_prompt_tokens: 5000,
                n_context_tokens: 4096
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_stream_is_told() {
    let server = start().await;
    let events: Vec<_> = server.completer().stream(chat("break", 1)).collect().await;
    assert_eq!(events[0].as_ref().unwrap(), &text_event(0, "half", None));
    let error = events[1].as_ref().unwrap_err();
    assert!(error.to_string().contains("shutting down"), "{error}");
    assert_eq!(events.len(), 2);
}

async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_generation_with_it() {
    let server = start().await;
    let mut events = server.completer().stream(chat("endless", 1));
    for _ in 0..3 {
        events.next().await.unwrap().unwrap();
    }
    drop(events);
    let n_dropped = || server.parrot.n_dropped.load(Ordering::SeqCst);
    until("a stream is cancelled", || n_dropped() == 1).await;

    // Nothing is ever written here, so only reading shows that the client is gone.
    server.parrot.is_stuck.store(true, Ordering::SeqCst);
    let body = chat_body("endless").to_string();
    let mut connection = server.connect().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(connection);
    until("a waiting answer is cancelled", || n_dropped() == 2).await;
    let completion = server.completer().complete(chat("still here", 1)).await;
    assert_eq!(completion.unwrap().choices[0].text, "still here");
}

#[tokio::test]
async fn shutting_down_waits_for_running_answers_but_not_for_ever() {
    let server = start().await;
    let mut events = server.completer().stream(chat("endless", 1));
    events.next().await.unwrap().unwrap();
    let started = Instant::now();
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    events.next().await.unwrap().unwrap();
    server.task.await.unwrap().unwrap();
    let elapsed = started.elapsed();
    assert!(
        (ilab_server::GRACE..ilab_server::GRACE * 2).contains(&elapsed),
        "{elapsed:?}"
    );
    let refused = TcpStream::connect(("127.0.0.1", server.port)).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let server = start().await;
    server.completer().complete(chat("hi", 1)).await.unwrap();
    let started = Instant::now();
    server.stop.send(()).unwrap();
    server.task.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = bind("127.0.0.1", 0).await.unwrap();
    let port = first.local_addr().unwrap().port();
    let error = bind("127.0.0.1", port).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("port {port} on `127.0.0.1` is in use by another program")
    );
    let error = bind("192.0.2.1", 8000).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on `192.0.2.1`, port 8000");
}
