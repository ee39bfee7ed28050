//! Buffers of a connection and the free list of a thread they come from. They may not do I/O.
//!
//! An idle connection holds none: ten thousand idle ones cost their sockets, not their buffers.

/// What a buffer begins with: a usual head and a small body fit.
pub const INITIAL_BYTES: usize = 16 * 1024;
/// What a buffer of a bulk transfer may grow to: above, a write costs more than it saves.
pub const BULK_BYTES: usize = 64 * 1024;
/// How many free buffers a thread keeps: enough for the requests in flight at a busy moment.
const KEPT: usize = 256;

/// Bytes read from a socket and not yet taken: initialised storage with a window of what is filled.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// A buffer of bytes that were read elsewhere.
    pub fn of(data: Vec<u8>) -> Self {
        let end = data.len();
        Self {
            data,
            start: 0,
            end,
        }
    }

    /// What was read and not consumed yet.
    pub fn filled(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes are waiting.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it has no storage yet.
    pub fn is_bare(&self) -> bool {
        self.data.is_empty()
    }

    /// Whether it has not grown.
    pub fn is_small(&self) -> bool {
        self.data.len() <= INITIAL_BYTES
    }

    /// Takes `count` bytes off the front.
    pub fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Free space behind what is filled, never empty below `most` waiting bytes; empty at `most`.
    pub fn space(&mut self, most: usize) -> &mut [u8] {
        if self.end == self.data.len() {
            self.make_room(most);
        }
        &mut self.data[self.end..]
    }

    /// Marks `count` bytes of [`Self::space`] as filled.
    pub fn advance(&mut self, count: usize) {
        self.end = (self.end + count).min(self.data.len());
    }

    fn make_room(&mut self, most: usize) {
        if self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return;
        }
        let wanted = (self.data.len() * 2).clamp(INITIAL_BYTES, most.max(INITIAL_BYTES));
        self.data.resize(wanted.max(self.data.len()), 0);
    }
}

/// Bytes to be written to a socket, in order.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    data: Vec<u8>,
    written: usize,
}

impl WriteBuffer {
    /// What is still to be written.
    pub fn pending(&self) -> &[u8] {
        &self.data[self.written..]
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.written == self.data.len()
    }

    /// Whether it has no storage yet.
    pub fn is_bare(&self) -> bool {
        self.data.capacity() == 0
    }

    /// Whether it has not grown.
    pub fn is_small(&self) -> bool {
        self.data.capacity() <= 2 * INITIAL_BYTES
    }

    /// How many bytes are still to be written.
    pub fn len(&self) -> usize {
        self.data.len() - self.written
    }

    /// Marks `count` bytes as written.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        if self.is_empty() {
            self.clear();
        } else if self.written >= BULK_BYTES {
            // A reader that never catches up must not make the written part grow for ever.
            self.compact();
        }
    }

    /// How much it can hold without more memory.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.data.capacity()
    }

    /// Forgets what is written.
    pub fn compact(&mut self) {
        if self.written > 0 {
            self.data.drain(..self.written);
            self.written = 0;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.data.clear();
        self.written = 0;
    }

    /// The bytes as a vector to append to.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }
}

/// The free buffers of one thread.
#[derive(Debug, Default)]
pub struct BufferPool {
    reads: Vec<ReadBuffer>,
    writes: Vec<WriteBuffer>,
    heads: Vec<Vec<u8>>,
}

impl BufferPool {
    /// A vector to write a head into.
    pub fn take_head(&mut self) -> Vec<u8> {
        self.heads.pop().unwrap_or_else(|| Vec::with_capacity(1024))
    }

    /// Gives a head's vector back.
    pub fn give_head(&mut self, mut head: Vec<u8>) {
        if head.capacity() <= INITIAL_BYTES && self.heads.len() < KEPT {
            head.clear();
            self.heads.push(head);
        }
    }

    /// A buffer to read into.
    pub fn take_read(&mut self) -> ReadBuffer {
        self.reads.pop().unwrap_or_default()
    }

    /// A buffer to write from.
    pub fn take_write(&mut self) -> WriteBuffer {
        self.writes.pop().unwrap_or_default()
    }

    /// Gives a read buffer back; what it held is forgotten, and a grown one is freed.
    pub fn give_read(&mut self, mut buffer: ReadBuffer) {
        if buffer.data.len() == INITIAL_BYTES && self.reads.len() < KEPT {
            buffer.start = 0;
            buffer.end = 0;
            self.reads.push(buffer);
        }
    }

    /// Gives a write buffer back; what it held is forgotten, and a grown one is freed.
    pub fn give_write(&mut self, mut buffer: WriteBuffer) {
        if !buffer.is_bare() && buffer.is_small() && self.writes.len() < KEPT {
            buffer.clear();
            self.writes.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_buffer_grows_only_to_what_it_is_allowed() {
        let mut buffer = ReadBuffer::default();
        let mut total = 0;
        while !buffer.space(BULK_BYTES).is_empty() {
            let count = buffer.space(BULK_BYTES).len();
            buffer.advance(count);
            total += count;
        }
        assert_eq!(total, BULK_BYTES);
        buffer.consume(1);
        assert_eq!(
            buffer.space(BULK_BYTES).len(),
            1,
            "room is made by moving, not by growing"
        );
    }

    #[test]
    fn a_returned_buffer_comes_back_empty() {
        let mut pool = BufferPool::default();
        let mut buffer = pool.take_read();
        buffer.space(BULK_BYTES)[0] = b'x';
        buffer.advance(1);
        assert_eq!(buffer.filled(), b"x");
        pool.give_read(buffer);
        assert!(pool.take_read().is_empty());
    }

    #[test]
    fn a_written_buffer_starts_over() {
        let mut buffer = WriteBuffer::default();
        buffer.tail().extend_from_slice(b"abc");
        buffer.advance(2);
        assert_eq!(buffer.pending(), b"c");
        buffer.compact();
        assert_eq!(buffer.tail().len(), 1, "what is written is gone");
        assert_eq!(buffer.pending(), b"c");
        buffer.advance(1);
        assert!(buffer.is_empty() && buffer.tail().is_empty());
    }
}
