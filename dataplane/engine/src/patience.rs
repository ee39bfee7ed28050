//! How long a request may take, and what is said when it takes longer. It may not move a byte itself.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout_at;

use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::exchange::Exchange;

/// Runs `work` until the request's deadline.
pub async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match deadline {
        None => work.await,
        Some(deadline) => timeout_at(deadline, work)
            .await
            .unwrap_or_else(|_| Err(too_long())),
    }
}

/// How long an exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a byte moving in either direction.
    pub idle: Duration,
    /// From the first to the last byte of the answer's head; looked at once in `idle`.
    pub head: Duration,
    /// In all.
    pub deadline: Option<Instant>,
}

/// Polls an exchange until it is done or out of patience.
pub async fn watched<T>(
    exchange: &mut Exchange<'_>,
    patience: Patience,
    mut poll: impl FnMut(&mut Exchange<'_>, &mut Context<'_>) -> Poll<Result<T, Error>>,
) -> Result<T, Error> {
    loop {
        let before = exchange.progress();
        let until = clock::now() + patience.idle;
        let until = patience
            .deadline
            .map_or(until, |deadline| deadline.min(until));
        if let Ok(done) = timeout_at(until, poll_fn(|cx| poll(exchange, cx))).await {
            return done;
        }
        if (patience.deadline).is_some_and(|deadline| clock::now() >= deadline) {
            return Err(too_long());
        }
        if exchange.progress() == before {
            return Err(exchange.stalled(patience.idle));
        }
        if exchange.is_head_late(patience.head) {
            let detail = "the head of the upstream's answer did not come in time";
            return Err(Error::upstream(Reason::UpstreamTimeout, detail));
        }
    }
}

fn too_long() -> Error {
    Error::upstream(
        Reason::UpstreamTimeout,
        "the request took longer than its timeout allows",
    )
}
