//! The server name a TLS connection begins with, read without answering. It may not judge the hello, nor decrypt: who
//! speaks TLS does.

/// A hello's bytes, heads of records included: one with post-quantum keys has 2 KiB, and who sends more has something
/// else in mind than to be led by its name.
pub const MOST_BYTES: usize = 16 * 1024;

/// The type of a record that carries a handshake (RFC 8446 §5.1).
pub const HANDSHAKE_RECORD: u8 = 22;
/// The first byte of every record's version.
const VERSION_MAJOR: u8 = 3;
/// A record's head: type, version, length.
const RECORD_HEAD: usize = 5;
/// What a record may carry.
const RECORD_BYTES: usize = 1 << 14;
/// The message type of a hello (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;
/// A message's head: type, and length in three bytes.
const MESSAGE_HEAD: usize = 4;
/// The extension that names the server, and the only kind of name in it (RFC 6066 §3).
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// What a name in DNS can have (RFC 1035 §2.3.4).
const NAME_BYTES: usize = 253;

/// What the bytes so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet: more has to come.
    More,
    /// The server name, as hosts are compared.
    Name(Box<str>),
    /// No name, and none will come: the hello has none, or this is no hello.
    Nothing,
}

/// A hello on its way, over as many packets and records as it likes.
#[derive(Debug, Default)]
pub struct ClientHello {
    /// How much of what came was taken: whole records, so that each is copied once.
    taken: usize,
    /// What the records carried.
    message: Vec<u8>,
}

impl ClientHello {
    /// Looks at all bytes that came so far; the same, and more behind them, each time.
    pub fn look(&mut self, bytes: &[u8]) -> Found {
        loop {
            if let Some(found) = self.complete() {
                return found;
            }
            let rest = bytes.get(self.taken..).unwrap_or_default();
            let carried = match record(rest) {
                Record::Whole(carried) => carried,
                Record::Part if bytes.len() < MOST_BYTES => return Found::More,
                Record::Part | Record::Other => return Found::Nothing,
            };
            self.message.extend_from_slice(carried);
            self.taken += RECORD_HEAD + carried.len();
        }
    }

    /// What the message says, if it is whole or can be none.
    fn complete(&self) -> Option<Found> {
        let (kind, _) = self.message.split_first()?;
        if *kind != CLIENT_HELLO {
            return Some(Found::Nothing);
        }
        let head = self.message.get(1..MESSAGE_HEAD)?;
        let length = head
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if length > MOST_BYTES {
            return Some(Found::Nothing);
        }
        let body = self.message.get(MESSAGE_HEAD..MESSAGE_HEAD + length)?;
        let name = server_name(&mut Reader(body));
        Some(name.map_or(Found::Nothing, Found::Name))
    }
}

/// Whether bytes begin a hello, as far as that can be told: whoever speaks TLS judges the rest.
pub fn begins(bytes: &[u8]) -> bool {
    match record(bytes) {
        Record::Whole(_) | Record::Part => bytes.get(RECORD_HEAD) == Some(&CLIENT_HELLO),
        Record::Other => false,
    }
}

/// A server name as hosts are compared: without case (RFC 6066 §3) and the root's dot.
pub fn normal(name: &str) -> Box<str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase().into()
}

enum Record<'b> {
    /// All of it is there; so much it carries.
    Whole(&'b [u8]),
    /// The beginning of one, as far as can be seen.
    Part,
    /// None of a handshake.
    Other,
}

fn record(bytes: &[u8]) -> Record<'_> {
    let begins = |at: usize, wanted: u8| bytes.get(at).is_none_or(|byte| *byte == wanted);
    if !begins(0, HANDSHAKE_RECORD) || !begins(1, VERSION_MAJOR) {
        return Record::Other;
    }
    let Some(head) = bytes.get(..RECORD_HEAD) else {
        return Record::Part;
    };
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    // An empty one carries no handshake (RFC 8446 §5.1), and could be sent for ever.
    if length == 0 || length > RECORD_BYTES {
        return Record::Other;
    }
    let carried = bytes.get(RECORD_HEAD..RECORD_HEAD + length);
    carried.map_or(Record::Part, Record::Whole)
}

/// The name in a hello; none, if it has none, or is no hello.
fn server_name(hello: &mut Reader<'_>) -> Option<Box<str>> {
    // Version and random.
    hello.bytes(2 + 32)?;
    // Session, suites, compression: not ours to judge.
    let session = hello.byte()?;
    hello.bytes(session.into())?;
    hello.vector()?;
    let compression = hello.byte()?;
    hello.bytes(compression.into())?;
    let mut extensions = hello.vector()?;
    let mut found = None;
    while !extensions.0.is_empty() {
        let (kind, content) = (extensions.short()?, extensions.vector()?);
        // Two are forbidden (RFC 8446 §4.2): of those the other side could believe another one.
        if kind == SERVER_NAME && found.replace(content).is_some() {
            return None;
        }
    }
    host_name(&mut found?)
}

