//! What the fake teacher answers.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::MODEL;
use super::wire::RecordedRequest;

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    delay: Duration,
    cut_after: Option<usize>,
}

#[derive(Debug, Clone)]
enum Body {
    /// Choices in the shape that the request's path calls for, streamed when it asks for a stream.
    Answers(Vec<String>),
    /// Bytes as they are.
    Raw(Vec<u8>),
}

impl Reply {
    fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            delay: Duration::ZERO,
            cut_after: None,
        }
    }

    /// One answer, in the shape of `/chat/completions` or `/completions` as the request has it.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::answers([text])
    }

    /// Several answers (`n` above 1).
    pub fn answers<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::new(
            200,
            Body::Answers(texts.into_iter().map(Into::into).collect()),
        )
    }

    /// Any JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::raw(status, value.to_string()).with_header("Content-Type", "application/json")
    }

    /// An error in the shape of the OpenAI API.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &json!({"error": {"message": message, "type": "error", "param": null, "code": null}}),
        )
    }

    /// Any bytes.
    pub fn raw(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, Body::Raw(body.into()))
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same after a pause.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same, but the connection breaks after this many bytes of the whole answer, header included.
    pub fn cut_after(mut self, n_bytes: usize) -> Self {
        self.cut_after = Some(n_bytes);
        self
    }

    pub(super) fn send(
        &self,
        mut connection: &TcpStream,
        request: &RecordedRequest,
    ) -> std::io::Result<()> {
        std::thread::sleep(self.delay);
        let bytes = self.render(request);
        let n_bytes = self.cut_after.unwrap_or(bytes.len()).min(bytes.len());
        connection.write_all(&bytes[..n_bytes])?;
        connection.shutdown(Shutdown::Write)
    }

    /// The whole answer as bytes.
    pub(super) fn render(&self, request: &RecordedRequest) -> Vec<u8> {
        let is_stream = request.body["stream"] == true;
        let (content_type, body) = match &self.body {
            Body::Raw(body) => (None, body.clone()),
            Body::Answers(texts) if is_stream => {
                (Some("text/event-stream"), stream_body(texts, request))
            }
            Body::Answers(texts) => (
                Some("application/json"),
                whole_body(texts, request).to_string().into_bytes(),
            ),
        };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let typed = content_type.map(|value| ("Content-Type".to_owned(), value.to_owned()));
        for (name, value) in self.headers.iter().chain(&typed) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        ));
        [head.into_bytes(), body].concat()
    }
}

fn is_chat(request: &RecordedRequest) -> bool {
    request.path.contains("chat")
}

fn whole_body(texts: &[String], request: &RecordedRequest) -> Value {
    let choices: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            if is_chat(request) {
                json!({"index": index, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text}})
            } else {
                json!({"index": index, "finish_reason": "stop", "text": text})
            }
        })
        .collect();
    json!({
        "id": "fake", "object": "completion", "created": 0, "model": MODEL, "choices": choices,
        "usage": {"prompt_tokens": 1, "completion_tokens": texts.len(), "total_tokens": 1 + texts.len()},
    })
}

fn stream_body(texts: &[String], request: &RecordedRequest) -> Vec<u8> {
    let mut body = String::new();
    let mut event = |choice: Value| {
        let chunk = json!({"id": "fake", "object": "chunk", "created": 0, "model": MODEL,
            "choices": [choice]});
        body.push_str(&format!("data: {chunk}\n\n"));
    };
    for (index, text) in texts.iter().enumerate() {
        for word in text.split_inclusive(' ') {
            event(if is_chat(request) {
                json!({"index": index, "finish_reason": null, "delta": {"content": word}})
            } else {
                json!({"index": index, "finish_reason": null, "text": word})
            });
        }
        event(if is_chat(request) {
            json!({"index": index, "finish_reason": "stop", "delta": {}})
        } else {
            json!({"index": index, "finish_reason": "stop", "text": ""})
        });
    }
    body.push_str("data: [DONE]\n\n");
    body.into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
