//! The downstream connections of a thread that wait for their next request, so that a drain can end them.

use std::task::Waker;

/// The wakers of the idle, each in a place of its own.
#[derive(Debug, Default)]
pub struct IdleConnections {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl IdleConnections {
    /// Notes an idle connection. Gives the place to [`Self::remove`] it from.
    pub fn insert(&mut self, waker: Waker) -> usize {
        if let Some(place) = self.free.pop() {
            self.wakers[place] = Some(waker);
            return place;
        }
        self.wakers.push(Some(waker));
        self.wakers.len() - 1
    }

    /// Notes one again that was woken and idles on.
    pub fn renew(&mut self, place: usize, waker: &Waker) {
        self.wakers[place].get_or_insert_with(|| waker.clone());
    }

    /// Forgets a connection that idles no longer.
    pub fn remove(&mut self, place: usize) {
        self.wakers[place] = None;
        self.free.push(place);
    }

    /// Wakes all.
    pub fn wake(&mut self) {
        for waker in self.wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}
