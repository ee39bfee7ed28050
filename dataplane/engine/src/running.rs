//! What an endpoint has under way, counted. It may not know what that is.

use crate::stats::UpstreamPlace;
use crate::worker::Worker;

/// A request or raw connection an endpoint has; it has it no more when this is dropped.
pub(crate) struct Running<'w> {
    worker: &'w Worker,
    place: UpstreamPlace,
}

impl<'w> Running<'w> {
    /// Counts one that begins.
    pub(crate) fn begin(worker: &'w Worker, service: &str, id: &str, is_reused: bool) -> Self {
        let mut stats = worker.stats.borrow_mut();
        let place = stats.record_sent(service, id, is_reused);
        Self { worker, place }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Taken only where a panic ends the connection while something is counted: that one is lost.
        if let Ok(mut stats) = self.worker.stats.try_borrow_mut() {
            stats.record_end(self.place);
        }
    }
}
