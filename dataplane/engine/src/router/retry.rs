//! When a request is sent again. It may not send one; `forward` does.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::atomic::{AtomicI64, Ordering};

/// What a route says about trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries beside the first.
    pub attempts: u32,
    /// After which failures.
    pub on: RetryOn,
    /// How long one try may take to its answer's head.
    pub per_try_timeout: Option<Duration>,
    /// The first wait between two tries; each further one is twice as long.
    pub backoff_base: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// Whether requests are repeated that may do a thing twice.
    pub non_idempotent: bool,
    /// How many retries all of the route's requests together may cause.
    pub budget: Arc<RetryBudget>,
}

/// After which failures a request is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryOn {
    /// No connection could be made.
    pub connect: bool,
    /// The connection died before a byte of the answer.
    pub reset: bool,
    /// The try took too long.
    pub timeout: bool,
    /// Statuses in one of these ranges.
    pub statuses: Vec<RangeInclusive<u16>>,
}

impl RetryOn {
    /// Whether an answer of this status is not good enough.
    pub fn takes_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }
}

impl RetryPolicy {
    /// The wait before retry number `retry`, from 0: between half and all of the base times two to that power.
    /// `fraction` is random, from 0 to 1.
    pub fn backoff(&self, retry: u32, fraction: f64) -> Duration {
        let full = self
            .backoff_base
            .saturating_mul(2_u32.saturating_pow(retry.min(16)));
        full.min(self.backoff_max)
            .mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }
}

/// A measure of retries, filled by requests and by time, one for all threads.
///
/// As in Finagle: where everything fails, retries add a bounded share to the load and no more.
#[derive(Debug)]
pub struct RetryBudget {
    /// Retries for a hundred requests.
    percent: u32,
    /// Retries a second, whatever the requests.
    per_second: u32,
    /// What is saved up, in hundredths of a retry.
    saved: AtomicI64,
    /// Up to when time has been counted, in milliseconds of the caller's clock.
    counted_ms: AtomicI64,
}

impl PartialEq for RetryBudget {
    fn eq(&self, other: &Self) -> bool {
        (self.percent, self.per_second) == (other.percent, other.per_second)
    }
}

impl Eq for RetryBudget {}

impl RetryBudget {
    /// Saved up at most: what so many seconds give.
    const SECONDS: i64 = 10;
    /// What a hundred requests give at most beside it: a burst of retries after a quiet hour helps nobody.
    const REQUESTS: i64 = 1000;

    /// A full one.
    pub fn new(percent: u32, per_second: u32) -> Self {
        let budget = Self {
            percent,
            per_second,
            saved: AtomicI64::new(0),
            counted_ms: AtomicI64::new(0),
        };
        budget.saved.store(budget.most(), Ordering::Relaxed);
        budget
    }

    fn most(&self) -> i64 {
        i64::from(self.per_second) * 100 * Self::SECONDS
            + i64::from(self.percent) * Self::REQUESTS / 10
    }

    /// Notes a request.
    pub fn deposit(&self) {
        if self.saved.load(Ordering::Relaxed) < self.most() {
            self.saved
                .fetch_add(i64::from(self.percent), Ordering::Relaxed);
        }
    }

    /// Takes a retry, if there is one. `now_ms` counts up, from anywhere.
    pub fn withdraw(&self, now_ms: i64) -> bool {
        let earned = |before: i64| {
            let passed = (now_ms - before).clamp(0, Self::SECONDS * 1000);
            passed * i64::from(self.per_second) / 10
        };
        // By one step, and never back, or another thread would count the same time again. What is too little to count
        // is left for the next, or many small steps would never add up.
        let count = |before: i64| (earned(before) > 0).then_some(now_ms);
        let counted = self
            .counted_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        let earned = counted.map_or(0, earned);
        let change = |saved: i64| {
            let saved = (saved + earned).min(self.most());
            Some(if saved >= 100 { saved - 100 } else { saved })
        };
        let before = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        before.is_ok_and(|saved| (saved + earned).min(self.most()) >= 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests_and_some_a_second() {
        let budget = RetryBudget::new(20, 0);
        while budget.withdraw(0) {}
        for _ in 0..1000 {
            budget.deposit();
        }
        assert_eq!(
            (0..1000).filter(|_| budget.withdraw(0)).count(),
            20,
            "no more than can be saved"
        );
        for _ in 0..50 {
            budget.deposit();
        }
        assert_eq!((0..1000).filter(|_| budget.withdraw(0)).count(), 10);

        let budget = RetryBudget::new(0, 10);
        while budget.withdraw(1000) {}
        assert_eq!(
            (0..1000)
                .filter(|step| budget.withdraw(1000 + step))
                .count(),
            9
        );
        assert!(!RetryBudget::new(0, 0).withdraw(5));
    }

    #[test]
    fn waits_grow_to_their_most() {
        let policy = RetryPolicy {
            attempts: 5,
            on: RetryOn::default(),
            per_try_timeout: None,
            backoff_base: Duration::from_millis(20),
            backoff_max: Duration::from_millis(100),
            non_idempotent: false,
            budget: Arc::new(RetryBudget::new(20, 10)),
        };
        let waits: Vec<u128> = (0..5)
            .map(|retry| policy.backoff(retry, 1.0).as_millis())
            .collect();
        assert_eq!(waits, [20, 40, 80, 100, 100]);
        assert_eq!(policy.backoff(0, 0.0).as_millis(), 10);
        assert_eq!(policy.backoff(u32::MAX, 1.0).as_millis(), 100);
    }
}
