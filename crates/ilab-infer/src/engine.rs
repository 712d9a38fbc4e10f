//! A loaded model that answers and scores.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use ilab_base::io::{IoError, WithPath};
use ilab_openai::completer::{
    ChatMessage, Completer, Completion, CompletionError, Prompt, Request, Score, ScoreRequest,
    Scorer, StreamEvent, Streamer,
};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use crate::backend;
use crate::chat::ChatFormat;
use crate::constraint::Form;
use crate::counters::{Counters, LiveCounters};
use crate::delivery::Sink;
use crate::error::EngineError;
use crate::limits::{check_sampling, rejected};
use crate::options::EngineOptions;
use crate::preflight;
use crate::scheduler::Command;
use crate::thread::{EngineThread, Work};
use crate::vocabulary::{self, SpecialTokens, Vocabulary};

/// A loaded model and the thread that computes with it. Clones share both; the last one dropped ends the thread.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Dropped first: the thread uses the rest.
    thread: EngineThread,
    model: Arc<LlamaModel>,
    vocabulary: Arc<Vocabulary>,
    chat: ChatFormat,
    counters: Arc<LiveCounters>,
    model_id: String,
    n_context_tokens: usize,
}

impl Engine {
    /// Loads a GGUF file. Blocks until the weights are there.
    ///
    /// # Errors
    /// The file is missing, damaged or not a language model, an option is out of range, or memory is short.
    pub fn load(mut options: EngineOptions) -> Result<Self, EngineError> {
        options.check()?;
        let path = options.model_path.clone();
        check_is_file(&path)?;
        preflight::check(&path)?;
        let llama = backend::llama_backend().ok_or(EngineError::BackendInUse)?;
        let model = Arc::new(load_model(llama, &path, options.n_gpu_layers)?);
        if model.n_ctx_train() > 0 && model.n_ctx_train() < options.n_context_tokens {
            options.n_context_tokens = model.n_ctx_train();
            tracing::debug!(
                "the context is limited to the {} tokens that the model was trained on",
                options.n_context_tokens
            );
        }
        let n_context_tokens = options.n_context_tokens as usize;
        let chat = ChatFormat::new(&model, options.chat_template.take());
        let vocabulary = Arc::new(Vocabulary::new(&model));
        let counters = Arc::<LiveCounters>::default();
        let thread = EngineThread::start(Work {
            backend: llama,
            model: Arc::clone(&model),
            vocabulary: Arc::clone(&vocabulary),
            counters: Arc::clone(&counters),
            options,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                thread,
                chat,
                model,
                vocabulary,
                counters,
                model_id: model_id(&path),
                n_context_tokens,
            }),
        })
    }

    /// The template that turns messages into a prompt: the options', or the one in the model's file.
    pub fn chat_template(&self) -> Option<&str> {
        self.inner.chat.source()
    }

    /// A conversation as the model reads it, up to where the assistant speaks: the context of an answer to be scored.
    ///
    /// # Errors
    /// The template cannot be used or refuses the conversation.
    pub fn chat_prompt(&self, messages: &[ChatMessage]) -> Result<String, CompletionError> {
        let prompt = self.inner.chat.render(messages)?;
        // A scored text gets its first token by itself; a template may have written it already.
        let begins_alone = !self.tokenize("", SpecialTokens::Add).is_empty();
        let start = vocabulary::control_text(&self.inner.model, self.inner.model.vocab().bos());
        match prompt.strip_prefix(start.as_str()) {
            Some(rest) if begins_alone => Ok(rest.to_owned()),
            _ => Ok(prompt),
        }
    }

    /// Tokens that a prompt and its answer may have together.
    pub fn n_context_tokens(&self) -> usize {
        self.inner.n_context_tokens
    }

    /// Tokens in the vocabulary.
    pub fn n_vocabulary(&self) -> usize {
        self.inner.vocabulary.n_tokens()
    }

    /// What the engine has done and is doing.
    pub fn counters(&self) -> Counters {
        self.inner.counters.snapshot()
    }

    /// Encodes a text. Control tokens that it spells out are recognised.
    pub fn tokenize(&self, text: &str, special: SpecialTokens) -> Vec<u32> {
        vocabulary::tokenize(&self.inner.model, text, special)
    }

    /// The text of tokens as it would stand in an answer: control tokens have none.
    pub fn detokenize(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|token| self.inner.vocabulary.piece(*token))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The logits of every position of a sequence, for comparison with other implementations.
    ///
    /// # Errors
    /// The sequence is empty, too long, or holds a token that does not exist.
    pub async fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, CompletionError> {
        let n_vocabulary = self.n_vocabulary();
        if let Some(token) = tokens.iter().find(|token| **token as usize >= n_vocabulary) {
            return Err(rejected(format!(
                "token {token} does not exist, the vocabulary has {n_vocabulary}"
            )));
        }
        if tokens.is_empty() {
            return Err(rejected("there are no tokens".to_owned()));
        }
        self.check_length(tokens.len(), self.n_context_tokens())?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Logits {
            tokens: tokens.to_vec(),
            reply,
        })?;
        answer.await.unwrap_or_else(|_| Err(thread_ended()))
    }

    fn prompt_tokens(&self, prompt: &Prompt) -> Result<Vec<u32>, CompletionError> {
        let tokens = match prompt {
            // The template writes the control tokens that it wants.
            Prompt::Chat(messages) => {
                let text = self.inner.chat.render(messages)?;
                self.encode(&text, SpecialTokens::Omit)?
            }
            Prompt::Text(text) => self.encode(text, SpecialTokens::Add)?,
        };
        if tokens.is_empty() {
            return Err(rejected("the prompt is empty".to_owned()));
        }
        // Room for at least one token of the answer.
        self.check_length(tokens.len(), self.n_context_tokens() - 1)?;
        Ok(tokens)
    }

    fn encode(&self, text: &str, special: SpecialTokens) -> Result<Vec<u32>, CompletionError> {
        // A token is at least one byte and rarely more than a hundred: texts beyond this cannot fit, and llama.cpp takes
        // no more than 2 GB.
        const MAX_TEXT_BYTES: usize = 1 << 30;
        if text.len() > MAX_TEXT_BYTES {
            return Err(rejected(format!(
                "the prompt has {} bytes, the limit is {MAX_TEXT_BYTES}",
                text.len()
            )));
        }
        Ok(self.tokenize(text, special))
    }

    fn check_length(&self, n_tokens: usize, limit: usize) -> Result<(), CompletionError> {
        if n_tokens > limit {
            return Err(CompletionError::ContextOverflow {
                n_prompt_tokens: n_tokens,
                n_context_tokens: self.n_context_tokens(),
            });
        }
        Ok(())
    }

    fn submit(&self, request: Request, sink: Sink) -> Result<(), CompletionError> {
        check_sampling(&request.sampling)?;
        let constraint = request.sampling.constraint.as_ref();
        let form = constraint.map(Form::new).transpose();
        let form = form.map_err(|error| rejected(error.to_string()))?;
        let tokens = self.prompt_tokens(&request.prompt)?;
        let n_left = self.n_context_tokens() - tokens.len();
        let n_left = u32::try_from(n_left).unwrap_or(u32::MAX);
        let max_tokens = request.sampling.max_tokens.unwrap_or(n_left).min(n_left);
        self.send(Command::Generate {
            tokens,
            sampling: Box::new(request.sampling),
            form,
            seed: random_seed(),
            max_tokens,
            sink,
        })
    }

    fn send(&self, command: Command) -> Result<(), CompletionError> {
        if self.inner.thread.send(command) {
            Ok(())
        } else {
            Err(thread_ended())
        }
    }

    /// The tokens of a context and its continuation, and where the continuation begins.
    ///
    /// # Source
    /// `_encode_pair` of lm_eval 0.4.9: blanks at the end of the context belong to the continuation, and the continuation's
    /// tokens are those by which the whole text is longer, because a tokenizer may join across the border.
    fn score_tokens(&self, request: &ScoreRequest) -> Result<(Vec<u32>, usize), CompletionError> {
        let context = request.context.trim_end();
        let whole = format!("{}{}", request.context, request.continuation);
        let mut n_context = self.encode(context, SpecialTokens::Add)?.len();
        let mut tokens = self.encode(&whole, SpecialTokens::Add)?;
        if n_context == 0 {
            // The first token needs something before it.
            let vocab = self.inner.model.vocab();
            let start = [vocab.bos(), vocab.eos()]
                .into_iter()
                .find_map(|token| u32::try_from(token.0).ok())
                .ok_or_else(|| rejected("the context is empty".to_owned()))?;
            tokens.insert(0, start);
            n_context = 1;
        }
        self.check_length(tokens.len(), self.n_context_tokens())?;
        Ok((tokens, n_context))
    }
}

