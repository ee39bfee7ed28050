//! TLS sessions after their handshake: all arrives, each end is told apart, and waiting takes nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::identity::Identities;
use meshnode_engine::stream::Stream;
use meshnode_engine::tls;
use support::ca::{Authority, asked};
use tokio::net::{TcpListener, TcpStream};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Both ends of a connection from `web` to `cart`.
async fn pair() -> (Stream, Stream) {
    let authority = Authority::new();
    let identities = Arc::new(Identities::default());
    for service in ["web", "cart"] {
        identities.put(&authority.document(service)).unwrap();
    }
    let web = identities.get("web").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, opened) = tokio::join!(
        async { tls::accept(&identities, listener.accept().await.unwrap().0, TIMEOUT).await },
        async {
            let tcp = TcpStream::connect(address).await.unwrap();
            tls::connect(&web, &asked("cart"), tcp, TIMEOUT).await
        },
    );
    let (accepted, opened) = (accepted.unwrap().0, opened.unwrap().0);
    (Stream::tls(accepted), Stream::tls(opened))
}

async fn write_all(stream: &mut Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, bytes)).await.unwrap();
        assert!(count > 0);
        bytes = &bytes[count..];
    }
    poll_fn(|cx| stream.poll_flush(cx)).await.unwrap();
}

async fn read(stream: &mut Stream, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buffer)).await
}

#[tokio::test]
async fn what_is_written_faster_than_it_is_read_arrives_whole() {
    let (mut cart, mut web) = pair().await;
    // More than sockets and rustls keep together, of a length that fills no record.
    let sent: Vec<u8> = (0..9_000_011_u32).map(|at| (at % 251) as u8).collect();
    let writing = async {
        write_all(&mut web, &sent).await;
        poll_fn(|cx| web.poll_shutdown(cx)).await.unwrap();
    };
    let reading = async {
        let mut received = Vec::with_capacity(sent.len());
        let mut buffer = vec![0; 10_007];
        loop {
            match read(&mut cart, &mut buffer).await.unwrap() {
                0 => return received,
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
    };
    let ((), received) = tokio::join!(writing, reading);
    assert!(received == sent);
}

#[tokio::test]
async fn waiting_takes_nothing_and_what_is_decrypted_is_no_quiet() {
    let (mut cart, mut web) = pair().await;
    assert!(cart.is_quiet() && cart.seems_quiet());
    write_all(&mut web, b"GET / HTTP/1.1\r\n").await;
    poll_fn(|cx| cart.poll_readable(cx, true)).await.unwrap();
    assert!(!cart.is_quiet() && !cart.seems_quiet());
    let mut buffer = [0; 64];
    let count = read(&mut cart, &mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"GET / HTTP/1.1\r\n");
    assert!(cart.is_quiet() && cart.seems_quiet());
}

#[tokio::test]
async fn an_end_without_farewell_is_a_cut() {
    for says_farewell in [true, false] {
        let (mut cart, mut web) = pair().await;
        write_all(&mut web, b"HTTP/1.1 200 OK\r\n\r\nhalf").await;
        if says_farewell {
            poll_fn(|cx| web.poll_shutdown(cx)).await.unwrap();
        }
        drop(web);
        let mut buffer = [0; 64];
        assert_eq!(read(&mut cart, &mut buffer).await.unwrap(), 23);
        for _ in 0..2 {
            let end = read(&mut cart, &mut buffer).await;
            let wanted = if says_farewell {
                Ok(0)
            } else {
                Err(io::ErrorKind::UnexpectedEof)
            };
            assert_eq!(end.map_err(|error| error.kind()), wanted);
        }
    }
}

#[tokio::test]
async fn what_is_no_record_is_an_error_of_tls() {
    let (mut cart, web) = pair().await;
    let Stream::Tls(session) = &web else {
        panic!("not TLS")
    };
    let garbage = [0xff; 64];
    assert_eq!(session.tcp().try_write(&garbage).unwrap(), garbage.len());
    let error = read(&mut cart, &mut [0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(tls::refusal(&error).is_some(), "{error}");
}
