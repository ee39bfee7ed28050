//! A service's port where the first bytes of each connection say what it speaks: read and kept, then served as requests
//! or passed on as they are. It may not tell one protocol from another; `detect` does.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use super::connection::Connection;
use crate::alarm::Alarm;
use crate::callers;
use crate::clock;
use crate::detect::{Detected, Detection};
use crate::relay::{self, Begun};
use crate::side::Side;
use crate::snapshot::ListenerConfig;
use crate::stats::DetectedLabels;
use crate::stream::Stream;
use crate::worker::Worker;

/// Serves a connection of such a port.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    // At once: of a socket that was closed meanwhile the kernel does not say whose it was.
    let refusal = callers::prove(&listener, &tcp, peer).err();
    let started = (clock::now(), clock::unix_ns());
    let mut side = Side::new(Stream::Plain(tcp));
    let mut alarm = Alarm::default();
    // Who is gone before it said anything needs no answer.
    let Ok((detected, server_name)) = look(&worker, &mut side, &mut alarm).await else {
        return;
    };
    let labels = DetectedLabels {
        listener: &listener.name,
        source: listener.service.as_deref().unwrap_or_default(),
        destination: listener.destination.as_deref().unwrap_or_default(),
        protocol: Some(detected),
    };
    worker.stats.borrow_mut().record_detected(&labels);
    if detected.is_http() {
        let mut connection = Connection::begun(worker, side, refusal, listener, peer);
        return connection.serve().await;
    }
    let begun = Begun {
        side,
        refusal,
        started,
        detected,
        server_name,
    };
    Box::pin(relay::begun(worker, begun, alarm, listener, peer)).await;
}

/// Reads until it is known what is spoken: for no longer than `detect_timeout` without a byte, and `head_timeout` in all.
/// What was read stays where it is.
async fn look(
    worker: &Worker,
    side: &mut Side,
    alarm: &mut Alarm,
) -> io::Result<(Detected, Option<Box<str>>)> {
    let limits = worker.limits();
    let most = clock::now() + limits.head_timeout;
    let mut detection = Detection::default();
    loop {
        let deadline = most.min(clock::now() + limits.detect_timeout);
        let reading = |cx: &mut Context<'_>| poll_more(worker, side, cx);
        let more = alarm.until(deadline, reading).await.transpose()?;
        let seen = side.input.filled();
        // Who says no more, or nothing for too long, is taken for what it said.
        let is_over = !matches!(more, Some(1..));
        let found = if is_over {
            Some(Detection::settle(seen))
        } else {
            detection.look(seen)
        };
        if let Some(found) = found {
            return Ok((found, detection.server_name));
        }
    }
}

/// Reads once; until the first byte is there no buffer is held. 0: it says no more.
fn poll_more(worker: &Worker, side: &mut Side, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    if side.input.is_empty() {
        match ready!(side.stream.poll_readable(cx, true)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(0));
            }
            readable => readable?,
        }
        side.lend(&mut worker.buffers.borrow_mut());
    }
    side.poll_fill(cx)
}
