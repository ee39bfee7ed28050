//! Properties of the codec: of any message we write, and of raw cases with bytes changed.

use meshnode_engine::http1::{
    BodyEncoder, BodyLength, HeadLimits, HeadWatch, may_be_trailer, write,
};
use proptest::prelude::*;

use crate::feed::{Direction, Message, Outcome, feed};
use crate::invariants;
use crate::raw;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

fn target() -> impl Strategy<Value = String> {
    "/[!\"$-~]{0,40}"
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![9 => b' '..=b'~', 1 => Just(b'\t'), 1 => 0x80..=0xFF_u8];
    prop::collection::vec(byte, 0..40).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

/// Fields that say nothing of framing or the hop.
fn fields() -> impl Strategy<Value = Fields> {
    let name = token().prop_map(|name| format!("x{name}").into_bytes());
    let field = (name, value());
    prop::collection::vec(field, 0..8).prop_map(|fields| {
        fields
            .into_iter()
            .filter(|(name, _)| may_be_trailer(name))
            .collect()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// The lengths of pieces, less one; a byte for each.
fn cuts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..12)
}

fn framing(is_chunked: bool, body: &[u8]) -> BodyLength {
    if is_chunked {
        BodyLength::Chunked
    } else {
        BodyLength::Length(body.len() as u64)
    }
}

/// Appends fields and body, written in pieces as `chunks` says.
fn write_rest(
    out: &mut Vec<u8>,
    framing: BodyLength,
    fields: &Fields,
    data: &[u8],
    chunks: &[u8],
    trailers: &Fields,
) {
    for (name, value) in fields {
        write::header(out, name, value);
    }
    write::body_length(out, framing);
    write::end_of_head(out);
    let mut body = BodyEncoder::new(framing);
    for piece in invariants::cut(data, chunks) {
        body.data(out, piece).unwrap();
    }
    for (name, value) in trailers {
        body.trailer(name, value);
    }
    body.end(out).unwrap();
}

fn accepted(direction: Direction<'_>, bytes: &[u8], cuts: &[u8]) -> Message {
    let pieces = invariants::cut(bytes, cuts);
    let watch = Some(HeadWatch::default());
    match feed(direction, pieces, &HeadLimits::default(), watch) {
        Outcome::Accepted(message) => *message,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_we_write_is_read_as_written(
        method in token(), target in target(), fields in fields(), data in body(), trailers in fields(),
        is_chunked in any::<bool>(), chunks in cuts(), cuts in cuts(), behind in body(),
    ) {
        prop_assume!(method != "CONNECT");
        let framing = framing(is_chunked, &data);
        let mut bytes = Vec::new();
        write::request_line(&mut bytes, &method, &target);
        write::header(&mut bytes, b"host", b"shop.example:80");
        write_rest(&mut bytes, framing, &fields, &data, &chunks, &trailers);
        let length = bytes.len();
        bytes.extend_from_slice(&behind);
        let message = accepted(Direction::Request, &bytes, &cuts);
        prop_assert_eq!(&message.start, &[method, target]);
        prop_assert_eq!(&message.fields[1..=fields.len()], &fields);
        prop_assert_eq!((&message.data, message.taken), (&data, length));
        prop_assert_eq!(message.trailers, if is_chunked { trailers } else { Vec::new() });
    }

    #[test]
    fn a_response_we_write_is_read_as_written(
        status in 200..=599_u16, reason in value(), fields in fields(), data in body(), trailers in fields(),
        is_chunked in any::<bool>(), chunks in cuts(), cuts in cuts(), behind in body(),
    ) {
        prop_assume!(status != 204 && status != 304);
        let framing = framing(is_chunked, &data);
        let mut bytes = Vec::new();
        write::status_line(&mut bytes, status, &reason);
        write_rest(&mut bytes, framing, &fields, &data, &chunks, &trailers);
        let length = bytes.len();
        bytes.extend_from_slice(&behind);
        let message = accepted(Direction::Response("GET"), &bytes, &cuts);
        prop_assert_eq!((&message.start[0], &message.reason), (&status.to_string(), &reason));
        prop_assert_eq!(&message.fields[..fields.len()], &fields);
        prop_assert_eq!((&message.data, message.taken), (&data, length));
        prop_assert_eq!(message.trailers, if is_chunked { trailers } else { Vec::new() });
    }

    #[test]
    fn any_bytes_keep_the_invariants(bytes in body(), cuts in cuts()) {
        invariants::request(&bytes, &cuts);
        invariants::response(&bytes, "GET", &cuts);
        invariants::chunked_body(&bytes, &cuts);
    }
}

/// What stands where parsers disagree.
#[rustfmt::skip]
const PIECES: &[&[u8]] = &[
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"=", b"\"", b"\\", b"0", b"5", b"f", b"#", b"\x80",
    b"\x7f", b"HTTP/1.1", b"Host: a\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close, x\r\n", b"0\r\n\r\n", b"\r\n\r\n", b"",
];

/// A change to a message: where, how many bytes are taken out, what is put in.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let piece = prop::sample::select(PIECES);
    (
        any::<prop::sample::Index>(),
        0..4_usize,
        piece.prop_map(<[u8]>::to_vec),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_raw_cases_keep_the_invariants(
        case in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..4), cuts in cuts(),
    ) {
        let (method, bytes) = case.get(raw::short_messages());
        let mut bytes = bytes.clone();
        for (at, remove, insert) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + remove).min(bytes.len());
            bytes.splice(at..end, insert);
        }
        match *method {
            "" => invariants::request(&bytes, &cuts),
            method => invariants::response(&bytes, method, &cuts),
        }
    }
}
