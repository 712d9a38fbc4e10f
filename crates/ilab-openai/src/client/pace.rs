//! How fast an endpoint is asked: within a budget, and more slowly once it says that it is too much.
//!
//! The number of requests in flight follows AIMD, as congestion control does (RFC 5681): halved when the endpoint is overloaded, one
//! more after each round of answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A budget may be used up this far ahead of the clock: providers count over shorter times than a minute, too.
const BURST_SECONDS: f64 = 10.0;

/// What an endpoint allows in a minute; absent is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Requests.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers together.
    pub tokens_per_minute: Option<u32>,
}

/// Lets requests through, each in its turn.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    requests: Bucket,
    tokens: Bucket,
    n_in_flight: usize,
    /// At most so many may be in flight.
    allowed: f64,
    /// When `allowed` was last lowered: failures of requests from before say nothing new.
    lowered_at: Option<Instant>,
    /// The endpoint asks to be left alone until then.
    closed_until: Option<Instant>,
    has_succeeded: bool,
}

/// A request that may be sent now; its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'p> {
    pace: &'p Pace,
    started: Instant,
    /// What was taken out of the budget and is put back unless it was used.
    n_reserved: f64,
}

impl Pace {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            state: Mutex::new(State {
                requests: Bucket::new(budget.requests_per_minute),
                tokens: Bucket::new(budget.tokens_per_minute),
                n_in_flight: 0,
                allowed: f64::INFINITY,
                lowered_at: None,
                closed_until: None,
                has_succeeded: false,
            }),
            freed: Notify::new(),
        }
    }

    /// Waits until a request of about so many tokens may be sent.
    pub(super) async fn turn(&self, n_tokens: u32) -> Turn<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Before looking, so that nothing that happens in between is missed.
            freed.as_mut().enable();
            let wait = self.lock().enter(n_tokens);
            match wait {
                Wait::Nothing => {
                    return Turn {
                        pace: self,
                        started: Instant::now(),
                        n_reserved: f64::from(n_tokens),
                    };
                }
                Wait::Until(moment) => tokio::select! {
                    () = tokio::time::sleep_until(moment) => {}
                    () = freed => {}
                },
                Wait::ForAnother => freed.await,
            }
        }
    }

    /// Whether the endpoint has ever answered.
    pub(super) fn has_succeeded(&self) -> bool {
        self.lock().has_succeeded
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// The endpoint answered, with so many tokens in all where it says so.
    pub(super) fn succeeded(mut self, n_tokens: Option<u32>) {
        let mut state = self.pace.lock();
        state.has_succeeded = true;
        state.allowed += 1.0 / state.allowed;
        drop(state);
        self.n_reserved = n_tokens.map_or(0.0, |used| self.n_reserved - f64::from(used));
    }

    /// The endpoint says that it is asked too much, and perhaps for how long it wants to be left alone.
    pub(super) fn overloaded(self, pause: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.pace.lock();
        if state.lowered_at.is_none_or(|moment| self.started > moment) {
            let n_in_flight = state.n_in_flight as f64;
            state.allowed = (state.allowed.min(n_in_flight) / 2.0).max(1.0);
            state.lowered_at = Some(now);
            tracing::debug!(allowed = state.allowed, "fewer requests at a time");
        }
        if let Some(until) = pause.and_then(|pause| now.checked_add(pause)) {
            state.closed_until = state.closed_until.max(Some(until));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        state.n_in_flight -= 1;
        state.tokens.level += self.n_reserved;
        drop(state);
        self.pace.freed.notify_waiters();
    }
}

/// What a request has to wait for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wait {
    Nothing,
    Until(Instant),
    /// The end of another request.
    ForAnother,
}

impl State {
    fn enter(&mut self, n_tokens: u32) -> Wait {
        let now = Instant::now();
        if let Some(until) = self.closed_until.filter(|until| *until > now) {
            return Wait::Until(until);
        }
        if self.n_in_flight as f64 + 1.0 > self.allowed {
            return Wait::ForAnother;
        }
        let open = self.requests.open_at(now).max(self.tokens.open_at(now));
        if open > now {
            return Wait::Until(open);
        }
        self.requests.level -= 1.0;
        self.tokens.level -= f64::from(n_tokens);
        self.n_in_flight += 1;
        Wait::Nothing
    }
}

