//! The idle upstream connections of one thread. It may not open any, nor be shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::Notify;

use crate::clock::{self, Instant};
use crate::error::Error;
use crate::mux::{Channel, Link};
use crate::side::Side;
use crate::stats::Recorder;

/// What makes two connections interchangeable: where they go, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PoolKey {
    /// To an instance, in clear.
    Clear(SocketAddr),
    /// To an instance, by TLS that it ends.
    Secured {
        /// Where it listens.
        address: SocketAddr,
        /// [`InstanceTls::number`]: by another setting another one is meant.
        ///
        /// [`InstanceTls::number`]: crate::snapshot::InstanceTls::number
        tls: u64,
    },
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

/// How long more connections may idle than are to be kept: many requests at once that were all answered mostly come again
/// at once, and connecting anew costs more than keeping.
const BURST: Duration = Duration::from_secs(1);

/// What a request and its answer may have of bytes, as a mean, to go by a channel: beyond it they fill records and
/// segments by themselves, share nothing with others, and would only stand in their way.
const BULK: u64 = 64 * 1024;

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

/// What there is of one key.
#[derive(Debug, Default)]
struct Place {
    /// Connections of their own that idle, last used last.
    idle: Vec<Idle>,
    /// Channels that do.
    channels: Vec<Idle>,
    /// The links they are in, and others may be opened in.
    links: Vec<Rc<Link>>,
    /// The one that is being opened.
    opening: Option<Rc<Opening>>,
    /// Whether the node there knows no links.
    has_no_links: bool,
    /// Bytes of a request and its answer, the mean of the last few.
    bytes: u64,
}

/// A link on its way, which more than one request waits for.
#[derive(Debug, Default)]
pub struct Opening {
    /// Told when it is there, or failed.
    done: Notify,
    /// Why it failed, if it did.
    error: RefCell<Option<Error>>,
}

/// The connections of one key. One that is out knows its home, and comes back to it without being looked up again.
#[derive(Debug, Clone, Default)]
pub struct Home(Rc<RefCell<Place>>);

impl Home {
    /// Puts a connection back that idles from `now` on. More than `most` do only for a moment.
    pub fn put(&self, mut side: Box<Side>, owner: Owner, most: usize, now: Instant) {
        let mut place = self.0.borrow_mut();
        let (received, sent) = side.take_counts();
        place.bytes = (7 * place.bytes + received + sent) / 8;
        let waiting = if side.stream.is_channel() {
            &mut place.channels
        } else {
            &mut place.idle
        };
        if most > 0 {
            waiting.push(Idle {
                side,
                since: now,
                owner,
            });
        }
    }

    /// Whether a request should share a link with others: as long as what goes there is small.
    pub fn is_shared(&self) -> bool {
        let place = self.0.borrow();
        !place.has_no_links && place.bytes <= BULK
    }

    /// Notes that the node there knows no links.
    pub fn note_no_links(&self) {
        self.0.borrow_mut().has_no_links = true;
    }

    /// A connection that is still quiet, or a channel where those are to be `is_shared`. What is not quiet is closed.
    pub fn take(&self, now: Instant, idle_timeout: Duration, is_shared: bool) -> Option<Box<Side>> {
        let mut place = self.0.borrow_mut();
        let waiting = if is_shared {
            &mut place.channels
        } else {
            &mut place.idle
        };
        while let Some(mut idle) = waiting.pop() {
            if idle.is_usable(now, idle_timeout) {
                return Some(idle.side);
            }
        }
        None
    }

    /// A channel in a link that stands already, and whether the other end has said anything in it.
    pub fn channel(&self, now: Instant) -> Option<(Channel, Rc<Link>)> {
        let place = self.0.borrow();
        let mut links = place.links.iter();
        links.find_map(|link| Some((link.open(now)?, Rc::clone(link))))
    }

    /// Waits for the link that is being opened, if one is, and says why it failed; else this one opens it, and says so
    /// by dropping what it is given.
    pub async fn open_or_wait(&self) -> Result<Option<Opener<'_>>, Error> {
        let opening = self.0.borrow().opening.clone();
        let Some(opening) = opening else {
            let opening = Rc::new(Opening::default());
            self.0.borrow_mut().opening = Some(Rc::clone(&opening));
            return Ok(Some(Opener {
                home: self,
                opening,
            }));
        };
        opening.done.notified().await;
        let error = opening.error.borrow().clone();
        error.map_or(Ok(None), Err)
    }

    /// Closes what idled too long, or beyond what may idle. False: nothing is left, neither here nor out.
    fn sweep(&self, now: Instant, idle_timeout: Duration, most: usize) -> bool {
        let place = &mut *self.0.borrow_mut();
        let is_kept = |idle: &Idle| {
            let is_in_time = now.duration_since(idle.since) < idle_timeout && idle.is_good(now);
            is_in_time && idle.side.stream.seems_quiet()
        };
        for waiting in [&mut place.idle, &mut place.channels] {
            waiting.retain(is_kept);
            let surplus = waiting.len().saturating_sub(most);
            let is_surplus = |idle: &&Idle| now.duration_since(idle.since) >= BURST;
            let surplus = waiting.iter().take(surplus).take_while(is_surplus).count();
            waiting.drain(..surplus);
        }
        place.links.retain(|link| !link.is_closed());
        let is_empty = place.idle.is_empty() && place.channels.is_empty() && place.links.is_empty();
        !is_empty || Rc::strong_count(&self.0) > 1
    }

    fn clear(&self) {
        let mut place = self.0.borrow_mut();
        place.idle.clear();
        place.channels.clear();
        for link in place.links.drain(..) {
            link.leave();
        }
    }
}

