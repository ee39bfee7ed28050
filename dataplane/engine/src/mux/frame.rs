//! A frame's head as bytes, as yamux has it: version, type, flags, channel, length, all in network order.

/// Bytes of a frame's head.
pub const HEAD_BYTES: usize = 12;
/// How much of a channel's bytes may be under way before the other end has taken them: yamux's own first window, which
/// is never made larger here. What needs more per round trip than this has a connection of its own.
pub const WINDOW: u32 = 256 * 1024;
/// The only version there is.
const VERSION: u8 = 0;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of a channel.
    Data,
    /// So many bytes more may be sent.
    WindowUpdate,
    /// Are you there?
    Ping,
    /// No channel more, please.
    GoAway,
}

/// What else a frame says: a set of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u16);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// It opens the channel, or asks for the answer to a ping.
    pub const SYN: Self = Self(1);
    /// It takes the channel, or answers a ping.
    pub const ACK: Self = Self(2);
    /// Nothing follows in this direction.
    pub const FIN: Self = Self(4);
    /// The channel is over at once.
    pub const RST: Self = Self(8);

    /// Whether all of `other` is said.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// What else it says.
    pub flags: Flags,
    /// Whose it is; 0 is the link itself.
    pub channel: u32,
    /// Bytes that follow; for a window, how many more; for a ping, what comes back; for a farewell, why.
    pub length: u32,
}

impl Head {
    /// Writes it.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = VERSION;
        bytes[1] = match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        bytes[2..4].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.channel.to_be_bytes());
        bytes[8..].copy_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Reads it. None: it is none.
    pub fn read(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let [version, kind, f0, f1, c0, c1, c2, c3, l0, l1, l2, l3] = *bytes;
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            _ => return None,
        };
        (version == VERSION).then_some(Self {
            kind,
            flags: Flags(u16::from_be_bytes([f0, f1])),
            channel: u32::from_be_bytes([c0, c1, c2, c3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_what_yamux_says_it_is() {
        let head = Head {
            kind: Kind::WindowUpdate,
            flags: Flags::SYN.and(Flags::FIN),
            channel: 0x0102_0304,
            length: 0x0a0b_0c0d,
        };
        let mut out = Vec::new();
        head.write(&mut out);
        assert_eq!(out, [0, 1, 0, 5, 1, 2, 3, 4, 0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(Head::read(&out.try_into().unwrap()), Some(head));
    }

    #[test]
    fn another_version_and_an_unknown_type_are_no_frames() {
        for (at, byte) in [(0, 1), (1, 4)] {
            let mut bytes = [0; HEAD_BYTES];
            bytes[at] = byte;
            assert_eq!(Head::read(&bytes), None);
        }
    }
}