/// A token bucket that may be overdrawn once: what is taken beyond its level is waited for afterwards.
#[derive(Debug)]
struct Bucket {
    /// Infinite without a limit.
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    fn new(per_minute: Option<u32>) -> Self {
        let per_second = per_minute.map_or(f64::INFINITY, |n| f64::from(n) / 60.0);
        Self {
            per_second,
            level: per_second * BURST_SECONDS,
            filled_at: Instant::now(),
        }
    }

    /// When something may be taken out: now, or once the level is above zero.
    fn open_at(&mut self, now: Instant) -> Instant {
        if self.per_second.is_infinite() {
            return now;
        }
        let seconds = now.duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + seconds * self.per_second).min(self.per_second * BURST_SECONDS);
        self.filled_at = now;
        if self.level > 0.0 {
            return now;
        }
        // A little more than nothing, whatever the rounding.
        let missing = -self.level + self.per_second * 1e-3;
        now + Duration::from_secs_f64(missing / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(test)
    }

    #[test]
    fn a_budget_of_requests_is_kept() {
        run(async {
            let pace = Pace::new(Budget {
                requests_per_minute: Some(60),
                tokens_per_minute: None,
            });
            let start = Instant::now();
            for _ in 0..70 {
                pace.turn(1).await.succeeded(None);
            }
            // Ten at once, then one a second.
            let seconds = start.elapsed().as_secs_f64();
            assert!((59.0..61.5).contains(&seconds), "{seconds}");
        });
    }

    #[test]
    fn a_budget_of_tokens_is_kept_by_what_was_used() {
        run(async {
            let pace = Pace::new(Budget {
                requests_per_minute: None,
                tokens_per_minute: Some(6_000),
            });
            let start = Instant::now();
            for _ in 0..8 {
                // Half of what was feared.
                pace.turn(1_000).await.succeeded(Some(500));
            }
            let seconds = start.elapsed().as_secs_f64();
            assert!((24.0..36.0).contains(&seconds), "{seconds}");
            // What failed cost nothing.
            tokio::time::advance(Duration::from_secs(60)).await;
            for _ in 0..10 {
                drop(pace.turn(50_000).now_or_never().unwrap());
            }
            // More than a whole burst passes, once the level is above zero.
            pace.turn(50_000).await.succeeded(None);
            assert!(pace.turn(1).now_or_never().is_none());
        });
    }

    #[test]
    fn overload_halves_what_is_in_flight_once_and_answers_raise_it() {
        run(async {
            let pace = Pace::new(Budget::default());
            let mut turns = Vec::new();
            for _ in 0..16 {
                turns.push(pace.turn(1).await);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
            // All sixteen are told; they were sent together, so it counts once.
            turns.into_iter().for_each(|turn| turn.overloaded(None));
            let mut turns = Vec::new();
            for _ in 0..8 {
                turns.push(pace.turn(1).now_or_never().unwrap());
            }
            assert!(pace.turn(1).now_or_never().is_none());
            turns.into_iter().for_each(|turn| turn.succeeded(None));
            let turns: Vec<_> = (0..10).map_while(|_| pace.turn(1).now_or_never()).collect();
            assert_eq!(turns.len(), 8);
            assert!(pace.has_succeeded());
        });
    }

    #[test]
    fn an_endpoint_that_wants_to_be_left_alone_is() {
        run(async {
            let pace = Pace::new(Budget::default());
            pace.turn(1).await.overloaded(Some(Duration::from_secs(30)));
            let start = Instant::now();
            let turn = pace.turn(1).await;
            assert_eq!(start.elapsed().as_secs(), 30);
            // At least one request is always allowed; others wait for it.
            turn.overloaded(None);
            let turn = pace.turn(1).await;
            let (other, ()) = tokio::join!(pace.turn(1), async {
                tokio::task::yield_now().await;
                turn.succeeded(None);
            });
            drop(other);
        });
    }
}
