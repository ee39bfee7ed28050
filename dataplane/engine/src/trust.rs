//! Whom a handshake believes: the chain to an identity's roots, then the one SPIFFE name. May not touch sockets or keys.
//!
//! rustls-webpki judges signatures, validity and chains; no other kind of name counts.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, OtherError,
    SignatureScheme, SupportedCipherSuite,
};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::spiffe::SpiffeId;

/// The cryptography of every handshake.
pub(crate) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // Four rounds in fourteen less than with 256 bits, and every TLS 1.3 has to speak it (RFC 8446 §9.1).
    let is_other =
        |suite: &SupportedCipherSuite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.sort_by_key(is_other);
    Arc::new(provider)
});

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// By the one who called.
    Client,
    /// By the one who was called.
    Server,
}

/// A root as it was pinned. webpki knows no validity of roots, so it is kept beside the anchor.
#[derive(Debug)]
struct Root {
    anchor: TrustAnchor<'static>,
    not_before_unix_s: u64,
    not_after_unix_s: u64,
}

/// One identity's view of the others: verifies both directions.
#[derive(Debug)]
pub(crate) struct Trust {
    own: SpiffeId,
    roots: Vec<Root>,
    /// The roots as they came, to be compared.
    ders: Vec<CertificateDer<'static>>,
}

/// Why a peer was not believed, as a sentence inside rustls' error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Trust {
    /// Trust in what `roots` signed for the trust domain and datacenter of `own`.
    pub fn new(own: SpiffeId, ders: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let roots = ders.iter().map(Root::read).collect::<Result<Vec<_>, _>>()?;
        if roots.is_empty() {
            return Err("roots_pem holds no certificate".to_owned());
        }
        Ok(Self { own, roots, ders })
    }

    /// Whether it believes the very same.
    pub fn is_like(&self, other: &Self) -> bool {
        self.own == other.own && self.ders == other.ders
    }

    /// The name of a peer whose certificate is good for `purpose` at `now`.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<SpiffeId, rustls::Error> {
        self.verify_chain(leaf, intermediates, now, purpose)?;
        let certificate = read(leaf).map_err(refused)?;
        demand_usage(&certificate, purpose).map_err(refused)?;
        let id =
            SpiffeId::of_certificate(&certificate).map_err(|error| refused(error.to_string()))?;
        if id.trust_domain != self.own.trust_domain {
            return Err(refused(format!(
                "{id} is of another mesh than {}",
                self.own.trust_domain
            )));
        }
        Ok(id)
    }

    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<(), rustls::Error> {
        let leaf = EndEntityCert::try_from(leaf).map_err(translate)?;
        let mut worst = translate(webpki::Error::UnknownIssuer);
        for root in &self.roots {
            // Usage is only demanded where present here, because it holds for intermediates too;
            // `demand_usage` is strict about the leaf.
            let usage = match purpose {
                Purpose::Client => KeyUsage::client_auth(),
                Purpose::Server => KeyUsage::server_auth(),
            };
            let verified = leaf.verify_for_usage(
                PROVIDER.signature_verification_algorithms.all,
                std::slice::from_ref(&root.anchor),
                intermediates,
                now,
                usage,
                None,
                None,
            );
            match verified {
                Ok(_) if root.is_valid(now) => return Ok(()),
                // Another may have signed it too, or the one below: while roots rotate they sign each other.
                Ok(_) => worst = refused("the root that signed it is expired or not valid yet"),
                Err(webpki::Error::UnknownIssuer) => {}
                Err(error) => worst = translate(error),
            }
        }
        Err(worst)
    }

    fn schemes() -> Vec<SignatureScheme> {
        PROVIDER
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl Root {
    fn read(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = read(der)?;
        let is_ca = matches!(certificate.basic_constraints(), Ok(Some(found)) if found.value.ca);
        if !is_ca {
            let subject = certificate.subject();
            return Err(format!(
                "roots_pem: {subject:?} is not the certificate of an authority"
            ));
        }
        let anchor = webpki::anchor_from_trusted_cert(der).map_err(|error| {
            format!("roots_pem: a certificate is not usable as a root: {error}")
        })?;
        Ok(Self {
            anchor: anchor.to_owned(),
            not_before_unix_s: seconds(certificate.validity().not_before.timestamp()),
            not_after_unix_s: seconds(certificate.validity().not_after.timestamp()),
        })
    }

    fn is_valid(&self, now: UnixTime) -> bool {
        (self.not_before_unix_s..=self.not_after_unix_s).contains(&now.as_secs())
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let id = self.verify(end_entity, intermediates, now, Purpose::Server)?;
        let asked = server_name.to_str();
        if id.sni().is_ok_and(|name| name.eq_ignore_ascii_case(&asked)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(refused(format!("asked for {asked}, answered by {id}")))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refused("TLS 1.2 is not spoken between nodes"))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &PROVIDER.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

impl ClientCertVerifier for Trust {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let id = self.verify(end_entity, intermediates, now, Purpose::Client)?;
        // Callers are known by their service's name alone, so one of another datacenter would be
        // taken for the service of that name here.
        if id.datacenter == self.own.datacenter {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(refused(format!(
                "{id} is of another datacenter than {}",
                self.own.datacenter
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

/// A certificate, whole: nothing may follow it.
pub(crate) fn read<'c>(der: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("bytes follow the certificate".to_owned()),
        Err(_) => Err("the certificate can't be read".to_owned()),
    }
}

/// Seconds since the epoch, as certificates before 1970 do not occur.
pub(crate) fn seconds(timestamp: i64) -> u64 {
    u64::try_from(timestamp).unwrap_or(0)
}

/// What a handshake's error says to a person.
pub(crate) fn sentence(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.to_string()
        }
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
            let age = time.as_secs().saturating_sub(not_after.as_secs());
            format!("the certificate expired {age} s ago")
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
            time,
            not_before,
        }) => {
            let wait = not_before.as_secs().saturating_sub(time.as_secs());
            format!("the certificate is not valid yet, only in {wait} s: compare the clocks")
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is not signed by a root of this mesh".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the other side refused with the alert {alert:?}")
        }
        error => error.to_string(),
    }
}

fn demand_usage(certificate: &X509Certificate<'_>, purpose: Purpose) -> Result<(), String> {
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| "its extended key usage can't be read".to_owned())?
        .ok_or("it has no extended key usage")?;
    let (is_allowed, wanted) = match purpose {
        Purpose::Client => (usage.value.client_auth, "client"),
        Purpose::Server => (usage.value.server_auth, "server"),
    };
    if is_allowed {
        Ok(())
    } else {
        Err(format!("it is not a certificate for a {wanted}"))
    }
}

fn refused(why: impl Into<String>) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(Refused(why.into())))).into()
}

/// webpki's words in rustls' types where there are ones, for the right alert.
fn translate(error: webpki::Error) -> rustls::Error {
    match error {
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }.into()
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }.into()
        }
        // A wrong signature under a known issuer's name is one of another authority named alike.
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            CertificateError::UnknownIssuer.into()
        }
        error => refused(format!("the certificate is not good: {error}")),
    }
}
