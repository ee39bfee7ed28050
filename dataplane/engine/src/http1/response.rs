//! Reads a response's head, strictly. It may not look at the body's bytes.

use super::framing::{self, BodyLength, Version};
use super::request::{keeps_alive, refuse};
use super::{BadMessage, HeadLimits, HeaderStore, Headers, HopByHop, Parsed, lines, scan};

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
    if let Some(line) = lines::status_line(window)
        && let Some(bytes) = store.read(window, line.bytes, limits.capped_headers())
    {
        let head = &window[..bytes];
        let hop_by_hop = store.read_connection(head)?;
        let head = ResponseHead {
            status: line.status,
            reason: line.reason,
            version: line.version,
            headers: store.headers(head),
            body: BodyLength::None,
            hop_by_hop,
            keep_alive: false,
            switches_protocols: line.status == 101 || is_tunnel(request_method, line.status),
            head_bytes: bytes,
        };
        return understand(head, request_method).map(Parsed::Complete);
    }
    refuse(scan::response(window, limits), may_grow)
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
