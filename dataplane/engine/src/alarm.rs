//! The one timer of a connection, set for one wait after the other. It may not know what is waited for.
//!
//! A request has some five waits with a limit, and nearly none comes to it. To put a timer of its own into the runtime
//! for each, and take it out again, costs more than the parsing of a head; so one stays there, and is moved only when it
//! rings too early.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use crate::clock::{self, Instant};

/// A timer that is made with the first wait that lasts.
#[derive(Debug, Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the runtime knows whom to wake when it rings.
    is_set: bool,
}

impl Alarm {
    /// Ready once `deadline` is over. Of one task only: the timer knows the waker it was polled with last.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        } else if self.is_set && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            // What is waited for may have used up the task's turn; its limit holds all the same.
            let rings = pin!(unconstrained(sleep.as_mut())).poll(cx);
            self.is_set = rings.is_pending();
            ready!(rings);
            if clock::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// What `poll` comes to in `most`, counted from where it has to wait: what is there already asks for no time.
    pub async fn within<T>(
        &mut self,
        most: Duration,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let mut deadline = None;
        poll_fn(|cx| match poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => {
                let deadline = *deadline.get_or_insert_with(|| clock::now() + most);
                self.poll(cx, deadline).map(|()| None)
            }
        })
        .await
    }

    /// What `poll` comes to before `deadline`. `None`: it did not.
    pub async fn until<T>(
        &mut self,
        deadline: Instant,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        poll_fn(|cx| match poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(cx, deadline).map(|()| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: fn(&mut Context<'_>) -> Poll<()> = |_| Poll::Pending;

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_deadline_whatever_was_set_before() {
        let mut alarm = Alarm::default();
        for seconds in [10, 60, 5, 5, 1, 30] {
            let deadline = clock::now() + Duration::from_secs(seconds);
            assert_eq!(alarm.until(deadline, NEVER).await, None);
            // The runtime's timers count in milliseconds.
            assert!(clock::now() - deadline <= Duration::from_millis(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_not_over_leaves_nothing_behind() {
        let mut alarm = Alarm::default();
        let began = clock::now();
        for seconds in [1, 2, 3] {
            let mut is_asked = false;
            let once = |cx: &mut Context<'_>| {
                if std::mem::replace(&mut is_asked, true) {
                    return Poll::Ready(seconds);
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            };
            let done = alarm.until(began + Duration::from_secs(seconds), once);
            assert_eq!(done.await, Some(seconds));
        }
        assert_eq!(
            alarm.until(began + Duration::from_secs(9), NEVER).await,
            None
        );
        assert!(began.elapsed() >= Duration::from_secs(9));
    }
}
