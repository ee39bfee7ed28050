//! A listener as configured; whether it is open is the listener manager's business.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;

use super::document::ListenerDocument;
use super::refusal::Refusal;
use super::tls::TlsPolicy;
use super::{check, limits};

/// One listener to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Its name, as in metrics.
    pub name: Arc<str>,
    /// Whom it serves.
    pub kind: ListenerKind,
    /// What is spoken over its connections.
    pub protocol: ListenerProtocol,
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// The identity that has to be there before it opens; `None`: for the edge none, for inbound any.
    pub identity: Option<Arc<str>>,
    /// Outbound: the service whose port it is.
    pub service: Option<Arc<str>>,
    /// Outbound: the one service that calls by this port go to, whatever host they name.
    pub destination: Option<Arc<str>>,
    /// Outbound: how a caller shows that it is that service.
    pub proof: Proof,
    /// Outbound: the service's registered sockets; who owns one is the service.
    pub owners: Vec<SocketAddr>,
    /// Outbound: user ids that are the service as well.
    pub uids: Vec<u32>,
    /// Edge: which TLS is spoken; none: clear text.
    pub tls: Option<TlsPolicy>,
}

/// Whom a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerKind {
    /// Strangers, by routes.
    Edge,
    /// Other nodes, by mutual TLS.
    Inbound,
    /// One local service, calling others.
    Outbound,
}

/// What is spoken over a listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerProtocol {
    /// HTTP, request by request.
    #[default]
    Http,
    /// Whatever it is: bytes, as they are.
    Tcp,
    /// What the first bytes of each connection say: requests, or bytes as they are.
    Auto,
}

impl ListenerKind {
    /// As in the snapshot and in `mesh.direction`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// How a caller on an outbound port shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// By its user id. The default, as it is the strict one.
    #[default]
    User,
    /// By knowing the port.
    Port,
}

impl ListenerConfig {
    pub(super) fn compile(name: &Arc<str>, document: ListenerDocument) -> Result<Self, Refusal> {
        if let Some(identity) = &document.identity {
            check::name("identity", identity)?;
        }
        match document.protocol {
            ListenerProtocol::Http => {}
            ListenerProtocol::Tcp => has_one_way(&document)?,
            ListenerProtocol::Auto => has_one_service(&document)?,
        }
        match document.kind {
            ListenerKind::Outbound => {
                if document.identity.is_none() {
                    let sentence = "an outbound listener needs the identity it calls with";
                    return Err(Refusal::at("identity", sentence));
                }
                let Some(service) = &document.service else {
                    let sentence = "an outbound listener needs the service whose port it is";
                    return Err(Refusal::at("service", sentence));
                };
                check::name("service", service)?;
                if let Some(destination) = &document.destination {
                    check::service("destination", destination)?;
                }
            }
            ListenerKind::Edge | ListenerKind::Inbound => only_outbound(&document)?,
        }
        if document.tls.is_some() && document.kind != ListenerKind::Edge {
            let kind = document.kind.as_str();
            let sentence = format!("only an edge listener has it, and this one is {kind}");
            return Err(Refusal::at("tls", sentence));
        }
        check::count("owners", document.owners.len(), limits::OWNERS)?;
        check::count("uids", document.uids.len(), limits::OWNERS)?;
        Ok(Self {
            name: Arc::clone(name),
            kind: document.kind,
            protocol: document.protocol,
            address: document.address,
            identity: document.identity,
            service: document.service,
            destination: document.destination,
            proof: document.proof.unwrap_or_default(),
            owners: document.owners,
            uids: document.uids,
            tls: document.tls.map(|tls| tls.policy),
        })
    }
}

/// A raw connection names nobody: where it goes is told by its port alone.
fn has_one_way(document: &ListenerDocument) -> Result<(), Refusal> {
    match document.kind {
        ListenerKind::Edge if document.tls.is_some() => {
            let sentence = "a raw connection is moved as it is: nothing is decrypted of it";
            Err(Refusal::at("tls", sentence))
        }
        ListenerKind::Edge => Ok(()),
        ListenerKind::Outbound if document.destination.is_some() => Ok(()),
        ListenerKind::Outbound => {
            let sentence = "an outbound listener for `tcp` needs the one service its calls go to";
            Err(Refusal::at("destination", sentence))
        }
        ListenerKind::Inbound => {
            let sentence =
                "nodes say with each connection what they speak: an inbound listener takes both";
            Err(Refusal::at("protocol", sentence))
        }
    }
}

/// Of what is no request a port has to say where it goes, and strangers have routes for that.
fn has_one_service(document: &ListenerDocument) -> Result<(), Refusal> {
    match (document.kind, &document.destination) {
        (ListenerKind::Outbound, Some(_)) => Ok(()),
        (ListenerKind::Outbound, None) => {
            let sentence = "an outbound listener for `auto` needs the one service its calls go to";
            Err(Refusal::at("destination", sentence))
        }
        (ListenerKind::Edge | ListenerKind::Inbound, _) => {
            let kind = document.kind.as_str();
            let sentence = format!("only an outbound listener is `auto`, and this one is {kind}");
            Err(Refusal::at("protocol", sentence))
        }
    }
}

/// Refuses what would have no effect: whoever wrote it believes it has.
fn only_outbound(document: &ListenerDocument) -> Result<(), Refusal> {
    let misplaced = [
        ("service", document.service.is_some()),
        ("destination", document.destination.is_some()),
        ("proof", document.proof.is_some()),
        ("owners", !document.owners.is_empty()),
        ("uids", !document.uids.is_empty()),
    ];
    match misplaced.iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => {
            let kind = document.kind.as_str();
            let sentence = format!("only an outbound listener has it, and this one is {kind}");
            Err(Refusal::at(*field, sentence))
        }
        None => Ok(()),
    }
}
