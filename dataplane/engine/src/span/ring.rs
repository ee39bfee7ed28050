//! The spans of all threads until the agent fetches them: bounded; the oldest go first. It may not block a thread
//! that serves requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use tokio::sync::Notify;

use super::record::SpanRecord;

/// Spans kept while nobody fetches them: about 30 MB, some seconds of a busy node.
pub const RING_SPANS: usize = 32_768;

/// Spans given out at once: receivers take 4 MiB a message by default, and a span is about 1 KiB.
pub const BATCH_SPANS: usize = 2048;

/// What the ring has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanCounts {
    /// Spans put in, ever.
    pub recorded: u64,
    /// Spans nobody will see: the ring was full.
    pub dropped: u64,
    /// Spans that wait to be fetched.
    pub queued: u64,
}

/// The ring, shared by the threads that serve and the one that gives out.
#[derive(Debug)]
pub struct SpanRing {
    capacity: usize,
    /// Held for as long as it takes to move a pointer.
    batches: Mutex<VecDeque<Vec<SpanRecord>>>,
    queued: AtomicUsize,
    recorded: AtomicU64,
    dropped: AtomicU64,
    has_spans: Notify,
}

impl Default for SpanRing {
    fn default() -> Self {
        Self::new(RING_SPANS)
    }
}

impl SpanRing {
    /// A ring for `capacity` spans.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            batches: Mutex::default(),
            queued: AtomicUsize::new(0),
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            has_spans: Notify::new(),
        }
    }

    /// Puts spans in, unless another thread is at it this very moment: then they are given back, to be brought with
    /// the next ones. The oldest are dropped, and counted, when there are too many.
    pub fn try_push(&self, spans: Vec<SpanRecord>) -> Result<(), Vec<SpanRecord>> {
        let batches = match self.batches.try_lock() {
            Ok(batches) => batches,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(spans),
        };
        self.put(batches, spans);
        Ok(())
    }

    /// As [`Self::try_push`], but waits its turn: for a thread that ends.
    pub(super) fn push(&self, spans: Vec<SpanRecord>) {
        self.put(self.lock(), spans);
    }

    fn put(&self, mut batches: MutexGuard<'_, VecDeque<Vec<SpanRecord>>>, spans: Vec<SpanRecord>) {
        if spans.is_empty() {
            return;
        }
        let mut queued = self.queued.load(Ordering::Relaxed) + spans.len();
        self.recorded
            .fetch_add(spans.len() as u64, Ordering::Relaxed);
        batches.push_back(spans);
        let mut oldest = Vec::new();
        while queued > self.capacity {
            let Some(batch) = batches.pop_front() else {
                break;
            };
            queued -= batch.len();
            self.count_dropped(batch.len() as u64);
            oldest.push(batch);
        }
        self.queued.store(queued, Ordering::Relaxed);
        drop(batches);
        // Freed only once the lock is.
        drop(oldest);
        self.has_spans.notify_one();
    }

    /// Counts spans that never came here.
    pub(super) fn count_dropped(&self, spans: u64) {
        self.dropped.fetch_add(spans, Ordering::Relaxed);
    }

    /// Takes the oldest spans, [`BATCH_SPANS`] at most; none when there are none.
    pub fn take_now(&self) -> Vec<SpanRecord> {
        let mut batches = self.lock();
        let mut taken = batches.pop_front().unwrap_or_default();
        while let Some(next) = batches.front() {
            if taken.len() + next.len() > BATCH_SPANS {
                break;
            }
            taken.append(&mut batches.pop_front().unwrap_or_default());
        }
        self.queued.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }

    /// As [`Self::take_now`], but waits up to `wait` for the first one.
    pub async fn take(&self, wait: Duration) -> Vec<SpanRecord> {
        let first = async {
            loop {
                let taken = self.take_now();
                if !taken.is_empty() {
                    return taken;
                }
                self.has_spans.notified().await;
            }
        };
        tokio::time::timeout(wait, first).await.unwrap_or_default()
    }

    /// Does `work` while the ring is in use by another.
    #[cfg(test)]
    pub(super) fn while_locked(&self, work: impl FnOnce()) {
        let _held = self.lock();
        work();
    }

    /// What the ring has seen.
    pub fn counts(&self) -> SpanCounts {
        SpanCounts {
            recorded: self.recorded.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            queued: self.queued.load(Ordering::Relaxed) as u64,
        }
    }

    /// The batches; a thread that panicked meanwhile left them whole, as each step on them is.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<SpanRecord>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
