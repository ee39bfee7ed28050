//! What belongs to one hop (RFC 9110 7.6.1): which fields end here. It may not end those the mesh itself vouches for.

use super::{BadMessage, BodyLength, Header, Known, syntax};

/// What `Connection` says, and with it which fields must not be passed on.
#[derive(Debug, Clone, Copy, Default)]
pub struct HopByHop {
    options: u8,
    named: u8,
    keeps_trailer: bool,
    keeps_expect: bool,
}

impl HopByHop {
    /// Fields one head's `Connection` may name beside the usual options: real ones name none. Each is compared with
    /// each field.
    pub(super) const MOST_NAMED: usize = 16;
    const CLOSE: u8 = 1;
    const KEEP_ALIVE: u8 = 2;
    const UPGRADE: u8 = 4;

    /// `close` is among the options.
    pub fn has_close(&self) -> bool {
        self.options & Self::CLOSE != 0
    }

    /// `keep-alive` is among the options.
    pub fn has_keep_alive(&self) -> bool {
        self.options & Self::KEEP_ALIVE != 0
    }

    /// `upgrade` is among the options.
    pub fn has_upgrade(&self) -> bool {
        self.options & Self::UPGRADE != 0
    }

    /// Reads one `Connection`; the fields it names come behind those named before.
    pub(super) fn read<'b>(
        &mut self,
        value: &'b [u8],
        named: &mut [&'b [u8]; Self::MOST_NAMED],
    ) -> Result<(), BadMessage> {
        for option in syntax::list(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.options |= Self::CLOSE,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => {
                    self.options |= Self::KEEP_ALIVE;
                }
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.options |= Self::UPGRADE,
                2 if option.eq_ignore_ascii_case(b"te") => {}
                _ => {
                    let slot = named.get_mut(self.named());
                    *slot.ok_or(BadMessage::TooManyConnectionOptions)? = option;
                    self.named += 1;
                }
            }
        }
        Ok(())
    }

    /// How many fields it names.
    pub(super) fn named(self) -> usize {
        usize::from(self.named)
    }

    /// The same for a head with this body: `Trailer` goes on only where trailers can.
    pub(super) fn with_body(self, body: BodyLength) -> Self {
        Self {
            keeps_trailer: body == BodyLength::Chunked,
            ..self
        }
    }

    /// The same for a request whose client waits for `100 Continue`, or does not: of an HTTP/1.0 client, or without a body,
    /// `Expect` means nothing and must not begin to mean something behind us.
    pub(super) fn with_expect(self, expects_continue: bool) -> Self {
        Self {
            keeps_expect: expects_continue,
            ..self
        }
    }

    /// Whether a field ends here. `TE: trailers` goes on (then say `Connection: te` too, [`super::write::te_trailers`]),
    /// `Trailer` only with a chunked body, `Expect` only where it was understood. What the mesh writes or relies on stays, whatever `Connection` says.
    #[inline]
    pub fn removes(&self, header: &Header<'_>) -> bool {
        match header.known() {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::Http2Settings
            | Known::ProxyAuthenticate
            | Known::ProxyAuthorization
            | Known::FramingAlias => true,
            Known::Te => !header.value().eq_ignore_ascii_case(b"trailers"),
            Known::Trailer => !self.keeps_trailer,
            Known::Expect => !self.keeps_expect,
            Known::Host
            | Known::ContentLength
            | Known::Date
            | Known::MaxForwards
            | Known::Via
            | Known::Forwarded
            | Known::XForwardedFor
            | Known::XForwardedHost
            | Known::XForwardedProto
            | Known::XForwardedOther
            | Known::MeshHeader
            | Known::Traceparent
            | Known::Tracestate => false,
            _ => header.is_named(),
        }
    }
}
