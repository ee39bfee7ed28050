//! A small authority for tests: makes identities as the agent would, and forgeries it never would.

use std::time::{Duration, SystemTime};

use meshnode_engine::identity::IdentityDocument;
use meshnode_engine::tls::{Asked, Speaks};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

pub const TRUST_DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";

/// The SPIFFE id of a service in `dc1` of the tests' mesh.
pub fn spiffe(service: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{service}")
}

/// A connection to this service in `dc1`, which carries no channels.
pub fn asked(service: &str) -> Asked<'_> {
    Asked {
        service,
        datacenter: "dc1",
        speaks: Speaks::Http,
    }
}

/// A certificate with its key, in PEM.
pub struct Leaf {
    pub chain_pem: String,
    pub key_pem: String,
    pub not_after_unix_s: u64,
}

impl Leaf {
    fn new(params: &CertificateParams, certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            not_after_unix_s: params.not_after.unix_timestamp().try_into().unwrap(),
        }
    }
}

/// An authority whose root the identities made by it trust.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority_params("mesh root");
        change(&mut params);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// An authority under this one.
    pub fn intermediate(&self) -> Self {
        let params = authority_params("mesh intermediate");
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap(),
        }
    }

    /// A certificate of `other`'s name and key, signed by this one.
    pub fn cross_sign(&self, other: &Self) -> String {
        let certificate = authority_params("mesh root").signed_by(other.issuer.key(), &self.issuer);
        certificate.unwrap().pem()
    }

    pub fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A good leaf for `service`, after `change` had its way with it.
    pub fn leaf(&self, service: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        self.leaf_for(service, &KeyPair::generate().unwrap(), change)
    }

    pub fn leaf_for(
        &self,
        service: &str,
        key: &KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let mut params = leaf_params(service);
        change(&mut params);
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        Leaf::new(&params, &certificate, key)
    }

    /// What the agent would send for `service`.
    pub fn document(&self, service: &str) -> IdentityDocument {
        self.document_of(service, self.leaf(service, |_| {}))
    }

    pub fn document_of(&self, service: &str, leaf: Leaf) -> IdentityDocument {
        IdentityDocument {
            name: service.to_owned(),
            spiffe_id: spiffe(service),
            certificate_chain_pem: leaf.chain_pem,
            private_key_pem: leaf.key_pem,
            roots_pem: self.root_pem(),
            not_after_unix_s: leaf.not_after_unix_s,
        }
    }
}

/// A certificate that nobody signed but itself.
pub fn self_signed(service: &str) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let params = leaf_params(service);
    let certificate = params.self_signed(&key).unwrap();
    Leaf::new(&params, &certificate, &key)
}

/// A URI among the names of a certificate.
pub fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text.to_owned()).unwrap())
}

/// Makes a certificate valid from `begin` to `end`, in seconds from now.
pub fn set_validity(params: &mut CertificateParams, begin: i64, end: i64) {
    let at = |offset| date_time_ymd(1970, 1, 1) + Duration::from_secs(from_now(offset));
    params.not_before = at(begin);
    params.not_after = at(end);
}

/// Seconds since the epoch, so many from now.
fn from_now(seconds: i64) -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    now.checked_add_signed(seconds).unwrap()
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    set_validity(&mut params, -7200, 7200);
    params
}

fn leaf_params(service: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(&spiffe(service))];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    set_validity(&mut params, -300, 3600);
    params
}
