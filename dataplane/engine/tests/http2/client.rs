//! A client that speaks HTTP/2 by prior knowledge, as the `h2` crate does.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{SendRequest, handshake};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// One connection.
pub struct Client {
    pub send: SendRequest<Bytes>,
    /// Ends with the connection.
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let (send, connection) = handshake(tcp).await.unwrap();
        let connection = tokio::task::spawn_local(connection);
        Self { send, connection }
    }

    /// Sends a request without a body.
    pub async fn get(&self, uri: &str) -> Result<Answer, h2::Error> {
        self.send(Request::get(uri).body(()).unwrap(), None).await
    }

    /// Sends a request with this body and waits for the whole answer.
    pub async fn send(
        &self,
        request: Request<()>,
        body: Option<&'static [u8]>,
    ) -> Result<Answer, h2::Error> {
        let mut ready = self.send.clone().ready().await?;
        let (answer, mut out) = ready.send_request(request, body.is_none())?;
        if let Some(body) = body {
            out.send_data(Bytes::from_static(body), true)?;
        }
        whole(answer.await?).await
    }
}

/// Reads an answer to its end.
pub async fn whole(answer: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut frames) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(data) = frames.data().await {
        let data = data?;
        frames.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        trailers: frames.trailers().await?,
    })
}
