//! The idle upstream connections of one thread. It may not open any, nor be shared.

use std::collections::HashMap;
use std::net::SocketAddr;
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
        let is_quiet = if now.duration_since(self.since) < FRESH {
            stream.seems_quiet()
        } else {
            stream.is_quiet()
        };
        is_quiet && self.is_in_time(now, idle_timeout)
    }

    fn is_in_time(&self, now: Instant, idle_timeout: Duration) -> bool {
        let is_good = |end| now < end;
        now.duration_since(self.since) < idle_timeout && self.side.good_until.is_none_or(is_good)
    }
}

/// The idle connections, last used first.
#[derive(Debug, Default)]
pub struct Pool {
    idle: HashMap<PoolKey, Vec<Idle>, RandomState>,
}

impl Pool {
    /// A connection that is still quiet, if there is one. Those that are not are closed.
    pub fn take(
        &mut self,
        key: &PoolKey,
        now: Instant,
        idle_timeout: Duration,
    ) -> Option<Box<Side>> {
        let waiting = self.idle.get_mut(key)?;
        while let Some(mut idle) = waiting.pop() {
            if idle.is_usable(now, idle_timeout) {
                return Some(idle.side);
            }
        }
        None
    }

    /// Puts a connection back that idles from `now` on; above `most` for the same key it is closed instead.
    pub fn put(&mut self, key: PoolKey, side: Box<Side>, owner: Owner, most: usize, now: Instant) {
        let waiting = self.idle.entry(key).or_default();
        if waiting.len() < most {
            waiting.push(Idle {
                side,
                since: now,
                owner,
            });
        }
    }

    /// Closes what idled too long, and forgets keys with nothing left.
    pub fn sweep(&mut self, idle_timeout: Duration) {
        let now = clock::now();
        self.idle.retain(|_, waiting| {
            waiting.retain_mut(|idle| {
                idle.is_in_time(now, idle_timeout) && idle.side.stream.seems_quiet()
            });
            !waiting.is_empty()
        });
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.idle.clear();
    }

    /// Counts how many idle, by endpoint.
    pub fn count(&self, stats: &mut Recorder) {
        for idle in self.idle.values().flatten() {
            stats.record_idle(&idle.owner.0, &idle.owner.1);
        }
    }

    /// How many connections idle.
    pub fn len(&self) -> usize {
        self.idle.values().map(Vec::len).sum()
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
        pool.put(key.clone(), side, owner(), 1, clock::now());
        assert!(pool.take(&key, clock::now(), LONG).is_some());
        assert!(pool.take(&key, clock::now(), LONG).is_none());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_spoke_unasked_is_not_used_again() {
        for unasked in [&b""[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            let (key, side, mut theirs) = pair().await;
            let mut pool = Pool::default();
            pool.put(key.clone(), side, owner(), 1, clock::now());
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
        pool.put(key.clone(), side, owner(), 1, clock::now());
        rustix::net::send(&theirs, b"HTTP/1.1 200 OK\r\n\r\n", SendFlags::empty()).unwrap();
        assert!(pool.take(&key, clock::now() + FRESH, LONG).is_none());
    }

    #[tokio::test]
    async fn what_idles_is_counted_by_endpoint() {
        let (key, side, _theirs) = pair().await;
        let (mut pool, mut stats, mut expected) =
            (Pool::default(), Recorder::new(), Recorder::new());
        pool.put(key, side, owner(), 1, clock::now());
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
        pool.put(key.clone(), side, owner(), 1, clock::now());
        assert!(pool.take(&key, clock::now(), LONG).is_none());
    }

    #[tokio::test]
    async fn a_full_pool_closes_what_comes_back() {
        let (key, first, _a) = pair().await;
        let (_, second, _b) = pair().await;
        let mut pool = Pool::default();
        pool.put(key.clone(), first, owner(), 1, clock::now());
        pool.put(key.clone(), second, owner(), 1, clock::now());
        assert_eq!(pool.len(), 1);
    }
}
