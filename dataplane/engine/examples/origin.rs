//! What answers behind every proxy of the bench: so many bytes for each head it reads, and as little CPU as that can take.
//! `origin LISTEN BYTES`, one thread. It understands no request: GETs without a body, one at a time on a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// More than a GET of the bench is after any proxy's additions.
const HEAD: usize = 8192;
const HEAD_END: &[u8] = b"\r\n\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, bytes] = &words[..] else {
        eprintln!("usage: origin ADDRESS:PORT BYTES");
        std::process::exit(2);
    };
    let listen: SocketAddr = listen.parse().expect("an address and a port");
    let answer: Arc<[u8]> = answer(bytes.parse().expect("a number of bytes")).into();
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(serve(connection, Arc::clone(&answer)));
    }
}

/// Until the other side ends, or sends what is no head.
async fn serve(mut connection: TcpStream, answer: Arc<[u8]>) {
    let _ = connection.set_nodelay(true);
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
fn answer(bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nserver: origin\r\ncontent-type: text/plain\r\ncontent-length: {bytes}\r\n\r\n"
    );
    [head.as_bytes(), &vec![b'x'; bytes]].concat()
}
