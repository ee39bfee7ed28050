//! The counters as the JSON of `GET /v1/stats` (docs/boundary.md). It may not count.

use std::collections::BTreeMap;

use serde::Serialize;

use super::histogram::Histogram;
use super::recorder::{OTHER, Recorder};
use crate::detect::Detected;
use crate::error::Reason;
use crate::span::SpanCounts;

/// What the recorders don't know.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// The generation in force.
    pub generation: u64,
    /// When it came in force.
    pub snapshot_unix_ms: u64,
    /// How long the process runs.
    pub uptime_ms: u64,
    /// Whether it is going away.
    pub is_draining: bool,
    /// Open downstream connections by listener.
    pub active: BTreeMap<String, u64>,
    /// What the span ring has seen.
    pub spans: SpanCounts,
    /// What the process uses, and may.
    pub overload: serde_json::Value,
    /// What went wrong that no request tells of.
    pub faults: FaultCounts,
    /// The identities that are there.
    pub identities: Vec<IdentityState>,
    /// The edge's certificates that are there.
    pub certificates: Vec<CertificateState>,
    /// The listeners' states, as `PUT /v1/snapshot` answers them.
    pub listeners: serde_json::Value,
}

/// What went wrong that no request tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FaultCounts {
    /// Connections that ended by a panic.
    pub panics: u64,
    /// Connections the system could not give: file handles or memory were gone.
    pub accept_errors: u64,
    /// Strangers on the control socket.
    pub control_refused: u64,
}

/// A certificate of the edge and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateState {
    /// The host it is shown for.
    pub host: String,
    /// When it ends.
    pub not_after_unix_s: u64,
    /// The SHA-256 of it, in hex.
    pub fingerprint: String,
}

/// An identity and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityState {
    /// Its name.
    pub name: String,
    /// When its certificate ends.
    pub not_after_unix_s: u64,
}

#[derive(Serialize)]
struct Report<'r> {
    generation: u64,
    snapshot_unix_ms: u64,
    uptime_ms: u64,
    draining: bool,
    requests: Vec<RequestRow<'r>>,
    connections: Vec<ConnectionRow<'r>>,
    upstreams: Vec<UpstreamRow<'r>>,
    streams: Vec<StreamRow<'r>>,
    detected: Vec<DetectedRow<'r>>,
    tls: TlsRow<'r>,
    bytes: ByteRow,
    spans: SpanRow,
    bad_requests: Vec<BadRequestRow<'r>>,
    cut_connections: Vec<CutRow<'r>>,
    shed: Vec<ShedRow<'r>>,
    overload: &'r serde_json::Value,
    faults: FaultCounts,
    identities: &'r [IdentityState],
    certificates: &'r [CertificateState],
    listeners: &'r serde_json::Value,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct RequestRow<'r> {
    listener: &'r str,
    source: &'r str,
    destination: &'r str,
    route: &'r str,
    status: u16,
    reason: &'static str,
    count: u64,
    latency_us: LatencyRow,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct LatencyRow {
    sum: u64,
    buckets: Vec<(Option<u64>, u64)>,
}

#[derive(Serialize, Default)]
struct ConnectionRow<'r> {
    listener: &'r str,
    accepted: u64,
    active: u64,
    refused: u64,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct UpstreamRow<'r> {
    cluster: &'r str,
    endpoint: &'r str,
    connects: u64,
    connect_errors: u64,
    idle: u64,
    reused: u64,
    retries: u64,
    running: u64,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct StreamRow<'r> {
    listener: &'r str,
    source: &'r str,
    destination: &'r str,
    route: &'r str,
    reason: &'static str,
    count: u64,
    active: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct DetectedRow<'r> {
    listener: &'r str,
    source: &'r str,
    destination: &'r str,
    protocol: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct TlsRow<'r> {
    handshakes: u64,
    handshake_errors: u64,
    resumed: u64,
    failures: Vec<FailureRow<'r>>,
}

#[derive(Serialize)]
struct FailureRow<'r> {
    cause: &'r str,
    count: u64,
}

#[derive(Serialize)]
struct ByteRow {
    received: u64,
    sent: u64,
}

#[derive(Serialize)]
struct SpanRow {
    recorded: u64,
    dropped: u64,
    queued: u64,
}

#[derive(Serialize)]
struct CutRow<'r> {
    cause: &'r str,
    count: u64,
}

#[derive(Serialize)]
struct ShedRow<'r> {
    cause: &'r str,
    what: &'r str,
    count: u64,
}

#[derive(Serialize)]
struct BadRequestRow<'r> {
    code: &'r str,
    count: u64,
}

