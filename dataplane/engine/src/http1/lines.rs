//! The lines of a head, found in one pass over its bytes. It may not say what is wrong with a head, nor know what a line
//! means: it takes exactly the heads that [`super::scan`] takes, who is asked where it gives `None`.

use super::framing::Version;
use super::{HeadLimits, syntax};

/// The first line of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLine<'b> {
    pub method: &'b str,
    pub target: &'b str,
    pub version: Version,
    /// How many bytes it has, with its end.
    pub bytes: usize,
}

/// The first line of a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusLine<'b> {
    pub version: Version,
    pub status: u16,
    pub reason: &'b [u8],
    /// How many bytes it has, with its end.
    pub bytes: usize,
}

/// One field line, by places in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldLine {
    /// The name's length; it stands first.
    pub name_bytes: usize,
    /// Where the value begins and ends, without the white space around it.
    pub value: (usize, usize),
    /// How many bytes the line has, with its end.
    pub bytes: usize,
    /// Whether it surely stands as all are sent on: one space before the value, none behind it.
    pub is_plain: bool,
}

/// The request line at the start of a head.
#[inline]
pub(super) fn request_line<'b>(head: &'b [u8], limits: &HeadLimits) -> Option<RequestLine<'b>> {
    let (method, rest) = head.split_at_checked(token_bytes(head)?)?;
    let rest = rest.strip_prefix(b" ")?;
    let target_bytes = rest
        .iter()
        .position(|&byte| !syntax::is_target_byte(byte))?;
    let (target, rest) = rest.split_at_checked(target_bytes)?;
    let version = match rest.first_chunk()? {
        b" HTTP/1.1\r\n" => Version::Http11,
        b" HTTP/1.0\r\n" => Version::Http10,
        _ => return None,
    };
    let is_target = (1..=limits.target_bytes).contains(&target_bytes);
    is_target.then_some(RequestLine {
        method: str::from_utf8(method).ok()?,
        target: str::from_utf8(target).ok()?,
        version,
        bytes: method.len() + target_bytes + b"  HTTP/1.1\r\n".len(),
    })
}

/// The status line at the start of a head. The space before an empty reason may be missing.
#[inline]
pub(super) fn status_line(head: &[u8]) -> Option<StatusLine<'_>> {
    let (version, rest) = head.split_first_chunk()?;
    let version = match version {
        b"HTTP/1.1 " => Version::Http11,
        b"HTTP/1.0 " => Version::Http10,
        _ => return None,
    };
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    let is_status = matches!(digits, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let status = digits.iter().fold(0, |status, digit| {
        status * 10 + u16::from(digit.wrapping_sub(b'0'))
    });
    let text = rest.strip_prefix(b" ");
    let reason = text.map_or(&[][..], |text| &text[..value_bytes(text)]);
    let bytes = b"HTTP/1.1 200".len() + usize::from(text.is_some()) + reason.len();
    (is_status && head[bytes..].starts_with(b"\r\n")).then_some(StatusLine {
        version,
        status,
        reason,
        bytes: bytes + 2,
    })
}

/// The field line at the start of what is left of a head.
#[inline]
pub(super) fn field_line(head: &[u8]) -> Option<FieldLine> {
    let name_bytes = token_bytes(head)?;
    let text = head[name_bytes..].strip_prefix(b":")?;
    let text = &text[..value_bytes(text)];
    let text_at = name_bytes + 1;
    let line_end = text_at + text.len();
    head[line_end..].starts_with(b"\r\n").then_some(())?;
    // Of the bytes a value may have, white space is the lowest.
    let is_plain = matches!(text, [b' ', first, .., last] if *first > b' ' && *last > b' ');
    let (start, end) = if is_plain {
        (1, text.len())
    } else {
        without_white_space(text)
    };
    Some(FieldLine {
        name_bytes,
        value: (text_at + start, text_at + end),
        bytes: line_end + 2,
        is_plain,
    })
}

