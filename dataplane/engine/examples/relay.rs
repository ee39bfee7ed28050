//! The floor of the bench: copies bytes between a client's connection and one to the upstream, and looks at none.
//! `relay LISTEN UPSTREAM`, one thread, as the proxy is measured. No proxy on this runtime can cost less a request.

use std::env::args;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// As much as one message of the bench needs, and the next power of two.
const BUFFER: usize = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let addresses: Vec<SocketAddr> = args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let [listen, upstream] = addresses[..] else {
        eprintln!("usage: relay LISTEN UPSTREAM, both ADDRESS:PORT");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(relay(client, upstream));
    }
}

/// Both directions until either side ends; whatever fails ends this connection alone.
async fn relay(client: TcpStream, upstream: SocketAddr) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::spawn(copy(client_read, server_write));
    copy(server_read, client_write).await;
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = [0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
