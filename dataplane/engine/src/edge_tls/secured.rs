//! What a handshake at the edge came to: for whom, and who came. It may not judge a request; `decide` does.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

use crate::snapshot::ClientRule;
use crate::trust;

/// Bytes of a client's name that are passed on: longer ones are no names.
const NAME_BYTES: usize = 512;

/// One connection's TLS, for as long as it lasts.
#[derive(Debug)]
pub struct Secured {
    /// The host it was made for, in lower case; none: the client named none.
    pub sni: Option<Box<str>>,
    /// What was demanded of the client.
    pub rule: Option<Arc<ClientRule>>,
    /// Who the client is, if it showed a certificate that is believed.
    pub client: Option<ClientCertificate>,
}

/// Who a client is, by a certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its subject (`CN=alice, O=shop`), all but visible ASCII percent-encoded, cut at [`NAME_BYTES`].
    pub name: Box<str>,
    /// The SHA-256 of the certificate, in hex.
    pub fingerprint: Box<str>,
    /// Its end, in seconds since the epoch: so long is the client believed.
    pub not_after_unix_s: u64,
}

impl ClientCertificate {
    /// Reads a certificate that was verified. The error is a sentence.
    pub(super) fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = trust::read(der)?;
        Ok(Self {
            name: visible(&certificate.subject().to_string()),
            fingerprint: hex(digest(&SHA256, der).as_ref()),
            not_after_unix_s: trust::seconds(certificate.validity().not_after.timestamp()),
        })
    }
}

/// A text as a header may carry it: what else stands in a name could end the line.
fn visible(text: &str) -> Box<str> {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if out.len() >= NAME_BYTES {
            break;
        }
        if (byte.is_ascii_graphic() || byte == b' ') && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // A string takes whatever is written to it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out.trim().into()
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> Box<str> {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_end_no_line_and_is_bounded() {
        assert_eq!(&*visible("CN=a\r\nHost: x"), "CN=a%0D%0AHost: x");
        assert_eq!(&*visible("CN=Jörg 100%"), "CN=J%C3%B6rg 100%25");
        assert!(visible(&"ä".repeat(5000)).len() <= NAME_BYTES + 3);
    }
}
