//! How many requests may go on, by rate and at one time. It may not wait, lock or forget to let go.
//!
//! Rates are kept by the generic cell rate algorithm: one number a key, the time at which all that was let through
//! would have been spread evenly. What is kept by caller or client lies in a table of fixed size, so that no number of
//! strangers makes it grow.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::network::client_of;

/// Keys that are kept apart: 24 KiB, taken with the first request. Where more are busy at one time, some share.
const PLACES: usize = 1024;
/// Places a key may have: looked at for each request.
const WAYS: usize = 8;
const NANOSECONDS: u64 = 1_000_000_000;

/// What a route or a service says of the requests it takes. At least one of the two numbers is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests a second, and how many may come at once.
    pub rate: Option<Rate>,
    /// Requests under way at one time.
    pub concurrent: Option<u32>,
    /// Whose requests are counted together.
    pub per: Per,
}

/// A measure of requests over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run; at least 1.
    pub per_second: u32,
    /// After a rest; at least 1.
    pub burst: u32,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// All.
    All,
    /// Those of each calling service.
    Caller,
    /// Those of each client's address at the edge, of each calling service elsewhere.
    Client,
}

/// One that a request is counted for.
#[derive(Debug, Clone, Copy, Hash)]
pub enum Key<'k> {
    /// Everybody.
    All,
    /// A calling service.
    Caller(&'k str),
    /// A client's address.
    Client(IpAddr),
}

/// Why a request may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// There were too many; one would be taken after this time.
    Rate(Duration),
    /// There are too many now.
    Concurrent,
}

/// Limits and what was counted for them, one for all threads of the node.
#[derive(Debug)]
pub struct Limiter {
    /// What it keeps.
    pub limits: RequestLimits,
    all: Place,
    keyed: OnceLock<Box<[Place]>>,
    hash: RandomState,
}

/// What is counted for one key. Between its parts nothing is settled: two threads may both take the last request of a
/// key whose place changes hands at that very moment.
#[derive(Debug, Default)]
struct Place {
    /// Whose it is, as a hash.
    owner: AtomicU64,
    /// When what was let through would have been spread evenly, in nanoseconds of the caller's clock.
    due_ns: AtomicU64,
    /// Requests under way.
    running: AtomicU32,
}

/// A request that was let through; it is under way until this is dropped.
#[derive(Debug)]
pub struct Held {
    limiter: Arc<Limiter>,
    /// Its place in the table; none: that of all.
    place: Option<usize>,
}

impl PartialEq for Limiter {
    fn eq(&self, other: &Self) -> bool {
        self.limits == other.limits
    }
}

impl Eq for Limiter {}

impl Limiter {
    /// One that has counted nothing.
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            all: Place::default(),
            keyed: OnceLock::new(),
            hash: RandomState::default(),
        }
    }

    /// Limits as they are now: with what was counted, where `before` had the same.
    pub fn carried(limits: Option<RequestLimits>, before: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        let limits = limits?;
        let same = before.filter(|before| before.limits == limits);
        Some(same.map_or_else(|| Arc::new(Self::new(limits)), Arc::clone))
    }

    /// Lets a request of `key` through, if it may go on. `now` counts up, from anywhere.
    pub fn admit(self: &Arc<Self>, key: Key<'_>, now: Duration) -> Result<Option<Held>, Over> {
        let now_ns = now.as_nanos() as u64;
        let at = match key {
            Key::All => None,
            Key::Caller(_) | Key::Client(_) => Some(self.find(key, now_ns)),
        };
        let place = self.place(at);
        let held = match self.limits.concurrent {
            Some(most) => Some(self.enter(place, at, most)?),
            None => None,
        };
        if let Some(rate) = self.limits.rate {
            place.take(rate, now_ns)?;
        }
        Ok(held)
    }

    fn enter(self: &Arc<Self>, place: &Place, at: Option<usize>, most: u32) -> Result<Held, Over> {
        if place.running.fetch_add(1, Ordering::Relaxed) >= most {
            place.running.fetch_sub(1, Ordering::Relaxed);
            return Err(Over::Concurrent);
        }
        Ok(Held {
            limiter: Arc::clone(self),
            place: at,
        })
    }

    fn place(&self, at: Option<usize>) -> &Place {
        at.map_or(&self.all, |at| &self.places()[at])
    }

    fn places(&self) -> &[Place] {
        let make = || (0..PLACES).map(|_| Place::default()).collect();
        self.keyed.get_or_init(make)
    }

    /// The key's place: its own, else one that nobody needs any more, else that of the one who has used least.
    fn find(&self, key: Key<'_>, now_ns: u64) -> usize {
        // By a secret of this process: nobody can choose with whom to share.
        let owner = self.hash.hash_one(network_of(key)) | 1;
        let first = owner as usize / 2 % (PLACES / WAYS) * WAYS;
        let ways = &self.places()[first..first + WAYS];
        let is_own = |place: &Place| place.owner.load(Ordering::Relaxed) == owner;
        if let Some(way) = ways.iter().position(is_own) {
            return first + way;
        }
        for (way, place) in ways.iter().enumerate() {
            let other = place.owner.load(Ordering::Relaxed);
            let is_free = place.running.load(Ordering::Relaxed) == 0
                && place.due_ns.load(Ordering::Relaxed) <= now_ns;
            let change = (Ordering::Relaxed, Ordering::Relaxed);
            if is_free
                && place
                    .owner
                    .compare_exchange(other, owner, change.0, change.1)
                    .is_ok()
            {
                return first + way;
            }
        }
        let used = |way: &usize| {
            let place = &ways[*way];
            let running = place.running.load(Ordering::Relaxed);
            (place.due_ns.load(Ordering::Relaxed), running)
        };
        first + (0..WAYS).min_by_key(used).unwrap_or_default()
    }
}

