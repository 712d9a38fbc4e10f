//! The limits of the sampling fields. Every message gives the value and the limit.

use std::fmt::Display;
use std::ops::RangeInclusive;

use ilab_openai::completer::Sampling;
use ilab_openai::constraint::Constraint;
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
        constraint: constraint(fields)?,
        ..Sampling::default()
    })
}

/// The form of the answer, by either name that it has; the engine says which forms it can see to.
fn constraint(fields: &SamplingFields) -> Result<Option<Constraint>, ApiError> {
    let guided = [
        ("choice", &fields.guided_choice),
        ("regex", &fields.guided_regex),
        ("json", &fields.guided_json),
        ("grammar", &fields.guided_grammar),
    ];
    let guided = guided
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let structured = fields.structured_outputs.iter().flatten();
    let structured = structured.map(|(name, value)| (name.as_str(), value));
    let mut forms = structured
        .chain(guided)
        .filter(|(_, value)| !value.is_null());
    let Some((name, value)) = forms.next() else {
        return Ok(None);
    };
    // A client that speaks to all versions says the same twice.
    if forms.any(|other| other != (name, value)) {
        let message = "an answer can have one form only";
        return Err(ApiError::field("structured_outputs", message));
    }
    match Constraint::named(name, value) {
        Some(constraint) => Ok(Some(constraint)),
        None => Err(ApiError::field(
            "structured_outputs",
            format!(
                "`{name}` is no form of an answer, or its value is none for it: there are `choice` (a list of texts) and `regex` (a text)"
            ),
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Result<Option<Constraint>, ApiError> {
        let fields: SamplingFields = serde_json::from_str(body).unwrap();
        sampling(&fields).map(|sampling| sampling.constraint)
    }

    #[test]
    fn the_form_of_an_answer_has_two_names() {
        let expected = Some(Constraint::Regex("YES|NO".to_owned()));
        for body in [
            r#"{"guided_regex": "YES|NO"}"#,
            r#"{"structured_outputs": {"regex": "YES|NO"}}"#,
            r#"{"structured_outputs": {"regex": "YES|NO"}, "guided_regex": "YES|NO", "guided_choice": null}"#,
        ] {
            assert_eq!(form(body).unwrap(), expected, "{body}");
        }
        assert_eq!(form("{}").unwrap(), None);
        for body in [
            r#"{"guided_regex": "a", "guided_choice": ["a"]}"#,
            r#"{"guided_choice": "a"}"#,
            r#"{"structured_outputs": {"poem": "sonnet"}}"#,
        ] {
            assert!(form(body).is_err(), "{body}");
        }
    }
}