impl Recorder {
    /// The whole document, its rows sorted.
    pub fn to_json(&self, outside: &Outside) -> Vec<u8> {
        let bad_requests = self.bad_requests.iter();
        let failures = self.tls.failures.iter();
        let cut_connections = self.cut_connections.iter();
        let shed = self.shed.iter();
        let report = Report {
            generation: outside.generation,
            snapshot_unix_ms: outside.snapshot_unix_ms,
            uptime_ms: outside.uptime_ms,
            draining: outside.is_draining,
            requests: self.request_rows(),
            connections: self.connection_rows(&outside.active),
            upstreams: self.upstream_rows(),
            streams: self.stream_rows(),
            detected: self.detected_rows(),
            tls: TlsRow {
                handshakes: self.tls.handshakes,
                handshake_errors: self.tls.handshake_errors,
                resumed: self.tls.resumed,
                failures: failures
                    .map(|(cause, &count)| FailureRow { cause, count })
                    .collect(),
            },
            bytes: ByteRow {
                received: self.bytes.received,
                sent: self.bytes.sent,
            },
            spans: SpanRow {
                recorded: outside.spans.recorded,
                dropped: outside.spans.dropped,
                queued: outside.spans.queued,
            },
            bad_requests: bad_requests
                .map(|(code, &count)| BadRequestRow { code, count })
                .collect(),
            cut_connections: cut_connections
                .map(|(cause, &count)| CutRow { cause, count })
                .collect(),
            shed: shed
                .map(|(&(cause, what), &count)| ShedRow { cause, what, count })
                .collect(),
            overload: &outside.overload,
            faults: outside.faults,
            identities: &outside.identities,
            certificates: &outside.certificates,
            listeners: &outside.listeners,
        };
        // Plain rows of numbers and texts cannot fail to serialize; if they do, no counter is worth a panic.
        serde_json::to_vec(&report).unwrap_or_default()
    }

    fn request_rows(&self) -> Vec<RequestRow<'_>> {
        let rows = self.requests.rows().map(|(key, latencies)| RequestRow {
            listener: &key.listener,
            source: &key.source,
            destination: &key.destination,
            route: &key.route,
            status: key.status,
            reason: key.reason.map_or("", Reason::code),
            count: latencies.count(),
            latency_us: latency_row(latencies),
        });
        sorted(rows)
    }

    fn stream_rows(&self) -> Vec<StreamRow<'_>> {
        let rows = self.streams.rows().map(|(key, counters)| StreamRow {
            listener: &key.listener,
            source: &key.source,
            destination: &key.destination,
            route: &key.route,
            reason: key.reason.map_or("", Reason::code),
            count: counters.count,
            active: counters.active,
            received_bytes: counters.received_bytes,
            sent_bytes: counters.sent_bytes,
        });
        sorted(rows)
    }

    fn detected_rows(&self) -> Vec<DetectedRow<'_>> {
        let rows = self.detected.rows().map(|(key, counter)| DetectedRow {
            listener: &key.listener,
            source: &key.source,
            destination: &key.destination,
            protocol: key.protocol.map_or(OTHER, Detected::as_str),
            count: counter.0,
        });
        sorted(rows)
    }

    fn connection_rows<'r>(&'r self, active: &'r BTreeMap<String, u64>) -> Vec<ConnectionRow<'r>> {
        let mut rows: BTreeMap<&str, ConnectionRow<'r>> = BTreeMap::new();
        for (listener, counters) in self.listeners.rows() {
            let row = rows.entry(listener).or_default();
            row.accepted = counters.accepted;
            row.refused = counters.refused;
        }
        for (listener, &active) in active {
            rows.entry(listener).or_default().active = active;
        }
        for (listener, row) in &mut rows {
            row.listener = listener;
        }
        rows.into_values().collect()
    }

    fn upstream_rows(&self) -> Vec<UpstreamRow<'_>> {
        let rows = self.upstreams.rows().map(|(key, counters)| UpstreamRow {
            cluster: &key.cluster,
            endpoint: &key.endpoint,
            connects: counters.connects,
            connect_errors: counters.connect_errors,
            idle: counters.idle,
            reused: counters.reused,
            retries: counters.retries,
            running: counters.running,
        });
        sorted(rows)
    }
}

fn latency_row(latencies: &Histogram) -> LatencyRow {
    LatencyRow {
        sum: latencies.sum_us(),
        buckets: latencies.cumulative().collect(),
    }
}

fn sorted<T: Ord>(rows: impl Iterator<Item = T>) -> Vec<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort_unstable();
    rows
}
