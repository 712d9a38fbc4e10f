//! The other end: address, key, patience, and what its answers mean before anyone looks inside.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::key::ApiKey;
use crate::client::options::{EndpointError, EndpointOptions};
use crate::client::pace::{Pace, Turn};
use crate::client::retry::{Attempts, Failure, RetryListener, RetryPolicy};
use crate::completer::CompletionError;
use crate::wire;
use crate::wire::models::{Model, ModelList};

/// The most bytes that an answer may have.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How much of an unexpected answer is shown.
const N_SHOWN_CHARACTERS: usize = 200;

/// What every answer to a completion has.
pub(super) trait WireAnswer: DeserializeOwned {
    /// Answers in it.
    fn n_choices(&self) -> usize;
    /// Tokens of prompt and answers, where it says so.
    fn n_tokens(&self) -> Option<u32>;
}

/// A reachable endpoint. Clones share its connections.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    /// As requests need it.
    base: String,
    /// As it may be shown: without credentials.
    url: String,
    /// Host and port, for messages that come often.
    host: String,
    api_key: Option<ApiKey>,
    retry: RetryPolicy,
    on_retry: Option<RetryListener>,
    pace: Pace,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Sets up the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`EndpointError`] for a URL or key that cannot be used.
    pub fn new(options: EndpointOptions) -> Result<Self, EndpointError> {
        let url = parse_url(&options.url)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &options.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.secret()))
                .map_err(|_| EndpointError::InvalidApiKey)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Fails only when one is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.silence_timeout)
            .user_agent(concat!("ilab/", env!("CARGO_PKG_VERSION")));
        let client = options.tls.apply(builder)?;
        let client = client.build().map_err(EndpointError::Tls)?;
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                url: without_credentials(&url),
                base: url.as_str().trim_end_matches('/').to_owned(),
                host: url
                    .authority()
                    .rsplit('@')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                api_key: options.api_key,
                retry: options.retry,
                on_retry: options.on_retry,
                pace: Pace::new(options.budget),
            }),
        })
    }

    /// The base URL as it may be shown: without credentials.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Posts a body of about so many tokens and reads the answer as `T`, in its turn and with retries.
    pub(super) async fn post<T: WireAnswer>(
        &self,
        path: &str,
        body: &impl Serialize,
        n_tokens: u32,
    ) -> Result<T, CompletionError> {
        let request = self.request(Method::POST, path).json(body);
        let mut attempts = self.attempts();
        loop {
            let turn = self.inner.pace.turn(n_tokens).await;
            let answer = self.bytes_once(&request, attempts.number).await;
            let answer = answer.and_then(|bytes| self.answer::<T>(&bytes));
            match answer {
                Ok(answer) => {
                    turn.succeeded(answer.n_tokens());
                    return Ok(answer);
                }
                Err(failure) => self.again(&mut attempts, turn, failure).await?,
            }
        }
    }

    /// Whether the endpoint answers this body right now.
    pub(super) async fn answers<T: WireAnswer>(&self, path: &str, body: &impl Serialize) -> bool {
        let request = self.request(Method::POST, path).json(body);
        let turn = self.inner.pace.turn(1).await;
        let Ok(bytes) = self.bytes_once(&request, 1).await else {
            return false;
        };
        let is_answer = self.answer::<T>(&bytes).is_ok();
        if is_answer {
            turn.succeeded(None);
        }
        is_answer
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.inner.pace.has_succeeded()
    }

    /// Posts `body` and returns the answer as soon as its status is known to be good, with retries until then.
    pub(super) async fn open(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Response, CompletionError> {
        let request = self.request(Method::POST, path).json(body);
        let mut attempts = self.attempts();
        loop {
            let turn = self.inner.pace.turn(0).await;
            match self.send(&request, attempts.number).await {
                Ok(response) => {
                    turn.succeeded(None);
                    return Ok(response);
                }
                Err(failure) => self.again(&mut attempts, turn, failure).await?,
            }
        }
    }

    /// What is no answer at all may be one the next time, unless there never was one: then it is no such endpoint.
    fn answer<T: WireAnswer>(&self, bytes: &[u8]) -> Result<T, Failure> {
        let error = match self.parse::<T>(bytes) {
            Ok(answer) if answer.n_choices() > 0 => return Ok(answer),
            Ok(_) => self.invalid("there is no choice in it", bytes),
            Err(error) => error,
        };
        Err(Failure {
            is_transient: self.inner.pace.has_succeeded(),
            ..Failure::lasting(error)
        })
    }

    /// Gives the turn back and waits for the next attempt, unless there is nothing left to try.
    async fn again(
        &self,
        attempts: &mut Attempts<'_>,
        turn: Turn<'_>,
        failure: Failure,
    ) -> Result<(), CompletionError> {
        match failure.status {
            Some(429 | 503) => {
                // Whoever asks for longer is not waited for at all.
                let longest = self.inner.retry.longest_pause;
                turn.overloaded(failure.retry_after.filter(|pause| *pause <= longest));
            }
            _ => drop(turn),
        }
        match attempts.after(failure).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.with_served_models(error).await),
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        let inner = &self.inner;
        Attempts::new(&inner.retry, &inner.host, inner.on_retry.as_ref())
    }

    /// The models that can be named in place of one that was not found. Asked once: this only serves an explanation.
    async fn with_served_models(&self, mut error: CompletionError) -> CompletionError {
        if let CompletionError::NotFound { served, .. } = &mut error {
            let request = self.request(Method::GET, "models");
            if let Ok(bytes) = self.bytes_once(&request, 1).await
                && let Ok(list) = self.parse::<ModelList>(&bytes)
            {
                *served = list.data.into_iter().map(|model| model.id).collect();
            }
        }
        error
    }

    async fn bytes_once(&self, request: &RequestBuilder, attempt: u32) -> Result<Vec<u8>, Failure> {
        let response = self.send(request, attempt).await?;
        self.read(response, attempt).await
    }

    async fn bytes_of(&self, request: &RequestBuilder) -> Result<Vec<u8>, CompletionError> {
        let mut attempts = self.attempts();
        loop {
            match self.bytes_once(request, attempts.number).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => attempts.after(failure).await?,
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.inner
            .client
            .request(method, format!("{}/{path}", self.inner.base))
    }

    async fn send(&self, request: &RequestBuilder, attempt: u32) -> Result<Response, Failure> {
        let request = request
            .try_clone()
            .expect("a request whose body is in memory can be cloned");
        let response = request
            .send()
            .await
            .map_err(|error| self.connection_failure(&error, None, attempt))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = self.read(response, attempt).await?;
        Err(self.status_failure(status, retry_after, &body, attempt))
    }

    async fn read(&self, mut response: Response, attempt: u32) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let status = response.status().as_u16();
        loop {
            let piece = response
                .chunk()
                .await
                .map_err(|error| self.connection_failure(&error, Some(status), attempt))?;
            let Some(piece) = piece else { return Ok(body) };
            if body.len() + piece.len() > MAX_ANSWER_BYTES {
                let reason = format!("it has more than {MAX_ANSWER_BYTES} bytes");
                return Err(Failure::lasting(self.invalid(&reason, &body)));
            }
            body.extend_from_slice(&piece);
        }
    }

    /// What a status that is no success means.
    fn status_failure(
        &self,
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
        attempt: u32,
    ) -> Failure {
        let message = self.redact(&wire::error::message_in(body).unwrap_or_else(|| shown(body)));
        let url = self.inner.url.clone();
        let code = status.as_u16();
        let error = match code {
            401 | 403 => CompletionError::Unauthorized {
                url,
                status: code,
                message,
            },
            429 => CompletionError::RateLimited {
                url,
                retry_after,
                message,
            },
            408 | 409 | 500.. => CompletionError::Unavailable {
                url,
                status: Some(code),
                n_attempts: attempt,
                message: format!("HTTP {code}: {message}"),
            },
            _ if code == 404 || names_unknown_model(body) => CompletionError::NotFound {
                url,
                status: code,
                message,
                served: Vec::new(),
            },
            _ => context_overflow(body, &message).unwrap_or(CompletionError::Refused {
                url,
                status: code,
                message,
            }),
        };
        Failure {
            status: Some(code),
            is_transient: matches!(
                error,
                CompletionError::RateLimited { .. } | CompletionError::Unavailable { .. }
            ),
            error,
            retry_after,
        }
    }

    /// The connection failed: before there was an answer, or after it began with a status.
    pub(super) fn connection_failure(
        &self,
        error: &reqwest::Error,
        status: Option<u16>,
        attempt: u32,
    ) -> Failure {
        Failure {
            error: CompletionError::Unavailable {
                url: self.inner.url.clone(),
                status,
                n_attempts: attempt,
                message: self.redact(&causes(error)),
            },
            status: None,
            is_transient: true,
            retry_after: None,
        }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, CompletionError> {
        serde_json::from_slice(body).map_err(|error| self.invalid(&error.to_string(), body))
    }

    /// The answer is not what the protocol says: `reason`, and how the answer begins.
    pub(super) fn invalid(&self, reason: &str, body: &[u8]) -> CompletionError {
        CompletionError::InvalidResponse {
            url: self.inner.url.clone(),
            message: self.redact(&format!("{reason}; it begins with {}", shown(body))),
        }
    }

    /// A failure that the endpoint reports inside a stream that began well.
    pub(super) fn broken_stream(&self, message: &str) -> CompletionError {
        CompletionError::Unavailable {
            url: self.inner.url.clone(),
            status: Some(StatusCode::OK.as_u16()),
            n_attempts: 1,
            message: self.redact(message),
        }
    }

    fn redact(&self, text: &str) -> String {
        match &self.inner.api_key {
            Some(key) => key.redact(text),
            None => text.to_owned(),
        }
    }
}

