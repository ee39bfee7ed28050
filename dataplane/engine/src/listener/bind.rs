//! Makes listening sockets, and says in a sentence why one can't be made. It may not accept from them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Connections that wait to be accepted, each costs the kernel little; the system's own limit (`net.core.somaxconn`,
/// 4096) is the lower bound of the two. Too few would be resets in a burst of new clients.
const BACKLOG: i32 = 4096;

/// A listening socket that nobody else shares.
pub(crate) struct Bound {
    pub socket: TcpListener,
    /// Where it listens: with port 0 asked for, the one the system chose. The same below.
    pub address: SocketAddr,
}

/// Sockets on one address.
pub(crate) struct BoundGroup {
    pub sockets: Vec<TcpListener>,
    pub address: SocketAddr,
}

/// Listens on an address alone.
pub(crate) fn bind(address: SocketAddr) -> Result<Bound, String> {
    let listen = || {
        let socket = bound(address)?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Bound { socket, address })
    };
    listen().map_err(|error| sentence(address, &error))
}

/// Listens by `count` sockets among which the kernel deals out connections (`SO_REUSEPORT`).
pub(crate) fn bind_group(asked: SocketAddr, count: usize) -> Result<BoundGroup, String> {
    let listen = || {
        // Bound without sharing, so that it fails if another process, even one of ours, listens there: it would
        // silently get a part of the connections. Sharing begins behind that.
        let first = bound(asked)?;
        first.set_reuse_port(true)?;
        let address = first.local_addr()?;
        let mut sockets = vec![first];
        for _ in 1..count {
            let socket = new(&address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address)?;
            sockets.push(socket);
        }
        for socket in &sockets {
            socket.listen(BACKLOG)?;
        }
        let sockets: Vec<TcpListener> = sockets.into_iter().map(TcpListener::from).collect();
        let address = sockets.first().map_or(Ok(asked), TcpListener::local_addr)?;
        Ok(BoundGroup { sockets, address })
    };
    listen().map_err(|error| sentence(asked, &error))
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let address = address.into();
    let socket = new(&address)?;
    socket.bind(&address)?;
    Ok(socket)
}

fn new(address: &socket2::SockAddr) -> io::Result<Socket> {
    let domain = if address.is_ipv6() {
        Domain::IPV6
    } else {
        Domain::IPV4
    };
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    // Connections of an earlier process that linger in TIME_WAIT do not keep the port.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn sentence(address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not allowed: ports below 1024 need root or CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => error.to_string(),
    };
    format!("can't listen on {address}: {why}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn a_group_shares_one_port_but_not_with_others() {
        let group = bind_group(any(), 3).unwrap();
        let address = group.address;
        assert!(
            group
                .sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == address)
        );
        for taken in [
            bind_group(address, 2).map(|_| ()),
            bind(address).map(|_| ()),
        ] {
            let wanted = format!("can't listen on {address}: another process listens there");
            assert_eq!(taken.unwrap_err(), wanted);
        }
        drop(group);
        drop(bind_group(address, 2).unwrap());
        assert_eq!(bind(address).unwrap().address, address);
    }

    #[test]
    fn a_group_deals_connections_out_to_all() {
        let group = bind_group(any(), 2).unwrap();
        let connections: Vec<_> = (0..64)
            .map(|_| TcpStream::connect(group.address).unwrap())
            .collect();
        let count = |socket: &TcpListener| std::iter::from_fn(|| socket.accept().ok()).count();
        let taken: Vec<usize> = group.sockets.iter().map(count).collect();
        assert_eq!(taken.iter().sum::<usize>(), connections.len());
        assert!(taken.iter().all(|&count| count > 0), "{taken:?}");
    }

    #[test]
    fn an_address_that_is_not_here_is_named() {
        let sentence = bind("192.0.2.1:80".parse().unwrap())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            sentence,
            "can't listen on 192.0.2.1:80: this machine has no such address"
        );
    }
}
