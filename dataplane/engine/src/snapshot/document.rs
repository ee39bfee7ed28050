//! The snapshot document field by field, as docs/boundary.md has it; unknown fields are refused, so that a newer
//! agent never believes an older proxy did what it asked. It may not judge values; the nouns beside it do.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::authorizer::RuleAction;

/// What is common to full and delta documents; which fields belong to which is judged by `apply`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope<'d> {
    pub schema: u32,
    pub kind: Kind,
    pub generation: u64,
    pub digest: Arc<str>,
    #[serde(default)]
    pub base: Option<Arc<str>>,
    #[serde(borrow, default)]
    pub resources: Option<Collections<'d>>,
    #[serde(borrow, default)]
    pub set: Option<Collections<'d>>,
    #[serde(default)]
    pub remove: Option<Removed>,
}

/// The schema alone, to tell a newer document from a wrong one.
#[derive(Deserialize)]
pub(super) struct SchemaOnly {
    pub schema: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Full,
    Delta,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Collections<'d> {
    #[serde(borrow)]
    pub settings: Named<'d>,
    #[serde(borrow)]
    pub listeners: Named<'d>,
    #[serde(borrow)]
    pub routes: Named<'d>,
    #[serde(borrow)]
    pub clusters: Named<'d>,
    #[serde(borrow)]
    pub services: Named<'d>,
    #[serde(borrow)]
    pub intentions: Named<'d>,
    #[serde(borrow)]
    pub tls: Named<'d>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Removed {
    pub settings: Vec<Arc<str>>,
    pub listeners: Vec<Arc<str>>,
    pub routes: Vec<Arc<str>>,
    pub clusters: Vec<Arc<str>>,
    pub services: Vec<Arc<str>>,
    pub intentions: Vec<Arc<str>>,
    pub tls: Vec<Arc<str>>,
}

/// Resources by name, each still as the text it came as: what is in force already need not be read again.
#[derive(Default)]
pub(super) struct Named<'d>(pub BTreeMap<Arc<str>, &'d str>);

impl<'de: 'd, 'd> Deserialize<'de> for Named<'d> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Named<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("resources by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut named = BTreeMap::new();
                while let Some(name) = map.next_key::<Arc<str>>()? {
                    let text = map.next_value::<&'de RawValue>()?.get();
                    if named.insert(Arc::clone(&name), text).is_some() {
                        return Err(A::Error::custom(format_args!(
                            "`{name}` stands there twice"
                        )));
                    }
                }
                Ok(Named(named))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsDocument {
    pub node: Arc<str>,
    pub datacenter: Arc<str>,
    pub trust_domain: Arc<str>,
    pub intention_default: DefaultAction,
    pub trace_ratio: f64,
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    #[serde(default)]
    pub trusted_clients: Option<Vec<String>>,
    #[serde(default)]
    pub strict_paths: bool,
    #[serde(default)]
    pub https_port: Option<u16>,
    #[serde(default)]
    pub limits: LimitsDocument,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DefaultAction {
    Allow,
    Deny,
}

/// Limits left out have the defaults of docs/boundary.md.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsDocument {
    pub head_bytes: u64,
    pub headers: u64,
    pub head_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub request_timeout_ms: u64,
    pub body_idle_timeout_ms: u64,
    pub tunnel_idle_timeout_ms: u64,
    pub connect_timeout_ms: u64,
    pub detect_timeout_ms: u64,
    pub connections: u64,
    pub connections_per_client: u64,
    pub tls_handshakes: u64,
    pub pool_idle_per_endpoint: u64,
    pub pool_idle_timeout_ms: u64,
    pub http2_streams: u64,
    pub http2_resets: u64,
    pub http2_stream_window_bytes: u64,
    pub http2_connection_window_bytes: u64,
    pub body_bytes: u64,
    pub overload_lag_ms: u64,
    pub overload_memory_bytes: u64,
}

