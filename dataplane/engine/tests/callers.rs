//! The proof of callers on real sockets, with processes of other users where the test may make them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use meshnode_engine::callers::Claim;
use meshnode_engine::error::{Error, Reason};
use socket2::{Domain, Socket, Type};

/// A user no machine has.
const STRANGER: u32 = 54_321;

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// A connection as our outbound listener sees it: the caller's end, and ours.
struct Call {
    caller: TcpStream,
    ours: TcpStream,
}

impl Call {
    fn to(listener: &TcpListener) -> Self {
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Self {
            caller,
            ours: listener.accept().unwrap().0,
        }
    }

    fn prove(&self, owners: &[SocketAddr], uids: &[u32]) -> Result<(), Error> {
        prove(&self.ours, owners, uids)
    }
}

fn prove(ours: &TcpStream, owners: &[SocketAddr], uids: &[u32]) -> Result<(), Error> {
    let claim = Claim {
        service: "web",
        owners,
        uids,
    };
    claim.prove(ours.peer_addr().unwrap(), ours.local_addr().unwrap())
}

fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn detail(refused: Result<(), Error>) -> String {
    let error = refused.unwrap_err();
    assert_eq!(error.reason, Reason::CallerUnproven);
    error.detail.into_owned()
}

#[test]
fn who_owns_the_listening_socket_is_the_service() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (outbound, _) = listen(address);
        let (_service, owner) = listen(address);
        Call::to(&outbound).prove(&[owner], &[]).unwrap();
    }
}

#[test]
fn the_service_may_listen_on_all_addresses() {
    let (outbound, _) = listen("127.0.0.1:0");
    for all in ["0.0.0.0:0", "[::]:0"] {
        let (_service, address) = listen(all);
        let owner = SocketAddr::new("127.0.0.1".parse().unwrap(), address.port());
        Call::to(&outbound).prove(&[owner], &[]).unwrap();
    }
    let (_service, address) = listen("[::]:0");
    let owner = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port());
    Call::to(&outbound).prove(&[owner], &[]).unwrap();
}

#[test]
fn a_socket_of_ipv6_alone_does_not_own_an_address_of_ipv4() {
    let (outbound, _) = listen("127.0.0.1:0");
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(true).unwrap();
    socket
        .bind(&"[::]:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(1).unwrap();
    let port = TcpListener::from(socket).local_addr().unwrap().port();
    let owner = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    assert!(detail(Call::to(&outbound).prove(&[owner], &[])).contains("is not started"));
}

#[test]
fn a_caller_with_a_mapped_address_is_the_same_caller() {
    let (outbound, address) = listen("127.0.0.1:0");
    let (_service, owner) = listen("127.0.0.1:0");
    let mapped = "::ffff:127.0.0.1".parse::<IpAddr>().unwrap();
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket
        .connect(&SocketAddr::new(mapped, address.port()).into())
        .unwrap();
    let ours = outbound.accept().unwrap().0;
    prove(&ours, &[owner], &[]).unwrap();
    // And with our own end bound to all addresses, where the kernel shows both ends mapped.
    let (outbound, address) = listen("[::]:0");
    let caller = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    let ours = outbound.accept().unwrap().0;
    assert!(ours.peer_addr().unwrap().is_ipv6());
    prove(&ours, &[owner], &[]).unwrap();
    drop((socket, caller));
}

#[test]
fn a_service_that_is_not_started_is_nobody() {
    let (outbound, _) = listen("127.0.0.1:0");
    let (service, owner) = listen("127.0.0.1:0");
    drop(service);
    let call = Call::to(&outbound);
    let text = detail(call.prove(&[owner], &[]));
    assert!(
        text.contains(&format!("does not listen on {owner}: it is not started")),
        "{text}"
    );
    assert!(text.contains(&format!("mesh-user={}", own_uid())), "{text}");
    call.prove(&[owner], &[own_uid()]).unwrap();
}

#[test]
fn a_connection_of_the_service_is_not_its_listening_socket() {
    let (outbound, _) = listen("127.0.0.1:0");
    // The registered port is used as the near end of a connection, by no listener.
    let (elsewhere, _) = listen("127.0.0.1:0");
    let call = Call::to(&elsewhere);
    let owner = call.caller.local_addr().unwrap();
    assert!(detail(Call::to(&outbound).prove(&[owner], &[])).contains("is not started"));
}

#[test]
fn a_caller_that_hung_up_proves_nothing() {
    // The kernel shows such a socket with uid 0, which must not be taken for root.
    let (outbound, _) = listen("127.0.0.1:0");
    let (_service, owner) = listen("127.0.0.1:0");
    let Call { caller, ours } = Call::to(&outbound);
    drop(caller);
    assert!(detail(prove(&ours, &[owner], &[0, own_uid()])).contains("hung up already"));
}

#[test]
fn a_caller_that_has_sent_all_it_will_is_still_seen() {
    let (outbound, _) = listen("127.0.0.1:0");
    let (_service, owner) = listen("127.0.0.1:0");
    let call = Call::to(&outbound);
    call.caller.shutdown(Shutdown::Write).unwrap();
    call.prove(&[owner], &[]).unwrap();
}

#[test]
fn who_only_listens_where_a_caller_would_be_is_not_the_caller() {
    let (_decoy, peer) = listen("127.0.0.1:0");
    let (_service, owner) = listen("127.0.0.1:0");
    let claim = Claim {
        service: "web",
        owners: &[owner],
        uids: &[own_uid()],
    };
    let refused = claim.prove(peer, "127.0.0.1:1".parse().unwrap());
    assert!(detail(refused).contains("can't be seen"));
}

#[test]
fn another_user_is_refused_and_named() {
    if own_uid() != 0 {
        eprintln!("not root, so no process of another user can be made: left out");
        return;
    }
    let (outbound, address) = listen("127.0.0.1:0");
    let (_service, owner) = listen("127.0.0.1:0");
    let stranger = Stranger::calling(address);
    let ours = outbound.accept().unwrap().0;
    let peer = ours.peer_addr().unwrap();
    assert_eq!(
        detail(prove(&ours, &[owner], &[])),
        format!(
            "caller on {peer} runs as uid {STRANGER}; service \"web\" is uid 0 (owner of {owner}); \
             if uid {STRANGER} is meant, register web with meta mesh-user={STRANGER}"
        )
    );
    prove(&ours, &[owner], &[33, STRANGER]).unwrap();
    drop(stranger);
}

/// A process of another user with a connection to us, held open.
struct Stranger(Child);

impl Stranger {
    fn calling(address: SocketAddr) -> Self {
        let (ip, port) = (address.ip(), address.port());
        let script = format!("exec 3<>/dev/tcp/{ip}/{port}; echo ready; read -r line");
        let mut child = Command::new("bash")
            .args(["-c", &script])
            .uid(STRANGER)
            .gid(STRANGER)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 5])
            .unwrap();
        Self(child)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
