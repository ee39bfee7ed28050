//! One thread's counters since its start. It may not be shared: it has neither lock nor atomics.

use std::collections::BTreeMap;
use std::time::Duration;

use super::configured::Configured;
use super::detected::{DetectedCounter, DetectedKey, DetectedLabels};
use super::histogram::Histogram;
use super::table::{Counters, LabelSet, Table};
use crate::clock::Instant;
use crate::error::Reason;
use crate::snapshot::Snapshot;

/// Label sets kept of requests, and of upstreams: some megabytes a thread. What comes beyond is counted as `other`.
pub const LABEL_SETS: usize = 16_384;

/// From one sweep to the next. What is gone is told for so long at least, so that whoever asks every few minutes misses
/// nothing of it.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What stands in every label of what is counted together.
pub(super) const OTHER: &str = "other";

/// What one thread counted.
#[derive(Debug, Clone)]
pub struct Recorder {
    pub(super) requests: Table<RequestKey, Histogram>,
    pub(super) listeners: Table<Box<str>, ListenerCounters>,
    pub(super) upstreams: Table<UpstreamKey, UpstreamCounters>,
    pub(super) streams: Table<RequestKey, StreamCounters>,
    pub(super) detected: Table<DetectedKey, DetectedCounter>,
    pub(super) bad_requests: BTreeMap<&'static str, u64>,
    pub(super) cut_connections: BTreeMap<&'static str, u64>,
    pub(super) shed: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) tls: TlsCounters,
    pub(super) bytes: ByteCounters,
    swept: Option<Instant>,
}

/// What a request is counted under. Only names of the configuration may stand here, empty where there is none:
/// else strangers fill the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestLabels<'l> {
    /// The listener's name.
    pub listener: &'l str,
    /// The calling service, or `edge`.
    pub source: &'l str,
    /// The called service.
    pub destination: &'l str,
    /// The route's name.
    pub route: &'l str,
    /// The answer's status.
    pub status: u16,
    /// Why the mesh itself answered, if it did.
    pub reason: Option<Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequestKey {
    pub listener: Box<str>,
    pub source: Box<str>,
    pub destination: Box<str>,
    pub route: Box<str>,
    pub status: u16,
    pub reason: Option<Reason>,
}

impl RequestKey {
    fn labels(&self) -> RequestLabels<'_> {
        RequestLabels {
            listener: &self.listener,
            source: &self.source,
            destination: &self.destination,
            route: &self.route,
            status: self.status,
            reason: self.reason,
        }
    }
}

impl LabelSet for RequestLabels<'_> {
    type Kept = RequestKey;

    fn keep(&self) -> RequestKey {
        RequestKey {
            listener: self.listener.into(),
            source: self.source.into(),
            destination: self.destination.into(),
            route: self.route.into(),
            status: self.status,
            reason: self.reason,
        }
    }

    fn is(&self, kept: &RequestKey) -> bool {
        *self == kept.labels()
    }
}

#[derive(Hash)]
struct ListenerLabel<'l>(&'l str);

impl LabelSet for ListenerLabel<'_> {
    type Kept = Box<str>;

    fn keep(&self) -> Box<str> {
        self.0.into()
    }

    fn is(&self, kept: &Box<str>) -> bool {
        *self.0 == **kept
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UpstreamKey {
    pub cluster: Box<str>,
    pub endpoint: Box<str>,
}

#[derive(Hash)]
struct UpstreamLabels<'l> {
    cluster: &'l str,
    endpoint: &'l str,
}

impl LabelSet for UpstreamLabels<'_> {
    type Kept = UpstreamKey;

    fn keep(&self) -> UpstreamKey {
        UpstreamKey {
            cluster: self.cluster.into(),
            endpoint: self.endpoint.into(),
        }
    }

    fn is(&self, kept: &UpstreamKey) -> bool {
        *self.cluster == *kept.cluster && *self.endpoint == *kept.endpoint
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ListenerCounters {
    pub accepted: u64,
    pub refused: u64,
}

/// What is counted of one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct UpstreamCounters {
    pub connects: u64,
    pub connect_errors: u64,
    pub reused: u64,
    pub retries: u64,
    /// Idle connections at the moment of the question.
    pub idle: u64,
    /// Requests it has at this moment.
    pub running: u64,
}

impl Counters for Histogram {
    fn total(&self) -> u64 {
        self.count()
    }
}

impl Counters for ListenerCounters {
    fn total(&self) -> u64 {
        self.accepted + self.refused
    }
}

impl Counters for UpstreamCounters {
    fn total(&self) -> u64 {
        self.connects + self.connect_errors + self.reused + self.retries
    }

    fn is_open(&self) -> bool {
        self.running > 0
    }
}

