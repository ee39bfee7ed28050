//! The handshakes with strangers under way on one thread, in the order they began. It may not do any.
//!
//! There are only so many. One more does not have to wait, nor to go: of the client that has most of them under way, the
//! one that takes longest gives way to it. Who is honest needs two ways through the network, so that those that only hold
//! a place go first; and who begins them faster than that loses its own, not those of others.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use foldhash::quality::RandomState;
use tokio::sync::Notify;

use crate::network::client_of;

/// Those under way.
#[derive(Debug, Default)]
pub struct Handshakes {
    under_way: RefCell<UnderWay>,
    next: Cell<u64>,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// Of each client, in the order they began. No client is here without one.
    clients: HashMap<IpAddr, BTreeMap<u64, Rc<Notify>>, RandomState>,
    count: usize,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Handshake<'h> {
    all: &'h Handshakes,
    client: IpAddr,
    number: u64,
    told: Rc<Notify>,
}

impl Handshakes {
    /// Begins one of the client at this address. Where there are `most`, another is told to give way.
    pub fn begin(&self, address: IpAddr, most: usize) -> Handshake<'_> {
        let mut under_way = self.under_way.borrow_mut();
        while under_way.count >= most.max(1) && under_way.dismiss() {}
        let (client, number) = (client_of(address), self.next.get());
        self.next.set(number + 1);
        let told = Rc::<Notify>::default();
        let of_client = under_way.clients.entry(client).or_default();
        of_client.insert(number, Rc::clone(&told));
        under_way.count += 1;
        Handshake {
            all: self,
            client,
            number,
            told,
        }
    }
}

impl UnderWay {
    /// Tells the oldest of the client that has most; of clients that have as many, the one that began first. To look for
    /// it among a thousand clients costs some microseconds, where a handshake costs a hundred.
    fn dismiss(&mut self) -> bool {
        let rank = |numbers: &BTreeMap<u64, _>| {
            let first = numbers.keys().next().copied().unwrap_or(u64::MAX);
            (numbers.len(), std::cmp::Reverse(first))
        };
        let worst = self.clients.iter().max_by_key(|(_, those)| rank(those));
        let Some((client, first)) = worst.and_then(|(client, those)| {
            let first = those.keys().next().copied()?;
            Some((*client, first))
        }) else {
            return false;
        };
        if let Some(told) = self.remove(client, first) {
            told.notify_one();
        }
        true
    }

    fn remove(&mut self, client: IpAddr, number: u64) -> Option<Rc<Notify>> {
        let those = self.clients.get_mut(&client)?;
        let removed = those.remove(&number)?;
        if those.is_empty() {
            self.clients.remove(&client);
        }
        self.count -= 1;
        Some(removed)
    }
}

impl Handshake<'_> {
    /// Resolves once this one is to give way to another.
    pub async fn gives_way(&self) {
        self.told.notified().await;
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let mut under_way = self.all.under_way.borrow_mut();
        under_way.remove(self.client, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_told(handshake: &Handshake<'_>) -> bool {
        tokio::select! {
            biased;
            () = handshake.gives_way() => true,
            () = std::future::ready(()) => false,
        }
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test]
    async fn the_oldest_gives_way_and_no_other() {
        let handshakes = Handshakes::default();
        let first = handshakes.begin(address(1), 2);
        let second = handshakes.begin(address(2), 2);
        let third = handshakes.begin(address(3), 2);
        assert!(is_told(&first).await);
        assert_eq!(handshakes.under_way.borrow().count, 2);
        drop(third);
        let _fourth = handshakes.begin(address(4), 2);
        assert!(!is_told(&second).await, "there was room again");
    }

    #[tokio::test]
    async fn who_has_most_under_way_loses_its_own() {
        let handshakes = Handshakes::default();
        let honest = handshakes.begin(address(1), 4);
        let mut flood: Vec<_> = (0..100).map(|_| handshakes.begin(address(2), 4)).collect();
        assert!(!is_told(&honest).await);
        assert!(is_told(&flood[0]).await && !is_told(&flood[99]).await);
        let other = handshakes.begin(address(3), 4);
        assert!(!is_told(&honest).await && !is_told(&other).await);
        flood.clear();
        drop((honest, other));
        let under_way = handshakes.under_way.borrow();
        assert!(under_way.clients.is_empty() && under_way.count == 0);
    }
}
