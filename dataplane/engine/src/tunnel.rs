//! Two connections that became one: bytes both ways, as they are, until an end closes or may not go on. It may not know
//! what they mean, nor decide who may.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::alarm::Alarm;
use crate::buffers::BULK_BYTES;
use crate::clock::{self, Instant};
use crate::decide::tls_refusal;
use crate::error::{Error, Reason};
use crate::idle::Place;
use crate::plan::{self, Caller, Destination};
use crate::side::Side;
use crate::snapshot::Snapshot;
use crate::span::{TunnelEnd, TunnelRecord};
use crate::tls::Standing;
use crate::worker::Worker;

/// How long one direction may be silent once the other has ended: who closes only its sending side waits for an answer,
/// who is gone for good never says so.
pub const HALF_CLOSED: Duration = Duration::from_secs(60);

/// What a tunnel rests on, and how long it may be silent.
#[derive(Debug)]
pub struct Terms<'t> {
    /// Who opened it.
    pub caller: &'t Caller,
    /// The service it goes to.
    pub service: &'t str,
    /// Its far end.
    pub destination: &'t Destination,
    /// The snapshot it was allowed by.
    pub snapshot: Arc<Snapshot>,
    /// Inbound: what the caller's name rests on.
    pub standing: Option<&'t mut Standing>,
    /// At the edge: the server name of TLS that is passed on as it came.
    pub passed: Option<&'t str>,
    /// How long no byte need move.
    pub idle: Duration,
}

/// What became of a tunnel.
#[derive(Debug)]
pub struct Ended {
    /// What a span tells of it.
    pub record: TunnelRecord,
    /// Why it was cut, where that was the mesh's own doing for a rule.
    pub error: Option<Error>,
}

/// Moves bytes between `down` and `up` until the tunnel is over. What each has read already goes first.
pub async fn run(
    worker: &Worker,
    alarm: &mut Alarm,
    down: &mut Side,
    up: &mut Side,
    mut terms: Terms<'_>,
) -> Ended {
    let mut tunnel = Tunnel::new(down, up);
    let mut place = Place::new(&worker.tunnels);
    let (mut before, mut until) = (0, None);
    let (end, error) = poll_fn(|cx| {
        loop {
            place.note(cx);
            if let Some((end, error)) = terms.broken(worker) {
                tunnel.reset();
                return Poll::Ready((end, Some(error)));
            }
            let was_half = tunnel.is_half_closed();
            let moving = tunnel.poll_move(cx, worker);
            tunnel.count(worker);
            if let Poll::Ready(end) = moving {
                return Poll::Ready((end, None));
            }
            if !was_half && tunnel.is_half_closed() {
                until = None;
            }
            let (idle_until, silence) = *until.get_or_insert_with(|| {
                let silence = tunnel.silence(terms.idle);
                (clock::now() + silence, silence)
            });
            ready!(alarm.poll(cx, terms.deadline(worker, idle_until)));
            let now = clock::now();
            if now >= idle_until {
                if tunnel.moved() == before {
                    tracing::debug!(
                        service = terms.service,
                        ?silence,
                        "a silent tunnel was closed"
                    );
                    return Poll::Ready((TunnelEnd::Idle, None));
                }
                before = tunnel.moved();
                until = None;
            }
        }
    })
    .await;
    Ended {
        record: TunnelRecord {
            received_bytes: tunnel.upward.moved,
            sent_bytes: tunnel.downward.moved,
            end,
        },
        error,
    }
}

impl Terms<'_> {
    /// Why the tunnel may not go on, if so.
    fn broken(&mut self, worker: &Worker) -> Option<(TunnelEnd, Error)> {
        if let Some(standing) = &mut self.standing
            && !standing.holds(&worker.shared.identities, worker.since_epoch())
        {
            let detail = "what proved the caller's name holds no longer";
            let error = Error::downstream(Reason::TlsFailed, detail);
            return Some((TunnelEnd::Identity, error));
        }
        if (self.caller.client_end()).is_some_and(|end| worker.since_epoch() >= end) {
            let detail = "the client's certificate ended";
            let error = Error::downstream(Reason::ClientCertificateRequired, detail);
            return Some((TunnelEnd::Identity, error));
        }
        if worker.is_in_force(&self.snapshot) {
            return None;
        }
        self.snapshot = worker.snapshot();
        let secured = self.caller.secured.as_deref();
        if let Some(sni) = secured.and_then(|secured| secured.sni.as_deref())
            && let Some(error) = tls_refusal(&self.snapshot, self.caller, sni)
        {
            return Some((TunnelEnd::Identity, error));
        }
        if let Some(error) = self
            .passed
            .and_then(|name| plan::passing_refusal(&self.snapshot, name))
        {
            return Some((TunnelEnd::Identity, error));
        }
        let source = &self.caller.source;
        plan::objection(&self.snapshot, source, self.service, self.destination)
            .map(|error| (TunnelEnd::Intention, error))
    }

    /// When to look again: at what ends first of silence and the caller's certificate.
    fn deadline(&self, worker: &Worker, idle_until: Instant) -> Instant {
        let now = worker.since_epoch();
        let rest = match &self.standing {
            Some(standing) => Some(standing.rest(now)),
            None => self.caller.client_end().map(|end| end.saturating_sub(now)),
        };
        let proven_until = rest.and_then(|rest| clock::now().checked_add(rest));
        proven_until.map_or(idle_until, |until| until.min(idle_until))
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    /// Bytes read.
    moved: u64,
    /// Whether its beginning says no more.
    has_ended: bool,
    /// Whether its far end was told so.
    is_over: bool,
}

