//! Drives a client's HTTP/2 connection: takes its streams, sees that it ends when it is to. It may not serve a stream.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection};

use super::resets::Resets;
use super::wire::{Outlet, Wire};
use crate::alarm::Alarm;
use crate::clock::{self, Instant};
use crate::http2::Downstream;
use crate::idle::Place;
use crate::shared::Shared;
use crate::snapshot::Limits;
use crate::worker::Worker;

/// Streams refused by rules of the protocol before a connection is cut: an attack by frames that make us reset
/// (CVE-2025-8671) needs many, a program with a fault few.
const OWN_RESETS: usize = 100;
/// Streams that were taken back before they were looked at, kept at a time.
const UNSEEN_RESETS: usize = 20;
/// What is kept in the crate of one stream's answer, beyond what waits outside of it: one frame.
const SEND_BYTES: usize = 16 * 1024;
/// How long a connection whose client was told to go may be without a stream: those on their way have come by then.
const FAREWELL: Duration = Duration::from_secs(1);
/// Streams taken in a row before others on the thread have their turn.
const ROW: usize = 64;

/// A stream that counts as open until this is dropped.
pub struct Open(Rc<Life>);

/// What a connection's streams tell it.
struct Life {
    /// How many are open.
    open: Cell<usize>,
    /// When the last one ended, or the connection began.
    quiet_since: Cell<Instant>,
    /// Where one is counted that ended by a fault of ours.
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shared.faults.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!("a stream ended by a fault of ours");
        }
        self.0.open.set(self.0.open.get() - 1);
        self.0.quiet_since.set(clock::now());
    }
}

/// What a connection is told by who knows its client.
pub trait Host {
    /// Whether its caller is still the one it was.
    fn is_standing(&mut self) -> bool;

    /// How long that can be said at the most.
    fn rest(&self) -> Duration;

    /// Serves a stream.
    fn take(&mut self, stream: Downstream, open: Open);
}

/// Serves a connection until its end. Its preface is still to be read from `wire`, which is one with `outlet`.
/// `is_https`: an https target is meant for us.
pub async fn serve(
    worker: &Worker,
    (wire, outlet): (Wire, Outlet),
    is_https: bool,
    host: impl Host,
) {
    let limits = worker.limits();
    let mut alarm = Alarm::default();
    let mut handshake = std::pin::pin!(builder(&limits).handshake::<_, Bytes>(wire));
    let shaken = alarm.within(limits.head_timeout, |cx| {
        let polled = handshake.as_mut().poll(cx);
        outlet.send(cx);
        polled
    });
    let Some(Ok(connection)) = shaken.await else {
        note_bytes(worker, &outlet);
        return;
    };
    let now = clock::now();
    let mut driver = Driver {
        connection,
        host,
        is_https,
        outlet,
        limits,
        life: Rc::new(Life {
            open: Cell::new(0),
            quiet_since: Cell::new(now),
            shared: Arc::clone(&worker.shared),
        }),
        resets: Resets::new(limits.http2_resets, now),
        taken_back: Rc::default(),
        leaving_since: None,
        is_cut: false,
        alarm,
    };
    let mut place = Place::new(&worker.idle);
    let cause = poll_fn(|cx| {
        let polled = driver.poll(worker, cx);
        driver.outlet.send(cx);
        note_bytes(worker, &driver.outlet);
        place.note(cx);
        polled
    })
    .await;
    drop(place);
    if let Some(cause) = cause {
        tracing::debug!(cause, "an HTTP/2 connection was cut");
        worker.stats.borrow_mut().record_cut(cause);
    }
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.http2_streams)
        .initial_window_size(limits.http2_stream_window_bytes)
        .initial_connection_window_size(limits.http2_connection_window_bytes)
        .max_header_list_size(limits.head_bytes as u32)
        .max_send_buffer_size(SEND_BYTES)
        .enable_connect_protocol()
        .max_local_error_reset_streams(Some(OWN_RESETS))
        .max_pending_accept_reset_streams(UNSEEN_RESETS);
    builder
}

fn note_bytes(worker: &Worker, outlet: &Outlet) {
    let (received, sent) = outlet.take_counts();
    if received + sent > 0 {
        worker.stats.borrow_mut().record_bytes(received, sent);
    }
}

