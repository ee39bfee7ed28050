//! What `explain` says is what the proxy does: at random over real sockets, and case by case what it says.

mod cases;
mod dice;
mod raw;
mod served;

use std::net::SocketAddr;

use meshnode_engine::explain::explain;
use meshnode_engine::snapshot::Refusal;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{Proxy, read_message};

fn ask(proxy: &Proxy, document: &Value) -> Result<Value, Refusal> {
    let answer = explain(&proxy.worker.snapshot(), document.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// An origin that answers with the head it was sent, and its name.
async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut input = Vec::new();
                while let Some(request) = read_message(&mut tcp, &mut input, true, "").await {
                    let is_head = request.starts_with(b"HEAD ");
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nx-cluster: {name}\r\nx-old: 1\r\nContent-Length: {}\r\n\r\n",
                        request.len()
                    );
                    let body = if is_head { &[][..] } else { &request };
                    tcp.write_all(&[head.as_bytes(), body].concat())
                        .await
                        .unwrap();
                }
            });
        }
    });
    address
}
