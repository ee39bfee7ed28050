//! Reads a response's head, strictly. It may not look at the body's bytes.

use std::mem::MaybeUninit;

use super::framing::{self, BodyLength, Version};
use super::request::{keeps_alive, refuse};
use super::{BadMessage, HeadLimits, HeaderStore, Headers, HopByHop, Parsed, scan};

/// `HTTP/1.1 200` and the space behind it: where the reason begins.
const REASON_AT: usize = 13;

/// The head of a response that keeps every rule.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'b> {
    /// The status, 100 to 599.
    pub status: u16,
    /// The reason phrase; may be empty, may have obs-text.
    pub reason: &'b [u8],
    /// The origin's version.
    pub version: Version,
    /// The field lines.
    pub headers: Headers<'b>,
    /// How the body ends: none for 1xx, 204 and 304, and for answers to HEAD.
    pub body: BodyLength,
    /// Which fields end at this hop.
    pub hop_by_hop: HopByHop,
    /// Whether the connection can carry another request once the body has ended.
    pub keep_alive: bool,
    /// Whether the connection speaks another protocol from here on: a 101, or a 2xx to `CONNECT`. Who did not ask for
    /// it must not take it.
    pub switches_protocols: bool,
    /// How many bytes the head has; the body begins there.
    pub head_bytes: usize,
}

impl ResponseHead<'_> {
    /// Whether another head follows on this one (RFC 9110 15.2); 101 is the last.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

/// Reads the head at the start of `buf`, an answer to a request of this method. The verdict depends on the bytes alone,
/// not on how they came.
pub fn parse_response<'b>(
    buf: &'b [u8],
    request_method: &str,
    limits: &HeadLimits,
    store: &'b mut HeaderStore,
) -> Result<Parsed<ResponseHead<'b>>, BadMessage> {
    let window = &buf[..buf.len().min(limits.capped_head_bytes())];
    let may_grow = window.len() < limits.capped_head_bytes();
    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        window,
        &mut slots[..limits.capped_headers()],
    );
    // httparse skips empty lines before a response; no rule allows them.
    let begins_well = !matches!(window.first(), Some(b'\r' | b'\n'));
    if let Ok(httparse::Status::Complete(bytes)) = outcome
        && begins_well
        && let Some(status @ 100..=599) = parsed.code
        && let head = &window[..bytes]
        && store.index(head, parsed.headers)
    {
        let hop_by_hop = store.read_connection(head)?;
        let headers = store.headers(head);
        let version = Version::of_minor(parsed.version.unwrap_or_default());
        let head = ResponseHead {
            status,
            reason: reason(head),
            version,
            headers,
            body: BodyLength::None,
            hop_by_hop,
            keep_alive: false,
            switches_protocols: status == 101 || is_tunnel(request_method, status),
            head_bytes: bytes,
        };
        return understand(head, request_method).map(Parsed::Complete);
    }
    if begins_well && outcome == Ok(httparse::Status::Partial) && may_grow {
        return Ok(Parsed::Partial);
    }
    refuse(scan::response(window, limits), may_grow)
}

/// What stands behind the status in the first line, which ends with CRLF as all of them do.
fn reason(head: &[u8]) -> &[u8] {
    let line_feed = memchr::memchr(b'\n', head).unwrap_or_default();
    head.get(REASON_AT..line_feed.saturating_sub(1))
        .unwrap_or_default()
}

fn is_tunnel(request_method: &str, status: u16) -> bool {
    request_method == "CONNECT" && matches!(status, 200..=299)
}

fn understand<'b>(
    mut head: ResponseHead<'b>,
    request_method: &str,
) -> Result<ResponseHead<'b>, BadMessage> {
    let declared = framing::declared(&head.headers, head.version)?;
    let has_no_body = request_method == "HEAD"
        || matches!(head.status, 100..=199 | 204 | 304)
        || is_tunnel(request_method, head.status);
    let announces = !matches!(declared, None | Some(BodyLength::Length(0)));
    if matches!(head.status, 100..=199) && announces {
        // What followed would be taken for the final answer.
        return Err(BadMessage::InformationalWithBody);
    }
    head.body = match declared {
        _ if has_no_body => BodyLength::None,
        Some(declared) => declared,
        None => BodyLength::UntilClose,
    };
    head.hop_by_hop = head.hop_by_hop.with_body(head.body);
    // A 204 that announces a body may well send it: nothing more is read from such a connection.
    let is_doubtful = head.status == 204 && announces;
    head.keep_alive = keeps_alive(head.version, head.hop_by_hop)
        && head.body != BodyLength::UntilClose
        && !head.switches_protocols
        && !is_doubtful;
    Ok(head)
}
