//! HTTP/1.1 as bytes (RFC 9110, RFC 9112): decides without I/O. It may not touch a socket, a clock or the routing.
//!
//! Whatever two parsers could read in two ways is refused; a message is always written anew, never passed through.
//! What is right is read by [`lines`], which is quick and only knows that; [`scan`] (slow, byte by byte, complete) names
//! the first rule a refused head breaks. The same bytes get the same verdict however they were cut.
//!
//! Where the RFCs leave a choice, or we go beyond them (each has its raw case in `tests/raw`):
//! - A repeated `Content-Length` is refused, identical or not; leading zeros are decimal; at most eighteen digits.
//! - `Transfer-Encoding` is one field and says `chunked`, in any case of ASCII as RFC 9112 7 wants; `x, chunked` is 501,
//!   all else 400.
//! - On a chunk's line no white space is taken (RFC 9112 7.1.1 allows it before and in extensions; nobody sends it),
//!   fifteen digits of size, 16 KiB of extensions a body.
//! - A target is visible ASCII without `#`; `http://host?query` without a path is refused; a path is not normalised here.
//! - A host is a name of letters, digits, `-`, `_` and single dots, or an address; its port is never empty. HTTP/1.0
//!   requests may have none. Absolute-form counts before `Host`, which must be valid all the same.
//! - Empty lines: one before a request, none before an answer.
//! - An answer's status is 100 to 599. A 1xx that announces a body is bad; a 204 that does is the connection's last.
//! - `h2c` is no upgrade: who does not speak it answers in HTTP/1.1.

mod body;
mod chunked;
mod connection;
mod encode;
mod error;
mod framing;
mod headers;
pub(crate) mod host;
mod known;
mod limits;
mod lines;
mod request;
mod response;
pub mod scan;
pub mod syntax;
mod target;
mod trailers;
pub mod upgrade;
mod watch;
pub mod write;

pub use body::{BodyDecoder, BodySink, Decoded};
pub use connection::HopByHop;
pub use encode::{BodyEncoder, BodyMismatch};
pub use error::BadMessage;
pub use framing::{BodyLength, Version};
pub use headers::{Header, HeaderStore, Headers};
pub use known::Known;
pub use limits::HeadLimits;
pub use request::{RequestHead, parse_request};
pub use response::{ResponseHead, parse_response};
pub use target::Target;
pub use trailers::may_be_trailer;
pub use watch::HeadWatch;

/// What came of reading a head: it, or the wish for more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<T> {
    /// The whole head was there.
    Complete(T),
    /// Nothing is wrong yet, but the head's end has not come.
    Partial,
}

#[cfg(test)]
mod tests;