struct Driver<H> {
    connection: Connection<Wire, Bytes>,
    host: H,
    /// Whether an https target is meant for us.
    is_https: bool,
    /// Sends what is to go.
    outlet: Outlet,
    limits: Limits,
    life: Rc<Life>,
    resets: Resets,
    /// Streams the client took back since they were counted last.
    taken_back: Rc<Cell<u32>>,
    /// Since when the client is told to open no more.
    leaving_since: Option<Instant>,
    /// Whether it is told to go at once.
    is_cut: bool,
    alarm: Alarm,
}

impl<H: Host> Driver<H> {
    /// Ready with the cause, where the connection was cut for one.
    fn poll(&mut self, worker: &Worker, cx: &mut Context<'_>) -> Poll<Option<&'static str>> {
        loop {
            if let Poll::Ready(end) = self.poll_streams(cx) {
                return Poll::Ready(end);
            }
            let taken_back = self.taken_back.take();
            if taken_back > 0 && self.resets.add(taken_back, clock::now()) && !self.is_cut {
                self.is_cut = true;
                self.connection
                    .abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
                continue;
            }
            if self.leaving_since.is_none() && (worker.is_draining() || !self.host.is_standing()) {
                self.leave();
                continue;
            }
            ready!(self.alarm.poll(cx, self.deadline()));
            if self.is_over() {
                return Poll::Ready(None);
            }
        }
    }

    /// Takes the streams that came. Ready: the connection has ended.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<Option<&'static str>> {
        for _ in 0..ROW {
            match ready!(self.connection.poll_accept(cx)) {
                None => return Poll::Ready(self.is_cut.then_some("http2_rapid_reset")),
                Some(Err(_)) if self.is_cut => return Poll::Ready(Some("http2_rapid_reset")),
                Some(Err(error)) => return Poll::Ready(cause_of(&error)),
                Some(Ok((request, respond))) => {
                    let taken_back = Rc::clone(&self.taken_back);
                    let mut stream = Downstream::new(request, respond, self.is_https, taken_back);
                    // What was taken back already is not worth a task.
                    if stream.poll_gone(cx).is_pending() {
                        self.life.open.set(self.life.open.get() + 1);
                        self.host.take(stream, Open(Rc::clone(&self.life)));
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the client to open no more streams; those on their way are still served (RFC 9113 6.8).
    fn leave(&mut self) {
        self.leaving_since = Some(clock::now());
        self.connection.graceful_shutdown();
    }

    /// When it is to be looked whether the connection is over.
    fn deadline(&self) -> Instant {
        let is_quiet = self.life.open.get() == 0;
        let quiet_since = self.life.quiet_since.get();
        let now = clock::now();
        match self.leaving_since {
            Some(since) if is_quiet && !self.is_sending(now) => quiet_since.max(since) + FAREWELL,
            // A stream's end is not told: it is looked at again then.
            Some(_) => now + FAREWELL,
            None => {
                let since = if is_quiet { quiet_since } else { now };
                let rest = self.host.rest().min(self.limits.idle_timeout);
                (since + self.limits.idle_timeout).min(now + rest)
            }
        }
    }

    /// Whether an answer is still on its way to a client that takes it slowly: its stream was served when all of it was
    /// handed over.
    fn is_sending(&self, now: Instant) -> bool {
        let most = self.life.quiet_since.get() + self.limits.body_idle_timeout;
        now < most && (self.connection.has_streams() || !self.outlet.is_drained())
    }

    /// Whether nothing more is to be waited for. A connection that only idled is told to go first.
    fn is_over(&mut self) -> bool {
        if self.life.open.get() > 0 || self.deadline() > clock::now() {
            return false;
        }
        let is_told = self.leaving_since.is_some();
        if !is_told {
            self.leave();
        }
        is_told
    }
}

/// Why a connection was cut, where it is worth counting: what it broke, not that its client went away.
fn cause_of(error: &h2::Error) -> Option<&'static str> {
    if error.is_io() || error.is_remote() {
        return None;
    }
    Some(match error.reason()? {
        h2::Reason::ENHANCE_YOUR_CALM => "http2_flood",
        h2::Reason::NO_ERROR => return None,
        _ => "http2_protocol_error",
    })
}
