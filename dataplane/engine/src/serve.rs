//! The life of one downstream connection: who it is, its requests one after the other, its end. It may not choose
//! where they go.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::answer::{self, Asked, Form};
use crate::buffers::{BULK_BYTES, ReadBuffer};
use crate::callers;
use crate::clock::{self, Instant};
use crate::decide::Origin;
use crate::edge_tls::{self, Secured};
use crate::error::{Error, Reason};
use crate::forward::{self, Down, Ending, Outcome};
use crate::http1::{BadMessage, BodyLength, HeadWatch, Version};
use crate::http2::{Downstream, PREFACE};
use crate::multiplex::Wire;
use crate::multiplex::server::{self, Host, Open};
use crate::mux::{self, Link, Manner};
use crate::plan::Caller;
use crate::record;
use crate::relay;
use crate::request::{self, Request};
use crate::session::Session;
use crate::side::Side;
use crate::snapshot::{ListenerConfig, ListenerKind, ListenerProtocol, TlsPolicy};
use crate::stream::Stream;
use crate::tls::{self, MeshPeer, Speaks, Standing};
use crate::worker::Worker;

/// How long a connection is read from after its last answer, so that a client that still sends gets to read it: to
/// close with unread bytes would reset the connection and lose the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
/// How much is read and thrown away meanwhile.
const LINGER_BYTES: u64 = 1 << 20;
/// How long a connection may be without a request while the process goes away: it was made for one, which is on its
/// way, and closing it would lose that.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The same for one that had requests: what the system has of the next is heard of by then.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// Handshakes with strangers at once, on one thread: each holds some 30 KiB for up to `head_timeout`. What comes beyond
/// is closed and counted, and the thread goes on serving who is in.
const HANDSHAKES: usize = 1024;
/// How long a connection keeps the room for its requests after an answer: a busy one, which would have to take it anew
/// for each, is asked again well within, and few that idle have it at one time.
const WARM: Duration = Duration::from_millis(100);

/// Serves a downstream connection from its first byte to its last.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    // An answer is one write: waiting to fill a packet would only delay it.
    let _ = tcp.set_nodelay(true);
    if listener.protocol == ListenerProtocol::Tcp {
        return Box::pin(relay::serve(worker, tcp, listener, peer)).await;
    }
    if listener.kind == ListenerKind::Inbound {
        // In a box: a handshake and a link take some kilobytes, which those in clear need not keep.
        return Box::pin(serve_node(worker, tcp, listener, peer)).await;
    }
    if let Some(policy) = listener.tls {
        return Box::pin(serve_secured(worker, tcp, listener, policy, peer)).await;
    }
    Connection::establish(worker, tcp, listener, peer)
        .serve()
        .await;
}

/// Serves a stranger's connection by TLS, once the handshake is done.
async fn serve_secured(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    policy: TlsPolicy,
    peer: SocketAddr,
) {
    // In a box: a handshake takes some kilobytes, which the connection need not keep.
    let secured = Box::pin(secure(&worker, &listener, policy, tcp, peer)).await;
    let Some((stream, secured)) = secured else {
        return;
    };
    Connection::secured(worker, stream, secured, listener, peer)
        .serve()
        .await;
}

/// Serves another node's connection, once it has proven whose it is.
async fn serve_node(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let Some((session, ends)) = Box::pin(accept(&worker, &listener, tcp, peer)).await else {
        return;
    };
    if ends.speaks == Speaks::Stream {
        let side = Side::new(Stream::tls(session));
        return relay::inbound(&worker, &listener, peer, side, ends).await;
    }
    if session.is_shared() {
        return serve_link(worker, session, ends, listener, peer).await;
    }
    let stream = Stream::tls(session);
    Connection::inbound(worker, stream, ends, listener, peer)
        .serve()
        .await;
}

/// Takes another node's connection.
async fn accept(
    worker: &Worker,
    listener: &ListenerConfig,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<(Session, MeshPeer)> {
    let head_timeout = worker.limits().head_timeout;
    let accepted = tls::accept(&worker.shared.identities, tcp, head_timeout).await;
    worker.note_handshake(accepted.is_ok());
    match accepted {
        Ok((tls, ends)) => Some((tls.into(), ends)),
        Err(error) => {
            tracing::info!(listener = %listener.name, %peer, %error, "handshake failed");
            None
        }
    }
}

/// Serves each channel of a link as a connection of its own.
async fn serve_link(
    worker: Rc<Worker>,
    session: Session,
    mut ends: MeshPeer,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let manner = Manner {
        idle_timeout: worker.limits().idle_timeout,
    };
    let link = Link::new(session, false, None);
    let (looking, template) = (Rc::clone(&worker), ends.clone());
    let mut place = Place::new(&worker);
    let is_standing = move |cx: &Context<'_>| {
        place.note(cx);
        let holds = (ends.standing).holds(&looking.shared.identities, looking.since_epoch());
        holds && !looking.is_draining()
    };
    let take = |channel| {
        let (worker, ends) = (Rc::clone(&worker), template.clone());
        let stream = Stream::Channel(channel);
        let listener = Arc::clone(&listener);
        let mut connection = Connection::inbound(worker, stream, ends, listener, peer);
        // In a task of its own, so that a panic in it costs nothing else.
        tokio::task::spawn_local(async move { connection.serve().await });
    };
    mux::drive(link, manner, is_standing, take).await;
}

