//! Host and port as `Host` and targets have them (RFC 9112 3.2, RFC 3986 3.2.2). It may not resolve or route.

use std::net::Ipv6Addr;

use super::syntax;

/// The longest name DNS has, and a little for a port and brackets.
const MOST_BYTES: usize = 264;

/// Whether this is a host with perhaps a port, in the strict form: a name of letters, digits, `-`, `_` and single dots
/// (one may stand at the end), or an IPv4 address, or an IPv6 address in brackets; a port of one to five digits up to
/// 65535. Narrower than RFC 3986: no percent-encoding, no `!$&'()*+,;=~`, no empty port.
pub(crate) fn is_host(text: &str) -> bool {
    split(text).is_some()
}

/// The same with a port that must be there: authority-form.
pub(super) fn is_host_and_port(text: &str) -> bool {
    split(text).is_some_and(|(_, port)| port.is_some())
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if text.len() > MOST_BYTES {
        return None;
    }
    if text.starts_with('[') {
        return split_literal(text);
    }
    let (name, rest) = text.split_at(name_bytes(text.as_bytes())?);
    with_port(name, rest)
}

fn split_literal(text: &str) -> Option<(&str, Option<&str>)> {
    let (literal, rest) = text.split_once(']')?;
    literal.strip_prefix('[')?.parse::<Ipv6Addr>().ok()?;
    with_port(literal, rest)
}

fn with_port<'t>(host: &'t str, rest: &'t str) -> Option<(&'t str, Option<&'t str>)> {
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        Some(port) if is_port(port.as_bytes()) => Some((host, Some(port))),
        _ => None,
    }
}

/// How long the name at the start is; `None` when it is empty or a label but the last is.
fn name_bytes(text: &[u8]) -> Option<usize> {
    let mut before = b'.';
    let mut bytes = 0;
    for &byte in text.iter().take_while(|&&byte| syntax::is_host_byte(byte)) {
        if byte == b'.' && before == b'.' {
            return None;
        }
        before = byte;
        bytes += 1;
    }
    (bytes > 0).then_some(bytes)
}

fn is_port(digits: &[u8]) -> bool {
    let number = |sum, digit: &u8| sum * 10 + u32::from(digit.wrapping_sub(b'0'));
    (1..=5).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && u16::try_from(digits.iter().fold(0_u32, number)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{is_host, is_host_and_port};

    #[test]
    fn hosts_are_names_or_addresses_with_at_most_a_port() {
        for good in [
            "a",
            "shop.example",
            "shop.example.",
            "a_b-c",
            "10.0.0.1:80",
            "[::1]",
            "[::1]:8080",
            "a:65535",
            "X",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a..b",
            "a:",
            "a:65536",
            "a:123456",
            "a:+1",
            "a:1:2",
            ":80",
            "a b",
            "a,b",
            "u@a",
            "a/b",
            "a%41",
            "[::1",
            "[::1]80",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "::1",
            "a\u{e9}",
            "a\\b",
            "a?b",
            "*",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
        assert!(!is_host(&"a".repeat(265)));
        assert!(is_host_and_port("a:1") && !is_host_and_port("a"));
    }
}
