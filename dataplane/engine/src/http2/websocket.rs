//! WebSocket over HTTP/2 (RFC 8441): the handshake that HTTP/1.1 has (RFC 6455 4) and HTTP/2 has not, made and checked
//! here. It may not know a frame of WebSocket.

use h2::ext::Protocol;
use http::{Extensions, Method};

use super::sha1::sha1;
use crate::http1::{Headers, RequestHead, upgrade};
use crate::random::Random;

/// Its name, as a protocol.
pub(super) const WEBSOCKET: &str = "websocket";
/// The field a client's nonce stands in.
const KEY: &[u8; 17] = b"sec-websocket-key";
/// The field that proves that the nonce was read.
const ACCEPT: &[u8; 20] = b"sec-websocket-accept";
/// What is put behind the nonce (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The nonce of a handshake, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u8; 24]);

impl Key {
    /// A new one. It need not be secret, but another each time (RFC 6455 10.3).
    pub fn make() -> Self {
        let mut text = [0; 24];
        base64(&Random::from_os().nonzero16(), &mut text);
        Self(text)
    }

    /// The one in a handshake: it stands there once, and is one of 16 bytes.
    pub fn of(headers: &Headers<'_>) -> Option<Self> {
        let text: [u8; 24] = only(headers, KEY)?.try_into().ok()?;
        let (digits, end) = text.split_at(22);
        let is_one = end == b"==" && digits.iter().all(|digit| ALPHABET.contains(digit));
        is_one.then_some(Self(text))
    }

    /// As it is written.
    pub const fn text(&self) -> &[u8] {
        &self.0
    }

    /// What proves that it was read.
    pub fn accept(&self) -> [u8; 28] {
        let mut text = [0; 28];
        base64(&sha1(&[&self.0, GUID].concat()), &mut text);
        text
    }

    /// Whether an answer proves that it was read.
    pub fn is_accepted(&self, headers: &Headers<'_>) -> bool {
        only(headers, ACCEPT) == Some(&self.accept()[..])
    }
}

/// Whether a request in HTTP/2 asks for it: by extended CONNECT.
pub(super) fn is_asked(method: &Method, extensions: &Extensions) -> bool {
    let protocol = extensions.get::<Protocol>();
    *method == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == WEBSOCKET)
}

/// Whether a request in HTTP/1.1 asks for it.
pub(super) fn is_wanted(head: &RequestHead<'_>) -> bool {
    head.upgrade
        && head.method == "GET"
        && upgrade::protocols(&head.headers)
            .any(|protocol| protocol.eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Whether a field is part of the handshake of HTTP/1.1, which is made anew at each change of version.
pub(super) fn is_of_handshake(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(KEY) || name.eq_ignore_ascii_case(ACCEPT)
}

/// Writes the lines by which HTTP/1.1 asks for it.
pub(super) fn write_asked(out: &mut Vec<u8>, key: &Key) {
    out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
    out.extend_from_slice(key.text());
    out.extend_from_slice(b"\r\n");
}

/// Writes the lines by which HTTP/1.1 agrees to it.
pub(super) fn write_agreed(out: &mut Vec<u8>, key: &Key) {
    out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ");
    out.extend_from_slice(&key.accept());
    out.extend_from_slice(b"\r\n");
}

/// The value of a field that stands there once.
fn only<'b, const N: usize>(headers: &Headers<'b>, name: &'static [u8; N]) -> Option<&'b [u8]> {
    let mut values = headers.find_named(name);
    values.next().filter(|_| values.next().is_none())
}

/// Writes `bytes` in base64 (RFC 4648 4), padded. `text` is as long as that.
fn base64(bytes: &[u8], text: &mut [u8]) {
    for (three, four) in bytes.chunks(3).zip(text.chunks_exact_mut(4)) {
        let mut whole = [0; 3];
        whole[..three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes([0, whole[0], whole[1], whole[2]]);
        for (at, digit) in four.iter_mut().enumerate() {
            *digit = if at <= three.len() {
                ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]
            } else {
                b'='
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{HeadLimits, HeaderStore, Parsed, parse_request};

    fn key_of(lines: &str) -> Option<Key> {
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        let mut store = HeaderStore::new();
        match parse_request(text.as_bytes(), &HeadLimits::default(), &mut store).unwrap() {
            Parsed::Complete(head) => Key::of(&head.headers),
            Parsed::Partial => None,
        }
    }

    #[test]
    fn a_key_is_accepted_as_the_rfc_says() {
        let key = key_of("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n").unwrap();
        assert_eq!(&key.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_key_or_two_is_none() {
        for lines in [
            "",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j====\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ] {
            assert_eq!(key_of(lines), None, "{lines}");
        }
    }

    #[test]
    fn keys_that_are_made_are_keys_and_differ() {
        let (one, other) = (Key::make(), Key::make());
        assert_ne!(one, other);
        let text = std::str::from_utf8(one.text()).unwrap();
        assert_eq!(key_of(&format!("Sec-WebSocket-Key: {text}\r\n")), Some(one));
    }

    #[test]
    fn base64_pads_as_it_must() {
        for (bytes, wanted) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            let mut text = vec![0; wanted.len()];
            base64(bytes.as_bytes(), &mut text);
            assert_eq!(text, wanted.as_bytes());
        }
    }
}
