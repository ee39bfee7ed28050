//! What must hold for any bytes at all. Called by the property tests and by the fuzz targets.

#![allow(dead_code)] // each fuzz target calls one of these

use meshnode_engine::http1::{
    BadMessage, BodyEncoder, BodyLength, HeadLimits, HeaderStore, Known, Parsed, parse_request,
    parse_response, scan, write,
};

use crate::feed::{Direction, Message, Outcome, feed};

/// Small, so that the limits are reached.
pub const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 2_048,
    headers: 16,
    target_bytes: 256,
};

const CHUNKED_HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// Of a fuzzer's input: where to cut (its first byte says in how many lengths), and what.
pub fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let Some((count, rest)) = input.split_first() else {
        return (&[], &[]);
    };
    rest.split_at(usize::from(count % 4).min(rest.len()))
}

/// Any bytes sent as a request; `cuts` says where the network cuts them.
pub fn request(bytes: &[u8], cuts: &[u8]) {
    let outcome = check(Direction::Request, bytes, cuts);
    agrees_with_scan(bytes, scan::request, |bytes| {
        let mut store = HeaderStore::new();
        parse_request(bytes, &LIMITS, &mut store).map(|parsed| {
            if let Parsed::Complete(head) = parsed {
                Some(head.head_bytes)
            } else {
                None
            }
        })
    });
    if let Outcome::Accepted(message) = outcome {
        survives_rewriting(Direction::Request, &message);
    }
}

/// Any bytes sent as an answer to a request of this method.
pub fn response(bytes: &[u8], method: &str, cuts: &[u8]) {
    let direction = Direction::Response(method);
    let outcome = check(direction, bytes, cuts);
    agrees_with_scan(bytes, scan::response, |bytes| {
        let mut store = HeaderStore::new();
        parse_response(bytes, method, &LIMITS, &mut store).map(|parsed| {
            if let Parsed::Complete(head) = parsed {
                Some(head.head_bytes)
            } else {
                None
            }
        })
    });
    if let Outcome::Accepted(message) = outcome {
        survives_rewriting(direction, &message);
    }
}

/// Any bytes sent as a chunked body.
pub fn chunked_body(bytes: &[u8], cuts: &[u8]) {
    request(&[CHUNKED_HEAD, bytes].concat(), cuts);
}

/// Cut anyhow, the outcome is the same; and the beginning of a good message is never a bad one.
fn check(direction: Direction<'_>, bytes: &[u8], cuts: &[u8]) -> Outcome {
    let whole = feed(direction, [bytes], &LIMITS, None);
    let pieces = cut(bytes, cuts);
    assert_eq!(
        whole,
        feed(direction, pieces.iter().copied(), &LIMITS, None),
        "cut {pieces:?}"
    );
    if let Outcome::Accepted(message) = &whole {
        let behind_none = feed(direction, [&bytes[..message.taken]], &LIMITS, None);
        assert_eq!(whole, behind_none, "what follows a message changes it");
        let first = pieces.first().map_or(0, |piece| piece.len());
        if first < message.taken {
            match feed(direction, [&bytes[..first]], &LIMITS, None) {
                Outcome::Waiting | Outcome::Refused(BadMessage::BodyCutShort) => {}
                Outcome::Accepted(part) if part.framing == "close" => {}
                other => panic!("the first {first} bytes of a good message: {other:?}"),
            }
        }
    }
    whole
}