impl Completer for Engine {
    fn model_id(&self) -> &str {
        &self.inner.model_id
    }

    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            let (sender, receiver) = oneshot::channel();
            self.submit(request, Sink::Whole(sender))?;
            receiver.await.unwrap_or_else(|_| Err(thread_ended()))
        })
    }
}

impl Streamer for Engine {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<StreamEvent, CompletionError>> {
        let (sender, events) = mpsc::unbounded();
        match self.submit(request, Sink::Stream(sender)) {
            Ok(()) => AnswerStream {
                events,
                is_complete: false,
                _engine: self.clone(),
            }
            .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }
}

impl Scorer for Engine {
    fn log_likelihood(
        &self,
        request: ScoreRequest,
    ) -> BoxFuture<'_, Result<Score, CompletionError>> {
        Box::pin(async move {
            let (tokens, first_scored) = self.score_tokens(&request)?;
            if first_scored >= tokens.len() {
                return Ok(Score {
                    log_likelihood: 0.0,
                    n_tokens: 0,
                    is_greedy: true,
                });
            }
            let (reply, score) = oneshot::channel();
            self.send(Command::Score {
                tokens,
                first_scored,
                reply,
            })?;
            score.await.unwrap_or_else(|_| Err(thread_ended()))
        })
    }
}

