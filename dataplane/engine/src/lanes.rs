//! The HTTP/2 connections of one thread to where requests go, many requests on each. It may not open any, nor drive one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::Notify;

use crate::clock::Instant;
use crate::http2::{Sender, Slot, Upstream};
use crate::pool::{Owner, PoolKey};
use crate::stats::Recorder;

/// One connection.
#[derive(Debug)]
pub struct Lane {
    sender: Sender,
    /// Requests it has at this moment.
    open: Rc<Cell<usize>>,
    /// When it was last found with a request, or made.
    used: Cell<Instant>,
    /// Whose it is in the stats.
    owner: Owner,
}

impl Lane {
    /// A connection that is driven by somebody else.
    pub fn new(sender: Sender, owner: Owner, now: Instant) -> Self {
        Self {
            sender,
            open: Rc::default(),
            used: Cell::new(now),
            owner,
        }
    }

    /// Room for one more request, if there is. `most`: how many it may have.
    fn stream(&self, most: usize, now: Instant) -> Option<Box<Upstream>> {
        if self.open.get() >= most.min(self.sender.send.current_max_send_streams()) {
            return None;
        }
        // One that waits for room already would only be waited behind.
        self.poll().is_ready().then(|| {
            self.used.set(now);
            Box::new(Upstream::new(self.sender.clone(), Slot::take(&self.open)))
        })
    }

    /// Ready with an error: the other side wants no more requests by it, or it is gone.
    fn poll(&self) -> Poll<Result<(), h2::Error>> {
        let mut send = self.sender.send.clone();
        send.poll_ready(&mut Context::from_waker(Waker::noop()))
    }

    fn is_good(&self) -> bool {
        !matches!(self.poll(), Poll::Ready(Err(_)))
    }
}

/// The connections of one key, and whether another is being opened.
#[derive(Debug, Default)]
struct Group {
    lanes: Vec<Lane>,
    /// Told when the connection that is being opened is there, or could not be.
    opening: Option<Rc<Notify>>,
}

/// The HTTP/2 connections of a thread.
#[derive(Debug, Default)]
pub struct Lanes {
    groups: RefCell<HashMap<PoolKey, Group, RandomState>>,
}

/// What there is for a request.
pub enum Found<'c> {
    /// A stream of a connection that stands.
    Stream(Box<Upstream>),
    /// A connection that is being opened, to be waited for.
    Opening(Rc<Notify>),
    /// Nothing: it is for the caller to open one, until this is dropped.
    Nothing(Opening<'c>),
}

/// That one is being opened: others who want one wait until this is dropped.
pub struct Opening<'c> {
    lanes: &'c Lanes,
    key: PoolKey,
    told: Rc<Notify>,
}

impl Opening<'_> {
    /// The connection is there: its first stream.
    pub fn done(self, lane: Lane, most: usize, now: Instant) -> Option<Box<Upstream>> {
        let stream = lane.stream(most, now);
        let mut groups = self.lanes.groups.borrow_mut();
        let group = groups.entry(self.key.clone()).or_default();
        group.lanes.push(lane);
        drop(groups);
        stream
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.lanes.groups.borrow_mut().get_mut(&self.key)
            && group
                .opening
                .as_ref()
                .is_some_and(|told| Rc::ptr_eq(told, &self.told))
        {
            group.opening = None;
        }
        self.told.notify_waiters();
    }
}

impl Lanes {
    /// A stream to where `key` says, if a connection has room for it.
    pub fn stream(&self, key: &PoolKey, most: usize, now: Instant) -> Option<Box<Upstream>> {
        let mut groups = self.groups.borrow_mut();
        let group = groups.get_mut(key)?;
        group.lanes.retain(Lane::is_good);
        // The one that was opened first fills up first, so that the others may idle and go.
        let mut lanes = group.lanes.iter();
        lanes.find_map(|lane| lane.stream(most, now))
    }

    /// The same, or what is to be done where there is none. `may_wait`: for one that is being opened.
    pub fn find(&self, key: &PoolKey, most: usize, now: Instant, may_wait: bool) -> Found<'_> {
        if let Some(stream) = self.stream(key, most, now) {
            return Found::Stream(stream);
        }
        let mut groups = self.groups.borrow_mut();
        let group = groups.entry(key.clone()).or_default();
        if let Some(told) = group.opening.as_ref().filter(|_| may_wait) {
            return Found::Opening(Rc::clone(told));
        }
        let told = Rc::new(Notify::new());
        group.opening = Some(Rc::clone(&told));
        Found::Nothing(Opening {
            lanes: self,
            key: key.clone(),
            told,
        })
    }

    /// Closes what has had no request for so long, and forgets what is gone.
    pub fn sweep(&self, now: Instant, idle_timeout: Duration) {
        self.groups.borrow_mut().retain(|_, group| {
            group.lanes.retain(|lane| {
                if lane.open.get() > 0 {
                    lane.used.set(now);
                }
                lane.is_good() && now.duration_since(lane.used.get()) < idle_timeout
            });
            !group.lanes.is_empty() || group.opening.is_some()
        });
    }

    /// Opens no more requests by any: each closes with its last one.
    pub fn clear(&self) {
        for group in self.groups.borrow_mut().values_mut() {
            group.lanes.clear();
        }
    }

    /// Counts how many idle, by endpoint.
    pub fn count(&self, stats: &mut Recorder) {
        for lane in self.groups.borrow().values().flat_map(|group| &group.lanes) {
            if lane.open.get() == 0 {
                stats.record_idle(&lane.owner.0, &lane.owner.1);
            }
        }
    }
}
