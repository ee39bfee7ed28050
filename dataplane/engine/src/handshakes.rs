//! The handshakes with strangers under way on one thread, in the order they began. It may not do any.
//!
//! There are only so many. One more does not have to wait, nor to go: the one that takes longest gives way to it. Who is
//! honest needs two ways through the network, so that those that only hold a place go first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

/// Those under way.
#[derive(Debug, Default)]
pub struct Handshakes {
    begun: RefCell<BTreeMap<u64, Rc<Notify>>>,
    next: Cell<u64>,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Handshake<'h> {
    all: &'h Handshakes,
    number: u64,
    told: Rc<Notify>,
}

impl Handshakes {
    /// Begins one. Where there are `most`, the oldest is told to give way.
    pub fn begin(&self, most: usize) -> Handshake<'_> {
        let mut begun = self.begun.borrow_mut();
        while begun.len() >= most.max(1) {
            if let Some((_, oldest)) = begun.pop_first() {
                oldest.notify_one();
            }
        }
        let (number, told) = (self.next.get(), Rc::<Notify>::default());
        self.next.set(number + 1);
        begun.insert(number, Rc::clone(&told));
        Handshake {
            all: self,
            number,
            told,
        }
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
        self.all.begun.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_no_other() {
        let handshakes = Handshakes::default();
        let first = handshakes.begin(2);
        let second = handshakes.begin(2);
        let third = handshakes.begin(2);
        first.gives_way().await;
        assert_eq!(handshakes.begun.borrow().len(), 2);
        drop(third);
        let _fourth = handshakes.begin(2);
        let is_told = tokio::select! {
            biased;
            () = second.gives_way() => true,
            () = std::future::ready(()) => false,
        };
        assert!(!is_told, "there was room again");
    }
}
