//! A link over a real socket and real TLS: what it does when its other end says nothing, or goes.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::clock;
use meshnode_engine::identity::Identities;
use meshnode_engine::mux::{Channel, Link, Manner, drive};
use meshnode_engine::session::Session;
use meshnode_engine::tls::{self, Asked};
use support::ca::{Authority, asked};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

const TIMEOUT: Duration = Duration::from_secs(20);
const MANNER: Manner = Manner {
    idle_timeout: Duration::from_secs(60),
};

/// Both ends of a connection that may carry channels: the one that opened it first.
async fn pair() -> (Session, Session) {
    let authority = Authority::new();
    let identities = Arc::new(Identities::default());
    for service in ["web", "cart"] {
        identities.put(&authority.document(service)).unwrap();
    }
    let web = identities.get("web").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let wanted = Asked {
        speaks: tls::Speaks::Channels,
        ..asked("cart")
    };
    let (accepted, opened) = tokio::join!(
        async { tls::accept(&identities, listener.accept().await.unwrap().0, TIMEOUT).await },
        async {
            let tcp = TcpStream::connect(address).await.unwrap();
            tls::connect(&web, &wanted, tcp, TIMEOUT).await
        },
    );
    (opened.unwrap().0.into(), accepted.unwrap().0.into())
}

async fn write(channel: &mut Channel, bytes: &[u8]) {
    let count = poll_fn(|cx| channel.poll_write(cx, bytes)).await.unwrap();
    assert_eq!(count, bytes.len());
}

async fn read(channel: &mut Channel) -> io::Result<usize> {
    let mut buffer = [0; 100];
    poll_fn(|cx| channel.poll_read(cx, &mut buffer)).await
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_node_that_vanished_is_noticed_by_its_silence_alone() {
    run(async {
        let (opened, _accepted_by_one_that_never_reads) = pair().await;
        assert!(opened.is_shared());
        let link = Link::new(opened, true, None);
        tokio::task::spawn_local(drive(Rc::clone(&link), MANNER, |_| true, drop));
        let mut channel = link.open(clock::now()).unwrap();
        write(&mut channel, b"are you there?").await;
        tokio::time::pause();
        let began = clock::now();
        let error = read(&mut channel).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_secs(9) && began.elapsed() < TIMEOUT);
        assert!(link.is_closed() && link.open(clock::now()).is_none());
    });
}

#[test]
fn a_node_that_is_slow_but_there_is_waited_for() {
    run(async {
        let (opened, accepted) = pair().await;
        let (here, there) = (
            Link::new(opened, true, None),
            Link::new(accepted, false, None),
        );
        tokio::task::spawn_local(drive(Rc::clone(&here), MANNER, |_| true, drop));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let take = move |channel| drop(tell.send(channel));
        tokio::task::spawn_local(drive(there, MANNER, |_| true, take));
        let mut channel = here.open(clock::now()).unwrap();
        write(&mut channel, b"take your time").await;
        let mut far: Channel = told.recv().await.unwrap();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..120 {
            // The bytes between the two are real, the time is not: it goes on when both have said what they have to.
            tokio::time::resume();
            tokio::time::sleep(Duration::from_millis(2)).await;
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::resume();
        write(&mut far, b"here it is").await;
        assert_eq!(read(&mut channel).await.unwrap(), 10);
    });
}

#[test]
fn a_farewell_and_a_broken_socket_end_what_is_in_the_link() {
    run(async {
        let (opened, accepted) = pair().await;
        let link = Link::new(opened, true, None);
        tokio::task::spawn_local(drive(Rc::clone(&link), MANNER, |_| true, drop));
        let mut channel = link.open(clock::now()).unwrap();
        write(&mut channel, b"hello").await;
        drop(accepted);
        assert!(read(&mut channel).await.is_err());
        assert!(!channel.is_quiet() && link.is_closed());
    });
}

#[test]
fn nothing_is_opened_beyond_what_proved_the_link() {
    run(async {
        let (opened, _accepted) = pair().await;
        let link = Link::new(opened, true, Some(clock::now()));
        assert!(link.open(clock::now()).is_none());
    });
}
