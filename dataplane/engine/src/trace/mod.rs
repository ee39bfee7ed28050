//! W3C Trace Context, levels 1 and 2: reads `traceparent` and `tracestate`, decides about sampling, writes them.
//! It may not keep spans.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::random::Random;

/// A combined `tracestate` over this many bytes is dropped: what level 1 §3.3.1.5 asks to be carried at least.
pub const TRACESTATE_BYTES: usize = 512;

/// List members a `tracestate` may have (level 1 §3.3.1.1).
const TRACESTATE_MEMBERS: usize = 32;

/// Bytes of the key of a list member (level 2 §3.3.1.3.1).
const KEY_BYTES: usize = 256;

/// Bytes of the value of a list member (§3.3.1.3.2).
const VALUE_BYTES: usize = 256;

/// Bytes of a `traceparent` of version 00.
const TRACEPARENT_BYTES: usize = 55;

const SAMPLED: u8 = 0x01;

/// Level 2: the low seven bytes of the trace id are random.
const RANDOM: u8 = 0x02;

/// Where a request stands in its trace, at this hop.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceContext {
    /// The whole trace; never all zero.
    pub trace_id: [u8; 16],
    /// The span that called; `None` when the trace begins here.
    pub parent_id: Option<[u8; 8]>,
    /// The span of this hop; never all zero.
    pub span_id: [u8; 8],
    /// Whether spans of this trace are kept.
    pub is_sampled: bool,
    /// Whether the trace id is known to be random (level 2), which is passed on.
    pub is_random: bool,
    /// The vendors' state, as it came, its headers combined; `None` when absent, invalid or too long.
    pub tracestate: Option<Arc<str>>,
}

impl TraceContext {
    /// Goes on with the caller's trace, or begins one. `traceparent` is the value of the header if there is exactly
    /// one, else `None`; `tracestate` the values of its headers in order. The parent's flag rules over `ratio`, which
    /// decides by the trace id where a trace begins, so that every node would decide alike.
    pub fn begin<'h>(
        traceparent: Option<&[u8]>,
        tracestate: impl IntoIterator<Item = &'h [u8]>,
        ratio: f64,
        random: &mut Random,
    ) -> Self {
        let span_id = random.nonzero8();
        if let Some(parent) = traceparent.and_then(Parent::parse) {
            return Self {
                trace_id: parent.trace_id,
                parent_id: Some(parent.span_id),
                span_id,
                is_sampled: parent.flags & SAMPLED != 0,
                is_random: parent.flags & RANDOM != 0,
                tracestate: combine(tracestate),
            };
        }
        let trace_id = random.nonzero16();
        Self {
            trace_id,
            parent_id: None,
            span_id,
            is_sampled: is_in_ratio(&trace_id, ratio),
            is_random: true,
            // Without a valid parent its state means nothing (level 1 §3.3).
            tracestate: None,
        }
    }

    /// The header to send on: this hop is the parent of the next.
    pub fn traceparent(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace_id, &mut header[3..35]);
        write_hex(&self.span_id, &mut header[36..52]);
        write_hex(&[self.flags()], &mut header[53..55]);
        header
    }

    /// The trace's id in hexadecimal, as in `mesh-trace` and in Jaeger.
    pub fn trace_id_hex(&self) -> [u8; 32] {
        let mut text = [0; 32];
        write_hex(&self.trace_id, &mut text);
        text
    }

    /// The trace flags to send on.
    pub fn flags(&self) -> u8 {
        (u8::from(self.is_sampled) * SAMPLED) | (u8::from(self.is_random) * RANDOM)
    }
}

