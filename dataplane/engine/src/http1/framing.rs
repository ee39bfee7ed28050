//! Where a body ends (RFC 9112 6): strictly, from the fields alone. It may not read a body.

use super::{BadMessage, Headers, Known, syntax};

/// The version of a message. Others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// As a span attribute or `Via` has it: `1.0`, `1.1`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    /// As many bytes as `Content-Length` says; zero is possible.
    Length(u64),
    /// Chunks, then perhaps trailers.
    Chunked,
    /// All there is until the connection closes; responses only.
    UntilClose,
}

/// What the fields say of the body; `None` when neither of the two fields is there.
pub(super) fn declared(
    headers: &Headers<'_>,
    version: Version,
) -> Result<Option<BodyLength>, BadMessage> {
    if headers.has(Known::FramingAlias) {
        return Err(BadMessage::FramingAlias);
    }
    match (
        headers.has(Known::ContentLength),
        headers.has(Known::TransferEncoding),
    ) {
        (false, false) => Ok(None),
        (true, true) => Err(BadMessage::BothLengthAndChunked),
        (true, false) => content_length(headers).map(|bytes| Some(BodyLength::Length(bytes))),
        (false, true) if version == Version::Http10 => {
            Err(BadMessage::TransferEncodingInOldVersion)
        }
        (false, true) => transfer_encoding(headers).map(Some),
    }
}

/// Exactly one field, exactly one number. A repeated one is refused even when identical: RFC 9112 6.3 leaves the
/// choice, and nobody honest sends two.
fn content_length(headers: &Headers<'_>) -> Result<u64, BadMessage> {
    // Eighteen digits always fit, and sums of a few of them too.
    const MOST_DIGITS: usize = 18;
    let only = headers.only(Known::ContentLength, BadMessage::ContentLengthRepeated)?;
    let digits = only.unwrap_or_default();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadMessage::ContentLengthInvalid);
    }
    if digits.len() > MOST_DIGITS {
        return Err(BadMessage::ContentLengthTooLarge);
    }
    Ok(digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Exactly one field, exactly `chunked`, in any case of ASCII (RFC 9112 7: names of codings have no case). What ends
/// in `chunked` and is otherwise a list of tokens could be framed but not understood; all else can't be framed.
fn transfer_encoding(headers: &Headers<'_>) -> Result<BodyLength, BadMessage> {
    let only = headers.only(
        Known::TransferEncoding,
        BadMessage::TransferEncodingRepeated,
    )?;
    let value = only.unwrap_or_default();
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(BodyLength::Chunked);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = value.split(|&byte| byte == b',').map(syntax::trim_ows);
    let ends_chunked = codings.next_back().is_some_and(is_chunked);
    if ends_chunked && codings.all(|coding| syntax::is_token(coding) && !is_chunked(coding)) {
        return Err(BadMessage::TransferCodingUnsupported);
    }
    Err(BadMessage::TransferEncodingNotChunked)
}
