//! One request at one hop, as docs/boundary.md names its attributes. It may not encode them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::detect::Detected;
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
    /// The request's method; empty: it was a raw connection, of which no more is known than that.
    pub method: Cow<'static, str>,
    /// What a peer said in its head.
    pub texts: Texts,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The listener a raw connection came in by; a request's says no more than its direction.
    pub listener: Option<Arc<str>>,
    /// The peer, at the edge.
    pub client_address: Option<IpAddr>,
    /// The answer's status; `None` when there was none to send.
    pub status: Option<u16>,
    /// `1.1` or `1.0`.
    pub protocol_version: &'static str,
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
    /// The tunnel it became, if it did.
    pub tunnel: Option<TunnelRecord>,
    /// What its connection turned out to speak, where that was to be found out.
    pub detected: Option<Detected>,
}

/// What went through a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelRecord {
    /// Bytes from the one who opened it.
    pub received_bytes: u64,
    /// Bytes to it.
    pub sent_bytes: u64,
    /// What ended it.
    pub end: TunnelEnd,
}

/// What ended a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelEnd {
    /// The one who opened it closed first.
    Client,
    /// Its far end did.
    Upstream,
    /// The one who opened it was lost.
    ClientReset,
    /// Its far end was.
    UpstreamReset,
    /// Nothing moved for too long.
    Idle,
    /// An intention allows it no longer.
    Intention,
    /// What proved the caller's name holds no longer.
    Identity,
}

impl TunnelEnd {
    /// As spans have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::ClientReset => "client_reset",
            Self::UpstreamReset => "upstream_reset",
            Self::Idle => "idle",
            Self::Intention => "intention",
            Self::Identity => "identity",
        }
    }
}

impl SpanRecord {
    /// Whether it tells of a raw connection, not of a request.
    pub fn is_stream(&self) -> bool {
        self.method.is_empty()
    }

    /// Whether it is an error: the mesh answered itself, or the status is one of a server's.
    pub fn is_error(&self) -> bool {
        self.reason.is_some() || self.status.is_some_and(|status| status >= 500)
    }
}

/// The texts of a request's head that a span tells, each cut to [`TEXT_BYTES`]; in one piece of memory, as there is one
/// for every request.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    all: Box<str>,
    path_bytes: usize,
    host_bytes: usize,
    has_user_agent: bool,
}

impl Texts {
    /// Of a connection that is no request: of the name its TLS asks for.
    pub fn of_name(name: &str) -> Self {
        Self::of("", name, None)
    }

    /// Of a path without its query, which may hold secrets, a host, and the client's program if it said.
    pub fn of(path: &str, host: &str, user_agent: Option<&[u8]>) -> Self {
        let (path, host) = (cut(path), cut(host));
        let user_agent = user_agent.map(readable);
        let parts = [path, host, user_agent.as_deref().unwrap_or_default()];
        Self {
            all: parts.concat().into(),
            path_bytes: path.len(),
            host_bytes: host.len(),
            has_user_agent: user_agent.is_some(),
        }
    }

    /// The path it asked for.
    pub fn path(&self) -> &str {
        &self.all[..self.path_bytes]
    }

    /// The host it asked for.
    pub fn host(&self) -> &str {
        &self.all[self.path_bytes..][..self.host_bytes]
    }

    /// Its `User-Agent`.
    pub fn user_agent(&self) -> Option<&str> {
        let rest = &self.all[self.path_bytes + self.host_bytes..];
        self.has_user_agent.then_some(rest)
    }
}

/// A text a peer chose, cut to [`TEXT_BYTES`] and the letter before.
pub fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The same of bytes; what is no UTF-8 is replaced, as OTLP knows nothing else.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    let kept = &bytes[..bytes.len().min(TEXT_BYTES)];
    let text = String::from_utf8_lossy(kept);
    if kept.len() == bytes.len() {
        return text;
    }
    // The cut may have gone through a letter, which then is none.
    text.trim_end_matches('\u{fffd}').to_owned().into()
}
