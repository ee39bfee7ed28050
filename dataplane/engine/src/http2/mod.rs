//! One stream of HTTP/2 (RFC 9113), spoken to as an HTTP/1.1 connection of one request. It may not drive a connection,
//! nor know where requests go.
//!
//! Inwards everything is HTTP/1.1: a message that came in frames is written as text and read by the codec like any
//! other, and what is to go out as frames is our own text, read back by the same codec. So what HTTP/1.1 forbids is
//! forbidden here, and no limit, retry or span has a second form. What RFC 9113 adds is the `h2` crate's to refuse
//! (pseudo-fields, connection-specific fields, a content-length that DATA contradicts); beside it:
//! - `:authority` counts before `Host`. Where they differ the codec is shown both, and refuses a request with two.
//! - The crumbs of `Cookie` are joined (RFC 9113 8.2.3).
//! - A body without `Content-Length` becomes chunks, whose trailers are the frame's; behind a `Content-Length` trailers
//!   have no place in HTTP/1.1 and are dropped.
//! - `CONNECT` is read and answered as in HTTP/1.1. Extended `CONNECT` for `websocket` (RFC 8441) is an `Upgrade` inwards,
//!   whose handshake `websocket` makes and checks; for any other protocol it is a `CONNECT`.

mod downstream;
mod fields;
mod greeting;
mod incoming;
mod outgoing;
mod sha1;
mod upstream;
mod websocket;

pub use crate::detect::PREFACE;
pub use downstream::Downstream;
pub use greeting::Greeting;
pub use upstream::{Sender, Slot, Upstream};

use std::io;

/// An error of the connection below as a stream's. [`io::ErrorKind::ConnectionRefused`]: the other side did nothing with
/// it, and says so (RFC 9113 8.7): by that reset, or by a GOAWAY that came before it.
fn broken(error: h2::Error) -> io::Error {
    let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM) || error.is_go_away();
    let kind = if is_refused && error.is_remote() {
        io::ErrorKind::ConnectionRefused
    } else {
        io::ErrorKind::ConnectionReset
    };
    io::Error::new(kind, error)
}

/// What we wrote has no form in HTTP/2, and costs the stream: [`io::ErrorKind::InvalidInput`].
fn unwritable(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
