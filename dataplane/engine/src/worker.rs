//! What one thread has for itself: nothing in it is shared, so nothing in it is locked. It may not do I/O.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Cache};

use crate::balancer::Balancer;
use crate::buffers::BufferPool;
use crate::clock;
use crate::handshakes::Handshakes;
use crate::http1::HeaderStore;
use crate::idle::IdleConnections;
use crate::instance_tls::InstanceConfigs;
use crate::lanes::Lanes;
use crate::overload::{Cause, Lag, Pressure};
use crate::pool::Pool;
use crate::random::Random;
use crate::shared::Shared;
use crate::snapshot::{Limits, Snapshot};
use crate::span::SpanBuffer;
use crate::stats::Recorder;

/// How often routes are looked for that nearly took a request, from one tick to the next: at most 0.1 ms each, so that
/// a program which asks again and again for what is not there takes a fiftieth of a thread, and a person is told.
const HINTED: u32 = 20;

/// One thread's state.
pub struct Worker {
    /// Which thread it is, from 0.
    pub id: usize,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Whose turn it is, by cluster and by split.
    pub balancer: RefCell<Balancer>,
    /// What this thread counted.
    pub stats: RefCell<Recorder>,
    /// The spans this thread has not handed over yet.
    pub spans: RefCell<SpanBuffer>,
    /// This thread's idle upstream connections.
    pub pool: RefCell<Pool>,
    /// What this thread's handshakes with instances are made by.
    pub instance_tls: InstanceConfigs,
    /// This thread's HTTP/2 connections to instances.
    pub lanes: Lanes,
    /// This thread's free buffers.
    pub buffers: RefCell<BufferPool>,
    /// Where trace and span ids come from.
    pub random: RefCell<Random>,
    /// The connections that wait for their next request.
    pub idle: Rc<RefCell<IdleConnections>>,
    /// The tunnels, which look again at what they rest on when that changed.
    pub tunnels: Rc<RefCell<IdleConnections>>,
    /// Handshakes with strangers under way.
    pub handshakes: Handshakes,
    /// Room to read heads in: of requests and of answers, one at a time.
    pub headers: RefCell<HeaderStore>,
    snapshot: RefCell<Cache<SnapshotCell, Arc<Snapshot>>>,
    date: RefCell<String>,
    since_epoch: Cell<Duration>,
    is_draining: Cell<bool>,
    /// How late the last ticks were.
    lag: Cell<Lag>,
    /// What is not taken, by the last tick.
    pressure: Cell<Pressure>,
    /// How often hints were asked for since the last tick.
    hinted: Cell<u32>,
    /// The snapshot and the state of the identities at the last tick.
    seen: RefCell<(Arc<Snapshot>, u64)>,
}

/// Where the snapshot in force stands.
struct SnapshotCell(Arc<Shared>);

impl Deref for SnapshotCell {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &Self::Target {
        &self.0.snapshot
    }
}

impl Worker {
    /// The state of thread number `id`.
    pub fn new(id: usize, shared: Arc<Shared>) -> Rc<Self> {
        Rc::new(Self {
            id,
            balancer: RefCell::new(Balancer::new(Random::from_os())),
            stats: RefCell::new(Recorder::new()),
            spans: RefCell::new(SpanBuffer::new(Arc::clone(&shared.spans))),
            pool: RefCell::default(),
            instance_tls: InstanceConfigs::default(),
            lanes: Lanes::default(),
            buffers: RefCell::default(),
            random: RefCell::new(Random::from_os()),
            headers: RefCell::default(),
            snapshot: RefCell::new(Cache::new(SnapshotCell(Arc::clone(&shared)))),
            date: RefCell::new(date()),
            since_epoch: Cell::new(since_epoch()),
            idle: Rc::default(),
            tunnels: Rc::default(),
            handshakes: Handshakes::default(),
            is_draining: Cell::new(false),
            lag: Cell::default(),
            pressure: Cell::default(),
            hinted: Cell::new(0),
            seen: RefCell::new((shared.snapshot.load_full(), 0)),
            shared,
        })
    }

