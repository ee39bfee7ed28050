//! Which user owns a TCP socket of this machine, asked of the kernel (`sock_diag(7)`). May not decide what that means.
//!
//! Exact look-ups only, some microseconds each, answered before the question's system call returns.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST` and `NLMSG_ERROR` (`linux/sock_diag.h`, `linux/netlink.h`).
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;
/// `TCP_LISTEN` (`net/tcp_states.h`).
const STATE_LISTEN: u8 = 10;
/// `struct nlmsghdr`, and the lengths of `struct inet_diag_sockid` and `struct inet_diag_msg`.
const HEADER: usize = 16;
const SOCKET_ID: usize = 48;
const ANSWER: usize = 72;
/// Where the kernel shows uids that this user namespace does not know.
const OVERFLOW_UID: u32 = 65534;

/// A socket as the kernel shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    state: u8,
    local: SocketAddr,
    remote: SocketAddr,
    uid: u32,
    /// 0 once no process has the socket open any more; its uid means nothing then.
    inode: u32,
}

thread_local! {
    static KERNEL: RefCell<Option<OwnedFd>> = const { RefCell::new(None) };
}

/// The user who made the connected socket with these two ends, if a process of this machine holds
/// it open. The ends are as that process sees them: `local` is its own.
pub(crate) fn owner_of_connection(
    local: SocketAddr,
    remote: SocketAddr,
) -> io::Result<Option<u32>> {
    let (local, remote) = (canonical(local), canonical(remote));
    let found = find(local, remote)?;
    // Without a connection the kernel offers whoever listens on `local`.
    Ok(known(found.filter(|socket| {
        socket.local == local && socket.remote == remote
    })))
}

/// The user who made the listening socket that takes connections to `address`; it may be bound to
/// all addresses.
pub(crate) fn owner_of_listener(address: SocketAddr) -> io::Result<Option<u32>> {
    let address = canonical(address);
    let found = find(address, nowhere(address))?;
    let listens =
        |socket: &Found| socket.state == STATE_LISTEN && socket.local.port() == address.port();
    Ok(known(found.filter(listens)))
}

/// Whether the kernel answers such questions at all: without its module it finds no socket ever.
pub(crate) fn is_answering() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| {
        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|own| {
            let address = own.local_addr()?;
            Ok((own, address))
        });
        // Without a socket of our own to look for nothing speaks against it.
        own.map_or(true, |(_own, address)| {
            matches!(find(address, nowhere(address)), Ok(Some(_)))
        })
    })
}

fn known(found: Option<Found>) -> Option<u32> {
    let socket = found?;
    let is_open = socket.inode != 0;
    (is_open && (socket.uid != OVERFLOW_UID || sees_all_users())).then_some(socket.uid)
}

/// In a user namespace all strangers have the same uid, which then proves nothing.
fn sees_all_users() -> bool {
    static SEES: OnceLock<bool> = OnceLock::new();
    *SEES.get_or_init(|| {
        std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_all_users(&map))
    })
}

fn maps_all_users(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

fn find(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Found>> {
    KERNEL.with_borrow_mut(|kernel| {
        let socket = match kernel.take() {
            Some(socket) => socket,
            None => open()?,
        };
        let found = ask(&socket, local, remote)?;
        // Kept only after a whole answer, so that none is ever read in the place of another.
        *kernel = Some(socket);
        Ok(found)
    })
}

fn open() -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::SOCK_DIAG),
    )?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

fn ask(kernel: &OwnedFd, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Found>> {
    rustix::net::send(kernel, &question(local, remote), SendFlags::empty())?;
    let mut bytes = [0; 1024];
    let (count, _) = rustix::net::recv(kernel, &mut bytes, RecvFlags::empty())?;
    answer(bytes.get(..count).unwrap_or_default())
}

fn question(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() {
        FAMILY_V4
    } else {
        FAMILY_V6
    };
    let length = (HEADER + 8 + SOCKET_ID) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: one question at a time on a socket of our own
    bytes.extend([family, PROTOCOL_TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes()); // sockets in any state
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    bytes.extend(octets(local.ip()));
    bytes.extend(octets(remote.ip()));
    bytes.extend([0; 4]); // any interface
    bytes.extend([0xff; 8]); // no cookie
    bytes
}

fn answer(bytes: &[u8]) -> io::Result<Option<Found>> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let body = bytes.get(HEADER..).ok_or_else(malformed)?;
    match u16_at(bytes, 4).ok_or_else(malformed)? {
        ERROR => {
            let code = u32_at(body, 0).ok_or_else(malformed)?.cast_signed();
            match code.saturating_neg() {
                code if code == Errno::NOENT.raw_os_error() => Ok(None),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
        BY_FAMILY if body.len() >= ANSWER => read(body).map(Some).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

/// `struct inet_diag_msg`.
fn read(body: &[u8]) -> Option<Found> {
    let [family, state, ..] = *body else {
        return None;
    };
    let address = |port, ip| {
        let port = u16::from_be_bytes(array(body, port)?);
        let ip = if family == FAMILY_V4 {
            IpAddr::from(Ipv4Addr::from(array::<4>(body, ip)?))
        } else {
            IpAddr::from(Ipv6Addr::from(array::<16>(body, ip)?))
        };
        Some(SocketAddr::new(ip.to_canonical(), port))
    };
    Some(Found {
        state,
        local: address(4, 8)?,
        remote: address(6, 24)?,
        uid: u32_at(body, 64)?,
        inode: u32_at(body, 68)?,
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The kernel keeps sockets of mapped addresses (`::ffff:127.0.0.1`) among those of IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn nowhere(like: SocketAddr) -> SocketAddr {
    let ip = match like {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_map_shows_all_users() {
        assert!(maps_all_users("         0          0 4294967295\n"));
        for map in ["", "0 1000 1\n", "0 0 65536\n", "0 0 4294967295\n1 1 1\n"] {
            assert!(!maps_all_users(map), "{map:?}");
        }
    }

    #[test]
    fn an_answer_cut_short_is_an_error_and_no_answer() {
        let whole = {
            let mut bytes = vec![0; HEADER + ANSWER];
            bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
            bytes[HEADER..HEADER + 2].copy_from_slice(&[FAMILY_V6, STATE_LISTEN]);
            bytes
        };
        assert!(answer(&whole).unwrap().is_some());
        for length in 0..whole.len() {
            assert!(answer(&whole[..length]).is_err(), "{length}");
        }
        let mut refused = whole;
        refused[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        refused[HEADER..HEADER + 4].copy_from_slice(&(-1i32).to_ne_bytes());
        assert_eq!(
            answer(&refused).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        refused[HEADER..HEADER + 4].copy_from_slice(&(-2i32).to_ne_bytes());
        assert_eq!(answer(&refused).unwrap(), None);
        refused[HEADER..HEADER + 4].copy_from_slice(&i32::MIN.to_ne_bytes());
        assert!(answer(&refused).is_err());
    }

    #[test]
    fn this_kernel_answers() {
        assert!(is_answering());
    }
}
