//! A thread's spans until they go to the ring. It may not wait for the ring.

use std::sync::Arc;

use super::record::SpanRecord;
use super::ring::SpanRing;

/// Spans that go to the ring at once: the ring's lock is taken once for so many.
const PUSH_SPANS: usize = 64;

/// Spans kept while the ring is in use by others, which lasts for nanoseconds; more are dropped.
const KEPT_SPANS: usize = 1024;

/// One thread's spans.
#[derive(Debug)]
pub struct SpanBuffer {
    spans: Vec<SpanRecord>,
    ring: Arc<SpanRing>,
}

impl SpanBuffer {
    /// A buffer before `ring`.
    pub fn new(ring: Arc<SpanRing>) -> Self {
        Self {
            spans: Vec::with_capacity(PUSH_SPANS),
            ring,
        }
    }

    /// Keeps the span `make` gives, if its trace is sampled; else `make` is not called and nothing is allocated.
    pub fn record(&mut self, is_sampled: bool, make: impl FnOnce() -> SpanRecord) {
        if !is_sampled {
            return;
        }
        if self.spans.len() >= KEPT_SPANS {
            self.ring.count_dropped(1);
            return;
        }
        self.spans.push(make());
        if self.spans.len() >= PUSH_SPANS {
            self.flush();
        }
    }

    /// Hands over what there is. To be called now and then (100 ms), so that the last request of a burst is seen.
    pub fn flush(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        if let Err(spans) = self.ring.try_push(std::mem::take(&mut self.spans)) {
            // Another thread is at it; the next push takes these along.
            self.spans = spans;
        } else {
            self.spans = Vec::with_capacity(PUSH_SPANS);
        }
    }
}

impl Drop for SpanBuffer {
    /// What a thread that ends still has is not lost.
    fn drop(&mut self) {
        self.ring.push(std::mem::take(&mut self.spans));
    }
}
