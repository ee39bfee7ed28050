//! Sessions that go on at any node: sealed tickets, by keys that all nodes have, else by this node's own. It may not
//! keep a session.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::ProducesTickets;

use super::ticket_keys::{TicketKey, TicketKeysDocument};
use crate::clock;

/// How long a key of this node's own makes tickets. What is told to clients as a ticket's life, too.
const LIFE_S: u32 = 3600;
/// Keys at once: the last hour's, this one's and the next one's, and room for another rhythm.
const KEYS: usize = 16;

/// The keys in force, newest first.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    keys: ArcSwap<Keys>,
}

#[derive(Debug, Default, Clone)]
struct Keys {
    /// What the agent sent.
    shared: Vec<Arc<TicketKey>>,
    /// What was made here, while there was none of those.
    own: Vec<Arc<TicketKey>>,
}

impl Tickets {
    /// Takes the keys all nodes have. None: this node goes on by its own.
    pub fn put(&self, document: &TicketKeysDocument) -> Result<usize, String> {
        if document.keys.len() > KEYS {
            return Err(format!("there are more than {KEYS} keys"));
        }
        let read = |document| TicketKey::read(document).map(Arc::new);
        let shared = document
            .keys
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        self.keys.rcu(|keys| Keys {
            shared: shared.clone(),
            own: keys.own.clone(),
        });
        Ok(shared.len())
    }

    fn maker(&self, now: u64) -> Option<Arc<TicketKey>> {
        if let Some(key) = self.keys.load().maker(now) {
            return Some(key);
        }
        let life = u64::from(LIFE_S);
        let fresh = Arc::new(TicketKey::random(now + life, now + 2 * life)?);
        self.keys.rcu(|keys| {
            let mut keys = Keys::clone(keys);
            // Another thread may have been first.
            if keys.maker(now).is_none() {
                keys.own.insert(0, Arc::clone(&fresh));
                keys.own.truncate(2);
            }
            keys
        });
        self.keys.load().maker(now)
    }

    fn seal(&self, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        self.maker(now)?.seal(plain)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        let mut all = keys.shared.iter().chain(&keys.own);
        let key = all.find(|key| now < key.takes_until_unix_s && key.made(ticket))?;
        key.open(ticket)
    }
}

impl Keys {
    fn maker(&self, now: u64) -> Option<Arc<TicketKey>> {
        let mut all = self.shared.iter().chain(&self.own);
        all.find(|key| now < key.makes_until_unix_s).map(Arc::clone)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFE_S
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, now())
    }
}

fn now() -> u64 {
    clock::unix_ns() / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::super::ticket_keys::TicketKeyDocument;
    use super::*;

    fn put(tickets: &Tickets, keys: &[(u8, u64)]) {
        let keys = keys.iter().map(|&(byte, hour)| TicketKeyDocument {
            secret: format!("{byte:02x}").repeat(32),
            makes_until_unix_s: (hour + 1) * 3600,
            takes_until_unix_s: (hour + 2) * 3600,
        });
        let keys = keys.collect();
        tickets.put(&TicketKeysDocument { keys }).unwrap();
    }

    #[test]
    fn a_ticket_of_one_node_is_taken_by_another_in_its_hour_and_the_next() {
        let (first, second) = (Tickets::default(), Tickets::default());
        put(&first, &[(1, 0), (2, 1)]);
        put(&second, &[(1, 0), (2, 1)]);
        let ticket = first.seal(b"session", 1800).unwrap();
        assert_eq!(second.open(&ticket, 1900).unwrap(), b"session");
        assert_eq!(second.open(&ticket, 7199).unwrap(), b"session");
        assert_eq!(second.open(&ticket, 7200), None);
        // The next hour's key takes over by itself, be the agent away.
        let next = first.seal(b"session", 3600).unwrap();
        assert_ne!(ticket[..16], next[..16]);
        assert_eq!(second.open(&next, 10_000).unwrap(), b"session");
    }

    #[test]
    fn a_node_without_keys_or_with_old_ones_uses_its_own_and_changes_them() {
        let tickets = Tickets::default();
        put(&tickets, &[(1, 0)]);
        let old = tickets.seal(b"a", 0).unwrap();
        let own = tickets.seal(b"b", 3600).unwrap();
        assert_ne!(old[..16], own[..16]);
        assert_eq!(tickets.seal(b"b", 3700).unwrap()[..16], own[..16]);
        let later = tickets.seal(b"c", 7200).unwrap();
        assert_ne!(later[..16], own[..16]);
        assert_eq!(tickets.open(&own, 7300).unwrap(), b"b");
        assert_eq!(tickets.open(&own, 10_800), None);
        let other = Tickets::default();
        assert_eq!(other.open(&later, 7300), None);
    }

    #[test]
    fn what_was_altered_or_is_no_ticket_is_none() {
        let tickets = Tickets::default();
        put(&tickets, &[(1, 0)]);
        let ticket = tickets.seal(b"session", 0).unwrap();
        for at in 0..ticket.len() {
            let mut altered = ticket.clone();
            altered[at] ^= 1;
            assert_eq!(tickets.open(&altered, 0), None, "byte {at}");
            assert_eq!(tickets.open(&ticket[..at], 0), None, "cut at {at}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_the_old_ones_stay() {
        let tickets = Tickets::default();
        put(&tickets, &[(1, 0)]);
        let ticket = tickets.seal(b"session", 0).unwrap();
        for secret in ["", "zz", &"0".repeat(63), &"é".repeat(32)] {
            let keys = vec![TicketKeyDocument {
                secret: secret.to_owned(),
                makes_until_unix_s: 1,
                takes_until_unix_s: 2,
            }];
            tickets.put(&TicketKeysDocument { keys }).unwrap_err();
        }
        assert_eq!(tickets.open(&ticket, 0).unwrap(), b"session");
    }
}