/// What a `traceparent` says.
struct Parent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl Parent {
    /// Reads a header to the letter (§3.2): lower-case hexadecimal, no zero ids, version ff never, later versions by
    /// their first four fields.
    fn parse(header: &[u8]) -> Option<Self> {
        let (head, tail) = header.split_at_checked(TRACEPARENT_BYTES)?;
        let mut version = [0];
        read_hex(&head[..2], &mut version)?;
        let is_whole = tail.is_empty() || (version[0] != 0 && tail[0] == b'-');
        if version[0] == 0xff || !is_whole {
            return None;
        }
        if head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
            return None;
        }
        let mut parent = Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            flags: 0,
        };
        let mut flags = [0];
        read_hex(&head[3..35], &mut parent.trace_id)?;
        read_hex(&head[36..52], &mut parent.span_id)?;
        read_hex(&head[53..55], &mut flags)?;
        parent.flags = flags[0];
        let is_valid = parent.trace_id != [0; 16] && parent.span_id != [0; 8];
        is_valid.then_some(parent)
    }
}

/// Whether a trace that begins here is kept: by the trace id's low 56 bits, which level 2 wants random, against the
/// threshold OpenTelemetry's consistent sampling uses.
fn is_in_ratio(trace_id: &[u8; 16], ratio: f64) -> bool {
    const WHOLE: f64 = (1_u64 << 56) as f64;
    let mut low = [0; 8];
    low[1..].copy_from_slice(&trace_id[9..]);
    // Never negative; NaN becomes 0: not sampled.
    #[expect(clippy::cast_sign_loss)]
    let kept = (ratio.clamp(0.0, 1.0) * WHOLE) as u64;
    u64::from_be_bytes(low) >= (1 << 56) - kept
}

/// The combined state of all headers, or `None` when one of its members is invalid or it is too long.
fn combine<'h>(headers: impl IntoIterator<Item = &'h [u8]>) -> Option<Arc<str>> {
    let mut headers = headers.into_iter().filter(|header| !header.is_empty());
    let first = headers.next()?;
    let Some(second) = headers.next() else {
        return validate(first);
    };
    let mut combined = Vec::with_capacity(TRACESTATE_BYTES);
    combined.extend_from_slice(first);
    for header in std::iter::once(second).chain(headers) {
        if combined.len() + header.len() >= TRACESTATE_BYTES {
            return None;
        }
        combined.push(b',');
        combined.extend_from_slice(header);
    }
    validate(&combined)
}

fn validate(state: &[u8]) -> Option<Arc<str>> {
    if state.len() > TRACESTATE_BYTES {
        return None;
    }
    let mut members = 0;
    for member in state.split(|&byte| byte == b',') {
        let member = trim_whitespace(member);
        // Empty members are allowed, and don't count (§3.3.1.1).
        if !member.is_empty() {
            members += 1;
            is_member(member).then_some(())?;
        }
    }
    if members == 0 || members > TRACESTATE_MEMBERS {
        return None;
    }
    std::str::from_utf8(state).ok().map(Arc::from)
}

/// `key "=" value`, by the grammar of level 2, which takes all that level 1 takes.
fn is_member(member: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', member) else {
        return false;
    };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_key = key.first().is_some_and(begins)
        && key.len() <= KEY_BYTES
        && key
            .iter()
            .all(|byte| begins(byte) || b"_-*/@".contains(byte));
    // Printable, no comma (split there), no equals sign; the last is no space, as the member was trimmed.
    let is_value = !value.is_empty()
        && value.len() <= VALUE_BYTES
        && value
            .iter()
            .all(|&byte| (0x20..=0x7e).contains(&byte) && byte != b'=');
    is_key && is_value
}

fn trim_whitespace(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Fills `out` from lower-case hexadecimal; `None` for anything else.
fn read_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    let mut seen = 0;
    for (pair, byte) in text.chunks_exact(2).zip(out) {
        let (high, low) = (
            DIGIT_OF[usize::from(pair[0])],
            DIGIT_OF[usize::from(pair[1])],
        );
        seen |= high | low;
        *byte = (high << 4) | (low & 0x0f);
    }
    (seen & NO_DIGIT == 0).then_some(())
}

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What no digit has, and every byte that is none.
const NO_DIGIT: u8 = 0x80;

/// The digit each byte is: one look a byte, and a single question at the end.
const DIGIT_OF: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < DIGITS.len() {
        table[DIGITS[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};
