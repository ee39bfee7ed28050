//! The socket of a link: moves frames between it and the channels, notices when its other end is gone, ends when
//! nobody needs it. May not know what the channels are for.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::channel::Channel;
use super::state::{End, State};
use crate::alarm::Alarm;
use crate::buffers::{BULK_BYTES, ReadBuffer};
use crate::clock::{self, Instant};
use crate::session::Session;

/// How long a link with channels may be silent before its other end is asked whether it is there, and how long the
/// answer may take: a node that vanished says nothing, and all that is sent to it would wait for its own patience.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a link that takes no channel more stays for those that are on their way.
const GRACE: Duration = Duration::from_secs(1);
/// Channels we open in one link; the next ones get another, so that a node with many threads can share the work, and a
/// segment that is lost holds up no more than these.
const CHANNELS: usize = 32;

/// A connection to another node that many share.
#[derive(Debug)]
pub struct Link {
    /// Gone once the link is over.
    session: RefCell<Option<Session>>,
    pub(super) state: RefCell<State>,
    /// Whether this end opens the channels.
    pub(super) is_opener: bool,
    /// Until when channels may be opened: what proved its ends does not hold for longer.
    good_until: Option<Instant>,
}

/// How a link is kept.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How long it stays without a channel.
    pub idle_timeout: Duration,
}

impl Link {
    /// A link over a session whose handshake is done. It lives while [`drive`] runs.
    pub fn new(session: Session, is_opener: bool, good_until: Option<Instant>) -> Rc<Self> {
        Rc::new(Self {
            session: RefCell::new(Some(session)),
            state: RefCell::new(State::new(is_opener)),
            is_opener,
            good_until,
        })
    }

    /// A new channel, where there is room for one.
    pub fn open(self: &Rc<Self>, now: Instant) -> Option<Channel> {
        let mut state = self.state.borrow_mut();
        let is_good = self.good_until.is_none_or(|end| now < end);
        if !is_good || !state.is_open() || state.len() >= CHANNELS {
            return None;
        }
        let number = state.open();
        drop(state);
        Some(Channel::new(Rc::clone(self), number))
    }

    /// Until when requests may be sent by it.
    pub const fn good_until(&self) -> Option<Instant> {
        self.good_until
    }

    /// Whether the other end has said anything yet: one that was only just opened may still be refused.
    pub fn has_heard(&self) -> bool {
        self.state.borrow().has_heard()
    }

    /// Whether no channel will be opened in it any more.
    pub fn is_closed(&self) -> bool {
        !self.state.borrow().is_open()
    }

    /// Takes no channel more, and ends with its last one.
    pub fn leave(&self) {
        self.state.borrow_mut().leave();
    }

    /// Whether the socket still is what it was, asked of the system itself; what came for other channels says nothing.
    pub(super) fn is_alive(&self) -> bool {
        let session = self.session.borrow();
        session.as_ref().is_some_and(Session::is_connected)
    }
}

/// Moves a link's bytes until it is over. `take` is given the channels the other end opens; while `is_standing` says
/// no (it is given the waker, to be asked again) none is taken any more.
pub async fn drive(
    link: Rc<Link>,
    manner: Manner,
    mut is_standing: impl FnMut(&Context<'_>) -> bool,
    mut take: impl FnMut(Channel),
) {
    let mut driver = Driver {
        link,
        manner,
        input: ReadBuffer::default(),
        alarm: Alarm::default(),
        heard: clock::now(),
        pinged: None,
    };
    poll_fn(|cx| driver.poll(cx, &mut is_standing, &mut take)).await;
}

/// Whoever dies, its channels are told.
impl Drop for Driver {
    fn drop(&mut self) {
        let end = End::of(&io::ErrorKind::ConnectionAborted.into());
        self.link.state.borrow_mut().end(end);
        // In flight only where a panic of its own ended it.
        if let Ok(mut session) = self.link.session.try_borrow_mut() {
            *session = None;
        }
    }
}

struct Driver {
    link: Rc<Link>,
    manner: Manner,
    /// What came and is no whole frame's head yet.
    input: ReadBuffer,
    alarm: Alarm,
    /// When something came last, or the last channel went.
    heard: Instant,
    /// When the other end was asked whether it is there, and has not answered.
    pinged: Option<Instant>,
}

impl Driver {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        is_standing: &mut impl FnMut(&Context<'_>) -> bool,
        take: &mut impl FnMut(Channel),
    ) -> Poll<()> {
        if let Err(error) = self.receive(cx, take) {
            self.link.state.borrow_mut().end(End::of(&error));
            return Poll::Ready(());
        }
        if !is_standing(cx) {
            self.link.state.borrow_mut().leave();
        }
        loop {
            if let Poll::Ready(Err(error)) = self.send(cx) {
                self.link.state.borrow_mut().end(End::of(&error));
                return Poll::Ready(());
            }
            if self.alarm.poll(cx, self.deadline()).is_pending() {
                self.link.state.borrow_mut().sleep(cx);
                return Poll::Pending;
            }
            if self.is_late() {
                self.say_farewell(cx);
                return Poll::Ready(());
            }
        }
    }

    /// Reads all there is and gives it to the channels.
    fn receive(&mut self, cx: &mut Context<'_>, take: &mut impl FnMut(Channel)) -> io::Result<()> {
        loop {
            let mut session = self.link.session.borrow_mut();
            let session = session.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            match session.poll_read(cx, self.input.space(BULK_BYTES)) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Ok(count)) => self.input.advance(count),
                Poll::Ready(Err(error)) => return Err(error),
            }
            self.heard = clock::now();
            self.pinged = None;
            let taken = self.link.state.borrow_mut().receive(self.input.filled())?;
            self.input.consume(taken);
            loop {
                let opened = self.link.state.borrow_mut().opened();
                let Some(number) = opened else { break };
                take(Channel::new(Rc::clone(&self.link), number));
            }
        }
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.link.session.borrow_mut();
        let Some(session) = session.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let mut state = self.link.state.borrow_mut();
        while !state.pending().is_empty() {
            match session.poll_write(cx, state.pending()) {
                Poll::Ready(Ok(count)) => state.advance(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        session.poll_flush(cx)
    }

    /// Sends what is there, and the end: as far as the socket takes it at once.
    fn say_farewell(&mut self, cx: &mut Context<'_>) {
        let is_sent = self.send(cx).is_ready();
        if let Some(session) = self.link.session.borrow_mut().as_mut().filter(|_| is_sent) {
            let _ = session.poll_shutdown(cx);
        }
    }

    /// When the link is looked at, should nothing come.
    fn deadline(&self) -> Instant {
        let state = self.link.state.borrow();
        if state.len() > 0 {
            return self.pinged.unwrap_or(self.heard) + SILENCE;
        }
        match state.is_leaving() {
            // Nothing of ours is on its way.
            true if self.link.is_opener => self.heard,
            true => self.heard + GRACE,
            false => self.heard + self.manner.idle_timeout,
        }
    }

    /// Looks at a link from which nothing came for as long as may be. True: it is over.
    fn is_late(&mut self) -> bool {
        let mut state = self.link.state.borrow_mut();
        if state.len() == 0 {
            state.leave();
            return true;
        }
        if self.pinged.is_some() {
            state.end(End::of(&io::ErrorKind::TimedOut.into()));
            return true;
        }
        self.pinged = Some(clock::now());
        state.ping();
        false
    }
}
