//! How large a head may be. It may not decide what happens beyond the limit: the parser's errors do.

/// The limits of one head; from `settings.limits` of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of a head from its first to its empty line; also the bytes of a body's trailers.
    pub head_bytes: usize,
    /// Field lines of a head; also those of a body's trailers.
    pub headers: usize,
    /// Bytes of a request's target.
    pub target_bytes: usize,
}

impl HeadLimits {
    /// No setting goes beyond this: a head is read in one piece, and a connection's buffer is no larger.
    pub const MOST_HEAD_BYTES: usize = 64 * 1024;
    /// No setting goes beyond this: the places of so many field lines are 6 KiB, which a thread keeps.
    pub const MOST_HEADERS: usize = 256;

    pub(super) fn capped_head_bytes(&self) -> usize {
        self.head_bytes.min(Self::MOST_HEAD_BYTES)
    }

    pub(super) fn capped_headers(&self) -> usize {
        self.headers.min(Self::MOST_HEADERS)
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes: 32_768,
            headers: 100,
            target_bytes: 8_192,
        }
    }
}