/// The models that an endpoint has.
///
/// # Errors
/// [`CompletionError`] when it cannot be asked or does not answer in the protocol.
pub async fn list_models(endpoint: &Endpoint) -> Result<Vec<Model>, CompletionError> {
    let request = endpoint.request(Method::GET, "models");
    let bytes = endpoint.bytes_of(&request).await?;
    let list: ModelList = endpoint.parse(&bytes)?;
    Ok(list.data)
}

fn parse_url(text: &str) -> Result<Url, EndpointError> {
    let invalid = |reason: String| EndpointError::InvalidUrl {
        url: Url::parse(text).map_or_else(|_| text.to_owned(), |url| without_credentials(&url)),
        reason,
    };
    let url = Url::parse(text.trim()).map_err(|error| invalid(error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(invalid(format!(
            "it begins with `{scheme}:`, not `http:` or `https:`"
        ))),
    }
}

fn without_credentials(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only for URLs that cannot carry credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Reads the delay in seconds; the other form, a date, needs a clock that agrees with the endpoint's and is not used.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn names_unknown_model(body: &[u8]) -> bool {
    wire::error::code_in(body).is_some_and(|code| code == "model_not_found")
}

/// A refused prompt that is too long. OpenAI, vLLM and our server put the limit first and the prompt's length second.
fn context_overflow(body: &[u8], message: &str) -> Option<CompletionError> {
    if wire::error::code_in(body)? != "context_length_exceeded" {
        return None;
    }
    let mut numbers = message
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok());
    let (n_context_tokens, n_prompt_tokens) = (numbers.next()?, numbers.next()?);
    Some(CompletionError::ContextOverflow {
        n_prompt_tokens,
        n_context_tokens,
    })
}

fn shown(body: &[u8]) -> String {
    if body.is_empty() {
        return "nothing at all".to_owned();
    }
    let start = &body[..body.len().min(4 * N_SHOWN_CHARACTERS)];
    let text: String = String::from_utf8_lossy(start)
        .chars()
        .take(N_SHOWN_CHARACTERS)
        .collect();
    format!("{:?}", text.trim())
}

/// reqwest's own message says only "error sending request"; the reason is in its causes.
fn causes(error: &reqwest::Error) -> String {
    let mut reasons = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reasons.push(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        reasons.insert(0, "no answer in time".to_owned());
    }
    reasons.dedup();
    if reasons.is_empty() {
        reasons.push("the connection broke".to_owned());
    }
    reasons.join(": ")
}
