//! One raw connection: who opened it, where it goes, the tunnel it becomes. It may not look at its bytes.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::callers;
use crate::clock::{self, Instant};
use crate::detect::Detected;
use crate::error::{Error, Reason};
use crate::opening::Frame;
use crate::plan::{self, Caller, Destination, Plan, Tried};
use crate::random::Random;
use crate::record::{self, Connection};
use crate::running::Running;
use crate::side::Side;
use crate::snapshot::{ListenerConfig, ListenerKind, Snapshot};
use crate::stream::Stream;
use crate::tls::{MeshPeer, Standing};
use crate::trace::TraceContext;
use crate::tunnel::{self, Ended, Terms};
use crate::upstream;
use crate::worker::Worker;

/// How many endpoints are tried for one connection: a fourth would only add to what is failing.
const MOST_TRIES: usize = 3;

/// A connection of a service whose first bytes were read, and are no request.
#[derive(Debug)]
pub struct Begun {
    /// It, with what was read of it.
    pub side: Side,
    /// How its caller failed to prove whose it is, if so.
    pub refusal: Option<Error>,
    /// When it came, also since the Unix epoch.
    pub started: (Instant, u64),
    /// What it speaks.
    pub detected: Detected,
    /// The name its TLS asks for, where that was seen.
    pub server_name: Option<Box<str>>,
}

/// Serves a connection of a listener for raw ones.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let refusal = match listener.kind {
        ListenerKind::Outbound => callers::prove(&listener, &tcp, peer).err(),
        ListenerKind::Edge | ListenerKind::Inbound => None,
    };
    let mut relay = Relay::begin(&worker, caller_of(&listener), &listener, peer, &[]);
    let plan = relay.plan_or(refusal);
    let mut down = Side::new(Stream::Plain(tcp));
    let outcome = relay.go(plan, &mut down, None, None).await;
    relay.record(outcome);
}

/// Serves a connection whose port found out that it makes no requests.
pub async fn begun(
    worker: Rc<Worker>,
    begun: Begun,
    mut alarm: Alarm,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let mut down = begun.side;
    let mut relay = Relay {
        started: begun.started.0,
        started_unix_ns: begun.started.1,
        detected: Some(begun.detected),
        server_name: begun.server_name,
        ..Relay::begin(&worker, caller_of(&listener), &listener, peer, &[])
    };
    let plan = relay.plan_or(begun.refusal);
    let outcome = relay.go(plan, &mut down, None, Some(&mut alarm)).await;
    relay.record(outcome);
}

/// Who opens the raw connections of a listener, and where that says they go.
fn caller_of(listener: &ListenerConfig) -> Caller {
    let source = match listener.kind {
        ListenerKind::Outbound => listener.service.clone(),
        ListenerKind::Edge | ListenerKind::Inbound => listener.identity.clone(),
    };
    Caller {
        kind: listener.kind,
        source: source.unwrap_or_else(|| Arc::from("edge")),
        destination: listener.destination.clone(),
        host: None,
        secured: None,
    }
}

/// Serves a connection of the edge that goes on as it came, with what was read of it already: where it goes, by the
/// server name it asks for.
pub async fn pass(
    worker: Rc<Worker>,
    mut down: Side,
    plan: Plan,
    server_name: Box<str>,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let mut relay = Relay {
        server_name: Some(server_name),
        ..Relay::begin(&worker, caller_of(&listener), &listener, peer, &[])
    };
    let outcome = relay.go(plan, &mut down, None, None).await;
    relay.record(outcome);
}

