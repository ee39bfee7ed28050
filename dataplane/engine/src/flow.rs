//! A body's bytes from one side to the other, framed anew. It may not know whose they are.

use crate::admission::body_too_large;
use crate::error::Error;
use crate::http1::{BadMessage, BodyDecoder, BodyEncoder, BodyLength, BodySink, HeadLimits};
use crate::side::Side;

/// One direction of a body.
#[derive(Debug)]
pub struct Flow {
    decoder: BodyDecoder,
    encoder: BodyEncoder,
    /// Whether its end was moved.
    pub is_complete: bool,
    /// Bytes of the body so far, without their framing.
    moved: u64,
}

impl Flow {
    /// A body that comes framed in one way and goes on framed in another.
    pub fn new(from: BodyLength, to: BodyLength, limits: &HeadLimits) -> Self {
        let decoder = BodyDecoder::new(from, limits);
        let is_complete = decoder.is_done();
        Self {
            decoder,
            encoder: BodyEncoder::new(to),
            is_complete,
            moved: 0,
        }
    }

    /// Moves what has arrived, framed anew, behind what is to be written.
    pub fn advance(&mut self, from: &mut Side, to: &mut Side) -> Result<(), BadMessage> {
        if self.is_complete || from.input.is_empty() {
            return Ok(());
        }
        let most = to.make_room();
        let input = from.input.filled();
        let mut sink = Framed {
            encoder: &mut self.encoder,
            out: to.output.tail(),
            moved: 0,
        };
        let decoded = self
            .decoder
            .decode(&input[..input.len().min(most)], &mut sink)?;
        self.moved += sink.moved;
        from.input.consume(decoded.consumed);
        if decoded.is_done {
            self.finish(to);
        }
        Ok(())
    }

    /// Whether the body may end where its input does.
    pub fn may_end(&mut self) -> bool {
        self.decoder.end_of_input().is_ok()
    }

    /// Ends the body that goes on.
    pub fn finish(&mut self, to: &mut Side) {
        let ended = self.encoder.end(to.output.tail());
        debug_assert!(ended.is_ok(), "{ended:?}");
        self.is_complete = true;
    }
}

/// A request's body on its way, which goes on where a try that failed left it.
#[derive(Debug)]
pub struct RequestBody {
    flow: Flow,
    /// What went on of it, framed as it was sent, for another try; none: it is not kept, or was too long.
    kept: Option<Vec<u8>>,
    /// Whether any of it was taken.
    is_begun: bool,
    /// Bytes it may have; none: no bound.
    most_bytes: Option<u64>,
}

impl RequestBody {
    /// The longest body kept for another try, as it is framed.
    const KEPT_BYTES: usize = 64 << 10;

    /// The body of a request, of which nothing was taken yet.
    pub fn new(
        body: BodyLength,
        limits: &HeadLimits,
        is_kept: bool,
        most_bytes: Option<u64>,
    ) -> Self {
        Self {
            flow: Flow::new(body, body, limits),
            kept: (is_kept && body != BodyLength::None).then(Vec::new),
            is_begun: false,
            most_bytes,
        }
    }

    /// Whether all of it was moved.
    pub const fn is_complete(&self) -> bool {
        self.flow.is_complete
    }

    /// Whether it can be sent once more from its first byte.
    pub const fn is_whole(&self) -> bool {
        !self.is_begun || self.kept.is_some()
    }

    /// Writes what went on already, behind the head of another try.
    pub fn write_kept(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.kept.as_deref().unwrap_or_default());
    }

    /// Moves what has arrived of it, and keeps that for another try.
    pub fn advance(&mut self, from: &mut Side, to: &mut Side) -> Result<(), Error> {
        if self.flow.is_complete || from.input.is_empty() {
            return Ok(());
        }
        self.is_begun = true;
        let before = to.output.len();
        self.flow.advance(from, to).map_err(bad_request)?;
        if let Some(most) = self.most_bytes.filter(|most| self.flow.moved > *most) {
            return Err(body_too_large(most));
        }
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        let added = &to.output.pending()[before..];
        if kept.len() + added.len() <= Self::KEPT_BYTES {
            kept.extend_from_slice(added);
        } else {
            self.kept = None;
        }
        Ok(())
    }
}

/// A body's parts on their way into the other side's framing.
struct Framed<'a> {
    encoder: &'a mut BodyEncoder,
    out: &'a mut Vec<u8>,
    moved: u64,
}

impl BodySink for Framed<'_> {
    fn data(&mut self, bytes: &[u8]) {
        self.moved += bytes.len() as u64;
        // The decoder gives just as much as was promised: both counted from the same length.
        let added = self.encoder.data(self.out, bytes);
        debug_assert!(added.is_ok(), "{added:?}");
    }

    fn trailer(&mut self, name: &[u8], value: &[u8]) {
        self.encoder.trailer(name, value);
    }
}

fn bad_request(bad: BadMessage) -> Error {
    Error::downstream(bad.reason(), bad.to_string())
}
