//! What can go wrong with a request: who is to blame, why, and whether another try is allowed.
//!
//! Nothing here writes an answer; `answer` does, in one place.

use std::borrow::Cow;
use std::time::Duration;

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// The one who sent the request.
    Downstream,
    /// The one who was to answer it.
    Upstream,
    /// This proxy, by its configuration or its limits.
    Us,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal;)*) => {
        /// Why the mesh itself answered: stable codes, documented in docs/reasons.md.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// The code as it stands in `mesh-reason`, in metrics and in spans.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status this reason is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Every reason there is, for documents and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    /// The request breaks the framing or syntax rules of RFC 9110 or 9112.
    BadRequest = "bad_request", 400;
    /// The path has a segment `.` or `..`, or what could be read as one.
    PathDotSegment = "path_dot_segment", 400;
    /// The path has something that programs read in two ways.
    PathAmbiguous = "path_ambiguous", 400;
    /// The request's head is over the limit.
    HeaderTooLarge = "header_too_large", 431;
    /// The request's target is over the limit.
    UriTooLong = "uri_too_long", 414;
    /// The request passed this node already.
    LoopDetected = "loop_detected", 508;
    /// The request has a body and asks for another protocol.
    UpgradeWithBody = "upgrade_with_body", 400;
    /// `CONNECT` is not taken.
    ConnectUnsupported = "connect_unsupported", 501;
    /// An HTTP version this proxy does not speak.
    VersionUnsupported = "version_unsupported", 505;
    /// The body has a transfer coding beside `chunked`.
    TransferCodingUnsupported = "transfer_coding_unsupported", 501;
    /// `Expect` asks for something else than `100-continue`.
    ExpectationFailed = "expectation_failed", 417;
    /// The body is over the limit.
    BodyTooLarge = "body_too_large", 413;
    /// More requests came than the route or the service takes in this time.
    RateLimited = "rate_limited", 429;
    /// More requests are under way than the route or the service takes at one time.
    ConcurrencyLimited = "concurrency_limited", 503;
    /// This node has too much to do, or is about to run out of memory or file handles.
    Overloaded = "overloaded", 503;
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408;
    /// The one who asked went away before the answer was whole: nobody sees this status.
    ClientClosed = "client_closed", 499;
    /// No route takes this host and path.
    NoRoute = "no_route", 404;
    /// The route's rewrite made something that is no path.
    RewriteFailed = "rewrite_failed", 500;
    /// No service of that name is registered.
    NoSuchService = "no_such_service", 503;
    /// The service has no instance that passes its checks.
    NoHealthyEndpoint = "no_healthy_endpoint", 503;
    /// The caller could not be proven to be the service whose port it uses.
    CallerUnproven = "caller_unproven", 403;
    /// An intention denies the call.
    IntentionDenied = "intention_denied", 403;
    /// The intention that decides has Permissions, which are not understood yet.
    IntentionUnsupported = "intention_unsupported", 403;
    /// A `*.mesh` host was asked for at the edge.
    MeshHostAtEdge = "mesh_host_at_edge", 404;
    /// A service called a host that is not `<service>.mesh`.
    NotMeshHost = "not_mesh_host", 404;
    /// This node has no certificate for the identity the call needs.
    IdentityMissing = "identity_missing", 503;
    /// The endpoint could not be connected to.
    ConnectFailed = "connect_failed", 502;
    /// The endpoint did not take the connection in time.
    ConnectTimeout = "connect_timeout", 504;
    /// The TLS handshake with the other node failed.
    TlsFailed = "tls_failed", 502;
    /// The instance is to be spoken to by TLS, and did not prove to be whom its service names.
    UpstreamTlsFailed = "upstream_tls_failed", 502;
    /// The endpoint did not answer in time.
    UpstreamTimeout = "upstream_timeout", 504;
    /// The endpoint closed the connection before it answered.
    UpstreamClosed = "upstream_closed", 502;
    /// The endpoint's answer breaks the rules.
    UpstreamBadResponse = "upstream_bad_response", 502;
    /// A WebSocket was asked for, of what speaks none there.
    WebsocketUnsupported = "websocket_unsupported", 501;
    /// Another node called for a service that does not run here.
    NotHere = "not_here", 503;
    /// The host demands a certificate of its clients, and the request came without.
    ClientCertificateRequired = "client_certificate_required", 403;
    /// The connection's identity and the request's host disagree.
    Misdirected = "misdirected", 421;
}

/// An error of one request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.code())]
pub struct Error {
    /// Whose doing it is.
    pub who: Who,
    /// The stable reason.
    pub reason: Reason,
    /// Whether another try can do no harm: nothing of the request was acted upon.
    pub is_retryable: bool,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
    /// When it is worth to ask again, where that is known.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error of the one who sent the request; never retried.
    pub fn downstream(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            who: Who::Downstream,
            reason,
            is_retryable: false,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// An error of the one who was to answer; not retried unless said by [`Error::retryable`].
    pub fn upstream(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            who: Who::Upstream,
            reason,
            is_retryable: false,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// An error of this proxy's configuration or limits.
    pub fn us(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            who: Who::Us,
            reason,
            is_retryable: false,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The same error, with the time after which it is worth to ask again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same error, marked as one after which another try can do no harm.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }
}