/// Serves a raw connection that another node opened, from its opening frame on.
pub async fn inbound(
    worker: &Worker,
    listener: &ListenerConfig,
    peer: SocketAddr,
    mut down: Side,
    ends: MeshPeer,
) {
    let mut standing = ends.standing;
    let caller = Caller {
        kind: listener.kind,
        source: ends.source,
        destination: Some(ends.destination),
        host: None,
        secured: None,
    };
    let mut alarm = Alarm::default();
    let limits = worker.limits();
    down.lend(&mut worker.buffers.borrow_mut());
    let opened = alarm
        .within(limits.head_timeout, |cx| {
            upstream::poll_frame(&mut down, cx)
        })
        .await;
    let Some(Ok(length)) = opened else {
        let code = "stream_opening";
        worker.stats.borrow_mut().record_bad_request(code);
        tracing::info!(listener = %listener.name, %peer, "a stream was not opened as it should be");
        return;
    };
    let frame = Frame::read(down.input.filled());
    let Ok(Some((frame, _))) = frame else { return };
    let instance = (!frame.instance.is_empty()).then(|| frame.instance.to_vec());
    let mut relay = Relay::begin(worker, caller, listener, peer, frame.traceparent);
    down.input.consume(length);
    let plan = plan::inbound(&relay.snapshot, &relay.caller, "", instance.as_deref());
    let outcome = relay
        .go(plan, &mut down, Some(&mut standing), Some(&mut alarm))
        .await;
    relay.record(outcome);
}

/// What became of a raw connection.
struct Outcome {
    plan: Plan,
    endpoint: Option<Arc<str>>,
    tunnel: Option<Ended>,
    error: Option<Error>,
}

/// One raw connection under way.
struct Relay<'w> {
    worker: &'w Worker,
    listener: &'w ListenerConfig,
    peer: SocketAddr,
    caller: Caller,
    snapshot: Arc<Snapshot>,
    trace: TraceContext,
    started: Instant,
    started_unix_ns: u64,
    /// What it turned out to speak, where its port finds that out.
    detected: Option<Detected>,
    /// The name its TLS asks for, where that was seen.
    server_name: Option<Box<str>>,
}

impl<'w> Relay<'w> {
    fn begin(
        worker: &'w Worker,
        caller: Caller,
        listener: &'w ListenerConfig,
        peer: SocketAddr,
        traceparent: &[u8],
    ) -> Self {
        let snapshot = worker.snapshot();
        let random: &mut Random = &mut worker.random.borrow_mut();
        let parent = Some(traceparent).filter(|parent| !parent.is_empty());
        let trace = TraceContext::begin(parent, [], snapshot.settings.trace_ratio, random);
        Self {
            worker,
            listener,
            peer,
            caller,
            snapshot,
            trace,
            started: clock::now(),
            started_unix_ns: clock::unix_ns(),
            detected: None,
            server_name: None,
        }
    }

    /// Where it goes, unless it failed to prove whose it is.
    fn plan_or(&self, refusal: Option<Error>) -> Plan {
        refusal.map_or_else(|| self.plan(), Plan::refused)
    }

    /// Where it goes: by its port and its own address, or to the one destination of its port.
    fn plan(&self) -> Plan {
        let balancer = &mut self.worker.balancer.borrow_mut();
        if let Some(destination) = &self.caller.destination {
            return plan::to_service(&self.snapshot, destination);
        }
        let port = self.listener.address.port();
        plan::by_port(&self.snapshot, port, self.peer.ip(), balancer)
    }

