//! The names services go by: SPIFFE ids in certificates and the server names of handshakes. May not judge signatures.
//!
//! Form: `spiffe://<trust-domain>/ns/default/dc/<dc>/svc/<service>` (Consul's). Both forms are built and parsed here only.

use std::fmt;
use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// The longest name DNS allows (RFC 1035 §2.3.4), which is what a server name in a handshake has to be.
const SNI_LENGTH: usize = 253;
/// The longest label of such a name.
const LABEL_LENGTH: usize = 63;
/// SPIFFE ids are at most this long (SPIFFE-ID §2.3).
const URI_LENGTH: usize = 2048;

/// Who a certificate speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    /// The mesh, in lower case: trust domains are compared without case (SPIFFE-ID §2.1).
    pub trust_domain: Arc<str>,
    /// The Consul datacenter, exactly as written.
    pub datacenter: Arc<str>,
    /// The service, exactly as written; `edge` for the edge.
    pub service: Arc<str>,
}

/// Why a name is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The URI has not the one form that is taken.
    #[error("{uri:?} is no SPIFFE id of a service: {why}")]
    Form {
        /// What stood there; printed escaped, because a stranger wrote it.
        uri: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A certificate that is not readable as one.
    #[error("the certificate is malformed: {0}")]
    Certificate(&'static str),
    /// A certificate must have exactly one URI among its names.
    #[error("the certificate has {0} URI names; exactly one is wanted")]
    Count(usize),
    /// The service's name can't be a server name of a handshake.
    #[error(
        "{0:?} can't be the server name of a handshake: labels have 1 to 63 letters, 253 in all"
    )]
    Sni(String),
}

impl SpiffeId {
    /// The name in `uri`. Nothing is decoded: a service of the mesh has only letters, digits, `-`, `_` and `.` in its
    /// name, so an id with `%` in it has a second reading at best.
    pub fn parse(uri: &str) -> Result<Self, NameError> {
        let refuse = |why| NameError::Form {
            uri: uri.chars().take(200).collect(),
            why,
        };
        if uri.len() > URI_LENGTH {
            return Err(refuse("it is longer than 2048 bytes"));
        }
        let rest = uri
            .strip_prefix("spiffe://")
            .ok_or_else(|| refuse("it has to begin with spiffe://"))?;
        if !rest.bytes().all(|byte| byte == b'/' || is_name_byte(byte)) {
            return Err(refuse(
                "only letters, digits, '-', '_', '.' and '/' may stand in it",
            ));
        }
        let parts: Vec<&str> = rest.split('/').collect();
        let [
            trust_domain,
            "ns",
            "default",
            "dc",
            datacenter,
            "svc",
            service,
        ] = parts[..]
        else {
            return Err(refuse(
                "the form is spiffe://<trust-domain>/ns/default/dc/<dc>/svc/<service>",
            ));
        };
        if ![trust_domain, datacenter, service].into_iter().all(is_name) {
            return Err(refuse("a part is empty, or begins or ends with a dot"));
        }
        if datacenter.contains('.') {
            return Err(refuse("a datacenter has no dot in its name"));
        }
        Ok(Self {
            trust_domain: trust_domain.to_ascii_lowercase().into(),
            datacenter: datacenter.into(),
            service: service.into(),
        })
    }

    /// The name a certificate carries: its one URI name. Other kinds of names are not looked at.
    pub fn of_certificate(certificate: &X509Certificate<'_>) -> Result<Self, NameError> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| {
                NameError::Certificate("its alternative names can't be read, or stand there twice")
            })?
            .ok_or(NameError::Count(0))?;
        let mut uris = Vec::new();
        for name in &names.value.general_names {
            match name {
                GeneralName::URI(uri) => uris.push(*uri),
                // A name that can't be read may be a second URI, so it can't be passed over.
                GeneralName::Invalid(..) => {
                    return Err(NameError::Certificate("one of its names is not readable"));
                }
                _ => {}
            }
        }
        match uris[..] {
            [uri] => Self::parse(uri),
            _ => Err(NameError::Count(uris.len())),
        }
    }

    /// The server name by which a handshake asks for this service, in lower case.
    pub fn sni(&self) -> Result<String, NameError> {
        sni(&self.service, &self.datacenter, &self.trust_domain)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/ns/default/dc/{}/svc/{}",
            self.trust_domain, self.datacenter, self.service
        )
    }
}

