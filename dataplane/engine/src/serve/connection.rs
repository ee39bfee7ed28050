//! The life of one downstream connection: its requests one after the other, and the waits between them. It may not
//! choose where they go.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;

use super::reading::Read;
use crate::alarm::Alarm;
use crate::callers;
use crate::clock::{self, Instant};
use crate::edge_tls::Secured;
use crate::error::Error;
use crate::forward::{self, Down};
use crate::idle::Place;
use crate::multiplex::server::Host;
use crate::outcome::{Ending, Outcome};
use crate::plan::Caller;
use crate::record;
use crate::side::Side;
use crate::snapshot::{ListenerConfig, ListenerKind};
use crate::stream::Stream;
use crate::tls::{MeshPeer, Standing};
use crate::worker::Worker;

/// How long a connection may be without a request while the process goes away: it was made for one, which is on its
/// way, and closing it would lose that.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The same for one that had requests: what the system has of the next is heard of by then.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// How long a connection keeps the room for its requests after an answer: a busy one, which would have to take it anew
/// for each, is asked again well within, and few that idle have it at one time.
const WARM: Duration = Duration::from_millis(100);

/// What follows on the requests of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A wait for more of them.
    Wait,
    /// Nothing: it is over.
    End,
    /// It speaks HTTP/2, and did from its first byte.
    Http2,
}

/// What came of waiting for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Its first byte is there.
    Request,
    /// Nothing yet, for as long as was asked for.
    Nothing,
    /// None will come.
    End,
}

/// One downstream connection.
pub struct Connection {
    pub(super) worker: Rc<Worker>,
    pub(super) listener: Arc<ListenerConfig>,
    pub(super) caller: Caller,
    /// Why nothing of it is let through, if so.
    pub(super) refusal: Option<Error>,
    pub(super) peer: SocketAddr,
    pub(super) side: Side,
    /// Inbound: what the caller's name rests on.
    pub(super) standing: Option<Standing>,
    /// Whether nothing was asked over it yet.
    pub(super) is_new: bool,
    /// Whether it may still turn out to speak HTTP/2.
    pub(super) may_be_http2: bool,
    /// When it was taken, or had its last answer.
    pub(super) since: Instant,
    /// What ends its waits.
    pub(super) alarm: Alarm,
    /// Where its waker is noted.
    pub(super) place: Place,
}

impl Connection {
    /// One that comes in clear: of a service, known by the socket's owner, or of nobody (the edge).
    pub fn establish(
        worker: Rc<Worker>,
        tcp: TcpStream,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let refusal = match listener.kind {
            ListenerKind::Edge => None,
            ListenerKind::Inbound | ListenerKind::Outbound => {
                callers::prove(&listener, &tcp, peer).err()
            }
        };
        Self {
            refusal,
            ..Self::in_clear(worker, Stream::Plain(tcp), listener, peer)
        }
    }

    /// One of a service whose first bytes are there already, and how it failed to prove whose it is, if so.
    pub fn begun(
        worker: Rc<Worker>,
        side: Side,
        refusal: Option<Error>,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let is_plain = side.stream.is_plain();
        Self {
            refusal,
            side,
            is_new: false,
            may_be_http2: is_plain,
            ..Self::in_clear(worker, Stream::Closed, listener, peer)
        }
    }

    fn in_clear(
        worker: Rc<Worker>,
        stream: Stream,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let source = match listener.kind {
            ListenerKind::Edge => edge_of(&listener),
            ListenerKind::Inbound | ListenerKind::Outbound => {
                listener.service.clone().unwrap_or_default()
            }
        };
        let caller = Caller {
            kind: listener.kind,
            source,
            destination: None,
            host: Caller::host_of(&listener),
            secured: None,
        };
        Self::of(worker, stream, caller, listener, peer)
    }

    /// One of a stranger, by TLS.
    pub fn secured(
        worker: Rc<Worker>,
        stream: Stream,
        secured: Secured,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let caller = Caller {
            kind: listener.kind,
            source: edge_of(&listener),
            destination: None,
            host: None,
            secured: Some(Arc::new(secured)),
        };
        Self::of(worker, stream, caller, listener, peer)
    }

    /// One of another node, which has proven whose it is.
    pub fn inbound(
        worker: Rc<Worker>,
        stream: Stream,
        ends: MeshPeer,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let caller = Caller {
            kind: listener.kind,
            source: ends.source,
            destination: Some(ends.destination),
            host: None,
            secured: None,
        };
        Self {
            standing: Some(ends.standing),
            ..Self::of(worker, stream, caller, listener, peer)
        }
    }

    pub fn of(
        worker: Rc<Worker>,
        stream: Stream,
        caller: Caller,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        Self {
            place: Place::new(&worker.idle),
            worker,
            listener,
            caller,
            refusal: None,
            peer,
            may_be_http2: stream.is_plain(),
            side: Side::new(stream),
            standing: None,
            is_new: true,
            since: clock::now(),
            alarm: Alarm::default(),
        }
    }

