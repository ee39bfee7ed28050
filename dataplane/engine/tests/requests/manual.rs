//! An origin whose connections a test holds itself, one after the other.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::read_message;

/// The origin.
pub struct Manual {
    pub address: SocketAddr,
    connections: mpsc::UnboundedReceiver<TcpStream>,
}

impl Manual {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, connections) = mpsc::unbounded_channel();
        tokio::task::spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                if sender.send(tcp).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// The next connection, of which nothing was read.
    pub async fn connection(&mut self) -> Asked {
        Asked {
            tcp: self.connections.recv().await.unwrap(),
            head: String::new(),
            rest: Vec::new(),
        }
    }

    /// The next connection, and the head of its first request.
    pub async fn asked(&mut self) -> Asked {
        let mut asked = self.connection().await;
        asked.next().await;
        asked
    }

    /// Whether no connection came that nobody took.
    pub fn was_left_alone(&mut self) -> bool {
        self.connections.try_recv().is_err()
    }
}

/// A connection of the origin's.
pub struct Asked {
    pub tcp: TcpStream,
    /// The last head that was read.
    pub head: String,
    /// What came behind it.
    pub rest: Vec<u8>,
}

impl Asked {
    /// Reads the next request's head.
    pub async fn next(&mut self) {
        let head = read_message(&mut self.tcp, &mut self.rest, true, "").await;
        self.head = String::from_utf8(head.unwrap()).unwrap();
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).await.unwrap();
    }

    /// Reads exactly these bytes.
    pub async fn expect(&mut self, bytes: &[u8]) {
        expect(&mut self.tcp, &mut self.rest, bytes).await;
    }

    /// Whether nothing came beside what was read.
    pub fn has_nothing(&mut self) -> bool {
        let _ = self.tcp.try_read_buf(&mut self.rest);
        self.rest.is_empty()
    }

    /// How it ends, with nothing more to say.
    pub async fn end(&mut self) -> std::io::Result<()> {
        match self.tcp.read_buf(&mut self.rest).await {
            Ok(0) => Ok(()),
            Ok(_) => panic!("more came: {:?}", String::from_utf8_lossy(&self.rest)),
            Err(error) => Err(error),
        }
    }
}

/// Reads exactly these bytes.
pub async fn expect(tcp: &mut TcpStream, input: &mut Vec<u8>, bytes: &[u8]) {
    while input.len() < bytes.len() {
        let count = tcp.read_buf(input).await.unwrap();
        assert!(
            count > 0,
            "it ended behind {:?}",
            String::from_utf8_lossy(input)
        );
    }
    let came: Vec<u8> = input.drain(..bytes.len()).collect();
    assert!(came == bytes, "{:?}", String::from_utf8_lossy(&came));
}
