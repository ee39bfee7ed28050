//! One request at one hop, as docs/boundary.md names its attributes. It may not encode them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::error::Reason;
use crate::snapshot::{ListenerKind, Route};
use crate::trace::TraceContext;

/// Bytes of a text a peer chose (path, host, user agent) that are kept: a full ring stays within tens of megabytes.
pub const TEXT_BYTES: usize = 1024;

/// One finished request. Made only when its trace is sampled.
#[derive(Debug, Clone)]
pub struct SpanRecord {
    /// Where it stands in its trace.
    pub context: TraceContext,
    /// Which way it went; decides the span's kind and name.
    pub direction: ListenerKind,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// When it ended.
    pub end_unix_ns: u64,
    /// Who tells it (`service.name`): `edge`, the calling service, or the destination.
    pub service: Arc<str>,
    /// The instance that tells it, where known.
    pub instance: Option<Arc<str>>,
    /// The request's method.
    pub method: Cow<'static, str>,
    /// The path it asked for, without the query, which may hold secrets.
    pub path: Box<str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host it asked for.
    pub server_address: Box<str>,
    /// The peer, at the edge.
    pub client_address: Option<IpAddr>,
    /// The answer's status; `None` when there was none to send.
    pub status: Option<u16>,
    /// `1.1` or `1.0`.
    pub protocol_version: &'static str,
    /// Its `User-Agent`.
    pub user_agent: Option<Box<str>>,
    /// Why the mesh itself answered, if it did.
    pub reason: Option<Reason>,
    /// The route that took it, at the edge.
    pub route: Option<Arc<Route>>,
    /// Who called, where proven.
    pub source: Option<Arc<str>>,
    /// Which service was called, once known.
    pub destination: Option<Arc<str>>,
    /// The id of the instance it was sent to.
    pub endpoint: Option<Arc<str>>,
    /// The intention that decided.
    pub intention: Option<Arc<str>>,
}

impl SpanRecord {
    /// Whether it is an error: the mesh answered itself, or the status is one of a server's.
    pub fn is_error(&self) -> bool {
        self.reason.is_some() || self.status.is_some_and(|status| status >= 500)
    }
}

/// A text a peer chose, cut to [`TEXT_BYTES`]; what is no UTF-8 is replaced, as OTLP knows nothing else.
pub fn text(bytes: &[u8]) -> Box<str> {
    let kept = &bytes[..bytes.len().min(TEXT_BYTES)];
    let text = String::from_utf8_lossy(kept);
    // The cut may have gone through a letter, which then is none.
    let is_cut = kept.len() < bytes.len();
    let whole = if is_cut {
        text.trim_end_matches('\u{fffd}')
    } else {
        &text
    };
    whole.into()
}
