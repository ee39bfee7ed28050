//! What hyper makes of the same bytes, over a connection in memory.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

/// Names in lower case and values, sorted: hyper's map does not keep the order between names.
pub type Fields = Vec<String>;

/// A message as hyper understood it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Understood {
    /// Method and target, or the status.
    pub start: Vec<String>,
    pub fields: Fields,
    pub data: Vec<u8>,
    pub trailers: Fields,
}

/// What hyper, as a server, takes of a connection with these bytes, closed behind them: the messages, and why it ended.
pub async fn requests(bytes: &[u8]) -> (Vec<Understood>, Option<String>) {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request| answer(request, Rc::clone(&seen)));
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service);
    let ended = connection.await;
    drop(client);
    let mut error = ended.err().map(|error| format!("{error:?}"));
    let mut messages = Vec::new();
    for message in seen.take() {
        match message {
            Ok(message) => messages.push(message),
            Err(bad) => {
                error = Some(bad);
                break;
            }
        }
    }
    (messages, error)
}

type Seen = Rc<RefCell<Vec<Result<Understood, String>>>>;

async fn answer(
    request: Request<Incoming>,
    seen: Seen,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    let start = vec![request.method().to_string(), target.to_owned()];
    let fields = fields(request.headers());
    let message = collect(start, fields, request.into_body()).await;
    seen.borrow_mut().push(message);
    Ok(Response::new(Empty::new()))
}

async fn collect(start: Vec<String>, fields: Fields, body: Incoming) -> Result<Understood, String> {
    let collected = body.collect().await.map_err(|error| format!("{error:?}"))?;
    let trailers = collected.trailers().map(self::fields).unwrap_or_default();
    let data = collected.to_bytes().to_vec();
    Ok(Understood {
        start,
        fields,
        data,
        trailers,
    })
}

fn fields(fields: &HeaderMap) -> Fields {
    sorted(
        fields
            .iter()
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())),
    )
}

/// Fields in the one form both sides are compared in.
pub fn sorted<'f>(fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> Fields {
    let line = |(name, value): (&[u8], &[u8])| {
        format!(
            "{}: {}",
            name.to_ascii_lowercase().escape_ascii(),
            value.escape_ascii()
        )
    };
    let mut lines: Fields = fields.map(line).collect();
    lines.sort();
    lines
}

/// What hyper, as a client, takes as the answer to a request of this method when it gets these bytes and then the end.
pub async fn response(bytes: &[u8], method: &str) -> Result<Understood, String> {
    let (client, mut server) = tokio::io::duplex(1 << 16);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(client))
            .await
            .map_err(|error| format!("{error:?}"))?;
    let request = Request::builder()
        .method(method)
        .uri("/")
        .header("host", "a");
    let request = request.body(Empty::new()).unwrap();
    let answered = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| format!("{error:?}"))?;
        let start = vec![response.status().as_str().to_owned()];
        let fields = fields(response.headers());
        collect(start, fields, response.into_body()).await
    };
    let origin = async {
        // hyper takes bytes that come before it has asked for unsolicited ones.
        let mut head = [0; 1024];
        let _ = tokio::io::AsyncReadExt::read(&mut server, &mut head).await;
        let _ = server.write_all(bytes).await;
        let _ = server.shutdown().await;
        server
    };
    let (answered, _, _server) = tokio::join!(answered, connection, origin);
    answered
}
