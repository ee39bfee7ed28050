//! A destination and the instances of it that may be used. It may not choose one; the balancer does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;

use super::document::{ClusterDocument, EndpointDocument, ViaDocument};
use super::instance_tls::InstanceTls;
use super::refusal::Refusal;
use super::{check, limits};
use crate::limiter::Limiter;

/// A destination: a service, or a part of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name: the service's, or for a subset another.
    pub name: Arc<str>,
    /// The service it is, or is a part of.
    pub service: Arc<str>,
    /// Whether any instance is registered in the catalog.
    pub exists: bool,
    /// How many are registered, the unhealthy ones included.
    pub instances: u32,
    /// Those that may be used.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// When the last of them went; `None` where some are, and where that was before this proxy knew the service.
    pub emptied: Option<SystemTime>,
    /// How many requests go to it from here, if that is bounded.
    pub limiter: Option<Arc<Limiter>>,
    /// How instances are spoken to by TLS, if they are.
    pub tls: Option<Arc<InstanceTls>>,
}

/// One instance that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The instance's id, unique on its node.
    pub id: Arc<str>,
    /// The node it runs on.
    pub node: Arc<str>,
    /// Where it listens itself.
    pub address: SocketAddr,
    /// Its share, against the sum of all; 0 gets nothing.
    pub weight: u32,
    /// How it is reached.
    pub via: Via,
    /// Whether it gets no new request.
    pub is_draining: bool,
    /// What it is spoken to in.
    pub protocol: Protocol,
    /// Whether and how by TLS.
    pub tls: Option<Arc<InstanceTls>>,
}

/// What an instance speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2, by prior knowledge; by TLS with ALPN `h2`.
    Http2,
    /// What its callers speak: HTTP/2 to what came in it, HTTP/1.1 to other requests, bytes to what is none.
    Auto,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By mutual TLS, through the mesh port of its node.
    Mesh(SocketAddr),
    /// It runs on this node.
    Local,
    /// In clear text: no node of the mesh runs there.
    Clear,
}

impl Cluster {
    /// What `before` has counted goes on, where its limits are the same.
    pub(super) fn compile(
        name: &Arc<str>,
        document: ClusterDocument,
        before: Option<&Self>,
    ) -> Result<Self, Refusal> {
        let limits = check::request_limits(document.limits.as_ref())?;
        let tls_before = before.and_then(|before| before.tls.as_ref());
        let tls = InstanceTls::compile(document.tls, document.protocol, tls_before)
            .map_err(|fault| fault.under("tls"))?;
        let emptied = emptied(document.endpoints.is_empty(), before);
        let before = before.and_then(|before| before.limiter.as_ref());
        check::name("service", &document.service)?;
        check::count("endpoints", document.endpoints.len(), limits::ENDPOINTS)?;
        if !document.exists && !document.endpoints.is_empty() {
            return Err(Refusal::at("exists", "is false, but there are endpoints"));
        }
        let endpoints = document
            .endpoints
            .into_iter()
            .enumerate()
            .map(|(at, endpoint)| {
                Endpoint::compile(endpoint, document.protocol, tls.as_ref())
                    .map(Arc::new)
                    .map_err(|fault| fault.under(&format!("endpoints[{at}]")))
            });
        Ok(Self {
            name: Arc::clone(name),
            service: document.service,
            exists: document.exists,
            instances: document.instances,
            endpoints: endpoints.collect::<Result<_, _>>()?,
            emptied,
            limiter: Limiter::carried(limits, before),
            tls,
        })
    }
}

fn emptied(is_empty: bool, before: Option<&Cluster>) -> Option<SystemTime> {
    let before = before.filter(|_| is_empty)?;
    if before.endpoints.is_empty() {
        before.emptied
    } else {
        // The time of day, for people; this module is fuzzed without the engine's own clock.
        Some(SystemTime::now())
    }
}

impl Endpoint {
    /// Its share of new requests.
    pub fn share(&self) -> u32 {
        if self.is_draining { 0 } else { self.weight }
    }

    fn compile(
        document: EndpointDocument,
        protocol: Protocol,
        tls: Option<&Arc<InstanceTls>>,
    ) -> Result<Self, Refusal> {
        check::name("id", &document.id)?;
        check::name("node", &document.node)?;
        check::dialled("address", document.address)?;
        check::range("weight", document.weight.into(), 0, limits::WEIGHT.into())?;
        let via = match (document.via, document.mesh_address) {
            (ViaDocument::Mesh, Some(address)) => {
                check::dialled("mesh_address", address)?;
                Via::Mesh(address)
            }
            (ViaDocument::Mesh, None) => {
                let sentence = "an endpoint reached via `mesh` needs the mesh port of its node";
                return Err(Refusal::at("mesh_address", sentence));
            }
            (ViaDocument::Local | ViaDocument::Clear, Some(_)) => {
                let sentence = "only an endpoint reached via `mesh` has one";
                return Err(Refusal::at("mesh_address", sentence));
            }
            (ViaDocument::Local, None) => Via::Local,
            (ViaDocument::Clear, None) => Via::Clear,
        };
        Ok(Self {
            id: document.id,
            node: document.node,
            address: document.address,
            weight: document.weight,
            via,
            is_draining: document.draining,
            protocol,
            tls: tls.cloned(),
        })
    }
}
