//! Whether a caller on a service's outbound port is that service, by the user it runs as. May not guess: no proof, no name.
//!
//! A caller is the service if its user owns the service's listening socket, or is named by meta `mesh-user`.

use std::fmt::Write;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::error::{Error, Reason};
use crate::snapshot::{ListenerConfig, Proof};
use crate::sock_diag;

/// What a caller has to prove, and by what it may.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The service whose port was called.
    pub service: &'a str,
    /// Its registered sockets: who owns one of these, while it listens, is the service.
    pub owners: &'a [SocketAddr],
    /// Users who are the service by its registration (meta `mesh-user`).
    pub uids: &'a [u32],
}

impl Claim<'_> {
    /// Whether the one who connected from `peer` to our `local` is the service. The error says
    /// which user was seen, which was wanted, and what to set if the caller is right.
    pub fn prove(&self, peer: SocketAddr, local: SocketAddr) -> Result<(), Error> {
        let uid = match sock_diag::owner_of_connection(peer, local) {
            Ok(Some(uid)) => uid,
            Ok(None) => return Err(unproven(unseen(peer))),
            Err(error) => {
                let detail = format!("the kernel did not say who calls from {peer}: {error}");
                return Err(Error::us(Reason::CallerUnproven, detail));
            }
        };
        if self.uids.contains(&uid) {
            return Ok(());
        }
        let mut owners = Vec::new();
        for &address in self.owners {
            match sock_diag::owner_of_listener(address) {
                Ok(Some(owner)) if owner == uid => return Ok(()),
                Ok(Some(owner)) => owners.push((owner, address)),
                // What can't be found out proves nothing; the next socket may.
                Ok(None) | Err(_) => {}
            }
        }
        Err(unproven(self.describe(peer, uid, &owners)))
    }

    fn describe(&self, peer: SocketAddr, uid: u32, owners: &[(u32, SocketAddr)]) -> String {
        let service = self.service;
        let mut text = format!("caller on {peer} runs as uid {uid}; ");
        let registered = self
            .uids
            .iter()
            .map(|uid| format!("uid {uid} (meta mesh-user)"));
        let owned = owners
            .iter()
            .map(|(uid, at)| format!("uid {uid} (owner of {at})"));
        let wanted: Vec<_> = owned.chain(registered).collect();
        // Writing to a String can't fail.
        let _ = match (&wanted[..], self.owners) {
            ([], []) => write!(
                text,
                "service {service:?} has no socket and no user to be known by"
            ),
            ([], sockets) => {
                let sockets: Vec<_> = sockets.iter().map(ToString::to_string).collect();
                let sockets = sockets.join(" or ");
                write!(
                    text,
                    "service {service:?} does not listen on {sockets}: it is not started"
                )
            }
            _ => write!(text, "service {service:?} is {}", wanted.join(" or ")),
        };
        let _ = write!(
            text,
            "; if uid {uid} is meant, register {service} with meta mesh-user={uid}"
        );
        text
    }
}

/// Proves that the caller on an outbound listener is the service the listener belongs to.
pub fn prove(listener: &ListenerConfig, tcp: &TcpStream, peer: SocketAddr) -> Result<(), Error> {
    if listener.proof == Proof::Port {
        return Ok(());
    }
    let local = tcp.local_addr().map_err(|error| {
        let detail = format!("the caller's socket could not be looked at: {error}");
        Error::downstream(Reason::CallerUnproven, detail)
    })?;
    let service = listener.service.as_deref().unwrap_or_default();
    Claim {
        service,
        owners: &listener.owners,
        uids: &listener.uids,
    }
    .prove(peer, local)
}

fn unproven(detail: String) -> Error {
    Error::downstream(Reason::CallerUnproven, detail)
}

fn unseen(peer: SocketAddr) -> String {
    if sock_diag::is_answering() {
        format!("caller on {peer} can't be seen: it hung up already, or is not of this machine")
    } else {
        "this kernel does not say who owns a socket: load its module tcp_diag, or set \
         callers = \"port\""
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds the sentence for uid 1001 calling from port 40912.
    fn sentence(owners: &[&str], found: &[(u32, &str)], uids: &[u32]) -> String {
        let owners: Vec<SocketAddr> = owners.iter().map(|at| at.parse().unwrap()).collect();
        let found: Vec<_> = found
            .iter()
            .map(|(uid, at)| (*uid, at.parse().unwrap()))
            .collect();
        let claim = Claim {
            service: "web",
            owners: &owners,
            uids,
        };
        claim.describe("127.0.0.1:40912".parse().unwrap(), 1001, &found)
    }

    #[test]
    fn a_refusal_says_who_was_seen_who_was_wanted_and_what_to_set() {
        let at = "127.0.0.1:9000";
        let begin = "caller on 127.0.0.1:40912 runs as uid 1001; service \"web\" ";
        let end = "; if uid 1001 is meant, register web with meta mesh-user=1001";
        let cases = [
            (
                sentence(&[at], &[(1000, at)], &[]),
                "is uid 1000 (owner of 127.0.0.1:9000)",
            ),
            (
                sentence(&[at], &[(0, at)], &[33]),
                "is uid 0 (owner of 127.0.0.1:9000) or uid 33 (meta mesh-user)",
            ),
            (sentence(&[at], &[], &[33]), "is uid 33 (meta mesh-user)"),
            (
                sentence(&[at, "[::1]:9000"], &[], &[]),
                "does not listen on 127.0.0.1:9000 or [::1]:9000: it is not started",
            ),
            (
                sentence(&[], &[], &[]),
                "has no socket and no user to be known by",
            ),
        ];
        for (text, middle) in cases {
            assert_eq!(text, format!("{begin}{middle}{end}"));
        }
    }
}
