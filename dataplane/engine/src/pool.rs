//! The idle upstream connections of one thread. It may not open any, nor be shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::clock::{self, Instant};
use crate::side::Side;
use crate::stats::Recorder;

/// What makes two connections interchangeable: where they go, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PoolKey {
    /// In clear, to an instance.
    Clear(SocketAddr),
    /// Mutual TLS to a node, as one service, to another: never shared between identities.
    Mesh {
        /// The node's mesh port.
        address: SocketAddr,
        /// Whose certificate was shown.
        identity: Arc<str>,
        /// Which of its certificates: one that was renewed or taken away is used no more.
        serial: u64,
        /// Whose certificate was demanded.
        service: Arc<str>,
    },
}

/// For whose sake a connection is counted: the cluster and the endpoint.
pub type Owner = (Arc<str>, Arc<str>);

/// How long the runtime's word that nothing came is enough: a busy thread hears of its sockets many times in it, and no
/// server closes so soon. After longer the system is asked, by a call that a busy thread would make for each request.
const FRESH: Duration = Duration::from_millis(10);

/// A connection that idles.
#[derive(Debug)]
struct Idle {
    side: Box<Side>,
    since: Instant,
    owner: Owner,
}

impl Idle {
    fn is_usable(&mut self, now: Instant, idle_timeout: Duration) -> bool {
        let stream = &mut self.side.stream;
        let idled = now.duration_since(self.since);
        let is_quiet = if idled < FRESH {
            stream.seems_quiet()
        } else {
            stream.is_quiet()
        };
        is_quiet && idled < idle_timeout && self.is_good(now)
    }

    fn is_good(&self, now: Instant) -> bool {
        self.side.good_until.is_none_or(|end| now < end)
    }
}

/// The idle connections of one key, last used last. A connection that is out knows its home, and comes back to it
/// without being looked up again.
#[derive(Debug, Clone, Default)]
pub struct Home(Rc<RefCell<Vec<Idle>>>);

impl Home {
    /// Puts a connection back that idles from `now` on; where `most` idle already it is closed instead.
    pub fn put(&self, side: Box<Side>, owner: Owner, most: usize, now: Instant) {
        let mut waiting = self.0.borrow_mut();
        if waiting.len() < most {
            waiting.push(Idle {
                side,
                since: now,
                owner,
            });
        }
    }

    /// A connection that is still quiet. Those that are not are closed.
    fn take(&self, now: Instant, idle_timeout: Duration) -> Option<Box<Side>> {
        let mut waiting = self.0.borrow_mut();
        while let Some(mut idle) = waiting.pop() {
            if idle.is_usable(now, idle_timeout) {
                return Some(idle.side);
            }
        }
        None
    }

    /// Closes what idled too long. False: nothing is left, neither here nor out.
    fn sweep(&self, now: Instant, idle_timeout: Duration) -> bool {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|idle| {
            let is_in_time = now.duration_since(idle.since) < idle_timeout && idle.is_good(now);
            is_in_time && idle.side.stream.seems_quiet()
        });
        !waiting.is_empty() || Rc::strong_count(&self.0) > 1
    }
}

/// The idle connections of a thread.
#[derive(Debug, Default)]
pub struct Pool {
    homes: HashMap<PoolKey, Home, RandomState>,
}

impl Pool {
    /// A connection that is still quiet and its home, if there is one.
    pub fn take(
        &self,
        key: &PoolKey,
        now: Instant,
        idle_timeout: Duration,
    ) -> Option<(Box<Side>, Home)> {
        let home = self.homes.get(key)?;
        let side = home.take(now, idle_timeout)?;
        Some((side, home.clone()))
    }

    /// Where a new connection comes to when it idles.
    pub fn home(&mut self, key: PoolKey) -> Home {
        self.homes.entry(key).or_default().clone()
    }

