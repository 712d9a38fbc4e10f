//! When to try again, and after how long.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::completer::CompletionError;

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, at least one.
    pub n_attempts: u32,
    /// Pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause, also when the endpoint asks for a longer one: then the request fails at once.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            // A server that is started anew is back within the minute that these take.
            n_attempts: 8,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// One attempt only.
    pub fn never() -> Self {
        Self {
            n_attempts: 1,
            ..Self::default()
        }
    }

    /// The pause after the failed attempt `attempt` (from 1), or `None` when there is nothing left to try.
    fn pause(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        if !failure.is_transient || attempt >= self.n_attempts {
            return None;
        }
        match failure.retry_after {
            Some(asked) if asked > self.longest_pause => None,
            Some(asked) => Some(asked),
            None => {
                let doubled = self
                    .first_pause
                    .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
                    .min(self.longest_pause);
                Some(doubled.mul_f64(jitter()))
            }
        }
    }
}

/// A request that failed and is sent again after a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Host and port of the endpoint.
    pub host: String,
    /// HTTP status; none where the connection failed.
    pub status: Option<u16>,
    /// How long it is waited.
    pub pause: Duration,
}

impl fmt::Display for Retry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.pause.as_secs_f64().ceil();
        match self.status {
            Some(status) => write!(formatter, "HTTP {status} from {}", self.host)?,
            None => write!(formatter, "no answer from {}", self.host)?,
        }
        write!(formatter, ", trying again in {seconds} s")
    }
}

/// Who is told when a request is sent again. Called from any thread: must not block.
#[derive(Clone)]
pub struct RetryListener(Arc<dyn Fn(&Retry) + Send + Sync>);

impl RetryListener {
    /// Calls `listener` before each pause.
    pub fn new(listener: impl Fn(&Retry) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for RetryListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RetryListener")
    }
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: CompletionError,
    /// HTTP status; none where the connection failed.
    pub(super) status: Option<u16>,
    /// Another attempt may succeed.
    pub(super) is_transient: bool,
    /// How long the endpoint asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that another attempt cannot mend.
    pub(super) fn lasting(error: CompletionError) -> Self {
        Self {
            error,
            status: None,
            is_transient: false,
            retry_after: None,
        }
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    policy: &'a RetryPolicy,
    host: &'a str,
    listener: Option<&'a RetryListener>,
    /// The number of the running attempt, from 1.
    pub(super) number: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        policy: &'a RetryPolicy,
        host: &'a str,
        listener: Option<&'a RetryListener>,
    ) -> Self {
        Self {
            policy,
            host,
            listener,
            number: 1,
        }
    }

    /// Waits before the next attempt, or returns the error when there is nothing left to try.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), CompletionError> {
        let Some(pause) = self.policy.pause(self.number, &failure) else {
            return Err(failure.error);
        };
        tracing::debug!(attempt = self.number, ?pause, error = %failure.error, "trying again");
        if let Some(RetryListener(tell)) = self.listener {
            tell(&Retry {
                host: self.host.to_owned(),
                status: failure.status,
                pause,
            });
        }
        tokio::time::sleep(pause).await;
        self.number += 1;
        Ok(())
    }
}

/// A factor in [0.5, 1), so that many clients that failed together do not come back together. The hasher's keys are the
/// standard library's only source of randomness, and nothing here must be repeatable.
fn jitter() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 11;
    0.5 + 0.5 * (bits as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(retry_after: Option<u64>) -> Failure {
        Failure {
            error: CompletionError::Cancelled,
            status: None,
            is_transient: true,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = RetryPolicy {
            n_attempts: 100,
            ..RetryPolicy::default()
        };
        for (attempt, seconds) in [(1, 0.5), (2, 1.0), (3, 2.0), (8, 60.0), (99, 60.0)] {
            let pause = policy.pause(attempt, &failure(None)).unwrap().as_secs_f64();
            assert!(
                (seconds * 0.5..=seconds).contains(&pause),
                "attempt {attempt}: {pause}"
            );
        }
    }

    #[test]
    fn the_endpoint_decides_the_pause_unless_it_is_too_long() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.pause(1, &failure(Some(7))),
            Some(Duration::from_secs(7))
        );
        assert_eq!(policy.pause(1, &failure(Some(3600))), None);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.pause(policy.n_attempts, &failure(Some(1))), None);
        assert_eq!(RetryPolicy::never().pause(1, &failure(None)), None);
    }
}