/// The server name by which a handshake asks for a service: `<service>.default.<dc>.internal.<trust-domain>`,
/// in lower case.
pub fn sni(service: &str, datacenter: &str, trust_domain: &str) -> Result<String, NameError> {
    let name =
        format!("{service}.default.{datacenter}.internal.{trust_domain}").to_ascii_lowercase();
    let labels_fit = name
        .split('.')
        .all(|label| (1..=LABEL_LENGTH).contains(&label.len()) && label.bytes().all(is_name_byte));
    if labels_fit && name.len() <= SNI_LENGTH {
        Ok(name)
    } else {
        Err(NameError::Sni(name))
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.ends_with('.')
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUST_DOMAIN: &str = "1f2e.consul";

    #[test]
    fn a_service_has_one_name_and_one_server_name() {
        let id = SpiffeId::parse("spiffe://1F2E.consul/ns/default/dc/dc1/svc/web").unwrap();
        assert_eq!(
            (&*id.trust_domain, &*id.datacenter, &*id.service),
            (TRUST_DOMAIN, "dc1", "web")
        );
        assert_eq!(
            id.to_string(),
            "spiffe://1f2e.consul/ns/default/dc/dc1/svc/web"
        );
        assert_eq!(id.sni().unwrap(), "web.default.dc1.internal.1f2e.consul");
    }

    #[test]
    fn the_trust_domain_is_compared_without_case_and_the_rest_with() {
        let parse = |uri| SpiffeId::parse(uri).unwrap();
        let web = parse("spiffe://1f2e.consul/ns/default/dc/dc1/svc/web");
        assert_eq!(web, parse("spiffe://1F2E.CONSUL/ns/default/dc/dc1/svc/web"));
        assert_ne!(web, parse("spiffe://1f2e.consul/ns/default/dc/dc1/svc/Web"));
        assert_ne!(web, parse("spiffe://1f2e.consul/ns/default/dc/DC1/svc/web"));
    }

    #[test]
    fn anything_with_a_second_reading_is_refused() {
        let cases = [
            "",
            "spiffe://",
            "web",
            "https://t/ns/default/dc/dc1/svc/web",
            "SPIFFE://t/ns/default/dc/dc1/svc/web",
            "spiffe:///ns/default/dc/dc1/svc/web",
            "spiffe://t:443/ns/default/dc/dc1/svc/web",
            "spiffe://u@t/ns/default/dc/dc1/svc/web",
            "spiffe://t/ns/default/dc/dc1/svc/",
            "spiffe://t/ns/default/dc/dc1/svc",
            "spiffe://t/ns/default/dc/dc1/svc/web/",
            "spiffe://t/ns/default/dc/dc1/svc/web/x",
            "spiffe://t/ns/default/dc//svc/web",
            "spiffe://t//ns/default/dc/dc1/svc/web",
            "spiffe://t/ns/other/dc/dc1/svc/web",
            "spiffe://t/NS/default/dc/dc1/svc/web",
            "spiffe://t/ap/p/ns/default/dc/dc1/svc/web",
            "spiffe://t/agent/client/dc/dc1/id/x",
            "spiffe://t/ns/default/dc/dc1/svc/web?x=1",
            "spiffe://t/ns/default/dc/dc1/svc/web#x",
            "spiffe://t/ns/default/dc/dc1/svc/web\0",
            "spiffe://t/ns/default/dc/dc1/svc/we\0b",
            "spiffe://t/ns/default/dc/dc1/svc/web\n",
            "spiffe://t/ns/default/dc/dc1/svc/%77eb",
            "spiffe://t/ns/default/dc/dc1/svc/web%2Fadmin",
            "spiffe://t/ns/default/dc/dc1/svc/web%00",
            "spiffe://t/ns/default/dc/dc1/svc/..",
            "spiffe://t/ns/default/dc/dc1/svc/../svc/web",
            "spiffe://t/ns/default/dc/dc1/svc/web*",
            "spiffe://t/ns/default/dc/dc1/svc/wéb",
            "spiffe://t/ns/default/dc/dc.1/svc/web",
            " spiffe://t/ns/default/dc/dc1/svc/web",
        ];
        for uri in cases {
            assert!(
                matches!(SpiffeId::parse(uri), Err(NameError::Form { .. })),
                "{uri:?} was taken"
            );
        }
        let long = format!(
            "spiffe://t/ns/default/dc/dc1/svc/{}",
            "a".repeat(URI_LENGTH)
        );
        assert!(
            SpiffeId::parse(&long)
                .unwrap_err()
                .to_string()
                .contains("2048")
        );
    }

    #[test]
    fn a_refused_name_is_printed_escaped() {
        let error = SpiffeId::parse("spiffe://t/\n[ERROR] forged").unwrap_err();
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn a_name_that_dns_can_not_carry_has_no_server_name() {
        assert_eq!(
            sni("Web", "dc1", "T.consul").unwrap(),
            "web.default.dc1.internal.t.consul"
        );
        for service in ["", "a..b", ".", "a b", &"a".repeat(64), &"a.".repeat(120)] {
            assert!(
                sni(service, "dc1", "t.consul").is_err(),
                "{service:?} was taken"
            );
        }
    }
}
