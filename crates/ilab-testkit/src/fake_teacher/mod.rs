//! A scripted OpenAI-compatible server on a free port of this machine.
//!
//! It speaks just enough HTTP/1.1 for a test: one thread a connection, one request a connection. A closure decides every
//! answer, so a test can play a teacher that is slow, rate limited, broken or gone.

mod reply;
mod wire;

pub use reply::Reply;
pub use wire::RecordedRequest;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// The name under which the fake teacher lists its model.
pub const MODEL: &str = "fake-teacher";

type Script = dyn Fn(&Value) -> Reply + Send + Sync;

/// A running server; it stops when dropped.
pub struct FakeTeacher {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<RecordedRequest>>,
    n_context_tokens: AtomicUsize,
    is_stopping: AtomicBool,
}

impl FakeTeacher {
    /// Starts a server that answers every `POST` with what `script` says about its JSON body, and `GET /v1/models` with
    /// one model named [`MODEL`].
    ///
    /// # Panics
    /// When this machine has no free port: a test cannot go on without.
    pub fn start(script: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on this machine");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            n_context_tokens: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The same server, which tells from now on that its context has so many tokens.
    #[must_use]
    pub fn with_context(self, n_tokens: usize) -> Self {
        self.shared
            .n_context_tokens
            .store(n_tokens, Ordering::SeqCst);
        self
    }

    /// The base URL of the API, with `/v1` at its end.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in the order of arrival; listing models does not count.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests have arrived.
    pub fn n_requests(&self) -> usize {
        self.requests().len()
    }
}

impl Drop for FakeTeacher {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which waits for a connection; when this fails it is not waiting any more.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there has already been printed, and a second one while dropping would abort the test run.
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.is_stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that goes away is part of what tests play; the request is recorded either way.
            let _ = answer(&connection, &shared);
        });
    }
}

fn answer(mut connection: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let Some(request) = wire::read_request(connection)? else {
        return Ok(());
    };
    if request.method == "GET" && request.path.ends_with("/models") {
        let mut model = json!({"id": MODEL, "object": "model"});
        match shared.n_context_tokens.load(Ordering::SeqCst) {
            0 => {}
            n_tokens => model["max_model_len"] = n_tokens.into(),
        }
        let list = json!({"object": "list", "data": [model]});
        return connection.write_all(&Reply::json(200, &list).render(&request));
    }
    shared
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request.clone());
    (shared.script)(&request.body).send(connection, &request)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn post(teacher: &FakeTeacher, path: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(teacher.address()).unwrap();
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_script_sees_the_body_and_decides() {
        let teacher = FakeTeacher::start(|request| {
            Reply::answer(format!("you said {}", request["messages"][0]["content"]))
        });
        let answer = post(
            &teacher,
            "/v1/chat/completions",
            r#"{"messages": [{"role": "user", "content": "hi"}]}"#,
        );
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(r#"you said \"hi\""#), "{answer}");
        assert_eq!(teacher.n_requests(), 1);
        assert_eq!(teacher.requests()[0].path, "/v1/chat/completions");
    }

    #[test]
    fn a_failure_has_its_status_and_headers() {
        let teacher =
            FakeTeacher::start(|_| Reply::error(429, "slow down").with_header("Retry-After", "1"));
        let answer = post(&teacher, "/v1/completions", "{}");
        assert!(
            answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
            "{answer}"
        );
        assert!(answer.contains("Retry-After: 1\r\n"), "{answer}");
        assert!(answer.contains("slow down"), "{answer}");
    }
}