/// What is counted of raw connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StreamCounters {
    /// Those that began; under a reason, those that were refused or cut for it.
    pub count: u64,
    /// Those that are open at this moment.
    pub active: u64,
    /// Bytes from who opened them, of those that are over.
    pub received_bytes: u64,
    /// Bytes to them.
    pub sent_bytes: u64,
}

impl Counters for StreamCounters {
    fn total(&self) -> u64 {
        self.count
    }

    fn is_open(&self) -> bool {
        self.active > 0
    }
}

/// Where the counters of raw connections stand.
#[derive(Debug, Clone, Copy)]
pub struct StreamPlace(usize);

/// Where an endpoint's counters stand.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamPlace(usize);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsCounters {
    pub handshakes: u64,
    pub handshake_errors: u64,
    /// With strangers: sessions that went on by a ticket.
    pub resumed: u64,
    /// With strangers: those that failed, by cause.
    pub failures: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByteCounters {
    pub received: u64,
    pub sent: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::with_label_sets(LABEL_SETS)
    }

    pub(super) fn with_label_sets(label_sets: usize) -> Self {
        let other = RequestLabels {
            listener: OTHER,
            source: OTHER,
            destination: OTHER,
            route: OTHER,
            status: 0,
            reason: None,
        };
        let upstream = UpstreamLabels {
            cluster: OTHER,
            endpoint: OTHER,
        };
        let detected = DetectedLabels {
            listener: OTHER,
            source: OTHER,
            destination: OTHER,
            protocol: None,
        };
        Self {
            requests: Table::new(label_sets, &other),
            listeners: Table::new(label_sets, &ListenerLabel(OTHER)),
            upstreams: Table::new(label_sets, &upstream),
            streams: Table::new(label_sets, &other),
            detected: Table::new(label_sets, &detected),
            bad_requests: BTreeMap::new(),
            cut_connections: BTreeMap::new(),
            shed: BTreeMap::new(),
            tls: TlsCounters::default(),
            bytes: ByteCounters::default(),
            swept: None,
        }
    }

    /// Forgets now and then what is counted under names that nothing has any more: routes, services, instances,
    /// listeners. To be called again and again.
    pub fn forget(&mut self, snapshot: &Snapshot, now: Instant) {
        let swept = *self.swept.get_or_insert(now);
        if now < swept + SWEEP_EVERY {
            return;
        }
        self.swept = Some(now);
        let configured = Configured::by(snapshot);
        self.requests.sweep(|key| configured.has_request(key));
        self.listeners.sweep(|name| configured.has_listener(name));
        self.upstreams.sweep(|key| configured.has_upstream(key));
        self.streams.sweep(|key| configured.has_request(key));
        self.detected
            .sweep(|key| configured.has_listener(&key.listener));
    }

    /// Counts one finished request.
    pub fn record_request(&mut self, labels: &RequestLabels<'_>, latency: Duration) {
        self.requests.row(labels).record(latency);
    }

    /// Counts a raw connection that found its far end, which is open until [`Self::record_stream_end`].
    pub fn record_stream(&mut self, labels: &RequestLabels<'_>) -> StreamPlace {
        let place = self.streams.place(labels);
        let counters = self.streams.at(place);
        counters.count += 1;
        counters.active += 1;
        StreamPlace(place)
    }

    /// Counts that it is over, and what it carried.
    pub fn record_stream_end(&mut self, place: StreamPlace, received_bytes: u64, sent_bytes: u64) {
        let counters = self.streams.at(place.0);
        counters.active -= 1;
        counters.received_bytes += received_bytes;
        counters.sent_bytes += sent_bytes;
    }

    /// Counts a raw connection that was refused, or cut, under its reason.
    pub fn record_stream_refused(&mut self, labels: &RequestLabels<'_>) {
        self.streams.row(labels).count += 1;
    }

    /// Counts a connection whose port found out what it speaks.
    pub fn record_detected(&mut self, labels: &DetectedLabels<'_>) {
        self.detected.row(labels).0 += 1;
    }

    /// Counts a downstream connection taken.
    pub fn record_accepted(&mut self, listener: &str) {
        self.listeners.row(&ListenerLabel(listener)).accepted += 1;
    }

    /// Counts a downstream connection closed at once, by a limit or for want of proof.
    pub fn record_refused(&mut self, listener: &str) {
        self.listeners.row(&ListenerLabel(listener)).refused += 1;
    }

    /// Counts a request sent to an endpoint, which it has until [`Self::record_end`].
    pub fn record_sent(&mut self, cluster: &str, endpoint: &str, is_reused: bool) -> UpstreamPlace {
        let place = self.upstreams.place(&UpstreamLabels { cluster, endpoint });
        let counters = self.upstreams.at(place);
        counters.running += 1;
        if is_reused {
            counters.reused += 1;
        } else {
            counters.connects += 1;
        }
        UpstreamPlace(place)
    }

    /// Counts a request that the endpoint at this place has no more.
    pub fn record_end(&mut self, place: UpstreamPlace) {
        self.upstreams.at(place.0).running -= 1;
    }

    /// Counts a connection to an endpoint that could not be made.
    pub fn record_connect_error(&mut self, cluster: &str, endpoint: &str) {
        self.upstream(cluster, endpoint).connect_errors += 1;
    }

    /// Counts another try, under the endpoint that did not do.
    pub fn record_retry(&mut self, cluster: &str, endpoint: &str) {
        self.upstream(cluster, endpoint).retries += 1;
    }

    /// Counts a connection that idles at this moment: for a copy that is given away, not for the thread's own.
    pub fn record_idle(&mut self, cluster: &str, endpoint: &str) {
        self.upstream(cluster, endpoint).idle += 1;
    }

    fn upstream(&mut self, cluster: &str, endpoint: &str) -> &mut UpstreamCounters {
        self.upstreams.row(&UpstreamLabels { cluster, endpoint })
    }

    /// Counts a finished TLS handshake, on either side.
    pub fn record_handshake(&mut self) {
        self.tls.handshakes += 1;
    }

    /// Counts a TLS handshake that failed, on either side.
    pub fn record_handshake_error(&mut self) {
        self.tls.handshake_errors += 1;
    }

    /// Counts a finished handshake with a stranger.
    pub fn record_secured(&mut self, is_resumed: bool) {
        self.tls.handshakes += 1;
        self.tls.resumed += u64::from(is_resumed);
    }

    /// Counts a handshake with a stranger that failed.
    pub fn record_tls_failure(&mut self, cause: &'static str) {
        self.tls.handshake_errors += 1;
        *self.tls.failures.entry(cause).or_default() += 1;
    }

    /// Counts bytes of downstream connections.
    pub fn record_bytes(&mut self, received: u64, sent: u64) {
        self.bytes.received += received;
        self.bytes.sent += sent;
    }

    /// Counts a request refused for its bytes; `code` is the rule it broke.
    pub fn record_bad_request(&mut self, code: &'static str) {
        *self.bad_requests.entry(code).or_default() += 1;
    }

    /// Counts a downstream connection that was cut for what came over it.
    pub fn record_cut(&mut self, cause: &'static str) {
        *self.cut_connections.entry(cause).or_default() += 1;
    }

    /// Counts what was not taken for want of something: a `connection` or a `request`.
    pub fn record_shed(&mut self, cause: &'static str, what: &'static str) {
        *self.shed.entry((cause, what)).or_default() += 1;
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        for (key, theirs) in other.requests.rows() {
            self.requests.row(&key.labels()).merge(theirs);
        }
        for (name, theirs) in other.listeners.rows() {
            let mine = self.listeners.row(&ListenerLabel(name));
            mine.accepted += theirs.accepted;
            mine.refused += theirs.refused;
        }
        for (key, theirs) in other.upstreams.rows() {
            let mine = self.upstream(&key.cluster, &key.endpoint);
            mine.connects += theirs.connects;
            mine.connect_errors += theirs.connect_errors;
            mine.reused += theirs.reused;
            mine.retries += theirs.retries;
            mine.idle += theirs.idle;
            mine.running += theirs.running;
        }
        for (key, theirs) in other.streams.rows() {
            let mine = self.streams.row(&key.labels());
            mine.count += theirs.count;
            mine.active += theirs.active;
            mine.received_bytes += theirs.received_bytes;
            mine.sent_bytes += theirs.sent_bytes;
        }
        for (key, theirs) in other.detected.rows() {
            self.detected.row(&key.labels()).0 += theirs.0;
        }
        for (code, theirs) in &other.bad_requests {
            *self.bad_requests.entry(code).or_default() += theirs;
        }
        for (cause, theirs) in &other.cut_connections {
            *self.cut_connections.entry(cause).or_default() += theirs;
        }
        for (shed, theirs) in &other.shed {
            *self.shed.entry(*shed).or_default() += theirs;
        }
        self.tls.handshakes += other.tls.handshakes;
        self.tls.handshake_errors += other.tls.handshake_errors;
        self.tls.resumed += other.tls.resumed;
        for (cause, theirs) in &other.tls.failures {
            *self.tls.failures.entry(cause).or_default() += theirs;
        }
        self.bytes.received += other.bytes.received;
        self.bytes.sent += other.bytes.sent;
    }
}
