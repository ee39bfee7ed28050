//! Frames a body anew. It may not choose the framing: the head, written before, did.

use super::{BodyLength, syntax, trailers, write};

/// The body does not have the length its head promised: the connection can't be used any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyMismatch {
    /// There are more bytes than promised.
    #[error("the body is longer than its head promised")]
    TooLong,
    /// It ended with bytes missing.
    #[error("the body ended before the length its head promised")]
    TooShort,
}

/// Writes one body behind its head.
#[derive(Debug)]
pub enum BodyEncoder {
    /// There is none, or it has ended.
    None,
    /// As many bytes more as this.
    Length(u64),
    /// Chunks; the trailers wait for the end, each with its line end.
    Chunked(Vec<u8>),
    /// Everything until the connection is closed, as it is.
    UntilClose,
}

impl BodyEncoder {
    /// For a body announced so.
    pub const fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::None,
            BodyLength::Length(bytes) => Self::Length(bytes),
            BodyLength::Chunked => Self::Chunked(Vec::new()),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    /// Appends data, framed. No bytes are no chunk: that would be the end.
    pub fn data(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), BodyMismatch> {
        self.before_data(out, bytes.len())?;
        out.extend_from_slice(bytes);
        self.after_data(out, bytes.len());
        Ok(())
    }

    /// What stands before this much data, for who sends the data itself without copying it; then comes
    /// [`BodyEncoder::after_data`].
    pub fn before_data(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), BodyMismatch> {
        match self {
            _ if bytes == 0 => {}
            Self::None => return Err(BodyMismatch::TooLong),
            Self::Length(left) => {
                *left = left
                    .checked_sub(bytes as u64)
                    .ok_or(BodyMismatch::TooLong)?;
            }
            Self::Chunked(_) => write::chunk_size(out, bytes),
            Self::UntilClose => {}
        }
        Ok(())
    }

    /// What stands behind this much data.
    pub fn after_data(&mut self, out: &mut Vec<u8>, bytes: usize) {
        if bytes > 0 && matches!(self, Self::Chunked(_)) {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Holds a trailer for the end. Dropped: where the framing has no place for it, and what may not be a trailer.
    pub fn trailer(&mut self, name: &[u8], value: &[u8]) {
        if let Self::Chunked(held) = self
            && trailers::may_be_trailer(name)
            && syntax::is_token(name)
            && syntax::is_field_value(value)
        {
            write::header(held, name, value);
        }
    }

    /// Ends the body.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), BodyMismatch> {
        match std::mem::replace(self, Self::None) {
            Self::None | Self::Length(0) | Self::UntilClose => Ok(()),
            Self::Length(_) => Err(BodyMismatch::TooShort),
            Self::Chunked(trailers) => {
                out.extend_from_slice(b"0\r\n");
                out.extend_from_slice(&trailers);
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyEncoder, BodyMismatch};
    use crate::http1::BodyLength;

    #[test]
    fn a_length_is_kept_to_the_byte() {
        let mut out = Vec::new();
        let mut body = BodyEncoder::new(BodyLength::Length(3));
        assert_eq!(body.data(&mut out, b"ab"), Ok(()));
        assert_eq!(body.data(&mut out, b"cd"), Err(BodyMismatch::TooLong));
        assert_eq!(out, b"ab");
        assert_eq!(body.end(&mut out), Err(BodyMismatch::TooShort));
        assert_eq!(
            BodyEncoder::new(BodyLength::None).data(&mut out, b"a"),
            Err(BodyMismatch::TooLong)
        );
    }

    #[test]
    fn chunks_and_trailers_are_framed_and_empty_data_does_not_end_them() {
        let mut out = Vec::new();
        let mut body = BodyEncoder::new(BodyLength::Chunked);
        body.data(&mut out, b"").unwrap();
        body.data(&mut out, &[b'x'; 26]).unwrap();
        body.trailer(b"digest", b"abc");
        body.trailer(b"content-length", b"5");
        body.trailer(b"evil", b"a\r\nb: c");
        body.end(&mut out).unwrap();
        assert_eq!(
            out,
            b"1a\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\ndigest: abc\r\n\r\n"
        );
        assert_eq!(body.data(&mut out, b"more"), Err(BodyMismatch::TooLong));
    }

    #[test]
    fn trailers_have_no_place_in_other_bodies() {
        let mut out = Vec::new();
        let mut body = BodyEncoder::new(BodyLength::UntilClose);
        body.data(&mut out, b"abc").unwrap();
        body.trailer(b"digest", b"abc");
        body.end(&mut out).unwrap();
        assert_eq!(out, b"abc");
    }
}