    /// The snapshot in force, of which one request takes one.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(self.snapshot.borrow_mut().load())
    }

    /// Whether this is the snapshot in force.
    pub fn is_in_force(&self, snapshot: &Arc<Snapshot>) -> bool {
        Arc::ptr_eq(self.snapshot.borrow_mut().load(), snapshot)
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.snapshot.borrow_mut().load().settings.limits
    }

    /// A copy of what was counted.
    pub fn take_stats(&self) -> Recorder {
        let mut stats = self.stats.borrow().clone();
        self.pool.borrow().count(&mut stats);
        self.lanes.count(&mut stats);
        stats
    }

    /// Counts a TLS handshake, done or failed.
    pub fn note_handshake(&self, is_done: bool) {
        let mut stats = self.stats.borrow_mut();
        if is_done {
            stats.record_handshake();
        } else {
            stats.record_handshake_error();
        }
    }

    /// Calls `use_it` with the time as `Date` wants it (RFC 9110 §5.6.7), made anew with each tick.
    pub fn with_date<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        use_it(self.date.borrow().as_bytes())
    }

    /// The time since the epoch at the last tick: for what ends at a second, and is asked for with each request.
    pub fn since_epoch(&self) -> Duration {
        self.since_epoch.get()
    }

    /// Whether who asked for what no route takes may be told which nearly did; if so, it counts.
    pub fn may_hint(&self) -> bool {
        let hinted = self.hinted.get();
        self.hinted.set(hinted.saturating_add(1));
        hinted < HINTED
    }

    /// Notes how late a tick was.
    pub fn note_late(&self, late: Duration) {
        self.lag.set(self.lag.get().with(late));
    }

    /// Whether it comes too late to what is due to take more connections.
    pub fn is_late(&self) -> bool {
        self.pressure.get().connections == Some(Cause::Cpu)
    }

    /// Why no request is to be taken, if so.
    pub fn sheds_requests(&self) -> Option<Cause> {
        self.pressure.get().requests
    }

    /// Whether connections are to end with their next answer.
    pub fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Ends all connections that idle, and each other one with its next answer.
    pub fn drain(&self) {
        self.is_draining.set(true);
        self.pool.borrow_mut().clear();
        self.lanes.clear();
        self.idle.borrow_mut().wake();
    }

    /// Does what is due now and then: closes pooled connections that idled too long, forgets what is configured no
    /// more, lets idle connections and tunnels see what changed, hands spans over, reads the clock for `Date`.
    pub fn tick(&self) {
        let snapshot = self.snapshot();
        let identities = self.shared.identities.version();
        let mut seen = self.seen.borrow_mut();
        if !Arc::ptr_eq(&seen.0, &snapshot) {
            self.balancer.borrow_mut().retain(&snapshot);
            self.tunnels.borrow_mut().wake();
        }
        if seen.1 != identities {
            self.idle.borrow_mut().wake();
            self.tunnels.borrow_mut().wake();
        }
        let idle_timeout = snapshot.settings.limits.pool_idle_timeout;
        let most_idle = snapshot.settings.limits.pool_idle_per_endpoint;
        self.stats.borrow_mut().forget(&snapshot, clock::now());
        if self.id == 0 {
            // One looks for all.
            self.shared.overload.measure(&snapshot.settings.limits);
        }
        let (lag, limits) = (self.lag.get(), &snapshot.settings.limits);
        (self.pressure).set(self.shared.overload.pressure_of(&lag, limits));
        *seen = (snapshot, identities);
        self.pool.borrow_mut().sweep(idle_timeout, most_idle);
        self.lanes.sweep(clock::now(), idle_timeout);
        self.spans.borrow_mut().flush();
        *self.date.borrow_mut() = date();
        self.since_epoch.set(since_epoch());
        self.hinted.set(0);
    }
}

fn since_epoch() -> Duration {
    Duration::from_nanos(clock::unix_ns())
}

fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_again_and_again_for_what_is_not_there_is_told_now_and_then() {
        let worker = Worker::new(0, Arc::new(Shared::new()));
        let told = || (0..1000).filter(|_| worker.may_hint()).count();
        assert_eq!([told(), told()], [HINTED as usize, 0]);
        worker.tick();
        assert_eq!(told(), HINTED as usize);
    }
}
