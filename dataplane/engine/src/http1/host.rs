//! Host and port as `Host` and targets have them (RFC 9112 3.2, RFC 3986 3.2.2). It may not resolve or route.

use std::net::Ipv6Addr;

/// The longest name DNS has, and a little for a port and brackets.
const MOST_BYTES: usize = 264;

/// Whether this is a host with perhaps a port, in the strict form: a name of letters, digits, `-`, `_` and single dots
/// (one may stand at the end), or an IPv4 address, or an IPv6 address in brackets; a port of one to five digits up to
/// 65535. Narrower than RFC 3986: no percent-encoding, no `!$&'()*+,;=~`, no empty port.
pub(super) fn is_host(text: &str) -> bool {
    split(text).is_some()
}

/// The same with a port that must be there: authority-form.
pub(super) fn is_host_and_port(text: &str) -> bool {
    split(text).is_some_and(|(_, port)| port.is_some())
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if text.is_empty() || text.len() > MOST_BYTES {
        return None;
    }
    if text.starts_with('[') {
        return split_literal(text);
    }
    let (name, port) = match text.split_once(':') {
        None => (text, None),
        Some((name, port)) if is_port(port) => (name, Some(port)),
        Some(_) => return None,
    };
    is_name(name).then_some((name, port))
}

fn split_literal(text: &str) -> Option<(&str, Option<&str>)> {
    let (literal, rest) = text.split_once(']')?;
    literal.strip_prefix('[')?.parse::<Ipv6Addr>().ok()?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((literal, None)),
        Some(port) if is_port(port) => Some((literal, Some(port))),
        _ => None,
    }
}

fn is_port(port: &str) -> bool {
    (1..=5).contains(&port.len())
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok()
}

fn is_name(name: &str) -> bool {
    let mut before = b'.';
    for byte in name.bytes() {
        let is_allowed = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => true,
            b'.' => before != b'.',
            _ => false,
        };
        if !is_allowed {
            return false;
        }
        before = byte;
    }
    !name.is_empty()
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