impl Default for LimitsDocument {
    fn default() -> Self {
        Self {
            head_bytes: 32_768,
            headers: 100,
            head_timeout_ms: 10_000,
            idle_timeout_ms: 60_000,
            request_timeout_ms: 0,
            body_idle_timeout_ms: 30_000,
            tunnel_idle_timeout_ms: 3_600_000,
            connect_timeout_ms: 2_000,
            // A client on the same machine that has something to say says it within a millisecond or two; who waits for
            // a server's greeting waits so much longer. Beyond it the one would hardly be told from the other.
            detect_timeout_ms: 100,
            connections: 50_000,
            // Half of them: whoever it is leaves as many to others.
            connections_per_client: 0,
            tls_handshakes: 1024,
            // A burst of HTTP/2 has hundreds of requests at once; what it kept fewer of would be opened anew for each.
            pool_idle_per_endpoint: 256,
            pool_idle_timeout_ms: 30_000,
            http2_streams: 100,
            http2_resets: 100,
            http2_stream_window_bytes: 32_768,
            http2_connection_window_bytes: 262_144,
            body_bytes: 0,
            overload_lag_ms: 500,
            overload_memory_bytes: 0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerDocument {
    pub kind: super::ListenerKind,
    #[serde(default)]
    pub protocol: super::ListenerProtocol,
    pub address: SocketAddr,
    #[serde(default)]
    pub identity: Option<Arc<str>>,
    #[serde(default)]
    pub service: Option<Arc<str>>,
    #[serde(default)]
    pub destination: Option<Arc<str>>,
    #[serde(default)]
    pub proof: Option<super::Proof>,
    #[serde(default)]
    pub owners: Vec<SocketAddr>,
    #[serde(default)]
    pub uids: Vec<u32>,
    #[serde(default)]
    pub tls: Option<ListenerTlsDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerTlsDocument {
    #[serde(default)]
    pub policy: super::TlsPolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsDocument {
    pub key: Arc<str>,
    pub index: u64,
    #[serde(default)]
    pub policy: Option<super::TlsPolicy>,
    #[serde(default)]
    pub client_certificates: Option<ClientCertificatesDocument>,
    #[serde(default)]
    pub closed: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientCertificatesDocument {
    pub mode: super::tls::ClientMode,
    pub authorities_pem: Box<str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterDocument {
    pub service: Arc<str>,
    pub exists: bool,
    pub instances: u32,
    #[serde(default)]
    pub protocol: super::Protocol,
    #[serde(default)]
    pub tls: Option<InstanceTlsDocument>,
    pub endpoints: Vec<EndpointDocument>,
    #[serde(default)]
    pub limits: Option<RequestLimitsDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceTlsDocument {
    pub server_name: String,
    #[serde(default)]
    pub authorities_pem: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLimitsDocument {
    #[serde(default)]
    pub requests_per_second: Option<u64>,
    #[serde(default)]
    pub burst: Option<u64>,
    #[serde(default)]
    pub concurrent: Option<u64>,
    #[serde(default)]
    pub per: Option<PerDocument>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PerDocument {
    All,
    Caller,
    Client,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointDocument {
    pub id: Arc<str>,
    pub node: Arc<str>,
    pub address: SocketAddr,
    pub weight: u32,
    pub via: ViaDocument,
    #[serde(default)]
    pub mesh_address: Option<SocketAddr>,
    #[serde(default)]
    pub draining: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ViaDocument {
    Mesh,
    Local,
    Clear,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceDocument {
    pub service: Arc<str>,
    #[serde(default)]
    pub protocol: super::Protocol,
    #[serde(default)]
    pub tls: Option<InstanceTlsDocument>,
    pub instances: Vec<InstanceDocument>,
    #[serde(default)]
    pub limits: Option<RequestLimitsDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceDocument {
    pub id: Arc<str>,
    pub addresses: Vec<SocketAddr>,
    pub healthy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntentionsDocument {
    pub destination: Arc<str>,
    pub rules: Vec<RuleDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleDocument {
    pub source: Arc<str>,
    pub action: RuleAction,
    pub name: Arc<str>,
    /// Kept for people who read the snapshot; the order of the rules is what counts.
    #[serde(rename = "precedence")]
    pub _precedence: u32,
    /// As above.
    #[serde(rename = "index")]
    pub _index: u64,
}
