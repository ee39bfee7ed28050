//! What holds for the whole node: its names, defaults and limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::check;
use super::document::{DefaultAction, LimitsDocument, SettingsDocument};
use super::limits::{DETECT_TIMEOUT_MS, MEMORY_BYTES};
use super::refusal::Refusal;
use crate::http1::HeadLimits;
use crate::network::{self, Network};

/// Who is told more in errors where the settings don't say: who is on this machine can read the configuration anyway.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

/// The resource `settings.node`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The node's name in Consul.
    pub node: Arc<str>,
    /// The datacenter, as in SNI and SPIFFE names.
    pub datacenter: Arc<str>,
    /// The trust domain, as in SNI and SPIFFE names.
    pub trust_domain: Arc<str>,
    /// Whether a call goes on that no intention speaks of.
    pub is_allowed_by_default: bool,
    /// The share of the traces that begin here which is kept, 0 to 1.
    pub trace_ratio: f64,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Clients that are told more in errors.
    pub trusted_clients: Vec<Network>,
    /// Whether `%2F`, `%5C` and `;` in a path are refused.
    pub has_strict_paths: bool,
    /// The port of the edge's TLS as clients see it, for redirects; none: they name none, which is 443.
    pub https_port: Option<u16>,
    /// Bounds for connections and requests.
    pub limits: Limits,
}

/// Bounds for connections and requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's or response's head.
    pub head_bytes: usize,
    /// Header fields of a head.
    pub headers: usize,
    /// From the first byte of a head, or from accepting, to its last.
    pub head_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// A whole request, unless its route says otherwise; none: no bound.
    pub request_timeout: Option<Duration>,
    /// Between two pieces of a body.
    pub body_idle_timeout: Duration,
    /// Without a byte in a tunnel: behind an upgrade.
    pub tunnel_idle_timeout: Duration,
    /// Connecting to an endpoint, TLS included.
    pub connect_timeout: Duration,
    /// Without a byte, where the first bytes of a connection are to say what it speaks.
    pub detect_timeout: Duration,
    /// Open downstream connections of the whole process.
    pub connections: usize,
    /// Of them those of one client of the edge, or of one other machine; 0: half of those that may be open.
    pub connections_per_client: usize,
    /// Handshakes with strangers at once, on one thread: each holds some 15 KiB until it is done.
    pub tls_handshakes: usize,
    /// Idle connections kept to one endpoint, for each thread.
    pub pool_idle_per_endpoint: usize,
    /// How long an idle connection to an endpoint is kept.
    pub pool_idle_timeout: Duration,
    /// Streams that may be open at once on one HTTP/2 connection: a client's, or ours to an instance.
    pub http2_streams: u32,
    /// Streams a client may take back at once, before its connection is cut as a flood.
    pub http2_resets: u32,
    /// Bytes a client may send of one stream before they are read.
    pub http2_stream_window_bytes: u32,
    /// The same of all streams of a connection together.
    pub http2_connection_window_bytes: u32,
    /// Bytes of a request's body, unless its route says otherwise; none: no bound, as no body is kept.
    pub body_bytes: Option<u64>,
    /// How late a thread may come to what is due before it is overloaded.
    pub overload_lag: Duration,
    /// Resident memory of the process; 0: what its control group may have, if that has a limit.
    pub overload_memory_bytes: u64,
}

impl Settings {
    /// What holds before the first snapshot: nobody may call anybody.
    pub(super) fn unset() -> Self {
        Self {
            node: Arc::from(""),
            datacenter: Arc::from(""),
            trust_domain: Arc::from(""),
            is_allowed_by_default: false,
            trace_ratio: 0.0,
            trusted_proxies: Vec::new(),
            trusted_clients: Vec::new(),
            has_strict_paths: false,
            https_port: None,
            limits: Limits::default(),
        }
    }

    /// Whether `address` is a proxy whose `Forwarded` is believed.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        network::any_contains(&self.trusted_proxies, address)
    }

    /// Whether `address` is told more in errors. What comes by a trusted proxy may be anybody's.
    pub fn is_trusted_client(&self, address: IpAddr) -> bool {
        network::any_contains(&self.trusted_clients, address) && !self.is_trusted_proxy(address)
    }

    pub(super) fn compile(name: &Arc<str>, document: SettingsDocument) -> Result<Self, Refusal> {
        if &**name != "node" {
            return Err(Refusal::at(
                "",
                "settings are named `node` and nothing else",
            ));
        }
        check::name("node", &document.node)?;
        check::name("datacenter", &document.datacenter)?;
        check::name("trust_domain", &document.trust_domain)?;
        if !(0.0..=1.0).contains(&document.trace_ratio) {
            return Err(Refusal::at("trace_ratio", "is not from 0 to 1"));
        }
        Ok(Self {
            trusted_proxies: check::networks("trusted_proxies", &document.trusted_proxies)?,
            trusted_clients: match &document.trusted_clients {
                Some(clients) => check::networks("trusted_clients", clients)?,
                None => LOOPBACK.into_iter().filter_map(Network::parse).collect(),
            },
            has_strict_paths: document.strict_paths,
            https_port: document.https_port.filter(|port| *port != 443),
            limits: Limits::compile(&document.limits).map_err(|fault| fault.under("limits"))?,
            is_allowed_by_default: document.intention_default == DefaultAction::Allow,
            trace_ratio: document.trace_ratio,
            node: document.node,
            datacenter: document.datacenter,
            trust_domain: document.trust_domain,
        })
    }
}

