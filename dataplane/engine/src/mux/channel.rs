//! One connection's end inside a link. May not know what is said in it.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::link::Link;

/// One of the connections a link carries.
#[derive(Debug)]
pub struct Channel {
    link: Rc<Link>,
    number: u32,
    /// Whether its other end is to take its end for no end of a message.
    is_reset_on_close: bool,
}

impl Channel {
    pub(super) fn new(link: Rc<Link>, number: u32) -> Self {
        // Who opened it has had what it wanted when it goes, or wants nothing any more: then it is over for both.
        let is_reset_on_close = link.is_opener;
        Self {
            link,
            number,
            is_reset_on_close,
        }
    }

    /// Waits until there is something to read, be it the end the other side announced.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.state.borrow_mut().poll_readable(self.number, cx)
    }

    /// Reads what came. 0 is the end the other side announced.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.link.state.borrow_mut();
        state.poll_read(self.number, cx, buffer)
    }

    /// Gives some of it to the link, which sends it together with what other channels have.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.link.state.borrow_mut();
        state.poll_write(self.number, cx, bytes)
    }

    /// Says that no more will be written.
    pub fn finish(&mut self) {
        self.link.state.borrow_mut().finish(self.number);
    }

    /// Whether nothing came since the last message, as far as the link has heard.
    pub fn seems_quiet(&self) -> bool {
        self.link.state.borrow().is_quiet(self.number)
    }

    /// The same, with a look at the link's socket: whether it is still there.
    pub fn is_quiet(&self) -> bool {
        self.seems_quiet() && self.link.is_alive()
    }

    /// Makes the end that follows a reset.
    pub const fn reset_on_close(&mut self) {
        self.is_reset_on_close = true;
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Out of reach only where a panic in the link itself ends all it holds.
        if let Ok(mut state) = self.link.state.try_borrow_mut() {
            state.forget(self.number, self.is_reset_on_close);
        }
    }
}
