//! The block that asks the teacher.

use ilab_openai::completer::{ChatMessage, Prompt, Request, Sampling};
use serde_json::Value;

use super::AnswerParser;
use crate::model_prompt::ModelPrompt;
use crate::prompt::{PromptError, PromptTemplate};
use crate::row::{self, Row};

/// A request asks for at most this many answers: small enough that little is lost when the program is killed and that
/// progress is seen, large enough that an endpoint reads the prompt rarely.
const MAX_ANSWERS_PER_REQUEST: u32 = 8;

/// Asks the teacher about each row.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) prompts: Prompts,
    /// What stands around each prompt, which then is no chat.
    pub(crate) model_prompt: Option<ModelPrompt>,
    pub(crate) output_columns: Vec<String>,
    pub(crate) parser: AnswerParser,
    /// Without `n` and with the block's own seed, if it has one.
    pub(crate) sampling: Sampling,
    pub(crate) n_answers: NumberOfAnswers,
    /// Value of the column `num_samples` for rows that lack it.
    pub(crate) n_samples: Option<u32>,
    /// Part of the identity of each request.
    pub(crate) fingerprint: [u8; 32],
}

/// Which prompt a row gets.
#[derive(Debug)]
pub(crate) struct Prompts {
    /// The column whose value decides; without one, the only prompt is for all rows.
    selector: Option<String>,
    /// Each with the value that it is for.
    templates: Vec<(String, PromptTemplate)>,
}

impl Prompts {
    pub(crate) fn one(template: PromptTemplate) -> Self {
        Self {
            selector: None,
            templates: vec![(String::new(), template)],
        }
    }

    pub(crate) fn by_column(column: String, templates: Vec<(String, PromptTemplate)>) -> Self {
        Self {
            selector: Some(column),
            templates,
        }
    }

    fn of(&self, row: &Row) -> Option<&PromptTemplate> {
        let value = self.selector.as_ref().map(|column| row::text(row, column));
        let value = value.unwrap_or_default();
        let found = self.templates.iter().find(|(name, _)| *name == value);
        found.map(|(_, template)| template)
    }

    /// Every prompt that may be sent.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PromptTemplate> {
        self.templates.iter().map(|(_, template)| template)
    }
}

/// How many answers a row gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberOfAnswers {
    /// As many as the file says.
    Fixed(u32),
    /// As many as the user asks for: `n: scaled`.
    Scaled,
}

/// What the user sets for every block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AskSettings {
    pub(crate) scale_factor: u32,
    /// Takes the place of the file's `temperature`.
    pub(crate) temperature: Option<f32>,
    /// Takes the place of the file's `max_tokens`.
    pub(crate) max_tokens: Option<u32>,
}

/// The number of answers that a request asks for, before its seed is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Position of its first answer among all answers to the prompt.
    pub(crate) first: u32,
    pub(crate) n_answers: u32,
}

impl Ask {
    pub(crate) fn n_answers(&self, settings: AskSettings) -> u32 {
        match self.n_answers {
            NumberOfAnswers::Fixed(n) => n,
            NumberOfAnswers::Scaled => settings.scale_factor.max(1),
        }
    }

    /// How many rows each answer should bring: as many as the prompt asks for, where the parser finds several.
    pub(crate) fn n_parts(&self) -> u32 {
        let n_samples = self.n_samples.filter(|_| self.parser.finds_parts());
        n_samples.unwrap_or(1).max(1)
    }

    /// How the answers to one prompt are shared out to requests.
    pub(crate) fn pieces(&self, settings: AskSettings) -> Vec<Piece> {
        let n_answers = self.n_answers(settings);
        (0..n_answers)
            .step_by(MAX_ANSWERS_PER_REQUEST as usize)
            .map(|first| Piece {
                first,
                n_answers: MAX_ANSWERS_PER_REQUEST.min(n_answers - first),
            })
            .collect()
    }

    /// What is asked about a row; `None` where its column names no prompt.
    pub(crate) fn prompt(&self, row: &Row) -> Result<Option<String>, PromptError> {
        let Some(template) = self.prompts.of(row) else {
            return Ok(None);
        };
        let prompt = match self.n_samples {
            Some(n_samples) if !row.contains_key("num_samples") => {
                let mut row = row.clone();
                row.insert("num_samples".to_owned(), n_samples.into());
                template.render(&row)
            }
            _ => template.render(row),
        };
        let Some(frame) = &self.model_prompt else {
            return prompt.map(Some);
        };
        let framed = frame.around(&prompt?);
        framed.map(Some).map_err(|source| PromptError::Render {
            path: template.path().to_owned(),
            source: Box::new(source),
        })
    }

    /// The request for a piece; `seed` is that of the prompt's first answer.
    pub(crate) fn request(
        &self,
        prompt: &str,
        piece: Piece,
        seed: u64,
        settings: AskSettings,
    ) -> Request {
        Request {
            prompt: match self.model_prompt {
                None => Prompt::Chat(vec![ChatMessage::user(prompt)]),
                Some(_) => Prompt::Text(prompt.to_owned()),
            },
            sampling: Sampling {
                n: piece.n_answers,
                seed: Some(seed + u64::from(piece.first)),
                temperature: settings.temperature.or(self.sampling.temperature),
                max_tokens: settings.max_tokens.or(self.sampling.max_tokens),
                ..self.sampling.clone()
            },
        }
    }

    /// The rows that an answer makes of a row; of one that was cut off, without what may not be whole.
    pub(crate) fn rows(&self, row: &Row, answer: &str, is_cut_off: bool) -> Vec<Row> {
        let mut parsed = self.parser.parse(answer, self.output_columns.len());
        if is_cut_off && self.parser.may_end_open() {
            parsed.pop();
        }
        let extend = |values: Vec<String>| {
            let mut row = row.clone();
            if let Some(n_samples) = self.n_samples {
                row.entry("num_samples").or_insert(n_samples.into());
            }
            for (column, value) in self.output_columns.iter().zip(values) {
                row.insert(column.clone(), Value::String(value));
            }
            row
        };
        parsed.into_iter().map(extend).collect()
    }
}
