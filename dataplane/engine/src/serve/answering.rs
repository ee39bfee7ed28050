//! What a connection says itself: an answer of the mesh, what it tells who sent no request, and how it ends in good
//! order. It may not decide what the answer is.

use std::time::Duration;

use super::connection::Connection;
use crate::answer::{self, Asked, Form};
use crate::buffers::BULK_BYTES;
use crate::clock;
use crate::error::{Error, Reason};
use crate::http1::{BadMessage, BodyLength, Version};
use crate::outcome::{Ending, Outcome};
use crate::request::Request;

/// How long a connection is read from after its last answer, so that a client that still sends gets to read it: to
/// close with unread bytes would reset the connection and lose the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
/// How much is read and thrown away meanwhile.
const LINGER_BYTES: u64 = 1 << 20;

impl Connection {
    /// Answers a request itself: an error, a redirect, or as its last recipient.
    pub async fn answer(&mut self, request: &Request, outcome: &mut Outcome, keeps_client: bool) {
        let is_body_over = !outcome.has_taken_body && self.skip_body(request);
        // After a fault of the client's framing nobody knows where its next request begins, and what follows a refused
        // tunnel may have been meant for its other end.
        let is_lost = outcome.error.as_ref().is_some_and(|error| {
            matches!(
                error.reason,
                Reason::BadRequest
                    | Reason::ClientClosed
                    | Reason::RequestTimeout
                    | Reason::ConnectUnsupported
                    | Reason::UpgradeWithBody
            )
        }) || (request.upgrade.is_some() && !self.side.input.is_empty());
        let keeps_client = keeps_client && is_body_over && !is_lost && self.refusal.is_none();
        let out = self.side.output.tail();
        outcome.status = self.worker.with_date(|date| {
            let asked = request.asked(keeps_client, date);
            request.write_answer(out, outcome.error.as_ref(), &asked)
        });
        let limit = request.snapshot.settings.limits.body_idle_timeout;
        let is_written = self.drain(limit).await;
        outcome.ending = match (is_written, keeps_client) {
            (false, _) => Ending::Close,
            (true, false) => Ending::Linger,
            (true, true) => Ending::GoOn,
        };
    }

    /// Throws away a body that has come already, so that the connection can go on. True: it is over.
    fn skip_body(&mut self, request: &Request) -> bool {
        match request.body {
            BodyLength::None => true,
            BodyLength::Length(length) if length <= self.side.input.len() as u64 => {
                self.side.input.consume(length as usize);
                true
            }
            _ => false,
        }
    }

    /// Answers what is no request, and closes.
    pub async fn refuse(&mut self, bad: &BadMessage) {
        self.worker
            .stats
            .borrow_mut()
            .record_bad_request(bad.code());
        self.last_words(&Error::downstream(bad.reason(), bad.sentence()))
            .await;
    }

    pub async fn last_words(&mut self, error: &Error) {
        let out = self.side.output.tail();
        self.worker.with_date(|date| {
            let asked = Asked {
                client: Version::Http11,
                keeps_client: false,
                hsts: None,
                form: Form::Text,
                hints: &[],
                is_head: false,
                trace: None,
                date,
            };
            answer::error(out, error, &asked);
        });
        if self.drain(LINGER).await {
            self.linger().await;
        }
    }

    /// Writes all there is to write, in this time. True: it is written.
    async fn drain(&mut self, most: Duration) -> bool {
        let side = &mut self.side;
        let drained = self.alarm.within(most, |cx| side.poll_drain(cx)).await;
        matches!(drained, Some(Ok(())))
    }

    /// Says that the last answer was the last, and reads on for a moment.
    pub async fn linger(&mut self) {
        // A stream of HTTP/2 is told by a frame of its own that no more is read of it.
        if self.side.stream.is_stream() {
            return;
        }
        let (side, deadline) = (&mut self.side, clock::now() + LINGER);
        let most = side.received + LINGER_BYTES;
        let down = self
            .alarm
            .until(deadline, |cx| side.poll_shutdown(cx))
            .await;
        if !matches!(down, Some(Ok(()))) {
            return;
        }
        while side.received < most {
            side.input.consume(BULK_BYTES);
            let read = self.alarm.until(deadline, |cx| side.poll_fill(cx)).await;
            if !matches!(read, Some(Ok(1..))) {
                return;
            }
        }
    }
}
