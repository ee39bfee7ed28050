//! Sends one request on and its answer back: chooses an endpoint, tries again where that is harmless. It may not
//! decide what is allowed; the plan does.

use std::sync::Arc;

use crate::admission::{self, Entrant};
use crate::alarm::Alarm;
use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::exchange::{Begun, Exchange};
use crate::flow::RequestBody;
use crate::http1::{BodyLength, Known, ResponseHead};
use crate::outcome::{Ending, Outcome};
use crate::patience::{Patience, watched, within};
use crate::plan::{self, Caller, Destination};
use crate::request::{self, Request};
use crate::rewrite::{self, Returning};
use crate::running::Running;
use crate::side::Side;
use crate::tls::Standing;
use crate::tries::{Cause, Failure, Tries};
use crate::tunnel::{self, Ended, Terms};
use crate::turn;
use crate::upstream::{self, Upstream};
use crate::worker::Worker;

/// The status behind which another protocol begins; taken only where it was asked for.
const SWITCHING: u16 = 101;

/// The client's connection while its request is forwarded.
#[derive(Debug)]
pub struct Down<'a> {
    /// Where the request's body comes from and the answer goes.
    pub side: &'a mut Side,
    /// What ends the waits.
    pub alarm: &'a mut Alarm,
    /// Inbound: what the caller's name rests on.
    pub standing: Option<&'a mut Standing>,
    /// Whether it may go on afterwards.
    pub keeps_client: bool,
}

/// Sends `request` on, whose body follows in `down`, and writes the answer there.
pub async fn forward(
    worker: &Worker,
    caller: &Caller,
    request: &mut Request,
    mut down: Down<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(cause) = worker.sheds_requests() {
        let mut stats = worker.stats.borrow_mut();
        stats.record_shed(cause.code(), "request");
        outcome.error = Some(cause.refusal());
        return outcome;
    }
    // It is under way until this function ends.
    let entrant = Entrant {
        caller,
        plan: &request.plan,
        snapshot: &request.snapshot,
        body: request.body,
        client: request.client,
    };
    let _admitted = match admission::admit(&entrant, || worker.shared.uptime()) {
        Ok(admitted) => admitted,
        Err(error) => {
            outcome.error = Some(error);
            return outcome;
        }
    };
    let mut tries = Tries::begin(request);
    let limits = request::head_limits(&request.snapshot.settings.limits);
    let most_bytes = admission::body_limit(caller.kind, &request.plan, &request.snapshot);
    let mut body = RequestBody::new(request.body, &limits, tries.keeps_body(), most_bytes);
    let mut now = request.started;
    loop {
        let (alarm, outcome_so_far) = (&mut *down.alarm, &mut outcome);
        let connecting = connect(
            worker,
            caller,
            request,
            &mut tries,
            alarm,
            outcome_so_far,
            now,
        );
        let connected = connecting.await;
        let (failed, reused) = match connected {
            Err(error) => (Failed::early(error), None),
            Ok((destination, upstream)) => {
                outcome.has_taken_body = request.body != BodyLength::None;
                let is_reused = upstream.is_reused;
                let way = Way {
                    // Else it began with the connecting.
                    since: is_reused.then_some(now),
                    body: &mut body,
                    tries: &mut tries,
                    destination: &destination,
                };
                match exchange(worker, caller, request, way, &mut down, upstream).await {
                    Ok(done) => return outcome.succeed(done),
                    Err(failed) => {
                        // What an instance refused to look at says as little of it as what died in the pool.
                        let is_unseen = failed.error.reason == Reason::ConnectFailed;
                        (failed, Some(destination).filter(|_| is_reused || is_unseen))
                    }
                }
            }
        };
        let pause = match failed.begun {
            None => {
                let failure = Failure {
                    cause: failed
                        .cause
                        .unwrap_or_else(|| tries.cause_of(&failed.error, reused.is_some())),
                    error: &failed.error,
                    reused,
                };
                tries.next(worker, request, &body, failure)
            }
            Some(_) => None,
        };
        outcome.fail(failed);
        let Some(pause) = pause else {
            return outcome;
        };
        if let Some(endpoint) = &outcome.endpoint {
            let mut stats = worker.stats.borrow_mut();
            stats.record_retry(&request.plan.destination, endpoint);
        }
        if !pause.is_zero() {
            // In a box: hardly any request waits, and need not make room for it.
            Box::pin(tokio::time::sleep(pause)).await;
        }
        now = clock::now();
    }
}

