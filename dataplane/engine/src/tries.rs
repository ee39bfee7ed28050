//! What was tried for one request, and whether it is tried once more. It may not send anything; `forward` does.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::flow::RequestBody;
use crate::plan::{Destination, Tried};
use crate::request::Request;
use crate::router::{RetryPolicy, Route};
use crate::worker::Worker;

/// How often a request is sent, where its route says nothing: a fourth time would only add to what is failing.
const MOST_TRIES: u32 = 3;
/// How finely waits are spread.
const FRACTIONS: u64 = 1 << 20;

/// What ended a try before a byte of its answer went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There was no connection.
    Connect,
    /// The connection was lost.
    Reset,
    /// The try took too long.
    Timeout,
    /// The answer has a status that is not good enough.
    Status,
    /// Anything else: it would be so again.
    Other,
}

/// What was tried for a request so far.
#[derive(Debug)]
pub struct Tries {
    /// The route, where it says when to try again.
    route: Option<Arc<Route>>,
    /// Tries that are left without the route's word: where nothing can be done twice.
    left: u32,
    /// Tries the route's word has brought.
    retried: u32,
    /// When the whole request is to be over.
    pub deadline: Option<Instant>,
    /// When the answer's head has to be there.
    head_deadline: Option<Instant>,
    /// When this try's has to be.
    try_deadline: Option<Instant>,
    /// How long to wait before the next.
    pause: Duration,
    /// The places of the endpoints that were chosen.
    pub tried: Tried,
    /// A connection that died while it idled says nothing of its endpoint: the same is tried afresh. Where a new one
    /// died, another endpoint is tried.
    pub again: Option<Destination>,
}

impl Tries {
    /// The first try of a request.
    pub fn begin(request: &Request) -> Self {
        let route = request.plan.route.as_ref();
        let head_timeout = route.and_then(|route| route.head_timeout);
        let route = route.filter(|route| route.retries.is_some());
        let mut tries = Self {
            route: route.cloned(),
            left: MOST_TRIES - 1,
            retried: 0,
            deadline: request.timeout().map(|timeout| request.started + timeout),
            head_deadline: head_timeout.map(|timeout| request.started + timeout),
            try_deadline: None,
            pause: Duration::ZERO,
            tried: Tried::default(),
            again: None,
        };
        if let Some(policy) = tries.policy() {
            policy.budget.deposit();
            tries.begin_try();
        }
        tries
    }

    fn policy(&self) -> Option<&RetryPolicy> {
        self.route.as_ref()?.retries.as_deref()
    }

    /// Whether the request's body is kept for another try.
    pub const fn keeps_body(&self) -> bool {
        self.route.is_some()
    }

    fn begin_try(&mut self) {
        let timeout = self.policy().and_then(|policy| policy.per_try_timeout);
        self.try_deadline = timeout.map(|timeout| clock::now() + timeout);
    }

    /// Until when the answer's head has to be there, by the shortest of the timeouts.
    pub fn head_deadline(&self) -> Option<Instant> {
        let all = [self.deadline, self.head_deadline, self.try_deadline];
        all.into_iter().flatten().min()
    }

    /// Whether the endpoints may be gone through once more: the route wants more tries than there are.
    pub fn begin_round(&mut self) -> bool {
        let is_another = self.route.is_some() && !self.tried.is_empty();
        self.tried.clear();
        is_another
    }

    /// Why a try failed, by what its error says.
    pub fn cause_of(&self, error: &Error, is_reused: bool) -> Cause {
        let is_late = self
            .try_deadline
            .is_some_and(|deadline| clock::now() >= deadline);
        match error.reason {
            Reason::UpstreamTimeout if is_late => Cause::Timeout,
            Reason::ConnectFailed | Reason::ConnectTimeout | Reason::Overloaded
                if error.is_retryable =>
            {
                Cause::Connect
            }
            // An old connection was refused after it had been taken: what it was sent may have been read.
            Reason::TlsFailed if error.is_retryable && !is_reused => Cause::Connect,
            Reason::TlsFailed | Reason::UpstreamClosed if error.is_retryable => Cause::Reset,
            _ => Cause::Other,
        }
    }