impl Place {
    fn take(&self, rate: Rate, now_ns: u64) -> Result<(), Over> {
        let step = NANOSECONDS / u64::from(rate.per_second);
        let ahead = step * u64::from(rate.burst - 1);
        let next = |due: u64| {
            let due = due.max(now_ns);
            (due - now_ns <= ahead).then_some(due + step)
        };
        let taken = self
            .due_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map(|_| ()).map_err(|due| {
            let early = due.saturating_sub(now_ns).saturating_sub(ahead);
            Over::Rate(Duration::from_nanos(early))
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let place = self.limiter.place(self.place);
        place.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client with IPv6 has a whole network: its addresses are one.
fn network_of(key: Key<'_>) -> Key<'_> {
    match key {
        Key::Client(address) => Key::Client(client_of(address)),
        Key::Caller(_) | Key::All => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: Option<(u32, u32)>, concurrent: Option<u32>, per: Per) -> Arc<Limiter> {
        let rate = rate.map(|(per_second, burst)| Rate { per_second, burst });
        Arc::new(Limiter::new(RequestLimits {
            rate,
            concurrent,
            per,
        }))
    }

    fn client(number: u32) -> Key<'static> {
        Key::Client(IpAddr::V4(number.into()))
    }

    fn let_through(limiter: &Arc<Limiter>, key: Key<'_>, at_ms: u64, asked: usize) -> usize {
        let now = Duration::from_millis(at_ms);
        let admitted = |_: &usize| limiter.admit(key, now).is_ok();
        (0..asked).filter(admitted).count()
    }

    #[test]
    fn a_rate_lets_a_burst_through_and_then_its_measure() {
        let limiter = limiter(Some((10, 5)), None, Per::All);
        let through = |at_ms, asked| let_through(&limiter, Key::All, at_ms, asked);
        assert_eq!(through(1_000, 100), 5, "the burst");
        assert_eq!(
            limiter
                .admit(Key::All, Duration::from_millis(1_040))
                .unwrap_err(),
            Over::Rate(Duration::from_millis(60)),
            "as long as the next one would wait"
        );
        assert_eq!(through(1_100, 100), 1);
        let second: usize = (1_101..=2_100).map(|at_ms| through(at_ms, 3)).sum();
        assert_eq!(second, 10, "a second gives what it is to give");
        assert_eq!(
            through(60_000, 100),
            5,
            "no more than the burst is saved up"
        );
    }

    #[test]
    fn what_is_under_way_counts_until_it_is_let_go() {
        let limiter = limiter(None, Some(2), Per::All);
        let admit = || limiter.admit(Key::All, Duration::ZERO);
        let (one, _two) = (admit().unwrap(), admit().unwrap());
        assert_eq!(admit().unwrap_err(), Over::Concurrent);
        drop(one);
        assert!(admit().unwrap().is_some());
    }

    #[test]
    fn what_the_rate_refuses_is_not_under_way() {
        let limiter = limiter(Some((1, 1)), Some(1), Per::All);
        drop(limiter.admit(Key::All, Duration::ZERO).unwrap());
        assert!(matches!(
            limiter.admit(Key::All, Duration::ZERO),
            Err(Over::Rate(_))
        ));
        let later = limiter.admit(Key::All, Duration::from_secs(2));
        assert!(later.unwrap().is_some());
    }

    #[test]
    fn each_key_has_its_own_measure() {
        let limiter = limiter(Some((1, 2)), Some(1_000), Per::Client);
        for number in 0..100 {
            assert_eq!(let_through(&limiter, client(number), 0, 3), 2, "{number}");
        }
        let caller = |name| let_through(&limiter, Key::Caller(name), 0, 3);
        assert_eq!((caller("web"), caller("api"), caller("web")), (2, 2, 0));
        let six =
            |address: &str| let_through(&limiter, Key::Client(address.parse().unwrap()), 0, 3);
        assert_eq!(six("2001:db8::1"), 2);
        assert_eq!(six("2001:db8::ffff"), 0, "one network, one client");
        assert_eq!(six("2001:db8:0:1::1"), 2);
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_room_and_lets_nobody_through_twice() {
        let limiter = limiter(Some((1, 1)), None, Per::Client);
        assert_eq!(let_through(&limiter, client(7), 0, 1), 1);
        let flood: usize = (1_000..101_000)
            .map(|number| let_through(&limiter, client(number), 0, 1))
            .sum();
        assert!(flood < PLACES, "{flood} had a place");
        assert_eq!(limiter.places().len(), PLACES);
        assert_eq!(let_through(&limiter, client(7), 500, 1), 0);
        assert_eq!(
            let_through(&limiter, client(7), 2_000, 1),
            1,
            "rest gives places back"
        );
    }

    #[test]
    fn what_was_counted_goes_on_while_the_limits_are_the_same() {
        let before = limiter(Some((1, 1)), None, Per::All);
        let same = Limiter::carried(Some(before.limits), Some(&before)).unwrap();
        assert!(Arc::ptr_eq(&before, &same));
        let other = RequestLimits {
            concurrent: Some(5),
            ..before.limits
        };
        assert!(!Arc::ptr_eq(
            &before,
            &Limiter::carried(Some(other), Some(&before)).unwrap()
        ));
        assert!(Limiter::carried(None, Some(&before)).is_none());
    }
}
