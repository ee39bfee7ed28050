//! What the other side of a connection announced in its first frame, for a stream that has to know before it begins. It
//! may not drive the connection.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use h2::{Ping, PingPong};
use tokio::sync::Notify;

/// Whether the first SETTINGS have come.
#[derive(Debug, Default)]
pub struct Greeting {
    has_come: Cell<bool>,
    /// Told when somebody wants to know.
    asked: Notify,
    /// Who waits.
    waiting: RefCell<Vec<Waker>>,
}

impl Greeting {
    /// Ready once they have come, or the connection is over.
    pub fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.has_come.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        self.asked.notify_one();
        Poll::Pending
    }

    /// Finds out, once somebody wants to know: a program answers a PING behind its SETTINGS, which are the first it
    /// sends (RFC 9113 3.4). Nobody else costs it one.
    pub async fn listen(&self, mut pings: PingPong) {
        self.asked.notified().await;
        // Where it fails the connection is over.
        let _ = pings.ping(Ping::opaque()).await;
        self.come();
    }

    /// Nothing more need be waited for.
    pub fn come(&self) {
        self.has_come.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}
