//! `Upgrade` (RFC 9110 7.8): which protocols are asked for, and whether an answer names one of them. It may not decide
//! whether the connection becomes a tunnel.

use super::{Headers, Known, ResponseHead, syntax};

/// The protocols a message's `Upgrade` names, in its order. `h2c` is none: Java's client asks for it with every first
/// request, and who does not speak it just answers. What has not the form of a protocol is left out.
pub fn protocols<'b>(headers: &Headers<'b>) -> impl Iterator<Item = &'b [u8]> {
    headers
        .find_all(Known::Upgrade)
        .flat_map(syntax::list)
        .filter(|protocol| is_protocol(protocol) && !protocol.eq_ignore_ascii_case(b"h2c"))
}

/// Whether an answer switches to exactly one protocol, of those `asked` for in a list: a 101 that says so. No other
/// status does, whatever its fields are.
pub fn is_agreed(head: &ResponseHead<'_>, asked: &[u8]) -> bool {
    let is_asked =
        |protocol: &[u8]| syntax::list(asked).any(|one| one.eq_ignore_ascii_case(protocol));
    head.status == 101 && head.hop_by_hop.has_upgrade() && only(&head.headers).is_some_and(is_asked)
}

/// The protocol an answer's `Upgrade` names, where it is one.
pub fn only<'b>(headers: &Headers<'b>) -> Option<&'b [u8]> {
    let mut all = headers.find_all(Known::Upgrade).flat_map(syntax::list);
    all.next().filter(|_| all.next().is_none())
}

/// The protocols in one list, as they are sent on.
pub fn list(headers: &Headers<'_>) -> Vec<u8> {
    protocols(headers).collect::<Vec<_>>().join(&b", "[..])
}

/// A name, and perhaps a version behind a slash; both tokens.
fn is_protocol(protocol: &[u8]) -> bool {
    let mut parts = protocol.splitn(2, |&byte| byte == b'/');
    parts.all(syntax::is_token)
}
