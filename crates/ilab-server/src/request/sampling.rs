//! The limits of the sampling fields. Every message gives the value and the limit.

use std::fmt::Display;
use std::ops::RangeInclusive;

use ilab_openai::completer::Sampling;
use ilab_openai::wire::sampling::SamplingFields;
use serde_json::Value;

use crate::error::ApiError;

/// The most answers of one request, over all its prompts.
pub(super) const MAX_CHOICES: i64 = 128;
const MAX_STOPS: usize = 16;
/// The most alternatives of a token, as in the OpenAI API.
pub(super) const MAX_LOGPROBS: i64 = 20;

/// Checks the fields that chats and completions share.
pub(super) fn sampling(fields: &SamplingFields) -> Result<Sampling, ApiError> {
    refuse_unsupported(fields)?;
    Ok(Sampling {
        temperature: within("temperature", fields.temperature, 0.0..=2.0)?,
        // 0 is allowed on the wire and means the most likely token only.
        top_p: within("top_p", fields.top_p, 0.0..=1.0)?.map(|top_p| top_p.max(f32::EPSILON)),
        top_k: within("top_k", fields.top_k, -1..=i64::from(u32::MAX))?
            .map(|top_k| u32::try_from(top_k).unwrap_or(0)),
        min_p: within("min_p", fields.min_p, 0.0..=1.0)?,
        seed: fields.seed.map(i64::cast_unsigned),
        stop: stops(&fields.stop)?,
        max_tokens: count("max_tokens", fields.max_tokens, i64::from(u32::MAX))?,
        n: count("n", fields.n, MAX_CHOICES)?.unwrap_or(1),
        ..Sampling::default()
    })
}

/// A whole number from 1 to `most`.
pub(super) fn count(name: &str, value: Option<i64>, most: i64) -> Result<Option<u32>, ApiError> {
    Ok(within(name, value, 1..=most)?.and_then(|value| u32::try_from(value).ok()))
}

/// A number from 0 to [`MAX_LOGPROBS`].
pub(super) fn n_alternatives(name: &str, value: Option<i64>) -> Result<Option<u32>, ApiError> {
    Ok(within(name, value, 0..=MAX_LOGPROBS)?.and_then(|value| u32::try_from(value).ok()))
}

fn within<T: PartialOrd + Display>(
    name: &str,
    value: Option<T>,
    limits: RangeInclusive<T>,
) -> Result<Option<T>, ApiError> {
    match value {
        Some(value) if !limits.contains(&value) => Err(ApiError::field(
            name,
            format!(
                "`{name}` is {value}; it must be from {} to {}",
                limits.start(),
                limits.end()
            ),
        )),
        value => Ok(value),
    }
}

fn stops(stops: &[String]) -> Result<Vec<String>, ApiError> {
    if stops.len() > MAX_STOPS {
        return Err(ApiError::field(
            "stop",
            format!("`stop` has {} texts; it may have {MAX_STOPS}", stops.len()),
        ));
    }
    if stops.iter().any(String::is_empty) {
        return Err(ApiError::field(
            "stop",
            "`stop` has an empty text, which would end every answer at once",
        ));
    }
    Ok(stops.to_vec())
}

/// A field that would change the answer and is not acted on must not be passed over.
fn refuse_unsupported(fields: &SamplingFields) -> Result<(), ApiError> {
    let is_set = |penalty: Option<f32>| penalty.is_some_and(|penalty| penalty != 0.0);
    refuse("presence_penalty", is_set(fields.presence_penalty))?;
    refuse("frequency_penalty", is_set(fields.frequency_penalty))?;
    refuse("logit_bias", is_filled(fields.logit_bias.as_ref()))
}

pub(super) fn refuse(name: &str, is_used: bool) -> Result<(), ApiError> {
    if is_used {
        Err(ApiError::field(
            name,
            format!("`{name}` is not supported by this server"),
        ))
    } else {
        Ok(())
    }
}

/// Whether a list or an object is there and has something in it.
pub(super) fn is_filled(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(items)) => !items.is_empty(),
        Some(_) => true,
    }
}