impl Outcome {
    fn succeed(self, done: Done) -> Self {
        let (tunnel, error) = done.tunnel.map(|ended| (ended.record, ended.error)).unzip();
        Self {
            status: done.begun.status,
            ending: match (done.is_request_complete, done.begun.keeps_client) {
                (false, _) => Ending::Linger,
                (true, false) => Ending::Close,
                (true, true) => Ending::GoOn,
            },
            remote_reason: done.remote_reason,
            error: error.flatten(),
            ended: Some(done.ended),
            tunnel,
            ..self
        }
    }

    fn fail(&mut self, failed: Failed) {
        self.has_begun = failed.begun.is_some();
        let ends_by_closing = |begun: Begun| begun.framing == BodyLength::UntilClose;
        if failed.begun.is_some_and(ends_by_closing) {
            self.ending = Ending::Reset;
        }
        self.status = failed.begun.map_or(0, |begun| begun.status);
        // That no endpoint is left to try says less than why the last one failed.
        if self.error.is_none() || failed.error.reason != Reason::NoHealthyEndpoint {
            self.error = Some(failed.error);
        }
    }
}

/// Chooses where to and gets a connection there.
async fn connect(
    worker: &Worker,
    caller: &Caller,
    request: &mut Request,
    tries: &mut Tries,
    alarm: &mut Alarm,
    outcome: &mut Outcome,
    now: Instant,
) -> Result<(Destination, Upstream), Error> {
    // A tunnel takes its connection with it, and is asked for once: not over one that may have died.
    let may_reuse = tries.again.is_none() && request.upgrade.is_none();
    let destination = if let Some(destination) = tries.again.take() {
        destination
    } else {
        let balancer = &mut worker.balancer.borrow_mut();
        let (plan, snapshot) = (&mut request.plan, &request.snapshot);
        match plan::choose(snapshot, caller, plan, balancer, &mut tries.tried) {
            Err(error) if error.reason == Reason::NoHealthyEndpoint && tries.begin_round() => {
                plan::choose(snapshot, caller, plan, balancer, &mut tries.tried)?
            }
            chosen => chosen?,
        }
    };
    outcome.endpoint = Some(Arc::clone(destination.id()));
    let service = &request.plan.destination;
    let snapshot = &request.snapshot;
    let speaks_http2 = destination.speaks_http2(request.spoken);
    let way = upstream::Way {
        service,
        destination: &destination,
        speaks_http2,
    };
    let pooled = if may_reuse {
        upstream::pooled(worker, snapshot, caller, &way, now)
    } else {
        Ok(None)
    };
    let connected = if let Some(found) = pooled.transpose() {
        found
    } else {
        let opening = upstream::open(worker, snapshot, caller, &way);
        // In a box: most requests find a connection, and need not make room for a handshake.
        Box::pin(within(alarm, tries.head_deadline(), opening)).await
    };
    if let Err(error) = &connected {
        upstream::note_failed(worker, service, destination.id(), error, "request");
    }
    connected.map(|upstream| (destination, upstream))
}

/// How one try goes.
#[derive(Debug)]
struct Way<'t> {
    /// When it began, as far as that is known.
    since: Option<Instant>,
    destination: &'t Destination,
    body: &'t mut RequestBody,
    tries: &'t mut Tries,
}

