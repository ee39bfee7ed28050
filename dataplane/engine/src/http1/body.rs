//! Takes a body's bytes apart as its head announced them. It may not hold or copy data.

use super::chunked::ChunkedDecoder;
use super::{BadMessage, BodyLength, HeadLimits};

/// Where the parts of a body go.
pub trait BodySink {
    /// Some bytes of the body; never none.
    fn data(&mut self, bytes: &[u8]);
    /// A trailer that may be one, its value trimmed; only after all data.
    fn trailer(&mut self, name: &[u8], value: &[u8]);
}

/// What became of the bytes given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes belonged to this body; what follows is the next message's.
    pub consumed: usize,
    /// Whether the body has ended.
    pub is_done: bool,
}

/// Reads one body, however its bytes are cut.
#[derive(Debug)]
pub struct BodyDecoder {
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Failed(BadMessage),
}

impl BodyDecoder {
    /// For a body of this length; `limits` are those of its trailers.
    pub fn new(length: BodyLength, limits: &HeadLimits) -> Self {
        let rest = match length {
            BodyLength::None => Rest::Length(0),
            BodyLength::Length(bytes) => Rest::Length(bytes),
            BodyLength::Chunked => Rest::Chunked(ChunkedDecoder::new(limits)),
            BodyLength::UntilClose => Rest::UntilClose,
        };
        Self { rest }
    }

    /// Takes from `src` what belongs to the body and gives its data and trailers to `out`. An error stays: the same
    /// comes again whatever is given next.
    pub fn decode(&mut self, src: &[u8], out: &mut impl BodySink) -> Result<Decoded, BadMessage> {
        let consumed = match &mut self.rest {
            Rest::Length(left) => {
                let bytes = usize::try_from(*left).map_or(src.len(), |left| left.min(src.len()));
                give(&src[..bytes], out);
                *left -= bytes as u64;
                bytes
            }
            Rest::Chunked(chunked) => match chunked.decode(src, out) {
                Ok(consumed) => consumed,
                Err(bad) => {
                    self.rest = Rest::Failed(bad);
                    return Err(bad);
                }
            },
            Rest::UntilClose => {
                give(src, out);
                src.len()
            }
            Rest::Failed(bad) => return Err(*bad),
        };
        Ok(Decoded {
            consumed,
            is_done: self.is_done(),
        })
    }

    /// What the connection's end means: right where the body ends by it or has ended, else
    /// [`BadMessage::BodyCutShort`].
    pub fn end_of_input(&self) -> Result<(), BadMessage> {
        match &self.rest {
            Rest::UntilClose => Ok(()),
            Rest::Failed(bad) => Err(*bad),
            _ if self.is_done() => Ok(()),
            _ => Err(BadMessage::BodyCutShort),
        }
    }

    /// Whether the body has ended by itself.
    pub fn is_done(&self) -> bool {
        match &self.rest {
            Rest::Length(left) => *left == 0,
            Rest::Chunked(chunked) => chunked.is_done(),
            Rest::UntilClose | Rest::Failed(_) => false,
        }
    }
}

fn give(bytes: &[u8], out: &mut impl BodySink) {
    if !bytes.is_empty() {
        out.data(bytes);
    }
}