    /// Serves its requests, one after the other, until none follows.
    pub async fn serve(&mut self) {
        if self.side.stream.has_agreed_http2() {
            return Box::pin(self.multiplex()).await;
        }
        while !self.side.input.is_empty() || self.wait(None).await == Waited::Request {
            // In a box, so that an idle connection does not keep the room that a busy one needs.
            match Box::pin(self.requests()).await {
                Next::Wait => {}
                Next::End => return,
                // In a box, too: most connections speak HTTP/1.1.
                Next::Http2 => return Box::pin(self.multiplex()).await,
            }
        }
    }

    /// Waits for the first byte of a request, holding no buffer: for no longer than `most`, if that is asked for.
    async fn wait(&mut self, most: Option<Duration>) -> Waited {
        let worker = Rc::clone(&self.worker);
        let limits = worker.limits();
        let (mut patience, grace) = if self.is_new {
            (limits.head_timeout, FIRST_REQUEST)
        } else {
            (limits.idle_timeout, LAST_LOOK)
        };
        if let Some(standing) = &self.standing {
            patience = patience.min(standing.rest(worker.since_epoch()));
        }
        if let Some(end) = self.caller.client_end() {
            patience = patience.min(end.saturating_sub(worker.since_epoch()));
        }
        let brief = most.filter(|most| *most < patience);
        let deadline = self.since + brief.unwrap_or(patience);
        let (standing, stream) = (&mut self.standing, &mut self.side.stream);
        let (place, is_new) = (&mut self.place, self.is_new);
        let waiting = |cx: &mut Context<'_>| {
            if let Poll::Ready(readable) = stream.poll_readable(cx, is_new) {
                return Poll::Ready(Some(readable));
            }
            if worker.is_draining() || !is_standing(standing, &worker) {
                return Poll::Ready(None);
            }
            place.note(cx);
            Poll::Pending
        };
        let readable = match self.alarm.until(deadline, waiting).await {
            Some(Some(readable)) => Some(readable),
            // What was sent before the other side could know is still served.
            Some(None) => {
                let readable = |cx: &mut Context<'_>| stream.poll_readable(cx, is_new);
                self.alarm.within(grace, readable).await
            }
            None if brief.is_some() => return Waited::Nothing,
            None => None,
        };
        let Some(Ok(())) = readable else {
            return Waited::End;
        };
        self.is_new = false;
        self.side.lend(&mut worker.buffers.borrow_mut());
        Waited::Request
    }

    /// Serves requests until none follows soon.
    async fn requests(&mut self) -> Next {
        loop {
            let next = self.request().await;
            if next == Next::Http2 {
                return next;
            }
            let (received, sent) = self.side.take_counts();
            self.worker.stats.borrow_mut().record_bytes(received, sent);
            if next == Next::End {
                return next;
            }
            if self.side.input.is_empty() {
                self.side.give_back(&mut self.worker.buffers.borrow_mut());
                match self.wait(Some(WARM)).await {
                    Waited::Request => {}
                    Waited::Nothing => return Next::Wait,
                    Waited::End => return Next::End,
                }
            }
        }
    }

    /// Serves one request. [`Next::Wait`]: the connection goes on.
    pub async fn request(&mut self) -> Next {
        if !self.is_standing() {
            self.side.stream.refuse();
            return Next::End;
        }
        let mut request = match self.read().await {
            Ok(Read::Request(request)) => request,
            Ok(Read::End) => return Next::End,
            Ok(Read::Http2) => return Next::Http2,
            Err(bad) => {
                self.refuse(&bad).await;
                return Next::End;
            }
        };
        self.may_be_http2 = false;
        let worker = Rc::clone(&self.worker);
        let keeps_client = request.keeps_client && !worker.is_draining();
        let mut outcome = if request.plan.is_forwarded() {
            let caller = &self.caller;
            let down = Down {
                side: &mut self.side,
                alarm: &mut self.alarm,
                standing: self.standing.as_mut(),
                keeps_client,
            };
            forward::forward(&worker, caller, &mut request, down).await
        } else {
            Outcome {
                error: request.refusal(),
                ..Outcome::default()
            }
        };
        if !outcome.has_begun && outcome.status == 0 {
            self.answer(&request, &mut outcome, keeps_client).await;
        }
        self.since = record::request(
            &worker,
            &self.listener,
            &self.caller,
            self.peer,
            &mut request,
            &mut outcome,
        );
        worker.buffers.borrow_mut().give_head(request.head);
        match outcome.ending {
            Ending::GoOn => return Next::Wait,
            Ending::Close => {}
            Ending::Linger => self.linger().await,
            Ending::Reset => self.side.stream.reset_on_close(),
        }
        Next::End
    }
}

/// Whom strangers are taken for.
fn edge_of(listener: &ListenerConfig) -> Arc<str> {
    let edge = listener.identity.clone();
    edge.unwrap_or_else(|| Arc::from("edge"))
}

/// Whether the caller is still the one its certificate said, where it showed one.
pub fn is_standing(standing: &mut Option<Standing>, worker: &Worker) -> bool {
    let standing = standing.as_mut();
    standing.is_none_or(|standing| standing.holds(&worker.shared.identities, worker.since_epoch()))
}
