//! A service that runs on this node, and where its instances listen.

use std::net::SocketAddr;
use std::sync::Arc;

use super::cluster::Protocol;
use super::document::{InstanceDocument, ServiceDocument};
use super::instance_tls::InstanceTls;
use super::refusal::Refusal;
use super::{check, limits};
use crate::limiter::Limiter;

/// A service of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalService {
    /// Its name.
    pub service: Arc<str>,
    /// Its instances here, the unhealthy ones included.
    pub instances: Vec<Arc<LocalInstance>>,
    /// How many requests of other nodes it takes here, if that is bounded.
    pub limiter: Option<Arc<Limiter>>,
    /// What they are spoken to in.
    pub protocol: Protocol,
    /// How they are spoken to by TLS, if they are.
    pub tls: Option<Arc<InstanceTls>>,
}

/// One instance of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInstance {
    /// Its id, as in `mesh-instance`.
    pub id: Arc<str>,
    /// Where to dial, in this order; the next only when a connection is refused. Never empty.
    pub addresses: Vec<SocketAddr>,
    /// Whether its checks pass.
    pub healthy: bool,
    /// What it is spoken to in.
    pub protocol: Protocol,
    /// Whether and how by TLS.
    pub tls: Option<Arc<InstanceTls>>,
}

impl LocalService {
    /// The instance of that id.
    pub fn instance(&self, id: &str) -> Option<&Arc<LocalInstance>> {
        self.instances.iter().find(|instance| &*instance.id == id)
    }

    /// What `before` has counted goes on, where its limits are the same.
    pub(super) fn compile(
        name: &Arc<str>,
        document: ServiceDocument,
        before: Option<&Self>,
    ) -> Result<Self, Refusal> {
        let limits = check::request_limits(document.limits.as_ref())?;
        let tls_before = before.and_then(|before| before.tls.as_ref());
        let tls = InstanceTls::compile(document.tls, document.protocol, tls_before)
            .map_err(|fault| fault.under("tls"))?;
        let before = before.and_then(|before| before.limiter.as_ref());
        check::same_name("service", &document.service, name)?;
        check::count("instances", document.instances.len(), limits::ENDPOINTS)?;
        let instances = document
            .instances
            .into_iter()
            .enumerate()
            .map(|(at, instance)| {
                LocalInstance::compile(instance, document.protocol, tls.as_ref())
                    .map(Arc::new)
                    .map_err(|fault| fault.under(&format!("instances[{at}]")))
            });
        Ok(Self {
            service: Arc::clone(name),
            instances: instances.collect::<Result<_, _>>()?,
            limiter: Limiter::carried(limits, before),
            protocol: document.protocol,
            tls,
        })
    }
}

impl LocalInstance {
    fn compile(
        document: InstanceDocument,
        protocol: Protocol,
        tls: Option<&Arc<InstanceTls>>,
    ) -> Result<Self, Refusal> {
        check::name("id", &document.id)?;
        check::count("addresses", document.addresses.len(), limits::ADDRESSES)?;
        if document.addresses.is_empty() {
            return Err(Refusal::at("addresses", "there is none"));
        }
        for (at, address) in document.addresses.iter().enumerate() {
            check::dialled(format!("addresses[{at}]"), *address)?;
        }
        Ok(Self {
            id: document.id,
            addresses: document.addresses,
            healthy: document.healthy,
            protocol,
            tls: tls.cloned(),
        })
    }
}