impl Limits {
    fn compile(document: &LimitsDocument) -> Result<Self, Refusal> {
        let size = |field: &str, value: u64, min: u64, max: u64| {
            check::range(field, value, min, max).map(|()| value as usize)
        };
        Ok(Self {
            head_bytes: size(
                "head_bytes",
                document.head_bytes,
                1024,
                HeadLimits::MOST_HEAD_BYTES as u64,
            )?,
            headers: size(
                "headers",
                document.headers,
                1,
                HeadLimits::MOST_HEADERS as u64,
            )?,
            head_timeout: check::timeout("head_timeout_ms", document.head_timeout_ms)?,
            idle_timeout: check::timeout("idle_timeout_ms", document.idle_timeout_ms)?,
            request_timeout: check::optional_timeout(
                "request_timeout_ms",
                document.request_timeout_ms,
            )?,
            body_idle_timeout: check::timeout(
                "body_idle_timeout_ms",
                document.body_idle_timeout_ms,
            )?,
            tunnel_idle_timeout: check::timeout(
                "tunnel_idle_timeout_ms",
                document.tunnel_idle_timeout_ms,
            )?,
            connect_timeout: check::timeout("connect_timeout_ms", document.connect_timeout_ms)?,
            detect_timeout: {
                let value_ms = document.detect_timeout_ms;
                check::range("detect_timeout_ms", value_ms, 1, DETECT_TIMEOUT_MS)?;
                Duration::from_millis(value_ms)
            },
            connections: size("connections", document.connections, 1, 10_000_000)?,
            connections_per_client: size(
                "connections_per_client",
                document.connections_per_client,
                0,
                10_000_000,
            )?,
            tls_handshakes: size("tls_handshakes", document.tls_handshakes, 1, 100_000)?,
            pool_idle_per_endpoint: size(
                "pool_idle_per_endpoint",
                document.pool_idle_per_endpoint,
                0,
                100_000,
            )?,
            pool_idle_timeout: check::timeout(
                "pool_idle_timeout_ms",
                document.pool_idle_timeout_ms,
            )?,
            http2_streams: size("http2_streams", document.http2_streams, 1, 1000)? as u32,
            http2_resets: size("http2_resets", document.http2_resets, 1, 200)? as u32,
            http2_stream_window_bytes: size(
                "http2_stream_window_bytes",
                document.http2_stream_window_bytes,
                1024,
                16 << 20,
            )? as u32,
            http2_connection_window_bytes: size(
                "http2_connection_window_bytes",
                document.http2_connection_window_bytes,
                65_535,
                16 << 20,
            )? as u32,
            body_bytes: check::body_bytes("body_bytes", document.body_bytes)?,
            overload_lag: check::timeout("overload_lag_ms", document.overload_lag_ms)?,
            overload_memory_bytes: size(
                "overload_memory_bytes",
                document.overload_memory_bytes,
                0,
                MEMORY_BYTES,
            )? as u64,
        })
    }
}

impl Default for Limits {
    /// The defaults of docs/boundary.md, as a test compares.
    fn default() -> Self {
        let document = LimitsDocument::default();
        Self {
            head_bytes: document.head_bytes as usize,
            headers: document.headers as usize,
            head_timeout: Duration::from_millis(document.head_timeout_ms),
            idle_timeout: Duration::from_millis(document.idle_timeout_ms),
            request_timeout: None,
            body_idle_timeout: Duration::from_millis(document.body_idle_timeout_ms),
            tunnel_idle_timeout: Duration::from_millis(document.tunnel_idle_timeout_ms),
            connect_timeout: Duration::from_millis(document.connect_timeout_ms),
            detect_timeout: Duration::from_millis(document.detect_timeout_ms),
            connections: document.connections as usize,
            connections_per_client: document.connections_per_client as usize,
            tls_handshakes: document.tls_handshakes as usize,
            pool_idle_per_endpoint: document.pool_idle_per_endpoint as usize,
            pool_idle_timeout: Duration::from_millis(document.pool_idle_timeout_ms),
            http2_streams: document.http2_streams as u32,
            http2_resets: document.http2_resets as u32,
            http2_stream_window_bytes: document.http2_stream_window_bytes as u32,
            http2_connection_window_bytes: document.http2_connection_window_bytes as u32,
            body_bytes: None,
            overload_lag: Duration::from_millis(document.overload_lag_ms),
            overload_memory_bytes: document.overload_memory_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_boundary() {
        let page = include_str!("../../../../docs/boundary.md");
        let (_, rest) = page.split_once(r#""limits":{"head_bytes""#).unwrap();
        let (told, _) = rest.split_once('}').unwrap();
        let document: LimitsDocument =
            serde_json::from_str(&format!(r#"{{"head_bytes"{told}}}"#)).unwrap();
        assert_eq!(Limits::compile(&document).unwrap(), Limits::default());
    }
}