/// Where a text begins and ends without the white space around it.
#[cold]
fn without_white_space(text: &[u8]) -> (usize, usize) {
    let is_white = |byte: &&u8| **byte <= b' ';
    let before = text.iter().take_while(is_white).count();
    let behind = text[before..].iter().rev().take_while(is_white).count();
    (before, text.len() - behind)
}

/// How long the token at the start is: `None` where there is none.
#[inline]
fn token_bytes(bytes: &[u8]) -> Option<usize> {
    let count = run(bytes, uncommon_in_names, syntax::is_token_byte);
    (count > 0).then_some(count)
}

/// How many bytes at the start a field's value may have.
#[inline]
fn value_bytes(bytes: &[u8]) -> usize {
    run(bytes, controls, syntax::is_value_byte)
}

/// How many bytes at the start `is_taken` takes. `suspects` finds the first of eight that may not be: one look at eight
/// bytes instead of eight, for what nearly all bytes are.
#[inline]
fn run(bytes: &[u8], suspects: fn(u64) -> u64, is_taken: fn(u8) -> bool) -> usize {
    let mut rest = bytes;
    loop {
        if let Some((eight, behind)) = rest.split_first_chunk() {
            let suspects = suspects(u64::from_le_bytes(*eight));
            if suspects == 0 {
                rest = behind;
                continue;
            }
            rest = &rest[suspects.trailing_zeros() as usize / 8..];
        }
        match rest.split_first() {
            Some((&byte, behind)) if is_taken(byte) => rest = behind,
            _ => return bytes.len() - rest.len(),
        }
    }
}

/// In each of eight bytes, the lowest bit.
const ONES: u64 = u64::MAX / 0xff;
/// In each of eight bytes, the highest bit.
const HIGHS: u64 = ONES << 7;

/// The high bit of each of eight bytes that is a control byte or a tab.
#[inline]
const fn controls(eight: u64) -> u64 {
    let text = within(eight & !HIGHS, b' ', b'~');
    !(text | eight) & HIGHS
}

/// The high bit of each of eight bytes that is neither a letter nor `-`, as nearly all of a name are.
#[inline]
const fn uncommon_in_names(eight: u64) -> u64 {
    let seven = eight & !HIGHS;
    let letters = within(seven | (ONES * 0x20), b'a', b'z');
    (!(letters | within(seven, b'-', b'-')) | eight) & HIGHS
}

/// Sets the high bit of each of eight bytes, none of which has it, that is one of these; other bits mean nothing.
#[inline]
const fn within(eight: u64, first: u8, last: u8) -> u64 {
    // The sum reaches the high bit just where the byte is large enough, and never its neighbour.
    let from_first = eight + ONES * (0x80 - first as u64);
    let behind_last = eight + ONES * (0x7f - last as u64);
    from_first & !behind_last
}

#[cfg(test)]
mod tests {
    use super::{syntax, token_bytes, value_bytes};

    /// A byte at each place, with bytes behind it that a sum or a shift could mistake, must end a run where the table says.
    #[test]
    fn runs_end_with_the_byte_that_the_table_says() {
        for before in 0..20 {
            for byte in 0..=u8::MAX {
                for behind in [b',', b'-', 0x80, 0xff, b'\t', 0x7f, b'{', b'a'] {
                    let mut text = [b'a'; 33];
                    text[before] = byte;
                    text[before + 1] = behind;
                    text[before + 9] = b'\r';
                    let end = |is_it: fn(u8) -> bool| text.iter().position(|&byte| !is_it(byte));
                    assert_eq!(Some(value_bytes(&text)), end(syntax::is_value_byte));
                    let token = end(syntax::is_token_byte).filter(|&bytes| bytes > 0);
                    assert_eq!(token_bytes(&text), token, "{byte:#x} at {before}");
                }
            }
        }
    }
}
