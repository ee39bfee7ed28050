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

/// A connection that idles.
#[derive(Debug)]
struct Idle {
    side: Side,
    since: Instant,
    owner: Owner,
}

impl Idle {
    fn is_usable(&mut self, idle_timeout: Duration) -> bool {
        self.is_in_time(idle_timeout) && self.side.stream.is_quiet()
    }

    fn is_in_time(&self, idle_timeout: Duration) -> bool {
        let is_good = |end| clock::now() < end;
        self.since.elapsed() < idle_timeout && self.side.good_until.is_none_or(is_good)
    }

    /// Counts that it idles no longer.
    fn leave(&self, stats: &mut Recorder) {
        stats.record_idle(&self.owner.0, &self.owner.1, -1);
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
        idle_timeout: Duration,
        stats: &mut Recorder,
    ) -> Option<Side> {
        let waiting = self.idle.get_mut(key)?;
        while let Some(mut idle) = waiting.pop() {
            idle.leave(stats);
            if idle.is_usable(idle_timeout) {
                return Some(idle.side);
            }
        }
        None
    }

    /// Puts a connection back; above `most` for the same key it is closed instead.
    pub fn put(
        &mut self,
        key: &PoolKey,
        side: Side,
        owner: Owner,
        most: usize,
        stats: &mut Recorder,
    ) {
        if self.idle.get(key).map_or(0, Vec::len) >= most {
            return;
        }
        stats.record_idle(&owner.0, &owner.1, 1);
        let entry = Idle {
            side,
            since: clock::now(),
            owner,
        };
        match self.idle.get_mut(key) {
            Some(waiting) => waiting.push(entry),
            None => drop(self.idle.insert(key.clone(), vec![entry])),
        }
    }

    /// Closes what idled too long, and forgets keys with nothing left.
    pub fn sweep(&mut self, idle_timeout: Duration, stats: &mut Recorder) {
        self.idle.retain(|_, waiting| {
            waiting.retain(|idle| {
                let is_kept = idle.is_in_time(idle_timeout) && idle.side.stream.seems_quiet();
                if !is_kept {
                    idle.leave(stats);
                }
                is_kept
            });
            !waiting.is_empty()
        });
    }

    /// Closes all.
    pub fn clear(&mut self, stats: &mut Recorder) {
        for idle in self.idle.drain().flat_map(|(_, waiting)| waiting) {
            idle.leave(stats);
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

    async fn pair() -> (PoolKey, Side, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        (
            PoolKey::Clear(address),
            Side::new(Stream::Plain(ours.unwrap())),
            theirs.unwrap().0,
        )
    }

    fn owner() -> Owner {
        (Arc::from("cart"), Arc::from("cart-1"))
    }

    #[tokio::test]
    async fn a_quiet_connection_is_used_again() {
        let (key, side, _theirs) = pair().await;
        let (mut pool, mut stats) = (Pool::default(), Recorder::new());
        pool.put(&key, side, owner(), 1, &mut stats);
        assert!(pool.take(&key, LONG, &mut stats).is_some());
        assert!(pool.take(&key, LONG, &mut stats).is_none());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_spoke_unasked_is_not_used_again() {
        for unasked in [&b""[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            let (key, side, mut theirs) = pair().await;
            let (mut pool, mut stats) = (Pool::default(), Recorder::new());
            pool.put(&key, side, owner(), 1, &mut stats);
            theirs.write_all(unasked).await.unwrap();
            drop(theirs);
            while !pool.is_empty() {
                pool.sweep(LONG, &mut stats);
                tokio::task::yield_now().await;
            }
            assert!(pool.take(&key, LONG, &mut stats).is_none());
        }
    }

    #[tokio::test]
    async fn what_the_runtime_has_not_heard_of_counts_too() {
        let (key, side, theirs) = pair().await;
        let (mut pool, mut stats) = (Pool::default(), Recorder::new());
        pool.put(&key, side, owner(), 1, &mut stats);
        rustix::net::send(&theirs, b"HTTP/1.1 200 OK\r\n\r\n", SendFlags::empty()).unwrap();
        assert!(pool.take(&key, LONG, &mut stats).is_none());
    }

    #[tokio::test]
    async fn a_connection_is_not_used_beyond_what_proved_it() {
        let (key, mut side, _theirs) = pair().await;
        let (mut pool, mut stats) = (Pool::default(), Recorder::new());
        side.good_until = Some(clock::now());
        pool.put(&key, side, owner(), 1, &mut stats);
        assert!(pool.take(&key, LONG, &mut stats).is_none());
    }

    #[tokio::test]
    async fn a_full_pool_closes_what_comes_back() {
        let (key, first, _a) = pair().await;
        let (_, second, _b) = pair().await;
        let (mut pool, mut stats) = (Pool::default(), Recorder::new());
        pool.put(&key, first, owner(), 1, &mut stats);
        pool.put(&key, second, owner(), 1, &mut stats);
        assert_eq!(pool.len(), 1);
    }
}
