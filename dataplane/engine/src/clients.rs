//! How many connections each client has open, for the whole process. It may not close any: who lets them in asks.
//!
//! Kept under a lock, which is taken when a connection begins and when it ends and never for a request. There are no more
//! entries than open connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

use crate::network::client_of;

/// The open connections by client.
#[derive(Debug, Default)]
pub struct Clients {
    open: Mutex<HashMap<IpAddr, usize, RandomState>>,
}

/// A connection that counts for its client until this is dropped.
#[derive(Debug)]
pub struct Counted {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Counts one more of a client, unless it has `most` already.
    pub fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let client = client_of(address);
        let mut open = self.open();
        let count = open.entry(client).or_insert(0);
        // A new entry is below every limit: they begin at 1.
        if *count >= most.max(1) {
            return None;
        }
        *count += 1;
        Some(Counted {
            clients: Arc::clone(self),
            client,
        })
    }

    /// What was counted stays right whatever ended the thread that held it.
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize, RandomState>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.clients.open();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_its_own_measure_until_a_connection_ends() {
        let clients = Arc::<Clients>::default();
        let enter = |text| clients.enter(address(text), 2);
        let kept = [enter("10.0.0.1"), enter("::ffff:10.0.0.1")];
        assert!(kept.iter().all(Option::is_some));
        assert!(enter("10.0.0.1").is_none(), "IPv4 in IPv6 form is the same");
        assert!(enter("10.0.0.2").is_some());
        drop(kept);
        assert!(enter("10.0.0.1").is_some());
        assert!(clients.open().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let clients = Arc::<Clients>::default();
        let _first = clients.enter(address("2001:db8::1"), 1).unwrap();
        assert!(clients.enter(address("2001:db8::2:3"), 1).is_none());
        assert!(clients.enter(address("2001:db8:0:1::1"), 1).is_some());
    }
}
