//! The field lines of a head, as places in its bytes. It may not copy or allocate per request.

use std::ops::Range;

use super::{BadMessage, HopByHop, Known, known, lines, write};

/// One field line. Its parts are found when they are asked for: most lines are decided about by what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Header<'b> {
    head: &'b [u8],
    place: &'b Place,
}

impl<'b> Header<'b> {
    /// The name as sent: a token.
    #[inline]
    pub fn name(&self) -> &'b [u8] {
        self.place.name(self.head)
    }

    /// The value without white space around it; obs-text is possible, control bytes are not.
    #[inline]
    pub fn value(&self) -> &'b [u8] {
        self.place.value(self.head)
    }

    /// Which of the names the proxy knows it is.
    #[inline]
    pub const fn known(&self) -> Known {
        self.place.known
    }

    /// Whether `Connection` names it, so that it ends at this hop.
    #[inline]
    pub const fn is_named(&self) -> bool {
        self.place.is_named
    }
}

/// Where one field stands, counted from the head's first byte.
#[derive(Debug, Clone, Copy)]
struct Place {
    name_at: u32,
    name_bytes: u32,
    value_at: u32,
    value_bytes: u32,
    known: Known,
    is_named: bool,
    /// Whether it stands as it is sent on.
    is_plain: bool,
}

impl Place {
    /// The line with its end, where it is plain.
    #[inline]
    const fn line(&self) -> Range<usize> {
        self.name_at as usize..(self.value_at + self.value_bytes) as usize + 2
    }

    #[inline]
    fn name<'b>(&self, head: &'b [u8]) -> &'b [u8] {
        part(head, self.name_at, self.name_bytes)
    }

    #[inline]
    fn value<'b>(&self, head: &'b [u8]) -> &'b [u8] {
        part(head, self.value_at, self.value_bytes)
    }
}

/// Room for the places of a head's fields; one per connection or thread, used again for each head.
#[derive(Debug, Default)]
pub struct HeaderStore {
    places: Vec<Place>,
    /// The bits of the known fields that are there.
    present: u64,
}

impl HeaderStore {
    /// An empty store; it grows once to the largest head it meets, at most by the limits.
    pub const fn new() -> Self {
        Self {
            places: Vec::new(),
            present: 0,
        }
    }

    /// Writes down where the field lines from `at` on stand in `head`, and which known fields are there at all. Gives
    /// where the head ends; `None` where it is not whole, not right, or has more than `most` lines.
    #[inline]
    pub(super) fn read(&mut self, head: &[u8], mut at: usize, most: usize) -> Option<usize> {
        let mut present = 0;
        self.places.clear();
        loop {
            let rest = &head[at..];
            if rest.starts_with(b"\r\n") {
                self.present = present;
                return Some(at + 2);
            }
            let line = lines::field_line(rest)?;
            if self.places.len() == most {
                return None;
            }
            let known = Known::of(&rest[..line.name_bytes]);
            present |= known.bit();
            self.places.push(Place {
                name_at: at as u32,
                name_bytes: line.name_bytes as u32,
                value_at: (at + line.value.0) as u32,
                value_bytes: (line.value.1 - line.value.0) as u32,
                known,
                is_named: false,
                is_plain: line.is_plain,
            });
            at += line.bytes;
        }
    }

    /// Reads `Connection`, and marks the fields it names.
    #[inline]
    pub(super) fn read_connection(&mut self, head: &[u8]) -> Result<HopByHop, BadMessage> {
        let mut hop = HopByHop::default();
        if self.present & Known::Connection.bit() != 0 {
            let mut named = [[].as_slice(); HopByHop::MOST_NAMED];
            let is_it = |place: &&Place| place.known == Known::Connection;
            for place in self.places.iter().filter(is_it) {
                hop.read(place.value(head), &mut named)?;
            }
            for name in &named[..hop.named()] {
                let is_it = |place: &&mut Place| place.name(head).eq_ignore_ascii_case(name);
                self.places
                    .iter_mut()
                    .filter(is_it)
                    .for_each(|place| place.is_named = true);
            }
        }
        Ok(hop)
    }

    /// What was written down last, together with the bytes it was about.
    #[inline]
    pub(super) fn headers<'b>(&'b self, head: &'b [u8]) -> Headers<'b> {
        Headers {
            head,
            places: &self.places,
            present: self.present,
        }
    }
}

/// The field lines of one head, in the order sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'b> {
    head: &'b [u8],
    places: &'b [Place],
    /// The bits of the known fields that are there.
    present: u64,
}

impl<'b> Headers<'b> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All of them, in the order sent.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Header<'b>> + use<'b> {
        let head = self.head;
        self.places.iter().map(move |place| Header { head, place })
    }

    /// Writes those that `is_sent` wants, in the order sent. Neighbours that already stand as they are sent on, which
    /// are nearly all, are copied in one piece.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, mut is_sent: impl FnMut(&Header<'b>) -> bool) {
        let mut run = 0..0;
        for header in self.iter().filter(|header| is_sent(header)) {
            let line = header.place.line();
            if header.place.is_plain && line.start == run.end {
                run.end = line.end;
                continue;
            }
            out.extend_from_slice(&self.head[run]);
            if header.place.is_plain {
                run = line;
            } else {
                run = 0..0;
                write::header(out, header.name(), header.value());
            }
        }
        out.extend_from_slice(&self.head[run]);
    }

    /// Whether a known field is there; costs nothing.
    #[inline]
    pub fn has(&self, known: Known) -> bool {
        self.present & known.bit() != 0
    }

    /// The value of the first such field.
    #[inline]
    pub fn find(&self, known: Known) -> Option<&'b [u8]> {
        self.find_all(known).next()
    }

    /// The values of all such fields, in the order sent.
    #[inline]
    pub fn find_all(&self, known: Known) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let head = self.head;
        let places = if self.has(known) { self.places } else { &[] };
        places
            .iter()
            .filter(move |place| place.known == known)
            .map(move |place| place.value(head))
    }

    /// The value of the only such field; `None` when there is none, the error when there are more.
    #[inline]
    pub(super) fn only(
        &self,
        known: Known,
        repeated: BadMessage,
    ) -> Result<Option<&'b [u8]>, BadMessage> {
        let mut values = self.find_all(known);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(repeated),
        }
    }

    /// The values of the fields of this name, in any case, in the order sent. `name` is in lower case.
    pub fn find_named<const N: usize>(
        &self,
        name: &'static [u8; N],
    ) -> impl Iterator<Item = &'b [u8]> + use<'b, N> {
        let is_it =
            move |header: &Header<'b>| header.name().len() == N && known::is(header.name(), name);
        self.iter().filter(is_it).map(|header| header.value())
    }
}

#[inline]
fn part(head: &[u8], at: u32, bytes: u32) -> &[u8] {
    &head[at as usize..at as usize + bytes as usize]
}
