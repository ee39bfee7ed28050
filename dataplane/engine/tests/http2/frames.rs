//! Frames byte by byte, for what no client of good manners sends.

use std::net::SocketAddr;

use meshnode_engine::http2::PREFACE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub payload: Vec<u8>,
}

/// A connection that speaks frames.
pub struct Raw {
    pub tcp: TcpStream,
}

impl Raw {
    /// Connects and says hello, with these settings.
    pub async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(PREFACE).await.unwrap();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        tcp.write_all(&frame(SETTINGS, 0, 0, &payload))
            .await
            .unwrap();
        Self { tcp }
    }

    /// Writes frames; false where the proxy takes no more.
    pub async fn write(&mut self, frames: &[u8]) -> bool {
        self.tcp.write_all(frames).await.is_ok()
    }

    /// The next frame; none: the proxy has closed.
    pub async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.tcp.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.tcp.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            payload,
        })
    }

    /// Reads on to the first frame of this kind; none: the proxy has closed.
    pub async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The error code of the GOAWAY that ends the connection, or none where it ends without a word.
    pub async fn farewell(&mut self) -> Option<u32> {
        let frame = self.until(GOAWAY).await?;
        Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()))
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field that is not put in the table, as HPACK has it (RFC 7541 6.2.2).
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    assert!(name.len() < 127 && value.len() < 127);
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend_from_slice(name);
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value);
    bytes
}

/// The fields of `GET http://shop.test` and this path.
pub fn get(path: &[u8]) -> Vec<u8> {
    [
        field(b":method", b"GET"),
        field(b":scheme", b"http"),
        field(b":authority", b"shop.test"),
        field(b":path", path),
    ]
    .concat()
}

/// A whole request on this stream.
pub fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(b"/"))
}
