//! Takes a chunked body apart (RFC 9112 7.1), strictly. It may not hold data: only a trailer line that came in pieces.
//!
//! Stricter than the grammar in two places, where implementations differ: no white space on a chunk's line, and at most
//! fifteen digits of size.

use super::{BadMessage, BodySink, HeadLimits, syntax, trailers};

/// Digits of a chunk size: fifteen can't overflow 64 bits, nor can sums of a few.
const MOST_DIGITS: u8 = 15;
/// Bytes of chunk extensions in one body (they are dropped, so who sends more wants something else; hyper's limit too).
const MOST_EXTENSION_BYTES: u32 = 16 * 1024;

/// Where in a chunk the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size,
    ExtensionName,
    InExtensionName,
    ExtensionValue,
    InExtensionToken,
    InExtensionQuotes,
    AfterBackslash,
    AfterExtensionQuotes,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    Trailers,
    End,
}

/// The place in a chunked body, and what must be remembered of it.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    at: At,
    /// Bytes of the chunk: announced so far while on its line, then still to come.
    chunk_bytes: u64,
    digits: u8,
    extension_bytes: u32,
    /// The beginning of a trailer line whose end has not come.
    held_line: Vec<u8>,
    trailer_bytes_left: usize,
    trailers_left: usize,
}

impl ChunkedDecoder {
    pub(super) fn new(limits: &HeadLimits) -> Self {
        Self {
            at: At::Size,
            chunk_bytes: 0,
            digits: 0,
            extension_bytes: 0,
            held_line: Vec::new(),
            trailer_bytes_left: limits.capped_head_bytes(),
            trailers_left: limits.capped_headers(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == At::End
    }

    /// Takes from `src` until it or the body ends; the number of bytes taken.
    pub(super) fn decode(
        &mut self,
        src: &[u8],
        out: &mut impl BodySink,
    ) -> Result<usize, BadMessage> {
        let mut taken = 0;
        while let rest @ [byte, ..] = &src[taken..]
            && !self.is_done()
        {
            taken += match self.at {
                At::Data => self.take_data(rest, out),
                At::Trailers => self.take_trailer(rest, out)?,
                _ => {
                    self.at = self.step(*byte)?;
                    1
                }
            };
        }
        Ok(taken)
    }

    fn take_data(&mut self, rest: &[u8], out: &mut impl BodySink) -> usize {
        let bytes = usize::try_from(self.chunk_bytes).map_or(rest.len(), |all| all.min(rest.len()));
        out.data(&rest[..bytes]);
        self.chunk_bytes -= bytes as u64;
        if self.chunk_bytes == 0 {
            self.at = At::DataReturn;
        }
        bytes
    }

    /// Everything but data and trailers: where the byte leads.
    fn step(&mut self, byte: u8) -> Result<At, BadMessage> {
        match self.at {
            At::Size => self.size(byte),
            At::SizeLineFeed if byte == b'\n' => Ok(self.chunk_begins()),
            At::SizeLineFeed => Err(BadMessage::BareCr),
            At::DataReturn if byte == b'\r' => Ok(At::DataLineFeed),
            At::DataReturn if byte == b'\n' => Err(BadMessage::BareLf),
            At::DataLineFeed if byte == b'\n' => Ok(At::Size),
            At::DataReturn | At::DataLineFeed => Err(BadMessage::ChunkUnterminated),
            _ => self.extension(byte),
        }
    }

    fn size(&mut self, byte: u8) -> Result<At, BadMessage> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b';' if self.digits > 0 => return self.extension_begins(),
            b'\r' if self.digits > 0 => return Ok(At::SizeLineFeed),
            b'\n' if self.digits > 0 => return Err(BadMessage::BareLf),
            _ => return Err(BadMessage::ChunkSizeInvalid),
        };
        if self.digits == MOST_DIGITS {
            return Err(BadMessage::ChunkSizeTooLarge);
        }
        self.digits += 1;
        self.chunk_bytes = self.chunk_bytes << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn chunk_begins(&mut self) -> At {
        self.digits = 0;
        if self.chunk_bytes == 0 {
            At::Trailers
        } else {
            At::Data
        }
    }

    fn extension_begins(&mut self) -> Result<At, BadMessage> {
        self.extension_bytes += 1;
        if self.extension_bytes > MOST_EXTENSION_BYTES {
            return Err(BadMessage::ChunkExtensionsTooLong);
        }
        Ok(At::ExtensionName)
    }

    /// `;name`, `;name=token` or `;name="quoted"`, without white space outside the quotes and without line ends in them.
    fn extension(&mut self, byte: u8) -> Result<At, BadMessage> {
        let next = match (self.at, byte) {
            (At::ExtensionName | At::InExtensionName, _) if syntax::is_token_byte(byte) => {
                At::InExtensionName
            }
            (At::ExtensionValue | At::InExtensionToken, _) if syntax::is_token_byte(byte) => {
                At::InExtensionToken
            }
            (At::InExtensionName, b'=') => At::ExtensionValue,
            (At::ExtensionValue, b'"') => At::InExtensionQuotes,
            (At::InExtensionQuotes, b'"') => At::AfterExtensionQuotes,
            (At::InExtensionQuotes, b'\\') => At::AfterBackslash,
            (At::InExtensionQuotes | At::AfterBackslash, _) if syntax::is_value_byte(byte) => {
                At::InExtensionQuotes
            }
            (At::InExtensionName | At::InExtensionToken | At::AfterExtensionQuotes, b';') => {
                return self.extension_begins();
            }
            (At::InExtensionName | At::InExtensionToken | At::AfterExtensionQuotes, b'\r') => {
                return Ok(At::SizeLineFeed);
            }
            (_, b'\n') => return Err(BadMessage::BareLf),
            _ => return Err(BadMessage::ChunkExtensionInvalid),
        };
        self.extension_bytes += 1;
        if self.extension_bytes > MOST_EXTENSION_BYTES {
            return Err(BadMessage::ChunkExtensionsTooLong);
        }
        Ok(next)
    }

    /// Takes a line of the trailer section, or the part of it that is there.
    fn take_trailer(&mut self, rest: &[u8], out: &mut impl BodySink) -> Result<usize, BadMessage> {
        let line_feed = memchr::memchr(b'\n', rest);
        let bytes = line_feed.map_or(rest.len(), |at| at + 1);
        let left = self.trailer_bytes_left.checked_sub(bytes);
        self.trailer_bytes_left = left.ok_or(BadMessage::TrailersTooLarge)?;
        let part = &rest[..bytes];
        if line_feed.is_none() || !self.held_line.is_empty() {
            self.held_line.extend_from_slice(part);
        }
        if line_feed.is_some() {
            let held = std::mem::take(&mut self.held_line);
            self.trailer_line(if held.is_empty() { part } else { &held }, out)?;
        }
        Ok(bytes)
    }

    fn trailer_line(&mut self, line: &[u8], out: &mut impl BodySink) -> Result<(), BadMessage> {
        if line == b"\r\n" {
            self.at = At::End;
            return Ok(());
        }
        let left = self.trailers_left.checked_sub(1);
        self.trailers_left = left.ok_or(BadMessage::TooManyTrailers)?;
        let (name, value) = trailers::split_line(line)?;
        if trailers::may_be_trailer(name) {
            out.trailer(name, value);
        }
        Ok(())
    }
}