    /// Whether an answer of this status is thrown away for another try, which then has to follow.
    pub fn refuses_status(&mut self, worker: &Worker, request: &Request, status: u16) -> bool {
        let is_bad = self
            .policy()
            .is_some_and(|policy| policy.on.takes_status(status));
        is_bad && self.takes_retry(worker, request, Cause::Status)
    }

    /// Whether another try follows on one that failed, and after which wait.
    pub fn next(
        &mut self,
        worker: &Worker,
        request: &Request,
        body: &RequestBody,
        failed: Failure<'_>,
    ) -> Option<Duration> {
        if failed.cause == Cause::Status {
            // It was asked for already.
        } else if !body.is_whole() {
            return None;
        } else if self.left > 0 && failed.is_harmless(request) && self.is_free(&failed) {
            self.left -= 1;
            self.pause = Duration::ZERO;
        } else if !self.takes_retry(worker, request, failed.cause) {
            return None;
        }
        let is_stale = matches!(failed.cause, Cause::Reset | Cause::Connect);
        self.again = failed.reused.filter(|_| is_stale);
        self.begin_try();
        Some(self.pause)
    }

    /// Whether a try is ours to repeat: without a policy each that is harmless, else what died in the pool.
    const fn is_free(&self, failed: &Failure<'_>) -> bool {
        self.route.is_none() || failed.reused.is_some()
    }

    /// Takes one of the tries the route allows, if there is one, and settles how long to wait for it.
    fn takes_retry(&mut self, worker: &Worker, request: &Request, cause: Cause) -> bool {
        let Some(policy) = self.policy() else {
            return false;
        };
        let is_named = match cause {
            Cause::Connect => policy.on.connect,
            Cause::Reset => policy.on.reset,
            Cause::Timeout => policy.on.timeout,
            Cause::Status => true,
            Cause::Other => false,
        };
        // Without a connection nothing was asked, whatever it was. Another protocol is asked for once.
        let may_repeat = policy.non_idempotent && request.upgrade.is_none();
        let is_harmless = cause == Cause::Connect || may_repeat || request.is_idempotent();
        if !is_named || !is_harmless || self.retried >= policy.attempts {
            return false;
        }
        let fraction = worker.random.borrow_mut().below(FRACTIONS) as f64 / FRACTIONS as f64;
        let pause = policy.backoff(self.retried, fraction);
        let begins = clock::now() + pause;
        let ends = [self.deadline, self.head_deadline];
        let is_late = ends.into_iter().flatten().any(|end| begins >= end);
        // The budget last: what is taken from it is used.
        if is_late
            || !policy
                .budget
                .withdraw(worker.shared.uptime().as_millis() as i64)
        {
            return false;
        }
        self.retried += 1;
        self.pause = pause;
        true
    }
}

/// A try that failed before a byte of its answer went on.
#[derive(Debug)]
pub struct Failure<'f> {
    /// What is said of it.
    pub error: &'f Error,
    /// What ended it.
    pub cause: Cause,
    /// Where its connection went, if that came from the pool: then it may have died long before.
    pub reused: Option<Destination>,
}

impl Failure<'_> {
    /// Whether trying again cannot do a thing twice.
    fn is_harmless(&self, request: &Request) -> bool {
        match self.error.reason {
            _ if !self.error.is_retryable => false,
            // Nothing was sent.
            Reason::ConnectFailed | Reason::ConnectTimeout | Reason::Overloaded => true,
            // The other node refused our certificate before it read the request; an old connection it had accepted.
            Reason::TlsFailed if self.reused.is_none() => true,
            _ => request.is_idempotent(),
        }
    }
}
