//! What holds of limits and budgets that threads share, in every order their steps may be seen in.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use meshnode_engine::limiter::{Key, Limiter, Over, Per, Rate, RequestLimits};
use meshnode_engine::retry::RetryBudget;

const NOW: Duration = Duration::from_secs(7);

fn limiter(rate: Option<Rate>, concurrent: Option<u32>) -> Arc<Limiter> {
    let per = Per::All;
    Arc::new(Limiter::new(RequestLimits {
        rate,
        concurrent,
        per,
    }))
}

/// Runs `work` in so many threads at once, in every order; what each gave.
fn at_once<T: 'static>(threads: usize, work: impl Fn() -> T + Clone + 'static) -> Vec<T> {
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(work.clone())).collect();
    running.into_iter().map(|one| one.join().unwrap()).collect()
}

#[test]
fn no_more_are_under_way_than_may_be_and_a_place_is_free_again() {
    loom::model(|| {
        let limiter = limiter(None, Some(1));
        let shared = Arc::clone(&limiter);
        let held = at_once(2, move || shared.admit(Key::All, NOW));
        let admitted = held.iter().filter(|one| one.is_ok()).count();
        assert_eq!(admitted, 1);
        drop(held);
        assert!(limiter.admit(Key::All, NOW).is_ok());
    });
}

#[test]
fn one_that_goes_makes_room_for_one_and_not_for_two() {
    loom::model(|| {
        let limiter = limiter(None, Some(1));
        let first = limiter.admit(Key::All, NOW);
        let shared = Arc::clone(&limiter);
        let other = thread::spawn(move || shared.admit(Key::All, NOW));
        drop(first);
        let mine = limiter.admit(Key::All, NOW);
        let other = other.join().unwrap();
        assert!(mine.is_err() || other.is_err());
        drop((mine, other));
        assert!(limiter.admit(Key::All, NOW).is_ok());
    });
}

#[test]
fn a_burst_is_let_through_to_the_last_of_it_and_no_further() {
    loom::model(|| {
        let rate = Rate {
            per_second: 1,
            burst: 2,
        };
        let limiter = limiter(Some(rate), None);
        let shared = Arc::clone(&limiter);
        let answers = at_once(3, move || shared.admit(Key::All, NOW).map(|_| ()));
        let admitted = answers.iter().filter(|one| one.is_ok()).count();
        assert_eq!(admitted, 2);
        assert!(answers.contains(&Err(Over::Rate(Duration::from_secs(1)))));
    });
}

#[test]
fn time_is_counted_once_for_retries_however_threads_meet() {
    loom::model(|| {
        let budget = Arc::new(RetryBudget::new(0, 1));
        while budget.withdraw(0) {}
        let shared = Arc::clone(&budget);
        let early = thread::spawn(move || shared.withdraw(5));
        let late = budget.withdraw(1_500);
        let early = early.join().unwrap();
        let after = budget.withdraw(1_501);
        let taken = [early, late, after].iter().filter(|one| **one).count();
        assert_eq!(taken, 1, "a second and a half is one retry");
    });
}

#[test]
fn the_last_retry_is_taken_once() {
    loom::model(|| {
        let budget = Arc::new(RetryBudget::new(0, 1));
        for _ in 0..9 {
            assert!(budget.withdraw(0));
        }
        let shared = Arc::clone(&budget);
        let taken = at_once(2, move || shared.withdraw(0));
        assert_eq!(taken.iter().filter(|one| **one).count(), 1);
    });
}
