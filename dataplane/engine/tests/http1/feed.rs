//! Gives bytes to the codec in pieces, as a connection would, and tells what came of it. Used by the tests, by the example
//! `http1_verdict` and by nothing that is shipped.

use meshnode_engine::http1::{
    BadMessage, BodyDecoder, BodyLength, BodySink, HeadLimits, HeadWatch, HeaderStore, Parsed,
    RequestHead, ResponseHead, parse_request, parse_response,
};

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
pub enum Direction<'a> {
    Request,
    /// An answer to a request of this method.
    Response(&'a str),
}

/// What came of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Refused(BadMessage),
    /// The head is not whole.
    Waiting,
    Accepted(Box<Message>),
}

/// A message taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Method and target sent on, or the status.
    pub start: Vec<String>,
    pub host: String,
    pub reason: Vec<u8>,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// `none`, a number, `chunked` or `close`.
    pub framing: String,
    pub data: Vec<u8>,
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    pub keep_alive: bool,
    /// What else the head says: continue, upgrade, interim, switches.
    pub flags: Vec<&'static str>,
    /// How many bytes belong to the message.
    pub taken: usize,
}

impl BodySink for Message {
    fn data(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "empty data is not given");
        self.data.extend_from_slice(bytes);
    }

    fn trailer(&mut self, name: &[u8], value: &[u8]) {
        self.trailers.push((name.to_vec(), value.to_vec()));
    }
}

/// Feeds the pieces one after the other; the connection closes behind the last.
pub fn feed<'a>(
    direction: Direction<'_>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &HeadLimits,
    watch: Option<HeadWatch>,
) -> Outcome {
    match try_feed(direction, &mut pieces.into_iter(), limits, watch) {
        Ok(Some(message)) => Outcome::Accepted(Box::new(message)),
        Ok(None) => Outcome::Waiting,
        Err(bad) => Outcome::Refused(bad),
    }
}

fn try_feed(
    direction: Direction<'_>,
    pieces: &mut dyn Iterator<Item = &[u8]>,
    limits: &HeadLimits,
    mut watch: Option<HeadWatch>,
) -> Result<Option<Message>, BadMessage> {
    let mut buffer = Vec::new();
    let mut pieces = pieces.peekable();
    let found = loop {
        let Some(piece) = pieces.next() else {
            return Ok(None);
        };
        buffer.extend_from_slice(piece);
        let is_worth = watch
            .as_mut()
            .is_none_or(|watch| watch.is_worth_parsing(&buffer, limits));
        if (is_worth || pieces.peek().is_none())
            && let Some(found) = head(direction, &buffer, limits)?
        {
            break found;
        }
    };
    let (mut message, body) = found;
    let mut decoder = BodyDecoder::new(body, limits);
    let behind_head = buffer.split_off(message.taken);
    let mut is_done = take(&mut decoder, &mut message, &behind_head)?;
    while let Some(piece) = pieces.next()
        && !is_done
    {
        is_done = take(&mut decoder, &mut message, piece)?;
    }
    decoder.end_of_input()?;
    Ok(Some(message))
}

/// One piece of body; whether it was the last.
fn take(
    decoder: &mut BodyDecoder,
    message: &mut Message,
    piece: &[u8],
) -> Result<bool, BadMessage> {
    let step = decoder.decode(piece, message)?;
    assert!(step.consumed <= piece.len());
    assert_eq!(step.is_done, decoder.is_done());
    assert!(
        step.is_done || step.consumed == piece.len(),
        "bytes are left undecoded"
    );
    message.taken += step.consumed;
    Ok(step.is_done)
}

fn head(
    direction: Direction<'_>,
    buffer: &[u8],
    limits: &HeadLimits,
) -> Result<Option<(Message, BodyLength)>, BadMessage> {
    let mut store = HeaderStore::new();
    match direction {
        Direction::Request => match parse_request(buffer, limits, &mut store)? {
            Parsed::Partial => Ok(None),
            Parsed::Complete(head) => Ok(Some((of_request(&head), head.body))),
        },
        Direction::Response(method) => match parse_response(buffer, method, limits, &mut store)? {
            Parsed::Partial => Ok(None),
            Parsed::Complete(head) => Ok(Some((of_response(&head), head.body))),
        },
    }
}

fn of_request(head: &RequestHead<'_>) -> Message {
    let flags = [
        ("continue", head.expects_continue),
        ("upgrade", head.upgrade),
    ];
    Message {
        start: vec![head.method.to_owned(), head.path_and_query.to_owned()],
        host: head.host.to_owned(),
        fields: fields(head.headers),
        framing: framing(head.body),
        keep_alive: head.keep_alive,
        flags: flags
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| *name)
            .collect(),
        taken: head.head_bytes,
        ..Message::default()
    }
}

fn of_response(head: &ResponseHead<'_>) -> Message {
    let flags = [
        ("interim", head.is_interim()),
        ("switches", head.switches_protocols),
    ];
    Message {
        start: vec![head.status.to_string()],
        reason: head.reason.to_vec(),
        fields: fields(head.headers),
        framing: framing(head.body),
        keep_alive: head.keep_alive,
        flags: flags
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| *name)
            .collect(),
        taken: head.head_bytes,
        ..Message::default()
    }
}

fn fields(headers: meshnode_engine::http1::Headers<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers
        .iter()
        .map(|header| (header.name().to_vec(), header.value().to_vec()))
        .collect()
}

fn framing(body: BodyLength) -> String {
    match body {
        BodyLength::None => "none".to_owned(),
        BodyLength::Length(bytes) => bytes.to_string(),
        BodyLength::Chunked => "chunked".to_owned(),
        BodyLength::UntilClose => "close".to_owned(),
    }
}
