//! Opens an HTTP/2 connection to where requests go, and drives it until its last request is over. It may not know
//! requests.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use h2::client::Builder;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::wire::Wire;
use crate::buffers::ReadBuffer;
use crate::http2::{Greeting, Sender};
use crate::snapshot::Limits;
use crate::stream::Stream;

/// What is kept in the crate of one request's body, beyond what waits outside of it: one frame.
const SEND_BYTES: usize = 16 * 1024;
/// After how long without a packet the system asks whether the other side is still there, how often, and when it gives
/// up. Not by PING: a gRPC server takes more of them than one in five minutes for an attack, and cuts the connection.
const ASKED_AFTER: Duration = Duration::from_secs(10);
const ASKED_EVERY: Duration = Duration::from_secs(5);
const ASKED_TIMES: u32 = 3;
/// How long sent bytes may be unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Speaks HTTP/2 over a connection that was just opened: by prior knowledge (RFC 9113 3.3), or as TLS agreed.
pub async fn open(stream: Stream, limits: &Limits) -> Result<Sender, h2::Error> {
    if let Some(tcp) = stream.tcp() {
        watch(tcp);
    }
    let (wire, outlet) = Wire::new(stream, ReadBuffer::default());
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(limits.http2_stream_window_bytes)
        .initial_connection_window_size(limits.http2_connection_window_bytes)
        .max_header_list_size(limits.head_bytes as u32)
        .max_send_buffer_size(SEND_BYTES);
    let (send, mut connection) = builder.handshake(wire).await?;
    let greeting = Rc::<Greeting>::default();
    let (pings, told) = (connection.ping_pong(), Rc::clone(&greeting));
    tokio::task::spawn_local(async move {
        let listening = async {
            if let Some(pings) = pings {
                told.listen(pings).await;
            }
            std::future::pending::<()>().await;
        };
        let mut connection = std::pin::pin!(connection);
        let driving = poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            outlet.send(cx);
            polled
        });
        tokio::select! {
            ended = driving => if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP/2 connection to an instance ended");
            },
            () = listening => {}
        }
        // Who waits finds out by the connection itself.
        told.come();
    });
    Ok(Sender { send, greeting })
}

/// Has the system find out that the other side is gone: requests alone would wait for their own timeouts.
fn watch(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(ASKED_AFTER)
        .with_interval(ASKED_EVERY)
        .with_retries(ASKED_TIMES);
    // Where the system can't, requests find out.
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}
