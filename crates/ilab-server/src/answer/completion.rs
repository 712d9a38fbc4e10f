//! The shape of `/v1/completions`.

use ilab_openai::completer::{Choice, Completion, FinishReason, TokenLogprob, Usage};
use ilab_openai::wire::completion::{CompletionChoice, CompletionLogprobs, CompletionResponse};
use ilab_openai::wire::finish_reason_name;
use serde_json::{Map, Value};

use crate::answer::{Heading, Shape};

/// Builds completion answers.
pub(crate) struct CompletionShape {
    heading: Heading,
    /// Characters of each choice that are sent already: token offsets count from the start of the text.
    n_sent: Vec<usize>,
}

impl CompletionShape {
    pub(crate) fn new(heading: Heading, n_choices: usize) -> Self {
        Self {
            heading,
            n_sent: vec![0; n_choices],
        }
    }

    fn piece(&self, choices: Vec<CompletionChoice>) -> CompletionResponse {
        CompletionResponse {
            id: self.heading.id.clone(),
            object: "text_completion".to_owned(),
            created: self.heading.created,
            model: self.heading.model.clone(),
            choices,
            usage: None,
        }
    }
}

impl Shape for CompletionShape {
    type Whole = CompletionResponse;
    type Piece = CompletionResponse;

    fn whole(&self, completion: Completion) -> CompletionResponse {
        let choice = |(index, choice): (usize, Choice)| CompletionChoice {
            index,
            text: choice.text,
            logprobs: logprobs(choice.logprobs, 0),
            finish_reason: Some(finish_reason_name(choice.finish_reason).to_owned()),
        };
        let choices = completion.choices.into_iter().enumerate().map(choice);
        CompletionResponse {
            usage: Some(completion.usage.into()),
            ..self.piece(choices.collect())
        }
    }

    fn opening(&self, _choice_idx: usize) -> Option<CompletionResponse> {
        None
    }

    fn text(
        &mut self,
        choice_idx: usize,
        text: String,
        tokens: Vec<TokenLogprob>,
    ) -> CompletionResponse {
        let offset = self.n_sent.get(choice_idx).copied().unwrap_or_default();
        if let Some(n_sent) = self.n_sent.get_mut(choice_idx) {
            *n_sent += text.chars().count();
        }
        self.piece(vec![CompletionChoice {
            index: choice_idx,
            text,
            logprobs: logprobs(tokens, offset),
            finish_reason: None,
        }])
    }

    fn end(&self, choice_idx: usize, finish_reason: FinishReason) -> CompletionResponse {
        self.piece(vec![CompletionChoice {
            index: choice_idx,
            text: String::new(),
            logprobs: None,
            finish_reason: Some(finish_reason_name(finish_reason).to_owned()),
        }])
    }

    fn usage(&self, usage: Usage) -> CompletionResponse {
        CompletionResponse {
            usage: Some(usage.into()),
            ..self.piece(Vec::new())
        }
    }
}

fn logprobs(tokens: Vec<TokenLogprob>, mut offset: usize) -> Option<CompletionLogprobs> {
    if tokens.is_empty() {
        return None;
    }
    let mut lists = CompletionLogprobs::default();
    let mut tops = Vec::with_capacity(tokens.len());
    for token in tokens {
        lists.text_offset.push(offset);
        offset += token.token.chars().count();
        lists.tokens.push(token.token);
        lists.token_logprobs.push(Some(token.logprob));
        let top = token
            .top
            .into_iter()
            .map(|(text, logprob)| (text, Value::from(logprob)));
        tops.push(Some(top.collect::<Map<String, Value>>()));
    }
    lists.top_logprobs = Some(tops);
    Some(lists)
}