    /// Closes what idled too long, and forgets keys with nothing left.
    pub fn sweep(&mut self, idle_timeout: Duration) {
        let now = clock::now();
        self.homes.retain(|_, home| home.sweep(now, idle_timeout));
    }

    /// Closes all.
    pub fn clear(&mut self) {
        for home in self.homes.values() {
            home.0.borrow_mut().clear();
        }
    }

    /// Counts how many idle, by endpoint.
    pub fn count(&self, stats: &mut Recorder) {
        for home in self.homes.values() {
            for idle in &*home.0.borrow() {
                stats.record_idle(&idle.owner.0, &idle.owner.1);
            }
        }
    }

    /// How many connections idle.
    pub fn len(&self) -> usize {
        self.homes.values().map(|home| home.0.borrow().len()).sum()
    }

    /// Whether none idles.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::SendFlags;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::stream::Stream;

    const LONG: Duration = Duration::from_secs(30);

    async fn pair() -> (PoolKey, Box<Side>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        (
            PoolKey::Clear(address),
            Box::new(Side::new(Stream::Plain(ours.unwrap()))),
            theirs.unwrap().0,
        )
    }

    fn owner() -> Owner {
        (Arc::from("cart"), Arc::from("cart-1"))
    }

    #[tokio::test]
    async fn a_quiet_connection_is_used_again() {
        let (key, side, _theirs) = pair().await;
        let mut pool = Pool::default();
        pool.home(key.clone()).put(side, owner(), 1, clock::now());
        assert!(pool.take(&key, clock::now(), LONG).is_some());
        assert!(pool.take(&key, clock::now(), LONG).is_none());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_spoke_unasked_is_not_used_again() {
        for unasked in [&b""[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            let (key, side, mut theirs) = pair().await;
            let mut pool = Pool::default();
            pool.home(key.clone()).put(side, owner(), 1, clock::now());
            theirs.write_all(unasked).await.unwrap();
            drop(theirs);
            while !pool.is_empty() {
                pool.sweep(LONG);
                tokio::task::yield_now().await;
            }
            assert!(pool.take(&key, clock::now(), LONG).is_none());
        }
    }

    #[tokio::test]
    async fn what_the_runtime_has_not_heard_of_counts_where_it_idled_for_longer() {
        let (key, side, theirs) = pair().await;
        let mut pool = Pool::default();
        pool.home(key.clone()).put(side, owner(), 1, clock::now());
        rustix::net::send(&theirs, b"HTTP/1.1 200 OK\r\n\r\n", SendFlags::empty()).unwrap();
        assert!(pool.take(&key, clock::now() + FRESH, LONG).is_none());
    }

    #[tokio::test]
    async fn what_idles_is_counted_by_endpoint() {
        let (key, side, _theirs) = pair().await;
        let (mut pool, mut stats, mut expected) =
            (Pool::default(), Recorder::new(), Recorder::new());
        pool.home(key.clone()).put(side, owner(), 1, clock::now());
        pool.count(&mut stats);
        expected.record_idle("cart", "cart-1");
        let outside = crate::stats::Outside::default();
        assert_eq!(stats.to_json(&outside), expected.to_json(&outside));
    }

    #[tokio::test]
    async fn a_connection_is_not_used_beyond_what_proved_it() {
        let (key, mut side, _theirs) = pair().await;
        let mut pool = Pool::default();
        side.good_until = Some(clock::now());
        pool.home(key.clone()).put(side, owner(), 1, clock::now());
        assert!(pool.take(&key, clock::now(), LONG).is_none());
    }

    #[tokio::test]
    async fn a_full_pool_closes_what_comes_back() {
        let (key, first, _a) = pair().await;
        let (_, second, _b) = pair().await;
        let mut pool = Pool::default();
        pool.home(key.clone()).put(first, owner(), 1, clock::now());
        pool.home(key.clone()).put(second, owner(), 1, clock::now());
        assert_eq!(pool.len(), 1);
    }
}