/// Where the waker of a connection is noted, to be told of a drain or of other identities.
struct Place {
    worker: Rc<Worker>,
    place: Option<usize>,
}

impl Place {
    fn new(worker: &Rc<Worker>) -> Self {
        Self {
            worker: Rc::clone(worker),
            place: None,
        }
    }

    fn note(&mut self, cx: &Context<'_>) {
        self.worker
            .idle
            .borrow_mut()
            .note(&mut self.place, cx.waker());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.worker.idle.borrow_mut().remove(place);
        }
    }
}

/// What follows on the requests of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A wait for more of them.
    Wait,
    /// Nothing: it is over.
    End,
    /// It speaks HTTP/2, and did from its first byte.
    Http2,
}

/// What came of reading a request's head.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always a request, and taken apart at once"
)]
enum Read {
    /// It is there.
    Request(Request),
    /// The client went away, or was too slow and told so.
    End,
    /// It is the preface of HTTP/2.
    Http2,
}

/// What came of waiting for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// Its first byte is there.
    Request,
    /// Nothing yet, for as long as was asked for.
    Nothing,
    /// None will come.
    End,
}

/// One downstream connection.
struct Connection {
    worker: Rc<Worker>,
    listener: Arc<ListenerConfig>,
    caller: Caller,
    /// Why nothing of it is let through, if so.
    refusal: Option<Error>,
    peer: SocketAddr,
    side: Side,
    /// Inbound: what the caller's name rests on.
    standing: Option<Standing>,
    /// Whether nothing was asked over it yet.
    is_new: bool,
    /// Whether it may still turn out to speak HTTP/2.
    may_be_http2: bool,
    /// When it was taken, or had its last answer.
    since: Instant,
    /// What ends its waits.
    alarm: Alarm,
    /// Where its waker is noted.
    place: Place,
}

impl Connection {
    /// One that comes in clear: of a service, known by the socket's owner, or of nobody (the edge).
    fn establish(
        worker: Rc<Worker>,
        tcp: TcpStream,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        let mut refusal = None;
        let source = if listener.kind == ListenerKind::Edge {
            edge_of(&listener)
        } else {
            refusal = callers::prove(&listener, &tcp, peer).err();
            listener.service.clone().unwrap_or_default()
        };
        let caller = Caller {
            kind: listener.kind,
            source,
            destination: None,
            host: Caller::host_of(&listener),
            secured: None,
        };
        Self {
            refusal,
            ..Self::of(worker, Stream::Plain(tcp), caller, listener, peer)
        }
    }

