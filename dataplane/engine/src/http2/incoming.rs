//! A message that comes in frames, as the bytes of an HTTP/1.1 body. It may not hold more than one frame's data.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h2::RecvStream;

use super::{broken, fields};
use crate::http1::write;

/// The frames behind a head.
#[derive(Debug)]
pub(super) struct Incoming {
    frames: RecvStream,
    /// Whether the body is framed in chunks; else it has the length its head said, or none.
    is_chunked: bool,
    /// What stands before the data: a head, a chunk's line, the end.
    lead: Lead,
    /// What came and was not read yet.
    data: Bytes,
    /// What follows on the data.
    next: Next,
}

/// Bytes of text that are read piece by piece.
#[derive(Debug, Default)]
pub(super) struct Lead {
    text: Vec<u8>,
    read: usize,
}

impl Lead {
    /// Text to be read from its first byte.
    pub fn of(text: Vec<u8>) -> Self {
        Self { text, read: 0 }
    }

    /// Where the next text is written, once the last was read.
    pub fn begin(&mut self) -> &mut Vec<u8> {
        if self.rest().is_empty() {
            self.read = 0;
            self.text.clear();
        }
        &mut self.text
    }

    /// Reads on. 0: all was read.
    pub fn read(&mut self, space: &mut [u8]) -> usize {
        let count = copy(self.rest(), space);
        self.read += count;
        count
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.read..]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Data,
    Trailers,
    Nothing,
}

impl Incoming {
    /// The frames of a message whose head is written, or is read elsewhere.
    pub fn new(frames: RecvStream, head: Vec<u8>, is_chunked: bool) -> Self {
        Self {
            frames,
            is_chunked,
            lead: Lead::of(head),
            data: Bytes::new(),
            next: Next::Data,
        }
    }

    /// Reads what is there. 0 is the end of the message.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        while filled < buffer.len() {
            let space = &mut buffer[filled..];
            if !self.lead.rest().is_empty() {
                filled += self.lead.read(space);
            } else if !self.data.is_empty() {
                filled += self.take_data(space)?;
            } else {
                match self.poll_next(cx) {
                    Poll::Ready(Ok(true)) => {}
                    // What is there is read first: an error stays.
                    Poll::Ready(Err(_)) | Poll::Pending if filled > 0 => break,
                    Poll::Ready(Ok(false)) => break,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
        Poll::Ready(Ok(filled))
    }

    /// Copies data, and lets the other side send as much more.
    fn take_data(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = copy(&self.data, space);
        self.data.advance(count);
        if self.data.is_empty() && self.is_chunked {
            self.lead.begin().extend_from_slice(b"\r\n");
        }
        let flow = self.frames.flow_control();
        flow.release_capacity(count).map_err(broken)?;
        Ok(count)
    }

    /// Takes the next frame. False: there is none.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.next {
            Next::Nothing => Poll::Ready(Ok(false)),
            Next::Data => match self.frames.poll_data(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => {
                    self.next = Next::Trailers;
                    Poll::Ready(Ok(true))
                }
                Poll::Ready(Some(Ok(data))) => {
                    if self.is_chunked && !data.is_empty() {
                        write::chunk_size(self.lead.begin(), data.len());
                    }
                    self.data = data;
                    Poll::Ready(Ok(true))
                }
            },
            Next::Trailers => match self.frames.poll_trailers(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error))),
                Poll::Ready(Ok(trailers)) => {
                    self.next = Next::Nothing;
                    if self.is_chunked {
                        fields::last_chunk(self.lead.begin(), trailers.as_ref());
                    }
                    Poll::Ready(Ok(true))
                }
            },
        }
    }

    /// The head, where it is not to be read piece by piece.
    pub fn take_head(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lead.text)
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}
