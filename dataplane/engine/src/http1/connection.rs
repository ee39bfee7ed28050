//! What belongs to one hop (RFC 9110 7.6.1): which fields end here. It may not end those the mesh itself vouches for.

use super::{BadMessage, BodyLength, Header, Headers, Known, syntax};

/// Fields one `Connection` may name beside the usual options: real ones name none. Each is compared with each field.
const MOST_NAMED: usize = 16;

/// What `Connection` says: the options it has, and the fields that must not be passed on.
#[derive(Debug, Clone, Copy)]
pub struct HopByHop<'b> {
    named: [&'b [u8]; MOST_NAMED],
    named_count: usize,
    body: BodyLength,
    /// `close` is among the options.
    pub has_close: bool,
    /// `keep-alive` is among the options.
    pub has_keep_alive: bool,
    /// `upgrade` is among the options.
    pub has_upgrade: bool,
}

impl<'b> HopByHop<'b> {
    /// Reads the `Connection` fields of a head whose body is framed as `body`.
    pub fn of(headers: &Headers<'b>, body: BodyLength) -> Result<Self, BadMessage> {
        let mut hop = Self::silent(body);
        for option in headers.find_all(Known::Connection).flat_map(syntax::list) {
            hop.take(option)?;
        }
        Ok(hop)
    }

    /// Of a head without `Connection`.
    pub(super) const fn silent(body: BodyLength) -> Self {
        Self {
            named: [&[]; MOST_NAMED],
            named_count: 0,
            body,
            has_close: false,
            has_keep_alive: false,
            has_upgrade: false,
        }
    }

    fn take(&mut self, option: &'b [u8]) -> Result<(), BadMessage> {
        if option.eq_ignore_ascii_case(b"keep-alive") {
            self.has_keep_alive = true;
        } else if option.eq_ignore_ascii_case(b"close") {
            self.has_close = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            self.has_upgrade = true;
        } else if !option.eq_ignore_ascii_case(b"te") {
            let slot = self.named.get_mut(self.named_count);
            *slot.ok_or(BadMessage::TooManyConnectionOptions)? = option;
            self.named_count += 1;
        }
        Ok(())
    }

    /// Whether a field ends here. `TE: trailers` goes on (then say `Connection: te` too, [`super::write::te_trailers`]),
    /// `Trailer` only with a chunked body. What the mesh writes or relies on stays, whatever `Connection` says.
    #[inline]
    pub fn removes(&self, header: &Header<'_>) -> bool {
        match header.known {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::Http2Settings
            | Known::ProxyAuthenticate
            | Known::ProxyAuthorization
            | Known::FramingAlias => true,
            Known::Te => !header.value.eq_ignore_ascii_case(b"trailers"),
            Known::Trailer => self.body != BodyLength::Chunked,
            Known::Host
            | Known::ContentLength
            | Known::Date
            | Known::Expect
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
            _ => self.names(header.name),
        }
    }

    fn names(&self, name: &[u8]) -> bool {
        self.named[..self.named_count]
            .iter()
            .any(|named| named.eq_ignore_ascii_case(name))
    }
}