/// What broke a direction.
enum Broken {
    /// The side it comes from.
    From,
    /// The side it goes to.
    To,
}

struct Tunnel<'t> {
    down: &'t mut Side,
    up: &'t mut Side,
    /// From the client.
    upward: Flow,
    /// To the client.
    downward: Flow,
    /// Which side ended first, when one has.
    first: Option<TunnelEnd>,
}

impl<'t> Tunnel<'t> {
    fn new(down: &'t mut Side, up: &'t mut Side) -> Self {
        let read = |side: &Side| Flow {
            moved: side.input.len() as u64,
            ..Flow::default()
        };
        Self {
            upward: read(down),
            downward: read(up),
            down,
            up,
            first: None,
        }
    }

    fn moved(&self) -> u64 {
        self.upward.moved + self.downward.moved
    }

    fn is_half_closed(&self) -> bool {
        self.upward.has_ended || self.downward.has_ended
    }

    fn silence(&self, idle: Duration) -> Duration {
        if self.is_half_closed() {
            idle.min(HALF_CLOSED)
        } else {
            idle
        }
    }

    /// Moves what goes without waiting. Ready: it is over.
    fn poll_move(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<TunnelEnd> {
        let upward = poll_flow(&mut self.upward, self.down, self.up, cx, worker);
        if self.upward.has_ended {
            self.first.get_or_insert(TunnelEnd::Client);
        }
        let downward = poll_flow(&mut self.downward, self.up, self.down, cx, worker);
        if self.downward.has_ended {
            self.first.get_or_insert(TunnelEnd::Upstream);
        }
        let broken = match (&upward, &downward) {
            (Poll::Ready(Err(Broken::From)), _) | (_, Poll::Ready(Err(Broken::To))) => {
                Some(TunnelEnd::ClientReset)
            }
            (Poll::Ready(Err(Broken::To)), _) | (_, Poll::Ready(Err(Broken::From))) => {
                Some(TunnelEnd::UpstreamReset)
            }
            _ => None,
        };
        if let Some(end) = broken {
            self.reset();
            return Poll::Ready(end);
        }
        if upward.is_ready() && downward.is_ready() {
            return Poll::Ready(self.first.unwrap_or(TunnelEnd::Client));
        }
        Poll::Pending
    }

    /// Lets both sides see that this is no end in order: what they have may be cut.
    fn reset(&mut self) {
        self.down.stream.reset_on_close();
        self.up.stream.reset_on_close();
    }

    /// Counts what moved since the last time.
    fn count(&mut self, worker: &Worker) {
        let (received, sent) = self.down.take_counts();
        if received + sent > 0 {
            worker.stats.borrow_mut().record_bytes(received, sent);
        }
    }
}

/// Moves what goes without waiting from one side to the other. Ready: no more will come, and the other side knows.
fn poll_flow(
    flow: &mut Flow,
    from: &mut Side,
    to: &mut Side,
    cx: &mut Context<'_>,
    worker: &Worker,
) -> Poll<Result<(), Broken>> {
    loop {
        if flow.is_over {
            return Poll::Ready(Ok(()));
        }
        ready!(to.poll_pass(cx, &mut from.input)).map_err(|_| Broken::To)?;
        if flow.has_ended {
            // A side that is gone already need not be told.
            let _ = ready!(to.poll_shutdown(cx));
            flow.is_over = true;
            continue;
        }
        match ready!(poll_read(from, cx, worker)) {
            Ok(0) => flow.has_ended = true,
            Ok(count) => flow.moved += count as u64,
            Err(_) => return Poll::Ready(Err(Broken::From)),
        }
    }
}

/// Reads once. While nothing is there, no buffer is held.
fn poll_read(from: &mut Side, cx: &mut Context<'_>, worker: &Worker) -> Poll<io::Result<usize>> {
    if from.stream.poll_readable(cx, false)?.is_pending() {
        give_back(from, worker);
        return Poll::Pending;
    }
    if from.input.is_bare() {
        from.input = worker.buffers.borrow_mut().take_read();
    }
    let room = from.input.space(BULK_BYTES).len();
    let read = from.poll_fill(cx);
    match read {
        // There is more at once than it holds: it grows.
        Poll::Ready(Ok(count)) if count == room => {
            from.input.space(BULK_BYTES);
        }
        Poll::Ready(Ok(_)) => {}
        Poll::Ready(Err(_)) | Poll::Pending => give_back(from, worker),
    }
    read
}

fn give_back(side: &mut Side, worker: &Worker) {
    let buffer = std::mem::take(&mut side.input);
    worker.buffers.borrow_mut().give_read(buffer);
}
