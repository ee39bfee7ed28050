//! How long a request may take, and what is said when it takes longer. It may not move a byte itself.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::alarm::Alarm;
use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::exchange::Exchange;

/// Runs `work` until the request's deadline.
pub async fn within<T>(
    alarm: &mut Alarm,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    let mut work = pin!(work);
    let done = alarm.until(deadline, |cx| work.as_mut().poll(cx)).await;
    done.unwrap_or_else(|| Err(too_long()))
}

/// How long an exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When the first wait begins, where that is known without a look at the clock.
    pub since: Option<Instant>,
    /// Without a byte moving in either direction.
    pub idle: Duration,
    /// From the first to the last byte of the answer's head; looked at once in `idle`.
    pub head: Duration,
    /// In all.
    pub deadline: Option<Instant>,
}

impl Patience {
    /// Until when nothing need move, from then on: from now where it is not known.
    fn until(&self, since: Option<Instant>) -> Instant {
        let until = since.unwrap_or_else(clock::now) + self.idle;
        self.deadline.map_or(until, |deadline| deadline.min(until))
    }

    /// Why an exchange that has moved `before` bytes at the last look may not go on, if so.
    fn over(&self, exchange: &Exchange<'_>, before: u64) -> Option<Error> {
        if (self.deadline).is_some_and(|deadline| clock::now() >= deadline) {
            return Some(too_long());
        }
        if exchange.progress() == before {
            return Some(exchange.stalled(self.idle));
        }
        exchange.is_head_late(self.head).then(|| {
            let detail = "the head of the upstream's answer did not come in time";
            Error::upstream(Reason::UpstreamTimeout, detail)
        })
    }
}

/// Polls an exchange until it is done or out of patience.
pub async fn watched<T>(
    exchange: &mut Exchange<'_>,
    alarm: &mut Alarm,
    patience: Patience,
    mut poll: impl FnMut(&mut Exchange<'_>, &mut Context<'_>) -> Poll<Result<T, Error>>,
) -> Result<T, Error> {
    let mut before = exchange.progress();
    // The clock is asked once there is a wait: most answers' bodies have none.
    let (mut since, mut until) = (patience.since, None);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(done) = poll(exchange, cx) {
                return Poll::Ready(done);
            }
            let deadline = *until.get_or_insert_with(|| patience.until(since.take()));
            ready!(alarm.poll(cx, deadline));
            if let Some(error) = patience.over(exchange, before) {
                return Poll::Ready(Err(error));
            }
            before = exchange.progress();
            until = None;
        }
    })
    .await
}

fn too_long() -> Error {
    Error::upstream(
        Reason::UpstreamTimeout,
        "the request took longer than its timeout allows",
    )
}