/// The host in a list of names: the one there is.
fn host_name(names: &mut Reader<'_>) -> Option<Box<str>> {
    let mut list = names.vector()?;
    let (kind, name) = (list.byte()?, list.vector()?);
    if kind != HOST_NAME || !list.0.is_empty() || !names.0.is_empty() {
        return None;
    }
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let text = std::str::from_utf8(name.0).ok()?;
    let name = normal(text);
    let is_host =
        !name.is_empty() && name.len() <= NAME_BYTES && name.as_bytes().iter().all(is_of_host);
    is_host.then_some(name)
}

/// Bytes that are read from the front; none where they are too few.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.bytes(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// What has its length before it, in two bytes.
    fn vector(&mut self) -> Option<Self> {
        let length = self.short()?;
        self.bytes(length.into()).map(Self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn vector(bytes: &[u8]) -> Vec<u8> {
        let mut made = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        made.extend_from_slice(bytes);
        made
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(content)].concat()
    }

    fn named(name: &[u8]) -> Vec<u8> {
        extension(
            SERVER_NAME,
            &vector(&[&[HOST_NAME][..], &vector(name)].concat()),
        )
    }

    /// A hello's message with these extensions.
    fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 2, 0x13, 0x01, 1, 0]);
        body.extend_from_slice(&vector(&extensions.concat()));
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], &body].concat()
    }

    /// The message in records of so many bytes.
    fn records(message: &[u8], most: usize) -> Vec<u8> {
        let record = |part: &[u8]| [&[HANDSHAKE_RECORD, 3, 1][..], &vector(part)].concat();
        message.chunks(most).flat_map(record).collect()
    }

    /// A whole hello, in records of so many bytes.
    pub(crate) fn hello(name: Option<&[u8]>, most: usize) -> Vec<u8> {
        let extensions: Vec<_> = name.map(named).into_iter().collect();
        records(&message(&extensions), most)
    }

    fn look(bytes: &[u8]) -> Found {
        ClientHello::default().look(bytes)
    }

    fn name(text: &str) -> Found {
        Found::Name(text.into())
    }

    #[test]
    fn the_name_is_found_however_the_hello_is_cut() {
        let message = message(&[extension(43, &[2, 3, 4]), named(b"Db.Example.")]);
        for most in [1, 2, 7, 64, 1 << 14] {
            let whole = records(&message, most);
            assert_eq!(look(&whole), name("db.example"));
            let mut hello = ClientHello::default();
            for end in 0..whole.len() {
                assert_eq!(hello.look(&whole[..end]), Found::More, "{most} {end}");
            }
            assert_eq!(hello.look(&whole), name("db.example"));
        }
    }

    #[test]
    fn a_hello_without_a_name_has_none() {
        assert_eq!(look(&records(&message(&[]), 64)), Found::Nothing);
        let other = message(&[extension(16, b"\0\x03\x02h2")]);
        assert_eq!(look(&records(&other, 64)), Found::Nothing);
        let mut bare = message(&[]);
        bare.truncate(bare.len() - 2);
        bare[3] -= 2;
        assert_eq!(
            look(&records(&bare, 64)),
            Found::Nothing,
            "SSL 3 had no extensions"
        );
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_names_nobody() {
        let two_names = [
            &[HOST_NAME][..],
            &vector(b"a.test"),
            &[HOST_NAME],
            &vector(b"b.test"),
        ];
        for extensions in [
            vec![named(b"a.test"), named(b"b.test")],
            vec![extension(SERVER_NAME, &vector(&two_names.concat()))],
            vec![named(b"")],
            vec![named(b".")],
            vec![named(b"a.test\0.b.test")],
            vec![named("ä.test".as_bytes())],
            vec![named(&[b'a'; 254])],
            vec![extension(SERVER_NAME, &[])],
            vec![extension(SERVER_NAME, &vector(&[1, 0, 1, b'a']))],
            vec![named(b"a.test"), vec![0]],
        ] {
            assert_eq!(
                look(&records(&message(&extensions), 64)),
                Found::Nothing,
                "{extensions:?}"
            );
        }
    }

    #[test]
    fn what_is_no_hello_is_known_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x16\x02",
            b"\x15\x03\x01\0\x02\x02\x28",
            b"\x16\x03\x01\0\0",
            b"\x16\x03\x01\x40\x01",
            b"\x16\x03\x01\0\x01\x02",
            b"\x16\x03\x01\0\x04\x01\xFF\xFF\xFF",
        ] {
            assert_eq!(look(bytes), Found::Nothing, "{bytes:?}");
        }
    }

    #[test]
    fn a_hello_without_end_is_given_up() {
        let mut message = message(&[named(b"a.test")]);
        message[2] = 0x3F;
        message.resize(message.len() + 20_000, 0);
        let bytes = records(&message, 1000);
        let mut hello = ClientHello::default();
        assert_eq!(hello.look(&bytes[..MOST_BYTES - 1]), Found::More);
        assert_eq!(hello.look(&bytes[..MOST_BYTES]), Found::Nothing);
    }
}
