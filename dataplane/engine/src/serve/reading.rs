//! Reading one request's head from a connection, in its time. It may not judge what it asks for.

use std::task::{Context, Poll, ready};

use super::connection::Connection;
use crate::decide::Origin;
use crate::error::{Error, Reason};
use crate::http1::{BadMessage, HeadWatch};
use crate::http2::PREFACE;
use crate::request::{self, Request};

/// What came of reading a request's head.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always a request, and taken apart at once"
)]
pub enum Read {
    /// It is there.
    Request(Request),
    /// The client went away, or was too slow and told so.
    End,
    /// It is the preface of HTTP/2.
    Http2,
}

impl Connection {
    /// Reads until a request's head is whole.
    pub async fn read(&mut self) -> Result<Read, BadMessage> {
        let limits = self.worker.limits();
        let head_limits = request::head_limits(&limits);
        let mut watch = HeadWatch::default();
        let origin = Origin {
            caller: &self.caller,
            address: self.peer.ip(),
            refusal: self.refusal.as_ref(),
            is_http2: self.side.stream.is_stream(),
        };
        let may_be_http2 = self.may_be_http2;
        let (worker, side) = (&self.worker, &mut self.side);
        let reading = |cx: &mut Context<'_>| {
            loop {
                let input = side.input.filled();
                if !input.is_empty() && watch.is_worth_parsing(input, &head_limits) {
                    match request::read(worker, &origin, input) {
                        Ok(None) => {}
                        Ok(Some((request, head_bytes))) => {
                            side.input.consume(head_bytes);
                            return Poll::Ready(Ok(Read::Request(request)));
                        }
                        // It is no request; who speaks HTTP/2 begins so.
                        Err(_) if may_be_http2 && input.starts_with(PREFACE) => {
                            return Poll::Ready(Ok(Read::Http2));
                        }
                        Err(_) if may_be_http2 && PREFACE.starts_with(input) => {}
                        Err(bad) => return Poll::Ready(Err(bad)),
                    }
                }
                if !matches!(ready!(side.poll_fill(cx)), Ok(1..)) {
                    return Poll::Ready(Ok(Read::End));
                }
            }
        };
        if let Some(read) = self.alarm.within(limits.head_timeout, reading).await {
            return read;
        }
        // Where nothing was asked, nothing is answered.
        if !self.side.input.is_empty() {
            let reason = Reason::RequestTimeout;
            self.worker
                .stats
                .borrow_mut()
                .record_bad_request(reason.code());
            let detail = "the request's head did not come in time";
            self.last_words(&Error::downstream(reason, detail)).await;
        }
        Ok(Read::End)
    }
}