/// An answer on its way; it keeps the engine alive.
struct AnswerStream {
    events: mpsc::UnboundedReceiver<Result<StreamEvent, CompletionError>>,
    is_complete: bool,
    _engine: Engine,
}

impl Stream for AnswerStream {
    type Item = Result<StreamEvent, CompletionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_complete {
            return Poll::Ready(None);
        }
        let event = match self.events.poll_next_unpin(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(event) => event.unwrap_or_else(|| Err(thread_ended())),
        };
        self.is_complete = matches!(event, Ok(StreamEvent::Done(_)) | Err(_));
        Poll::Ready(Some(event))
    }
}

fn check_is_file(path: &Path) -> Result<(), EngineError> {
    let metadata: Result<_, IoError> = std::fs::metadata(path).with_path("open", path);
    if metadata?.is_file() {
        Ok(())
    } else {
        Err(EngineError::NotAFile {
            path: path.to_owned(),
        })
    }
}

fn load_model(
    llama: &LlamaBackend,
    path: &Path,
    n_gpu_layers: Option<u32>,
) -> Result<LlamaModel, EngineError> {
    if path.to_str().is_none() {
        return Err(EngineError::PathNotUtf8 {
            path: path.to_owned(),
        });
    }
    let mut parameters = LlamaModelParams::default();
    if let Some(n_gpu_layers) = n_gpu_layers {
        parameters = parameters.with_n_gpu_layers(n_gpu_layers);
    }
    backend::clear_last_error();
    LlamaModel::load_from_file(llama, path, &parameters).map_err(|error| EngineError::Load {
        path: path.to_owned(),
        message: backend::take_last_error().unwrap_or_else(|| error.to_string()),
    })
}

/// The file's name without its ending.
fn model_id(path: &Path) -> String {
    path.file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// A number that nobody chose, for requests without a seed.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn thread_ended() -> CompletionError {
    CompletionError::Engine {
        message: "its thread has ended".to_owned(),
    }
}
