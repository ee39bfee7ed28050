//! What stands in a link: its channels, and the frames that are to go. Decides by values; it may not do I/O.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::task::{Context, Poll, Waker};

use foldhash::fast::RandomState;

use super::frame::{Flags, HEAD_BYTES, Head, Kind, WINDOW};
use crate::buffers::{BULK_BYTES, WriteBuffer};

/// Channels the other end may have open at a time. Ours opens another link long before.
const MOST_CHANNELS: usize = 256;
/// How much of answers to pings and the like may wait for an end that reads nothing, beside the channels' own bytes.
const MOST_CONTROL_BYTES: usize = 16 * 1024;
/// A channel keeps this much room while nothing waits in it.
const KEPT_BYTES: usize = 4 * 1024;

/// Why a link is over, as each of its channels is told.
#[derive(Debug, Clone)]
pub struct End {
    kind: io::ErrorKind,
    /// What TLS said, where it was TLS: above all that the other end refused a certificate.
    tls: Option<rustls::Error>,
}

impl End {
    /// By this error.
    pub fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        Self {
            kind: error.kind(),
            tls: inner.and_then(|inner| inner.downcast_ref().cloned()),
        }
    }

    fn error(&self) -> io::Error {
        match &self.tls {
            Some(tls) => io::Error::new(self.kind, tls.clone()),
            None => self.kind.into(),
        }
    }
}

/// A task that waits, or did: its waker is kept for the next time.
#[derive(Debug, Default)]
struct Waiter {
    waker: Option<Waker>,
    is_asleep: bool,
}

impl Waiter {
    fn sleep(&mut self, cx: &Context<'_>) {
        self.is_asleep = true;
        match &self.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => self.waker = Some(cx.waker().clone()),
        }
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.is_asleep)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }
}

/// One channel at this end.
#[derive(Debug, Default)]
struct Entry {
    /// What came; what was taken of it stands at its front.
    input: Vec<u8>,
    taken: usize,
    /// What was taken since the other end was told.
    untold: u32,
    /// How much the other end may send, and this one.
    may_receive: u32,
    may_send: u32,
    /// What this end says of the channel with its next frame: that it opens or takes it.
    greeting: Flags,
    /// Nothing more comes: the other end said so, or is gone.
    is_ended: bool,
    is_reset: bool,
    has_said_end: bool,
    /// Who waits for something to read, and for room to write.
    reader: Waiter,
    writer: Waiter,
}

impl Entry {
    fn new(greeting: Flags) -> Self {
        Self {
            may_receive: WINDOW,
            may_send: WINDOW,
            greeting,
            ..Self::default()
        }
    }

    fn waiting(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.waiting().len());
        buffer[..count].copy_from_slice(&self.input[self.taken..self.taken + count]);
        self.taken += count;
        if self.taken == self.input.len() {
            self.taken = 0;
            self.input.clear();
            self.input.shrink_to(KEPT_BYTES);
        }
        count
    }
}

/// The bytes of a data frame that have not come yet.
#[derive(Debug, Clone, Copy)]
struct Coming {
    channel: u32,
    left: u32,
    flags: Flags,
}

/// What stands in a link.
#[derive(Debug)]
pub struct State {
    channels: HashMap<u32, Entry, RandomState>,
    /// The number of the next channel this end opens: odd ones are the client's.
    next: u32,
    /// The last one the other end opened.
    newest: u32,
    /// Those it opened that nobody has taken yet.
    opened: VecDeque<u32>,
    coming: Option<Coming>,
    /// Frames that are to go.
    out: WriteBuffer,
    /// Channels that wait for room in it.
    waiting: Vec<u32>,
    /// Whoever moves the bytes.
    driver: Waiter,
    end: Option<End>,
    /// Whether either end has said that it takes no channel more.
    is_leaving: bool,
    /// Whether anything came yet: until then the other end may still refuse us.
    has_heard: bool,
}

impl State {
    /// A link of which this end is the TLS client, or is not.
    pub fn new(is_client: bool) -> Self {
        Self {
            channels: HashMap::default(),
            next: if is_client { 1 } else { 2 },
            newest: 0,
            opened: VecDeque::new(),
            coming: None,
            out: WriteBuffer::default(),
            waiting: Vec::new(),
            driver: Waiter::default(),
            end: None,
            is_leaving: false,
            has_heard: false,
        }
    }

    /// How many channels there are.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether a channel may be opened.
    pub const fn is_open(&self) -> bool {
        // The numbers are used up after two thousand million channels; another link begins anew.
        self.end.is_none() && !self.is_leaving && self.next < u32::MAX - 2
    }

