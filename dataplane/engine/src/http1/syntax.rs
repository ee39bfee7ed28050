//! Classes of bytes and the smallest pieces of syntax. It may not know which field it looks at.

macro_rules! table {
    ($pattern:pat) => {{
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = matches!(byte as u8, $pattern);
            byte += 1;
        }
        table
    }};
}

#[rustfmt::skip]
static TOKEN: [bool; 256] = table!(
    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
    | b'^' | b'_' | b'`' | b'|' | b'~'
);
#[rustfmt::skip]
static NAME: [bool; 256] = table!(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.');
static VALUE: [bool; 256] = table!(b'\t' | b' '..=b'~' | 0x80..=0xFF);

/// tchar of RFC 9110 5.6.2.
#[inline]
pub fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// field-vchar, SP and HTAB of RFC 9110 5.5, obs-text included.
#[inline]
pub fn is_value_byte(byte: u8) -> bool {
    VALUE[usize::from(byte)]
}

/// A byte the name of a host may have, narrower than RFC 3986: what DNS has, and `_`.
#[inline]
pub fn is_host_byte(byte: u8) -> bool {
    NAME[usize::from(byte)]
}

/// A byte a target may have: visible ASCII but `#`. What a path means is the router's business.
#[inline]
pub fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'#'
}

/// token of RFC 9110 5.6.2: a method, a field name.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// field-value of RFC 9110 5.5, with white space allowed at its ends.
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| is_value_byte(byte))
}

/// Without the optional white space (SP, HTAB) around it.
pub fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list, trimmed, empty ones left out (RFC 9110 5.6.1.2). Not for lists with quotes.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}
