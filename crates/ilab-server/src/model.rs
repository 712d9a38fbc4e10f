//! The model that is served.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ilab_openai::completer::Streamer;
use ilab_openai::wire::models::{Model, ModelList};

use crate::error::ApiError;

/// A model with the names that clients may call it by.
#[derive(Clone)]
pub struct ServedModel {
    pub(crate) streamer: Arc<dyn Streamer>,
    names: Arc<[String]>,
    n_context_tokens: usize,
    pub(crate) created: u64,
}

impl ServedModel {
    /// Serves `streamer` under its own name and every one of `aliases`. `n_context_tokens` is what prompt and answer may
    /// have together.
    pub fn new(
        streamer: Arc<dyn Streamer>,
        aliases: impl IntoIterator<Item = String>,
        n_context_tokens: usize,
    ) -> Self {
        let mut names = vec![streamer.model_id().to_owned()];
        for alias in aliases {
            if !names.contains(&alias) {
                names.push(alias);
            }
        }
        Self {
            streamer,
            names: names.into(),
            n_context_tokens,
            created: unix_seconds(),
        }
    }

    /// The list for `GET /v1/models`: one entry a name.
    pub(crate) fn list(&self) -> ModelList {
        let entry = |name: &String| Model {
            id: name.clone(),
            object: "model".to_owned(),
            created: self.created,
            owned_by: "instructlab".to_owned(),
            max_model_len: Some(self.n_context_tokens),
        };
        ModelList {
            object: "list".to_owned(),
            data: self.names.iter().map(entry).collect(),
        }
    }

    /// The name to answer under: the one that the request has, or the first when it has none.
    pub(crate) fn resolve(&self, asked: Option<&str>) -> Result<String, ApiError> {
        match asked {
            None | Some("") => Ok(self.names[0].clone()),
            Some(name) if self.names.iter().any(|known| known == name) => Ok(name.to_owned()),
            Some(name) => Err(ApiError::unknown_model(name, &self.names)),
        }
    }
}

/// Seconds since 1970; 0 on a machine whose clock is before.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