    /// Finds its far end and moves bytes until it is over. One that another node opened is told first.
    async fn go(
        &mut self,
        mut plan: Plan,
        down: &mut Side,
        standing: Option<&mut Standing>,
        alarm: Option<&mut Alarm>,
    ) -> Outcome {
        let mut own_alarm = Alarm::default();
        let alarm = alarm.unwrap_or(&mut own_alarm);
        let is_told = self.caller.kind == ListenerKind::Inbound;
        let mut endpoint = None;
        let connected = match plan.refusal() {
            Some(error) => Err(error.clone()),
            None => self.connect(&mut plan, &mut endpoint).await,
        };
        if is_told && let Err(error) = tell(down, alarm, connected.as_ref().err(), self).await {
            return Outcome {
                plan,
                endpoint,
                tunnel: None,
                error: Some(connected.err().unwrap_or(error)),
            };
        }
        let (destination, mut up) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                return Outcome {
                    plan,
                    endpoint,
                    tunnel: None,
                    error: Some(error),
                };
            }
        };
        let service = Arc::clone(&plan.destination);
        let _running = Running::begin(self.worker, &service, destination.id(), false);
        let open = record::open(self.worker, &self.connection(&plan, endpoint.as_ref()));
        let terms = Terms {
            caller: &self.caller,
            service: &service,
            destination: &destination,
            snapshot: Arc::clone(&self.snapshot),
            standing,
            passed: self.passed(),
            idle: self.idle(&plan),
        };
        let ended = tunnel::run(self.worker, alarm, down, &mut up, terms).await;
        record::close(self.worker, open, &ended.record);
        Outcome {
            plan,
            endpoint,
            error: ended.error.clone(),
            tunnel: Some(ended),
        }
    }

    /// The server name by which the edge passes it on, if it does.
    fn passed(&self) -> Option<&str> {
        let name = self.server_name.as_deref();
        name.filter(|_| self.caller.kind == ListenerKind::Edge)
    }

    fn idle(&self, plan: &Plan) -> Duration {
        // What a service's policy says for calls to it.
        let own = || self.snapshot.route(&format!("mesh:{}", plan.destination));
        let route = plan.route.as_ref().or_else(own);
        let idle_timeout = route.and_then(|route| route.idle_timeout);
        idle_timeout.unwrap_or(self.snapshot.settings.limits.tunnel_idle_timeout)
    }

    /// A connection to an endpoint that took it, and the endpoint.
    async fn connect(
        &self,
        plan: &mut Plan,
        endpoint: &mut Option<Arc<str>>,
    ) -> Result<(Destination, Side), Error> {
        let (worker, snapshot) = (self.worker, &self.snapshot);
        let mut tried = Tried::default();
        let mut last = None;
        for _ in 0..MOST_TRIES {
            let chosen = {
                let balancer = &mut worker.balancer.borrow_mut();
                plan::choose(snapshot, &self.caller, plan, balancer, &mut tried)
            };
            let destination = match chosen {
                Ok(destination) => destination,
                // That no endpoint is left says less than why the last one failed.
                Err(error) => return Err(last.unwrap_or(error)),
            };
            *endpoint = Some(Arc::clone(destination.id()));
            let service = &plan.destination;
            let traceparent = self.trace.traceparent();
            let opening = upstream::open_raw(
                worker,
                snapshot,
                &self.caller,
                service,
                &destination,
                &traceparent,
            );
            match Box::pin(opening).await {
                Ok(side) => return Ok((destination, side)),
                Err(error) => {
                    upstream::note_failed(worker, service, destination.id(), &error, "connection");
                    if !error.is_retryable {
                        return Err(error);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::us(Reason::ConnectFailed, "no endpoint was tried")))
    }

    fn connection<'c>(&'c self, plan: &'c Plan, endpoint: Option<&'c Arc<str>>) -> Connection<'c> {
        Connection {
            listener: self.listener,
            caller: &self.caller,
            peer: self.peer,
            plan,
            endpoint,
            trace: &self.trace,
            started: self.started,
            started_unix_ns: self.started_unix_ns,
            detected: self.detected,
            server_name: self.server_name.as_deref(),
        }
    }

    fn record(&self, outcome: Outcome) {
        let connection = self.connection(&outcome.plan, outcome.endpoint.as_ref());
        let tunnel = outcome.tunnel.map(|ended| ended.record);
        record::connection(self.worker, &connection, outcome.error.as_ref(), tunnel);
    }
}

/// Tells the node that opened a stream whether it is granted.
async fn tell(
    down: &mut Side,
    alarm: &mut Alarm,
    error: Option<&Error>,
    relay: &Relay<'_>,
) -> Result<(), Error> {
    let frame = error.map_or_else(Frame::default, |error| Frame {
        reason: error.reason.code().as_bytes(),
        sentence: error.detail.as_bytes(),
        ..Frame::default()
    });
    frame.write(down.output.tail());
    let limit = relay.snapshot.settings.limits.connect_timeout;
    match alarm.within(limit, |cx| down.poll_drain(cx)).await {
        Some(Ok(())) => Ok(()),
        _ => Err(Error::downstream(
            Reason::ClientClosed,
            "the other node went away before it was answered",
        )),
    }
}
