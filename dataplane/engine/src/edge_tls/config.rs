//! What is spoken in a handshake, made ready for each policy and for each host that demands something of its clients.
//! It may not look at a connection.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::certificate::{ByName, Certificates};
use super::tickets::Tickets;
use crate::snapshot::{ClientRule, Collection, TlsHost, TlsPolicy, find_tls};
use crate::trust::PROVIDER;

/// What is spoken inside TLS, the most wanted first (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// One configuration a policy.
#[derive(Debug, Clone)]
struct ByPolicy {
    modern: Arc<ServerConfig>,
    intermediate: Arc<ServerConfig>,
}

/// All that is in force.
#[derive(Debug)]
pub(super) struct Configs {
    certificates: Arc<Certificates>,
    hosts: Collection<TlsHost>,
    /// For hosts that demand nothing of their clients.
    open: Option<ByPolicy>,
    /// For those that do, by the name of their settings.
    ruled: HashMap<Arc<str>, ByPolicy>,
}

/// What a handshake is to be done by.
pub(super) struct Chosen {
    pub config: Arc<ServerConfig>,
    pub rule: Option<Arc<ClientRule>>,
}

impl Configs {
    pub fn new(certificates: &Arc<Certificates>, tickets: &Arc<Tickets>) -> Self {
        let open = ByPolicy::make(certificates, None, Some(tickets));
        Self {
            certificates: Arc::clone(certificates),
            hosts: Collection::default(),
            open: told(open),
            ruled: HashMap::new(),
        }
    }

    /// Whether these are the hosts it was made for.
    pub fn is_of(&self, hosts: &Collection<TlsHost>) -> bool {
        let is_same = |(name, host): (&Arc<str>, &Arc<TlsHost>)| {
            let mine = self.hosts.get(name);
            mine.is_some_and(|mine| Arc::ptr_eq(mine, host))
        };
        self.hosts.len() == hosts.len() && hosts.iter().all(is_same)
    }

    /// The same for other hosts; what stays is shared.
    pub fn with(&self, hosts: &Collection<TlsHost>) -> Self {
        let mut ruled = HashMap::new();
        for (name, host) in hosts.iter() {
            let Some(rule) = &host.clients else {
                continue;
            };
            let before = self.hosts.get(name).and_then(|host| host.clients.as_ref());
            let kept = before
                .filter(|before| *before == rule)
                .and_then(|_| self.ruled.get(name));
            let made = match kept {
                Some(kept) => Some(kept.clone()),
                None => told(ByPolicy::make(&self.certificates, Some(rule), None)),
            };
            if let Some(made) = made {
                ruled.insert(Arc::clone(name), made);
            }
        }
        Self {
            certificates: Arc::clone(&self.certificates),
            hosts: hosts.clone(),
            open: self.open.clone(),
            ruled,
        }
    }

    /// What a handshake for this server name is done by. The error is a sentence on why there is none.
    pub fn choose(&self, sni: Option<&str>, policy: TlsPolicy) -> Result<Chosen, String> {
        let host = sni.and_then(|host| find_tls(&self.hosts, host));
        if let Some(sentence) = host.and_then(|host| host.closed.as_deref()) {
            return Err(sentence.to_owned());
        }
        if self.certificates.find(sni).is_none() {
            return Err("there is no certificate for it, and no default one".to_owned());
        }
        let rule = host.and_then(|host| host.clients.clone());
        let configs = match (host, &rule) {
            (Some(host), Some(_)) => self.ruled.get(&host.host),
            _ => self.open.as_ref(),
        };
        // Never another one instead: that would let in whom the host's own refuses.
        let configs = configs.ok_or("its TLS settings can't be used")?;
        let config = match host.and_then(|host| host.policy).unwrap_or(policy) {
            TlsPolicy::Modern => &configs.modern,
            TlsPolicy::Intermediate => &configs.intermediate,
        };
        Ok(Chosen {
            config: Arc::clone(config),
            rule,
        })
    }
}

impl ByPolicy {
    fn make(
        certificates: &Arc<Certificates>,
        rule: Option<&ClientRule>,
        tickets: Option<&Arc<Tickets>>,
    ) -> Result<Self, String> {
        let make = |versions: &[&'static SupportedProtocolVersion]| {
            server_config(certificates, versions, rule, tickets).map(Arc::new)
        };
        Ok(Self {
            modern: make(&[&TLS13])?,
            intermediate: make(&[&TLS13, &TLS12])?,
        })
    }
}

/// rustls has no suite without forward secrecy and authenticated encryption, so that the versions are all there is to
/// choose: its six of TLS 1.2 are those of Mozilla's intermediate set that have elliptic curves.
fn server_config(
    certificates: &Arc<Certificates>,
    versions: &[&'static SupportedProtocolVersion],
    rule: Option<&ClientRule>,
    tickets: Option<&Arc<Tickets>>,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?;
    let builder = match rule {
        None => builder.with_no_client_auth(),
        Some(rule) => {
            let mut roots = RootCertStore::empty();
            for authority in &rule.authorities {
                let added = roots.add(authority.clone());
                added.map_err(|error| error.to_string())?;
            }
            let provider = Arc::clone(&PROVIDER);
            let mut verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if !rule.is_required {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
        }
    };
    let resolver = Arc::new(ByName(Arc::clone(certificates)));
    let mut config = builder.with_cert_resolver(resolver);
    // Of what the client takes, the first of ours: a client that takes all gets what costs both the least.
    config.ignore_client_order = true;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    // Sessions are in tickets, which any thread and any node can read.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    match tickets {
        Some(tickets) => {
            config.ticketer = Arc::clone(tickets) as _;
            // One a connection: a client has as many as it has connections, and gets a new one with each.
            config.send_tls13_tickets = 1;
        }
        // A resumed session is not verified again: it would carry a client past what is demanded of it now.
        None => config.send_tls13_tickets = 0,
    }
    Ok(config)
}

fn told(made: Result<ByPolicy, String>) -> Option<ByPolicy> {
    made.inspect_err(|error| tracing::error!(%error, "TLS settings that can't be used"))
        .ok()
}