/// Pieces as long as `cuts` says, again and again.
pub fn cut<'b>(mut bytes: &'b [u8], cuts: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let lengths = cuts.iter().map(|length| usize::from(*length) + 1);
    for length in lengths
        .cycle()
        .take(if cuts.is_empty() { 0 } else { bytes.len() })
    {
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

/// The quick way and the slow one say the same of the syntax.
fn agrees_with_scan(
    bytes: &[u8],
    scan: fn(&[u8], &HeadLimits) -> Result<Parsed<usize>, BadMessage>,
    parse: impl FnOnce(&[u8]) -> Result<Option<usize>, BadMessage>,
) {
    let window = &bytes[..bytes.len().min(LIMITS.head_bytes)];
    match (parse(bytes), scan(window, &LIMITS)) {
        (Ok(Some(head_bytes)), Ok(Parsed::Complete(scanned))) => assert_eq!(head_bytes, scanned),
        // That a head is already broken may be told when its end has come.
        (Ok(None), Ok(Parsed::Partial) | Err(_))
        | (Err(BadMessage::HeadTooLarge), Ok(Parsed::Partial)) => {}
        (Err(bad), Err(scanned)) => assert_eq!(bad, scanned),
        (Err(bad), Ok(Parsed::Complete(_))) => assert!(is_about_meaning(bad), "{bad:?}"),
        (parsed, scanned) => panic!("parsed {parsed:?}, scanned {scanned:?}"),
    }
}

/// Rules that a head may break whose lines are all well-formed.
fn is_about_meaning(bad: BadMessage) -> bool {
    use BadMessage as Bad;
    matches!(
        bad,
        Bad::TargetForm
            | Bad::TargetAuthority
            | Bad::TargetNotForMethod
            | Bad::HostMissing
            | Bad::HostRepeated
            | Bad::HostInvalid
            | Bad::ExpectationUnknown
            | Bad::TooManyConnectionOptions
            | Bad::BothLengthAndChunked
            | Bad::ContentLengthInvalid
            | Bad::ContentLengthRepeated
            | Bad::ContentLengthTooLarge
            | Bad::TransferEncodingRepeated
            | Bad::TransferEncodingNotChunked
            | Bad::TransferCodingUnsupported
            | Bad::TransferEncodingInOldVersion
            | Bad::FramingAlias
            | Bad::InformationalWithBody
    )
}

/// Written anew, as the proxy sends it on, a message is read as the same.
fn survives_rewriting(direction: Direction<'_>, message: &Message) {
    let mut bytes = Vec::new();
    let framing = framing(message);
    match direction {
        Direction::Request => {
            write::request_line(&mut bytes, &message.start[0], &message.start[1]);
            let host = if message.host.is_empty() {
                "a"
            } else {
                &message.host
            };
            write::header(&mut bytes, b"host", host.as_bytes());
        }
        Direction::Response(_) => {
            let status = message.start[0].parse().unwrap();
            write::status_line(&mut bytes, status, &message.reason);
        }
    }
    let sent_on = |(name, _): &&(Vec<u8>, Vec<u8>)| match Known::of(name) {
        Known::Host
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Connection
        | Known::Upgrade => false,
        // Of an HTTP/1.0 client it was not even read.
        Known::Expect => message.flags.contains(&"continue"),
        _ => true,
    };
    for (name, value) in message.fields.iter().filter(sent_on) {
        write::header(&mut bytes, name, value);
    }
    write::body_length(&mut bytes, framing);
    write::end_of_head(&mut bytes);
    write_body(&mut bytes, framing, message);

    let limits = HeadLimits::default();
    let Outcome::Accepted(again) = feed(direction, [bytes.as_slice()], &limits, None) else {
        panic!("refused when written anew: {}", bytes.escape_ascii());
    };
    assert_eq!(again.taken, bytes.len());
    assert_eq!((&again.start, &again.data), (&message.start, &message.data));
    assert_eq!(
        (&again.reason, &again.trailers),
        (&message.reason, &message.trailers)
    );
}

fn framing(message: &Message) -> BodyLength {
    match message.framing.as_str() {
        "none" => BodyLength::None,
        "chunked" | "close" => BodyLength::Chunked,
        number => BodyLength::Length(number.parse().unwrap()),
    }
}

fn write_body(bytes: &mut Vec<u8>, framing: BodyLength, message: &Message) {
    let mut body = BodyEncoder::new(framing);
    for piece in message.data.chunks(7) {
        body.data(bytes, piece).unwrap();
    }
    for (name, value) in &message.trailers {
        body.trailer(name, value);
    }
    body.end(bytes).unwrap();
}