/// A response that went through.
#[derive(Debug)]
struct Done {
    begun: Begun,
    /// Whether the client's request was taken whole.
    is_request_complete: bool,
    remote_reason: Option<Reason>,
    ended: Instant,
    tunnel: Option<Ended>,
}

/// A response that did not.
#[derive(Debug)]
struct Failed {
    error: Error,
    begun: Option<Begun>,
    /// What ended it, where the error does not say.
    cause: Option<Cause>,
}

impl Failed {
    /// Before a byte of the answer went on.
    const fn early(error: Error) -> Self {
        Self {
            error,
            begun: None,
            cause: None,
        }
    }

    /// Behind the answer's head.
    fn late(error: Error, begun: Begun) -> Self {
        Self {
            begun: Some(begun),
            ..Self::early(error)
        }
    }

    /// Before the answer's head was whole: `is_refused`, it was not good enough; `has_told`, something came of it.
    fn in_head(error: Error, is_refused: bool, has_told: bool) -> Self {
        Self {
            cause: match (is_refused, has_told) {
                (true, _) => Some(Cause::Status),
                (false, true) => Some(Cause::Other),
                (false, false) => None,
            },
            ..Self::early(error)
        }
    }
}

async fn exchange(
    worker: &Worker,
    caller: &Caller,
    request: &Request,
    way: Way<'_>,
    down: &mut Down<'_>,
    mut upstream: Upstream,
) -> Result<Done, Failed> {
    let limits = &request.snapshot.settings.limits;
    let is_from_mesh = matches!(way.destination, Destination::Mesh(..));
    upstream.side.lend_output(&mut worker.buffers.borrow_mut());
    let out = upstream.side.output.tail();
    out.extend_from_slice(&request.head);
    rewrite::end_request(out, way.destination.told(request.spoken));
    way.body.write_kept(out);
    let (service, id) = (&request.plan.destination, way.destination.id());
    let _running = Running::begin(worker, service, id, upstream.is_reused);

    let route = request.plan.route.as_deref();
    // A call may be silent as long as a tunnel: many only wait for what may happen.
    let of_call = request.call.map(|_| limits.tunnel_idle_timeout);
    let idle_timeout = route.and_then(|route| route.idle_timeout).or(of_call);
    let (deadline, head_deadline) = (way.tries.deadline, way.tries.head_deadline());
    // What came behind a wish for another protocol may have been meant for that.
    let keeps_client =
        down.keeps_client && (request.upgrade.is_none() || down.side.input.is_empty());
    let mut exchange = Exchange::new(
        down.side,
        &mut upstream.side,
        request::head_limits(limits),
        (&worker.headers, &worker.buffers),
        &request.method,
        request.version,
        way.body,
    )
    .with_upgrade(request.upgrade.as_deref());
    let mut remote_reason = None;
    let mut is_refused = false;
    let mut write_head = |head: &ResponseHead<'_>, out: &mut Vec<u8>, may_repeat: bool| {
        is_refused = may_repeat && way.tries.refuses_status(worker, request, head.status);
        if is_refused {
            return None;
        }
        remote_reason = is_from_mesh.then(|| reason_of(head)).flatten();
        Some(begin(
            worker,
            request,
            head,
            out,
            keeps_client,
            is_from_mesh,
        ))
    };
    let patience = Patience {
        since: way.since,
        idle: idle_timeout.unwrap_or(limits.idle_timeout),
        head: limits.head_timeout,
        deadline: head_deadline,
    };
    turn::end().await;
    // Each wait where it stands: a future that has a name is kept twice.
    let begun = watched(&mut exchange, down.alarm, patience, |exchange, cx| {
        exchange.poll_head(cx, &mut write_head)
    })
    .await;
    let begun = begun.map_err(|error| Failed::in_head(error, is_refused, exchange.has_told()))?;
    if begun.status == SWITCHING {
        // In a box: hardly any request becomes one.
        let tunnel = Box::pin(lasting(
            worker,
            caller,
            request,
            way.destination,
            down,
            upstream,
        ));
        return Ok(Done {
            begun,
            is_request_complete: true,
            remote_reason,
            tunnel: Some(tunnel.await),
            ended: clock::now(),
        });
    }
    let patience = Patience {
        since: None,
        idle: idle_timeout.unwrap_or(limits.body_idle_timeout),
        deadline,
        ..patience
    };
    watched(&mut exchange, down.alarm, patience, |exchange, cx| {
        exchange.poll_body(cx)
    })
    .await
    .map_err(|error| Failed::late(error, begun))?;
    let is_whole = exchange.is_request_complete();
    let ended = clock::now();
    let is_kept = begun.keeps_upstream && is_whole && request.upgrade.is_none();
    if is_kept && begun.body != BodyLength::UntilClose {
        keep(worker, request, way.destination, upstream, ended);
    }
    Ok(Done {
        begun,
        is_request_complete: is_whole,
        remote_reason,
        ended,
        tunnel: None,
    })
}

