//! Which fields the proxy itself has to do with. It may not judge their values.

/// A field name the proxy knows, or [`Known::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Known {
    /// None of the following.
    Other,
    /// `Accept`
    Accept,
    /// `Authorization`
    Authorization,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `Cookie`
    Cookie,
    /// `Date`
    Date,
    /// `Expect`
    Expect,
    /// `Forwarded`
    Forwarded,
    /// `Host`
    Host,
    /// `HTTP2-Settings`, which belongs to one hop as `Upgrade` does
    Http2Settings,
    /// `Keep-Alive`
    KeepAlive,
    /// `Location`
    Location,
    /// `Max-Forwards`
    MaxForwards,
    /// `mesh-*`, in any case and with underscores too
    MeshHeader,
    /// `Proxy-Authenticate`, `Proxy-Authentication-Info`
    ProxyAuthenticate,
    /// `Proxy-Authorization`
    ProxyAuthorization,
    /// `Proxy-Connection`
    ProxyConnection,
    /// `Server`
    Server,
    /// `Set-Cookie`
    SetCookie,
    /// `TE`
    Te,
    /// `traceparent`
    Traceparent,
    /// `tracestate`
    Tracestate,
    /// `Trailer`
    Trailer,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`
    Upgrade,
    /// `User-Agent`
    UserAgent,
    /// `Via`
    Via,
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `X-Forwarded-Host`
    XForwardedHost,
    /// `X-Forwarded-Proto`
    XForwardedProto,
    /// Any other `X-Forwarded-*`, and every spelling of one with underscores: an origin that speaks CGI or WSGI reads
    /// `X_Forwarded_For` as `X-Forwarded-For`.
    XForwardedOther,
    /// `Content_Length` or `Transfer_Encoding`, in any mix of underscores: no message with one is taken.
    FramingAlias,
}

impl Known {
    /// This field's bit in a set of them.
    #[inline]
    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Which of the known fields a name, a token, is.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        match exact(name) {
            Self::Other => by_prefix_or_alias(name),
            known => known,
        }
    }
}

#[inline]
fn exact(name: &[u8]) -> Known {
    let Some(first) = name.first() else {
        return Known::Other;
    };
    match (name.len(), first | 0x20) {
        (2, b't') if is(name, b"te") => Known::Te,
        (3, b'v') if is(name, b"via") => Known::Via,
        (4, b'h') if is(name, b"host") => Known::Host,
        (4, b'd') if is(name, b"date") => Known::Date,
        (6, b'a') if is(name, b"accept") => Known::Accept,
        (6, b'c') if is(name, b"cookie") => Known::Cookie,
        (6, b'e') if is(name, b"expect") => Known::Expect,
        (6, b's') if is(name, b"server") => Known::Server,
        (7, b't') if is(name, b"trailer") => Known::Trailer,
        (7, b'u') if is(name, b"upgrade") => Known::Upgrade,
        (8, b'l') if is(name, b"location") => Known::Location,
        (9, b'f') if is(name, b"forwarded") => Known::Forwarded,
        (10, b'c') if is(name, b"connection") => Known::Connection,
        (10, b'k') if is(name, b"keep-alive") => Known::KeepAlive,
        (10, b's') if is(name, b"set-cookie") => Known::SetCookie,
        (10, b't') if is(name, b"tracestate") => Known::Tracestate,
        (10, b'u') if is(name, b"user-agent") => Known::UserAgent,
        (11, b't') if is(name, b"traceparent") => Known::Traceparent,
        (12, b'c') if is(name, b"content-type") => Known::ContentType,
        (12, b'm') if is(name, b"max-forwards") => Known::MaxForwards,
        (13, b'a') if is(name, b"authorization") => Known::Authorization,
        (14, b'c') if is(name, b"content-length") => Known::ContentLength,
        (14, b'h') if is(name, b"http2-settings") => Known::Http2Settings,
        (15, b'x') if is(name, b"x-forwarded-for") => Known::XForwardedFor,
        (16, b'p') if is(name, b"proxy-connection") => Known::ProxyConnection,
        (16, b'x') if is(name, b"x-forwarded-host") => Known::XForwardedHost,
        (17, b't') if is(name, b"transfer-encoding") => Known::TransferEncoding,
        (17, b'x') if is(name, b"x-forwarded-proto") => Known::XForwardedProto,
        (18, b'p') if is(name, b"proxy-authenticate") => Known::ProxyAuthenticate,
        (19, b'p') if is(name, b"proxy-authorization") => Known::ProxyAuthorization,
        (25, b'p') if is(name, b"proxy-authentication-info") => Known::ProxyAuthenticate,
        _ => Known::Other,
    }
}

/// The same in any case. Setting bit 0x20 folds a letter's cases and, of the bytes a token may have, nothing else into
/// what stands in a spelling; with the length known, the compiler compares many bytes at once.
#[inline]
pub(super) fn is<const N: usize>(name: &[u8], spelling: &[u8; N]) -> bool {
    name.first_chunk::<N>().is_some_and(|name| {
        let both = name.iter().zip(spelling);
        both.fold(0, |difference, (byte, wanted)| {
            difference | (byte | 0x20) ^ wanted
        }) == 0
    })
}

#[inline]
fn by_prefix_or_alias(name: &[u8]) -> Known {
    // Only names that begin so can have a known prefix or be an alias: most fields leave here.
    match name.first().map(|first| first | 0x20) {
        Some(b'x') if has_prefix(name, b"x-forwarded") => Known::XForwardedOther,
        Some(b'm') if has_prefix(name, b"mesh") => Known::MeshHeader,
        Some(b'c' | b't') if is_alias(name, b"content-length") => Known::FramingAlias,
        Some(b'c' | b't') if is_alias(name, b"transfer-encoding") => Known::FramingAlias,
        Some(b'p') if is_alias(name, b"proxy-authorization") => Known::ProxyAuthorization,
        _ => Known::Other,
    }
}

/// The same name when `_` counts as `-` and case does not.
fn is_alias(name: &[u8], spelling: &[u8]) -> bool {
    let folded = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() == spelling.len() && name.iter().map(folded).eq(spelling.iter().copied())
}

/// `prefix` alone, or `prefix` and then `-` or `_`.
fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.split_at_checked(prefix.len())
        .is_some_and(|(start, rest)| {
            is_alias(start, prefix) && matches!(rest.first(), None | Some(b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn names_are_known_in_any_case() {
        for (name, known) in [
            ("HOST", Known::Host),
            ("te", Known::Te),
            ("Transfer-Encoding", Known::TransferEncoding),
            ("tRansfer-encodinG", Known::TransferEncoding),
            ("Content-Length", Known::ContentLength),
            ("content-lengti", Known::Other),
            ("proxy-authentication-info", Known::ProxyAuthenticate),
            ("x-request-id", Known::Other),
            ("", Known::Other),
            ("x", Known::Other),
        ] {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn underscores_do_not_hide_a_field_we_own() {
        for (name, known) in [
            ("X_Forwarded_For", Known::XForwardedOther),
            ("x-forwarded_proto", Known::XForwardedOther),
            ("X-Forwarded-Port", Known::XForwardedOther),
            ("X_FORWARDED", Known::XForwardedOther),
            ("x-forwardedness", Known::Other),
            ("mesh-instance", Known::MeshHeader),
            ("Mesh_Source", Known::MeshHeader),
            ("mesh", Known::MeshHeader),
            ("meshed", Known::Other),
            ("Content_Length", Known::FramingAlias),
            ("transfer_encoding", Known::FramingAlias),
            ("Proxy_Authorization", Known::ProxyAuthorization),
        ] {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
        }
    }
}
