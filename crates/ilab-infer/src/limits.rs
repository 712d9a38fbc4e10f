//! What a request may ask for.

use ilab_openai::completer::{CompletionError, Sampling};

/// How many answers one request may ask for.
const MAX_CHOICES: u32 = 128;

/// Refuses sampling parameters that have no meaning.
///
/// # Errors
/// [`CompletionError::Rejected`] naming the parameter, its value and its range.
pub(crate) fn check_sampling(sampling: &Sampling) -> Result<(), CompletionError> {
    let in_range = |name: &str, value: Option<f32>, min: f32, max: f32| match value {
        Some(value) if !(min..=max).contains(&value) => Err(rejected(format!(
            "`{name}` is {value}, expected {min} to {max}"
        ))),
        _ => Ok(()),
    };
    in_range("temperature", sampling.temperature, 0.0, 100.0)?;
    in_range("top_p", sampling.top_p, 0.0, 1.0)?;
    in_range("min_p", sampling.min_p, 0.0, 1.0)?;
    if sampling.n > MAX_CHOICES {
        return Err(rejected(format!(
            "`n` is {}, expected 1 to {MAX_CHOICES}",
            sampling.n
        )));
    }
    if sampling.max_tokens == Some(0) {
        return Err(rejected(
            "`max_tokens` is 0, expected at least 1".to_owned(),
        ));
    }
    if sampling.stop.iter().any(String::is_empty) {
        return Err(rejected("`stop` holds an empty text".to_owned()));
    }
    if let Some(name) = sampling.extra.keys().next() {
        return Err(rejected(format!(
            "the engine in this process does not know `{name}`"
        )));
    }
    Ok(())
}

/// A request that is at fault itself.
pub(crate) fn rejected(message: String) -> CompletionError {
    CompletionError::Rejected {
        status: 400,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Sampling), expect: &str) {
        let mut sampling = Sampling::default();
        change(&mut sampling);
        let got = match check_sampling(&sampling) {
            Ok(()) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn values_without_meaning_are_refused() {
        check(|_| {}, "accepted");
        check(
            |sampling| sampling.temperature = Some(f32::NAN),
            "the request was refused: `temperature` is NaN, expected 0 to 100",
        );
        check(
            |sampling| sampling.top_p = Some(1.5),
            "the request was refused: `top_p` is 1.5, expected 0 to 1",
        );
        check(
            |sampling| sampling.n = 1000,
            "the request was refused: `n` is 1000, expected 1 to 128",
        );
        check(
            |sampling| sampling.stop = vec![String::new()],
            "the request was refused: `stop` holds an empty text",
        );
        check(
            |sampling| sampling.max_tokens = Some(0),
            "the request was refused: `max_tokens` is 0, expected at least 1",
        );
    }
}
