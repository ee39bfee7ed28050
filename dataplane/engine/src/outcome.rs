//! What became of a request, for whoever answers, records and goes on. It may not change any of it.

use std::sync::Arc;

use crate::clock::Instant;
use crate::error::{Error, Reason};
use crate::span::TunnelRecord;

/// What became of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The status the client was sent, 0 if none.
    pub status: u16,
    /// What becomes of the client's connection.
    pub ending: Ending,
    /// The instance that answered, or was tried last.
    pub endpoint: Option<Arc<str>>,
    /// Why another node of the mesh answered itself, if it did.
    pub remote_reason: Option<Reason>,
    /// What failed.
    pub error: Option<Error>,
    /// Whether some of the request's body was sent on: what is left of it is no whole body any more.
    pub has_taken_body: bool,
    /// Whether the answer had begun when it failed: then nothing more can be said to the client.
    pub has_begun: bool,
    /// When the answer had gone through, if it did.
    pub ended: Option<Instant>,
    /// The tunnel it became, if it did.
    pub tunnel: Option<TunnelRecord>,
}

/// What becomes of a client's connection behind an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// It is closed.
    #[default]
    Close,
    /// It goes on.
    GoOn,
    /// The client may still be sending: a close at once would reset it, and lose the answer.
    Linger,
    /// The client would take its end for the end of the answer, which was cut.
    Reset,
}
