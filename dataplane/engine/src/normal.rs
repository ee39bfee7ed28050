//! The one normal form of hosts and paths, made once of each request and of each route (docs/paths.md). It may not
//! route; whoever decides or sends takes what it gives.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// A segment is `.` or `..`, or could be read as one.
    DotSegment,
    /// It has something that programs read in two ways: this.
    Ambiguous(&'static str),
}

impl Unclear {
    /// What is wrong, for a person.
    pub fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::DotSegment => Cow::Borrowed(
                "the path has a segment . or .., or what could be read as one; send it resolved",
            ),
            Self::Ambiguous(what) => Cow::Owned(format!(
                "the path has {what}, which programs read in two ways"
            )),
        }
    }
}

/// The path (from its `/`, no query) in its normal form. `is_strict` refuses `%2F`, `%5C` and `;` too.
pub fn path(path: &str, is_strict: bool) -> Result<Cow<'_, str>, Unclear> {
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let byte = decode(&mut rest)?;
                push_decoded(&mut normal, byte, is_strict)?;
            }
            b'\\' => return Err(Unclear::Ambiguous("a backslash")),
            b';' if is_strict => return Err(Unclear::Ambiguous("a ;")),
            b'/' if normal.ends_with('/') => {}
            _ => normal.push(char::from(byte)),
        }
    }
    if has_overlong(&normal) {
        return Err(Unclear::Ambiguous(
            "a second spelling of an ASCII sign (overlong UTF-8)",
        ));
    }
    if has_dot_segment(&normal) {
        return Err(Unclear::DotSegment);
    }
    Ok(Cow::Owned(normal))
}

/// Whether nothing in it can need a change or a refusal: no `%`, `\`, `;`, and no `/` before a `/` or a dot.
fn is_plain(path: &[u8]) -> bool {
    // No early end, so that the compiler takes many bytes at once.
    let special = |byte: u8| u8::from(matches!(byte, b'%' | b'\\' | b';'));
    if path.iter().fold(0, |foul, &byte| foul | special(byte)) != 0 {
        return false;
    }
    let suspect =
        |pair: (&u8, &u8)| u8::from(*pair.0 == b'/') & u8::from(matches!(*pair.1, b'/' | b'.'));
    let pairs = path.iter().zip(path.iter().skip(1));
    pairs.fold(0, |foul, pair| foul | suspect(pair)) == 0
}

fn decode(rest: &mut std::str::Bytes<'_>) -> Result<u8, Unclear> {
    let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
    match (digit(), digit()) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(Unclear::Ambiguous("a % without two hexadecimal digits")),
    }
}

fn push_decoded(normal: &mut String, byte: u8, is_strict: bool) -> Result<(), Unclear> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            normal.push(char::from(byte));
            return Ok(());
        }
        0..=0x1f | 0x7f => return Err(Unclear::Ambiguous("an encoded control character")),
        b'/' if is_strict => return Err(Unclear::Ambiguous("an encoded slash")),
        b'\\' if is_strict => return Err(Unclear::Ambiguous("an encoded backslash")),
        b';' if is_strict => return Err(Unclear::Ambiguous("an encoded ;")),
        _ => {}
    }
    normal.push('%');
    normal.push(char::from(HEX[usize::from(byte >> 4)]));
    normal.push(char::from(HEX[usize::from(byte & 15)]));
    Ok(())
}

/// Whether a careless decoder of UTF-8 finds ASCII in it: `%C0%AE` is a dot to some.
fn has_overlong(normal: &str) -> bool {
    let is_continuation = |text: &str, from: u8| {
        let byte = text
            .strip_prefix('%')
            .and_then(|text| u8::from_str_radix(text.get(..2)?, 16).ok());
        byte.is_some_and(|byte| (from..=0xbf).contains(&byte))
    };
    let two = ["%C0", "%C1"].into_iter().any(|lead| {
        normal
            .match_indices(lead)
            .any(|(at, _)| is_continuation(&normal[at + 3..], 0x80))
    });
    let is_low = |text: &str| is_continuation(text, 0x80) && !is_continuation(text, 0xa0);
    two || normal
        .match_indices("%E0")
        .any(|(at, _)| is_low(&normal[at + 3..]))
        || normal.match_indices("%F0").any(|(at, _)| {
            let text = &normal[at + 3..];
            is_continuation(text, 0x80) && !is_continuation(text, 0x90)
        })
}

