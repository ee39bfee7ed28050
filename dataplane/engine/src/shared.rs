//! What all threads share. On the way of a request nothing here is locked, and only the snapshot is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::clients::Clients;
use crate::clock::{self, Instant};
use crate::edge_tls::EdgeTls;
use crate::identity::Identities;
use crate::overload::Overload;
use crate::snapshot::Snapshot;
use crate::span::SpanRing;
use crate::stats::FaultCounts;

/// What all threads share.
pub struct Shared {
    /// What is in force. Stored by [`Shared::put_snapshot`] only.
    pub snapshot: ArcSwap<Snapshot>,
    /// Who this node may be.
    pub identities: Arc<Identities>,
    /// TLS with strangers.
    pub edge_tls: Arc<EdgeTls>,
    /// Spans until the agent fetches them.
    pub spans: Arc<SpanRing>,
    /// Open downstream connections of the process: the measure of `limits.connections`.
    pub connections: AtomicUsize,
    /// The same by client: the measure of `limits.connections_per_client`.
    pub clients: Arc<Clients>,
    /// What the process uses, and may.
    pub overload: Overload,
    /// What went wrong that no request tells of.
    pub faults: Faults,
    /// Wakes whoever waits for the last connection to end.
    pub quiet: Notify,
    snapshot_unix_ms: AtomicU64,
    started_unix_ms: u64,
    started: Instant,
    /// Once set, how long what runs may take to end.
    drain: watch::Sender<Option<Duration>>,
}

/// Counts of what went wrong that no request tells of.
#[derive(Debug, Default)]
pub struct Faults {
    /// Connections that ended by a panic: a fault of ours, which cost that connection.
    pub panics: AtomicU64,
    /// Connections the system could not give us: file handles or memory are gone.
    pub accept_errors: AtomicU64,
    /// Connections to the control socket by a user who is neither ours nor root.
    pub control_refused: AtomicU64,
}

impl Faults {
    /// The counts, as they stand in the stats.
    pub fn counts(&self) -> FaultCounts {
        FaultCounts {
            panics: self.panics.load(Ordering::Relaxed),
            accept_errors: self.accept_errors.load(Ordering::Relaxed),
            control_refused: self.control_refused.load(Ordering::Relaxed),
        }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Nothing in force yet, nobody known.
    pub fn new() -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot::empty()),
            identities: Arc::default(),
            edge_tls: Arc::default(),
            spans: Arc::default(),
            connections: AtomicUsize::new(0),
            clients: Arc::default(),
            overload: Overload::default(),
            faults: Faults::default(),
            quiet: Notify::new(),
            snapshot_unix_ms: AtomicU64::new(0),
            started_unix_ms: unix_ms(),
            started: clock::now(),
            drain: watch::Sender::new(None),
        }
    }

    /// Puts a snapshot in force: the next request sees it.
    pub fn put_snapshot(&self, snapshot: Arc<Snapshot>) {
        // Before requests see it: who gets in by what is demanded newly gets through by what was before, too.
        self.edge_tls.set_hosts(&snapshot.tls);
        self.snapshot.store(snapshot);
        self.snapshot_unix_ms.store(unix_ms(), Ordering::Relaxed);
    }

    /// When the snapshot came in force; 0: none has.
    pub fn snapshot_unix_ms(&self) -> u64 {
        self.snapshot_unix_ms.load(Ordering::Relaxed)
    }

    /// When the process began.
    pub fn started_unix_ms(&self) -> u64 {
        self.started_unix_ms
    }

    /// How long the process runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Begins to go away: what runs may take `grace` to end. A second call changes the grace.
    pub fn drain(&self, grace: Duration) {
        self.drain.send_replace(Some(grace));
    }

    /// Whether the process is going away.
    pub fn is_draining(&self) -> bool {
        self.drain.borrow().is_some()
    }

    /// Resolves once the process is going away, at once if it is already.
    pub async fn drained(&self) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.drain.subscribe().wait_for(Option::is_some).await;
    }

    /// The grace in force, as it changes.
    pub fn grace(&self) -> watch::Receiver<Option<Duration>> {
        self.drain.subscribe()
    }
}

fn unix_ms() -> u64 {
    clock::unix_ns() / 1_000_000
}
