//! Raw connections to where they go, with the opening frame where another node is asked for one. They may not be pooled.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::connecting::{Node, connect_instance, connect_mesh, own_identity};
use crate::alarm::Alarm;
use crate::clock;
use crate::error::{Error, Reason};
use crate::opening::Frame;
use crate::plan::{Caller, Destination};
use crate::side::Side;
use crate::snapshot::Snapshot;
use crate::stream::Stream;
use crate::tls::{self, Speaks};
use crate::worker::Worker;

/// Opens a connection for a raw stream to `destination`; another node has granted it then.
pub async fn open_raw(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    service: &Arc<str>,
    destination: &Destination,
    traceparent: &[u8],
) -> Result<Side, Error> {
    let limits = &snapshot.settings.limits;
    let Destination::Mesh(endpoint, address) = destination else {
        let (stream, _) = connect_instance(worker, destination, limits).await?;
        return Ok(Side::new(stream));
    };
    let identity = own_identity(worker, caller)?;
    let node = Node {
        identity: &identity,
        service,
        address: *address,
    };
    let (session, good_until) = connect_mesh(worker, snapshot, &node, Speaks::Stream).await?;
    let mut side = Side::new(Stream::tls(session));
    side.good_until = good_until;
    side.lend(&mut worker.buffers.borrow_mut());
    let frame = Frame {
        instance: endpoint.id.as_bytes(),
        traceparent,
        ..Frame::default()
    };
    frame.write(side.output.tail());
    // The other node connects to its instance before it answers: both have their time.
    let deadline = clock::now() + 2 * limits.connect_timeout;
    let answered = Alarm::default()
        .until(deadline, |cx| {
            ready!(side.poll_drain(cx))?;
            poll_frame(&mut side, cx)
        })
        .await;
    let Some(answered) = answered else {
        let detail = format!("the node at {address} did not answer for a stream in time");
        return Err(Error::upstream(Reason::ConnectTimeout, detail).retryable());
    };
    let length = answered.map_err(|error| stream_lost(&error))?;
    let granted = match Frame::read(side.input.filled()) {
        Ok(Some((frame, _))) => granted(&frame),
        _ => Ok(()),
    };
    side.input.consume(length);
    granted.map(|()| side)
}

/// Reads until a frame is whole, and gives its length.
pub fn poll_frame(side: &mut Side, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    loop {
        match Frame::read(side.input.filled()) {
            Ok(Some((_, length))) => return Poll::Ready(Ok(length)),
            Ok(None) => {}
            Err(bad) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, bad))),
        }
        if ready!(side.poll_fill(cx))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Nothing of the stream was sent: another endpoint may be tried.
fn stream_lost(error: &io::Error) -> Error {
    tls::refusal(error).map_or_else(
        || {
            let detail = format!("the other node closed before it answered for a stream: {error}");
            Error::upstream(Reason::UpstreamClosed, detail).retryable()
        },
        Error::retryable,
    )
}

/// Whether another node grants a stream; its reason, if not.
fn granted(frame: &Frame<'_>) -> Result<(), Error> {
    if frame.reason.is_empty() {
        return Ok(());
    }
    let code = |reason: &&Reason| reason.code().as_bytes() == frame.reason;
    let reason = Reason::ALL.iter().find(code).copied();
    let reason = reason.unwrap_or(Reason::UpstreamClosed);
    let error = Error::upstream(reason, String::from_utf8_lossy(frame.sentence).into_owned());
    let is_elsewhere_better = matches!(
        reason,
        Reason::NotHere
            | Reason::NoHealthyEndpoint
            | Reason::ConnectFailed
            | Reason::ConnectTimeout
            | Reason::Overloaded
    );
    Err(if is_elsewhere_better {
        error.retryable()
    } else {
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> Error {
        let frame = Frame {
            reason: reason.code().as_bytes(),
            sentence: b"why",
            ..Frame::default()
        };
        granted(&frame).unwrap_err()
    }

    #[test]
    fn another_instance_is_tried_where_a_node_is_out_of_handles_and_not_where_it_refuses() {
        for reason in [Reason::Overloaded, Reason::ConnectFailed, Reason::NotHere] {
            let error = refused(reason);
            assert!(error.is_retryable, "{error:?}");
            assert_eq!((error.reason, &*error.detail), (reason, "why"));
        }
        assert!(!refused(Reason::IntentionDenied).is_retryable);
        assert!(granted(&Frame::default()).is_ok());
    }
}