/// Whether a segment is `.` or `..`, where encoded slashes and backslashes divide too and a `;` ends a segment.
fn has_dot_segment(normal: &str) -> bool {
    let is_dots = |segment: &str| {
        let end = segment.find(';').or_else(|| segment.find("%3B"));
        matches!(&segment[..end.unwrap_or(segment.len())], "." | "..")
    };
    let segments = normal.split('/').flat_map(|segment| segment.split("%2F"));
    segments
        .flat_map(|segment| segment.split("%5C"))
        .any(is_dots)
}

/// A host as routes have it, and its port as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host<'t> {
    /// Lower case, without the dot at the end; an IPv6 address in its short form.
    pub name: Cow<'t, str>,
    /// What stood behind the colon.
    pub port: Option<&'t str>,
    /// Whether name and port together are what came.
    is_as_sent: bool,
}

impl<'t> Host<'t> {
    /// The normal form of a host the codec took, with or without a port.
    pub fn of(sent: &'t str) -> Self {
        // By bytes: the search for a character has more to prepare than a host has bytes.
        let (name, port) = match sent.bytes().rposition(|byte| byte == b':') {
            Some(colon) if !sent[colon..].contains(']') => {
                (&sent[..colon], Some(&sent[colon + 1..]))
            }
            _ => (sent, None),
        };
        let name = host_name(name);
        let is_as_sent = name.len() + port.map_or(0, |port| port.len() + 1) == sent.len()
            && matches!(name, Cow::Borrowed(_));
        Self {
            name,
            port,
            is_as_sent,
        }
    }

    /// The host that a port stands for, whatever host its requests name.
    pub const fn meant(name: &'t str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            port: None,
            is_as_sent: false,
        }
    }

    /// Name and port, to be sent on; `sent` is what the host was made of.
    pub fn authority(&self, sent: &'t str) -> Cow<'t, str> {
        match self.port {
            _ if self.is_as_sent => Cow::Borrowed(sent),
            None => self.name.clone(),
            Some(port) => Cow::Owned(format!("{}:{port}", self.name)),
        }
    }
}

fn host_name(name: &str) -> Cow<'_, str> {
    if let Some(literal) = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address = literal
            .parse::<Ipv6Addr>()
            .map(|address| format!("[{address}]"));
        return match address {
            Ok(short) if short != name => Cow::Owned(short),
            _ => Cow::Borrowed(name),
        };
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_one_whatever_its_case_port_and_last_dot() {
        for sent in ["shop.test", "SHOP.test", "shop.test:8080", "Shop.Test.:80"] {
            assert_eq!(Host::of(sent).name, "shop.test");
        }
        for sent in ["[::1]:80", "[::1]", "[0:0::1]", "[::0001]:8"] {
            assert_eq!(Host::of(sent).name, "[::1]");
        }
    }

    #[test]
    fn what_is_sent_on_keeps_the_port() {
        let authority = |sent| Host::of(sent).authority(sent).into_owned();
        assert_eq!(authority("Shop.Test.:80"), "shop.test:80");
        assert_eq!(authority("shop.test:80"), "shop.test:80");
        assert_eq!(authority("[0::1]:80"), "[::1]:80");
        assert_eq!(authority("shop.test."), "shop.test");
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "/[a-c./;%\\\\2F5Ce3Bb\\[]{0,24}", is_strict: bool) {
            if let Ok(normal) = path(&text, is_strict) {
                prop_assert_eq!(path(&normal, is_strict), Ok(normal.clone()));
                prop_assert!(!normal.contains("//") && normal.starts_with('/'));
                prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
