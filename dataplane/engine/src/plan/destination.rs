//! The far end of one try, and what is told to the node before it. It may not be chosen here.

use std::net::SocketAddr;
use std::slice;
use std::sync::Arc;

use crate::snapshot::{Endpoint, InstanceTls, LocalInstance, Protocol};

/// A connection's far end, chosen for one try.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An instance on this node, in clear.
    Here(Arc<LocalInstance>),
    /// One elsewhere, in clear: no other node of the mesh stands before it.
    Clear(Arc<Endpoint>),
    /// One elsewhere, by another node.
    Mesh(Arc<Endpoint>, SocketAddr),
}

impl Destination {
    /// The chosen instance's id.
    pub fn id(&self) -> &Arc<str> {
        match self {
            Self::Here(instance) => &instance.id,
            Self::Clear(endpoint) | Self::Mesh(endpoint, _) => &endpoint.id,
        }
    }

    /// Whether the other end of a connection there is spoken to in HTTP/2; `spoken` is for one that speaks what its
    /// callers do. Another node speaks HTTP/1.1, whatever its instance does.
    pub fn speaks_http2(&self, spoken: Protocol) -> bool {
        let protocol = match self {
            Self::Here(instance) => instance.protocol,
            Self::Clear(endpoint) => endpoint.protocol,
            Self::Mesh(..) => return false,
        };
        match protocol {
            Protocol::Auto => spoken == Protocol::Http2,
            own => own == Protocol::Http2,
        }
    }

    /// What another node is told of a request: the instance it is for, and whether that, speaking what its callers do, is
    /// to be spoken to in HTTP/2.
    pub fn told(&self, spoken: Protocol) -> Option<Told<'_>> {
        let Self::Mesh(endpoint, _) = self else {
            return None;
        };
        Some(Told {
            instance: &endpoint.id,
            is_http2: endpoint.protocol == Protocol::Auto && spoken == Protocol::Http2,
        })
    }

    /// How the other end is spoken to by TLS that the instance ends; another node has its own.
    pub fn tls(&self) -> Option<&Arc<InstanceTls>> {
        match self {
            Self::Here(instance) => instance.tls.as_ref(),
            Self::Clear(endpoint) => endpoint.tls.as_ref(),
            Self::Mesh(..) => None,
        }
    }

    /// Where the instance listens, to be tried in this order.
    pub fn addresses(&self) -> &[SocketAddr] {
        match self {
            Self::Here(instance) => &instance.addresses,
            Self::Clear(endpoint) | Self::Mesh(endpoint, _) => slice::from_ref(&endpoint.address),
        }
    }
}

/// What one node tells another of a request, in fields that are never taken from strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'d> {
    /// The instance that was chosen.
    pub instance: &'d str,
    /// Whether it is to be spoken to in HTTP/2, as it came so and that is what the instance goes by.
    pub is_http2: bool,
}