    /// Whether either end takes no channel more.
    pub const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether anything came from the other end.
    pub const fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// Opens a channel. The other end hears of it with its first bytes.
    pub fn open(&mut self) -> u32 {
        let number = self.next;
        self.next += 2;
        self.channels.insert(number, Entry::new(Flags::SYN));
        number
    }

    /// A channel the other end opened.
    pub fn opened(&mut self) -> Option<u32> {
        self.opened.pop_front()
    }

    /// Whether nothing came on the channel, nor its end.
    pub fn is_quiet(&self, number: u32) -> bool {
        let entry = self.channels.get(&number);
        !self.is_leaving
            && self.end.is_none()
            && entry.is_some_and(|entry| {
                entry.waiting().is_empty() && !entry.is_ended && !entry.is_reset
            })
    }

    /// Waits until there is something to read, be it the end the other side announced.
    pub fn poll_readable(&mut self, number: u32, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.look(number, cx) {
            Some(looked) => Poll::Ready(looked.map(drop)),
            None => Poll::Pending,
        }
    }

    /// Reads what came. 0 is the end the other side announced.
    pub fn poll_read(
        &mut self,
        number: u32,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.look(number, cx) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => return Poll::Ready(Ok(0)),
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Pending,
        }
        let Some(entry) = self.channels.get_mut(&number) else {
            return Poll::Ready(Ok(0));
        };
        let count = entry.take(buffer);
        entry.untold += count as u32;
        // In halves: a frame for each read would be more frames than bytes.
        if entry.untold >= WINDOW / 2 && !entry.is_ended {
            let more = std::mem::take(&mut entry.untold);
            entry.may_receive += more;
            let flags = std::mem::take(&mut entry.greeting);
            self.push(Kind::WindowUpdate, flags, number, more);
        }
        Poll::Ready(Ok(count))
    }

    /// Whether bytes wait (true), or the end (false); nothing: who asks is woken.
    fn look(&mut self, number: u32, cx: &Context<'_>) -> Option<io::Result<bool>> {
        let Some(entry) = self.channels.get_mut(&number) else {
            return Some(Err(io::ErrorKind::NotConnected.into()));
        };
        if !entry.waiting().is_empty() {
            return Some(Ok(true));
        }
        if entry.is_reset {
            return Some(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if entry.is_ended {
            return Some(Ok(false));
        }
        if let Some(end) = &self.end {
            return Some(Err(end.error()));
        }
        entry.reader.sleep(cx);
        None
    }

    /// Takes some of it, as the other end has room for it and the link has.
    pub fn poll_write(
        &mut self,
        number: u32,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(entry) = self.channels.get_mut(&number) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.error()));
        }
        if entry.is_reset || entry.has_said_end {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = BULK_BYTES.saturating_sub(self.out.len());
        let count = bytes.len().min(room).min(entry.may_send as usize);
        if count == 0 && !bytes.is_empty() {
            entry.writer.sleep(cx);
            if room == 0 {
                self.waiting.push(number);
            }
            return Poll::Pending;
        }
        entry.may_send -= count as u32;
        let flags = std::mem::take(&mut entry.greeting);
        self.push(Kind::Data, flags, number, count as u32);
        self.out.tail().extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Says that no more will be written.
    pub fn finish(&mut self, number: u32) {
        if let Some(entry) = self.channels.get_mut(&number)
            && !entry.has_said_end
            && !entry.is_reset
        {
            entry.has_said_end = true;
            let flags = std::mem::take(&mut entry.greeting).and(Flags::FIN);
            self.push(Kind::Data, flags, number, 0);
        }
    }

    /// Forgets a channel. Where its other end cannot know that nobody is here any more, it is told.
    pub fn forget(&mut self, number: u32, is_abrupt: bool) {
        let Some(entry) = self.channels.remove(&number) else {
            return;
        };
        // Of one that was never spoken in, the other end knows nothing.
        let is_known = !entry.greeting.has(Flags::SYN) && !entry.is_reset;
        if is_known && is_abrupt && !(entry.is_ended && entry.has_said_end) {
            self.push(Kind::WindowUpdate, Flags::RST, number, 0);
        } else if is_known && !is_abrupt && !entry.has_said_end {
            self.push(Kind::Data, entry.greeting.and(Flags::FIN), number, 0);
        } else {
            self.driver.wake();
        }
    }

    /// Says that no channel more is taken.
    pub fn leave(&mut self) {
        if !self.is_leaving {
            self.is_leaving = true;
            self.push(Kind::GoAway, Flags::NONE, 0, 0);
        }
    }

    /// Asks the other end whether it is there.
    pub fn ping(&mut self) {
        self.push(Kind::Ping, Flags::SYN, 0, 0);
    }

    /// Ends the link and all that is in it.
    pub fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
        for entry in self.channels.values_mut() {
            entry.reader.wake();
            entry.writer.wake();
        }
        self.driver.wake();
    }

    /// What is to go.
    pub fn pending(&self) -> &[u8] {
        self.out.pending()
    }

    /// So much of it went: whoever waits for room has it.
    pub fn advance(&mut self, count: usize) {
        self.out.advance(count);
        if self.out.len() < BULK_BYTES {
            for number in self.waiting.drain(..) {
                if let Some(entry) = self.channels.get_mut(&number) {
                    entry.writer.wake();
                }
            }
        }
    }

    /// Notes who is woken where something is to go.
    pub fn sleep(&mut self, cx: &Context<'_>) {
        self.driver.sleep(cx);
    }

    /// Takes what came, and says how many bytes of it. An error: it is no frame, or one too many.
    pub fn receive(&mut self, input: &[u8]) -> io::Result<usize> {
        self.has_heard = true;
        let mut rest = input;
        loop {
            if let Some(coming) = self.coming {
                let (bytes, behind) = rest.split_at(rest.len().min(coming.left as usize));
                rest = behind;
                self.arrive(coming, bytes);
                if self.coming.is_some() {
                    break;
                }
            }
            let Some((head, behind)) = rest.split_first_chunk::<HEAD_BYTES>() else {
                break;
            };
            rest = behind;
            let head = Head::read(head).ok_or(io::ErrorKind::InvalidData)?;
            self.understand(head)?;
            if self.out.len() > BULK_BYTES + MOST_CONTROL_BYTES {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(input.len() - rest.len())
    }

    fn understand(&mut self, head: Head) -> io::Result<()> {
        match head.kind {
            Kind::Ping if head.flags.has(Flags::SYN) => {
                self.push(Kind::Ping, Flags::ACK, 0, head.length);
            }
            Kind::Ping => {}
            Kind::GoAway => self.is_leaving = true,
            Kind::Data | Kind::WindowUpdate => {
                if head.flags.has(Flags::SYN) {
                    self.take_opened(head.channel)?;
                }
                if head.kind == Kind::Data {
                    return self.expect(head);
                }
                if let Some(entry) = self.channels.get_mut(&head.channel) {
                    let more = entry.may_send.checked_add(head.length);
                    entry.may_send = more.ok_or(io::ErrorKind::InvalidData)?;
                    if head.length > 0 {
                        entry.writer.wake();
                    }
                }
                self.close(head.channel, head.flags);
            }
        }
        Ok(())
    }

    fn take_opened(&mut self, number: u32) -> io::Result<()> {
        // The other end's numbers are of the other kind, and go up.
        if number % 2 == self.next % 2 || number <= self.newest {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.newest = number;
        if self.end.is_some() || self.channels.len() >= MOST_CHANNELS {
            self.push(Kind::WindowUpdate, Flags::RST, number, 0);
            return Ok(());
        }
        self.channels.insert(number, Entry::new(Flags::ACK));
        self.opened.push_back(number);
        Ok(())
    }

    /// Makes ready for a data frame's bytes. Those of a channel that is gone are thrown away.
    fn expect(&mut self, head: Head) -> io::Result<()> {
        if let Some(entry) = self.channels.get_mut(&head.channel) {
            let left = entry.may_receive.checked_sub(head.length);
            entry.may_receive = left.ok_or(io::ErrorKind::InvalidData)?;
        } else if head.length > WINDOW {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let coming = Coming {
            channel: head.channel,
            left: head.length,
            flags: head.flags,
        };
        if head.length == 0 {
            self.close(head.channel, head.flags);
        } else {
            self.coming = Some(coming);
        }
        Ok(())
    }

    fn arrive(&mut self, coming: Coming, bytes: &[u8]) {
        let left = coming.left - bytes.len() as u32;
        if let Some(entry) = self.channels.get_mut(&coming.channel) {
            entry.input.extend_from_slice(bytes);
            entry.reader.wake();
        }
        self.coming = (left > 0).then_some(Coming { left, ..coming });
        if left == 0 {
            self.close(coming.channel, coming.flags);
        }
    }

    fn close(&mut self, number: u32, flags: Flags) {
        let (is_end, is_reset) = (flags.has(Flags::FIN), flags.has(Flags::RST));
        if (is_end || is_reset)
            && let Some(entry) = self.channels.get_mut(&number)
        {
            entry.is_ended |= is_end;
            entry.is_reset |= is_reset;
            entry.reader.wake();
            entry.writer.wake();
        }
    }

    fn push(&mut self, kind: Kind, flags: Flags, channel: u32, length: u32) {
        let head = Head {
            kind,
            flags,
            channel,
            length,
        };
        head.write(self.out.tail());
        self.driver.wake();
    }
}
