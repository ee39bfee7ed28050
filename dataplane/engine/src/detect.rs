//! What a connection speaks, told by its first bytes, of which none is taken. It may not do I/O, nor decide how long is
//! waited for them.

use crate::client_hello::{self, ClientHello};
use crate::http1::syntax;

/// What a connection in HTTP/2 begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is looked at: what a hello may have. Of a longer request line enough is known by then.
pub const MOST_BYTES: usize = client_hello::MOST_BYTES;

/// What a request line says of its version, whatever the last digit is: the codec judges that.
const VERSION: &[u8] = b"HTTP/1.";
/// Letters of a method: the longest registered one has 17 (IANA, HTTP Method Registry). A text that goes on without a
/// space is none.
const METHOD_BYTES: usize = 32;

/// What a connection turned out to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detected {
    /// HTTP/1.1 or 1.0: it begins with a request line.
    Http,
    /// HTTP/2, by prior knowledge.
    Http2,
    /// TLS, which is not ours to end.
    Tls,
    /// Something else.
    Tcp,
    /// Nothing was said in time: the other side speaks first.
    Silent,
}

impl Detected {
    /// As in metrics and spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
            Self::Silent => "silent",
        }
    }

    /// What is spoken, by the name it has elsewhere (OpenTelemetry, `network.protocol.name`); none: nobody knows.
    pub const fn protocol_name(self) -> Option<&'static str> {
        match self {
            Self::Http | Self::Http2 => Some("http"),
            Self::Tls => Some("tls"),
            Self::Tcp | Self::Silent => None,
        }
    }

    /// Whether requests are made of it.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2)
    }
}

/// A look at what comes, as it comes.
#[derive(Debug, Default)]
pub struct Detection {
    hello: ClientHello,
    line: Line,
    /// The name its TLS asks for, once that was seen.
    pub server_name: Option<Box<str>>,
}

impl Detection {
    /// Looks at all bytes that came so far; the same, and more behind them, each time. None: they do not suffice yet,
    /// which [`MOST_BYTES`] always do.
    pub fn look(&mut self, bytes: &[u8]) -> Option<Detected> {
        let first = bytes.first()?;
        if *first == client_hello::HANDSHAKE_RECORD {
            return self.look_for_hello(bytes);
        }
        if bytes.starts_with(PREFACE) {
            return Some(Detected::Http2);
        }
        if PREFACE.starts_with(bytes) {
            return None;
        }
        match self.line.look(bytes) {
            Part::Whole => Some(Detected::Http),
            Part::Other => Some(Detected::Tcp),
            // By now it is a method and a long target, and nothing else ends that way.
            Part::More => (bytes.len() >= MOST_BYTES).then_some(Detected::Http),
        }
    }

    /// What it is taken for where no more is waited for: by these bytes, which did not suffice.
    pub fn settle(bytes: &[u8]) -> Detected {
        if bytes.is_empty() {
            Detected::Silent
        } else if client_hello::begins(bytes) {
            Detected::Tls
        } else {
            Detected::Tcp
        }
    }

    fn look_for_hello(&mut self, bytes: &[u8]) -> Option<Detected> {
        match self.hello.look(bytes) {
            client_hello::Found::More => None,
            client_hello::Found::Name(name) => {
                self.server_name = Some(name);
                Some(Detected::Tls)
            }
            client_hello::Found::Nothing => Some(Self::settle(bytes)),
        }
    }
}

/// How far bytes are a request line (RFC 9112 §3).
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// As far as need be.
    Whole,
    /// As far as they go.
    More,
    /// They are none.
    Other,
}

/// A request line on its way; each byte is looked at once.
#[derive(Debug, Default)]
struct Line {
    /// How many bytes were looked at.
    at: usize,
    /// Where the target begins, once the method is over.
    target: Option<usize>,
    /// Where the version begins, once the target is over.
    version: Option<usize>,
}

impl Line {
    fn look(&mut self, bytes: &[u8]) -> Part {
        while !self.is_whole() {
            let Some(&byte) = bytes.get(self.at) else {
                return Part::More;
            };
            if !self.takes(byte) {
                return Part::Other;
            }
            self.at += 1;
        }
        Part::Whole
    }

    fn is_whole(&self) -> bool {
        (self.version).is_some_and(|begin| self.at == begin + VERSION.len())
    }

