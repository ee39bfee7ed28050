//! One side of an exchange: a stream with what was read and what is to be written. It may not know HTTP.

use std::io;
use std::task::{Context, Poll, ready};

use crate::buffers::{BULK_BYTES, BufferPool, ReadBuffer, WriteBuffer};
use crate::clock::Instant;
use crate::stream::Stream;

/// A connection and its buffers.
#[derive(Debug)]
pub struct Side {
    /// The bytes' way.
    pub stream: Stream,
    /// What came and was not taken yet.
    pub input: ReadBuffer,
    /// What is to go.
    pub output: WriteBuffer,
    /// Bytes read since the side was made.
    pub received: u64,
    /// Bytes written since the side was made.
    pub sent: u64,
    /// Until when another request may be sent by it: what proved its two ends does not hold for longer.
    pub good_until: Option<Instant>,
    /// Whether a write stands in the layer above the socket and not in the socket yet.
    is_unflushed: bool,
}

impl Side {
    /// A side without buffers: they come with the first byte.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: ReadBuffer::default(),
            output: WriteBuffer::default(),
            received: 0,
            sent: 0,
            good_until: None,
            is_unflushed: false,
        }
    }

    /// Takes buffers from the pool, where it has none.
    pub fn lend(&mut self, pool: &mut BufferPool) {
        if self.input.is_empty() {
            let fresh = pool.take_read();
            pool.give_read(std::mem::replace(&mut self.input, fresh));
        }
        if self.output.is_empty() {
            let fresh = pool.take_write();
            pool.give_write(std::mem::replace(&mut self.output, fresh));
        }
    }

    /// Takes a buffer to write from, where it has none.
    pub fn lend_output(&mut self, pool: &mut BufferPool) {
        if self.output.is_bare() {
            self.output = pool.take_write();
        }
    }

    /// Gives the empty buffers back for as long as there is nothing to do; not those that have grown: what needed them
    /// goes on.
    pub fn rest(&mut self, pool: &mut BufferPool) {
        if self.input.is_empty() && self.input.is_small() {
            pool.give_read(std::mem::take(&mut self.input));
        }
        if self.output.is_empty() && self.output.is_small() {
            pool.give_write(std::mem::take(&mut self.output));
        }
    }

    /// Gives the empty buffers back to the pool.
    pub fn give_back(&mut self, pool: &mut BufferPool) {
        if self.input.is_empty() {
            pool.give_read(std::mem::take(&mut self.input));
        }
        if self.output.is_empty() {
            pool.give_write(std::mem::take(&mut self.output));
        }
    }

    /// Gives what was received and sent since the last time.
    pub fn take_counts(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.received),
            std::mem::take(&mut self.sent),
        )
    }

    /// Whether as much waits to go as may.
    pub fn is_full(&self) -> bool {
        self.output.len() >= self.stream.most_waiting()
    }

    /// How much of what was read may be put behind what is to go: all that was, but for one of many streams, whose
    /// buffer does not grow: what has gone makes room for it.
    pub fn make_room(&mut self) -> usize {
        if self.stream.is_stream() {
            self.output.compact();
            self.stream.most_waiting().saturating_sub(self.output.len())
        } else {
            usize::MAX
        }
    }

    /// Whether all that was to go has gone to the socket.
    pub fn is_drained(&self) -> bool {
        self.output.is_empty() && !self.is_unflushed
    }

    /// Reads once. Gives how many bytes came: 0 is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let space = self.input.space(BULK_BYTES);
        if space.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::StorageFull.into()));
        }
        let count = ready!(self.stream.poll_read(cx, space))?;
        self.input.advance(count);
        self.received += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Writes until all that is to go has gone.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(self.stream.poll_write(cx, self.output.pending()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
            self.sent += count as u64;
            self.is_unflushed = self.stream.is_buffered();
        }
        if self.is_unflushed {
            ready!(self.stream.poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that is to go, and behind it what another side has read.
    pub fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        read: &mut ReadBuffer,
    ) -> Poll<io::Result<()>> {
        if !self.output.is_empty() {
            ready!(self.poll_drain(cx))?;
        }
        while !read.is_empty() {
            let count = ready!(self.stream.poll_write(cx, read.filled()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            read.consume(count);
            self.sent += count as u64;
            self.is_unflushed = self.stream.is_buffered();
        }
        self.poll_drain(cx)
    }

    /// Says that no more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}
