//! What answers behind every proxy of the bench: 1 KiB for each head it reads, and as little CPU as that can take.
//! `origin LISTEN`, one thread. It understands no request: GETs without a body, one at a time on a connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BODY: usize = 1024;
/// More than a GET of the bench is after any proxy's additions.
const HEAD: usize = 8192;
const HEAD_END: &[u8] = b"\r\n\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let Some(listen) = std::env::args()
        .nth(1)
        .and_then(|word| word.parse::<SocketAddr>().ok())
    else {
        eprintln!("usage: origin ADDRESS:PORT");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(serve(connection));
    }
}

/// Until the other side ends, or sends what is no head.
async fn serve(mut connection: TcpStream) {
    let _ = connection.set_nodelay(true);
    let answer = answer();
    let mut head = [0; HEAD];
    let mut length = 0;
    while let Ok(read @ 1..) = connection.read(&mut head[length..]).await {
        length += read;
        if !head[..length].ends_with(HEAD_END) {
            continue;
        }
        length = 0;
        if connection.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// As an origin's answers are: with a length, a type and a name.
fn answer() -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nserver: origin\r\ncontent-type: text/plain\r\ncontent-length: {BODY}\r\n\r\n"
    );
    [head.as_bytes(), &[b'x'; BODY]].concat()
}