/// Whoever opens a link that others wait for.
#[derive(Debug)]
pub struct Opener<'h> {
    home: &'h Home,
    opening: Rc<Opening>,
}

impl Opener<'_> {
    /// The link is there.
    pub fn done(self, link: Rc<Link>) {
        self.home.0.borrow_mut().links.push(link);
    }

    /// It is not; those who wait hear why.
    pub fn failed(self, error: &Error) {
        *self.opening.error.borrow_mut() = Some(error.clone());
    }
}

impl Drop for Opener<'_> {
    fn drop(&mut self) {
        // Also where whoever opened it lost its patience: the next one tries.
        self.home.0.borrow_mut().opening = None;
        self.opening.done.notify_waiters();
    }
}

/// The idle connections of a thread.
#[derive(Debug, Default)]
pub struct Pool {
    homes: HashMap<PoolKey, Home, RandomState>,
}

impl Pool {
    /// The home of connections of this key, if there is one.
    pub fn find(&self, key: &PoolKey) -> Option<Home> {
        self.homes.get(key).cloned()
    }

    /// A connection that is still quiet and its home, if there is one.
    pub fn take(
        &self,
        key: &PoolKey,
        now: Instant,
        idle_timeout: Duration,
    ) -> Option<(Box<Side>, Home)> {
        let home = self.homes.get(key)?;
        let side = home.take(now, idle_timeout, false)?;
        Some((side, home.clone()))
    }

    /// Where a new connection comes to when it idles.
    pub fn home(&mut self, key: PoolKey) -> Home {
        self.homes.entry(key).or_default().clone()
    }

    /// Closes what idled too long, or beyond the `most` that may idle of one key, and forgets keys with nothing left.
    pub fn sweep(&mut self, idle_timeout: Duration, most: usize) {
        let now = clock::now();
        self.homes
            .retain(|_, home| home.sweep(now, idle_timeout, most));
    }

    /// Closes all.
    pub fn clear(&mut self) {
        for home in self.homes.values() {
            home.clear();
        }
    }

    /// Counts how many idle, by endpoint.
    pub fn count(&self, stats: &mut Recorder) {
        for home in self.homes.values() {
            let place = home.0.borrow();
            for idle in place.idle.iter().chain(&place.channels) {
                stats.record_idle(&idle.owner.0, &idle.owner.1);
            }
        }
    }

    /// How many connections idle.
    pub fn len(&self) -> usize {
        let places = self.homes.values().map(|home| home.0.borrow());
        places
            .map(|place| place.idle.len() + place.channels.len())
            .sum()
    }

    /// How many links stand.
    pub fn links(&self) -> usize {
        let places = self.homes.values().map(|home| home.0.borrow());
        places.map(|place| place.links.len()).sum()
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
                pool.sweep(LONG, 1);
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

    #[tokio::test(start_paused = true)]
    async fn beyond_what_may_idle_the_sweep_closes_what_idled_longest() {
        let (key, first, _a) = pair().await;
        let (_, second, _b) = pair().await;
        let mut pool = Pool::default();
        pool.home(key.clone()).put(first, owner(), 1, clock::now());
        let kept = second.stream.tcp().unwrap().local_addr().unwrap();
        pool.home(key.clone()).put(second, owner(), 1, clock::now());
        pool.sweep(LONG, 1);
        assert_eq!(pool.len(), 2, "for a moment more are kept");
        tokio::time::sleep(BURST).await;
        pool.sweep(LONG, 1);
        assert_eq!(pool.len(), 1);
        let (left, _) = pool.take(&key, clock::now(), LONG).unwrap();
        assert_eq!(left.stream.tcp().unwrap().local_addr().unwrap(), kept);
        pool.home(key.clone()).put(left, owner(), 0, clock::now());
        assert!(pool.is_empty(), "none is to be kept");
    }
}
