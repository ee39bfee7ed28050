//! Asks so many times a second, repeats nothing, and says at its end what failed: the load beside every change of the bench.
//! `steady ADDRESS:PORT HOST RATE` until SIGTERM, one thread. Steady whatever the answers take: a request that is due goes
//! on any connection that is free, and none that is slow holds up the others. Native, because it shares its processors
//! with what is measured: a client in Python took a fifth of one for 500 requests a second.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// A request without an answer for so long is a failed one.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than an answer's head has after any proxy's additions; a body may be longer.
const READ: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, host, rate] = &words[..] else {
        eprintln!("usage: steady ADDRESS:PORT HOST RATE");
        std::process::exit(2);
    };
    let address = address.parse().expect("an address and a port");
    let rate: u32 = rate.parse().expect("requests a second");
    let client = Client::new(address, host);
    let ended = signal(SignalKind::terminate())?;
    LocalSet::new().run_until(load(&client, rate, ended)).await;
    println!("{}", client.said());
    Ok(())
}

/// Until `ended`, and then until the last request has its answer.
async fn load(client: &Client, rate: u32, mut ended: Signal) {
    let mut asking = JoinSet::new();
    let mut due = interval(Duration::from_secs(1) / rate);
    // What could not be asked in time is asked as soon as it can: the rate holds.
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ended.recv() => break,
            _ = due.tick() => {
                let client = client.clone();
                asking.spawn_local(async move { client.ask().await });
            }
            Some(asked) = asking.join_next() => asked.expect("no fault of this client"),
        }
    }
    asking.join_all().await;
}

/// The connections that are free, and what came of each request.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    request: Rc<[u8]>,
    seen: Rc<RefCell<Seen>>,
}

#[derive(Default)]
struct Seen {
    free: Vec<TcpStream>,
    sent: u64,
    /// By what was seen: a status, or the name of an error.
    failed: BTreeMap<String, u64>,
}

impl Client {
    fn new(address: SocketAddr, host: &str) -> Self {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Self {
            address,
            request: request.into_bytes().into(),
            seen: Rc::default(),
        }
    }

    async fn ask(&self) {
        self.seen.borrow_mut().sent += 1;
        let answered = timeout(PATIENCE, self.answer()).await;
        let cause = match answered {
            Ok(Ok((connection, status))) => {
                self.seen.borrow_mut().free.push(connection);
                if status == "200" {
                    return;
                }
                status
            }
            Ok(Err(error)) => format!("{:?}", error.kind()),
            Err(_) => "no answer".to_owned(),
        };
        *self.seen.borrow_mut().failed.entry(cause).or_default() += 1;
    }

    /// The connection, ready for another request, and the status.
    async fn answer(&self) -> std::io::Result<(TcpStream, String)> {
        let mut connection = match self.kept() {
            Some(kept) => kept,
            None => self.made().await?,
        };
        connection.write_all(&self.request).await?;
        let status = read_answer(&mut connection).await?;
        Ok((connection, status))
    }

    async fn made(&self) -> std::io::Result<TcpStream> {
        let connection = TcpStream::connect(self.address).await?;
        connection.set_nodelay(true)?;
        Ok(connection)
    }

    /// A free connection; what the other side has closed, as servers do with one that rests, goes (RFC 9112 §9.6).
    fn kept(&self) -> Option<TcpStream> {
        let free = &mut self.seen.borrow_mut().free;
        while let Some(connection) = free.pop() {
            let at_rest = SockRef::from(&connection).peek(&mut [MaybeUninit::uninit()]);
            if matches!(at_rest, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                return Some(connection);
            }
        }
        None
    }

    fn said(&self) -> String {
        let seen = self.seen.borrow();
        serde_json::json!({"sent": seen.sent, "failed": seen.failed}).to_string()
    }
}

/// Reads one answer with a length, whole, and gives its status.
async fn read_answer(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::with_capacity(READ);
    let body = loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|part| part == HEAD_END) {
            break end + HEAD_END.len();
        }
    };
    let head = String::from_utf8_lossy(&bytes[..body]).to_lowercase();
    let (status, length) = framed(&head).ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
    let missing = (body + length).saturating_sub(bytes.len());
    let mut rest = vec![0; missing];
    connection.read_exact(&mut rest).await?;
    Ok(status)
}

/// The status and the length of the body, from a head in lower case; None where it is no answer with a length.
fn framed(head: &str) -> Option<(String, usize)> {
    let status = head.strip_prefix("http/1.1 ")?.get(..3)?.to_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    Some((status, length.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::{AsyncReadExt, AsyncWriteExt, Client};

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    async fn serving() -> (TcpListener, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        (listener, Client::new(address, "bench.test"))
    }

    /// Takes one connection, answers on it so often as there are answers, and closes it.
    async fn serve(listener: &TcpListener, answers: &[&str]) {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        for answer in answers {
            let mut request = [0; 1024];
            assert_ne!(connection.read(&mut request).await.expect("a request"), 0);
            let written = connection.write_all(answer.as_bytes()).await;
            written.expect("an answer that is taken");
        }
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_one_that_was_closed_at_rest_fails_no_request() {
        let (listener, client) = serving().await;
        let asking = async {
            client.ask().await;
            client.ask().await;
        };
        tokio::join!(asking, serve(&listener, &[ANSWER, ANSWER]));
        tokio::join!(client.ask(), serve(&listener, &[ANSWER]));
        assert_eq!(client.said(), r#"{"failed":{},"sent":3}"#);
    }

    #[tokio::test]
    async fn what_failed_is_told_by_cause() {
        let (listener, client) = serving().await;
        let refused = ANSWER.replace("200 OK", "503 No");
        for answer in [refused.as_str(), "no HTTP\r\n\r\n", &ANSWER[..20]] {
            let served = serve(&listener, std::slice::from_ref(&answer));
            tokio::join!(client.ask(), served);
        }
        drop(listener);
        client.ask().await;
        let causes = r#"{"503":1,"ConnectionRefused":1,"InvalidData":1,"UnexpectedEof":1}"#;
        assert_eq!(client.said(), format!(r#"{{"failed":{causes},"sent":4}}"#));
    }
}
