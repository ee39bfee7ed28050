//! The wakers of a thread's downstream connections, so that those that idle can be told of a drain. It may not know
//! which of them idle: each looks for itself.

use std::task::Waker;

/// The wakers, each in a place of its own.
#[derive(Debug, Default)]
pub struct IdleConnections {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl IdleConnections {
    /// Notes how a connection that idles is woken, at its `place`: given with its first wait, kept until it ends.
    pub fn note(&mut self, place: &mut Option<usize>, waker: &Waker) {
        let place = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.wakers.push(None);
                self.wakers.len() - 1
            })
        });
        self.wakers[place].get_or_insert_with(|| waker.clone());
    }

    /// Forgets a connection that has ended.
    pub fn remove(&mut self, place: usize) {
        self.wakers[place] = None;
        self.free.push(place);
    }

    /// Wakes all, those that do not idle too: for them it is one look in vain.
    pub fn wake(&mut self) {
        for waker in self.wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}
