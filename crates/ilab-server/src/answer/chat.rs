//! The shape of `/v1/chat/completions`.

use ilab_openai::completer::{Choice, Completion, FinishReason, TokenLogprob, Usage};
use ilab_openai::wire::chat::{
    AnswerMessage, ChatChoice, ChatChunk, ChatLogprobs, ChatResponse, ChatTokenLogprob,
    ChatTopLogprob, ChunkChoice, Delta,
};
use ilab_openai::wire::finish_reason_name;

use crate::answer::{Heading, Shape};

/// Builds chat answers.
pub(crate) struct ChatShape(pub(crate) Heading);

impl ChatShape {
    fn piece(&self, choices: Vec<ChunkChoice>) -> ChatChunk {
        ChatChunk {
            id: self.0.id.clone(),
            object: "chat.completion.chunk".to_owned(),
            created: self.0.created,
            model: self.0.model.clone(),
            choices,
            usage: None,
        }
    }
}

impl Shape for ChatShape {
    type Whole = ChatResponse;
    type Piece = ChatChunk;

    fn whole(&self, completion: Completion) -> ChatResponse {
        let choice = |(index, choice): (usize, Choice)| ChatChoice {
            index,
            message: AnswerMessage {
                role: "assistant".to_owned(),
                content: choice.text,
            },
            logprobs: logprobs(choice.logprobs),
            finish_reason: Some(finish_reason_name(choice.finish_reason).to_owned()),
        };
        ChatResponse {
            id: self.0.id.clone(),
            object: "chat.completion".to_owned(),
            created: self.0.created,
            model: self.0.model.clone(),
            choices: completion
                .choices
                .into_iter()
                .enumerate()
                .map(choice)
                .collect(),
            usage: Some(completion.usage.into()),
        }
    }

    /// The Python original's chat insists on a first piece with the role.
    fn opening(&self, choice_idx: usize) -> Option<ChatChunk> {
        Some(self.piece(vec![ChunkChoice {
            index: choice_idx,
            delta: Delta {
                role: Some("assistant".to_owned()),
                content: Some(String::new()),
            },
            logprobs: None,
            finish_reason: None,
        }]))
    }

    fn text(&mut self, choice_idx: usize, text: String, tokens: Vec<TokenLogprob>) -> ChatChunk {
        self.piece(vec![ChunkChoice {
            index: choice_idx,
            delta: Delta {
                role: None,
                content: Some(text),
            },
            logprobs: logprobs(tokens),
            finish_reason: None,
        }])
    }

    fn end(&self, choice_idx: usize, finish_reason: FinishReason) -> ChatChunk {
        self.piece(vec![ChunkChoice {
            index: choice_idx,
            delta: Delta::default(),
            logprobs: None,
            finish_reason: Some(finish_reason_name(finish_reason).to_owned()),
        }])
    }

    fn usage(&self, usage: Usage) -> ChatChunk {
        ChatChunk {
            usage: Some(usage.into()),
            ..self.piece(Vec::new())
        }
    }
}

fn logprobs(tokens: Vec<TokenLogprob>) -> Option<ChatLogprobs> {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let token = |token: TokenLogprob| ChatTokenLogprob {
        bytes: bytes(&token.token),
        token: token.token,
        logprob: token.logprob,
        top_logprobs: token
            .top
            .into_iter()
            .map(|(text, logprob)| ChatTopLogprob {
                bytes: bytes(&text),
                token: text,
                logprob,
            })
            .collect(),
    };
    (!tokens.is_empty()).then(|| ChatLogprobs {
        content: Some(tokens.into_iter().map(token).collect()),
    })
}