    /// One of a stranger, by TLS.
    fn secured(
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
    fn inbound(
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

    fn of(
        worker: Rc<Worker>,
        stream: Stream,
        caller: Caller,
        listener: Arc<ListenerConfig>,
        peer: SocketAddr,
    ) -> Self {
        Self {
            place: Place::new(&worker),
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
    async fn serve(&mut self) {
        if self.side.stream.has_agreed_http2() {
            return Box::pin(self.multiplex()).await;
        }
        while self.wait(None).await == Waited::Request {
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
    async fn request(&mut self) -> Next {
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
                error: request.plan.refusal().cloned(),
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

    /// Reads until a request's head is whole.
    async fn read(&mut self) -> Result<Read, BadMessage> {
        let limits = self.worker.limits();
        let head_limits = request::head_limits(&limits);
        let mut watch = HeadWatch::default();
        let origin = Origin {
            caller: &self.caller,
            address: self.peer.ip(),
            refusal: self.refusal.as_ref(),
            is_http2: self.side.stream.is_stream(),
        };
        let may_be_http2 = self.may_be_http2;
        let (worker, side) = (&self.worker, &mut self.side);
        let reading = |cx: &mut Context<'_>| {
            loop {
                let input = side.input.filled();
                if !input.is_empty() && watch.is_worth_parsing(input, &head_limits) {
                    match request::read(worker, &origin, input) {
                        Ok(None) => {}
                        Ok(Some((request, head_bytes))) => {
                            side.input.consume(head_bytes);
                            return Poll::Ready(Ok(Read::Request(request)));
                        }
                        // It is no request; who speaks HTTP/2 begins so.
                        Err(_) if may_be_http2 && input.starts_with(PREFACE) => {
                            return Poll::Ready(Ok(Read::Http2));
                        }
                        Err(_) if may_be_http2 && PREFACE.starts_with(input) => {}
                        Err(bad) => return Poll::Ready(Err(bad)),
                    }
                }
                if !matches!(ready!(side.poll_fill(cx)), Ok(1..)) {
                    return Poll::Ready(Ok(Read::End));
                }
            }
        };
        if let Some(read) = self.alarm.within(limits.head_timeout, reading).await {
            return read;
        }
        // Where nothing was asked, nothing is answered.
        if !self.side.input.is_empty() {
            let reason = Reason::RequestTimeout;
            self.worker
                .stats
                .borrow_mut()
                .record_bad_request(reason.code());
            let detail = "the request's head did not come in time";
            self.last_words(&Error::downstream(reason, detail)).await;
        }
        Ok(Read::End)
    }

    /// Serves the streams of a connection that speaks HTTP/2, until its end.
    async fn multiplex(&mut self) {
        let worker = Rc::clone(&self.worker);
        // In clear an https target was meant for another server, unless one we trust ended TLS before us.
        let settings = &worker.snapshot().settings;
        let is_https = !self.side.stream.is_plain() || settings.is_trusted_proxy(self.peer.ip());
        let early = std::mem::take(&mut self.side.input);
        let stream = std::mem::replace(&mut self.side.stream, Stream::Closed);
        let host = self.beside(Side::new(Stream::Closed));
        server::serve(&worker, Wire::new(stream, early), is_https, host).await;
    }

    /// One of its streams, as a connection of one request.
    fn of_stream(&self, mut stream: Downstream) -> Self {
        let head = stream.take_head();
        let mut side = Side::new(Stream::Downstream(Box::new(stream)));
        side.input = ReadBuffer::of(head);
        side.output = self.worker.buffers.borrow_mut().take_write();
        self.beside(side)
    }

    /// A connection of the same client beside this one.
    fn beside(&self, side: Side) -> Self {
        let (worker, listener) = (Rc::clone(&self.worker), Arc::clone(&self.listener));
        let caller = self.caller.clone();
        Self {
            refusal: self.refusal.clone(),
            side,
            standing: self.standing.clone(),
            is_new: false,
            ..Self::of(worker, Stream::Closed, caller, listener, self.peer)
        }
    }

    /// Answers a request itself: an error, a redirect, or as its last recipient.
    async fn answer(&mut self, request: &Request, outcome: &mut Outcome, keeps_client: bool) {
        let is_body_over = !outcome.has_taken_body && self.skip_body(request);
        // After a fault of the client's framing nobody knows where its next request begins, and what follows a refused
        // tunnel may have been meant for its other end.
        let is_lost = outcome.error.as_ref().is_some_and(|error| {
            matches!(
                error.reason,
                Reason::BadRequest
                    | Reason::ClientClosed
                    | Reason::RequestTimeout
                    | Reason::ConnectUnsupported
                    | Reason::UpgradeWithBody
            )
        }) || (request.upgrade.is_some() && !self.side.input.is_empty());
        let keeps_client = keeps_client && is_body_over && !is_lost && self.refusal.is_none();
        let out = self.side.output.tail();
        outcome.status = self.worker.with_date(|date| {
            let asked = request.asked(keeps_client, date);
            request.write_answer(out, outcome.error.as_ref(), &asked)
        });
        let limit = request.snapshot.settings.limits.body_idle_timeout;
        let is_written = self.drain(limit).await;
        outcome.ending = match (is_written, keeps_client) {
            (false, _) => Ending::Close,
            (true, false) => Ending::Linger,
            (true, true) => Ending::GoOn,
        };
    }

    /// Throws away a body that has come already, so that the connection can go on. True: it is over.
    fn skip_body(&mut self, request: &Request) -> bool {
        match request.body {
            BodyLength::None => true,
            BodyLength::Length(length) if length <= self.side.input.len() as u64 => {
                self.side.input.consume(length as usize);
                true
            }
            _ => false,
        }
    }

    /// Answers what is no request, and closes.
    async fn refuse(&mut self, bad: &BadMessage) {
        self.worker
            .stats
            .borrow_mut()
            .record_bad_request(bad.code());
        self.last_words(&Error::downstream(bad.reason(), bad.sentence()))
            .await;
    }

    async fn last_words(&mut self, error: &Error) {
        let out = self.side.output.tail();
        self.worker.with_date(|date| {
            let asked = Asked {
                client: Version::Http11,
                keeps_client: false,
                hsts: None,
                form: Form::Text,
                hints: &[],
                is_head: false,
                trace: None,
                date,
            };
            answer::error(out, error, &asked);
        });
        if self.drain(LINGER).await {
            self.linger().await;
        }
    }

    /// Writes all there is to write, in this time. True: it is written.
    async fn drain(&mut self, most: Duration) -> bool {
        let side = &mut self.side;
        let drained = self.alarm.within(most, |cx| side.poll_drain(cx)).await;
        matches!(drained, Some(Ok(())))
    }

    /// Says that the last answer was the last, and reads on for a moment.
    async fn linger(&mut self) {
        // A stream of HTTP/2 is told by a frame of its own that no more is read of it.
        if self.side.stream.is_stream() {
            return;
        }
        let (side, deadline) = (&mut self.side, clock::now() + LINGER);
        let most = side.received + LINGER_BYTES;
        let down = self
            .alarm
            .until(deadline, |cx| side.poll_shutdown(cx))
            .await;
        if !matches!(down, Some(Ok(()))) {
            return;
        }
        while side.received < most {
            side.input.consume(BULK_BYTES);
            let read = self.alarm.until(deadline, |cx| side.poll_fill(cx)).await;
            if !matches!(read, Some(Ok(1..))) {
                return;
            }
        }
    }
}

/// Whom strangers are taken for.
fn edge_of(listener: &ListenerConfig) -> Arc<str> {
    let edge = listener.identity.clone();
    edge.unwrap_or_else(|| Arc::from("edge"))
}

/// Takes a stranger's connection by TLS. None: it came to nothing, and is counted by its cause.
async fn secure(
    worker: &Rc<Worker>,
    listener: &ListenerConfig,
    policy: TlsPolicy,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<(Stream, Secured)> {
    let Some(_handshaking) = Handshaking::begin(worker) else {
        worker.stats.borrow_mut().record_tls_failure("limit");
        return None;
    };
    let timeout = worker.limits().head_timeout;
    let edge = Arc::clone(&worker.shared.edge_tls);
    match edge_tls::accept(&edge, policy, tcp, timeout).await {
        Ok((tls, secured)) => {
            let is_resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            worker.stats.borrow_mut().record_secured(is_resumed);
            Some((Stream::tls(tls), secured))
        }
        Err(failure) => {
            worker.stats.borrow_mut().record_tls_failure(failure.cause);
            // At this level: anybody can cause it, as often as they like.
            tracing::debug!(listener = %listener.name, %peer, %failure, "handshake failed");
            None
        }
    }
}

/// A handshake under way on this thread; it is none any more when this is dropped.
struct Handshaking<'w>(&'w Worker);

impl<'w> Handshaking<'w> {
    fn begin(worker: &'w Worker) -> Option<Self> {
        let count = worker.handshakes.get();
        (count < HANDSHAKES).then(|| {
            worker.handshakes.set(count + 1);
            Self(worker)
        })
    }
}

impl Drop for Handshaking<'_> {
    fn drop(&mut self) {
        self.0.handshakes.set(self.0.handshakes.get() - 1);
    }
}

impl Host for Connection {
    /// A stranger's certificate has an end, too.
    fn is_standing(&mut self) -> bool {
        let end = self.caller.client_end();
        let is_over = end.is_some_and(|end| self.worker.since_epoch() >= end);
        !is_over && is_standing(&mut self.standing, &self.worker)
    }

    fn rest(&self) -> Duration {
        let now = self.worker.since_epoch();
        let rest = self.standing.as_ref().map(|standing| standing.rest(now));
        let of_client = self.caller.client_end();
        let of_client = of_client.map(|end| end.saturating_sub(now));
        rest.into_iter()
            .chain(of_client)
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// In a task of its own, so that a panic in it costs nothing else.
    fn take(&mut self, stream: Downstream, open: Open) {
        let mut connection = self.of_stream(stream);
        tokio::task::spawn_local(async move {
            let _open = open;
            connection.request().await;
            let worker = Rc::clone(&connection.worker);
            connection.side.give_back(&mut worker.buffers.borrow_mut());
        });
    }
}

/// Whether the caller is still the one its certificate said, where it showed one.
fn is_standing(standing: &mut Option<Standing>, worker: &Worker) -> bool {
    let standing = standing.as_mut();
    standing.is_none_or(|standing| standing.holds(&worker.shared.identities, worker.since_epoch()))
}