/// What a request became whose origin agreed to another protocol.
async fn lasting(
    worker: &Worker,
    caller: &Caller,
    request: &Request,
    destination: &Destination,
    down: &mut Down<'_>,
    mut upstream: Upstream,
) -> Ended {
    let route = request.plan.route.as_deref();
    let idle_timeout = route.and_then(|route| route.idle_timeout);
    let limits = &request.snapshot.settings.limits;
    let terms = Terms {
        caller,
        service: &request.plan.destination,
        destination,
        snapshot: Arc::clone(&request.snapshot),
        standing: down.standing.as_deref_mut(),
        passed: None,
        idle: idle_timeout.unwrap_or(limits.tunnel_idle_timeout),
    };
    tunnel::run(worker, down.alarm, down.side, &mut upstream.side, terms).await
}

/// Why another node of the mesh answered itself, if it did.
fn reason_of(head: &ResponseHead<'_>) -> Option<Reason> {
    if !head.headers.has(Known::MeshHeader) {
        return None;
    }
    let code = head.headers.find_named(b"mesh-reason").next()?;
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.code().as_bytes() == code)
}

/// Writes the answer's head for the client.
fn begin(
    worker: &Worker,
    request: &Request,
    head: &ResponseHead<'_>,
    out: &mut Vec<u8>,
    keeps_client: bool,
    is_from_mesh: bool,
) -> Begun {
    if head.status == SWITCHING {
        let edits = request.changes().map(|changes| &changes.response);
        rewrite::switching_head(out, head, edits);
        return Begun {
            status: head.status,
            keeps_client: false,
            keeps_upstream: false,
            body: BodyLength::None,
            framing: BodyLength::None,
        };
    }
    let framing = rewrite::framing(head.body, request.version);
    let keeps_client = keeps_client && framing != BodyLength::UntilClose && !worker.is_draining();
    worker.with_date(|date| {
        let returning = Returning {
            client: request.version,
            keeps_client,
            is_from_mesh,
            framing,
            edits: request.changes().map(|changes| &changes.response),
            hsts: request.hsts(),
            date,
        };
        rewrite::response_head(out, head, &returning);
    });
    Begun {
        status: head.status,
        keeps_client,
        keeps_upstream: head.keep_alive,
        body: head.body,
        framing,
    }
}

/// Puts the connection back where it can serve another request.
fn keep(
    worker: &Worker,
    request: &Request,
    destination: &Destination,
    upstream: Upstream,
    now: Instant,
) {
    let Upstream { mut side, home, .. } = upstream;
    side.give_back(&mut worker.buffers.borrow_mut());
    if let Some(home) = home
        && side.input.is_empty()
        && !worker.is_draining()
    {
        let most = request.snapshot.settings.limits.pool_idle_per_endpoint;
        let service = &request.plan.destination;
        let owner = (Arc::clone(service), Arc::clone(destination.id()));
        home.put(side, owner, most, now);
    }
}
