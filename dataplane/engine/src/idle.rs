//! The wakers of a thread's downstream connections, so that those that idle can be told of a drain. It may not know
//! which of them idle: each looks for itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The wakers, each in a place of its own.
#[derive(Debug, Default)]
pub struct IdleConnections {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl IdleConnections {
    /// Notes how a connection that idles is woken, at its `place`: given with its first wait, kept until it ends.
    fn note(&mut self, place: &mut Option<usize>, waker: &Waker) {
        let place = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.wakers.push(None);
                self.wakers.len() - 1
            })
        });
        self.wakers[place].get_or_insert_with(|| waker.clone());
    }

    /// Forgets a connection that has ended.
    fn remove(&mut self, place: usize) {
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

/// The place of one connection among them; it is forgotten there when this is dropped.
#[derive(Debug)]
pub struct Place {
    all: Rc<RefCell<IdleConnections>>,
    at: Option<usize>,
}

impl Place {
    /// None yet: the first note makes it.
    pub fn new(all: &Rc<RefCell<IdleConnections>>) -> Self {
        Self {
            all: Rc::clone(all),
            at: None,
        }
    }

    /// Notes who is to be woken.
    pub fn note(&mut self, cx: &Context<'_>) {
        self.all.borrow_mut().note(&mut self.at, cx.waker());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.all.borrow_mut().remove(at);
        }
    }
}