    /// Whether the byte that comes next is one of a request line.
    fn takes(&mut self, byte: u8) -> bool {
        match (self.target, self.version) {
            (_, Some(begin)) => VERSION[self.at - begin] == byte,
            (Some(begin), None) if byte == b' ' && self.at > begin => {
                self.version = Some(self.at + 1);
                true
            }
            // What is no letter of a URI the codec judges.
            (Some(_), None) => byte > b' ' && byte != 0x7F,
            (None, None) if byte == b' ' && self.at > 0 => {
                self.target = Some(self.at + 1);
                true
            }
            (None, None) => self.at < METHOD_BYTES && syntax::is_token_byte(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client_hello::tests::hello;

    /// What random bytes hardly begin with.
    const BEGINNINGS: &[&[u8]] = &[b"", b"GET /", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01"];

    /// What is found in bytes that come one by one, and behind how many of them.
    fn found(bytes: &[u8]) -> Option<(Detected, usize)> {
        let mut detection = Detection::default();
        (0..=bytes.len()).find_map(|end| Some((detection.look(&bytes[..end])?, end)))
    }

    /// The same however the bytes are cut in two.
    fn found_in_pieces(bytes: &[u8]) -> Option<Detected> {
        let (whole, end) = found(bytes)?;
        for cut in 0..bytes.len() {
            let mut detection = Detection::default();
            let looks = [&bytes[..cut], bytes].map(|seen| detection.look(seen));
            let early = (cut >= end).then_some(whole);
            assert_eq!(looks, [early, Some(whole)], "cut at {cut}");
        }
        Some(whole)
    }

    #[test]
    fn a_request_line_is_known_by_its_version_and_not_before() {
        for method in ["GET", "POST", "M-SEARCH", "PRI", "P", "UPDATEREDIRECTREF"] {
            let line = format!("{method} /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n");
            let enough = line.find("1.1").unwrap() + 2;
            assert_eq!(found(line.as_bytes()), Some((Detected::Http, enough)));
            assert_eq!(found_in_pieces(line.as_bytes()), Some(Detected::Http));
        }
        let absolute = b"GET http://cart.mesh/ HTTP/1.0\r\n\r\n";
        assert_eq!(found_in_pieces(absolute), Some(Detected::Http));
    }

    #[test]
    fn the_preface_is_known_when_it_is_whole() {
        let bytes = [PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat();
        assert_eq!(found(&bytes), Some((Detected::Http2, PREFACE.len())));
        assert_eq!(found_in_pieces(&bytes), Some(Detected::Http2));
        for at in 0..PREFACE.len() {
            let mut other = PREFACE.to_vec();
            other[at] = b'?';
            assert_ne!(found(&other).map(|(found, _)| found), Some(Detected::Http2));
        }
    }

    #[test]
    fn a_hello_is_known_with_its_name_over_as_many_records_as_it_likes() {
        for most in [1, 7, 1 << 14] {
            let bytes = hello(Some(b"Db.Example"), most);
            assert_eq!(found(&bytes), Some((Detected::Tls, bytes.len())));
            assert_eq!(found_in_pieces(&bytes), Some(Detected::Tls));
            let mut detection = Detection::default();
            detection.look(&bytes);
            assert_eq!(detection.server_name.as_deref(), Some("db.example"));
        }
        let nameless = hello(None, 64);
        assert_eq!(found_in_pieces(&nameless), Some(Detected::Tls));
        // One that does not go on is TLS all the same, as soon as it says what it is.
        let bytes = hello(Some(b"db.example"), 1 << 14);
        for end in 0..bytes.len() {
            let wanted = match end {
                0 => Detected::Silent,
                1..=5 => Detected::Tcp,
                _ => Detected::Tls,
            };
            assert_eq!(Detection::settle(&bytes[..end]), wanted, "{end}");
        }
    }

    #[test]
    fn what_is_nothing_of_this_is_known_by_its_first_odd_byte() {
        let cases: [(&[u8], usize); 12] = [
            (b"\0", 1),
            (b"\r\nGET / HTTP/1.1\r\n", 1),
            (b" GET / HTTP/1.1\r\n", 1),
            (b"EHLO mail.example\r\n", 18),
            (b"GET key\r\n", 8),
            (b"GET  / HTTP/1.1\r\n", 5),
            (b"GET / HTTP/2.0\r\n", 12),
            (b"GET / http/1.1\r\n", 7),
            (b"GET /\x7f HTTP/1.1\r\n", 6),
            (b"SSH-2.0-OpenSSH_9.6\r\n", 20),
            (b"\x15\x03\x01\0\x02\x02\x28", 1),
            (b"\x16\x02", 2),
        ];
        for (bytes, enough) in cases {
            assert_eq!(found(bytes), Some((Detected::Tcp, enough)), "{bytes:?}");
            assert_eq!(found_in_pieces(bytes), Some(Detected::Tcp));
        }
        assert_eq!(found(&[b'A'; 64]), Some((Detected::Tcp, METHOD_BYTES + 1)));
    }

    #[test]
    fn a_long_target_is_one_of_a_request() {
        let mut line = b"GET /".to_vec();
        line.resize(MOST_BYTES, b'a');
        assert_eq!(found(&line), Some((Detected::Http, MOST_BYTES)));
    }

    #[test]
    fn each_has_a_word_of_its_own() {
        use Detected::{Http, Http2, Silent, Tcp, Tls};
        let words = [Http, Http2, Tls, Tcp, Silent].map(Detected::as_str);
        assert_eq!(words, ["http", "http2", "tls", "tcp", "silent"]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_one_end_however_they_come(
            begin in proptest::sample::select(BEGINNINGS),
            rest in proptest::collection::vec(any::<u8>(), 0..64),
            cuts in proptest::collection::vec(0_usize..80, 0..6),
        ) {
            let bytes = [begin, &rest[..]].concat();
            let kept = bytes.clone();
            let one_by_one = found(&bytes);
            let mut detection = Detection::default();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let in_pieces = cuts.into_iter().find_map(|end| detection.look(&bytes[..end]));
            prop_assert_eq!(in_pieces, one_by_one.map(|(found, _)| found));
            prop_assert_eq!(bytes, kept);
        }

        #[test]
        fn enough_bytes_always_suffice(fill in any::<u8>(), begin in proptest::collection::vec(any::<u8>(), 0..16)) {
            let mut bytes = begin;
            bytes.resize(MOST_BYTES, fill);
            prop_assert!(Detection::default().look(&bytes).is_some());
        }
    }
}
